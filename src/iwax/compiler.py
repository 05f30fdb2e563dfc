"""How programs that run for seconds are compiled."""

import os

import jax

__all__ = ["compiler_options"]


def compiler_options() -> dict[str, int] | None:
    """On a processor, LLVM's first level of optimisation: steps no slower than at its third, compiled sooner.

    Where ``XLA_FLAGS`` chooses a level it is kept, as everything is on other devices.
    """
    chosen = "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", "")
    return None if chosen or jax.default_backend() != "cpu" else {"xla_backend_optimization_level": 1}
