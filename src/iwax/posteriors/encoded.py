"""Posteriors whose encoder reads a feature encoding of the row."""

from dataclasses import replace
from typing import Any

from iwax._typing import PRNGKey
from iwax.nn import FeatureEncoding
from iwax.parts import Datum, Distribution, Posterior

__all__ = ["Encoded"]


class Encoded(Posterior):
    """``q(z | encoding(x))``: any posterior, whose networks read a feature encoding of x.

    Whoever evaluates p(x|z) still has the row itself, so a posterior that follows its model (`posteriors.Hamiltonian`,
    `posteriors.Ladder`) can be encoded too. What was not observed is 0 for the encoder, as in Mattei and Frellsen
    (2019, arXiv:1812.02633); with ``encoding.mask`` it also sees which values those are. The ``inputs`` of a data point
    are a whole row that is read in the place of its values.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from iwax.nn import Linear
    >>> from iwax.posteriors import Gaussian
    >>> encoding = FeatureEncoding(jnp.zeros(3), jnp.ones(3), mask=True)
    >>> q = Encoded(Gaussian(Linear(encoding.features, 4, key=jax.random.key(0))), encoding)
    >>> q(Datum(jnp.ones(3)), key=jax.random.key(1)).mean.shape
    (2,)
    """

    posterior: Posterior
    encoding: FeatureEncoding

    @property
    def topmost(self) -> "Encoded | None":
        """That of the posterior, encoded alike; None where it has none."""
        inner = self.posterior.topmost
        return None if inner is None else Encoded(inner, self.encoding)

    def bind(self, model: Any, *, key: PRNGKey) -> "Encoded":
        """The posterior bound to the model."""
        return Encoded(self.posterior.bind(model, key=key), self.encoding)

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """The distribution at a data point."""
        x = context if isinstance(context, Datum) else Datum(context)
        values: Any
        values, observed = (x.values, x.observed) if x.inputs is None else (x.inputs, None)
        return self.posterior(replace(x, inputs=self.encoding(values, observed)), key=key)
