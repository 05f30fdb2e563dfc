"""From grey to black and white: by an exact random rule, or by a threshold."""

from typing import Any, Literal

import numpy as np

from iwax import former_names
from iwax.data.bits import bits16, bits16_from
from iwax.streams import Bits

BINARIZE_SEED = 0
Binarize = Literal["threshold", "sample"]


def binarized(values: np.ndarray, how: str, *, stream: Bits | None, where: str) -> np.ndarray:
    """Grey values (uint8), or real ones in [0, 1], in {0, 1}: by ``"threshold"``, or by one Bernoulli ``"sample"``.

    The draw is that of `binarize_once` with seed 0 and ``stream``; without a stream, grey values to be drawn later.
    Missing values (NaN) stay missing, in float32. Raises ValueError, saying ``where``, for real values outside [0, 1]
    and for a sample of values of which some are missing.

    >>> binarized(np.array([[0.2, 0.7]], np.float32), "threshold", stream=None, where="x.npy").tolist()
    [[0, 1]]
    """
    if how not in ("threshold", "sample"):
        raise ValueError(f"{where}: binarize must be 'threshold' or 'sample'; got {how!r}")
    if values.dtype != np.uint8:
        missing = int(np.count_nonzero(np.isnan(values)))
        check_range(np.nanmin(values), np.nanmax(values), missing, how, where=where)
    if how == "threshold":
        return threshold(values)
    grey = values if values.dtype == np.uint8 else as_grey(values)
    return grey if stream is None else binarize_once(grey, seed=BINARIZE_SEED, stream=stream)


def check_range(low: float, high: float, missing: int, how: str, *, where: str) -> None:
    """Raise ValueError if real values of this range, or with this number of missing cells, cannot be made binary."""
    if low < 0 or high > 1:
        raise ValueError(
            f"{where}: binarize={how!r} needs real values in [0, 1], or grey ones in uint8; got {low:g} to {high:g}"
        )
    if how == "sample" and missing:
        raise ValueError(
            f"{where}: binarize='sample' needs data without missing cells; got {missing} of them; use 'threshold'"
        )


def binarize_grey(x: Any, bits: Any) -> Any:  # NumPy or JAX arrays, without loading JAX here
    """1 where ``bits * 255 < x * 65536``, else 0: Bernoulli(x/255) from 16 random bits per pixel.

    x: uint8 grey values; bits: uint16, uniform, of the same shape. NumPy or JAX arrays; the result is uint8.
    Exact at both ends: 0 gives always 0 and 255 always 1; in between the probability is x/255 rounded up to
    a multiple of 2^-16. (Eight bits would turn 255 into 0.996.) The products need 24 bits, hence uint32.

    >>> binarize_grey(np.array([0, 255], np.uint8), np.array([0, 65535], np.uint16)).tolist()
    [0, 1]
    """
    return (bits.astype("uint32") * 255 < x.astype("uint32") * 65536).astype("uint8")


def binarize_places(grey: np.ndarray, places: np.ndarray, *, seed: int, stream: Bits) -> np.ndarray:
    """The rows [m, D] of `binarize_once` at these places, of grey rows of which no other is at hand.

    >>> grey, draw = np.full((5, 3), 99, np.uint8), {"seed": 1, "stream": Bits.TEST}
    >>> bool((binarize_places(grey[:2], np.array([4, 1]), **draw) == binarize_once(grey, **draw)[[4, 1]]).all())
    True
    """
    found = np.empty(grey.shape, np.uint16)
    for row, place in zip(found, places.tolist(), strict=True):
        row[:] = bits16_from(seed, stream, place * grey.shape[1], grey.shape[1])
    return binarize_grey(grey, found)


@former_names.argument("purpose", "stream")
def binarize_once(grey: np.ndarray, *, seed: int, stream: Bits) -> np.ndarray:
    """A fixed draw of Bernoulli(grey/255), uint8 in {0, 1}: the same on every platform for one seed and random stream.

    >>> binarize_once(np.full((1, 3), 255, np.uint8), seed=1, stream=Bits.TEST).tolist()
    [[1, 1, 1]]
    """
    return binarize_grey(grey, bits16(seed, stream, grey.shape))


def threshold(values: np.ndarray) -> np.ndarray:
    """1 above half of the range: uint8 above 127.5, float (of range [0, 1]) above 0.5. NaN stays NaN, in float32.

    >>> threshold(np.array([127, 128], np.uint8)).tolist(), threshold(np.array([0.7, np.nan])).tolist()
    ([0, 1], [1.0, nan])
    """
    if values.dtype == np.uint8:
        return (values > 127.5).astype(np.uint8)
    ones, missing = (values > 0.5).astype(np.uint8), np.isnan(values)
    return np.where(missing, np.float32(np.nan), ones) if missing.any() else ones


def as_grey(values: np.ndarray) -> np.ndarray:
    """Probabilities in [0, 1] as grey uint8: round(255 x), an error of at most 1/510.

    >>> as_grey(np.array([0.0, 0.5, 1.0], np.float32)).tolist()
    [0, 128, 255]
    """
    return np.floor(values * np.float32(255) + np.float32(0.5)).astype(np.uint8)
