"""Scores of pairs of nodes: what is bilinear in two functions of their latents."""

from abc import abstractmethod
from typing import ClassVar, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import PRNGKey

__all__ = [
    "AbstractPairScore",
    "Bilinear",
    "DegreeCorrected",
    "Distance",
    "InnerProduct",
    "Rates",
    "ScaledInnerProduct",
]

Latents: TypeAlias = Float[Array, "nodes latent"]
Factors: TypeAlias = tuple[Float[Array, "nodes factors"], Float[Array, "nodes factors"]]


class AbstractPairScore(eqx.Module):
    """``s_ij = l_i . r_j`` with factors l and r of the latents of node i and of node j, and ``s_ij = s_ji``.

    All scores of a graph are then one matrix product, and those of some pairs are sums over rows. ``nonnegative`` says
    whether no factor is below 0.
    """

    nonnegative: ClassVar[bool] = False

    @abstractmethod
    def factors(self, z: Latents) -> Factors:
        """l and r, one row for each node."""


class InnerProduct(AbstractPairScore):
    """``s_ij = z_i . z_j`` (Kipf and Welling 2016, arXiv:1611.07308).

    >>> left, right = InnerProduct().factors(jnp.array([[1.0, 2.0], [3.0, 0.0]]))
    >>> (left @ right.T).tolist()
    [[5.0, 3.0], [3.0, 9.0]]
    """

    def factors(self, z: Latents) -> Factors:
        """z twice."""
        return z, z


class ScaledInnerProduct(AbstractPairScore):
    """``s_ij = c z_i . z_j + b``, both learned: b is the log-odds of a link between nodes at the origin.

    >>> left, right = ScaledInnerProduct(bias=-3.0).factors(jnp.array([[1.0], [2.0]]))
    >>> (left @ right.T).tolist()
    [[-2.0, -1.0], [-1.0, 1.0]]
    """

    scale: Float[Array, ""]
    bias: Float[Array, ""]

    def __init__(self, scale: float = 1.0, bias: float = 0.0) -> None:
        self.scale, self.bias = jnp.asarray(scale, float), jnp.asarray(bias, float)

    def factors(self, z: Latents) -> Factors:
        """``(c z, b)`` and ``(z, 1)``."""
        return _beside(self.scale * z, jnp.broadcast_to(self.bias, len(z))), _beside(z, jnp.ones(len(z)))


class DegreeCorrected(AbstractPairScore):
    """``s_ij = u_i . u_j + t_i + t_j + b`` with ``z = (u, t)``: the last latent of a node says how many links it has.

    The additive and multiplicative effects of Hoff (2005, JASA 100, 286).

    >>> left, right = DegreeCorrected().factors(jnp.array([[1.0, 0.5], [2.0, -1.0]]))
    >>> (left @ right.T).tolist()
    [[2.0, 1.5], [1.5, 2.0]]
    """

    bias: Float[Array, ""]

    def __init__(self, bias: float = 0.0) -> None:
        self.bias = jnp.asarray(bias, float)

    def factors(self, z: Latents) -> Factors:
        """``(u, t + b, 1)`` and ``(u, 1, t)``."""
        u, t = z[:, :-1], z[:, -1]
        one = jnp.ones(len(z))
        return _beside(u, t + self.bias, one), _beside(u, one, t)


class Distance(AbstractPairScore):
    """``s_ij = b - |z_i - z_j|^2``: near nodes are linked (Hoff, Raftery and Handcock 2002, JASA 97, 1090; squared).

    >>> left, right = Distance(1.0).factors(jnp.array([[1.0], [3.0]]))
    >>> (left @ right.T).tolist()
    [[1.0, -3.0], [-3.0, 1.0]]
    """

    bias: Float[Array, ""]

    def __init__(self, bias: float = 0.0) -> None:
        self.bias = jnp.asarray(bias, float)

    def factors(self, z: Latents) -> Factors:
        """``(2 z, b - |z|^2, 1)`` and ``(z, 1, -|z|^2)``."""
        square, one = jnp.sum(z**2, axis=-1), jnp.ones(len(z))
        return _beside(2 * z, self.bias - square, one), _beside(z, one, -square)


class Bilinear(AbstractPairScore):
    """``s_ij = z_i' Q z_j + b`` with a symmetric Q, ``(W + W') / 2``, which starts near the identity.

    >>> left, right = Bilinear(2, key=jax.random.key(0)).factors(jnp.eye(2))
    >>> bool(jnp.allclose(left @ right.T, right @ left.T))
    True
    """

    weight: Float[Array, "latent latent"]
    bias: Float[Array, ""]

    def __init__(self, latent: int, *, key: PRNGKey, bias: float = 0.0) -> None:
        self.weight = jnp.eye(latent) + 0.01 * jax.random.normal(key, (latent, latent))
        self.bias = jnp.asarray(bias, float)

    def factors(self, z: Latents) -> Factors:
        """``(Q z, b)`` and ``(z, 1)``."""
        turned = z @ ((self.weight + self.weight.T) / 2)
        return _beside(turned, jnp.broadcast_to(self.bias, len(z))), _beside(z, jnp.ones(len(z)))


class Rates(AbstractPairScore):
    """``s_ij = sum_d r_d softplus(z_id) softplus(z_jd)``, r > 0: how many times i and j are linked, in expectation.

    What nodes have in common adds up (Zhou 2015, AISTATS, arXiv:1501.06218); for `likelihoods.Graph` with
    ``link="poisson"``, whose sum over all pairs then needs no pair.

    >>> left, right = Rates(1).factors(jnp.zeros((2, 1)))
    >>> round(float((left @ right.T)[0, 1]), 4)  # (log 2)^2
    0.4805
    """

    nonnegative: ClassVar[bool] = True

    log_rate: Float[Array, " latent"]

    def __init__(self, latent: int, *, rate: float = 1.0) -> None:
        self.log_rate = jnp.full(latent, jnp.log(rate))

    def factors(self, z: Latents) -> Factors:
        """``r softplus(z)`` and ``softplus(z)``."""
        strength = jax.nn.softplus(z)
        return strength * jnp.exp(self.log_rate), strength


def _beside(z: Array, *columns: Array) -> Array:
    return jnp.concatenate([z, *(column[:, None].astype(z.dtype) for column in columns)], axis=1)
