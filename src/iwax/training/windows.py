"""What a compiled segment reads: all rows where they fit on the device, else the rows of some steps of an epoch.

Rows on disk come in windows, each of the same number of steps: the rows of these steps in the order of the epoch, with
their numbers, by which their noise is keyed. A run from disk is therefore the run from memory, bit for bit. Grain reads
windows ahead in threads of its own, and one window waits on the device while the one before it is worked on.
"""

import importlib
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import parallel
from iwax.data.bits import epoch_order
from iwax.data.on_disk import RowsOnDisk
from iwax.evaluation.rows import DataPoints
from iwax.training.state import Plan, steps_per_epoch
from iwax.training.step import Window

__all__ = ["Loaded", "TrainingRows", "Windows", "windows"]

TrainingRows: TypeAlias = DataPoints | RowsOnDisk

BYTES = 2**25  # of the rows of a window, unless those of one step are more
AHEAD = 3  # windows read ahead on the host


class Loaded(NamedTuple):
    """What segments read up to the step ``stop``: rows, and the numbers of rows in the order of the epoch."""

    data: Any
    order: Array
    stop: int


class Windows(Protocol):
    """What gives a segment its rows."""

    def at(self, step: int) -> Loaded:
        """What is read from this step on. Steps are asked for in ascending order."""
        ...

    def close(self) -> None:
        """Stop reading ahead."""
        ...


def windows(data: TrainingRows, plan: Plan) -> Windows:
    """The windows of a run: of data in memory one, the same for all steps, of rows on disk one after another."""
    return _OnDisk(data, plan) if isinstance(data, RowsOnDisk) else _InMemory(data, plan)


class _InMemory:
    """All rows on the device, and the order of the epoch."""

    def __init__(self, data: DataPoints, plan: Plan) -> None:
        rows = len(data)
        self.data, self.steps = parallel.copied(jax.tree.map(jnp.asarray, data)), steps_per_epoch(rows, plan.batch)
        self.order = lru_cache(maxsize=1)(
            lambda epoch: parallel.copied(jnp.asarray(epoch_order(plan.seed, epoch, rows)))
        )

    def at(self, step: int) -> Loaded:
        epoch = step // self.steps
        return Loaded(self.data, self.order(epoch), (epoch + 1) * self.steps)

    def close(self) -> None:
        pass


class _Rows:
    """Windows of rows on the host by their numbers, counted through all epochs: a function of (seed, number) alone."""

    def __init__(self, data: RowsOnDisk, plan: Plan) -> None:
        self.data, self.plan, self.lock = data, plan, threading.Lock()
        self.steps = steps_per_epoch(len(data), plan.batch)
        of_step = plan.batch * data.dtype.itemsize * (data.size // len(data))
        self.length = max(1, min(BYTES // of_step, self.steps))
        self.an_epoch = -(-self.steps // self.length)
        self._order = lru_cache(maxsize=2)(lambda epoch: data.order(plan.seed, epoch))

    def __len__(self) -> int:
        return self.plan.epochs * self.an_epoch

    def steps_of(self, number: int) -> tuple[int, int, int]:
        """The epoch of a window, and its first and last step in it, the last excluded."""
        epoch, place = divmod(number, self.an_epoch)
        return epoch, place * self.length, min((place + 1) * self.length, self.steps)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a window and their numbers, filled up to its length with what no step reads."""
        epoch, first, stop = self.steps_of(number)
        with self.lock:  # one thread makes the order of an epoch, the others wait for it
            order = self._order(epoch)
        batch = self.plan.batch
        numbers = order[np.arange(first * batch, stop * batch) % len(self.data)]
        rest = (0, (self.length - stop + first) * batch)
        found = self.data[numbers]
        padded = np.pad(found, (rest, *((0, 0),) * (found.ndim - 1))) if rest[1] else found
        return padded, np.pad(numbers.astype(np.int32), rest)


class _OnDisk:
    """Windows read ahead by Grain, of which one more than is worked on lies on the device."""

    def __init__(self, data: RowsOnDisk, plan: Plan) -> None:
        self.rows, self.grain = _Rows(data, plan), _grain()
        self.read: Iterator[Any] | None = None
        self.next = 0
        self.now: Loaded | None = None
        self.coming: Loaded | None = None

    def at(self, step: int) -> Loaded:
        if self.read is None:
            epoch, place = divmod(step, self.rows.steps)
            self.next = epoch * self.rows.an_epoch + place // self.rows.length
            self.read = self._from(self.next)
            self.coming = self._put()
        if self.now is None or step >= self.now.stop:
            if self.coming is None:
                raise IndexError(f"the last window of the plan ends before step {step}")
            self.now, self.coming = self.coming, self._put()
        return self.now

    def _from(self, number: int) -> Iterator[Any]:
        # blocks are decoded one after another: a second thread would decode the same ones again
        options = self.grain.ReadOptions(1 if self.rows.data.in_blocks else AHEAD, AHEAD)
        return iter(self.grain.MapDataset.source(self.rows)[number:].to_iter_dataset(options))

    def _put(self) -> Loaded | None:
        if self.read is None or self.next >= len(self.rows):
            return None
        found, numbers = next(self.read)
        epoch, first, stop = self.rows.steps_of(self.next)
        self.next += 1
        data, order = parallel.copied((Window(jnp.asarray(found), jnp.int32(first)), jnp.asarray(numbers)))
        return Loaded(data, order, epoch * self.rows.steps + stop)

    def close(self) -> None:
        if self.read is not None:
            self.read.close()  # pyright: ignore[reportAttributeAccessIssue]
        self.read = self.now = self.coming = None


def _grain() -> Any:
    """Grain, which is loaded only for data on disk. Raises ValueError where it is not installed."""
    try:
        return importlib.import_module("grain")
    except ImportError as error:
        raise ValueError(
            "data on disk are read by Grain, which is not installed: pip install 'iwax[disk]'; or read them into "
            "memory with data.on_disk=false"
        ) from error
