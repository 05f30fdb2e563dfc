"""The exemplar prior."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray, PRNGKey
from iwax.distributions import Normal
from iwax.parts import Prior
from iwax.priors.fixed import Fixed
from iwax.priors.vamp import components_of

__all__ = ["Exemplar"]


class Exemplar(Prior):
    """``p(z) = (1/K) sum_c N(z; E_q[z | x_c], scale^2 I)`` at K exemplars x_c of the data, with one learned scale.

    After Norouzi, Fleet and Norouzi (2020, arXiv:2004.04795): the exemplars [K, features] are rows of the training data
    and stay what they are. The paper uses all rows and leaves a row's own component out while training on it; with K
    rows out of many its share is small, and every row is judged by one and the same density. Raises ValueError without
    exemplars, or where the posterior is one of no mixture (`priors.Vamp`).

    >>> from iwax import likelihoods, posteriors
    >>> from iwax.model import LatentVariableModel
    >>> from iwax.nn import MLP
    >>> q = posteriors.Gaussian(MLP(4, (8,), 2 * 3, key=jax.random.key(0), heads=2))
    >>> p = likelihoods.Bernoulli(MLP(3, (8,), 4, key=jax.random.key(1)))
    >>> model = LatentVariableModel(Exemplar(jnp.eye(4)), p, q).bind(key=jax.random.key(2))
    >>> model.prior(key=jax.random.key(3)).mean.shape
    (3,)
    """

    exemplars: Float[AnyArray, "components features"]
    log_scale: Float[Array, ""]

    def __init__(self, exemplars: AnyArray, scale: float = 1.0) -> None:
        if jnp.ndim(exemplars) != 2 or exemplars.shape[0] < 1:
            raise ValueError(f"an exemplar prior needs rows [components, features], got shape {jnp.shape(exemplars)}")
        if not scale > 0:
            raise ValueError(f"the scale of an exemplar prior must be positive, got {scale}")
        self.exemplars = jnp.asarray(exemplars, float)
        self.log_scale = jnp.log(jnp.asarray(scale, float))

    def bind(self, model: Any, *, key: PRNGKey) -> Fixed:
        """The mixture round the posterior's means at the exemplars."""
        rows = jax.lax.stop_gradient(self.exemplars)
        loc = jax.vmap(lambda q: q.mean)(components_of(model.posterior, rows, "an exemplar prior", key=key))
        scale = jnp.broadcast_to(jnp.exp(self.log_scale), loc.shape)
        return Fixed(distributions.Mixture(jnp.zeros(len(loc)), Normal(loc, scale)))

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Mixture:
        """Raises ValueError: the components are the posterior's, which `bind` reads."""
        raise ValueError("an exemplar prior reads its model's posterior: call model.bind(key=key).prior")
