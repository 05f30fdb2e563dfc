"""Strange arrays: every public function that takes rows refuses them in our own words, or reads them as what they are.

A function of `iwax.evaluation` or `iwax.inference` without an entry below fails the first test.
"""

import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from oracles.linear_gaussian import LinearGaussian, linear
from scipy import sparse

import iwax
from iwax import bounds, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.evaluation import tables
from iwax.model import LatentVariableModel

KEY = jax.random.key(0)
D = 4
MODEL = LinearGaussian.random(D, 2, seed=0).model()
BINARY = LatentVariableModel(
    priors.StandardNormal(1),
    likelihoods.Bernoulli(linear(np.ones((1, D)), np.zeros(D))),
    posteriors.Gaussian(linear(np.ones((D, 2)), np.zeros(2))),
)
WITH_MEMORY = LatentVariableModel(
    priors.StandardNormal(2),
    likelihoods.Gaussian.fixed(nn.MemoryMLP(2, (3,), D, slots=(2,), key=KEY), 1.0),
    posteriors.Gaussian(nn.Linear(D, 4, key=KEY)),
)
X, ONE = np.zeros((3, D)), np.ones(3)
OBJECTIVE = gradients.Objective(gradients.pathwise(bounds.iwae), k=2)

# what takes rows [n, D] of a model
OF_ROWS = {
    "aggregate_posterior": lambda x: evaluation.aggregate_posterior(MODEL, x, key=KEY),
    "annealed_evidence": lambda x: evaluation.annealed_evidence(MODEL, x, temperatures=2, key=KEY),
    "convergence_in_k": lambda x: evaluation.convergence_in_k(MODEL, x, k=2, key=KEY),
    "gradient_signal_to_noise": lambda x: evaluation.gradient_signal_to_noise(
        MODEL, x, OBJECTIVE, repeats=8, folds=2, key=KEY
    ),
    "importance_posterior_elbo": lambda x: evaluation.importance_posterior_elbo(
        MODEL, x, k=2, outer=2, draws=2, key=KEY
    ),
    "importance_posterior_log_prob": lambda x: evaluation.importance_posterior_log_prob(
        MODEL, x, np.zeros((3, 1, 2)), k=2, outer=2, key=KEY
    ),
    "inference_gap": lambda x: evaluation.inference_gap(MODEL, x, k=2, steps=2, key=KEY),
    "jackknife_evidence": lambda x: evaluation.jackknife_evidence(MODEL, x, k=4, repeats=2, key=KEY),
    "kl_by_row": lambda x: evaluation.kl_by_row(MODEL, x, key=KEY),
    "kl_per_unit": lambda x: evaluation.kl_per_unit(MODEL, x, key=KEY),
    "log_evidence": lambda x: evaluation.log_evidence(MODEL, x, k=2, key=KEY),
    "posterior_means": lambda x: evaluation.posterior_means(MODEL, x, key=KEY),
    "posterior_plane": lambda x: evaluation.posterior_plane(MODEL, x, ks=(1,), side=11, outer=2, key=KEY),
    "unit_activity": lambda x: evaluation.unit_activity(MODEL, x, key=KEY),
    "comparable_scores": lambda x: inference.comparable_scores(MODEL, x, ONE, key=KEY, rows=2, k=2),
    "denoise": lambda x: inference.denoise(BINARY, x, flips=0.2, k=2, iterations=0, key=KEY),
    "embed": lambda x: inference.embed(MODEL, x, key=KEY),
    "impute": lambda x: inference.impute(MODEL, x, k=2, key=KEY),
    "impute_gibbs": lambda x: inference.impute_gibbs(MODEL, x, iterations=1, key=KEY),
    "label_probabilities": lambda x: inference.label_probabilities(MODEL, x, k=2, key=KEY),
    "likelihood_ratio": lambda x: inference.likelihood_ratio(MODEL, MODEL, x, k=2, key=KEY),
    "reconstruct": lambda x: inference.reconstruct(MODEL, x, key=KEY),
    "resample": lambda x: inference.resample(MODEL, x, k=2, key=KEY),
    "resampling_weights": lambda x: inference.resampling_weights(MODEL, x, k=2, key=KEY),
    "score": lambda x: inference.score(MODEL, x, k=2, key=KEY),
    "slot_pictures": lambda x: inference.slot_pictures(WITH_MEMORY, x, key=KEY),
    "slot_preferences": lambda x: inference.slot_preferences(WITH_MEMORY, x, [0, 1, 1], key=KEY),
    "fit": lambda x: training.fit(MODEL, OBJECTIVE, x, optimizer=optax.adam(1e-3), epochs=1, key=KEY),
    "fit, to validate": lambda x: training.fit(
        MODEL, OBJECTIVE, X, x_valid=x, optimizer=optax.adam(1e-3), epochs=1, key=KEY
    ),
}
NAN_IS_MISSING = {"impute", "impute_gibbs", "denoise", "comparable_scores"}

# what takes other arrays: latents, scores, marks, numbers of rows
OF_OTHERS = {
    "active_units": lambda a: evaluation.active_units([a]),
    "code_length": lambda a: inference.code_length(a, (2, 2)),
    "average_precision": lambda a: evaluation.average_precision(a, a),
    "auroc": lambda a: evaluation.auroc(a, a),
    "error_of_mean": evaluation.error_of_mean,
    "marginal_moments": lambda a: evaluation.marginal_moments(MODEL, a, key=KEY, rows=2, k=2),
    "pareto_k": lambda a: evaluation.pareto_k(a, 21),
    "squared_error": lambda a: evaluation.squared_error(a, X, X == 0),
    "squared_error_difference": lambda a: evaluation.squared_error_difference(X, a, X, X == 0),
    "decode": lambda a: inference.decode(MODEL, a, key=KEY),
    "typicality": lambda a: inference.typicality(a, a),
    "points": lambda a: evaluation.importance_posterior_log_prob(MODEL, X, a, k=2, outer=2, key=KEY),
    "numbers of rows": lambda a: evaluation.log_evidence(MODEL, X, k=2, key=KEY, rows=a),
    "numbers of rows to impute": lambda a: inference.impute(MODEL, X, k=2, key=KEY, rows=a),
    "scores": lambda a: inference.comparable_scores(MODEL, X, a, key=KEY, rows=2, k=2),
    "labels": lambda a: inference.slot_preferences(WITH_MEMORY, X, a, key=KEY),
    "start": lambda a: inference.impute_gibbs(MODEL, X, start=a, iterations=1, key=KEY),
    "log p(x)": lambda a: evaluation.inference_gap(MODEL, X, k=2, steps=2, key=KEY, log_evidence=a),
}
# what these take as well: None, or any shape
NONE = dict.fromkeys(("start", "log p(x)", "numbers of rows", "numbers of rows to impute"), ("nothing",))
ANY = NONE | {"active_units": ("three axes", "no rows"), "error_of_mean": ("three axes",)}
# what takes no array
WITHOUT = {
    *("bidirectional_evidence", "mean_field_normal", "posterior_sampler", "resampling_sampler", "tail_size"),
    *("simulation_based_calibration", "generate", "generate_from_pseudo_inputs", "vamp_of"),
    *("likeliest_links", "link_probabilities", "graph_of"),  # of a graph: tests/laws/test_graphs.py
    *("brier_score", "expected_calibration_error"),  # of probabilities: tests/laws/test_labels.py
    "score_table",  # of rows that `data.read_rows` read, and refused where they are none
}


def put(value, dtype=np.float64):
    """Zeros but for one cell, at row 1 and column 2."""
    x = np.zeros((3, D), dtype)
    x[1, 2] = value
    return x


NAMED = "row 1, column 2"
STRANGE = {
    "nan": (put(np.nan), NAMED),
    "inf": (put(-np.inf), NAMED),
    "inf in half precision": (put(np.inf, np.float16), NAMED),
    "1e39": (put(1e39), NAMED),
    "1e308": (put(-1e308), NAMED),
    "beyond double precision": (put(np.longdouble("1e400"), np.longdouble), NAMED),
    "a long whole number": ([[0.0] * D, [0.0, 0.0, 10**400, 0.0], [0.0] * D], NAMED),
    "a long whole number among whole ones": ([[0] * D, [0, 0, 10**400, 0], [0] * D], NAMED),
    "masked": (np.ma.array(np.zeros((3, D)), mask=put(True, bool)), NAMED),
    "a list of masked rows": (list(np.ma.array(np.zeros((3, D)), mask=put(True, bool))), NAMED),
    "text in a list": ([[0.0] * D, [0.0, 0.0, "a", 0.0], [0.0] * D], NAMED),
    "a text of a number": (put("1", "U1"), "numbers"),
    "None": ([[0.0] * D, [0.0, 0.0, None, 0.0], [0.0] * D], NAMED),
    "missing in a frame": (pd.DataFrame(put(1)).astype("Int64").replace(1, pd.NA), NAMED),
    "text in a frame": (pd.DataFrame(put(1)).astype(object).replace(1, "a"), NAMED),
    "objects": (np.zeros((3, D)).astype(object), "object"),
    "complex": (np.zeros((3, D), complex), "complex128"),
    "dates": (np.zeros((3, D), "datetime64[D]"), "datetime64"),
    "records": (np.zeros((3, D), [("a", float)]), "numbers"),
    "ragged": ([[0.0] * D, [0.0]], "row 0 .* row 1"),
    "sparse": (sparse.csr_matrix(np.eye(D)), "toarray"),
    "a number": (1.0, r"shape \(\)"),
    "nothing": (None, "NoneType"),
    "a mapping": ({"x": 1}, "dict"),
    "one row": (np.zeros(D), r"shape \(4,\)"),
    "three axes": (np.zeros((3, D, 1)), r"shape \(3, 4, 1\)"),
    "no rows": (np.zeros((0, D)), r"shape \(0, 4\)"),
    "no columns": (np.zeros((3, 0)), r"shape \(3, 0\)"),
    "too wide": (np.zeros((3, D + 1)), r"shape \(3, 5\)"),
    "too narrow": (np.zeros((3, D - 1)), r"shape \(3, 3\)"),
}
FINE = {"nan", "missing in a frame", "masked", "a list of masked rows"}  # where a NaN is a missing value
OURS = str(Path(iwax.__file__).parent)


def refused(call) -> BaseException:
    """The error of a call: of our own, raised by a line of ours, in one line."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename.startswith(OURS), f"raised in {last.filename}:{last.lineno}: {caught.value}"
    assert "raise " in (last.line or ""), f"raised by {last.line}"
    assert type(caught.value) in (TypeError, ValueError)
    assert "\n" not in str(caught.value)
    return caught.value


def test_every_public_function_is_here():
    names = [name for module in (evaluation, inference) for name in module.__all__]
    functions = {name for name in names if not name[0].isupper()}
    assert functions - OF_ROWS.keys() - OF_OTHERS.keys() - WITHOUT == set()


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_that_are_none_are_refused_with_argument_value_and_place(name: str):
    argument = {"fit": "x_train", "fit, to validate": "x_valid"}.get(name, "x")
    for kind, (x, message) in STRANGE.items():
        if (name in NAN_IS_MISSING and kind in FINE) or (name == "fit, to validate" and kind == "nothing"):
            continue
        error = refused(lambda x=x: OF_ROWS[name](x))
        assert argument in str(error), (kind, error)
        with pytest.raises(type(error), match=message):
            raise error


@pytest.mark.parametrize("name", OF_OTHERS)
def test_other_arrays_are_refused_too(name: str):
    kinds = ("text in a list", "objects", "complex", "dates", "ragged", "sparse", "nothing", "a mapping", "masked")
    for kind in (*kinds, "three axes", "no rows", "a long whole number among whole ones"):
        if kind in ANY.get(name, ()):
            continue
        refused(lambda kind=kind: OF_OTHERS[name](STRANGE[kind][0]))


def test_a_mask_is_a_missing_value_where_one_may_be():
    x = np.ma.array(np.arange(12.0).reshape(3, D), mask=put(True, bool))
    holed = np.where(x.mask, np.nan, x.data)
    for masked in (x, list(x)):
        np.testing.assert_array_equal(tables.table("x", masked, (D,), missing=True), holed)
        found, wanted = (inference.impute(MODEL, each, k=50, key=KEY) for each in (masked, holed))
        np.testing.assert_array_equal(found.values, wanted.values)
        found, wanted = (evaluation.log_evidence(MODEL, each, k=5, key=KEY, missing=True) for each in (masked, holed))
        np.testing.assert_array_equal(found.log_evidence, wanted.log_evidence)
    no_masks = np.ma.array(x.data)
    np.testing.assert_array_equal(tables.table("x", no_masks, (D,)), x.data)


def unusual(folder: Path) -> dict:
    """Arrays of 0 and 1 that are seldom seen and mean what they say."""
    x = np.eye(D)[:3]
    np.save(folder / "x.npy", x)
    wide = np.zeros((6, 2 * D))
    wide[::2, ::2] = x
    return {
        "a list": x.tolist(),
        "a list of arrays": list(x),
        "a tuple of ranges": tuple(tuple(map(int, row)) for row in x),
        "read-only, of a file": np.load(folder / "x.npy", mmap_mode="r"),
        "in Fortran's order": np.asfortranarray(x),
        "a slice": wide[::2, ::2],
        "backwards": x[::-1, ::-1][::-1, ::-1],
        "big-endian": x.astype(">f8"),
        "big-endian whole numbers": x.astype(">i4"),
        "bool": x.astype(bool),
        "half precision": x.astype(np.float16),
        "bfloat16": jnp.asarray(x, jnp.bfloat16),
        "longdouble": x.astype(np.longdouble),
        "int8": x.astype(np.int8),
        "uint64": x.astype(np.uint64),
        "of jax": jnp.asarray(x),
        "a frame": pd.DataFrame(x),
        "a frame of several types": pd.DataFrame(x).astype({0: int, 1: bool, 3: "Int64"}),
    }


def test_unusual_arrays_are_read_as_what_they_are(tmp_path: Path):
    wanted = evaluation.log_evidence(MODEL, np.eye(D)[:3], k=5, key=KEY).log_evidence
    for name, x in unusual(tmp_path).items():
        found = evaluation.log_evidence(MODEL, x, k=5, key=KEY).log_evidence
        np.testing.assert_array_equal(found, wanted, err_msg=name)
        np.testing.assert_array_equal(
            inference.embed(MODEL, x, key=KEY), inference.embed(MODEL, np.eye(D)[:3], key=KEY)
        )


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32])
def test_whole_numbers_do_not_wrap_around(dtype: type):
    x = put(3_000_000_000, dtype)
    for function in (evaluation.posterior_means, evaluation.unit_activity):
        whole, real = (np.asarray(function(MODEL, each, key=KEY)) for each in (x, x.astype(float)))
        np.testing.assert_array_equal(whole, real)


def test_1e39_is_a_number_in_double_precision():
    with jax.enable_x64(True):
        assert tables.table("x", put(1e39), (D,))[1, 2] == 1e39
        with pytest.raises(ValueError, match="must be finite"):
            tables.table("x", put(np.inf), (D,))


def test_a_count_that_is_none_is_refused():
    for k in (2.5, "5", None, True):
        refused(lambda k=k: evaluation.log_evidence(MODEL, X, k=k, key=KEY))
    refused(lambda: evaluation.kl_by_row(MODEL, X, key=3))


def test_a_function_of_constant_rows_can_be_compiled():
    x = jnp.ones((3, D))
    values = [call(lambda: OBJECTIVE(MODEL, KEY, x).value)() for call in (jax.jit, lambda function: function)]
    np.testing.assert_allclose(*values, rtol=1e-5)
    holed = x * jnp.nan
    with pytest.raises(ValueError, match="missing values"):
        jax.jit(lambda: OBJECTIVE(MODEL, KEY, holed).value)()
