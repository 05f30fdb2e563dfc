"""The order of an epoch of rows that are read in blocks: blocks shuffled, then rows among the blocks of a buffer.

Where a row is dear to find and a block of them is not, as in Parquet, no block is read twice in an epoch. Rows of one
buffer are mixed as well as can be; rows of two buffers never meet in one epoch, but in another one.
"""

from functools import lru_cache

import numpy as np

from iwax.data.bits import buffer_order, epoch_order

__all__ = ["BUFFER", "BlockOrder"]

BUFFER = 2**26  # bytes of the rows that are shuffled together, but for the last block


class BlockOrder:
    """The numbers of rows at places of the epoch, a function of (seed, epoch): each row once.

    Block i holds the rows bounds[i] to bounds[i + 1] - 1. A buffer is made of the shuffled blocks that begin within
    ``buffer`` bytes, one after another.

    >>> order = BlockOrder(0, 1, np.array([0, 3, 5, 9]), row_bytes=4)
    >>> sorted(order[np.arange(9)].tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """

    def __init__(self, seed: int, epoch: int, bounds: np.ndarray, *, row_bytes: int, buffer: int = BUFFER) -> None:
        self.seed, self.epoch, self.bounds = seed, epoch, bounds
        sizes = np.diff(bounds)
        self.blocks = epoch_order(seed, epoch, len(sizes))
        before = np.cumsum(sizes[self.blocks]) - sizes[self.blocks]  # rows of the blocks before
        first = np.flatnonzero(np.diff(before * row_bytes // buffer, prepend=-1) > 0)  # blocks with which buffers begin
        self.first = np.append(first, len(sizes))
        self.starts = np.append(before[first], bounds[-1] - bounds[0])
        self._rows = lru_cache(maxsize=2)(self._buffer)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _buffer(self, number: int) -> np.ndarray:
        """The rows of a buffer in their order."""
        blocks = self.blocks[self.first[number] : self.first[number + 1]]
        bounds = [(int(self.bounds[block]), int(self.bounds[block + 1])) for block in blocks]
        rows = np.concatenate([np.arange(first, stop) for first, stop in bounds])
        return rows[buffer_order(self.seed, self.epoch, number, len(rows))]

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        found = np.empty(len(places), np.int64)
        of = np.searchsorted(self.starts, places, side="right") - 1
        for number in np.unique(of):
            here = of == number
            found[here] = self._rows(int(number))[places[here] - self.starts[number]]
        return found
