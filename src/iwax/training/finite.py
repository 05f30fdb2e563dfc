"""Stored models that are of no use: numbers that are not finite, and those that leave no digit of any other."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax.storage.tensors import CorruptCheckpointError, named_arrays

__all__ = ["LARGE", "NotFiniteError", "check_finite", "large"]

LARGE = 1e15  # in single precision everything below 1e8 is lost next to it, and its square is near the largest number
_REMEDY = "no number can come of such a model: use another checkpoint, or train it again (a smaller learning rate)"


class NotFiniteError(CorruptCheckpointError):
    """A stored model with NaN or infinities in it."""


def check_finite(model: Any, template: Any, *, file: Path) -> None:
    """Raise NotFiniteError, naming file and tensor, for NaN and infinities in a model that was read.

    An infinity that the untrained ``template`` has at the same place is part of the model, and passes.

    >>> check_finite({"w": np.ones(2)}, {"w": np.zeros(2)}, file=Path("model.safetensors"))
    """
    untrained = named_arrays(template)
    for name, leaf in named_arrays(model).items():
        values = np.asarray(leaf)
        if values.dtype.kind != "f" or np.isfinite(values).all():
            continue
        wrong = ~np.isfinite(values)
        own = untrained.get(name)
        if own is not None and not isinstance(own, jax.ShapeDtypeStruct):
            wrong &= ~((np.asarray(own) == values) & np.isinf(values))
        if wrong.any():
            got = f"{values[wrong][0]} in {int(wrong.sum()):,} of {values.size:,} numbers"
            raise NotFiniteError(file, name, "finite numbers", got, remedy=_REMEDY)


def large(model: Any) -> list[str]:
    """In words, the tensors of a model with numbers of `LARGE` or more, which no training of sensible data gives.

    >>> large({"w": np.array([1.0, -1e30])})
    ['w holds -1e+30']
    """
    found = []
    for name, leaf in named_arrays(model).items():
        values = np.asarray(leaf)
        if values.dtype.kind == "f" and values.size:
            worst = values.reshape(-1)[np.abs(values).argmax()]
            if abs(worst) >= LARGE:
                found.append(f"{name} holds {worst:.3g}")
    return found
