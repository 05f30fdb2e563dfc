"""Grey to black and white: exact at both ends, the right frequency between, the same bits everywhere."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax.data.binarization import as_grey, binarize_grey, binarize_once, binarized, threshold
from iwax.data.bits import bits16, bits64, permutation
from iwax.streams import Bits

ALL_BITS = np.arange(65536, dtype=np.uint16)


@pytest.mark.parametrize(("grey", "ones"), [(0, 0), (255, 65536), (1, 258), (128, 32897), (51, 13108)])
def test_the_rule_counts_exactly(grey, ones):
    """Over all 2^16 bit patterns the share of ones is grey/255, rounded up to a multiple of 2^-16."""
    drawn = binarize_grey(np.full(65536, grey, np.uint8), ALL_BITS)
    assert drawn.dtype == np.uint8
    assert drawn.sum() == ones == -(-grey * 65536 // 255)


@given(grey=st.integers(0, 255), bits=st.integers(0, 65535))
def test_numpy_jax_and_whole_numbers_agree(grey, bits):
    expected = int(bits * 255 < grey * 65536)
    x, b = np.array([grey], np.uint8), np.array([bits], np.uint16)
    assert binarize_grey(x, b)[0] == expected
    assert binarize_grey(jnp.asarray(x), jnp.asarray(b))[0] == expected


def test_a_fixed_draw_has_the_right_frequency():
    n = 200_000
    share = binarize_once(np.full((n, 1), 77, np.uint8), seed=3, stream=Bits.TEST).mean()
    p = 77 / 255
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_a_fixed_draw_depends_on_seed_and_stream_only():
    grey = np.full((50, 20), 128, np.uint8)
    first = binarize_once(grey, seed=1, stream=Bits.TEST)
    assert np.array_equal(first, binarize_once(grey, seed=1, stream=Bits.TEST))
    assert not np.array_equal(first, binarize_once(grey, seed=2, stream=Bits.TEST))
    assert not np.array_equal(first, binarize_once(grey, seed=1, stream=Bits.VALID))


def test_the_bits_are_those_written_down():
    """Values of Philox-4x64 with key 123 + 2^64 * 2: a change of platform or NumPy must not move them."""
    words = bits64(123, Bits.TEST, 2)
    assert bits16(123, Bits.TEST, (5,)).tolist() == [
        int(words[0] >> np.uint64(shift)) & 0xFFFF for shift in (0, 16, 32, 48)
    ] + [int(words[1]) & 0xFFFF]
    assert words.tolist() == [8047190841126315176, 9728396328095048279]


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_a_permutation_holds_every_row_once(seed, n):
    assert sorted(permutation(seed, Bits.SPLIT, n).tolist()) == list(range(n))


def test_a_seed_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"0 <= seed < 2\*\*64; got -1"):
        bits64(-1, Bits.TEST, 1)


def test_threshold_takes_half_of_the_range():
    assert threshold(np.array([0, 127, 128, 255], np.uint8)).tolist() == [0, 0, 1, 1]
    assert threshold(np.array([0.0, 0.5, 0.51, 1.0], np.float32)).tolist() == [0, 0, 1, 1]


def test_grey_levels_survive_the_way_to_probabilities_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(as_grey(levels.astype(np.float32) / 255), levels)


def test_missing_values_stay_missing_by_a_threshold_and_refuse_a_sample():
    x = np.array([[0.2, np.nan], [0.7, 0.5]], np.float32)
    drawn = binarized(x, "threshold", stream=None, where="x.npy")
    assert np.array_equal(drawn, np.array([[0, np.nan], [1, 0]], np.float32), equal_nan=True)
    with pytest.raises(ValueError, match=r"x\.npy: .*without missing cells; got 1 of them; use 'threshold'"):
        binarized(x, "sample", stream=Bits.SAMPLE, where="x.npy")
    with pytest.raises(ValueError, match=r"x\.npy: .*real values in \[0, 1\], or grey ones in uint8; got 0\.2 to 7"):
        binarized(np.float32([[0.2, 7]]), "threshold", stream=None, where="x.npy")
    with pytest.raises(ValueError, match=r"x\.npy: binarize must be 'threshold' or 'sample'; got 'round'"):
        binarized(x, "round", stream=None, where="x.npy")
