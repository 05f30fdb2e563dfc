"""What a measurement costs: a forecast before it starts, and how much of it was compilation."""

import math
import time
from typing import Self

import jax
import jax.numpy as jnp

from iwax.settings.config import Config

__all__ = ["WORTH_SAYING", "Stopwatch", "forecast", "in_words"]

WORTH_SAYING = 20.0  # seconds from which a measurement is announced
EVENTS = (  # what JAX reports of a program before it runs, but for traces, which are nested and reported twice
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)


def forecast(config: Config, shape: tuple[int, ...], rows: int) -> float:
    """Seconds that the generative products of these rows take here, from one timed product, and half as much."""
    features = math.prod(shape)
    products = 2 * config.model.weights(features) / 2 * rows  # half of the weights are the encoder's
    left, right = jnp.ones((1000, 200)), jnp.ones((200, 800))
    multiply = jax.jit(jnp.matmul)
    multiply(left, right).block_until_ready()
    begun = time.perf_counter()
    for _ in range(3):
        multiply(left, right).block_until_ready()
    return 1.5 * products / (3 * 2 * 1000 * 200 * 800) * (time.perf_counter() - begun)


def in_words(seconds: float) -> str:
    """A duration as people say it.

    >>> in_words(40.0), in_words(700.0), in_words(9000.0)
    ('40 s', '12 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Compiled:
    """Seconds since the program began that went into preparing programs, as JAX reports them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.listens = False

    def listen(self) -> None:
        """Ask JAX to report, once; this cannot be undone."""
        if not self.listens:
            jax.monitoring.register_event_duration_secs_listener(self._add)
            self.listens = True

    def _add(self, event: str, duration_secs: float, **more: str | int) -> None:
        if event in EVENTS:
            self.seconds += duration_secs


_COMPILED = _Compiled()


class Stopwatch:
    """Seconds inside a `with` block, and how many of them went into lowering and compiling programs.

    >>> with Stopwatch() as watch:
    ...     values = jax.jit(lambda x: 2.0 * x)(jax.numpy.arange(7.0))
    >>> 0.0 < watch.compiling <= watch.seconds
    True
    """

    def __enter__(self) -> Self:
        _COMPILED.listen()
        self.seconds = self.compiling = 0.0
        self._begun, self._before = time.perf_counter(), _COMPILED.seconds
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._begun
        self.compiling = min(self.seconds, _COMPILED.seconds - self._before)
