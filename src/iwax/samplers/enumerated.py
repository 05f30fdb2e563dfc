"""A discrete latent layer summed over all its states."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax import batched, distributions, streams
from iwax._typing import PerDatum, PRNGKey, Scalar
from iwax.bounds import Bound, collapsed
from iwax.model import LatentVariableModel, Terms
from iwax.parts import Datum, Distribution, Latent, layers_of
from iwax.samplers.sampler import Hold, Sampler, weighted_log_joint

__all__ = ["Enumerated", "StateTerms"]


class StateTerms(NamedTuple):
    """The terms of log w at k draws and all states of a discrete latent, and log-masses, [k, states, batch] each."""

    terms: Terms
    log_mass: Float[Array, "k states batch"]

    def log_w(self, beta: Scalar | float = 1.0) -> Float[Array, "k states batch"]:
        """``log p(x|z, y) + beta (log p(z, y) - log q(z, y|x))``, nats."""
        return self.terms.log_w(beta)


@dataclass(frozen=True)
class Enumerated(Sampler):
    """Every state y of a discrete latent layer, with mass ``q(y|x) / k``, for each of k draws of the other layers.

    ``layer`` is its place in the tuple of latents, from the data upwards (-1: the topmost, or the only one). What is
    drawn after y is drawn given each of its states. The states are those that the distribution declares
    (`distributions.Categorical`, `distributions.Bernoulli`), or, of one that declares none, 0, 1, ..., ``states`` - 1.
    ``observed`` names a covariate: the number of the state in ``x.given[observed]``, or -1 where it is not known. Where
    it is known the row has that state alone and log q(y|x) is left out, so that the bound is one of log p(x, y) (M2 of
    Kingma, Rezende, Mohamed and Welling 2014, arXiv:1406.5298). Raises ValueError, when it is called, for a layer that
    there is not or that has no such states, for a covariate that the data lack, and for a number that is no state's
    (NaN where that cannot be seen, under `jax.jit`).

    >>> Enumerated(observed="label")
    Enumerated(layer=-1, states=None, observed='label')
    """

    layer: int = -1
    states: int | None = None
    observed: str | None = None

    holds: ClassVar[frozenset[Hold]] = frozenset(get_args(Hold))

    def terms(
        self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0
    ) -> StateTerms:
        return self._terms(None, model, key, x, k=k, first=first)

    def terms_holding(self, hold: Hold, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int) -> StateTerms:
        """`terms` with the draws of the other layers, or their densities, held constant; never those of the layer."""
        return self._terms(hold, model, key, x, k=k)

    def wake(self, terms: Any, beta: Scalar | float = 1.0) -> PerDatum:
        """``sum_iy w̃_iy (log p(x, z_i, y) + log q(z_i, y|x))``, the weights with their masses."""
        return weighted_log_joint(terms.terms, terms.log_mass, beta)

    def _terms(
        self,
        hold: Hold | None,
        model: LatentVariableModel,
        key: PRNGKey,
        x: Datum,
        *,
        k: int,
        first: int | Array = 0,
    ) -> StateTerms:
        model, x = batched.bound(model, key), batched.rows(model, x)

        def draw(datum: Datum, key: PRNGKey) -> tuple[Latent, Array, Array, Any]:
            proposal = model.propose(datum, key)
            states = self._states(proposal.distribution, proposal.z)
            known = self._known(x, datum, len(states))

            def at(_: PRNGKey, number: Array, state: Array) -> tuple[Latent, Array, Array, Any]:
                q = self._fixed(proposal.distribution, state, known >= 0)
                z, log_posterior = self._drawn(q, jax.random.fold_in(key, streams.Draw.LATENT), hold)
                fixed: Any = q.layers(z)[self.layer]
                log_mass = jnp.where(known == number, 0.0, jnp.where(known < 0, fixed.log_q(), -jnp.inf))
                return z, log_posterior, jnp.where(known < len(states), log_mass, jnp.nan), proposal.keys

            return batched.over_draws(at, key, len(states), jnp.arange(len(states)), jnp.asarray(states))

        def one(key: PRNGKey, datum: Datum) -> tuple[Latent, Array, Array, Any]:
            return batched.over_draws(lambda key: draw(datum, key), key, k, first=first)

        z, log_posterior, log_mass, keys = batched.over_data(one, key, x)  # [batch, k, states, ...] each
        batch, k, states = log_mass.shape
        merged = jax.tree.map(lambda leaf: leaf.reshape(batch, k * states, *leaf.shape[3:]), (z, log_posterior, keys))
        terms = batched.terms_of_draws(model, x, *merged)
        terms = jax.tree.map(lambda leaf: leaf.reshape(k, states, batch), terms)
        return StateTerms(terms, jnp.moveaxis(log_mass, 0, -1) - math.log(k))

    def _drawn(self, q: Distribution, key: PRNGKey, hold: Hold | None) -> tuple[Latent, Scalar]:
        """The latents of all layers and log q of them, of which the layer's own is never held."""
        if hold is None:
            return q.sample_and_log_prob(key)
        z, trace = q.draw(key)
        if hold == "draws":
            z, trace = jax.lax.stop_gradient((z, trace))
            return z, q.log_prob(z, trace)
        frozen = jax.lax.stop_gradient(q)
        own, constant = (each.layers(z)[self.layer] for each in (q, frozen))
        return z, frozen.log_prob(z, trace) + own.log_prob(own.mean) - constant.log_prob(own.mean)

    def close(self, bound: Bound, terms: Any, key: PRNGKey | None, beta: Scalar | float = 1.0) -> PerDatum:
        """``bound.summed(log_w, log_mass)`` of every data point, [batch], nats."""
        return bound.summed(terms.log_w(beta), terms.log_mass, key)

    def estimates(
        self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0
    ) -> Float[Array, "k batch"]:
        """``log sum_y q(y|x) w_iy`` for every draw of the other layers, nats."""
        terms = self.terms(model, key, x, k=k, first=first)
        return collapsed(terms.log_w(), terms.log_mass)

    def reparameterized(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> bool:
        """Whether the other layers' draws have a derivative: those of the layer itself need none."""
        layers = list(batched.layers(model, key, x))
        self._check(len(layers))
        del layers[self.layer]
        return all(layer.reparameterized for layer in layers)

    def states_per_draw(self, model: LatentVariableModel, x: Datum) -> int:
        """The number of states of the layer."""

        def of(datum: Datum) -> int:
            proposal = model.propose(datum, jax.random.key(0))
            return len(self._states(proposal.distribution, proposal.z))

        return eqx.filter_eval_shape(of, jax.tree.map(lambda leaf: leaf[0], x))

    def _check(self, layers: int) -> None:
        if not -layers <= self.layer < layers:
            raise ValueError(f"{self} needs a layer from {-layers} to {layers - 1} of the posterior, got {self.layer}")

    def _states(self, q: Distribution, z: Latent) -> np.ndarray:
        """The states of the layer, [states, *event]."""
        layers = q.layers(z)
        self._check(len(layers))
        layer, value = layers[self.layer], layers_of(z)[self.layer]
        if len(layers) > 1 and not isinstance(q, distributions.Chain):
            raise ValueError(
                f"{self} needs a posterior of one layer or a chain (posteriors.Chain, posteriors.TopDown), whose other "
                f"layers can be drawn at each state, got {type(q).__name__}"
            )
        declared = None if layer.reparameterized else layer.states
        if declared is None and (self.states is None or layer.reparameterized or value.size != 1):
            raise ValueError(
                f"{self} needs a discrete layer that declares its states, or of one number with states= given, "
                f"got {type(layer).__name__} of shape {value.shape}"
            )
        if declared is None:
            return np.arange(self.states or 0, dtype=value.dtype).reshape(-1, *value.shape)
        if self.states not in (None, len(declared)):
            raise ValueError(f"{self} needs {self.states} states, got {len(declared)} of {type(layer).__name__}")
        return np.asarray(declared, value.dtype)

    def _known(self, x: Datum, datum: Datum, states: int) -> Array:
        """The number of the state that was observed, -1 or below where it was not."""
        if self.observed is None:
            return jnp.int32(-1)
        given, of_datum = x.given or {}, datum.given or {}
        if self.observed not in given:
            raise ValueError(f"{self} reads x.given[{self.observed!r}]: the data have {sorted(given)}")
        known = given[self.observed]
        if not isinstance(known, Tracer) and (np.asarray(known) >= states).any():
            raise ValueError(f"{self} needs {self.observed!r} below {states} states, got {np.max(known)}")
        return of_datum[self.observed]

    def _fixed(self, q: Distribution, state: Array, seen: Array) -> Distribution:
        """q with its layer set to a state."""
        if not isinstance(q, distributions.Chain):
            return _Fixed(q, state, seen)
        number = self.layer % (len(q.conditionals) + 1)
        place = len(q.conditionals) - number if q.downwards else number  # in the order in which they are drawn
        if place == 0:
            return distributions.Chain(_Fixed(q.first, state, seen), q.conditionals, q.keys, downwards=q.downwards)
        parts = list(q.conditionals)
        parts[place - 1] = _FixedPart(parts[place - 1], state, seen)
        return distributions.Chain(q.first, tuple(parts), q.keys, downwards=q.downwards)


class _Fixed(Distribution):
    """A layer that is drawn as one of its states; of one that is observed there is no density."""

    layer: Distribution
    state: Array
    seen: Array

    @property
    def mean(self) -> Array:
        return self.state

    def draw(self, key: PRNGKey) -> tuple[Array, None]:
        return self.state, None

    def log_q(self) -> Scalar:
        """log q of the state, observed or not."""
        return self.layer.log_prob(self.state)

    def log_prob(self, value: Latent, trace: Any = None, where: Any = None) -> Scalar:
        return jnp.where(self.seen, 0.0, self.layer.log_prob(value))


class _FixedPart(eqx.Module):
    part: Callable[..., Distribution]
    state: Array
    seen: Array

    def __call__(self, context: Any, *, key: PRNGKey) -> _Fixed:
        return _Fixed(self.part(context, key=key), self.state, self.seen)
