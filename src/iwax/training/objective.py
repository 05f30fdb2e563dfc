"""How many rows and draws of an objective to take at once."""

import warnings
from typing import Any

from iwax.gradients import AbstractObjective, AnyObjective, as_objective
from iwax.parts import Datum

__all__ = ["Objective", "draws_per_chunk", "initial_control", "piece_of", "rows_per_piece"]

Objective = AnyObjective  # an alias: what training takes

_LATENTS = 1000  # decoded at once, above which a step is faster in pieces


def initial_control(objective: AnyObjective) -> Any:
    """``objective.init()``, as it was written before objectives were values: deprecated."""
    warnings.warn("training.initial_control is deprecated: write objective.init()", DeprecationWarning, stacklevel=2)
    return as_objective(objective).init()


def piece_of(objective: AbstractObjective, batch: int, *, model: Any = None, x: Datum | None = None) -> int | None:
    """Return how many rows to take at once (`rows_per_piece`), or None for the whole batch.

    None if the number of draws is not known, or a row's value depends on the other rows. With a ``model`` and at least
    one row ``x``, the states that a sampler enumerates count too.

    >>> from iwax import gradients
    >>> piece_of(gradients.closed_form_kl(k=50), 100), piece_of(gradients.closed_form_kl(k=50, free_bits=0.1), 100)
    (20, None)
    """
    decoded = objective.k if model is None or x is None else objective.decoded(model, x)
    return None if decoded is None or objective.whole_batch else rows_per_piece(batch, decoded)


def rows_per_piece(batch: int, k: int, *, states: int = 1) -> int | None:
    """Return how many rows to take at once, so that they decode 500 to 1,000 latents; None for the whole batch.

    A row decodes k latents, times the ``states`` of a discrete layer that is enumerated. The activations of a few
    hundred latents stay in the processor's caches: at 100 rows and 50 draws that is 1.8 times faster.

    >>> rows_per_piece(100, 50), rows_per_piece(20, 50), rows_per_piece(100, 1), rows_per_piece(100, 10_000)
    (20, None, None, 1)
    >>> rows_per_piece(100, 5, states=10)
    20
    """
    each = k * states
    if batch * each <= _LATENTS:
        return None
    if each > _LATENTS:
        return 1 if batch > 1 else None
    divisors = [piece for piece in range(1, batch) if batch % piece == 0 and piece * each <= _LATENTS]
    return divisors[-1] if divisors and divisors[-1] * each >= 250 else None


def draws_per_chunk(k: int) -> int | None:
    """Return how many draws of a row to take at once if they are more than a piece holds; None for all.

    >>> draws_per_chunk(50), draws_per_chunk(10_000)
    (None, 1000)
    """
    return _LATENTS if k > _LATENTS else None
