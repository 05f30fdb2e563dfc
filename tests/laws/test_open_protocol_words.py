"""A bag of words by a mixture of unigrams, the topic enumerated: everything is a sum that SciPy takes too."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multinomial

from iwax import Datum, bounds, distributions, evaluation, gradients, inference, parts, samplers, supports
from iwax.model import LatentVariableModel

KEY = jax.random.key(8)
TOPICS, WORDS, K = 3, 5, 4
LONGEST = 12  # words that a document which is drawn can have
ENUMERATED = samplers.Enumerated()
BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "ciwae": bounds.ciwae(0.3),
    "miwae": bounds.miwae(2),
    "renyi": bounds.renyi(0.5),
    "cubo": bounds.cubo(2.0),
    "jackknife": bounds.jackknife(1),
    "sumo": bounds.sumo(1),
    "thermodynamic": bounds.thermodynamic(3, first=0.1),
}


class Multinomial(parts.Distribution):
    """Counts of words: ``log p(x) = log (sum_v x_v)! - sum_v log x_v! + sum_v x_v log b_v``, b = softmax(logits)."""

    reparameterized = False

    logits: jax.Array
    total: jax.Array

    @property
    def mean(self):
        return self.total * jax.nn.softmax(self.logits)

    def draw(self, key):
        words = jax.random.categorical(key, self.logits, shape=(LONGEST,))
        there = (jnp.arange(LONGEST) < self.total)[:, None]
        return jnp.sum(jax.nn.one_hot(words, WORDS) * there, axis=0), None

    def log_prob(self, value, trace=None, where=None):
        if where is not None:
            raise ValueError("counts of words are all observed")
        arrangements = jax.lax.lgamma(value.sum() + 1) - jax.lax.lgamma(value + 1).sum()
        return arrangements + value @ jax.nn.log_softmax(self.logits)


class Topics(parts.Prior):
    """p(y), and q(y|x) of the same kind below."""

    logits: jax.Array

    def __call__(self, given=None, *, key):
        return distributions.Categorical(self.logits[None])


class Unigrams(parts.Likelihood):
    """p(x|y) of the words of topic y, as many as are given."""

    logits: jax.Array

    @property
    def needs(self):
        return {"total": jax.ShapeDtypeStruct((), jnp.int32)}

    @property
    def support(self):
        return supports.counts

    def __call__(self, z, given=None, *, key):
        return Multinomial(self.logits[z[0].astype(int)], given["total"])


class AnyGuess(parts.Posterior):
    """q(y|x) = softmax(x weight)."""

    weight: jax.Array

    def __call__(self, context, *, key):
        return distributions.Categorical((parts.values_of(context) @ self.weight)[None])


class Bayes(parts.Posterior):
    """p(y|x) of the prior and the likelihood of its model."""

    def bind(self, model, *, key):
        return BayesOf(model.prior.logits, model.likelihood.logits)

    def __call__(self, context, *, key):
        raise ValueError("bind it")


class BayesOf(parts.Posterior):
    topics: jax.Array
    words: jax.Array

    def __call__(self, context, *, key):
        logits = jax.nn.log_softmax(self.topics) + jax.nn.log_softmax(self.words) @ parts.values_of(context)
        return distributions.Categorical(logits[None])


rng = np.random.default_rng(3)
PARAMETERS = {
    "topics": rng.normal(size=TOPICS),
    "words": rng.normal(size=(TOPICS, WORDS)),
    "guess": 0.3 * rng.normal(size=(WORDS, TOPICS)),
}
COUNTS = np.array([[2, 0, 1, 0, 3], [0, 0, 0, 1, 0], [5, 1, 1, 2, 1], [0, 4, 0, 0, 0]])


def documents() -> Datum:
    return Datum.of(COUNTS, given={"total": COUNTS.sum(axis=1)})


def model(p, *, exact: bool) -> LatentVariableModel:
    posterior = Bayes() if exact else AnyGuess(p["guess"])
    return LatentVariableModel(Topics(p["topics"]), Unigrams(p["words"]), posterior)


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def log_joint() -> np.ndarray:
    """log p(x, y) [documents, topics], by SciPy."""
    of_words = [multinomial.logpmf(COUNTS, COUNTS.sum(axis=1), each) for each in softmax(PARAMETERS["words"])]
    return np.log(softmax(PARAMETERS["topics"])) + np.stack(of_words, axis=1)


def test_no_bound_is_left_out():
    assert set(BOUNDS) == set(bounds.__all__) - {"Bound", "collapsed"}


@pytest.mark.usefixtures("float64")
def test_every_bound_is_the_evidence_where_q_is_the_exact_posterior():
    """And IWAE where it is any other; so is what the draws say of the topic."""

    @jax.jit
    def run(p):
        of_exact = ENUMERATED.terms(model(p, exact=True), KEY, documents(), k=K)
        of_any = ENUMERATED.terms(model(p, exact=False), KEY, documents(), k=1)
        every = {name: ENUMERATED.close(bound, of_exact, KEY) for name, bound in BOUNDS.items()}
        topic = jax.nn.softmax((of_any.log_w() + of_any.log_mass)[0], axis=0).T
        return every, ENUMERATED.close(bounds.iwae, of_any, KEY), topic, jnp.exp(of_exact.log_mass[0].T) * K

    every, of_any, topic, q = run(PARAMETERS)
    evidence = np.logaddexp.reduce(log_joint(), axis=1)
    for name, found in (every | {"iwae of any q": of_any}).items():
        np.testing.assert_allclose(found, evidence, rtol=1e-12, err_msg=name)
    posterior = np.exp(log_joint() - evidence[:, None])
    np.testing.assert_allclose(topic, posterior, rtol=1e-10)
    np.testing.assert_allclose(q, posterior, rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_the_gradient_is_that_of_the_evidence_and_none_for_q():
    """sum_y p(y|x) of counts less their expectation, written out."""
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=2, sampler=ENUMERATED)

    @jax.jit
    @jax.grad
    def slope(p):
        return objective(model(p, exact=False), KEY, documents()).value.sum()

    found = slope(jax.tree.map(jnp.asarray, PARAMETERS))
    joint = log_joint()
    given_x = np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    counts, total = given_x.T @ COUNTS, given_x.T @ COUNTS.sum(axis=1)
    np.testing.assert_allclose(found["words"], counts - total[:, None] * softmax(PARAMETERS["words"]), atol=1e-10)
    expected = given_x.sum(axis=0) - len(COUNTS) * softmax(PARAMETERS["topics"])
    np.testing.assert_allclose(found["topics"], expected, atol=1e-10)
    np.testing.assert_allclose(found["guess"], 0, atol=1e-10)


def test_evidence_and_documents_of_a_given_length():
    of = model(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), PARAMETERS), exact=False)
    found = evaluation.log_evidence(of, documents(), k=2, key=KEY, sampler=ENUMERATED)
    np.testing.assert_allclose(found.log_evidence, np.logaddexp.reduce(log_joint(), axis=1), rtol=1e-5)
    totals = np.repeat([3, 12], 500)
    drawn = inference.generate(of, 1000, key=KEY, given={"total": totals})
    np.testing.assert_array_equal(drawn.sample.sum(axis=1), totals)
    share = softmax(PARAMETERS["topics"]) @ softmax(PARAMETERS["words"])
    error = (drawn.sample / totals[:, None]).std(axis=0) / math.sqrt(1000)
    assert (np.abs((drawn.sample / totals[:, None]).mean(axis=0) - share) < 4.5 * error).all()
    wrong = Datum.of(COUNTS + 0.5, given={"total": COUNTS.sum(axis=1)})
    with pytest.raises(ValueError, match="whole numbers from 0"):
        evaluation.log_evidence(of, wrong, k=2, key=KEY, sampler=ENUMERATED)
