"""`gradients.Objective` applies the weights of an estimator as it should: at once, in pieces, and to few of the draws.

First draw by draw, for weights that are any numbers at all, against derivatives written out by hand; then, for an
estimator of each kind, in expectation by quadrature over the noise of the draws (`one_latent`).
"""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import one_latent as oracle
from oracles.known_noise import KnownPosterior, keys_of_draws
from oracles.linear_gaussian import linear

from iwax import batched, bounds, control_variates, gradients, likelihoods, priors
from iwax.distributions import Normal
from iwax.gradients import Weights, objective
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Posterior

K, ROWS = 7, 4
KEY_SEED = 3


class Free(Posterior):
    """q(z|x) = N(loc, exp(log_scale)^2) whatever x."""

    loc: jax.Array
    log_scale: jax.Array

    def __call__(self, context, *, key):
        return Normal(self.loc, jnp.exp(self.log_scale))


class Given:
    """A control variate whose baseline is its state, whatever that is."""

    def init(self):
        return None

    def baseline(self, state, bound, log_w, key, x):
        return state

    def update(self, state, value, key, x):
        return state


def model_with(posterior) -> LatentVariableModel:
    p = oracle.PARAMETERS
    return LatentVariableModel(priors.StandardNormal(1), likelihoods.Bernoulli(linear(p[None, :2], p[2:4])), posterior)


@cache
def free(dtype) -> LatentVariableModel:
    model = model_with(Free(jnp.asarray(oracle.PARAMETERS[4:5]), jnp.asarray(oracle.PARAMETERS[5:])))
    return jax.tree.map(lambda leaf: leaf.astype(dtype), model)


def vector(gradient) -> jax.Array:
    network, posterior = gradient.likelihood.network, gradient.posterior
    return jnp.concatenate([network.weight[0], network.bias, posterior.loc, posterior.log_scale])


def rows(count: int, dtype=np.float64) -> Datum:
    return Datum(values=jnp.broadcast_to(jnp.asarray(oracle.X, dtype), (count, 2)), index=10 + jnp.arange(count))


def noise_of_draws(count: int, k: int) -> np.ndarray:
    """The noise [k, count] with which the draws of `free` are made, from the draws themselves."""
    z, _ = batched.propose(free(np.float64), jax.random.key(KEY_SEED), rows(count), jnp.arange(k), score=False)
    return ((np.asarray(z)[..., 0] - oracle.PARAMETERS[4]) / np.exp(oracle.PARAMETERS[5])).T


def with_any_weights(path: bool, score: bool) -> gradients.Estimator:
    """An estimator whose weights are handed to it as the state of its control variate."""

    def weights(log_w, beta, key=None, baseline=None):
        return baseline

    return gradients.Estimator("any", bounds.iwae, weights, path=path, score=score, control_variate=Given())


@eqx.filter_jit
def gradient(model, x, estimator, control, outer, beta, backward=None, chunk=None, k=K):
    def value(model):
        ascended = gradients.Objective(estimator, k, backward=backward, chunk=chunk)
        return outer @ ascended(model, jax.random.key(KEY_SEED), x, beta=beta, control=control).value

    return vector(eqx.filter_grad(value)(model))


def some_weights(dtype=np.float64) -> Weights:
    """Any numbers, some of a of which are 0 or next to it where b is not."""
    a, b, c = np.random.default_rng(7).normal(size=(3, K, ROWS))
    a[0], a[1], a[2, 0] = 0, 1e-30, -1e-25
    b[0], b[3], c[4] = 1 / K, a[3], 0
    return Weights(*(jnp.asarray(each, dtype) for each in (a, b, c)))


OUTER = np.array([1.0, -0.5, 0.0, 2.0])


def by_hand(weights, noise, beta: float) -> np.ndarray:
    """The sum over rows, OUTER times the update of each."""
    return oracle.update(oracle.PARAMETERS, noise, beta, weights) @ OUTER


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("chunk", [None, 3, 100])
@pytest.mark.slow
def test_any_weights_are_applied_draw_by_draw(chunk: int | None):
    noise, weights = noise_of_draws(ROWS, K), some_weights()
    for beta in (1.0, 0.4):
        found = gradient(
            free(np.float64), rows(ROWS), with_any_weights(True, True), weights, OUTER, jnp.asarray(beta), chunk=chunk
        )
        np.testing.assert_allclose(found, by_hand(weights, noise, beta), rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("path", "score"), [pytest.param(True, False, marks=pytest.mark.slow), (False, True)])
@pytest.mark.slow
def test_without_path_or_score(path: bool, score: bool):
    a, b, c = some_weights()
    weights = Weights(a, b if path else None, c if score else None)
    estimator = with_any_weights(path, score)
    found = gradient(free(np.float64), rows(ROWS), estimator, weights, OUTER, jnp.asarray(0.4))
    np.testing.assert_allclose(found, by_hand(weights, noise_of_draws(ROWS, K), 0.4), rtol=1e-12, atol=1e-13)


def test_in_float32_a_path_weight_survives_where_the_models_underflows():
    weights = some_weights(np.float32)
    with jax.enable_x64(True):
        noise, model = noise_of_draws(ROWS, K), jax.tree.map(np.asarray, free(np.float32))
    x, outer = rows(ROWS, np.float32), jnp.asarray(OUTER, jnp.float32)
    with jax.enable_x64(True):  # for the same keys and draws; every array is float32
        found = gradient(model, x, with_any_weights(True, True), weights, outer, jnp.float32(1.0))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(weights, noise, 1.0), rtol=2e-5, atol=2e-5)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("m", "chunk"), [(1, None), (3, None), (3, 2)])
@pytest.mark.slow
def test_few_draws_backward_are_those_chosen_with_weights_of_their_probability(m: int, chunk: int | None):
    noise, weights = noise_of_draws(ROWS, K), some_weights()
    draws, chosen = objective._chosen(jax.random.key(KEY_SEED), rows(ROWS), weights, m)
    taken = np.take_along_axis(noise, np.asarray(draws).T, axis=0)
    how = {"backward": m, "chunk": chunk}
    found = gradient(
        free(np.float64), rows(ROWS), with_any_weights(True, True), weights, OUTER, jnp.asarray(0.4), **how
    )
    np.testing.assert_allclose(found, by_hand(chosen, taken, 0.4), rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("m", [1, 3, K])
@pytest.mark.slow
def test_the_choice_is_systematic_and_leaves_every_weight_its_mean(m: int):
    """Over rows of the same weights, each with a uniform number of its own."""
    count = 4000
    weights = jax.tree.map(lambda each: jnp.tile(each[:, 3:], (1, count)), some_weights())
    draws, chosen = objective._chosen(jax.random.key(1), rows(count), weights, m)
    size = sum(np.abs(np.asarray(each)[:, 0]) for each in weights)
    probability = size / size.sum()
    times = (np.asarray(draws)[:, :, None] == np.arange(K)).sum(axis=1)  # [count, K]
    assert (np.abs(times - m * probability) < 1).all()  # floor or ceil of what is expected
    error = np.sqrt(m * probability * np.maximum(1 - m * probability, 0.05) / count) + 1e-3
    assert (np.abs(times.mean(axis=0) - m * probability) < 4.5 * error).all()
    for before, after in zip(weights, chosen, strict=True):
        whole = np.zeros((count, K))
        np.add.at(whole, (np.arange(count)[:, None], np.asarray(draws)), np.asarray(after).T)
        spread = whole.std(axis=0) / np.sqrt(count)
        assert (np.abs(whole.mean(axis=0) - np.asarray(before)[:, 0]) <= 4.5 * spread + 2e-3).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "make",
    [pytest.param(gradients.pathwise, marks=pytest.mark.slow), gradients.doubly_reparameterized],
    ids=["pathwise", "doubly_reparameterized"],
)
@pytest.mark.slow
def test_in_pieces_the_gradient_is_the_same(make):
    whole, cut = (
        gradient(free(np.float64), rows(ROWS), make(bounds.iwae), None, OUTER, jnp.asarray(0.4), chunk=chunk)
        for chunk in (None, 3)
    )
    np.testing.assert_allclose(cut, whole, rtol=1e-12, atol=1e-14)


KINDS = {  # of estimators: the bound for the model, the bound for the posterior, and the objective
    "pathwise": ("iwae", "iwae", gradients.pathwise(bounds.iwae)),
    "doubly reparameterised": ("iwae", "iwae", gradients.doubly_reparameterized(bounds.iwae)),
    "VIMCO": ("iwae", "iwae", gradients.score_function(bounds.iwae, control_variates.leave_one_out)),
    "jackknife for p, elbo for q": (
        "jackknife(1)",
        "elbo",
        gradients.paired(
            model=gradients.pathwise(bounds.jackknife(1)), posterior=gradients.sticking_the_landing(bounds.elbo)
        ),
    ),
    "closed-form KL": ("elbo", "elbo", None),
}


@partial(jax.jit, static_argnums=0)
def expected(kind: str, words, nodes, weights, beta):
    """E of the surrogate's gradient over the noise of its two draws, and E of the bound that it reports."""
    estimator = KINDS[kind][2]
    made = gradients.Objective(estimator, k=2) if estimator else gradients.closed_form_kl(k=2)

    def at_node(node):
        posterior = KnownPosterior(oracle.PARAMETERS[4:5], oracle.PARAMETERS[5:], node[:, None], words)
        posterior = jax.tree.map(jnp.asarray, posterior)

        def value(model):
            surrogate = made(model, jax.random.key(KEY_SEED), rows(1), beta=beta)
            return surrogate.value[0], surrogate.bound[0]

        (_, reported), gradient = eqx.filter_value_and_grad(value, has_aux=True)(model_with(posterior))
        return vector(gradient), reported

    found, reported = jax.vmap(at_node)(nodes.T)
    return weights @ found, weights @ reported


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "kind",
    [kind if kind.startswith("doubly") else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS],
)
def test_the_expected_gradient_is_exact(kind: str):
    exact = {
        "elbo": lambda v: v.mean(axis=0),
        "iwae": lambda v: np.logaddexp(v[0], v[1]) - np.log(2),
        "jackknife(1)": lambda v: 2 * (np.logaddexp(v[0], v[1]) - np.log(2)) - v.mean(axis=0),
    }
    model, posterior, _ = KINDS[kind]
    nodes, weights = oracle.plain_noise(2, points=90)
    blank = model_with(KnownPosterior(*(jnp.zeros(1),) * 2, jnp.zeros((2, 1)), jnp.zeros((2, 2), jnp.uint32)))
    words = keys_of_draws(blank, jax.random.key(KEY_SEED), rows(1), k=2)
    value = oracle.expected_value(exact[model], oracle.PARAMETERS, nodes, weights, 1.0)
    for beta in (1.0, 0.4):
        found, reported = expected(kind, words, nodes, weights, beta)
        at = (oracle.PARAMETERS, nodes, weights, beta)
        wanted = [oracle.expected_gradient(exact[bound], *at) for bound in (model, posterior)]
        np.testing.assert_allclose(found[:4], wanted[0][:4], rtol=0, atol=1e-8)
        np.testing.assert_allclose(found[4:], wanted[1][4:], rtol=0, atol=1e-8)
        assert abs(float(reported) - value) < 1e-10  # at any temperature
