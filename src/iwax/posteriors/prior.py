"""The prior as a posterior."""

from typing import Any

import equinox as eqx

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Part

__all__ = ["Prior"]


class Prior(eqx.Module):
    """``q(z|x) = p(z)``: log w = log p(x|z), z ~ p(z), the prior Monte Carlo of a density network.

    MacKay and Gibbs (1999). It has no parameters: the model hands its prior over (`beside`), so that a `priors.Vamp`,
    which needs a posterior, cannot be. The number of draws that it takes grows exponentially with the latents.
    """

    def beside(self, prior: Part, likelihood: Part) -> Part:
        """The prior."""
        return prior

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """Raises ValueError: without a model's prior there is nothing to draw from."""
        raise ValueError(
            "this posterior is the prior of its model: call what posterior.beside(prior, likelihood) gives"
        )
