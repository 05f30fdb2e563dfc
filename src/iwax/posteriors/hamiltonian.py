"""Hamiltonian variational inference."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey, Scalar
from iwax.distributions import Normal
from iwax.nn import Linear
from iwax.parts import Datum, Likelihood, Posterior, Prior, values_of

__all__ = ["Hamiltonian", "hamiltonian"]


class Hamiltonian(Posterior):
    """Draws of a mean-field Gaussian, moved by leapfrog steps on ``log p(x, z)``; the momenta have a learned reverse.

    Salimans, Kingma and Welling (2015, arXiv:1410.6460): ``v_0 ~ N(0, mass)``, and ``r(v_T | z_T, x)`` is a Gaussian
    whose loc and log scale the net ``reverse`` gives at (h, z_T), h = network(x). Step sizes and masses are learned,
    one a latent. The prior and likelihood that it follows are not its own: `bind` reads them from the model, and
    their parameters are differentiated through the steps like all others.
    """

    network: Any
    base: Linear
    reverse: Any
    log_step: Float[Array, " latent"]
    log_mass: Float[Array, " latent"]
    steps: int = eqx.field(static=True)

    @property
    def topmost(self) -> None:
        """None: its draws have no density at a given z."""
        return None

    def bind(self, model: Any, *, key: PRNGKey) -> "_Bound":
        """The part that follows the model's prior and likelihood."""
        return _Bound(self, model.prior, model.likelihood)

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Hamiltonian:
        """Raises ValueError: without a prior and a likelihood there is nothing to follow."""
        raise ValueError(
            "a Hamiltonian posterior follows the prior and the likelihood of its model: "
            "call model.bind(key=key).posterior"
        )


class _Bound(Posterior):
    posterior: Hamiltonian
    prior: Prior
    likelihood: Likelihood

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Hamiltonian:
        """The distribution at a data point."""
        q, x = self.posterior, context if isinstance(context, Datum) else Datum(context)
        h = q.network(values_of(context), key=jax.random.fold_in(key, 0))
        loc, log_scale = jnp.split(q.base(h), 2)
        keys = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
        return distributions.Hamiltonian(
            Normal(loc, jnp.exp(log_scale)),
            _Joint(self.prior, self.likelihood, x, keys),
            _Reverse(q.reverse, h),
            jnp.exp(q.log_step),
            jnp.exp(q.log_mass),
            q.steps,
        )


class _Joint(eqx.Module):
    """``z -> log p(z) + log p(x|z)``."""

    prior: Prior
    likelihood: Likelihood
    x: Datum
    keys: tuple[PRNGKey, PRNGKey]

    def __call__(self, z: Array) -> Scalar:
        log_prior = self.prior(self.x.given, key=self.keys[0]).log_prob(z)
        return log_prior + self.likelihood(z, self.x.given, key=self.keys[1]).log_prob(
            self.x.values, where=self.x.observed
        )


class _Reverse(eqx.Module):
    """``z -> r(v | z, x)``."""

    network: Any
    h: Array

    def __call__(self, z: Array) -> Normal:
        loc, log_scale = jnp.split(self.network(jnp.concatenate([self.h, z])), 2)
        return Normal(loc, jnp.exp(log_scale))


def hamiltonian(network: Any, latent: int, *, steps: int, reverse: Any, key: PRNGKey) -> Hamiltonian:
    """A `Hamiltonian` posterior whose Gaussian is linear in the network's output h; ``reverse`` takes h and z_T.

    Raises ValueError with fewer than one leapfrog step, or a reverse net of other sizes than (h + latent, 2 latent).

    >>> from iwax import likelihoods, priors
    >>> from iwax.model import LatentVariableModel
    >>> from iwax.nn import MLP
    >>> trunk, back = MLP(4, (8,), 6, key=jax.random.key(0)), MLP(9, (8,), 6, key=jax.random.key(1))
    >>> q = hamiltonian(trunk, 3, steps=2, reverse=back, key=jax.random.key(2))
    >>> p = likelihoods.Bernoulli(MLP(3, (8,), 4, key=jax.random.key(3)))
    >>> model = LatentVariableModel(priors.StandardNormal(3), p, q)
    >>> model.infer(jnp.zeros(4), key=jax.random.key(4)).draw(jax.random.key(5))[0].shape
    (3,)
    """
    if steps < 1:
        raise ValueError(f"a Hamiltonian posterior needs at least 1 leapfrog step, got {steps}")
    needed, got = (network.out_features + latent, 2 * latent), (reverse.in_features, reverse.out_features)
    if got != needed:
        raise ValueError(
            f"the reverse net of a Hamiltonian posterior takes the {network.out_features} outputs of its network and "
            f"{latent} latents, {needed[0]} inputs, and gives {needed[1]} outputs; got {got[0]} and {got[1]}"
        )
    start = jnp.full(latent, jnp.log(_STEP))
    return Hamiltonian(
        network, Linear(network.out_features, 2 * latent, key=key, heads=2), reverse, start, jnp.zeros(latent), steps
    )


_STEP = 0.05  # where the step sizes start: well inside what is stable at a posterior's usual scales
