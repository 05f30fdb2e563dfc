"""The prior as a posterior."""

from typing import Any

from iwax import parts
from iwax._typing import PRNGKey
from iwax.parts import Datum, Distribution

__all__ = ["Prior"]


class Prior(parts.Posterior):
    """``q(z|x) = p(z)``: log w = log p(x|z), z ~ p(z), the prior Monte Carlo of a density network.

    MacKay and Gibbs (1999). It has no parameters: `bind` reads the model's prior, so that a `priors.Vamp`,
    which needs a posterior, cannot be. The number of draws that it takes grows exponentially with the latents.
    """

    @property
    def topmost(self) -> None:
        """None: a prior made of the posterior's components cannot be its own components."""
        return None

    def bind(self, model: Any, *, key: PRNGKey) -> parts.Posterior:
        """The model's prior, at the covariates of a data point."""
        return _Bound(model.prior)

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """Raises ValueError: without a model's prior there is nothing to draw from."""
        raise ValueError("this posterior is the prior of its model: call model.bind(key=key).posterior")


class _Bound(parts.Posterior):
    prior: parts.Prior

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        return self.prior(context.given if isinstance(context, Datum) else None, key=key)
