"""Networks that give their hidden layers."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey

__all__ = ["Layered", "hidden_layers"]


class Layered(eqx.Module):
    """A network of hidden layers, by which an encoder and a decoder can be compared (`MLP`, `MemoryMLP`)."""

    @abstractmethod
    def states(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> list[Array]:
        """Every hidden layer's outputs, to mean 0 and variance 1 over its features; from the input on."""


def hidden_layers(network: Any, x: Any, *, key: PRNGKey) -> list[Array] | None:
    """The hidden layers of a network at x; None where the network does not give them.

    >>> import jax
    >>> hidden_layers(lambda x, key: x, 1.0, key=jax.random.key(0)) is None
    True
    """
    return network.states(x, key=key) if isinstance(network, Layered) else None
