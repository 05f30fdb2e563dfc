"""Checks of numbers against exact answers: the processor, and the libraries that compile for it."""

import math
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import bounds, evaluation, gradients, inference
from iwax.cli.self_check.check import Finding
from iwax.cli.self_check.oracle import Oracle
from iwax.evaluation.statistics import standard_error
from iwax.numerics import StreamingLogMeanExp

__all__ = [
    "bounds_below",
    "conditional_mean_off",
    "exact_posterior_off",
    "flagged",
    "gradient_off",
    "gradient_z",
    "precisions_apart",
    "self_test",
    "streaming_error",
]

KEY = jax.random.key(0)
ERRORS, FLOOR = 5.0, 1e-3  # allowed: five standard errors of the draws, and the rounding of single precision


def self_test(*, k: int = 2000) -> dict[str, Any]:
    """Estimate and exact value of the mean log p(x), their allowed difference, and whether it holds.

    q(z|x) is too wide, so that the weights vary and the estimate has something to get wrong.
    """
    oracle = Oracle.of()
    x = oracle.rows(50)
    exact = float(oracle.log_evidence(x).mean())
    found = evaluation.log_evidence(oracle.model(wider=1.2), x.astype(np.float32), k=k, key=KEY)
    allowed = ERRORS * evaluation.error_of_mean(found.monte_carlo_error) + FLOOR
    passed = bool(abs(found.mean - exact) <= allowed)
    return {"exact": exact, "estimate": float(found.mean), "allowed": allowed, "k": k, "passed": passed}


def streaming_error(offset: float, k: int, chunk: int, dtype: Any = np.float64) -> float:
    """The error, nats, of a streamed ``log mean exp`` of k log-weights, ``log i + offset``: log (k+1)/2 + offset."""
    log_w = (np.log(np.arange(1, k + 1)) + offset).astype(dtype)
    stream = StreamingLogMeanExp(1)
    for first in range(0, k, chunk):
        stream.add(log_w[first : first + chunk, None].astype(np.float64))
    return abs(float(stream.log_mean_exp[0]) - (math.log((k + 1) / 2) + offset))


def streaming(folder: Path, *, most: int = 200_000) -> Finding:
    """U1."""
    offsets, sizes = (
        (0.0, 1e4, -1e4),
        [(k, chunk) for k in (1_000, most) for chunk in {k, k // 100, 7} if k // chunk < 9999],
    )
    double = max(streaming_error(offset, *size) for offset in offsets for size in sizes)
    single = max(streaming_error(offset, *size, np.float32) for offset in offsets for size in sizes)
    return Finding(double <= 1e-9 and single <= 6e-4, f"error {double:.0e} nats (float64), {single:.0e} (float32 in)")


def bounds_below(k: int, *, rows: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """IWAE at 1, 2, 5, ..., k less exact log p(x) with its error, and the gain of each over the last with its error."""
    oracle = Oracle.of()
    x = oracle.rows(rows)
    found = evaluation.convergence_in_k(oracle.model(wider=1.3), x, k=k, key=KEY)
    gap = found.per_row - oracle.log_evidence(x)
    gain = np.diff(found.per_row, axis=0)
    return gap.mean(axis=1), found.monte_carlo_error, gain.mean(axis=1), standard_error(gain)


def bound(folder: Path, *, k: int = 5000) -> Finding:
    """T1, in both precisions."""
    worst, holds = [], True
    for double in (False, True):
        with jax.enable_x64(double):
            gap, error, gain, gain_error = bounds_below(k)
        holds &= bool((gap <= 4 * error + 1e-4).all() and (gain >= -4 * gain_error).all() and abs(gap[-1]) <= 0.01)
        worst.append(gap[-1])
    return Finding(holds, f"IWAE at k={k} off by {worst[0]:+.4f} nats (float32), {worst[1]:+.4f} (float64)")


def exact_posterior_off(*, double: bool, rows: int = 50, k: int = 20) -> float:
    """The largest ``|log w - log p(x)|`` where q(z|x) is p(z|x), nats: all of it is rounding."""
    oracle = Oracle.of()
    with jax.enable_x64(double):
        x = oracle.rows(rows).astype(np.float64 if double else np.float32)
        found = evaluation.convergence_in_k(oracle.model(), x, k=k, key=KEY, ks=[1])
        evidence = evaluation.log_evidence(oracle.model(), x, k=k, key=KEY)
    exact = oracle.log_evidence(x.astype(np.float64))
    return float(max(np.abs(found.per_row - exact).max(), np.abs(evidence.log_evidence - exact).max()))


def exact_posterior(folder: Path) -> Finding:
    """T2."""
    single, double = (exact_posterior_off(double=each) for each in (False, True))
    return Finding(double <= 1e-10 and single <= 1e-3, f"off by {double:.0e} nats (float64), {single:.0e} (float32)")


def precisions_apart(*, k: int = 500, rows: int = 50) -> tuple[float, float]:
    """How far the means of log p(x) in 32 and in 64 bits lie apart, and their Monte-Carlo error, nats."""
    oracle, found = Oracle.of(), []
    for double in (False, True):
        with jax.enable_x64(double):
            found.append(evaluation.log_evidence(oracle.model(wider=1.05), oracle.rows(rows), k=k, key=KEY))
    error = math.hypot(*(evaluation.error_of_mean(each.monte_carlo_error) for each in found))
    return abs(found[0].mean - found[1].mean), error


def precisions(folder: Path) -> Finding:
    """U4; says too how exact a matrix product is, which some devices round to 19 bits."""
    apart, error = precisions_apart()
    a = np.random.default_rng(0).normal(size=(2, 256, 256))
    product = np.asarray(jnp.dot(*(jnp.asarray(each, jnp.float32) for each in a)), np.float64)
    off = np.abs(product - a[0] @ a[1]).max() / np.abs(a[0] @ a[1]).max()
    return Finding(apart <= 1e-3 + 4 * error, f"{apart:.1e} nats apart; a float32 product is off by {off:.0e}")


def _sums(model: Any, keys: Any, x: Any, estimator: Any) -> Any:
    """The gradients of the encoder's bias by every key [keys, 2 latent]."""

    def of_bias(bias: Any, key: Any) -> Any:
        moved = eqx.tree_at(lambda m: m.posterior.network.bias, model, bias)
        return jnp.mean(gradients.Objective(estimator, k=5)(moved, key, x).value)

    return jax.vmap(lambda key: jax.grad(of_bias)(model.posterior.network.bias, key))(keys)


def gradient_off(step: float = 1e-4) -> float:
    """The pathwise gradient of IWAE less finite differences of the same draws, float64, relative."""
    oracle = Oracle.of()
    with jax.enable_x64(True):
        model: Any = oracle.model(wider=1.3)
        x, keys, estimator = jnp.asarray(oracle.rows(4)), jax.random.split(KEY, 10), gradients.pathwise(bounds.iwae)
        start = model.posterior.network.bias

        @jax.jit
        def value(bias: Any) -> Any:
            moved = eqx.tree_at(lambda m: m.posterior.network.bias, model, bias)
            found = jax.vmap(lambda key: gradients.Objective(estimator, k=5)(moved, key, x).bound)(keys)
            return jnp.mean(found)

        gradient = np.asarray(jax.jit(lambda: _sums(model, keys, x, estimator).mean(axis=0))())
        moves = step * np.eye(start.size)
        slopes = [float(value(start + move) - value(start - move)) / (2 * step) for move in moves]
    return float(np.abs(gradient - slopes).max() / np.abs(slopes).max())


def gradient_z(draws: int = 2000) -> tuple[float, float]:
    """How many errors the mean gradient of two estimators is off the pathwise one: the unbiased one, the biased one.

    Doubly reparameterised for the first; sticking the landing, which at k > 1 has a bias, for the second.
    """
    oracle = Oracle.of()
    with jax.enable_x64(True):
        model, x, keys = oracle.model(wider=1.3), jnp.asarray(oracle.rows(4)), jax.random.split(KEY, draws)
        names = (gradients.pathwise, gradients.doubly_reparameterized, gradients.sticking_the_landing)
        found = [np.asarray(jax.jit(lambda each=each: _sums(model, keys, x, each(bounds.iwae)))()) for each in names]
    off = [each - found[0] for each in found[1:]]
    z = [np.abs(each.mean(axis=0)) / (each.std(axis=0) / math.sqrt(draws)) for each in off]
    return float(z[0].max()), float(z[1].max())


def gradient(folder: Path) -> Finding:
    """T4."""
    off, (unbiased, biased) = gradient_off(), gradient_z()
    holds = off <= 1e-6 and unbiased < 4.5 and biased > 10
    return Finding(holds, f"off by {off:.0e} relative; z {unbiased:.1f}, of a biased one {biased:.0f}")


def flagged(wider: float, *, k: int = 1000, rows: int = 50) -> float:
    """The share of rows whose k-hat is above 0.7 with q(z|x) of ``wider`` times the right standard deviations."""
    oracle = Oracle.of(latent=4, features=8)
    found = evaluation.log_evidence(oracle.model(wider=wider), oracle.rows(rows), k=k, key=KEY)
    return found.pareto_k_over()


def flags(folder: Path) -> Finding:
    """T9."""
    narrow, nearly = flagged(0.5), flagged(0.9)
    return Finding(narrow > 0.05 >= nearly, f"{narrow:.0%} of rows flagged at sd x 0.5, {nearly:.0%} at sd x 0.9")


def conditional_mean_off(*, k: int = 2000, rows: int = 200, double: bool = False) -> tuple[float, float]:
    """The largest and the root mean square error of imputed means, in their Monte-Carlo errors.

    Of rows for which a quarter of the draws count: where few do, an error is a guess, and k-hat is there to say so.
    """
    oracle = Oracle.of()
    x = oracle.rows(rows)
    absent = np.random.default_rng(3).uniform(size=x.shape) < 0.3
    absent[:, 0] = False
    with jax.enable_x64(double):
        found = inference.impute(oracle.model(wider=1.5), np.where(absent, np.nan, x), k=k, key=KEY)
    covariance = oracle.weight.T @ oracle.weight + oracle.scale**2 * np.eye(x.shape[1])
    z = [
        (
            found.values[i, gone]
            - covariance[np.ix_(gone, ~gone)] @ np.linalg.solve(covariance[np.ix_(~gone, ~gone)], x[i, ~gone])
        )
        / found.error[i, gone]
        for i, gone in enumerate(absent)
        if gone.any() and found.ess[i] > k / 4
    ]
    together = np.abs(np.concatenate(z))
    return float(together.max()), float(np.sqrt(np.mean(together**2)))


def imputation(folder: Path) -> Finding:
    """T7."""
    largest, spread = conditional_mean_off()
    return Finding(
        largest <= 5 and 0.8 <= spread <= 1.25, f"z of imputed means: spread {spread:.2f}, largest {largest:.1f}"
    )
