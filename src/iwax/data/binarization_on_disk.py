"""Grey values of rows on disk made binary as they are read: the bits that rows in memory would have."""

from functools import partial

import numpy as np

from iwax.data.binarization import BINARIZE_SEED, as_grey, binarize_places, check_range, threshold
from iwax.data.on_disk import Reading, RowsOnDisk
from iwax.streams import Bits

__all__ = ["binarized_on_disk", "drawn_once"]


def binarized_on_disk(rows: RowsOnDisk, how: str, *, stream: Bits | None, where: str) -> RowsOnDisk:
    """As `binarized`, of rows on disk; real values are looked through for their range. Raises ValueError as it does."""
    if rows.dtype != np.uint8:
        ranges = [(np.nanmin(values), np.nanmax(values)) for _, values in rows.chunks()]
        check_range(min(low for low, _ in ranges), max(high for _, high in ranges), rows.missing, how, where=where)
    if how == "threshold":
        dtype = np.dtype(np.float32 if rows.missing else np.uint8)
        return rows.mapped(Reading("threshold", partial(_thresholded, dtype=dtype)), dtype)
    grey = rows if rows.dtype == np.uint8 else rows.mapped(Reading("grey", _grey), np.uint8)
    return grey if stream is None else drawn_once(grey, seed=BINARIZE_SEED, stream=stream)


def drawn_once(grey: RowsOnDisk, *, seed: int, stream: Bits) -> RowsOnDisk:
    """As `binarize_once`, of rows on disk."""
    read = partial(_drawn, seed=seed, stream=stream)
    return grey.mapped(Reading(f"bernoulli of seed {seed} and stream {int(stream)}", read), np.uint8)


def _thresholded(values: np.ndarray, places: np.ndarray, *, dtype: np.dtype) -> np.ndarray:
    return threshold(values).astype(dtype, copy=False)


def _grey(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return as_grey(values)


def _drawn(values: np.ndarray, places: np.ndarray, *, seed: int, stream: Bits) -> np.ndarray:
    return binarize_places(values, places, seed=seed, stream=stream)
