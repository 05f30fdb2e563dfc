"""The scikit-learn estimators on rows whose distribution is known, and scikit-learn's own checks of estimators."""

import sys

import jax
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.utils.estimator_checks import check_estimator

from iwax.sklearn import IWAE, VAE, IWAEImputer, IWAEOutlierDetector
from iwax.sklearn.estimator import new_seed

pytestmark = pytest.mark.slow

LATENT, FEATURES = 2, 5
WEAK = LinearGaussian.random(FEATURES, LATENT, seed=3)
UNITS = np.array([1.0, 30.0, 1e-3, 2.0, 500.0])
ORACLE = LinearGaussian(2 * WEAK.weight * UNITS[:, None], WEAK.bias * UNITS + 7, 0.5 * WEAK.variance * UNITS**2)
COVARIANCE = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
AFFINE = {
    "prior_components": 1,
    "n_components": LATENT,
    "likelihood": "gaussian",
    "hidden_layer_sizes": (),
    "learning_rate_init": 1e-2,
    "random_state": 0,
}


def holed(x: np.ndarray, seed: int) -> np.ndarray:
    """The rows with a third of their cells missing, and something observed in each."""
    missing = np.random.default_rng(seed).random(x.shape) < 1 / 3
    missing[missing.all(axis=1), 0] = False
    return np.where(missing, np.nan, x)


def exact(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p(x_observed) [n], and E[x_missing | x_observed] [n, D] (x itself where it was observed)."""
    log_p, means = np.empty(len(x)), x.copy()
    for i, row in enumerate(x):
        seen, off = ~np.isnan(row), row - ORACLE.bias
        inverse = np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
        log_p[i] = -0.5 * (off[seen] @ inverse @ off[seen] - np.linalg.slogdet(inverse / (2 * np.pi))[1])
        means[i, ~seen] = ORACLE.bias[~seen] + COVARIANCE[np.ix_(~seen, seen)] @ inverse @ off[seen]
    return log_p, means


@pytest.fixture(scope="module")
def iwae() -> IWAE:
    return IWAE(k=5, max_iter=60, n_iter_no_change=None, **AFFINE).fit(ORACLE.sample(4_000, seed=0))


@pytest.fixture(scope="module")
def imputer() -> IWAEImputer:
    return IWAEImputer(k=5, max_iter=60, n_iter_no_change=None, **AFFINE).fit(holed(ORACLE.sample(4_000, seed=0), 1))


# -- densities and samples --------------------------------------------------------------------------------------


def test_densities_of_new_rows_are_close_to_exact(iwae):
    """In the units of the data: the mean off is an estimate of KL(truth || model), with noise of a hundredth."""
    x = ORACLE.sample(1_000, seed=8)
    off = ORACLE.log_evidence(x) - iwae.score_samples(x)
    assert -0.01 < off.mean() < 0.03
    assert np.sqrt(np.mean(off**2)) < 0.15
    assert ORACLE.log_evidence(x).std() > 1
    assert iwae.score(x) == pytest.approx(iwae.score_samples(x).mean())
    assert not iwae.evidence(x).warnings()
    assert iwae.bounds_[-1] == pytest.approx(ORACLE.log_evidence(x).mean(), abs=0.3)


def test_densities_of_rows_with_missing_cells_are_the_marginal_ones(imputer):
    whole = IWAE(k=5, max_iter=60, n_iter_no_change=None, **AFFINE).fit(holed(ORACLE.sample(4_000, seed=0), 1))
    x = holed(ORACLE.sample(1_000, seed=8), 9)
    off = exact(x)[0] - whole.score_samples(x)
    assert -0.01 < off.mean() < 0.06
    assert np.sqrt(np.mean(off**2)) < 0.25


def test_samples_have_the_moments_of_the_fitted_model(iwae):
    """Its decoder is affine: the mean and covariance over z are known but for E scale(z)^2, a sum over a fine grid."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    means = iwae.inverse_transform(z)
    network = iwae.model_.likelihood.network
    outputs = np.asarray(jax.vmap(network)(z.astype(np.float32)), np.float64)
    variance = weight @ np.exp(2 * outputs[:, FEATURES:]) * iwae.scale_**2
    mean = weight @ means
    covariance = (weight[:, None] * (means - mean)).T @ (means - mean) + np.diag(variance)
    n = 20_000
    x = iwae.sample(n)
    spread = np.sqrt(np.diagonal(covariance))
    assert (np.abs(x.mean(axis=0) - mean) < 4.5 * spread / np.sqrt(n)).all()
    products = (x - mean)[:, :, None] * (x - mean)[:, None, :]
    assert (np.abs(products.mean(axis=0) - covariance) < 4.5 * products.std(axis=0) / np.sqrt(n)).all()
    assert (np.abs(covariance - COVARIANCE) < 0.15 * np.outer(spread, spread)).all()


def test_samples_and_densities_are_those_of_one_law(iwae):
    """``E_{x ~ p} q(x) / p(x) = 1`` for any density q: here one that is narrower than p."""
    x = iwae.sample(4_000)
    narrow = np.linalg.inv(0.5 * np.cov(x.T))
    off = x - x.mean(axis=0)
    log_q = 0.5 * (np.linalg.slogdet(narrow / (2 * np.pi))[1] - np.einsum("ni,ij,nj->n", off, narrow, off))
    ratio = np.exp(log_q - iwae.score_samples(x))
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / np.sqrt(len(x)) < 0.1


def test_tails_are_heavier_with_student_t():
    """Of rows with outliers it gives new ones a higher density than the Gaussian does, by more than the error."""
    rng = np.random.default_rng(0)
    x = rng.standard_t(2.5, (1_200, 3))
    fits = [IWAE(k=2, max_iter=60, **AFFINE | {"likelihood": each}).fit(x[:800]) for each in ("student_t", "gaussian")]
    gain = np.subtract(*(each.score_samples(x[800:]) for each in fits))
    assert gain.mean() > 4.5 * gain.std() / np.sqrt(len(gain))


# -- imputations ------------------------------------------------------------------------------------------------


def test_imputed_values_are_close_to_the_conditional_means(imputer):
    truth = ORACLE.sample(1_000, seed=8)
    x = holed(truth, 9)
    missing, found = np.isnan(x), imputer.imputation(x)
    best = exact(x)[1]
    of_best, of_means, of_found = (
        np.sqrt(np.mean(((each - truth) / np.sqrt(np.diagonal(COVARIANCE)))[missing] ** 2))
        for each in (best, np.broadcast_to(ORACLE.bias, x.shape), found.values)
    )
    assert of_found < of_best + 0.02 < of_means - 0.1
    off = ((found.values - best) / np.sqrt(np.diagonal(COVARIANCE)))[missing]
    assert np.sqrt(np.mean(off**2)) < 0.15


def test_draws_of_tables_cover_the_truth(imputer):
    """Of 19 draws and the value, exchangeable all, the value lies at an end once in ten times."""
    truth = ORACLE.sample(1_000, seed=8)
    x = holed(truth, 9)
    missing, draws = np.isnan(x), imputer.multiple(x, 19)
    outside = ((truth < draws.min(axis=0)) | (truth > draws.max(axis=0)))[missing]
    assert abs(outside.mean() - 0.1) < 0.03
    assert (draws[:, ~missing] == x[~missing]).all()
    assert (draws[0, missing] != draws[1, missing]).all()
    np.testing.assert_array_equal(imputer.multiple(truth, 2), [truth, truth])


# -- outliers ---------------------------------------------------------------------------------------------------


def test_outliers_are_found_that_no_single_feature_shows():
    """Rows whose features are each as usual and do not go together; the threshold holds for either score."""
    x = ORACLE.sample(2_000, seed=0)
    apart = np.stack([x[np.random.default_rng(j).permutation(len(x)), j] for j in range(FEATURES)], axis=1)
    for score in ("log_prob", "typicality"):
        detector = IWAEOutlierDetector(k=5, max_iter=50, contamination=0.05, outlier_score=score, **AFFINE).fit(x)
        assert (detector.predict(x) == -1).sum() == 100
        usual = detector.predict(ORACLE.sample(2_000, seed=8))
        assert abs((usual == -1).mean() - 0.05) < 0.02
        assert (detector.predict(apart) == -1).mean() > 0.2
        assert detector.mean_log_prob_ == pytest.approx(detector.evidence(x).mean)


# -- extremes ---------------------------------------------------------------------------------------------------


def test_a_constant_feature_has_a_density_and_another_value_a_lower_one():
    """Its scale is 1, that of p(x|z) there ends at a thousandth; what is constant but for rounding counts as such."""
    x = ORACLE.sample(300, seed=0)
    x[:, 0] = 0.1 + 0.2
    x[0, 0] = 0.3
    fitted = IWAE(k=2, max_iter=300, n_iter_no_change=None, **AFFINE).fit(x)
    assert fitted.scale_[0] == 1
    assert np.isfinite(fitted.score_samples(x)).all()
    alone = LinearGaussian(ORACLE.weight[1:], ORACLE.bias[1:], ORACLE.variance[1:]).log_evidence(x[:, 1:])
    assert 0 < (fitted.score_samples(x) - alone).mean() < -np.log(1e-3 * np.sqrt(2 * np.pi))
    other = x + np.where(np.arange(FEATURES) == 0, 1.0, 0)
    fall = fitted.score_samples(x) - fitted.score_samples(other)
    assert (fall > 0).all()
    assert np.median(fall) > 5


def test_a_rate_at_which_numbers_overflow_is_refused():
    with pytest.raises(ValueError, match=r"training needs finite numbers: .* at step \d+; lower learning_rate_init"):
        IWAE(**AFFINE | {"learning_rate_init": 1e30}).fit(ORACLE.sample(100, seed=0))


# -- validation rows --------------------------------------------------------------------------------------------


def test_rows_held_out_are_not_trained_on():
    """Cells that change places in one of their columns leave the units as they were; one pass keeps its model."""
    x = ORACLE.sample(100, seed=0)
    order = np.random.default_rng(new_seed(0)).permutation(100)
    model = IWAE(k=2, max_iter=1, n_components=LATENT, hidden_layer_sizes=(8,), random_state=0)
    start = model.fit(x).transform(x)
    for rows, seen in ((order[:10], False), (order[10:20], True)):
        y = x.copy()
        y[rows, 1] = x[rows[::-1], 1]
        moved = np.abs(clone(model).fit(y).transform(x) - start).max()
        assert (moved > 1e-4) == seen


def test_training_ends_before_it_learns_rows_by_heart():
    """And keeps the model that was best on the rows held out: better on new ones than the last is."""
    x, new = ORACLE.sample(40, seed=0), ORACLE.sample(500, seed=8)
    model = IWAE(2, k=2, max_iter=600, hidden_layer_sizes=(64, 64), learning_rate_init=1e-2, batch_size=8)
    model.set_params(likelihood="gaussian", random_state=0)
    stopped = clone(model).set_params(validation_fraction=0.25, n_iter_no_change=3).fit(x)
    whole = clone(model).set_params(n_iter_no_change=None).fit(x)
    assert stopped.n_iter_ < 600 == whole.n_iter_
    assert stopped.score(new) > whole.score(new) + 1


# -- scikit-learn's tools ---------------------------------------------------------------------------------------


def test_a_grid_search_finds_the_number_of_factors():
    """By the density of the rows left out: two components beat one; the refitted model is theirs."""
    split = ShuffleSplit(1, test_size=0.3, random_state=0)
    model = IWAE(k=2, max_iter=60, **AFFINE)
    search = GridSearchCV(model, {"n_components": [1, 2]}, cv=split).fit(ORACLE.sample(1_000, seed=0))
    assert search.best_params_ == {"n_components": 2}
    assert search.best_estimator_.transform(ORACLE.sample(3, seed=1)).shape == (3, 2)
    one, two = search.cv_results_["mean_test_score"]
    assert two > one + 0.1


@pytest.mark.parametrize(
    "estimator",
    [
        IWAE(k=2, n_score_samples=10),
        VAE(n_score_samples=10),
        IWAEImputer(k=2, n_impute_samples=10),
        IWAEOutlierDetector(k=2, n_score_samples=10),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learn_accepts_the_estimator(estimator, capsys):
    """All of its checks: none fails, and what it skips for want of an optional package is written down."""
    small = estimator.set_params(n_components=2, hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    found = check_estimator(small, on_fail=None, on_skip=None)
    skipped = [each for each in found if each["status"] == "skipped"]
    with capsys.disabled():
        for each in skipped:
            sys.stdout.write(f"\n{type(estimator).__name__}: skipped {each['check_name']}: {each['exception']}")
    assert [each["check_name"] for each in found if each["status"] not in ("passed", "skipped")] == []
    assert {each["check_name"] for each in skipped} <= {"check_array_api_input"}
    assert len(found) > 40
