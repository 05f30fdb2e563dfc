"""Learning rates as functions of the number of updates made."""

import optax
from typing_extensions import TypeAliasType

__all__ = ["Schedule", "burda_epochs", "burda_stages", "constant", "cosine", "late_decay"]

Schedule = TypeAliasType("Schedule", optax.Schedule)


def constant(learning_rate: float, *, warmup: int = 0) -> Schedule:
    """The same rate throughout, after a linear rise from 0 over ``warmup`` updates.

    >>> float(constant(0.1, warmup=10)(5))
    0.05
    """
    return optax.join_schedules(
        [optax.linear_schedule(0.0, learning_rate, max(warmup, 1)), optax.constant_schedule(learning_rate)], [warmup]
    )


def cosine(learning_rate: float, steps: int, *, warmup: int = 0) -> Schedule:
    """``rate (1 + cos(pi t / T)) / 2`` from the rate to 0 over all updates, after a linear rise over ``warmup``.

    Raises ValueError where the warm-up is no shorter than the whole.

    >>> float(cosine(0.1, 100)(50))
    0.05
    """
    if not 0 <= warmup < steps:
        raise ValueError(f"the warm-up must be shorter than the training, got {warmup} of {steps} updates")
    decay = optax.cosine_decay_schedule(learning_rate, steps - warmup)
    return optax.join_schedules([optax.linear_schedule(0.0, learning_rate, max(warmup, 1)), decay], [warmup])


def late_decay(learning_rate: float, steps: int, steps_per_epoch: int, *, factor: float = 0.998) -> Schedule:
    """The same rate for a third of all updates, then ``factor`` times the last one with every epoch.

    Li, Zhu and Zhang (2016, arXiv:1602.07416), in their program: 3,000 epochs, from the 1,000th on.

    >>> float(late_decay(0.1, 30, 10, factor=0.5)(29))
    0.025
    """
    constant, decay = optax.constant_schedule(learning_rate), optax.exponential_decay
    start = steps // 3
    tail = decay(learning_rate * factor, steps_per_epoch, factor, staircase=True)
    return optax.join_schedules([constant, tail], [start])


def burda_stages(learning_rate: float, steps_per_epoch: int, *, stages: int = 8) -> Schedule:
    """Stage i = 0, 1, ... of 3^i epochs at ``rate 10^(-i / (stages - 1))``.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519): eight stages from 1e-3 to 1e-4, 3,280 epochs.

    >>> schedule = burda_stages(1e-3, 10)
    >>> float(schedule(9)), float(schedule(32799))
    (0.001, 0.0001)
    """
    if stages < 2:
        raise ValueError(f"the schedule needs at least 2 stages, got {stages}")
    rates = [optax.constant_schedule(learning_rate * 10 ** (-i / (stages - 1))) for i in range(stages)]
    return optax.join_schedules(rates, [burda_epochs(i + 1) * steps_per_epoch for i in range(stages - 1)])


def burda_epochs(stages: int = 8) -> int:
    """``sum_{i < stages} 3^i``: the epochs of `burda_stages`.

    >>> burda_epochs()
    3280
    """
    return (3**stages - 1) // 2
