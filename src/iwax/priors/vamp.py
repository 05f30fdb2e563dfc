"""The variational mixture of posteriors."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray, PRNGKey
from iwax.parts import Datum, Posterior, Prior
from iwax.priors.fixed import Fixed

__all__ = ["Vamp", "components_of"]


class Vamp(Prior):
    """``p(z) = (1/K) sum_c q(z | u_c)`` with learned pseudo-inputs u_c: the VampPrior.

    Tomczak and Welling (2018, arXiv:1705.07120). ``pseudo_inputs`` [K, features] are held in ``low..high`` where these
    are given (0 and 1 for binary and grey data), by clipping what is handed to the encoder. The posterior is the
    model's: it is evaluated at the pseudo-inputs in `bind`, once a step or once an evaluation. In a model of several
    layers (`posteriors.TopDown`, `posteriors.Ladder`) its ``topmost`` is used. Raises ValueError without any
    pseudo-input, or where the posterior is one of no mixture.

    >>> from iwax import likelihoods, posteriors
    >>> from iwax.model import LatentVariableModel
    >>> from iwax.nn import MLP
    >>> q = posteriors.Gaussian(MLP(4, (8,), 2 * 3, key=jax.random.key(0), heads=2))
    >>> p = likelihoods.Bernoulli(MLP(3, (8,), 4, key=jax.random.key(1)))
    >>> model = LatentVariableModel(Vamp(jnp.full((5, 4), 0.5)), p, q).bind(key=jax.random.key(2))
    >>> model.prior(key=jax.random.key(3)).mean.shape
    (3,)
    """

    pseudo_inputs: Float[Array, "components features"]
    low: float | None = eqx.field(static=True)
    high: float | None = eqx.field(static=True)

    def __init__(self, pseudo_inputs: AnyArray, low: float | None = 0.0, high: float | None = 1.0) -> None:
        if jnp.ndim(pseudo_inputs) != 2 or pseudo_inputs.shape[0] < 1:
            raise ValueError(
                f"a VampPrior needs pseudo-inputs [components, features], got shape {jnp.shape(pseudo_inputs)}"
            )
        self.pseudo_inputs = jnp.asarray(pseudo_inputs, float)  # rows of data are learned too, whatever their type
        self.low, self.high = low, high

    @classmethod
    def at_random(
        cls,
        components: int,
        features: int,
        *,
        loc: float | AnyArray = 0.5,
        scale: float | AnyArray = 0.1,
        low: float | None = 0.0,
        high: float | None = 1.0,
        key: PRNGKey,
    ) -> "Vamp":
        """Pseudo-inputs that start at ``loc + scale N(0, 1)``, loc and scale one number or one per feature.

        >>> Vamp.at_random(5, 4, key=jax.random.key(0)).pseudo_inputs.shape
        (5, 4)
        """
        noise = jax.random.normal(key, (components, features))
        return cls(jnp.asarray(loc, noise.dtype) + jnp.asarray(scale, noise.dtype) * noise, low, high)

    def shown(self) -> Float[Array, "components features"]:
        """The pseudo-inputs as the encoder sees them."""
        return jnp.clip(self.pseudo_inputs, self.low, self.high)

    def bind(self, model: Any, *, key: PRNGKey) -> Fixed:
        """The mixture of the posterior's distributions at the pseudo-inputs."""
        components = components_of(model.posterior, self.shown(), "a VampPrior", key=key)
        return Fixed(distributions.Mixture(jnp.zeros(self.pseudo_inputs.shape[0]), components))

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Mixture:
        """Raises ValueError: the components are the posterior's, which `bind` reads."""
        raise ValueError("a VampPrior reads its model's posterior: call model.bind(key=key).prior")


def components_of(
    posterior: Posterior | None, inputs: Float[AnyArray, "components features"], who: str, *, key: PRNGKey
) -> Any:
    """``q(z | u_c)`` at every input, as one distribution with a leading axis; of several layers, of the topmost.

    Raises ValueError, naming ``who`` asks, where that is no density that can be had: without a posterior, with one
    that needs its siblings, or with a chain drawn from the data upwards.
    """
    if posterior is None:
        raise ValueError(f"{who} is a mixture of the model's posterior, and was bound to a model without one")
    encoder = posterior.topmost
    if encoder is None:
        raise ValueError(
            f"{who} needs q(z|u) of the topmost layer as a density, which {type(posterior).__name__} has not: use a "
            "posterior of one layer, or posteriors.TopDown or posteriors.Ladder for several"
        )
    keys = jax.random.split(key, inputs.shape[0])
    return jax.vmap(lambda u, key: encoder(Datum(u), key=key))(inputs, keys)
