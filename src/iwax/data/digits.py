"""The 8x8 digits that come with scikit-learn: small, real, and at hand without a download."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset
from iwax.data.info import Info
from iwax.streams import Bits

SEED = 8
CLASSES, TEST_EACH, VALID_EACH = 10, 30, 20

DIGITS = Info(
    name="digits",
    title="Optical digits 8x8 (scikit-learn)",
    protocol=(
        "1,797 handwritten digits of 8x8 pixels, embedded in scikit-learn (the UCI optical digits test set); "
        "whole numbers 0..16 scaled to grey 0..255 by floor((255 x + 8) / 16). Split: rows permuted with seed 8; "
        "of each class the first 30 are test (300), the next 20 validation (200), the rest training (1,297). "
        "Binarised like MNIST: pixel ~ Bernoulli(grey / 255), training redrawn at every access, "
        "validation and test drawn once with seed 8."
    ),
    shape=(8, 8),
    kind="binary",
    train=1297,
    valid=200,
    test=300,
    licence="CC BY 4.0 (UCI)",
    source="Alpaydin and Kaynak (1998), UCI; via sklearn.datasets.load_digits",
    seed=SEED,
)

GREY = replace(
    DIGITS,
    name="digits-grey",
    title="Optical digits 8x8, grey (scikit-learn)",
    protocol=DIGITS.protocol.partition(" Binarised like MNIST")[0] + " Grey values as they are.",
    kind="grey",
    seed=None,
)


def load(info: Info) -> Dataset:
    """The digits, stratified, with the treatment of ``info``."""
    values, target = load_digits(return_X_y=True)
    grey = ((np.asarray(values).astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)
    labels = np.asarray(target).astype(np.uint8)
    order = permutation(SEED, Bits.SPLIT, len(grey))
    rank = _rank_within_class(labels[order])
    part = np.where(rank < TEST_EACH, 2, np.where(rank < TEST_EACH + VALID_EACH, 1, 0))
    return info.cut(grey, labels, order[np.argsort(part, kind="stable")])


def _rank_within_class(labels: np.ndarray) -> np.ndarray:
    """How many earlier rows have the same label."""
    rank = np.empty(len(labels), np.int64)
    for label in range(CLASSES):
        rank[labels == label] = np.arange(np.sum(labels == label))
    return rank
