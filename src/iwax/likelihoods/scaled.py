"""Likelihoods in the units of the data."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray, PRNGKey
from iwax.likelihoods.nested import Nested
from iwax.nn.sizes import units
from iwax.parts import Latent
from iwax.supports import Affine

__all__ = ["Scaled"]


class Scaled(Nested):
    """``x_j = loc_j + scale_j y_j``, y ~ p(y|z): a likelihood of independent features, in units that are not its own.

    A network learns best about numbers of size one. loc and scale, one of each per column and not learned, bring the
    data there: the mean and standard deviation of the training rows, say, and 0 and 1 for counts and classes, which
    stay as they are. log p(x) is that of the data in their own units, ``- log scale_j`` per column. Raises ValueError
    unless there is a loc and a positive scale per column.

    >>> import jax.numpy as jnp
    >>> from iwax.likelihoods import Gaussian
    >>> from iwax.nn import MLP
    >>> inner = Gaussian.scalar(MLP(2, (8,), 3, key=jax.random.key(0)))
    >>> p = Scaled(inner, jnp.array([0.0, 10.0, 1e3]), jnp.array([1.0, 2.0, 50.0]))
    >>> p(jnp.zeros(2), key=jax.random.key(1)).mean.shape
    (3,)
    """

    loc: Float[Array, " features"]
    scale: Float[Array, " features"]

    def __init__(self, likelihood: Any, loc: Float[AnyArray, " features"], scale: Float[AnyArray, " features"]) -> None:
        self.likelihood = likelihood
        self.loc, self.scale = units(loc, scale, "a scaled likelihood")

    @property
    def support(self) -> Affine:
        """That of the likelihood, in the units of the data."""
        loc, scale = (tuple(np.asarray(each).tolist()) for each in (self.loc, self.scale))
        return Affine(support=self.likelihood.support, loc=loc, scale=scale)

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> distributions.Scaled:
        """The distribution of x at a latent."""
        loc, scale = jax.lax.stop_gradient((self.loc, self.scale))
        return distributions.Scaled(self.likelihood(z, given, key=key), loc, scale)
