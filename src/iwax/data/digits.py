"""The 8x8 digits that come with scikit-learn: small, real, and at hand without a download."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits

from iwax.data.binarization import binarize_once
from iwax.data.bits import permutation
from iwax.data.dataset import Dataset, Split
from iwax.data.info import Info, take
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
    binarize_training=True,
)

GREY = replace(
    DIGITS,
    name="digits-grey",
    title="Optical digits 8x8, grey (scikit-learn)",
    protocol=DIGITS.protocol.partition(" Binarised like MNIST")[0] + " Grey values as they are.",
    kind="grey",
    binarize_training=False,
)


def load() -> Dataset:
    """The digits, stratified and binarised by their protocol."""
    train, valid, test = _split()
    return DIGITS.dataset(
        train,
        Split(binarize_once(valid.values, seed=SEED, stream=Bits.VALID), valid.labels),
        Split(binarize_once(test.values, seed=SEED, stream=Bits.TEST), test.labels),
    )


def load_grey() -> Dataset:
    """The digits, stratified, in grey."""
    return GREY.dataset(*_split())


def _split() -> tuple[Split, Split, Split]:
    """Training, validation and test rows, in grey."""
    values, target = load_digits(return_X_y=True)
    grey = ((np.asarray(values).astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)
    labels = np.asarray(target).astype(np.uint8)
    order = permutation(SEED, Bits.SPLIT, len(grey))
    rank = _rank_within_class(labels[order])
    test = take(grey, labels, order[rank < TEST_EACH])
    valid = take(grey, labels, order[(rank >= TEST_EACH) & (rank < TEST_EACH + VALID_EACH)])
    return take(grey, labels, order[rank >= TEST_EACH + VALID_EACH]), valid, test


def _rank_within_class(labels: np.ndarray) -> np.ndarray:
    """How many earlier rows have the same label."""
    rank = np.empty(len(labels), np.int64)
    for label in range(CLASSES):
        rank[labels == label] = np.arange(np.sum(labels == label))
    return rank
