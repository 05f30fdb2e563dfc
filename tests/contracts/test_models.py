"""A model is its parts, once each; parts that do not fit are refused where it is built, before anything runs."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.parts import (
    FEATURES,
    KEY,
    LATENT,
    POSTERIORS,
    PRIORS,
    X,
    hamiltonian,
    inputs,
    ladder,
    network,
    stored_twice,
    top_down,
    vamp_on_top,
)

from iwax import batched, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Posterior

STANDARD, GAUSSIAN = PRIORS["standard normal"], POSTERIORS["gaussian"]


def decoder(latent: int = LATENT, features: int = FEATURES) -> likelihoods.Bernoulli:
    return likelihoods.Bernoulli(network(latent, features, 70))


def encoder(features: int = FEATURES, latent: int = LATENT) -> posteriors.Gaussian:
    return posteriors.Gaussian(network(features, 2 * latent, 71, heads=2))


FITTING: dict[str, Callable] = {
    "flow": lambda: (PRIORS["masked autoregressive"](), decoder(), POSTERIORS["planar"]()),
    "vamp of a mixture": lambda: (PRIORS["vamp"](), decoder(), POSTERIORS["mixture"]()),
    "exemplar of a flow": lambda: (PRIORS["exemplar"](), decoder(), POSTERIORS["real nvp"]()),
    "hamiltonian": lambda: (PRIORS["real nvp"](), decoder(), hamiltonian()),
    "vamp on top": lambda: (vamp_on_top(), likelihoods.Chain(decoder()), top_down()),
    "ladder under vamp": lambda: (vamp_on_top(), likelihoods.Chain(decoder()), ladder().ladder),
}


@pytest.fixture(autouse=True)
def fresh():
    """Networks without values are not kept for other tests."""
    yield
    network.cache_clear()


@pytest.mark.parametrize("name", FITTING)
def test_parts_that_fit_make_a_model_also_without_values(name: str):
    network.cache_clear()
    model = eqx.filter_eval_shape(lambda: LatentVariableModel(*FITTING[name]()))
    assert jax.tree.leaves(model)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            lambda: (STANDARD(), decoder(), encoder(latent=3)),
            r"prior priors.StandardNormal and posterior posteriors.Gaussian need z of one shape, got \(2,\) and \(3,\)",
        ),
        (
            lambda: (STANDARD(), decoder(latent=3), encoder(latent=3)),
            r"likelihood likelihoods.Bernoulli at a z of shape \(2,\) from prior priors.StandardNormal: .* 3 features",
        ),
        (
            lambda: (STANDARD(), decoder(), encoder(features=7)),
            r"posterior posteriors.Gaussian at an x of shape \(5,\) from likelihood likelihoods.Bernoulli: .* 7 feat",
        ),
        (
            lambda: (STANDARD(), likelihoods.Gaussian.of_network(network(LATENT, 5, 72)), encoder()),
            "likelihood likelihoods.Gaussian at a z of shape .* a multiple of 2 is needed, got 5",
        ),
        (
            lambda: (STANDARD(), decoder(), posteriors.FullGaussian(network(FEATURES, 4, 73), LATENT)),
            "posterior posteriors.FullGaussian at an x of shape .* 2 latents needs 5 outputs of its network, got 4",
        ),
        (
            lambda: (STANDARD(), decoder(), posteriors.Mixture(network(FEATURES, 4, 73), LATENT, components=2)),
            "posterior posteriors.Mixture at an x of shape .* needs 10 outputs of its network, got 4",
        ),
        (
            lambda: (priors.StandardNormal(3), decoder(latent=3), POSTERIORS["planar"]()),
            r"prior priors.StandardNormal and posterior posteriors.Flow need z .* got \(3,\) and \(2,\)",
        ),
        (
            lambda: (PRIORS["chain"](), likelihoods.Chain(decoder()), top_down()),
            r"priors.Chain and posterior posteriors.TopDown need z of one shape, got \(\(2,\), \(2,\), \(2,\)\) and "
            r"\(\(2,\), \(2,\)\)",
        ),
        (
            lambda: (PRIORS["chain"](), likelihoods.Chain(decoder()), ladder().ladder),
            "posteriors.Ladder .* ladder posterior of 2 layers shares the 1 conditionals of a priors.Chain, got 2 in",
        ),
        (
            lambda: (STANDARD(), decoder(), ladder().ladder),
            "shares the 1 conditionals of a priors.Chain, got none in StandardNormal",
        ),
        (
            lambda: (priors.Vamp(jnp.zeros((3, 7))), decoder(), GAUSSIAN()),
            "prior priors.Vamp with posterior posteriors.Gaussian: .* needs inputs of 5 features .* got shape .7,",
        ),
        (
            lambda: (vamp_on_top(), likelihoods.Chain(decoder()), POSTERIORS["chain"]()),
            "prior priors.Chain with posterior posteriors.Chain: a VampPrior needs .* which Chain has not",
        ),
        (
            lambda: (priors.Exemplar(inputs(3, 74)), decoder(), hamiltonian()),
            "prior priors.Exemplar with posterior posteriors.Hamiltonian: an exemplar prior .* Hamiltonian has not",
        ),
        (
            lambda: (priors.StandardNormal(3), decoder(latent=3), hamiltonian()),
            r"posterior posteriors.Hamiltonian at an x of shape \(5,\)",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message: str):
    network.cache_clear()
    with pytest.raises(ValueError, match=message):
        eqx.filter_eval_shape(lambda: LatentVariableModel(*parts()))


class Mine(Posterior):
    """A posterior of somebody else's, which runs on shapes alone."""

    latent: int

    def __call__(self, context, *, key):
        assert isinstance(context.values, jax.core.Tracer), "nothing is computed where a model is built"
        return priors.StandardNormal(self.latent)(None, key=key)


def test_parts_of_ones_own_are_named_and_not_run():
    LatentVariableModel(STANDARD(), decoder(), Mine(LATENT))
    with pytest.raises(ValueError, match=r"and posterior \w+.Mine need z of one shape, got \(2,\) and \(4,\)"):
        LatentVariableModel(STANDARD(), decoder(), Mine(4))
    alone = type("Alone", (Mine,), {"__module__": "__main__"})
    with pytest.raises(ValueError, match="and posterior Alone need z"):
        LatentVariableModel(STANDARD(), decoder(), alone(4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda trunk: posteriors.householder(trunk, 2, reflections=0, key=KEY), "at least 1 reflection, got 0"),
        (lambda trunk: posteriors.linear_iaf(trunk, 1, key=KEY), "at least 2 latents to mix, got 1"),
        (lambda trunk: posteriors.convex_linear_iaf(trunk, 2, components=0, key=KEY), "at least 1 matrix, got 0"),
        (lambda trunk: posteriors.planar(trunk, 2, steps=0, key=KEY), "at least 1 step, got 0"),
        (lambda trunk: posteriors.radial(trunk, 2, steps=0, key=KEY), "at least 1 step, got 0"),
        (lambda trunk: posteriors.nice(trunk, 1, steps=1, hidden=(4,), key=KEY), "at least 2 features, .* got 1"),
        (lambda trunk: posteriors.real_nvp(trunk, 2, steps=0, hidden=(4,), key=KEY), "at least 1 step, got 0"),
        (lambda trunk: posteriors.iaf(trunk, 2, steps=0, hidden=(4,), key=KEY), "at least 1 step, got 0"),
        (lambda trunk: posteriors.sylvester(trunk, 2, steps=1, planes=3, key=KEY), "between 1 and 2 planes, .* got 3"),
        (lambda trunk: posteriors.sylvester(trunk, 2, steps=0, planes=1, key=KEY), "at least 1 step, got 0"),
    ],
)
def test_flows_that_cannot_be_are_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong(network(FEATURES, 3, 75))


MODELS = {
    "one layer": lambda: LatentVariableModel(STANDARD(), decoder(), GAUSSIAN()),
    "three layers": lambda: LatentVariableModel(PRIORS["chain"](), likelihoods.Chain(decoder()), POSTERIORS["chain"]()),
}


@pytest.mark.parametrize("name", MODELS)
def test_no_array_is_stored_twice(name: str):
    assert stored_twice(MODELS[name]()) == []


def test_an_array_stored_twice_is_found():
    model = MODELS["one layer"]()
    assert stored_twice(eqx.tree_at(lambda m: m.prior, model, model.posterior))
    copied = jax.tree.map(lambda leaf: leaf + 0 if eqx.is_array(leaf) else leaf, model.posterior)
    assert stored_twice(eqx.tree_at(lambda m: m.prior, model, copied))


@pytest.mark.parametrize("name", MODELS)
def test_a_prepared_prior_is_a_part_that_shares_the_priors_arrays(name: str):
    model = MODELS[name]()
    ready = model.bind(key=jax.random.key(0)).prior
    before, after = (jax.tree.leaves(eqx.filter(tree, eqx.is_array)) for tree in (model.prior, ready))
    assert [id(leaf) for leaf in before] == [id(leaf) for leaf in after]


@pytest.mark.parametrize("name", MODELS)
def test_the_terms_of_log_w_are_the_densities_of_the_parts(name: str):
    """Written out for one datum and one draw, with the keys found by drawing again."""
    model, key = MODELS[name](), jax.random.key(8)
    draw = model.propose(X, key)
    terms = model.bind(key=key).terms(X, draw.keys, draw.z, jnp.float32(0.5))
    z = draw.z
    logits = model.likelihood(z, key=key).logits
    p = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    x = np.asarray(X.values)
    np.testing.assert_allclose(terms.log_likelihood, np.log(np.where(x == 1, p, 1 - p)).sum(), rtol=1e-5)
    np.testing.assert_allclose(terms.log_prior, model.prior(None, key=key).log_prob(z), rtol=1e-6)
    assert float(terms.log_w(1.0)) == pytest.approx(float(terms.log_likelihood + terms.log_prior) - 0.5)
    assert float(terms.log_w(0.0)) == float(terms.log_likelihood)


@pytest.mark.parametrize("name", MODELS)
def test_missing_features_do_not_count(name: str):
    """Two rows that differ in a feature, with the noise of one row number, under a posterior that does not look."""
    model = eqx.tree_at(lambda m: m.posterior, MODELS[name](), MODELS[name]().prior)
    values = jnp.stack([X.values] * 2).at[1, 2].set(0.0)
    mask = jnp.array([[True, True, False, True, False]] * 2)

    @jax.jit
    def log_likelihood(observed):
        x = Datum(values=values, observed=observed, index=jnp.zeros(2, jnp.int32))
        return batched.terms(model, jax.random.key(8), x, k=2).log_likelihood.T

    np.testing.assert_array_equal(*log_likelihood(mask))
    assert not np.array_equal(*log_likelihood(jnp.ones_like(mask)))


@pytest.mark.parametrize("name", MODELS)
def test_generated_data_come_from_the_model(name: str):
    model = MODELS[name]()
    z, mean, sample = jax.jit(lambda key: batched.generate(model, key, 4000))(jax.random.key(0))
    assert mean.shape == sample.shape == (4000, FEATURES)
    assert set(np.unique(sample)) == {0.0, 1.0}
    error = np.sqrt(mean * (1 - mean)).mean(axis=0) / np.sqrt(4000)
    assert (np.abs((sample - mean).mean(axis=0)) < 4.5 * error).all()
    assert len(z) == (3 if name == "three layers" else 4000)


class Remembers(Posterior):
    """A part within a chain that reads the model: q(z|x) of one unit, the prior's."""

    def bind(self, model, *, key):
        return priors.Fixed(model.prior.topmost(key=key))

    def __call__(self, context, *, key):
        raise ValueError("not bound")


@pytest.mark.parametrize("chain", [posteriors.Chain, posteriors.TopDown])
def test_parts_within_a_chain_are_bound(chain):
    prior = priors.Chain(STANDARD(), (likelihoods.Gaussian.of_network(network(LATENT, 2 * LATENT, 3)),))
    model = LatentVariableModel(prior, likelihoods.Chain(decoder()), chain(Remembers(), (Remembers(),)))
    q = model.infer(X, key=jax.random.key(0))
    assert [layer.mean.tolist() for layer in q.layers((jnp.ones(LATENT),) * 2)] == [[0.0] * LATENT] * 2
