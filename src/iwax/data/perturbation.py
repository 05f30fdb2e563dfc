"""Rows in which a share of the values is noise: what a background model is trained on."""

from dataclasses import replace

import numpy as np

from iwax.data.bits import bits16, bits64
from iwax.data.dataset import Dataset, Split
from iwax.streams import Bits

__all__ = ["perturb", "perturbed"]

_SEEDS = {"train": 0, "valid": 1}


def perturb(values: np.ndarray, share: float, *, levels: int | None, seed: int) -> np.ndarray:
    """Rows [n, D] of which every value is, with probability ``share``, replaced by one drawn uniformly; a new array.

    Drawn from 0..levels - 1, 2 for binary data and 256 for grey, or, with ``levels=None``, between the least and the
    largest value of its column: the perturbation of Ren et al. (2019, arXiv:1906.02845, who take shares of 0.1 to
    0.3). A replaced value may be what it was; a missing one (NaN) stays missing. Probabilities are multiples of 2^-16,
    and the bits a function of (seed, shape), the same on every platform. Raises ValueError for a share outside
    [2^-16, 1], levels that are not 2 to 65536 or do not hold the values, or rows of another shape.

    >>> x = perturb(np.zeros((2000, 5), np.uint8), 0.2, levels=2, seed=0)
    >>> float(x.mean())
    0.10
    """
    if not 2**-16 <= share <= 1:
        raise ValueError(f"the share of values that is perturbed must lie in 2^-16 <= share <= 1, got {share}")
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"perturbing needs rows [n, D] with n, D >= 1, got values of shape {values.shape}")
    if levels is not None:
        _refuse_outside(values, levels)
    replaced = bits16(seed, Bits.PERTURBED, values.shape) < round(share * 65536)
    if values.dtype.kind == "f":
        replaced &= ~np.isnan(values)
    return np.where(replaced, _drawn(values, levels, seed), values)


def perturbed(dataset: Dataset, share: float) -> Dataset:
    """A data set with its training and validation rows perturbed, once and for all; its test rows are as they were.

    Training rows that are binarised at every access are perturbed before that, as the grey values they are: one that
    is replaced is then 1 half of the time. Raises ValueError as `perturb`, and for a table, whose columns have no
    common distribution.
    """
    if dataset.kind == "table":
        raise ValueError(f"{dataset.name}: perturbing needs binary, grey or real rows, got a table")
    if dataset.on_disk:
        raise ValueError(f"{dataset.name}: perturbing needs rows in memory, got rows on disk; save perturbed ones")

    def of(part: str, split: Split) -> Split:
        grey = dataset.kind == "grey" or (part == "train" and dataset.binarize_training)
        levels = None if dataset.kind == "real" else 256 if grey else 2
        return Split(perturb(split.array, share, levels=levels, seed=_SEEDS[part]), split.labels)

    return replace(
        dataset,
        name=f"{dataset.name}-perturbed",
        protocol=f"{dataset.protocol} Perturbed: in training and validation every value is, with probability {share}, "
        "replaced by one drawn uniformly from those it can take; the test rows are as they were.",
        train=of("train", dataset.train),
        valid=None if dataset.valid is None else of("valid", dataset.valid),
    )


def _refuse_outside(values: np.ndarray, levels: int) -> None:
    if not 2 <= levels <= 65536:
        raise ValueError(f"levels must be from 2 to 65536, or None for real values, got {levels}")
    least, largest = np.nanmin(values), np.nanmax(values)
    if least < 0 or largest >= levels:
        raise ValueError(f"values of {levels} levels lie in 0..{levels - 1}, got {least} to {largest}")


def _drawn(values: np.ndarray, levels: int | None, seed: int) -> np.ndarray:
    """Uniform values of the rows' type."""
    if levels is not None:
        bits = bits16(seed, Bits.REPLACEMENT, values.shape).astype(np.uint32)
        return (bits * np.uint32(levels) >> np.uint32(16)).astype(values.dtype)
    least, largest = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    uniform = (bits64(seed, Bits.REPLACEMENT, values.size) >> np.uint64(11)).reshape(values.shape) * 2.0**-53
    return (least + (largest - least) * uniform).astype(values.dtype)
