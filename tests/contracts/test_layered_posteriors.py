"""Ladder and top-down posteriors: every layer's distribution written out, and extremes of what is multiplied."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.flatten_util import ravel_pytree
from oracles.any_estimator import ESTIMATORS, any_of
from oracles.parts import FEATURES, KEY, LATENT, TRUNK, X, conditional, ladder, network, rung, top_down

from iwax import gradients, likelihoods, posteriors, priors
from iwax.distributions import Normal
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.parts import Datum, Likelihood

DECODER = likelihoods.Bernoulli(network(1, FEATURES, 83))
LOWER, UPPER = jnp.array([0.3, -1.1]), jnp.array([-0.6, 0.4])


def halves(outputs) -> tuple[np.ndarray, np.ndarray]:
    """Loc and scale of what a network gives."""
    loc, log_scale = np.split(np.asarray(outputs, np.float64), 2)
    return loc, np.exp(log_scale)


def test_a_ladder_multiplies_what_it_sees_with_what_the_model_says():
    part = ladder()
    first, second = part.ladder.rungs
    d1 = first.network(X.values)
    seen, seen_above = halves(first.head(d1)), halves(second.head(second.network(d1)))
    said = halves(part.conditionals[0].network(UPPER))
    precisions = seen[1] ** -2, said[1] ** -2
    scale = sum(precisions) ** -0.5
    loc = (seen[0] * precisions[0] + said[0] * precisions[1]) * scale**2
    below, top = part(X, key=KEY).layers((LOWER, UPPER))
    np.testing.assert_allclose(jnp.stack((top.loc, top.scale)), seen_above, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jnp.stack((below.loc, below.scale)), (loc, scale), rtol=1e-5, atol=1e-6)
    expected = scipy.stats.norm.logpdf(UPPER, *seen_above).sum() + scipy.stats.norm.logpdf(LOWER, loc, scale).sum()
    assert float(part(X, key=KEY).log_prob((LOWER, UPPER))) == pytest.approx(expected, rel=1e-5)


def test_a_top_down_posterior_shows_every_layer_the_data():
    part = top_down()
    below, top = part(X, key=KEY).layers((LOWER, UPPER))
    np.testing.assert_allclose(jnp.stack((top.loc, top.scale)), halves(part.top.network(X.values)), rtol=1e-5)
    expected = halves(part.conditionals[0].network((X.values, UPPER)))
    np.testing.assert_allclose(jnp.stack((below.loc, below.scale)), expected, rtol=1e-5)
    assert part(X, key=KEY).log_prob((LOWER, UPPER)) == part(X.values, key=KEY).log_prob((LOWER, UPPER))


class Said(Likelihood):
    """A conditional prior N(2, scale^2) of one unit, whatever is above it."""

    log_scale: jax.Array

    def __call__(self, context, given=None, *, key):
        return Normal(jnp.full(1, 2.0), jnp.exp(self.log_scale)[None])


def test_no_ratio_of_scales_is_too_large():
    """Against double precision, and with finite derivatives."""
    constant = Linear(1, 2, key=KEY)
    rungs = tuple(posteriors.Rung(Linear(1, 1, key=KEY), constant) for _ in range(2))

    def below(log_scales):
        seen = eqx.tree_at(lambda rungs: rungs[0].head.bias, rungs, jnp.stack([-1.0, log_scales[0]]))
        bound = posteriors.Ladder(seen).bind(
            SimpleNamespace(prior=priors.Chain(priors.StandardNormal(1), (Said(log_scales[1]),))), key=KEY
        )
        lowest = bound(jnp.zeros(1), key=KEY).layers((jnp.zeros(1), jnp.zeros(1)))[0]
        loc, scale = lowest.loc, lowest.scale
        return loc[0], jnp.log(scale[0])

    pairs = np.array([(40.0, -40.0), (-40.0, 40.0), (80.0, 0.0), (0.0, 80.0), (-80.0, -79.0), (80.0, 80.5)])
    (loc, log_scale), slopes = jax.jit(jax.vmap(lambda pair: (below(pair), jax.jacrev(below)(pair))))(pairs)
    assert loc.dtype == jnp.float32
    precisions = np.exp(-2.0 * pairs)
    np.testing.assert_allclose(log_scale, -0.5 * np.log(precisions.sum(axis=1)), atol=1e-4)
    np.testing.assert_allclose(loc, (precisions @ [-1.0, 2.0]) / precisions.sum(axis=1), rtol=1e-4)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_only_gaussians_can_be_multiplied():
    rungs = posteriors.Ladder((rung(FEATURES, LATENT, 80), rung(TRUNK, LATENT, 81)))
    prior = priors.Chain(priors.StandardNormal(LATENT), (likelihoods.Bernoulli(network(LATENT, LATENT, 82)),))
    with pytest.raises(ValueError, match="must give factorised normals, got Bernoulli"):
        rungs.bind(SimpleNamespace(prior=prior), key=KEY)(X, key=KEY).layers((LOWER, UPPER))
    with pytest.raises(ValueError, match="shares the conditionals of its model's prior"):
        rungs(X, key=KEY)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ladder", "mixture"])
def test_the_doubly_reparameterised_gradient_has_the_mean_of_the_pathwise_one(name: str):
    """A ladder holds parameters of the prior in q; a mixture's draws are differentiated implicitly. IWAE, k = 2."""
    if name == "ladder":
        prior = priors.Chain(priors.StandardNormal(1), (conditional(84, 1),))
        model = LatentVariableModel(prior, likelihoods.Chain(DECODER), ladder(1).ladder)
    else:
        posterior = posteriors.Mixture(network(FEATURES, 6, 85), 1, components=2)
        model = LatentVariableModel(priors.StandardNormal(1), DECODER, posterior)
    x, estimator = Datum(values=X.values[None]), any_of(list(ESTIMATORS.values()))

    @jax.jit
    def of_draws(which):
        def value(model, key):
            return gradients.Objective(estimator, k=2)(model, key, x, control=which).value[0]

        return jax.vmap(lambda key: ravel_pytree(jax.grad(value)(model, key))[0])(jax.random.split(KEY, 20_000))

    found = {name: np.asarray(of_draws(number), np.float64) for number, name in enumerate(ESTIMATORS)}

    def errors(name: str) -> np.ndarray:
        """Of the mean difference from the pathwise gradient, in standard errors."""
        each = found[name] - found["pathwise"]
        moving = each.std(axis=0) > 0
        return np.abs(each.mean(axis=0))[moving] / each.std(axis=0)[moving] * np.sqrt(len(each))

    assert errors("doubly_reparameterized").max() < 4.5
    assert errors("VIMCO").max() < 4.5
    assert errors("sticking_the_landing").max() > 8  # for it is biased
