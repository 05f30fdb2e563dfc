"""Densities of one dimension integrate to one and are those of the draws; draws from mixtures have derivatives.

In two dimensions: `test_parts`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from oracles.parts import FEATURES, KEY, X, network, trunk
from oracles.quadrature import grid

from iwax import distributions, posteriors

LINE: dict[str, Callable] = {
    "mixture": lambda: posteriors.Mixture(network(FEATURES, 9, 51), 1, components=3),
    "planar": lambda: posteriors.planar(trunk(50), 1, steps=1, key=KEY),
    "radial": lambda: posteriors.radial(trunk(50), 1, steps=1, key=KEY),
}
NODES, STEP = grid(4001, 12.0)


@jax.jit
def on_the_line(parts):
    """10,000 draws of each, and log p at the nodes."""

    def one(part):
        distribution = part(X, key=KEY)
        drawn = jax.vmap(lambda key: distribution.draw(key)[0])(jax.random.split(KEY, 10_000))
        return drawn[:, 0], jax.vmap(distribution.log_prob)(jnp.asarray(NODES, jnp.float32)[:, None])

    return [one(part) for part in parts]


def test_one_dimension():
    rng = np.random.default_rng(5)
    parts = [make() for make in LINE.values()]
    parts = jax.tree.map(lambda leaf: 0.6 * leaf + jnp.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype), parts)
    for name, (drawn, log_prob) in zip(LINE, on_the_line(parts), strict=True):
        density = np.exp(np.asarray(log_prob, np.float64))
        assert density.sum() * STEP == pytest.approx(1, abs=1e-3), name
        below = np.interp(np.asarray(drawn), NODES, (np.cumsum(density) - density / 2) * STEP)
        assert scipy.stats.kstest(below, "uniform").pvalue > 2e-5, name


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_draws_from_a_mixture_have_the_gradient_of_their_expectation():
    """Implicit reparameterisation: in weights, locs and scales, against the derivative of an integral."""
    parameters = (
        jnp.array([0.3, -0.5, 0.9]),
        jnp.array([[-1.0, 0.4], [0.8, 1.1], [0.2, -0.9]]),
        jnp.array([[-0.4, 0.1], [0.2, -0.6], [0.0, -0.3]]),
    )

    def mixture(parameters):
        weights, loc, log_scale = parameters
        return distributions.Mixture(weights, distributions.Normal(loc, jnp.exp(log_scale)))

    def f(z):
        return jnp.sin(2 * z[..., 0]) * z[..., 1] + z[..., 0] ** 2 - z[..., 1] ** 3 / 3

    def integral(parameters):
        p = mixture(parameters)
        return sum_over_the_plane(lambda z: f(z) * jnp.exp(jax.vmap(p.log_prob)(z)))

    def of_draws(parameters):
        keys = jax.random.split(jax.random.key(4), 40_000)
        return jax.vmap(jax.grad(lambda parameters, key: f(mixture(parameters).draw(key)[0])), (None, 0))(
            parameters, keys
        )

    exact, each = jax.jit(lambda parameters: (jax.grad(integral)(parameters), of_draws(parameters)))(parameters)
    for gradient, one in zip(exact, each, strict=True):
        error = one.std(axis=0) / np.sqrt(len(one))
        assert (np.abs(gradient) > 5 * error).any()
        np.testing.assert_array_less(np.abs(one.mean(axis=0) - gradient) / error, 4.5)


def sum_over_the_plane(function: Callable, *, points: int = 200, width: float = 9.0):
    """The integral of a function of z [n, 2], by the trapezoid rule."""
    nodes, step = grid(points, width)
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    return function(jnp.asarray(z)).sum() * step**2


def test_draws_from_other_mixtures_have_no_derivative_and_say_so():
    normals = distributions.Normal(jnp.zeros((2, 3)), jnp.ones((2, 3)))
    assert distributions.Mixture(jnp.zeros(2), normals).reparameterized
    assert not distributions.Mixture(jnp.zeros(2), distributions.Bernoulli(jnp.zeros((2, 3)))).reparameterized


@pytest.mark.usefixtures("float64")
def test_the_density_of_a_mixture_of_normals_has_the_derivatives_of_its_formula():
    """First and second ones, in every parameter and in z, of many z at once."""
    rng = np.random.default_rng(6)
    z, loc, raw = (jnp.asarray(rng.normal(size=shape)) for shape in ((7, 2), (3, 2), (3, 2)))
    weights = jnp.asarray(rng.normal(size=3))

    def found(weights, loc, raw, z):
        normals = distributions.Normal(loc, jnp.exp(raw))
        return jnp.sin(jax.vmap(distributions.Mixture(weights, normals).log_prob)(z)).sum()

    def formula(weights, loc, raw, z):
        each = jax.scipy.stats.norm.logpdf(z[:, None], loc, jnp.exp(raw)).sum(axis=-1)
        return jnp.sin(jax.nn.logsumexp(jax.nn.log_softmax(weights) + each, axis=-1)).sum()

    @jax.jit
    def derivatives(*at):
        return [
            (f(*at), jax.grad(f, (0, 1, 2, 3))(*at), jax.jacfwd(jax.grad(f, (1, 2, 3)), (1, 2, 3))(*at))
            for f in (found, formula)
        ]

    ours, expected = derivatives(weights, loc, raw, z)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10), ours, expected)
