"""What is known about a registered data set before it is loaded."""

from dataclasses import dataclass

import numpy as np

from iwax.data.binarization import binarize_once
from iwax.data.dataset import Dataset, Kind, Split
from iwax.data.fetch import DataFile
from iwax.streams import Bits


@dataclass(frozen=True)
class Info:
    """Name, protocol, sizes, files and licence of a registered data set.

    ``train``, ``valid`` and ``test`` are numbers of rows; ``files`` is empty for a set that needs none. With a
    ``seed`` rows are grey until they are drawn, those of validation and test once, by that seed.
    """

    name: str
    title: str
    protocol: str
    shape: tuple[int, ...]
    kind: Kind
    train: int
    valid: int
    test: int
    licence: str
    source: str
    files: tuple[DataFile, ...] = ()
    aliases: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def binarize_training(self) -> bool:
        """Whether training rows are drawn again at every access."""
        return self.seed is not None

    def cut(self, values: np.ndarray, labels: np.ndarray | None = None, order: np.ndarray | None = None) -> Dataset:
        """The data set of these rows, in ``order`` where one is given: first training, then validation, then test."""
        order = np.arange(len(values)) if order is None else order
        train, valid, test = np.split(order, [self.train, self.train + self.valid])
        return self.dataset(
            take(values, labels, train), take(values, labels, valid) if len(valid) else None, take(values, labels, test)
        )

    def dataset(self, train: Split, valid: Split | None, test: Split) -> Dataset:
        """The loaded splits under this name and protocol. Raises ValueError if their sizes are not as stated."""
        got = (len(train), 0 if valid is None else len(valid), len(test))
        if got != (self.train, self.valid, self.test):
            raise ValueError(
                f"{self.name} needs {self.train}/{self.valid}/{self.test} rows (train/valid/test); "
                f"got {got[0]}/{got[1]}/{got[2]}"
            )
        return Dataset(
            name=self.name,
            protocol=self.protocol,
            shape=self.shape,
            kind=self.kind,
            binarize_training=self.binarize_training,
            train=train,
            valid=None if valid is None else self._final(valid, Bits.VALID),
            test=self._final(test, Bits.TEST),
        )

    def _final(self, split: Split, stream: Bits) -> Split:
        """Rows as they are evaluated: drawn once where training rows are drawn at every access."""
        if self.seed is None:
            return split
        return Split(binarize_once(split.array, seed=self.seed, stream=stream), split.labels)


def take(values: np.ndarray, labels: np.ndarray | None, rows: np.ndarray | slice) -> Split:
    """The chosen rows as a split."""
    chosen = np.ascontiguousarray(values[rows])
    return Split(chosen, None if labels is None else np.ascontiguousarray(labels[rows]))
