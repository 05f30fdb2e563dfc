"""`sample` against `log_prob` in one and two dimensions: integrals by quadrature, goodness of fit of draws."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import parts
import pytest
import scipy.stats
from parts import ENCODERS, FEATURES, KEY, POSTERIORS, PRIORS, X
from quadrature import grid

from iwax import distributions, posteriors

DRAWS, TO_SIZE = 10_000, 500  # draws that are tested, and others by which the box is chosen
CELLS, WITHIN = 20, 24  # a side of the box, and nodes a side of a cell
RARE = 2e-5  # how often a right program may fail

# made, prepared with, context: two latents, or two layers of one; what is left out has no density at a given value
CASES = {f"prior {name}": (make, ENCODERS.get(name), None) for name, make in PRIORS.items()}
CASES |= {f"posterior {name}": (make, None, X) for name, make in POSTERIORS.items()}
for left_out in ("prior bernoulli", "posterior bernoulli", "posterior hamiltonian", "prior chain", "posterior chain"):
    del CASES[left_out]
CASES |= {
    "prior vamp on top": (partial(parts.vamp_on_top, 1), partial(parts.top_down, 1), None),
    "posterior top down": (partial(parts.top_down, 1), None, X),
    "posterior ladder": (partial(parts.ladder, 1), None, X),
}
LINE: dict[str, Callable] = {
    "mixture": lambda: posteriors.Mixture(parts.network(FEATURES, 9, 51), 1, components=3),
    "planar": lambda: posteriors.planar(parts.trunk(50), 1, steps=2, key=KEY),
    "radial": lambda: posteriors.radial(parts.trunk(50), 1, steps=2, key=KEY),
    "sylvester": lambda: posteriors.sylvester(parts.trunk(50), 1, steps=1, planes=1, key=KEY),
}
CASES |= {f"posterior {name}, one latent": (make, None, X) for name, make in LINE.items()}


def elsewhere(part):
    """With parameters away from where they start, which is near the identity for many a flow."""
    rng = np.random.default_rng(5)
    return jax.tree.map(lambda leaf: leaf + jnp.asarray(0.4 * rng.normal(size=leaf.shape), leaf.dtype), part)


@jax.jit
def on_a_grid(part, encoder, context):
    """Draws [n, d], the edges [2, d] of a box that holds most, and log p at nodes evenly spread over it."""
    ready = part.prepare(encoder, key=KEY) if hasattr(part, "prepare") else part
    distribution = ready(context, key=KEY)
    drawn = jax.vmap(lambda key: distribution.draw(key)[0])(jax.random.split(KEY, TO_SIZE + DRAWS))
    layers, structure = jax.tree.flatten(drawn)
    drawn = jnp.concatenate(layers, axis=-1)
    sizing, drawn = drawn[:TO_SIZE], drawn[TO_SIZE:]
    margin = 3 * sizing.std(axis=0)
    low, high = sizing.min(axis=0) - margin, sizing.max(axis=0) + margin
    nodes = low + (jnp.arange(CELLS * WITHIN) + 0.5)[:, None] / (CELLS * WITHIN) * (high - low)
    spread = jnp.stack(jnp.meshgrid(*nodes.T, indexing="ij"), axis=-1).reshape(-1, nodes.shape[1])
    values = structure.unflatten(jnp.split(spread, len(layers), axis=-1))
    return drawn, jnp.stack([low, high]), jax.vmap(distribution.log_prob)(values)


def goodness_of_fit(counts: np.ndarray, probability: np.ndarray) -> float:
    """The p-value of Pearson's test; cells of few expected draws, and what fell outside, are one."""
    expected = DRAWS * probability
    frequent = expected > 8
    counts = np.append(counts[frequent], DRAWS - counts[frequent].sum())
    expected = np.append(expected[frequent], DRAWS - expected[frequent].sum())
    return scipy.stats.chisquare(counts, expected).pvalue


@pytest.mark.parametrize("name", CASES)
def test_draws_follow_a_density_that_integrates_to_one(name: str):
    make, encoder, context = CASES[name]
    found = on_a_grid(elsewhere(make()), encoder and encoder(), context)
    drawn, box, log_prob = (np.asarray(each, np.float64) for each in found)
    sides = (CELLS, WITHIN) * drawn.shape[1]
    volume = np.prod((box[1] - box[0]) / (CELLS * WITHIN))
    probability = np.exp(log_prob).reshape(sides).sum(axis=tuple(range(1, len(sides), 2))) * volume
    assert probability.sum() == pytest.approx(1, abs=1e-3)
    counts, _ = np.histogramdd(drawn, bins=CELLS, range=box.T)
    assert goodness_of_fit(counts.ravel(), probability.ravel()) > RARE


@pytest.mark.usefixtures("float64")
def test_draws_from_a_mixture_have_the_gradient_of_their_expectation():
    """Implicit reparameterisation: in weights, locs and scales, against the derivative of an integral."""
    parameters = (
        jnp.array([0.3, -0.5, 0.9]),
        jnp.array([[-1.0, 0.4], [0.8, 1.1], [0.2, -0.9]]),
        jnp.array([[-0.4, 0.1], [0.2, -0.6], [0.0, -0.3]]),
    )

    def mixture(parameters):
        weights, loc, log_scale = parameters
        return distributions.Mixture(weights, distributions.Factorized.normal(loc, jnp.exp(log_scale)))

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
    normals = distributions.Factorized.normal(jnp.zeros((2, 3)), jnp.ones((2, 3)))
    assert distributions.Mixture(jnp.zeros(2), normals).reparameterized
    assert not distributions.Mixture(jnp.zeros(2), distributions.Bernoulli(jnp.zeros((2, 3)))).reparameterized
