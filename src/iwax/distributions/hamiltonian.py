"""Draws moved by Hamiltonian dynamics."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.distributions.normal import Normal
from iwax.parts import Distribution, Trace

__all__ = ["Hamiltonian"]


class Hamiltonian(Distribution):
    """``(z_0, v_0) ~ base x N(0, mass)``, T leapfrog steps along ``target``, and z_T: v_T is judged by ``reverse``.

    Salimans, Kingma and Welling (2015, arXiv:1410.6460). Leapfrog steps keep volume, so that
    ``log base(z_0) + log N(v_0; 0, mass) - log reverse(v_T | z_T)`` stands where the density of z_T, an integral over
    momenta, cannot be had; with it every bound on log p(x) stays one, on the space of positions and momenta. Hence
    `log_prob` at a given z raises ValueError. ``target`` is a module, z -> log p(x, z); ``reverse`` is one, z -> a
    distribution of momenta: arrays that either depends on are leaves.
    """

    has_density: ClassVar[bool] = False  # see `log_prob`

    base: Distribution
    target: Callable[[Array], Scalar]
    reverse: Callable[[Array], Distribution]
    step: Float[AnyArray, "*batch features"]
    mass: Float[AnyArray, "*batch features"]
    steps: int = eqx.field(static=True)

    @property
    def mean(self) -> Array:
        """Where the base's mean is carried without a momentum: a point of high density, not the mean of z_T."""
        return self._leapfrog(self.base.mean, jnp.zeros_like(self.base.mean))[0]

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """z_T, differentiable; there is no trace."""
        return self.sample_and_log_prob(key)[0], None

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """Raises ValueError: the density at a given z is an integral over momenta."""
        raise ValueError(
            "a Hamiltonian posterior has no density at a given z, which is an integral over momenta: "
            "use the pathwise gradient of all draws at once (neither backward nor chunk), and evaluations that draw "
            "from the posterior"
        )

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Array, Scalar]:
        """z_T, and what stands for its log-density, with the total derivative."""
        z, log_base = self.base.sample_and_log_prob(jax.random.fold_in(key, 0))
        momentum = Normal(jnp.zeros_like(self.mass), jnp.sqrt(self.mass))
        v, log_momentum = momentum.sample_and_log_prob(jax.random.fold_in(key, 1))
        z, v = self._leapfrog(z, v)
        return z, log_base + log_momentum - self.reverse(z).log_prob(v)

    def _leapfrog(self, z: Array, v: Array) -> tuple[Array, Array]:
        slope = jax.grad(self.target)

        def step(carry: tuple[Array, Array, Array], _: Any) -> tuple[tuple[Array, Array, Array], None]:
            z, v, force = carry
            half = v + self.step / 2 * force
            z = z + self.step * half / self.mass
            force = slope(z)
            return (z, half + self.step / 2 * force, force), None

        (z, v, _), _ = jax.lax.scan(step, (z, v, slope(z)), length=self.steps)
        return z, v
