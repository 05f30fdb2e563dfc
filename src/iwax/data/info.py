"""What is known about a registered data set before it is loaded."""

from dataclasses import dataclass

import numpy as np

from iwax.data.dataset import Dataset, Kind, Split
from iwax.data.fetch import DataFile


@dataclass(frozen=True)
class Info:
    """Name, protocol, sizes, files and licence of a registered data set.

    ``train``, ``valid`` and ``test`` are numbers of rows; ``files`` is empty for a set that needs none.
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
    binarize_training: bool = False
    aliases: tuple[str, ...] = ()

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
            valid=valid,
            test=test,
        )


def take(values: np.ndarray, labels: np.ndarray | None, rows: np.ndarray | slice) -> Split:
    """The chosen rows as a split."""
    chosen = np.ascontiguousarray(values[rows])
    return Split(chosen, None if labels is None else np.ascontiguousarray(labels[rows]))
