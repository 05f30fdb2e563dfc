"""Rows shared out among devices: the numbers of one device, in a process of its own that JAX gives eight."""

import jax
import numpy as np
import pytest
from oracles.several_devices import differences, too_far

from iwax import parallel


def test_three_devices_give_the_numbers_of_one():
    found = differences(["iwae in pieces", "evaluation"], [3])
    assert len(found) == 4
    assert too_far(found) == {}


@pytest.mark.slow
def test_two_four_and_eight_devices_give_the_numbers_of_one():
    found = differences(["iwae in pieces", "free bits", "score function", "evaluation"], [2, 4, 8])
    assert len(found) == 18
    assert too_far(found) == {}


def test_one_device_is_as_without():
    x = np.arange(6.0).reshape(3, 2)
    for devices in (None, 1, "all"):
        with parallel.over(devices):
            assert parallel.count() == len(jax.devices()) == 1
            assert parallel.whole(3) == 3
            assert parallel.shared(x) is x


@pytest.mark.parametrize("devices", [0, -1, True, 1.5, "some"])
def test_what_is_no_number_of_devices_is_refused(devices):
    with (
        pytest.raises(ValueError, match=r"devices needs to be a whole number from 1, or all, got"),
        parallel.over(devices),
    ):
        pass


def test_more_devices_than_there_are_are_refused():
    with parallel.over(64), pytest.raises(ValueError, match="devices: 64 were asked for, JAX has 1 here"):
        parallel.count()
