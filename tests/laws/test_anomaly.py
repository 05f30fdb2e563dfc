"""Anomaly scores where the answer is known: two normals, many dimensions, and a distribution of perturbations."""

import jax
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from iwax import data, evaluation, inference

ORACLE = LinearGaussian.random(5, 2, seed=3)
KEY = jax.random.key(11)
DIGITS = data.load("digits-grey")


def test_the_ratio_of_two_normals_has_the_auroc_of_the_closed_form():
    """Of one covariance S and means d apart: ``Phi(sqrt(d' S^-1 d / 2))``, and the ratio is the best of all scores."""
    apart = LinearGaussian(ORACLE.weight, ORACLE.bias + 0.5, ORACLE.variance)
    inliers, outliers = ORACLE.sample(600, seed=0), apart.sample(600, seed=1)
    found = [
        inference.likelihood_ratio(ORACLE.model(), apart.model(), x.astype(np.float32), k=2, key=KEY)
        for x in (inliers, outliers)
    ]
    exact = ORACLE.log_evidence(inliers) - apart.log_evidence(inliers)
    np.testing.assert_allclose(found[0].ratio, exact, atol=2e-4)
    shift = apart.bias - ORACLE.bias
    covariance = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
    expected = norm.cdf(np.sqrt(shift @ np.linalg.solve(covariance, shift) / 2))
    value, error = evaluation.auroc(found[0].ratio, found[1].ratio)
    assert 0.6 < expected < 0.9
    assert abs(value - expected) < 4.5 * error
    plain = evaluation.auroc(found[0].evidence.log_evidence, found[1].evidence.log_evidence)
    assert value > plain.value


def test_the_errors_of_the_two_models_are_independent_and_add_up_in_squares():
    wide = ORACLE.model(scale=1.4)
    x = np.repeat(ORACLE.sample(1, seed=2).astype(np.float32), 400, axis=0)
    found = inference.likelihood_ratio(wide, wide, x, k=20, key=KEY)
    expected = np.hypot(found.evidence.monte_carlo_error, found.background.monte_carlo_error)
    np.testing.assert_allclose(found.monte_carlo_error, expected)
    spread, terms = found.ratio.var(ddof=1), [found.evidence.log_evidence, found.background.log_evidence]
    alone = sum(each.var(ddof=1) for each in terms)
    assert abs(spread / alone - 1) < 4.5 * np.sqrt(2 / 399)
    assert abs(found.ratio.mean()) < 4.5 * np.sqrt(spread / 400)
    assert len(found.warnings()) == 2 * len(found.evidence.warnings())


def test_typicality_flags_the_origin_that_log_p_ranks_highest():
    dimensions = 200
    rng = np.random.default_rng(0)

    def log_p(x):
        return norm.logpdf(x).sum(axis=1)

    reference, drawn = log_p(rng.normal(size=(2000, dimensions))), log_p(rng.normal(size=(500, dimensions)))
    origin = log_p(np.zeros((1, dimensions)))
    assert origin > drawn.max()
    scores = inference.typicality(np.concatenate([origin, drawn]), reference)
    assert scores.argmin() == 0
    # the entropy is D/2 (1 + log 2 pi), and log p at the origin lies D/2 above minus that
    assert abs(scores[0] + dimensions / 2) < 4.5 * np.sqrt(dimensions / 2 / 2000)


def test_auroc_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(1)
    inliers, outliers = np.round(rng.normal(0.5, 1, 60), 1), np.round(rng.normal(size=40), 1)
    outliers[0] = -np.inf
    labels = np.repeat([1, 0], [60, 40])
    finite = np.concatenate([inliers, np.maximum(outliers, -1e9)])
    assert evaluation.auroc(inliers, outliers).value == pytest.approx(roc_auc_score(labels, finite), abs=1e-12)
    assert evaluation.auroc([3.0, 4.0], [1.0, 2.0]) == (1.0, 0.0)


def test_the_error_of_an_auroc_is_its_spread():
    rng = np.random.default_rng(2)
    found = [evaluation.auroc(rng.normal(1, 2, 80), rng.normal(size=120)) for _ in range(500)]
    values, errors = np.array(found).T
    assert abs(values.mean() - norm.cdf(1 / np.sqrt(5))) < 4.5 * values.std(ddof=1) / np.sqrt(500)
    assert abs(np.mean(errors**2) / values.var(ddof=1) - 1) < 4.5 * np.sqrt(2 / 499) + 1 / 80  # its bias is of 1/n


@pytest.mark.parametrize(("levels", "start"), [(2, 0), (17, 3), (256, 255)])
def test_a_share_is_replaced_by_uniform_values(levels: int, start: int):
    """A value changes with probability share (1 - 1/levels), and then to each of the others alike."""
    n, share = 40_000, 0.3
    found = data.perturb(np.full((n // 8, 8), start, np.uint8), share, levels=levels, seed=4)
    changed = found[found != start]
    expected = share * (1 - 1 / levels)
    assert abs(changed.size / n - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n)
    counts = np.delete(np.bincount(changed, minlength=levels), start)
    each = changed.size / (levels - 1)
    assert counts.size == levels - 1
    assert abs(((counts - each) ** 2 / each).sum() - (levels - 2)) <= 4.5 * np.sqrt(2 * (levels - 2))


def test_real_values_are_replaced_within_the_range_of_their_column_and_missing_cells_stay():
    x = np.array([[-1.0, 5.0], [3.0, 5.0]], np.float32).repeat(4000, axis=0)
    x[0, 0] = np.nan
    found = data.perturb(x, 1.0, levels=None, seed=0)
    assert found.dtype == np.float32
    assert np.isnan(found[0, 0])
    assert (found[:, 1] == 5).all()
    inside = found[1:, 0]
    assert -1 <= inside.min() < inside.max() <= 3
    assert abs(inside.mean() - 1) < 4.5 * 4 / np.sqrt(12 * inside.size)
    np.testing.assert_array_equal(x[1:], np.array([[-1.0, 5.0], [3.0, 5.0]], np.float32).repeat(4000, axis=0)[1:])


def test_a_perturbed_data_set_keeps_its_test_rows_and_says_what_was_done():
    noisy = data.load("digits-grey", perturb=0.25)
    assert noisy.name == "digits-grey-perturbed"
    assert "with probability 0.25" in noisy.protocol
    np.testing.assert_array_equal(noisy.test.values, DIGITS.test.values)
    for part in ("train", "valid"):
        before, after = DIGITS.split(part).values, noisy.split(part).values
        expected = 0.25 * 255 / 256
        assert abs((before != after).mean() - expected) < 4.5 * np.sqrt(expected / before.size)
    assert noisy.digest() == data.load("digits-grey", perturb=0.25).digest() != DIGITS.digest()


def test_a_replaced_pixel_of_rows_binarised_later_is_one_half_of_the_time():
    before, after = (data.load("digits", perturb=share).train.values for share in (None, 1.0))
    assert before.shape == after.shape
    assert abs(after.mean() / 255 - 0.5) < 4.5 / np.sqrt(12 * after.size)
    valid = data.load("digits", perturb=1.0).valid
    assert abs(valid.values.mean() - 0.5) < 4.5 * 0.5 / np.sqrt(valid.values.size)


def test_the_code_of_noise_is_no_shorter_than_its_entropy():
    noise = np.random.default_rng(0).integers(256, size=(20, 784)).astype(np.uint8)
    assert inference.code_length(noise, (28, 28)).mean() > 784 * np.log(256)
    assert (inference.code_length(DIGITS.test.values[:5], (8, 8)) < inference.code_length(noise[:5], (28, 28))).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evaluation.auroc([1.0], [0.0, 2.0]), r"inliers needs scores \[n\] of at least two rows"),
        (
            lambda: evaluation.auroc([1.0, 2.0], [0.0, np.nan]),
            "outliers needs scores that have a rank, got nan in row 1",
        ),
        (lambda: inference.typicality([1.0], [np.inf]), "reference needs finite log p"),
        (lambda: inference.typicality([[1.0]], [1.0]), "typicality needs log p"),
        (lambda: inference.code_length(np.zeros((2, 4)), (2, 2)), r"grey values uint8 \[n, 4\], got float64"),
        (lambda: data.perturb(np.zeros((2, 2), np.uint8), 0.0, levels=2, seed=0), "share <= 1, got 0"),
        (lambda: data.perturb(np.full((2, 2), 9, np.uint8), 0.1, levels=2, seed=0), "lie in 0..1, got 9 to 9"),
        (lambda: data.perturb(np.zeros(3, np.uint8), 0.1, levels=2, seed=0), r"rows \[n, D\]"),
        (lambda: data.perturb(np.zeros((2, 2), np.uint8), 0.1, levels=1, seed=0), "levels must be from 2"),
        (lambda: data.load("breast-cancer", perturb=2.0), "share <= 1, got 2.0"),
    ],
)
def test_what_cannot_be_scored_or_perturbed_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
