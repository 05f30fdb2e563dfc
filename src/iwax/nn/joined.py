"""Networks of a tuple of inputs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey

__all__ = ["Joined"]


class Joined(eqx.Module):
    """``f(f_1(a), f_2(b), ...)`` of a tuple (a, b, ...): each through its own network, side by side through ``joint``.

    The nets of Tomczak and Welling's HVAE (2018, arXiv:1705.07120): for p(x|z1, z2), gated layers of 300 units of z1
    and of z2, and a gated `MLP` of 600 to 300 to the output. Without a joint network, the outputs side by side. A
    network is any module with ``in_features`` and ``out_features``. Raises ValueError where the joint network takes
    another number than the others give, or the tuple has another length.

    >>> from iwax.nn import MLP
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> each = [MLP(40, (300,), None, activation="gated", key=key) for key in keys[:2]]
    >>> net = Joined(tuple(each), MLP(600, (300,), 784, activation="gated", key=keys[2]))
    >>> net((jnp.zeros(40), jnp.zeros(40))).shape
    (784,)
    """

    networks: tuple[Any, ...]
    joint: Any | None = None

    def __check_init__(self) -> None:
        if not self.networks:
            raise ValueError("a joined network needs at least one network, got none")
        given = [network.out_features for network in self.networks]
        if self.joint is not None and self.joint.in_features != sum(given):
            raise ValueError(
                f"the joint network takes {self.joint.in_features} features, and the networks before it give "
                f"{' + '.join(map(str, given))} = {sum(given)}: make them equal"
            )

    @property
    def in_features(self) -> int:
        """How many numbers it takes, in all parts of the tuple."""
        return sum(network.in_features for network in self.networks)

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        if self.joint is not None:
            return self.joint.out_features
        return sum(network.out_features for network in self.networks)

    def __call__(
        self, x: tuple[Float[AnyArray, "*batch _"], ...], *, key: PRNGKey | None = None
    ) -> Float[Array, "*batch out"]:
        """The output at a tuple of inputs; each network has a key of its own, if there is one."""
        if not isinstance(x, tuple) or len(x) != len(self.networks):
            got = f"{len(x)}" if isinstance(x, tuple) else f"a {type(x).__name__}"
            raise ValueError(f"a joined network needs a tuple of {len(self.networks)} inputs, got {got}")
        keys = [None if key is None else jax.random.fold_in(key, i) for i in range(len(x) + 1)]
        outputs = [network(part, key=k) for network, part, k in zip(self.networks, x, keys[1:], strict=True)]
        together = jnp.concatenate(outputs, axis=-1)
        return together if self.joint is None else self.joint(together, key=keys[0])
