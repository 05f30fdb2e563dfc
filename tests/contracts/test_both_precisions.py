"""Every function of `iwax.inference` and `iwax.evaluation` in single and double precision, and without compilation.

Noise is a function of its counter: without compilation it is the same, value by value. In double precision it is drawn
with more bits and differs: what depends on it is compared within its errors, what does not to single precision.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import bounds, evaluation, gradients, inference, likelihoods, nn, posteriors, priors
from iwax.data.rows import Rows
from iwax.model import LatentVariableModel
from iwax.parts import Datum

FEATURES, LATENT = 3, 2
ORACLE = LinearGaussian.random(FEATURES, LATENT, seed=1)
X = ORACLE.sample(4, seed=2)
HOLED = np.where([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], np.nan, X)
BINARY = np.array([[0, 1, 1], [1, 0, 1]])
Z = np.random.default_rng(0).normal(size=(3, LATENT))
GREY = np.arange(8, dtype=np.uint8).reshape(2, 4)
CHAINS: dict[str, Any] = {"chains": 2, "temperatures": 2, "leapfrog": 1, "step": 0.2}


def key() -> jax.Array:
    return jax.random.key(3)


def exact() -> LatentVariableModel:
    """Its q(z|x) is p(z|x): the weights are all alike, and estimates of log p(x) depend on no noise."""
    return ORACLE.model()


def wide() -> LatentVariableModel:
    return ORACLE.model(scale=1.5)


def binary(*, vamp: bool = False, memory: bool = False) -> LatentVariableModel:
    keys = jax.random.split(jax.random.key(5), 3)
    net = nn.Linear(LATENT, FEATURES, key=keys[0])
    if memory:
        net = nn.MemoryMLP(LATENT, (4,), FEATURES, slots=(2,), key=keys[0])
    return LatentVariableModel(
        prior=priors.Vamp(jnp.full((2, FEATURES), 0.5)) if vamp else priors.StandardNormal(LATENT),
        likelihood=likelihoods.Bernoulli(net),
        posterior=posteriors.Gaussian(nn.Linear(FEATURES, 2 * LATENT, key=keys[1])),
    )


class Case(NamedTuple):
    """A call; of what it gives, the leaves that depend on no noise, with their tolerance (None: all are drawn)."""

    call: Callable[[], Any]
    fixed: Callable[[Any], Any] | None = None
    atol: float = 2e-5
    errors: Callable[[Any], tuple[Any, Any]] | None = None  # values and their errors


def everything(found: Any) -> Any:
    return found


def evidence(found: Any) -> Any:
    return found.log_evidence


def sampler(function: Any) -> Any:
    return function(exact(), key(), Datum(jnp.asarray(X, float), index=jnp.arange(len(X))), 4)


def objective() -> Any:
    return gradients.Objective(gradients.pathwise(bounds.iwae), k=2)


def means(found: Any) -> tuple[Any, Any]:
    return found.values, found.error


INFERENCE: dict[str, Case] = {
    "code_length": Case(lambda: inference.code_length(GREY, (2, 2)), everything),
    "comparable_scores": Case(
        lambda: inference.comparable_scores(exact(), HOLED, np.zeros(4), key=key(), rows=20, k=4)[0]
    ),
    "decode": Case(lambda: inference.decode(exact(), Z, key=key()), everything),
    "denoise": Case(
        lambda: inference.denoise(binary(), BINARY, flips=0.2, k=40, key=key(), iterations=2), errors=means
    ),
    "embed": Case(lambda: inference.embed(exact(), HOLED, key=key(), missing=True), everything),
    "generate": Case(lambda: inference.generate(exact(), 3, key=key())),
    "generate_from_pseudo_inputs": Case(
        lambda: inference.generate_from_pseudo_inputs(binary(vamp=True), 2, 2, key=key())
    ),
    "impute": Case(lambda: inference.impute(wide(), HOLED, k=40, draws=2, key=key(), iterations=1), errors=means),
    "impute_gibbs": Case(lambda: inference.impute_gibbs(exact(), HOLED, iterations=2, key=key())),
    "likelihood_ratio": Case(
        lambda: inference.likelihood_ratio(exact(), exact(), X, k=3, key=key()), lambda found: found.ratio
    ),
    "reconstruct": Case(lambda: inference.reconstruct(exact(), X, key=key()), everything),
    "resample": Case(lambda: inference.resample(wide(), X, key=key(), k=5)),
    "resampling_weights": Case(lambda: inference.resampling_weights(wide(), X, key=key(), k=30)),
    "score": Case(lambda: inference.score(exact(), X, k=5, key=key()), evidence),
    "score_table": Case(
        lambda: inference.score_table(exact(), X, Rows(X, (3,), "binary"), k=5, key=key()),
        lambda found: found.columns["log_evidence"],
    ),
    "slot_pictures": Case(lambda: inference.slot_pictures(binary(memory=True), BINARY, key=key())),
    "slot_preferences": Case(lambda: inference.slot_preferences(binary(memory=True), BINARY, [0, 1], key=key())),
    "typicality": Case(lambda: inference.typicality([1.0, 2.0], [1.5, 1.0]), everything),
    "vamp_of": Case(lambda: jax.tree.leaves(inference.vamp_of(binary(vamp=True))), everything),
}
EVALUATION: dict[str, Case] = {
    "active_units": Case(lambda: evaluation.active_units([np.array([0.5, 0.001])]), everything),
    "aggregate_posterior": Case(lambda: evaluation.aggregate_posterior(exact(), X, key=key())),
    "annealed_evidence": Case(lambda: evaluation.annealed_evidence(exact(), X[:2], key=key(), **CHAINS)),
    "auroc": Case(lambda: evaluation.auroc([1.0, 2.0, 4.0], [0.0, 3.0]), everything),
    "average_precision": Case(lambda: evaluation.average_precision([1.0, 2.0, 4.0], [0.0, 3.0]), everything),
    "brier_score": Case(lambda: evaluation.brier_score([[0.25, 0.75], [1.0, 0.0]], [1, 1]), everything),
    "expected_calibration_error": Case(
        lambda: evaluation.expected_calibration_error([[0.25, 0.75], [1.0, 0.0]], [1, 1]), everything
    ),
    "bidirectional_evidence": Case(lambda: evaluation.bidirectional_evidence(exact(), 2, key=key(), **CHAINS)),
    "convergence_in_k": Case(
        lambda: evaluation.convergence_in_k(exact(), X, k=4, ks=[1, 4], key=key()), lambda found: found.per_row
    ),
    "error_of_mean": Case(lambda: evaluation.error_of_mean(np.array([3.0, 4.0])), everything),
    "gradient_signal_to_noise": Case(
        lambda: evaluation.gradient_signal_to_noise(exact(), X[:2], objective(), repeats=8, folds=2, key=key())
    ),
    "importance_posterior_elbo": Case(
        lambda: evaluation.importance_posterior_elbo(exact(), X[:2], k=2, outer=2, draws=2, key=key())
    ),
    "importance_posterior_log_prob": Case(
        lambda: evaluation.importance_posterior_log_prob(exact(), X[:2], np.stack([Z, Z]), k=2, outer=2, key=key()),
        lambda found: found.log_prob,
        atol=1e-4,
    ),
    "inference_gap": Case(lambda: evaluation.inference_gap(wide(), X[:2], k=4, steps=4, draws=2, key=key())),
    "jackknife_evidence": Case(
        lambda: evaluation.jackknife_evidence(exact(), X[:2], k=3, orders=(0, 1), repeats=2, key=key()), atol=1e-4
    ),
    "kl_by_row": Case(lambda: evaluation.kl_by_row(exact(), X, key=key()), everything),
    "kl_per_unit": Case(lambda: evaluation.kl_per_unit(exact(), X, key=key()), everything),
    "log_evidence": Case(lambda: evaluation.log_evidence(exact(), X, k=5, key=key()), evidence),
    "marginal_moments": Case(
        lambda: evaluation.marginal_moments(exact(), np.array([[1, 1, 0]], bool), rows=20, k=4, key=key())
    ),
    "pareto_k": Case(lambda: evaluation.pareto_k(np.linspace(0, 1, 40)[:, None], 100), everything),
    "posterior_means": Case(lambda: evaluation.posterior_means(exact(), X, key=key()), everything),
    "posterior_plane": Case(
        lambda: evaluation.posterior_plane(exact(), X[:1], ks=(2,), side=11, outer=2, key=key()), atol=1e-4
    ),
    "posterior_sampler": Case(lambda: sampler(evaluation.posterior_sampler)),
    "resampling_sampler": Case(lambda: sampler(evaluation.resampling_sampler(3))),
    "simulation_based_calibration": Case(
        lambda: evaluation.simulation_based_calibration(
            exact(), evaluation.posterior_sampler, simulations=100, draws=9, bins=10, batch=50, key=key()
        )
    ),
    "squared_error": Case(lambda: evaluation.squared_error(X, X + 1, np.ones(X.shape, bool)), everything),
    "squared_error_difference": Case(
        lambda: evaluation.squared_error_difference(X, X + 1, X + 2, np.ones(X.shape, bool)), everything
    ),
    "tail_size": Case(lambda: evaluation.tail_size(100), everything),
    "unit_activity": Case(lambda: evaluation.unit_activity(exact(), X, key=key()), everything),
}
CASES = {f"inference.{name}": case for name, case in INFERENCE.items()}
CASES |= {f"evaluation.{name}": case for name, case in EVALUATION.items()}
LONG = [  # compiled, in both precisions
    *(
        "comparable_scores",
        "score_table",
        "aggregate_posterior",
        "annealed_evidence",
        "bidirectional_evidence",
        "inference_gap",
    ),
    *("gradient_signal_to_noise", "importance_posterior_elbo", "importance_posterior_log_prob", "jackknife_evidence"),
    *("simulation_based_calibration", "resampling_sampler", "slot_pictures", "slot_preferences", "denoise"),
    *("marginal_moments", "posterior_plane", "generate_from_pseudo_inputs", "impute_by_sweeps", "resampling_weights"),
    *("kl_per_unit", "unit_activity"),
]
SHORT = ["embed", "score", "typicality", "active_units", "auroc", "squared_error", "tail_size"]  # not compiled


def cases(*, slow: Callable[[str], bool]) -> list[Any]:
    marks = {name: [pytest.mark.slow] if slow(name.partition(".")[2]) else [] for name in CASES}
    return [pytest.param(name, marks=marks[name]) for name in CASES]


def functions(package: Any) -> set[str]:
    return {name for name in package.__all__ if inspect.isfunction(getattr(package, name))}


ELSEWHERE = {"graph_of", "label_probabilities", "likeliest_links", "link_probabilities"}  # tests/laws of their systems


def test_every_function_has_a_case():
    assert functions(inference) - ELSEWHERE == set(INFERENCE)
    assert functions(evaluation) == set(EVALUATION)


def leaves(found: Any) -> list[np.ndarray]:
    """Numbers of whatever a function gives, in a fixed order."""
    if found is None or isinstance(found, str | bytes | bool):
        return []
    if hasattr(found, "__dataclass_fields__"):
        return [leaf for name in found.__dataclass_fields__ for leaf in leaves(getattr(found, name))]
    if isinstance(found, dict):
        return [leaf for each in found.values() for leaf in leaves(each)]
    if isinstance(found, list | tuple):
        return [leaf for each in found for leaf in leaves(each)]
    return [np.asarray(found)]


@cache
def single(name: str) -> Any:
    return CASES[name].call()


def double(name: str) -> Any:
    with jax.enable_x64(True):
        return CASES[name].call()


@pytest.mark.parametrize("name", cases(slow=lambda name: name in LONG))
def test_double_precision_gives_what_single_precision_gives(name: str):
    case, one, other = CASES[name], single(name), double(name)
    shapes = [[leaf.shape for leaf in leaves(each)] for each in (one, other)]
    assert shapes[0] == shapes[1]
    if case.fixed is not None:
        for a, b in zip(leaves(case.fixed(one)), leaves(case.fixed(other)), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=case.atol)
    if case.errors is not None:
        (a, error_a), (b, error_b) = case.errors(one), case.errors(other)
        assert (np.abs(a - b) <= 5 * np.hypot(error_a, error_b) + 1e-6).all()


@pytest.mark.parametrize("name", cases(slow=lambda name: name not in SHORT))
def test_what_is_not_compiled_gives_what_is(name: str):
    with jax.disable_jit():
        plain = CASES[name].call()
    for a, b in zip(leaves(single(name)), leaves(plain), strict=True):
        if a.dtype.kind in "fc":
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)
        else:
            np.testing.assert_array_equal(a, b)
