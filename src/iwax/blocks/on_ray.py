"""Blocks by the workers of Ray Data, on this machine or on a cluster; loaded only where it is asked for."""

import importlib
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from iwax.blocks.worker import Setup, Worker

__all__ = ["OnRay"]

_PATIENCE = 10.0  # seconds in which an address must answer
_SHARE = 0.9  # of a processor, that a worker asks for: the readers of Ray Data need what is left
_ENVIRONMENT = {  # unless it says otherwise
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # of a Ray of our own: with its 15, workers starve next to anything else
}
_STORE, _WORDS = 2**28, 2**20  # bytes of shared memory, and of a result: what goes through it are words


class OnRay:
    """``workers`` that each open the run once, of a Ray of our own or, at an ``address``, of a cluster.

    Ray Data starts a worker that dies again, and gives it its block again; a block at which workers keep dying is given
    up by the `Worker`.
    """

    def __init__(self, workers: int, address: str | None = None) -> None:
        if workers < 1:
            raise ValueError(f"--workers must be 1 or more, got {workers}")
        self.workers, self.address, self.ray = workers, address, _ray()

    @contextmanager
    def running(self) -> Iterator[None]:
        """A Ray with room for the workers and for the readers of Ray Data, ended afterwards."""
        if self.ray.is_initialized():  # by who calls this
            self._check_room()
            yield
            return
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        if self.address is None:
            room = {"num_cpus": self.workers + 1, "object_store_memory": _STORE}
            self.ray.init(address="local", **room, **quiet)
        else:
            _answers(self.address)
            try:
                self.ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise _no_cluster(self.address, str(error)) from error
        try:
            self._check_room()
            context = self.ray.data.DataContext.get_current()
            context.enable_progress_bars, context.target_max_block_size = False, _WORDS
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            yield
        finally:
            self.ray.shutdown()

    def map(self, setup: Setup, items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The results as they are there. Raises ValueError with the words of a worker that could not do its part."""
        texts = [{"item": json.dumps(item)} for item in items]
        rows = self.ray.data.from_items(texts, override_num_blocks=len(texts)).map_batches(
            _OfRay,
            fn_constructor_kwargs={"setup": dict(setup)},
            batch_size=1,
            compute=self.ray.data.ActorPoolStrategy(size=min(self.workers, len(items))),
            num_cpus=_SHARE,
        )
        try:
            for row in rows.iter_rows():
                found = json.loads(row["result"])
                if "failed" in found:
                    raise ValueError(found["failed"])
                yield found
        except self.ray.exceptions.RayError as error:
            words = " ".join(str(error).split())[:300]
            raise RuntimeError(
                "the workers of Ray could not go on; what is whole is kept, and the same command goes on from there; "
                f"Ray says: {words}"
            ) from error

    def _check_room(self) -> None:
        """Refuse what would hang: workers that leave no processor to the readers of Ray Data."""
        there = self.ray.cluster_resources().get("CPU", 0)
        most = int((there - 1) / _SHARE)
        if self.workers > most:
            raise ValueError(
                f"--workers {self.workers}: each takes {_SHARE:g} of a processor, and Ray Data needs a whole one for "
                f"its readers, else it would wait for ever; the cluster has {there:g} processors: "
                + (f"take --workers {most} or fewer" if most else "needed 2 or more")
            )


class _OfRay:
    """A `Worker` as Ray Data calls it: a batch of one item as text, and its result as text."""

    def __init__(self, setup: Setup) -> None:
        self.worker = Worker(setup)

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
        """Do what the items ask for; what a person gave wrong comes back as words."""
        return {"result": [json.dumps(self._done(json.loads(str(item)))) for item in batch["item"]]}

    def _done(self, item: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.worker(item)
        except (ValueError, TypeError, OSError) as error:
            return {"failed": str(error)}


def _ray() -> Any:
    """Ray and its part for data. Raises ValueError where they are not installed."""
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise ValueError("--engine ray needs Ray, which is not installed: pip install 'iwax[ray]'") from error


def _answers(address: str) -> None:
    """Raise ConnectionError unless somebody answers at HOST:PORT within seconds, which Ray itself would not say."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise ValueError(f"--address must be HOST:PORT, ray://HOST:PORT or auto, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from error


def _no_cluster(address: str, why: str) -> ConnectionError:
    return ConnectionError(
        f"--address {address}: no Ray answered ({' '.join(why.split())[:200]}); start one with ray start --head, or "
        "leave --address out for one on this machine"
    )
