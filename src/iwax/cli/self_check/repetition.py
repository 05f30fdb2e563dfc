"""Checks that the same gives the same: trained twice, killed and taken up, in other batches, uncompiled, at any k."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import batched, bounds, evaluation, gradients, training
from iwax.cli.self_check.check import Finding, NotHere
from iwax.cli.self_check.oracle import Oracle

if sys.platform != "win32":
    import resource

__all__ = ["batches_apart", "killed_and_resumed", "trained", "uncompiled_off"]

KEY = jax.random.key(0)
OBJECTIVE = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=5)


class _Killed(Exception):
    """A training that ended in the middle of everything."""


def trained(*, epochs: int = 6, folder: Path | None = None, kill_after: int | None = None) -> training.Result:
    """A small training, in a folder or none; `_Killed` in the callback of an epoch, where one is asked for."""

    def kill(row: Any) -> bool:
        if row["epoch"] == kill_after:
            raise _Killed
        return False

    oracle = Oracle.of()
    data = oracle.rows(70, seed=5).astype(np.float32)
    callbacks = [] if kill_after is None else [kill]
    options: dict[str, Any] = {"epochs": epochs, "batch": 16, "x_valid": data[:20], "key": KEY, "checkpoint": folder}
    start = oracle.model(wider=2.0)
    return training.fit(
        start, OBJECTIVE, data, optimizer=optax.adam(1e-2), callbacks=callbacks, progress=False, **options
    )


def bits(result: training.Result) -> bytes:
    """All that a training gives, as bytes."""
    leaves = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(result.model) if hasattr(leaf, "dtype")]
    return b"".join([*leaves, repr(result.history).encode()])


@cache
def _whole() -> bytes:
    return bits(trained())


def twice(folder: Path) -> Finding:
    """P1."""
    first, second = _whole(), bits(trained())
    return Finding(
        first == second, f"{len(first)} bytes of weights and history, {'' if first == second else 'not '}equal"
    )


def killed_and_resumed(folder: Path, epochs: Sequence[int]) -> int:
    """How many trainings, ended after these epochs by an error and taken up again, equal the whole one in every bit."""
    equal = 0
    for epoch in epochs:
        below = folder / f"killed-{epoch}"
        try:
            trained(folder=below, kill_after=epoch)
        except _Killed:
            equal += bits(trained(folder=below)) == _whole()
    return equal


def resumed(folder: Path) -> Finding:
    """F2, in this process."""
    epochs = (4,)
    equal = killed_and_resumed(folder, epochs)
    return Finding(equal == len(epochs), f"{equal} of {len(epochs)} equal the uninterrupted one in every bit")


def batches_apart(sizes: Sequence[int] = (1, 7, 64), *, rows: int = 100, k: int = 50) -> tuple[float, bool]:
    """The largest relative difference of log p(x) in batches of these sizes, and whether the rows' order is nothing."""
    oracle = Oracle.of()
    model, x = oracle.model(wider=1.3), oracle.rows(rows)
    found = [evaluation.log_evidence(model, x, k=k, key=KEY, batch=size).log_evidence for size in sizes]
    order = np.random.default_rng(0).permutation(rows)
    moved = evaluation.log_evidence(model, x[order], k=k, key=KEY, rows=order, batch=sizes[-1]).log_evidence
    apart = max(float(np.abs(each / found[0] - 1).max()) for each in found[1:])
    return apart, bool((moved == found[-1][order]).all())


def batches(folder: Path) -> Finding:
    """U6."""
    apart, order = batches_apart()
    words = "equal" if order else "not equal"
    return Finding(apart <= 1e-6 and order, f"{apart:.0e} relative apart in batches of 1, 7, 64; other order: {words}")


def uncompiled_off(k: int = 4, rows: int = 6) -> float:
    """The largest difference of log-weights, compiled and not, relative."""
    oracle = Oracle.of()
    model, x = oracle.model(wider=1.3), jnp.asarray(oracle.rows(rows), float)

    def log_weights(x: Any) -> Any:
        return batched.log_weights(model, KEY, x, k=k)

    compiled = np.asarray(jax.jit(log_weights)(x))
    with jax.disable_jit():
        plain = np.asarray(log_weights(x))
    return float(np.abs(plain / compiled - 1).max())


def uncompiled(folder: Path) -> Finding:
    """P3, of log-weights."""
    off = uncompiled_off()
    return Finding(off <= 1e-5, f"log-weights {off:.0e} relative apart")


def memory(folder: Path) -> Finding:
    """U2."""
    if sys.platform == "win32":
        raise NotHere("Windows does not say how much memory a process took")
    oracle, peaks = Oracle.of(), []
    for k in (10_000, 1_000_000):
        evaluation.log_evidence(oracle.model(wider=1.3), oracle.rows(1), k=k, key=KEY, chunk=1000)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    ratio = peaks[1] / peaks[0]
    return Finding(ratio <= 1.1, f"peak memory at k=1e6 is {ratio:.2f} times that at 1e4")
