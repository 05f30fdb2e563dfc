"""Priors that are mixtures of the model's posterior: their densities written out, the encoder's gradient, refusals."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.flatten_util import ravel_pytree
from oracles.parts import FEATURES, KEY, LATENT, POSTERIORS, hamiltonian, inputs, ladder, network, top_down, vamp_on_top
from scipy.special import logsumexp

from iwax import batched, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel

Z = np.array([0.4, -0.9])


def encoder() -> posteriors.Gaussian:
    return posteriors.Gaussian(network(FEATURES, 2 * LATENT, 60, heads=2))


@pytest.fixture
def double(float64):
    """Double precision, and networks that are not kept for other tests."""
    network.cache_clear()
    yield
    network.cache_clear()


def log_prior(prior, posterior, z=Z):
    return prior.bind(SimpleNamespace(posterior=posterior), key=KEY)(key=KEY).log_prob(z)


def written_out(shown: np.ndarray, posterior, scale: float | None = None) -> float:
    """``log (1/K) sum_c N(z; loc(u_c), scale^2)`` by SciPy, of what the encoder is shown."""
    loc, log_scale = np.split(np.asarray(posterior.network(jnp.asarray(shown)), np.float64), 2, axis=-1)
    scales = np.exp(log_scale) if scale is None else np.full_like(loc, scale)
    return logsumexp(scipy.stats.norm.logpdf(Z, loc, scales).sum(axis=1)) - np.log(len(shown))


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (None, None), (None, 0.7), (-1.0, None)])
def test_vamp_is_the_mixture_at_what_it_shows(low, high):
    pseudo = np.random.default_rng(0).normal(size=(4, FEATURES))
    prior = priors.Vamp(jnp.asarray(pseudo), low, high)
    shown = np.minimum(np.maximum(pseudo, -np.inf if low is None else low), np.inf if high is None else high)
    np.testing.assert_array_equal(prior.shown(), shown)
    posterior = encoder()
    assert float(log_prior(prior, posterior)) == pytest.approx(written_out(shown, posterior), rel=1e-10)


@pytest.mark.usefixtures("double")
def test_exemplar_is_the_mixture_round_the_encoded_rows():
    rows, posterior = np.random.default_rng(0).normal(size=(4, FEATURES)), encoder()
    found = log_prior(priors.Exemplar(rows, scale=0.6), posterior)
    assert float(found) == pytest.approx(written_out(rows, posterior, 0.6), rel=1e-10)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", ["vamp", "exemplar"])
def test_the_encoder_has_its_gradient(kind: str):
    """Of log p(z) in the encoder, in the pseudo-inputs where they are not clipped, and in the exemplars never."""
    rows = np.random.default_rng(0).uniform(0.1, 0.9, size=(3, FEATURES))
    rows[0, 0], rows[1, 2] = -0.3, 1.4
    prior = priors.Vamp(jnp.asarray(rows)) if kind == "vamp" else priors.Exemplar(rows)
    value, unflatten = ravel_pytree((prior, encoder()))
    slope = jax.jit(jax.value_and_grad(lambda flat: log_prior(*unflatten(flat))))
    found = np.asarray(slope(value)[1])
    sides = [[slope(value + sign * 1e-5 * unit)[0] for sign in (1, -1)] for unit in np.eye(len(value))]
    expected = np.array([(above - below) / 2e-5 for above, below in sides])
    of_rows, rest = found[: rows.size].reshape(rows.shape), found[rows.size :]
    np.testing.assert_allclose(rest, expected[rows.size :], rtol=1e-5, atol=1e-8)
    if kind == "exemplar":  # which uses the means alone: two numbers of the last weights and biases each have none
        assert (of_rows == 0).all()
        assert (rest == 0).sum() == LATENT * (4 + 1)
    else:
        np.testing.assert_allclose(of_rows, expected[: rows.size].reshape(rows.shape), rtol=1e-5, atol=1e-8)
        assert (rest != 0).all()
        assert ((of_rows == 0) == ((rows < 0) | (rows > 1))).all()


def test_pseudo_inputs_start_where_asked():
    loc, scale = np.linspace(0, 1, FEATURES), np.array([1e-6, 0.1, 0.1, 0.1, 0.3])
    many = priors.Vamp.at_random(4000, FEATURES, loc=loc, scale=scale, key=KEY).pseudo_inputs
    np.testing.assert_allclose(many.mean(axis=0), loc, atol=5 * 0.3 / np.sqrt(4000))
    np.testing.assert_allclose(many.std(axis=0), scale, rtol=5 / np.sqrt(8000))


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64])
def test_rows_of_data_are_pseudo_inputs_that_are_learned(dtype: type):
    """Whatever type they have: what is no floating array of JAX would not be trained, and nobody would notice."""
    rows = np.eye(3, FEATURES).astype(dtype)
    prior = priors.Vamp(rows)
    assert isinstance(prior.pseudo_inputs, jax.Array)
    assert prior.pseudo_inputs.dtype == jnp.float32
    np.testing.assert_array_equal(prior.pseudo_inputs, rows)
    assert priors.Exemplar(rows).exemplars.dtype == jnp.float32


def test_of_several_layers_the_topmost_is_used():
    pseudo = inputs(3, 61)
    for posterior, top in ((top_down(), top_down().top), (ladder().ladder, ladder().ladder.topmost)):
        assert log_prior(priors.Vamp(pseudo), posterior) == log_prior(priors.Vamp(pseudo), top)


def test_prepared_once_for_an_evaluation():
    """`batched.ready` gives the same model with nothing left to encode: not even an encoder is asked for."""
    likelihood = likelihoods.Chain(likelihoods.Bernoulli(network(LATENT, FEATURES, 62)))
    model = LatentVariableModel(vamp_on_top(), likelihood, top_down())
    ready = batched.ready(model, KEY)
    assert not hasattr(ready.prior.top, "pseudo_inputs")
    z = (jnp.asarray(Z, jnp.float32), -jnp.asarray(Z, jnp.float32))
    found = [each.prior(key=KEY).log_prob(z) for each in (ready.bind(key=KEY), batched.bound(model, KEY))]
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-6)


def test_posteriors_that_are_no_mixture_are_refused():
    for prior, who in ((priors.Vamp(inputs(3, 61)), "a VampPrior"), (priors.Exemplar(inputs(3, 61)), "an exemplar")):
        with pytest.raises(ValueError, match=f"{who}.* was bound to a model without one"):
            log_prior(prior, None)
        with pytest.raises(ValueError, match=f"{who}.* which Chain has not: use a posterior of one layer, or"):
            log_prior(prior, POSTERIORS["chain"]())
        with pytest.raises(ValueError, match=f"{who}.* which Hamiltonian has not"):
            log_prior(prior, hamiltonian())
        with pytest.raises(ValueError, match="reads its model's posterior"):
            prior(key=KEY)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: priors.Vamp(jnp.zeros(4)), r"pseudo-inputs \[components, features\], got shape \(4,\)"),
        (lambda: priors.Vamp(jnp.zeros((0, 4))), r"got shape \(0, 4\)"),
        (lambda: priors.Exemplar(jnp.zeros(4)), r"rows \[components, features\], got shape \(4,\)"),
        (lambda: priors.Exemplar(jnp.zeros((2, 4)), scale=0.0), "must be positive, got 0.0"),
        (lambda: priors.Mixture(2, components=0, key=KEY), "at least 1 dimension and 1 component, got 2 and 0"),
        (lambda: priors.Flow(0, None), "at least 1 dimension, got 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong()
