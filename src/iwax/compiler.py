"""How programs that run for seconds are compiled."""

import os
from collections.abc import Mapping
from functools import cache

import jax

__all__ = ["compiler_options", "forward_options"]

_LEVEL: Mapping[str, int | str] = {"xla_backend_optimization_level": 1}
_UNMERGED: Mapping[str, int | str] = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options() -> dict[str, int | str] | None:
    """On a processor, LLVM's first level of optimisation: steps no slower than at its third, compiled sooner.

    Where ``XLA_FLAGS`` chooses a level it is kept, as everything is on other devices.
    """
    return _on_processors(_LEVEL)


def forward_options() -> dict[str, int | str] | None:
    """The same for programs without a derivative, whose products are not merged with what follows them.

    What they are merged into has slower exponentials and logarithms than the compiler's own: an evaluation takes three
    quarters of the time without, while a training step may be slower.
    """
    return _on_processors({**_LEVEL, **_UNMERGED})


def _on_processors(options: Mapping[str, int | str]) -> dict[str, int | str] | None:
    if jax.default_backend() != "cpu":
        return None
    chosen = os.environ.get("XLA_FLAGS", "")
    return {name: value for name, value in options.items() if name not in chosen and _is_known(name, value)} or None


@cache
def _is_known(name: str, value: int | str) -> bool:
    """Whether this version of the compiler has an option."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
