"""Hidden pixels, and how far what fills them is from what stood there."""

import numpy as np
import pytest

from iwax.data import masks
from iwax.evaluation import squared_error, squared_error_difference


def test_the_masks_of_the_protocol_on_28_by_28():
    rows, columns = masks.rectangle((28, 28)).nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max(), len(rows)) == (8, 19, 8, 19, 144)
    assert sorted({*masks.half((28, 28)).nonzero()[1]}) == list(range(14))
    hidden = masks.random((28, 28), 0.6, n=200, seed=0)
    assert abs(hidden.mean() - 0.6) < 4.5 * np.sqrt(0.24 / hidden.size)
    between = hidden.reshape(200, -1).std(axis=0)
    assert between.min() > 0.3, "each image has a mask of its own"


def test_other_shapes_and_channels():
    assert masks.rectangle((28, 20)).sum() == 12 * 9
    assert masks.rectangle((2, 2)).sum() == 1
    assert masks.half((3, 5)).sum() == 6
    colours = masks.random((4, 5, 3), 0.5, n=30, seed=1)
    assert (colours == colours[..., :1]).all()
    assert masks.mask("half", (4, 5, 3), n=2, seed=0).shape == (2, 60)


def test_an_images_mask_does_not_hang_on_how_many_there_are():
    many = masks.mask("random:0.8", (5, 5), n=20, seed=3)
    np.testing.assert_array_equal(many[:7], masks.mask("random:0.8", (5, 5), n=7, seed=3))
    assert not np.array_equal(many, masks.mask("random:0.8", (5, 5), n=20, seed=4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: masks.mask("cross", (4, 4), n=1, seed=0), "must be rectangle, half or random:SHARE.*got 'cross'"),
        (lambda: masks.mask("random", (4, 4), n=1, seed=0), "got 'random'"),
        (lambda: masks.mask("random:x", (4, 4), n=1, seed=0), "mask 'random:x': could not convert"),
        (lambda: masks.mask("random:1", (4, 4), n=1, seed=0), "0 < share < 1, got 1.0"),
        (lambda: masks.mask("half", (13,), n=1, seed=0), r"of shape \(h, w\).*got the shape \(13,\)"),
        (lambda: masks.rectangle((4, 4), size=(5, 1)), "within 4 x 4 pixels was needed, got 5 x 1"),
        (lambda: squared_error(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 2))), "of one shape were needed"),
        (lambda: squared_error(np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3))), "got none in 2 rows"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_errors_of_squared_errors_are_what_they_vary_by():
    """1,000 sets of 60 rows whose errors and numbers of hidden cells hang together; other cells are NaN."""
    rng, means, errors, differences, their_errors = np.random.default_rng(0), [], [], [], []
    for _ in range(1_000):
        scale = 0.5 + rng.random((60, 1))
        hidden = rng.random((60, 5)) < 1 / (1 + scale)
        hidden[0] = True
        truth = rng.normal(size=(60, 5))
        found = np.where(hidden, truth + scale * rng.normal(size=(60, 5)), np.nan)
        other = np.where(hidden, found + 0.3 * rng.normal(size=(60, 5)), np.nan)
        for kept, kept_errors, (value, error) in (
            (means, errors, squared_error(found, truth, hidden)),
            (differences, their_errors, squared_error_difference(found, other, truth, hidden)),
        ):
            kept.append(value)
            kept_errors.append(error)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.1)
    assert np.std(differences) == pytest.approx(np.mean(their_errors), rel=0.1)
    assert abs(np.mean(differences) + 0.09) < 4.5 * np.std(differences) / np.sqrt(1_000)
