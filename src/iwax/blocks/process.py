"""Blocks one after another, in this process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from iwax.blocks.worker import Setup, Worker

__all__ = ["Engine", "Process"]


class Engine(Protocol):
    """What has workers do what items ask for, while it is running."""

    def running(self) -> AbstractContextManager[None]:
        """Have what workers need, and end it."""
        ...

    def map(self, setup: Setup, items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The results, in any order, one after another as they are there."""
        ...


class Process:
    """One worker, here."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def running(self) -> AbstractContextManager[None]:
        """Nothing is needed."""
        return nullcontext()

    def map(self, setup: Setup, items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The results, in order."""
        if self._worker is None or self._worker.setup != setup:
            self._worker = Worker(setup)
        yield from map(self._worker, items)
