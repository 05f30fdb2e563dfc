"""What a bound is: a function of log-weights that knows its derivatives."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import LogWeights, PerDatum, PRNGKey

__all__ = ["Bound", "collapsed", "never"]

Derivative: TypeAlias = Callable[[LogWeights, PRNGKey | None], LogWeights]
Derivatives: TypeAlias = Callable[[LogWeights, PRNGKey | None], tuple[LogWeights, LogWeights]]
if TYPE_CHECKING:
    _Given: TypeAlias = Derivatives
else:  # None may be given, and never stays
    _Given = Derivatives | None

_TOGETHER = 64  # draws moved at once: bounds the memory


def never(k: int) -> bool:
    """Of a bound in which nothing is random, at any k.

    >>> never(50)
    False
    """
    return False


@dataclass(frozen=True)
class _Automatic:
    """L' and L'' of a value by automatic differentiation, but for the one that is given. Data do not mix in a value."""

    value: Callable[[LogWeights, PRNGKey | None], PerDatum]
    first: Derivative | None
    second: Derivative | None

    def __call__(self, log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        log_w = jnp.asarray(log_w)

        def first(log_w: LogWeights) -> LogWeights:
            if self.first is not None:
                return self.first(log_w, key)
            return jax.grad(lambda log_w: jnp.sum(self.value(log_w, key)))(log_w)

        def own_slope(i: Array) -> PerDatum:
            """How L' of draw i moves with log w_i."""
            moved = jnp.zeros_like(log_w).at[i].set(1)
            return jax.jvp(first, (log_w,), (moved,))[1][i]

        if self.second is not None:
            return first(log_w), self.second(log_w, key)
        k = log_w.shape[0]
        return first(log_w), jax.lax.map(own_slope, jnp.arange(k), batch_size=min(k, _TOGETHER))


@dataclass(frozen=True)
class Bound:
    """A named function of log-weights, with its first and diagonal second derivative, L' and L'', in each of them.

    ``kind`` is "lower" where E bound <= log p(x) for every k, and "estimate" where that is not promised. ``least_k`` is
    the fewest draws it is made of, ``smooth`` says whether it has a second derivative everywhere, and ``random(k)``
    whether it needs a key at that k. ``value`` is a function of (log-weights, key or None), and so are its derivatives:
    both at once (``derivatives``), or each by itself (``first``, ``second``). What is not given is found by automatic
    differentiation of the value, at the cost of k products for L'' and without the care for extreme log-weights that a
    closed form can take. ``covariance`` of (log-weights, beta) are the score weights of a bound whose own gradient is a
    covariance, and ``weighted`` of (log-weights, log-masses) is the formula of a bound whose draws may have masses
    other than 1/k (`summed`). Raises ValueError if ``derivatives`` is given together with one of its halves.

    >>> from iwax.bounds import iwae
    >>> iwae.kind, float(iwae(jnp.log(jnp.array([1.0, 3.0]))))
    ('lower', 0.6931)
    >>> half = Bound("half", "lower", lambda log_w, key: jnp.mean(log_w, axis=0) / 2 + iwae.value(log_w, key) / 2)
    >>> [each.tolist() for each in half.derivatives(jnp.log(jnp.array([1.0, 3.0])), None)]
    [[0.375, 0.625], [0.09375, 0.09375]]
    """

    name: str
    kind: Literal["lower", "estimate"]
    value: Callable[[LogWeights, PRNGKey | None], PerDatum] = field(repr=False)
    derivatives: _Given = field(default=None, repr=False)  # pyright: ignore[reportAssignmentType]
    first: Derivative | None = field(default=None, repr=False, kw_only=True)
    second: Derivative | None = field(default=None, repr=False, kw_only=True)
    least_k: int = field(default=1, repr=False)
    smooth: bool = field(default=True, repr=False)
    random: Callable[[int], bool] = field(default=never, repr=False)
    covariance: Callable[[LogWeights, Any], LogWeights] | None = field(default=None, repr=False)
    weighted: Callable[[LogWeights, LogWeights], PerDatum] | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        """Fill in the derivatives that were not given."""
        if self.derivatives is None or isinstance(self.derivatives, _Automatic):
            object.__setattr__(self, "derivatives", _Automatic(self.value, self.first, self.second))
        elif self.first is not None or self.second is not None:
            raise ValueError(f"{self.name} needs derivatives=, or first= or second=, and not both")

    def __call__(self, log_w: LogWeights, key: PRNGKey | None = None) -> PerDatum:
        """The bound of log-weights ``[k, *batch]``, for every datum; its gradient is ``derivatives``'.

        Raises ValueError where k is too small, a key is needed, or a log-weight is NaN or +inf (-inf is a weight of
        zero). Under `jax.jit` values cannot be looked at, and are not.
        """
        self.refuse(log_w.shape[0], key)
        _refuse_infinite(self.name, log_w)
        return _value(self, log_w, key)

    def summed(
        self,
        log_w: Float[Array, "k states *batch"],
        log_mass: Float[Array, "k states *batch"],
        key: PRNGKey | None = None,
    ) -> PerDatum:
        """The bound of k draws in each of which a discrete latent takes all its states, for every datum.

        A state counts with its mass, and the masses add up to 1 over draws and states; one of log-mass -inf does not
        count, whatever its log-weight. A bound with a formula for masses, ``weighted``, is that formula; any other is
        the bound of k estimates of p(x), in each of which the states are summed (`collapsed`).

        >>> from iwax.bounds import elbo, iwae
        >>> log_w, log_mass = jnp.log(jnp.array([[1.0, 4.0]])), jnp.log(jnp.array([[0.75, 0.25]]))
        >>> float(elbo.summed(log_w, log_mass)), float(iwae.summed(log_w, log_mass))  # log(4) / 4 and log(7 / 4)
        (0.3466, 0.5596)
        """
        if self.weighted is None:
            return self(collapsed(log_w, log_mass), key)
        log_w = jnp.where(log_mass == -jnp.inf, 0, log_w)
        return self.weighted(log_w.reshape(-1, *log_w.shape[2:]), log_mass.reshape(-1, *log_mass.shape[2:]))

    def refuse(self, k: int, key: PRNGKey | None) -> None:
        """Raise ValueError where k draws, or the lack of a key, cannot serve."""
        if k < self.least_k:
            raise ValueError(f"{self.name} needs k of at least {self.least_k}, got k={k}")
        if key is None and self.random(k):
            raise ValueError(f"{self.name} draws random numbers at k={k}: it needs a key, got None")


def collapsed(
    log_w: Float[Array, "k states *batch"], log_mass: Float[Array, "k states *batch"]
) -> Float[Array, "k *batch"]:
    """``log sum_y k mass_iy w_iy``: the logarithms of k estimates of p(x), each a sum over states (Rao-Blackwell)."""
    states = jnp.where(log_mass == -jnp.inf, 0, log_w) + log_mass
    return jax.nn.logsumexp(states, axis=1) + math.log(log_w.shape[0])


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
