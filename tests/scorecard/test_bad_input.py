"""Scorecard, bad input: strange arrays, values outside a support, tables and archives, extremes, laws over tables."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_arrays
import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import check_array

from iwax import evaluation, inference, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.sklearn import IWAE, VAE, IWAEImputer, IWAEOutlierDetector

SMALL = {"n_components": 2, "hidden_layer_sizes": (4,), "max_iter": 1, "n_iter_no_change": None, "random_state": 0}
ESTIMATORS = {
    "VAE": VAE(n_score_samples=2, **SMALL),
    "IWAE": IWAE(k=2, n_score_samples=2, **SMALL),
    "IWAEImputer": IWAEImputer(k=2, n_impute_samples=2, **SMALL),
    "IWAEOutlierDetector": IWAEOutlierDetector(k=2, n_score_samples=2, **SMALL),
}
METHODS = {
    "VAE": ("fit", "partial_fit", "score_samples", "evidence", "score", "transform"),
    "IWAE": ("fit", "partial_fit", "score_samples", "evidence", "score", "transform"),
    "IWAEImputer": ("fit", "transform", "multiple", "imputation"),
    "IWAEOutlierDetector": ("fit", "evidence", "score_samples", "decision_function", "predict"),
}
KEY = jax.random.key(0)


# -- I1: strange arrays ------------------------------------------------------------------------------------------------


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What became of a call: `typed` with its words, `inside` JAX, `other` error, or `taken` with the result."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "taken", call()
    except (ValueError, TypeError) as error:
        words = str(error)
        plain = not bad_arrays.from_inside(error) and len(words) > 10 and "Error interpreting argument" not in words
        return ("typed" if plain else "inside"), f"{type(error).__name__}: {words[:200]}"
    except Exception as error:
        return ("inside" if bad_arrays.from_inside(error) else "other"), f"{type(error).__name__}: {str(error)[:200]}"


def numbers(result: Any) -> list[np.ndarray]:
    """The arrays of a result, in order; of a fitted estimator those of its model."""
    if hasattr(result, "model_"):
        result = result.model_
    if not isinstance(result, tuple | list | np.ndarray | float) and hasattr(result, "__dict__"):
        result = vars(result) if not isinstance(result, LatentVariableModel) else result
    return [np.asarray(leaf) for leaf in jax.tree.leaves(result) if isinstance(leaf, np.ndarray | jax.Array | float)]


def as_plain(thing: Any, *, missing: bool) -> np.ndarray | None:
    """The array that scikit-learn makes of a thing, None where it refuses; what is masked is not made a number."""
    try:
        rows = check_array(thing, dtype=np.float64, ensure_all_finite="allow-nan" if missing else True)
    except (ValueError, TypeError, OverflowError):
        return None
    if isinstance(thing, np.ma.MaskedArray):
        rows = np.where(np.ma.getmaskarray(thing), np.nan, rows)
    return rows


def judged(name: str, call: Callable[[Any], Any], *, missing: bool) -> str:
    """Nothing where a thing is refused in words of our own, or taken as the array that scikit-learn makes of it."""
    kind, found = outcome(lambda: call(bad_arrays.given(name)))
    if kind == "typed":
        return ""
    if kind != "taken":
        return f"{kind} {found}"
    plain = None if name == "a generator" else as_plain(bad_arrays.given(name), missing=missing)
    if plain is None:
        return "taken in silence"
    other, same = outcome(lambda: call(plain))
    results = [numbers(each) for each in (found, same)] if other == "taken" else [[], [None]]
    equal = len(results[0]) == len(results[1]) and all(map(np.array_equal, *results, [True] * len(results[0])))
    if not equal:
        return "taken as something else"
    return "" if all(np.isfinite(each).all() for each in results[0]) else "numbers that are not finite"


def counted(trials: dict[str, str]) -> tuple[str, dict[str, str]]:
    """How many were as they should be, and those that were not."""
    bad = {name: said for name, said in trials.items() if said}
    return f"{len(trials) - len(bad)} of {len(trials)}", bad


I1 = ("I1", "36 bad arrays x every public method of 4 estimators and 16 functions", "typed; 0 from inside JAX, 0 silent")


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.scorecard(*I1)
def test_bad_arrays_of_estimators(name, figure):
    fitted = clone(ESTIMATORS[name]).fit(bad_arrays.good())
    trials = {}
    for thing in (*bad_arrays.BAD, "nothing but NaN"):
        for method in METHODS[name]:
            if method in ("fit", "partial_fit") and thing in ("too wide", "too narrow"):
                continue

            def call(x, method=method):
                model = clone(ESTIMATORS[name]) if method in ("fit", "partial_fit") else fitted
                return getattr(model, method)(x, *((1,) if method == "multiple" else ()))

            trials[f"{method} of {thing}"] = judged(thing, call, missing=True)
        if name in ("VAE", "IWAE"):
            latent = bad_arrays.given(thing)
            latent = latent[:, :2] if isinstance(latent, np.ndarray) and latent.shape == (6, 3) else latent
            kind, found = outcome(lambda latent=latent: fitted.inverse_transform(latent))
            strange = kind == "taken" and as_plain(latent, missing=False) is None
            trials[f"inverse_transform of {thing}"] = f"{kind} {found}" if kind in ("inside", "other") or strange else ""
    told, bad = counted(trials)
    figure(f"{name} {told}")
    assert bad == {}


def dense(inputs: int, outputs: int) -> nn.MLP:
    return nn.MLP(inputs, (4,), outputs, key=KEY)


MODEL = LatentVariableModel(
    priors.StandardNormal(2), likelihoods.Gaussian.fixed(dense(2, 3), 1.0), posteriors.Gaussian(dense(3, 4))
)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log_evidence": lambda x: evaluation.log_evidence(MODEL, x, k=2, key=KEY),
    "posterior_means": lambda x: evaluation.posterior_means(MODEL, x, key=KEY),
    "kl_per_unit": lambda x: evaluation.kl_per_unit(MODEL, x, key=KEY),
    "kl_by_row": lambda x: evaluation.kl_by_row(MODEL, x, key=KEY),
    "unit_activity": lambda x: evaluation.unit_activity(MODEL, x, key=KEY),
    "convergence_in_k": lambda x: evaluation.convergence_in_k(MODEL, x, k=4, key=KEY),
    "annealed_evidence": lambda x: evaluation.annealed_evidence(
        MODEL, x, chains=2, temperatures=2, leapfrog=1, key=KEY
    ),
    "importance_posterior_elbo": lambda x: evaluation.importance_posterior_elbo(
        MODEL, x, k=2, outer=2, draws=2, key=KEY
    ),
    "aggregate_posterior": lambda x: evaluation.aggregate_posterior(MODEL, x, key=KEY),
    "inference_gap": lambda x: evaluation.inference_gap(MODEL, x, k=2, steps=2, key=KEY),
    "jackknife_evidence": lambda x: evaluation.jackknife_evidence(MODEL, x, k=4, repeats=2, key=KEY),
    "embed": lambda x: inference.embed(MODEL, x, key=KEY),
    "score": lambda x: inference.score(MODEL, x, k=2, key=KEY),
    "reconstruct": lambda x: inference.reconstruct(MODEL, x, key=KEY),
    "impute": lambda x: inference.impute(MODEL, x, k=2, key=KEY),
    "impute_by_sweeps": lambda x: inference.impute_by_sweeps(MODEL, x, key=KEY, sweeps=1),
}
HOLES = ("impute", "impute_by_sweeps")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.scorecard(*I1)
def test_bad_arrays_of_functions(name, figure):
    missing = name in HOLES
    FUNCTIONS[name](np.float32(bad_arrays.good(6)))  # it takes what is good
    things = (*bad_arrays.BAD, *(() if missing else bad_arrays.NOT_MISSING))
    trials = {thing: judged(thing, FUNCTIONS[name], missing=missing) for thing in things}
    told, bad = counted(trials)
    figure(f"{name} {told}")
    assert bad == {}


# -- I2: values outside a support --------------------------------------------------------------------------------------

SUPPORTS = """
import json, sys
import jax, numpy as np
from iwax import evaluation, inference, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
KEY, NAN, INF = jax.random.key(0), float("nan"), float("inf")
def net(outputs):
    return nn.MLP(2, (4,), outputs, key=KEY)
LIKELIHOODS = {
    "bernoulli": (likelihoods.Bernoulli(net(3)), [0.5, 2, 255, -1, 1e-9, 0.999999]),
    "continuous bernoulli": (likelihoods.ContinuousBernoulli(net(3)), [-1e-6, 1.0001, 255]),
    "categorical": (likelihoods.Categorical(net(15), 5), [-1, 5, 0.5, 1e9]),
    "poisson": (likelihoods.Poisson(net(3)), [-1, 0.5, 1e30]),
    "negative binomial": (likelihoods.NegativeBinomial.of_network(net(6)), [-1, 2.5]),
    "log normal": (likelihoods.LogNormal.of_network(net(6)), [0, -1]),
    "discretized logistic": (likelihoods.DiscretizedLogistic.of_network(net(6)), [-1, 256, 0.5]),
}
found = []
for name, (likelihood, values) in LIKELIHOODS.items():
    model = LatentVariableModel(
        priors.StandardNormal(2), likelihood, posteriors.Gaussian(nn.MLP(3, (4,), 4, key=KEY))
    )
    for value in [*values, NAN, INF, -INF]:
        rows = np.ones((4, 3), np.float32)
        rows[2, 1] = value
        for verb, call in (
            ("log_evidence", lambda: evaluation.log_evidence(model, rows, k=2, key=KEY)),
            ("score", lambda: inference.score(model, rows, k=2, key=KEY)),
            ("embed", lambda: inference.embed(model, rows, key=KEY)),
        ):
            try:
                call()
                found.append([name, str(value), verb, "taken"])
            except (ValueError, TypeError) as error:
                said = str(error)
                found.append([name, str(value), verb, "refused" if "row" in said or "3:" in said else said])
for scale in (0.0, -1.0, NAN, INF):
    try:
        likelihoods.Gaussian.fixed(net(3), scale)
        found.append(["gaussian", str(scale), "sd", "taken"])
    except (ValueError, TypeError) as error:
        found.append(["gaussian", str(scale), "sd", "refused"])
raw = likelihoods.Bernoulli(lambda z, *, key: jax.numpy.full(1, 50.0))(jax.numpy.zeros(2), key=KEY)
highest = max(float(np.max(raw.log_prob(np.float32([value])))) for value in (0, 0.5, 1, 2, 255))
print(json.dumps([found, highest, __debug__]))
"""


@pytest.mark.scorecard("I2", "values outside 7 supports, with asserts and under python -O", "all refused; no log p > 0")
def test_values_outside_a_support(figure):
    wrong, count = [], 0
    for flags in ((), ("-O",)):
        done = subprocess.run(
            [sys.executable, *flags, "-W", "ignore", "-c", SUPPORTS], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found, highest, debug = json.loads(done.stdout)
        assert debug is not bool(flags)
        count += len(found)
        wrong += [(*each, flags) for each in found if each[-1] != "refused"]
        wrong += [("a positive log-probability", highest)] if highest > 0 else []
    figure(f"{count - len(wrong)} of {count} refused with their row; the highest raw Bernoulli log p is {highest:.2g}")
    assert wrong == []
