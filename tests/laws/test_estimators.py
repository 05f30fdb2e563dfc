"""Every estimator's expected gradient against the exact gradient of the expected bound, by quadrature over the noise.

The model: z ~ N(0, 1), two binary pixels with logits 1.3 z - 0.4 and 0.2 - 0.8 z, x = (1, 0), and
q(z|x) = N(0.3, exp(-0.4)^2), which is not the posterior. The expectation over k draws is a k-fold integral.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_noise import KnownPosterior, keys_of_draws
from linear_gaussian import linear
from quadrature import expectation, noise

from iwax import bounds, gradients, likelihoods, priors
from iwax._typing import Datum
from iwax.model import LatentVariableModel

X = np.array([1.0, 0.0])
POINTS = {2: 90, 3: 36}
ESTIMATORS = {
    "pathwise": gradients.pathwise,
    "sticking_the_landing": gradients.sticking_the_landing,
    "doubly_reparameterized": gradients.doubly_reparameterized,
}
BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae(1)": bounds.miwae(1),
    "miwae(2)": bounds.miwae(2),
}
PARAMETERS = {
    "weight": np.array([[1.3, -0.8]]),
    "bias": np.array([-0.4, 0.2]),
    "loc": np.array([0.3]),
    "log_scale": np.array([-0.4]),
}
KEY_SEED = 3


def exact_log_w(parameters, z, beta):
    """The log-weight written out: z [...] -> [...]."""
    m = z[..., None] * parameters["weight"][0] + parameters["bias"]
    log_likelihood = (X * m - jnp.logaddexp(0.0, m)).sum(axis=-1)
    log_prior = -0.5 * z**2 - 0.5 * jnp.log(2 * jnp.pi)
    loc, log_scale = parameters["loc"][0], parameters["log_scale"][0]
    log_posterior = -0.5 * ((z - loc) / jnp.exp(log_scale)) ** 2 - log_scale - 0.5 * jnp.log(2 * jnp.pi)
    return log_likelihood + beta * (log_prior - log_posterior)


def exact_bound(name, log_w):
    """The bound of log_w [n, k] by its definition."""
    if name in ("elbo", "miwae(2)"):
        return log_w.mean(axis=-1)
    return jax.nn.logsumexp(log_w, axis=-1) - np.log(log_w.shape[-1])


@partial(jax.jit, static_argnums=(0, 1))
def exact_value_and_gradient(name, k, beta):
    nodes, weights = noise(k, points=POINTS[k])

    def expected(parameters):
        z = parameters["loc"] + jnp.exp(parameters["log_scale"]) * nodes
        return weights @ exact_bound(name, exact_log_w(parameters, z, beta))

    return jax.value_and_grad(expected)({name: jnp.asarray(value) for name, value in PARAMETERS.items()})


def build(words, noise_of_draws):
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Bernoulli(linear(PARAMETERS["weight"], PARAMETERS["bias"])),
        posterior=KnownPosterior(
            jnp.asarray(PARAMETERS["loc"]), jnp.asarray(PARAMETERS["log_scale"]), noise_of_draws, words
        ),
    )


def gradient_of(model):
    return {
        "weight": model.likelihood.network.weight,
        "bias": model.likelihood.network.bias,
        "loc": model.posterior.loc,
        "log_scale": model.posterior.log_scale,
    }


def data() -> Datum:
    return Datum(values=jnp.asarray(X)[None])


def objective_of(estimator, bound, k):
    if estimator == "closed_form_kl":
        return partial(gradients.closed_form_kl, k=k)
    return partial(gradients.surrogate, k=k, estimator=ESTIMATORS[estimator](BOUNDS[bound]))


@partial(jax.jit, static_argnums=(0, 1, 2))
def expected_gradient(estimator, bound, k, words, beta):
    """E of the surrogate's gradient over the noise of its k draws, and E of the bound that it reports."""
    objective = objective_of(estimator, bound, k)
    nodes, weights = noise(k, points=POINTS[k])

    def at_node(node):
        def value(model):
            surrogate = objective(model, jax.random.key(KEY_SEED), data(), beta=beta)
            return surrogate.value[0], surrogate.bound[0]

        model = build(words, node[:, None])
        (_, reported), gradient = eqx.filter_value_and_grad(value, has_aux=True)(model)
        return gradient_of(gradient), reported

    return expectation(at_node, nodes, weights)


def expected(estimator, bound, k, beta):
    blank = build(jnp.zeros((k, 2), jnp.uint32), jnp.zeros((k, 1)))
    words = keys_of_draws(blank, jax.random.key(KEY_SEED), data(), k=k)
    return expected_gradient(estimator, bound, k, words, beta)


def largest_error(estimator, bound, k, beta):
    """Of the expected gradient, over all parameters."""
    gradient, _ = expected(estimator, bound, k, beta)
    _, exact = exact_value_and_gradient(bound, k, beta)
    return max(float(jnp.abs(gradient[name] - exact[name]).max()) for name in PARAMETERS)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [1.0, 0.35])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("estimator", ["pathwise", "doubly_reparameterized"])
def test_expected_gradient_is_exact(estimator: str, bound: str, beta: float):
    assert largest_error(estimator, bound, 2, beta) < 1e-8


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("estimator", ["pathwise", "doubly_reparameterized"])
def test_expected_gradient_is_exact_with_three_draws(estimator: str):
    assert largest_error(estimator, "iwae", 3, 1.0) < 1e-8


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [1.0, 0.35])
def test_sticking_the_landing_is_exact_for_the_elbo_and_biased_for_iwae(beta: float):
    assert largest_error("sticking_the_landing", "elbo", 2, beta) < 1e-8
    assert largest_error("sticking_the_landing", "miwae(2)", 2, beta) < 1e-8
    assert largest_error("sticking_the_landing", "iwae", 2, beta) > 0.05


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [1.0, 0.35])
def test_closed_form_kl_has_the_gradient_of_the_elbo(beta: float):
    assert largest_error("closed_form_kl", "elbo", 2, beta) < 1e-8


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [1.0, 0.35])
@pytest.mark.parametrize("bound", ["elbo", "iwae"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_reported_bound_is_the_bound_at_any_temperature(estimator: str, bound: str, beta: float):
    exact, _ = exact_value_and_gradient(bound, 2, 1.0)
    _, reported = expected(estimator, bound, 2, beta)
    assert abs(float(reported - exact)) < 1e-10
