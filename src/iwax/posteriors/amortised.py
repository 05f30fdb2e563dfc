"""Posteriors whose parameters one network of the data gives."""

from typing import Any

from jaxtyping import Array

from iwax._typing import PRNGKey
from iwax.nn import hidden_layers
from iwax.parts import Posterior, values_of

__all__ = ["Amortised"]


class Amortised(Posterior):
    """``q(z; eta(x))`` with eta what ``network`` gives: a subclass makes the distribution of it."""

    network: Any

    def hidden_layers(self, context: Any, *, key: PRNGKey) -> list[Array] | None:
        """The hidden layers of the network at a data point; None where it does not give them."""
        return hidden_layers(self.network, values_of(context), key=key)
