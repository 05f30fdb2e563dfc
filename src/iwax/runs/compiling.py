"""How much of a measurement's time was spent on compiling it."""

import time
from types import TracebackType
from typing import Self

import jax

__all__ = ["Stopwatch"]

EVENTS = (  # what JAX tells of a program before it runs, but for traces, which lie in each other and are told twice
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)


class _Compiled:
    """Seconds since the program began that went into preparing programs, as JAX tells them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.listens = False

    def listen(self) -> None:
        """Ask JAX to tell, once; it has no way to be told to stop."""
        if not self.listens:
            jax.monitoring.register_event_duration_secs_listener(self._hear)
            self.listens = True

    def _hear(self, event: str, duration_secs: float, **more: str | int) -> None:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._begun
        self.compiling = min(self.seconds, _COMPILED.seconds - self._before)
