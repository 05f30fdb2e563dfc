"""The scikit-learn estimators: a row's numbers are its own, what is hidden stays so, and what cannot be is refused."""

import copy
import pickle

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_param_validation

from iwax.sklearn import IWAE, VAE, IWAEImputer, IWAEOutlierDetector
from iwax.sklearn.estimator import LatentVariableEstimator, new_seed

SMALL = {"n_components": 2, "hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 2, "random_state": 0}
QUICK = SMALL | {"n_iter_no_change": None}  # all rows trained on: nothing more to compile
ROWS, NEW = 40, 70  # NEW is more than one block


def table(n: int, seed: int) -> np.ndarray:
    """Rows [n, 3] on a grid of 1/64ths, in units that differ, a fifth of the middle column missing."""
    x = np.round(64 * np.random.default_rng(seed).normal([3.0, 0.0, -50.0], [1.0, 0.5, 20.0], (n, 3))) / 64
    x[::5, 1] = np.nan
    return x


X, OTHERS = table(ROWS, 0), table(NEW, 1)
WHOLE = np.where(np.isnan(OTHERS), 0.25, OTHERS)


@pytest.fixture(scope="module")
def iwae() -> IWAE:
    return IWAE(k=1, n_score_samples=4, **QUICK).fit(X)


@pytest.fixture(scope="module")
def scaled(iwae) -> IWAE:
    """On the same rows in other units, with numbers behind the mask of what is missing."""
    missing = np.isnan(X)
    return clone(iwae).fit(1024 * np.ma.MaskedArray(np.where(missing, 1e6, X), missing))


@pytest.fixture(scope="module")
def imputer() -> IWAEImputer:
    return IWAEImputer(k=1, n_impute_samples=4, **QUICK).fit(X)


@pytest.fixture(scope="module")
def detector() -> IWAEOutlierDetector:
    return IWAEOutlierDetector(k=1, n_score_samples=4, contamination=0.25, **SMALL).fit(X)


@pytest.fixture(scope="module")
def functions(iwae, imputer, detector):
    """What gives a row its numbers, by name."""
    return {
        "score": iwae.score_samples,
        "transform": iwae.transform,
        "impute": imputer.transform,
        "decide": detector.decision_function,
    }


# -- a row's numbers are functions of the row -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["score", "transform", "impute", "decide"])
def test_a_row_has_the_same_numbers_alone_among_others_and_in_any_order(functions, name):
    """To the bit: also among incomplete rows if it is complete, and whatever the layout of memory."""
    function = functions[name]
    together = function(OTHERS)
    assert len(np.unique(together, axis=0)) == NEW
    order = np.random.default_rng(2).permutation(NEW)
    np.testing.assert_array_equal(function(OTHERS[order]), together[order])
    for i in (0, 3, 69):
        np.testing.assert_array_equal(function(OTHERS[i : i + 1])[0], together[i])
    np.testing.assert_array_equal(function(OTHERS[5:26]), together[5:26])
    whole = ~np.isnan(OTHERS).any(axis=1)
    np.testing.assert_array_equal(function(OTHERS[whole]), together[whole])
    np.testing.assert_array_equal(function(np.asfortranarray(OTHERS)), together)


def test_what_is_missing_is_not_a_number_that_stands_there(iwae):
    """A missing value is neither 0 nor the mean of its feature: another density, and another place in latent space."""
    holed = OTHERS[:1]
    for stand_in in (0.0, float(iwae.mean_[1])):
        filled = np.nan_to_num(holed, nan=stand_in)
        assert iwae.score_samples(holed) != iwae.score_samples(filled)
        assert (iwae.transform(holed) != iwae.transform(filled)).any()
    assert np.isfinite(iwae.transform(OTHERS)).all()


@settings(max_examples=10)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4))
def test_observed_cells_are_left_untouched(imputer, masks):
    """Whatever is missing, short of a whole row: bits 0 to 2 of a row's number say which of its cells are."""
    missing = np.array(masks)[:, None] >> np.arange(3) & 1 > 0
    x = np.where(missing, np.nan, WHOLE[:4])
    filled = imputer.transform(x)
    assert (filled[~missing] == WHOLE[:4][~missing]).all()
    assert np.isfinite(filled).all()
    assert np.isnan(x[missing]).all()


# -- nothing else reaches a fit ---------------------------------------------------------------------------------


def same_model(one: LatentVariableEstimator, other: LatentVariableEstimator) -> bool:
    leaves = [jax.tree.leaves(each.model_) for each in (one, other)]
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(*leaves, strict=True))


def test_what_lies_behind_a_mask_is_not_seen(scaled, iwae):
    """The cells of a masked array count as missing, whatever they hold: not in a fit, and not in a score."""
    assert same_model(scaled, iwae)
    missing = np.isnan(OTHERS)
    masked = np.ma.MaskedArray(np.where(missing, 7.0, OTHERS), missing)
    np.testing.assert_array_equal(iwae.score_samples(masked), iwae.score_samples(OTHERS))


def test_what_scikit_learn_lets_through_is_refused(iwae):
    """A whole number beyond double precision is an OverflowError there, and what lies under a mask of Z is taken."""
    long = [[0.0, 1.0, 2.0], [0.0, 10**400, 2.0]]
    for method in (clone(iwae).fit, clone(iwae).partial_fit, iwae.score_samples, iwae.transform):
        with pytest.raises(ValueError, match="X must be finite, got a whole number of 401 digits in row 1, column 1"):
            method(long)
    with pytest.raises(ValueError, match="Z must be finite, got a whole number of 401 digits in row 1, column 0"):
        iwae.inverse_transform([[0.0, 1.0], [10**400, 1.0]])
    with pytest.raises(ValueError, match="Z must not have masked cells, got one in row 0, column 1"):
        iwae.inverse_transform(np.ma.masked_equal([[0.0, 1.0]], 1.0))
    with pytest.raises(TypeError, match="X must hold numbers"):
        iwae.transform(np.ma.masked_equal(np.array([["a", "b", "c"]]), "b"))


def test_missing_cells_of_a_data_frame_are_those_of_an_array(iwae):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"]).astype("Float64")  # with pandas.NA where there was NaN
    fitted = clone(iwae).fit(frame)
    assert same_model(fitted, iwae)
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="no observed value in feature 'b'"):
        clone(iwae).fit(frame.assign(b=np.nan))
    fitted.set_output(transform="pandas")
    assert fitted.transform(frame).columns.tolist() == ["iwae0", "iwae1"]
    filled = IWAEImputer(k=1, n_impute_samples=4, **QUICK).set_output(transform="pandas").fit_transform(frame)
    assert filled.columns.tolist() == ["a", "b", "c"]
    assert filled.index.equals(frame.index)
    assert filled.notna().all(axis=None)


def test_a_vae_is_an_iwae_of_one_draw(iwae):
    vae = VAE(n_score_samples=4, **QUICK).fit(X)
    assert same_model(vae, iwae)
    assert vae.get_feature_names_out().tolist() == ["vae0", "vae1"]
    assert iwae.get_feature_names_out().tolist() == ["iwae0", "iwae1"]


@pytest.mark.slow
def test_units_are_only_units(scaled, iwae):
    """Scales of a power of two change nothing but the density's volume; a far origin not even that."""
    volume = np.log(1024) * (~np.isnan(OTHERS)).sum(axis=1)
    np.testing.assert_allclose(scaled.score_samples(1024 * OTHERS), iwae.score_samples(OTHERS) - volume, atol=1e-9)
    np.testing.assert_array_equal(scaled.transform(1024 * OTHERS), iwae.transform(OTHERS))
    np.testing.assert_allclose(scaled.sample(5), 1024 * iwae.sample(5), rtol=1e-12)
    np.testing.assert_allclose(scaled.inverse_transform([[1.0, 2]]), 1024 * iwae.inverse_transform([[1.0, 2]]))
    cells = (~np.isnan(X)).sum(axis=1).mean()
    np.testing.assert_allclose(scaled.bounds_, np.array(iwae.bounds_) - np.log(1024) * cells, atol=1e-9)
    far = clone(iwae).fit(X + 2.0**30)  # single precision has steps of 64 there
    np.testing.assert_allclose(far.transform(OTHERS + 2.0**30), iwae.transform(OTHERS), atol=1e-4)


def test_the_seed_is_drawn_as_scikit_learn_draws_it(iwae):
    assert iwae.seed_ == new_seed(np.random.RandomState(0)) == new_seed(0) != new_seed(1)
    state = np.random.RandomState(0)
    assert new_seed(state) != new_seed(state)


def test_a_copy_scores_alike(iwae, imputer):
    for fitted in (iwae, imputer):
        again = pickle.loads(pickle.dumps(fitted))  # noqa: S301  # our own
        np.testing.assert_array_equal(again.transform(OTHERS), fitted.transform(OTHERS))
        with pytest.raises(NotFittedError):
            clone(fitted).transform(OTHERS)


# -- rows without an observed value -----------------------------------------------------------------------------


@pytest.mark.slow
def test_an_empty_row_is_no_reason_to_refuse_the_others(iwae, imputer, detector):
    """A pipeline cannot drop it: left out of a fit, with a warning; filled from p(x), log p of nothing is 0."""
    with_empty = np.vstack([X[:3], np.full((1, 3), np.nan), X[3:]])
    with pytest.warns(UserWarning, match="1 of 41 rows of X contain no observed value: the model is fitted to"):
        assert same_model(clone(iwae).fit(with_empty), iwae)
    evidence = iwae.evidence(with_empty)
    assert (evidence.log_evidence[3], evidence.monte_carlo_error[3]) == (0, 0)
    np.testing.assert_array_equal(np.delete(iwae.transform(with_empty), 3, 0), iwae.transform(X))
    np.testing.assert_allclose(
        iwae.transform(with_empty)[3], iwae.model_.prior(None, key=jax.random.key(0)).mean, atol=1e-6
    )
    found = imputer.imputation(with_empty, n_draws=2)
    assert np.isfinite(found.values).all()
    assert found.ess[3] == pytest.approx(4)
    np.testing.assert_array_equal(np.delete(found.values, 3, 0), imputer.imputation(X, n_draws=2).values)
    assert (found.draws[0, 3] != found.draws[1, 3]).all()
    scores = detector.score_samples(np.vstack([X, np.full((1, 3), np.nan)]))
    assert scores.min() < scores[-1] < scores.max()


# -- learning in epochs -----------------------------------------------------------------------------------------


def test_a_pass_goes_on_with_the_moments_of_the_last_one():
    """Adam's first step is the rate in every weight that has a gradient, and its second one is not."""
    model = IWAE(k=1, **QUICK)
    bias = np.zeros((3, 6))  # of p(x|z), before the first pass and after each
    for i in (1, 2):
        model.partial_fit(X)  # 40 rows are one step
        bias[i] = model.model_.likelihood.network.network.affine.bias
    first, second = np.abs(np.diff(bias, axis=0))
    np.testing.assert_allclose(first, model.learning_rate_init, rtol=1e-2)
    assert (np.abs(second / first - 1) > 1e-2).any()
    assert (model.n_iter_, len(model.bounds_)) == (2, 2)
    with pytest.raises(ValueError, match="X has 2 features, but IWAE is expecting 3"):
        model.partial_fit(X[:, :2])


# -- extremes ---------------------------------------------------------------------------------------------------


def test_the_further_a_row_lies_the_less_likely_it_is(iwae, detector):
    """Finite up to the end of double precision: NaN would pass for an inlier."""
    far = np.concatenate([10.0 ** np.arange(1, 7), [1e300]])
    for column in range(3):
        x = np.repeat(WHOLE[:1], len(far), axis=0)
        x[:, column] += iwae.scale_[column] * far
        with pytest.warns(UserWarning, match=rf"standard deviations .* count as just so far: .* column {column}"):
            scores, means, verdict = iwae.score_samples(x), iwae.transform(x), detector.predict(x[2:])
        assert np.isfinite(scores).all()
        assert (np.diff(scores[1:-1]) < 0).all()
        assert scores[-1] == pytest.approx(scores[-2], rel=0.1)  # both count as a million deviations away
        assert np.isfinite(means).all()
        assert (verdict == -1).all()


# -- new rows ---------------------------------------------------------------------------------------------------


def test_samples_are_the_same_ones_unless_asked_otherwise(iwae):
    many = iwae.sample(NEW)
    np.testing.assert_array_equal(iwae.sample(3), many[:3])
    other = iwae.sample(NEW, random_state=1)
    assert (other != many).all()
    np.testing.assert_array_equal(iwae.sample(NEW, random_state=1), other)
    assert len(np.unique(many, axis=0)) == NEW


# -- outliers ---------------------------------------------------------------------------------------------------


def test_a_share_of_the_training_rows_lies_below_the_threshold(detector):
    scores, log_prob = detector.score_samples(X), detector.evidence(X).log_evidence
    whole = ~np.isnan(X).any(axis=1)
    np.testing.assert_array_equal(scores[whole], log_prob[whole])
    assert (scores[~whole] != log_prob[~whole]).all()
    np.testing.assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X) == -1, np.argsort(np.argsort(scores)) < ROWS // 4)
    typical = copy.deepcopy(detector).set_params(outlier_score="typicality")
    np.testing.assert_array_equal(typical.score_samples(X), -np.abs(scores - scores.mean()))


# -- scikit-learn's tools ---------------------------------------------------------------------------------------


def test_a_pipeline_scales_first(iwae):
    """What the estimator does itself: embeddings are the same but for rounding."""
    piped = Pipeline([("scale", StandardScaler()), ("iwae", clone(iwae))]).fit(X)
    np.testing.assert_allclose(piped.transform(OTHERS), iwae.transform(OTHERS), atol=1e-4)
    assert piped.get_feature_names_out().tolist() == ["iwae0", "iwae1"]


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [IWAE, VAE, IWAEImputer, IWAEOutlierDetector])
def test_every_parameter_has_a_range(kind):
    """scikit-learn's own check: each is refused by name, with its range, at a wrong type and outside its range."""
    check_param_validation(kind.__name__, kind())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_components": 0}, r"'n_components' parameter of IWAE must be an int in the range \[1, inf\). Got 0"),
        ({"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes must be whole numbers in the range \[1, inf\). Got \(8"),
        ({"hidden_layer_sizes": "ab"}, "'hidden_layer_sizes' parameter of IWAE must be an array-like. Got 'ab'"),
        ({"hidden_layer_sizes": (8.0,)}, r"hidden_layer_sizes must be whole numbers .* Got \(8.0,\)"),
        ({"activation": "sine"}, "'activation' parameter of IWAE must be a str among .* Got 'sine'"),
        ({"validation_fraction": 1.0}, r"'validation_fraction' parameter .* in the range \[0.0, 1.0\). Got 1.0"),
        ({"learning_rate_init": float("nan")}, r"'learning_rate_init' .* in the range \(0.0, inf\). Got nan"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        IWAE(k=1, **{**QUICK, **parameters}).fit(X)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:1], "Found array with 1 sample"),
        (np.where(np.arange(ROWS)[:, None] == 3, X, np.nan)[:, ::2], r"Found 1 sample\(s\) with an observed value"),
        (np.where(np.arange(3) == 2, np.nan, X), "no observed value in feature '2': at least one is needed"),
        (np.where(np.isnan(X), np.inf, X), "Input X contains infinity"),
        (np.array([[1e200, 1.0], [-1e200, 2.0]]), "too large to be squared in feature '0': use other units"),
    ],
)
def test_rows_that_nothing_can_be_learned_from_are_refused(x, words):
    for kind in (IWAE, IWAEImputer):
        with pytest.raises(ValueError, match=words):
            kind(**QUICK).fit(x)


def test_a_fitted_estimator_refuses_other_tables(iwae, imputer, detector):
    for function in (iwae.score_samples, iwae.transform, imputer.transform, detector.predict):
        with pytest.raises(ValueError, match=r"X has 2 features, but .* is expecting 3 features"):
            function(X[:, :2])
        with pytest.raises(ValueError, match="contains infinity"):
            function(np.array([[1.0, 2, np.inf]]))
    with pytest.raises(ValueError, match="Z has 3 features, but IWAE is expecting its 2 components"):
        iwae.inverse_transform(np.zeros((1, 3)))
    for wrong, error in ((0, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match="n_samples"):
            iwae.sample(wrong)
        with pytest.raises(error, match="n_draws"):
            imputer.multiple(OTHERS, wrong)
