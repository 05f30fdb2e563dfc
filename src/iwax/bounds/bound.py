"""What a bound is: a function of log-weights that knows its derivatives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from iwax._typing import LogWeights, PerDatum, PRNGKey

__all__ = ["Bound", "never"]


def never(k: int) -> bool:
    """Of a bound in which nothing is random, at any k.

    >>> never(50)
    False
    """
    return False


@dataclass(frozen=True)
class Bound:
    """A named function of log-weights, with its first and diagonal second derivative in each of them.

    ``kind`` is "lower" where E bound <= log p(x) for every k, and "estimate" where that is not promised. ``least_k`` is
    the fewest draws it is made of, ``smooth`` says whether it has a second derivative everywhere, and ``random(k)``
    whether it needs a key at that k. ``value`` and ``derivatives`` are functions of (log-weights, key or None).
    ``covariance`` of (log-weights, beta) are the score weights of a bound whose own gradient is a covariance.

    >>> from iwax.bounds import iwae
    >>> iwae.kind, float(iwae(jnp.log(jnp.array([1.0, 3.0]))))
    ('lower', 0.6931)
    """

    name: str
    kind: Literal["lower", "estimate"]
    value: Callable[[LogWeights, PRNGKey | None], PerDatum] = field(repr=False)
    derivatives: Callable[[LogWeights, PRNGKey | None], tuple[LogWeights, LogWeights]] = field(repr=False)
    least_k: int = field(default=1, repr=False)
    smooth: bool = field(default=True, repr=False)
    random: Callable[[int], bool] = field(default=never, repr=False)
    covariance: Callable[[LogWeights, Any], LogWeights] | None = field(default=None, repr=False)

    def __call__(self, log_w: LogWeights, key: PRNGKey | None = None) -> PerDatum:
        """The bound of log-weights ``[k, *batch]``, for every datum; its gradient is ``derivatives``'.

        Raises ValueError where k is too small, a key is needed, or a log-weight is NaN or +inf (-inf is a weight of
        zero). Under `jax.jit` values cannot be looked at, and are not.
        """
        self.refuse(log_w.shape[0], key)
        _refuse_infinite(self.name, log_w)
        return _value(self, log_w, key)

    def refuse(self, k: int, key: PRNGKey | None) -> None:
        """Raise ValueError where k draws, or the lack of a key, cannot serve."""
        if k < self.least_k:
            raise ValueError(f"{self.name} needs k of at least {self.least_k}, got k={k}")
        if key is None and self.random(k):
            raise ValueError(f"{self.name} draws random numbers at k={k}: it needs a key, got None")


def _value(bound: Bound, log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
    """The value, whose derivative is the closed form: finite where automatic differentiation would not be."""

    @jax.custom_jvp
    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        return bound.value(log_w, key)

    @value.defjvp
    def _(primals: Any, tangents: Any) -> tuple[PerDatum, PerDatum]:
        first, _ = bound.derivatives(*primals)
        return value(*primals), jnp.sum(first * tangents[0], axis=0)

    return value(jnp.asarray(log_w), key)


def _refuse_infinite(name: str, log_w: LogWeights) -> None:
    if isinstance(log_w, jax.core.Tracer):
        return
    wrong = np.isnan(log_w) | np.isposinf(log_w)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name} needs log-weights that are finite or -inf, got {np.asarray(log_w)[place]} at draw {place[0]}"
            + (f", datum {place[1:] if len(place) > 2 else place[1]}" if len(place) > 1 else "")
            + ": find the draw whose density is not finite and leave it to no average"
        )
