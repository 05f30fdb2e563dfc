"""Few labels: M2 of Kingma et al. (2014, arXiv:1406.5298) as parts, against sums and quadrature over (y, z).

p(y) p(z) p(x|z, y) with two classes and a number z, linear in z for each class, so that p(z|x, y) is normal and known.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import norm
from sklearn.metrics import brier_score_loss

from iwax import (
    Datum,
    bounds,
    evaluation,
    gradients,
    inference,
    likelihoods,
    nn,
    posteriors,
    priors,
    samplers,
    training,
)
from iwax.model import LatentVariableModel

KEY = jax.random.key(8)
FEATURES, CLASSES, PRIOR = 3, 2, np.array([0.3, 0.7])
X = np.random.default_rng(0).normal(size=(5, FEATURES))


def m2(seed: int = 0) -> LatentVariableModel:
    """p(x|z, y) is normal around an affine function of (z, one-hot y); q(z|x, y) is wider than the exact one."""
    keys = jax.random.split(jax.random.key(seed), 4)
    code = nn.OneHot(CLASSES)
    of_latents = nn.Joined(
        (nn.Linear(1, 1, key=keys[0]), code), nn.Linear(1 + CLASSES, FEATURES, key=keys[0], initial="he_normal")
    )
    of_both = nn.Joined((nn.Linear(FEATURES, 4, key=keys[1]), code), nn.Linear(4 + CLASSES, 2, key=keys[2], heads=2))
    return LatentVariableModel(
        prior=priors.Chain(priors.Categorical(PRIOR), (likelihoods.Unconditional(priors.StandardNormal(1)),)),
        likelihood=likelihoods.Gaussian.scalar(of_latents, 0.8),
        posterior=posteriors.TopDown(
            posteriors.Categorical(nn.Linear(FEATURES, CLASSES, key=keys[3])),
            (posteriors.Gaussian(of_both, floor=1.0),),
        ),
    )


def exact_log_joint(model: LatentVariableModel, x: np.ndarray) -> np.ndarray:
    """log p(x, y) [rows, classes] by the trapezoidal rule over z."""
    grid = np.linspace(-9, 9, 2001)
    found = np.zeros((len(x), CLASSES))
    for y in range(CLASSES):
        z = (jnp.asarray(grid)[:, None], jnp.full((len(grid), 1), float(y)))
        loc = np.asarray(jax.vmap(lambda z: model.likelihood(z, key=KEY).mean)(z), np.float64)
        for i, row in enumerate(x):
            log = norm.logpdf(grid) + norm.logpdf(row, loc, 0.8).sum(axis=1)
            found[i, y] = np.log(PRIOR[y]) + logsumexp(log) + np.log(grid[1] - grid[0])
    return found


def test_label_probabilities_are_those_of_quadrature_within_their_error():
    model = m2()
    exact = exact_log_joint(model, X)
    found = inference.label_probabilities(model, X, k=4000, chunk=500, key=KEY)
    assert (np.abs(found.probabilities - softmax(exact, axis=1)) < 5 * found.error + 1e-6).all()
    assert found.error.max() < 0.02
    np.testing.assert_allclose(found.log_evidence, logsumexp(exact, axis=1), atol=0.05)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    logits = np.asarray(jax.vmap(model.posterior.top.network)(jnp.asarray(X, jnp.float32)))
    np.testing.assert_allclose(found.classifier, softmax(logits, axis=1), rtol=1e-5)
    p = found.probabilities
    np.testing.assert_allclose(found.entropy, -(p * np.log(p)).sum(axis=1))


def test_the_error_of_label_probabilities_is_the_spread_over_keys():
    model = m2()
    runs = [inference.label_probabilities(model, X, k=60, key=jax.random.key(i)) for i in range(60)]
    spread = np.std([run.probabilities[:, 0] for run in runs], axis=0, ddof=1)
    said = np.sqrt(np.mean([run.error[:, 0] ** 2 for run in runs], axis=0))
    np.testing.assert_allclose(said, spread, rtol=5 / np.sqrt(2 * 59))


def test_neither_batch_nor_chunk_changes_a_probability():
    model = m2()
    whole = inference.label_probabilities(model, X, k=6, key=KEY)
    parts = inference.label_probabilities(model, X, k=6, key=KEY, batch=2, chunk=4)
    np.testing.assert_allclose(whole.probabilities, parts.probabilities, rtol=1e-4)


@pytest.mark.parametrize("k", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_marginal_bound_is_above_kingmas_by_the_divergence_of_the_classifier(k):
    """log sum_y p(y) p^_k(x|y) - U_k(x) = KL(q(y|x) || r(y|x)) with r of the same draws."""
    model, sampler = m2(), samplers.Enumerated()
    terms = sampler.terms(model, KEY, Datum.of(X), k=k)
    log_w, log_mass = np.asarray(terms.log_w(), np.float64), np.asarray(terms.log_mass, np.float64)
    log_q = log_mass[0] + np.log(k)  # [classes, rows]
    marginal = logsumexp((log_w + log_mass).reshape(-1, len(X)), axis=0)
    r = logsumexp(log_w + log_q, axis=0) - np.log(k) - marginal  # log r(y|x)
    of_classes = logsumexp(log_w, axis=0) - np.log(k)  # log (1/k) sum_i of each class
    nested = (np.exp(log_q) * of_classes).sum(axis=0)
    np.testing.assert_allclose(marginal - nested, (np.exp(log_q) * (log_q - r)).sum(axis=0), atol=1e-5)
    found = gradients.Objective(gradients.pathwise(bounds.iwae), k=k, sampler=sampler)(model, KEY, Datum.of(X))
    np.testing.assert_allclose(found.bound, marginal, atol=1e-4)


def test_rows_with_and_without_a_label_are_the_same_in_one_batch_as_apart():
    model, labels = m2(), np.array([1, -1, 0, -1, -1])
    objective = gradients.Objective(
        gradients.pathwise(bounds.elbo),
        k=2,
        sampler=samplers.Enumerated(observed="label"),
        penalties=(gradients.Classification(5.0),),
    )

    def values(rows: np.ndarray) -> np.ndarray:
        x = Datum.of(X[rows], given={"label": labels[rows]}, index=rows)
        return np.asarray(eqx.filter_jit(lambda model, x: objective(model, KEY, x).value)(model, x))

    whole = values(np.arange(5))
    for rows in (np.array([0, 2]), np.array([1, 3, 4])):
        np.testing.assert_allclose(values(rows), whole[rows], rtol=1e-5)


def test_the_classification_penalty_is_the_cross_entropy_of_labelled_rows():
    model, labels = m2(), np.array([1, -1, 0, -1, 1])
    x = Datum.of(X, given={"label": labels})
    penalty = gradients.Classification(7.0)
    logits = jax.vmap(model.posterior.top.network)(jnp.asarray(X, jnp.float32))
    log_q = np.asarray(jax.nn.log_softmax(logits))
    expected = [-7 * log_q[i, y] if y >= 0 else 0.0 for i, y in enumerate(labels)]
    np.testing.assert_allclose(penalty(model, KEY, x), expected, rtol=1e-5)

    def total(model):
        return penalty(model, KEY, x).sum()

    slope = eqx.filter_grad(total)(model)
    assert np.abs(slope.posterior.top.network.weight).max() > 0
    assert np.abs(slope.likelihood.network.joint.weight).max() == 0
    with pytest.raises(ValueError, match="must be positive and finite, got 0"):
        gradients.Classification(0.0)


@pytest.mark.slow
def test_two_clusters_are_told_apart_by_two_labels():
    """Far apart in x, one label each: nearly every row is told its class, with probabilities that can be believed."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 400)
    x = np.where(truth[:, None] == 1, 1.5, -1.5) + rng.normal(size=(400, FEATURES))
    labels = np.full(400, -1)
    labels[[np.argmax(truth == 0), np.argmax(truth == 1)]] = 0, 1
    objective = gradients.Objective(
        gradients.pathwise(bounds.elbo),
        k=1,
        sampler=samplers.Enumerated(observed="label"),
        penalties=(gradients.Classification(20.0),),
    )
    points = Datum.of(x, given={"label": labels})
    trained = training.fit(
        m2(), objective, points, optimizer=optax.adam(0.01), epochs=60, batch=100, key=KEY, progress=False
    ).model
    found = inference.label_probabilities(trained, x, k=50, key=KEY)
    assert np.mean(found.labels == truth) > 0.97
    assert evaluation.expected_calibration_error(found.probabilities, truth) < 0.05


def test_a_categorical_prior_has_the_probabilities_it_was_given():
    p = priors.Categorical(PRIOR)(None, key=KEY)
    np.testing.assert_allclose(p.probabilities[0], PRIOR, rtol=1e-6)
    slope = eqx.filter_grad(lambda prior: prior(None, key=KEY).log_prob(jnp.zeros(1)))(priors.Categorical(3))
    assert np.abs(slope.logits).max() == 0
    slope = eqx.filter_grad(lambda prior: prior(None, key=KEY).log_prob(jnp.zeros(1)))(
        priors.Categorical(3, learned=True)
    )
    np.testing.assert_allclose(slope.logits, [2 / 3, -1 / 3, -1 / 3], rtol=1e-5)
    for wrong in ([0.5, 0.6], [1.0, 0.0]):
        with pytest.raises(ValueError, match="positive probabilities that sum to 1"):
            priors.Categorical(wrong)


def test_scores_of_probabilities():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(2), 4000)
    y = (rng.random(4000) < p[:, 1]).astype(int)
    assert evaluation.expected_calibration_error(p, y) < 0.03  # calibrated by construction
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert evaluation.expected_calibration_error(sharp, y) > 0.1
    assert evaluation.brier_score(p, y) < evaluation.brier_score(sharp, y)
    assert evaluation.brier_score(p, y) == pytest.approx(2 * brier_score_loss(y, p[:, 1]))
    for labels, message in ((y[:3], "shapes"), (y + 1, "from 0 to 1"), (p[:, 0], "from 0 to 1")):
        with pytest.raises(ValueError, match=message):
            evaluation.brier_score(p, labels)
