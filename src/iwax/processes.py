"""Several processes, on one machine or many, that train one model: who they are, and what they agree on.

Every process runs the same program on the devices that are its own, all of them together on one batch; the first one
alone writes. JAX connects them (`jax.distributed`): over gloo on processors, over NCCL on GPUs.
"""

import os
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.experimental import multihost_utils

__all__ = [
    "LostProcessError",
    "agreed",
    "anyone",
    "count",
    "end",
    "is_first",
    "joined",
    "leave",
    "of_first",
    "same",
    "watched",
]

Tree = TypeVar("Tree")

_HEARTBEAT = 20  # seconds without a sign of life after which a process is taken to have died
_STATUS = re.compile("(ABORTED|CANCELLED|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|UNKNOWN): ")  # of what connects them
_MANAGERS = (("SLURM_NTASKS", "SLURM_PROCID"), ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"))


class LostProcessError(RuntimeError):
    """Another process of this training ended, or cannot be reached."""


@contextmanager
def joined(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[None]:
    """Join the processes that train together inside the block, as number ``process``, from 0, of ``processes``.

    ``coordinator`` is HOST:PORT, a free port of the machine of process 0. Slurm and Open MPI say all three, and where
    they started several processes these are joined without being asked. Raises ValueError where only some of the three
    are given, and for numbers that do not fit. To be called before JAX is first used.

    >>> with joined():
    ...     count(), is_first()
    (1, True)
    """
    given = {"--coordinator": coordinator, "--processes": processes, "--process": process}
    missing = [name for name, value in given.items() if value is None]
    managed = any(int(environment.get(size, "1")) > 1 and rank in environment for size, rank in _MANAGERS)
    if len(missing) == len(given) and not managed:
        yield
        return
    if 0 < len(missing) < len(given):
        raise ValueError(f"several processes need --coordinator, --processes and --process, {missing[0]} is missing")
    if processes is not None and process is not None and not 0 <= process < processes:
        raise ValueError(f"--process needs to be from 0 to {processes - 1}, of --processes {processes}, got {process}")
    if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
        raise ValueError(f"--coordinator needs to be HOST:PORT, got {coordinator!r}")
    jax.distributed.initialize(
        coordinator, processes, process, heartbeat_timeout_seconds=_HEARTBEAT, shutdown_timeout_seconds=_HEARTBEAT
    )
    yield
    leave()


@contextmanager
def watched(advice: str) -> Iterator[None]:
    """Raise LostProcessError, with the advice, where another process is lost inside the block."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if count() == 1 or not _STATUS.match(str(error)):
            raise
        raise LostProcessError(
            f"another process of this training ended, or cannot be reached; {advice} ({str(error).splitlines()[0]})"
        ) from error


def end(code: int) -> None:
    """End this process at once where it waits for others, which an ordinary end would do in vain."""
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def leave() -> None:
    """Part from the other processes, once all of them do; what is then computed is computed by this one alone."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def count() -> int:
    """How many processes train together."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def agreed(number: int) -> int:
    """The number of the first process, in all.

    >>> agreed(3)
    3
    """
    return number if count() == 1 else int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def anyone(says: bool) -> bool:
    """Whether it is so in any process.

    >>> anyone(False)
    False
    """
    return says if count() == 1 else bool(multihost_utils.process_allgather(np.bool_(says)).any())


def of_first(tree: Tree) -> Tree:
    """The tree with the arrays of the first process, in all."""
    if count() == 1:
        return tree
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(multihost_utils.broadcast_one_to_all(arrays), rest)


def same(words: str, what: str) -> None:
    """ValueError where a text, such as a SHA-256, is not that of the first process; ``what`` says of what it is."""
    number = zlib.crc32(words.encode()) >> 1
    if (first := agreed(number)) != number:
        raise ValueError(
            f"process {jax.process_index()} needs {what} as process 0 has, got others (CRC-32 {number:08x}, not "
            f"{first:08x})"
        )
