"""Baselines of the score-function estimator: what is subtracted from the bound to make its gradient less noisy.

The baseline of a draw must not depend on that draw; it then changes the variance and not the mean.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from iwax import batched
from iwax._typing import LogWeights, PerDatum, PRNGKey, Scalar
from iwax.bounds import Bound
from iwax.parts import Datum

__all__ = ["ControlVariate", "Learned", "leave_one_out", "moving_average", "none"]

Baseline: TypeAlias = Float[Array, "#k *batch"]

_TOGETHER = 64  # draws replaced at once: bounds the memory


@runtime_checkable
class ControlVariate(Protocol):
    """A baseline, and the state (a pytree of arrays, or None) from which it is made and which it updates."""

    def init(self) -> Any: ...

    def baseline(self, state: Any, bound: Bound, log_w: LogWeights, key: PRNGKey, x: Datum) -> Baseline: ...

    def update(self, state: Any, value: PerDatum, key: PRNGKey, x: Datum) -> Any: ...


@dataclass(frozen=True, repr=False)
class _None:
    def __repr__(self) -> str:
        return "none"

    def init(self) -> None:
        return None

    def baseline(self, state: None, bound: Bound, log_w: LogWeights, key: PRNGKey, x: Datum) -> Baseline:
        return jnp.zeros_like(log_w[:1])

    def update(self, state: None, value: PerDatum, key: PRNGKey, x: Datum) -> None:
        return None


@dataclass(frozen=True, repr=False)
class _LeaveOneOut(_None):
    def __repr__(self) -> str:
        return "leave_one_out"

    def baseline(self, state: None, bound: Bound, log_w: LogWeights, key: PRNGKey, x: Datum) -> Baseline:
        k = log_w.shape[0]
        if k < 2:
            raise ValueError(f"leave_one_out needs at least 2 draws, got k={k}: use moving_average")
        of_others = (jnp.sum(log_w, axis=0) - log_w) / (k - 1)

        def replaced(i: Array) -> PerDatum:
            return bound.value(jnp.asarray(log_w).at[i].set(of_others[i]), key)

        return jax.lax.map(replaced, jnp.arange(k), batch_size=min(k, _TOGETHER))


none: ControlVariate = _None()
"""No baseline."""

leave_one_out: ControlVariate = _LeaveOneOut()
"""The bound with ``log w_i`` replaced by the mean of the others' (Mnih and Rezende 2016, arXiv:1602.06725); k >= 2."""


class _Mean(eqx.Module):
    total: Scalar  # of past values, decayed, and of their weights
    weight: Scalar

    @property
    def value(self) -> Scalar:
        return self.total / jnp.maximum(self.weight, jnp.finfo(self.weight.dtype).tiny)


@dataclass(frozen=True, repr=False)
class _MovingAverage:
    decay: float

    def __repr__(self) -> str:
        return f"moving_average({self.decay:g})"

    def init(self) -> _Mean:
        return _Mean(jnp.zeros(()), jnp.zeros(()))

    def baseline(self, state: _Mean, bound: Bound, log_w: LogWeights, key: PRNGKey, x: Datum) -> Baseline:
        return jnp.broadcast_to(state.value, log_w[:1].shape)

    def update(self, state: _Mean, value: PerDatum, key: PRNGKey, x: Datum) -> _Mean:
        keep = self.decay
        return _Mean(keep * state.total + (1 - keep) * jnp.mean(value), keep * state.weight + 1 - keep)


def moving_average(decay: float = 0.95) -> ControlVariate:
    """The mean of past bounds, that of n steps ago with weight decay^n. Raises ValueError where not 0 <= decay < 1.

    >>> average, x = moving_average(0.5), Datum(jnp.zeros((2, 1)))
    >>> float(average.update(average.init(), jnp.array([-3.0, -5.0]), jax.random.key(0), x).value)
    -4.0
    """
    if not 0 <= decay < 1:
        raise ValueError(f"moving_average needs 0 <= decay < 1, got decay={decay}")
    return _MovingAverage(decay)


class Learned(eqx.Module):
    """A network of x, fitted to the bound about its moving average by Adam (Mnih and Gregor 2014, arXiv:1402.0030).

    ``network`` maps a datum's values to one number. It makes one step of its own per step of training.
    """

    network: Any
    learning_rate: float = eqx.field(static=True, default=1e-3)
    decay: float = eqx.field(static=True, default=0.95)

    def init(self) -> Any:
        """The moving average, the network and the state of the optimiser."""
        parameters = eqx.filter(self.network, eqx.is_inexact_array)
        return _MovingAverage(self.decay).init(), parameters, optax.adam(self.learning_rate).init(parameters)

    def baseline(self, state: Any, bound: Bound, log_w: LogWeights, key: PRNGKey, x: Datum) -> Baseline:
        """``mean + network(x)``, the same for all draws of a datum."""
        mean, parameters, _ = state
        return (mean.value + self._predicted(parameters, key, x))[None]

    def update(self, state: Any, value: PerDatum, key: PRNGKey, x: Datum) -> Any:
        """One step down the squared error of the baseline."""
        mean, parameters, adam = state

        def error(parameters: Any) -> Scalar:
            return jnp.mean((value - mean.value - self._predicted(parameters, key, x)) ** 2)

        change, adam = optax.adam(self.learning_rate).update(jax.grad(error)(parameters), adam, parameters)
        return _MovingAverage(self.decay).update(mean, value, key, x), eqx.apply_updates(parameters, change), adam

    def _predicted(self, parameters: Any, key: PRNGKey, x: Datum) -> PerDatum:
        network = eqx.combine(parameters, self.network)
        return batched.over_data(lambda key, datum: network(datum.values, key=key)[0], key, x)
