"""Posteriors whose encoder reads something other than the row itself."""

from dataclasses import replace
from typing import Any

from iwax._typing import PRNGKey
from iwax.nn import Coding
from iwax.parts import Datum, Distribution, Posterior

__all__ = ["Coded"]


class Coded(Posterior):
    """``q(z | coding(x))``: any posterior, whose networks read x as the coding gives it.

    The row itself stays what it is for whoever evaluates p(x|z), so a posterior that follows its model
    (`posteriors.Hamiltonian`, `posteriors.Ladder`) can be coded too. What was not observed is 0 for the encoder, as in
    Mattei and Frellsen (2019, arXiv:1812.02633); with ``coding.mask`` it also sees which values those are. A datum's
    ``inputs`` are a whole row to be read in the place of its values.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from iwax.nn import Linear
    >>> from iwax.posteriors import Gaussian
    >>> coding = Coding(jnp.zeros(3), jnp.ones(3), mask=True)
    >>> q = Coded(Gaussian(Linear(coding.features, 4, key=jax.random.key(0))), coding)
    >>> q(Datum(jnp.ones(3)), key=jax.random.key(1)).mean.shape
    (2,)
    """

    posterior: Posterior
    coding: Coding

    @property
    def topmost(self) -> "Coded | None":
        """That of the posterior, coded alike; None where it has none."""
        inner = self.posterior.topmost
        return None if inner is None else Coded(inner, self.coding)

    def bind(self, model: Any, *, key: PRNGKey) -> "Coded":
        """The posterior bound to the model."""
        return Coded(self.posterior.bind(model, key=key), self.coding)

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """The distribution at a datum."""
        x = context if isinstance(context, Datum) else Datum(context)
        values: Any
        values, observed = (x.values, x.observed) if x.inputs is None else (x.inputs, None)
        return self.posterior(replace(x, inputs=self.coding(values, observed)), key=key)
