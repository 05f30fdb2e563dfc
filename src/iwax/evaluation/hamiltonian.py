"""Hamiltonian Monte Carlo on the latents of one datum, along a path of densities that differ by a temperature.

The path is ``log f_beta(z) = start(z) + beta ratio(z)``, the geometric one from f_0 to f_1. A chain carries values and
gradients of both terms at where it stands, so that a new temperature costs no evaluation, and a transition of L
leapfrog steps costs L of them. Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo", Physics Letters B
195; Neal (2011), "MCMC using Hamiltonian dynamics", Handbook of Markov Chain Monte Carlo, arXiv:1206.1901. Momenta
have unit masses.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from iwax import streams
from iwax._typing import PRNGKey, Scalar
from iwax.parts import Latent

__all__ = ["TARGET_ACCEPTANCE", "Path", "Point", "at", "transition"]

TARGET_ACCEPTANCE = (
    0.65  # the most cost-effective in many dimensions: Neal (2011), Beskos et al. (2013, arXiv:1001.4460)
)
_JITTER = 0.2  # of the step, drawn for every transition: no orbit of fixed length closes on itself (Neal 2011, 3.2)

LogDensity: TypeAlias = Callable[[Latent], Scalar]


class Path(NamedTuple):
    """``log f_beta = start + beta ratio``, both functions of z, in nats; neither need be normalised."""

    start: LogDensity
    ratio: LogDensity


class Point(NamedTuple):
    """Where a chain stands, with both terms of the path and their gradients there."""

    z: Latent
    start: Scalar
    start_gradient: Latent
    ratio: Scalar
    ratio_gradient: Latent


class _Target(NamedTuple):
    path: Path
    beta: Scalar | float
    leapfrog: int

    def log_density(self, point: Point) -> Scalar:
        return point.start + self.beta * point.ratio

    def gradient(self, point: Point) -> Latent:
        return jax.tree.map(lambda a, b: a + self.beta * b, point.start_gradient, point.ratio_gradient)


def at(path: Path, z: Latent) -> Point:
    """The point of z, by one evaluation of each term and its gradient.

    >>> point = at(Path(lambda z: -0.5 * jnp.sum(z**2), lambda z: jnp.sum(z)), jnp.array([1.0, 2.0]))
    >>> float(point.start), float(point.ratio), point.start_gradient.tolist()
    (-2.5, 3.0, [-1.0, -2.0])
    """
    return Point(z, *jax.value_and_grad(path.start)(z), *jax.value_and_grad(path.ratio)(z))


def transition(
    path: Path,
    key: PRNGKey,
    point: Point,
    *,
    beta: Scalar | float,
    step: Scalar | float,
    leapfrog: int,
) -> tuple[Point, Scalar]:
    """One HMC move that leaves f_beta invariant, and the probability with which it was accepted.

    ``step`` is the size of each of the ``leapfrog`` steps, jittered by up to a fifth from move to move. A trajectory
    that leaves the range of floating point is rejected.
    """
    of_step, of_move = (jax.random.fold_in(key, stream) for stream in (streams.Move.STEP, streams.Move.TRAJECTORY))
    jittered = step * jax.random.uniform(of_step, minval=1 - _JITTER, maxval=1 + _JITTER)
    of_momentum, of_acceptance = jax.random.split(of_move)
    target, momentum = _Target(path, beta, leapfrog), _momentum(of_momentum, point.z)
    end, last = _trajectory(target, point, momentum, jittered)
    gain = (-target.log_density(point) + _kinetic(momentum)) - (-target.log_density(end) + _kinetic(last))
    rate = jnp.clip(jnp.exp(jnp.where(jnp.isnan(gain), -jnp.inf, gain)), max=1)
    return _chosen(jax.random.bernoulli(of_acceptance, rate), end, point), rate


def _trajectory(target: _Target, point: Point, momentum: Latent, step: Scalar) -> tuple[Point, Latent]:
    """``leapfrog`` times ``p += e/2 grad log f(z); z += e p; p += e/2 grad log f(z)``: where it ends.

    Half kicks that meet are one kick, which asks for the gradient alone; both terms are evaluated at the end. The last
    momentum would change its sign for the move to be its own inverse, which its energy does not see.
    """
    gradient = jax.grad(lambda z: target.path.start(z) + target.beta * target.path.ratio(z))

    def inner(_: Any, carried: tuple[Latent, Latent]) -> tuple[Latent, Latent]:
        z, momentum = carried
        z = _moved(z, step, momentum)
        return z, _moved(momentum, step, gradient(z))

    momentum = _moved(momentum, 0.5 * step, target.gradient(point))
    z, momentum = jax.lax.fori_loop(0, target.leapfrog - 1, inner, (point.z, momentum))
    end = at(target.path, _moved(z, step, momentum))
    return end, _moved(momentum, 0.5 * step, target.gradient(end))


def _chosen(accepted: Array, end: Point, point: Point) -> Point:
    """The end of a trajectory where it is accepted, and its beginning otherwise."""
    return jax.lax.cond(accepted, lambda: end, lambda: point)


def _momentum(key: PRNGKey, z: Latent) -> Latent:
    """Standard normal momenta of the shape of z."""
    flat, shaped = ravel_pytree(z)
    return shaped(jax.random.normal(key, flat.shape, flat.dtype))


def _kinetic(momentum: Latent) -> Scalar:
    """``|p|^2 / 2``."""
    flat, _ = ravel_pytree(momentum)
    return 0.5 * jnp.dot(flat, flat)


def _moved(tree: Latent, step: Scalar, direction: Latent) -> Latent:
    return jax.tree.map(lambda a, b: a + step * b, tree, direction)
