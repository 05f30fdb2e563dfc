"""An objective whose KL divergence counts more or less than it does in a bound."""

from dataclasses import dataclass
from typing import Any

from iwax._typing import PRNGKey
from iwax.gradients.protocol import Beta, Rows, Surrogate, Wrapper
from iwax.model import LatentVariableModel

__all__ = ["Tempered"]


@dataclass(frozen=True)
class Tempered(Wrapper):
    """``log p(x|z) + beta (log p(z) - log q(z|x))`` in the place of log w, whatever the schedule of a training adds.

    beta > 1 is the beta-VAE of Higgins et al. (2017, ICLR); 0 is an autoencoder, without prior and density. What is
    reported is the bound at beta = 1, as ever. Raises ValueError unless beta is a finite number from 0.

    >>> from iwax import bounds, gradients
    >>> Tempered(gradients.Objective(gradients.pathwise(bounds.elbo), k=1), 4.0).k
    1
    """

    beta: float

    def __post_init__(self) -> None:
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta must be a finite number from 0, got {self.beta}")

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        """The objective's at ``beta`` times that of the schedule."""
        return self.objective(model, key, x, beta=self.beta * beta, control=control)
