"""Priors over weights: every weight and bias by itself."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array

from iwax._typing import AnyArray

__all__ = ["Normal", "Prior", "ScaleMixture"]

_LOG_2PI = math.log(2 * math.pi)


@runtime_checkable
class Prior(Protocol):
    """A density of one weight, which has no parameters to learn."""

    def log_prob(self, w: AnyArray) -> Array: ...


@dataclass(frozen=True)
class Normal:
    """``N(w; 0, sigma^2)``. Raises ValueError where sigma is not positive.

    >>> float(Normal(1.0).log_prob(jnp.zeros(())))
    -0.9189
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("sigma", self.sigma)

    def log_prob(self, w: AnyArray) -> Array:
        """The log-density of every weight, nats."""
        return -0.5 * (jnp.asarray(w) / self.sigma) ** 2 - math.log(self.sigma) - 0.5 * _LOG_2PI

    def kl(self, mean: AnyArray, sigma: AnyArray) -> Array:
        """``KL(N(mean, sigma^2) || N(0, self.sigma^2))`` of every weight, nats.

        >>> float(Normal(1.0).kl(jnp.zeros(()), jnp.ones(())))
        0.0
        """
        ratio = jnp.asarray(sigma) / self.sigma
        return 0.5 * (ratio**2 + (jnp.asarray(mean) / self.sigma) ** 2 - 1) - jnp.log(ratio)


@dataclass(frozen=True)
class ScaleMixture:
    """``pi N(w; 0, sigma1^2) + (1 - pi) N(w; 0, sigma2^2)``, taken in log space: a heavy tail round a sharp peak.

    Blundell et al. (2015, arXiv:1505.05424), equation 7, who choose -log sigma1 in {0, 1, 2} and -log sigma2 in
    {6, 7, 8}. Raises ValueError unless 0 < pi < 1 and sigma1 > sigma2 > 0.

    >>> wide = ScaleMixture(pi=0.5, sigma1=1.0, sigma2=math.exp(-6))
    >>> float(wide.log_prob(jnp.array(1e4))) > -jnp.inf
    True
    """

    pi: float
    sigma1: float
    sigma2: float

    def __post_init__(self) -> None:
        if not 0 < self.pi < 1:
            raise ValueError(f"pi must lie between 0 and 1, got {self.pi}")
        _check_positive("sigma2", self.sigma2)
        if not self.sigma1 > self.sigma2:
            raise ValueError(f"sigma1 must be larger than sigma2, got {self.sigma1} and {self.sigma2}")

    def log_prob(self, w: AnyArray) -> Array:
        """The log-density of every weight, nats."""
        wide, sharp = Normal(self.sigma1).log_prob(w), Normal(self.sigma2).log_prob(w)
        return jnp.logaddexp(math.log(self.pi) + wide, math.log1p(-self.pi) + sharp)


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
