"""Learning rates as functions of the step."""

import numpy as np
import pytest

from iwax import training


def test_schedules_are_their_formulas():
    burda = training.schedules.burda_stages(1e-3, 2)
    ends = [(3**i - 1) // 2 for i in range(9)]
    for i in range(8):
        for step in (2 * ends[i], 2 * ends[i + 1] - 1):
            assert float(burda(step)) == pytest.approx(1e-3 * 10 ** (-i / 7), rel=1e-5)
    assert training.schedules.burda_epochs() == ends[8] == 3280
    cosine = training.schedules.cosine(0.2, 110, warmup=10)
    assert float(cosine(5)) == pytest.approx(0.1)
    for step in (10, 35, 60, 109):
        assert float(cosine(step)) == pytest.approx(0.1 * (1 + np.cos(np.pi * (step - 10) / 100)), abs=1e-7)
    constant = training.schedules.constant(0.2, warmup=4)
    assert [float(constant(step)) for step in (0, 2, 4, 100)] == pytest.approx([0.0, 0.1, 0.2, 0.2])
