"""Statistical correctness: bounds, weights, gradients, samplers, densities, imputation, weights at random, k-hat.

Where a test of the suite measures what the pass line asks for, at its size, the check runs that test and says so. The
trials beside them are those of `iwax doctor --self-check`, on another oracle than the suite's.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from oracles import nodes

from iwax.cli.self_check import arithmetic

ROOT = Path(__file__).parents[2]
LAWS = "tests/laws/"


@pytest.mark.scorecard(
    "T1",
    "bounds on exact models",
    "bound <= log p(x) + 4 SE; IWAE rises with k; at k=5000 within 0.01; every objective",
)
def test_bounds(figure):
    gap, error, gain, gain_error = arithmetic.bounds_below(5000, rows=200)
    others = nodes.passed(
        LAWS + "test_enumerable.py::test_lower_bounds_lie_below_log_p_and_iwae_rises_with_k_exactly",
        LAWS + "test_families_on_linear_gaussian.py",
        *(
            LAWS + f"test_oracle_evidence.py::test_{name}"
            for name in (
                "lower_bounds_lie_below_log_p_of_x",
                "the_elbo_is_log_p_minus_the_divergence",
                "iwae_does_not_fall_with_k_on_the_same_draws",
                "many_draws_come_within_a_hundredth_of_a_nat",
            )
        ),
    )
    figure(f"IWAE at k=1 {gap[0]:+.3f}, at k=5000 {gap[-1]:+.4f} nats of log p(x); {others}")
    assert (gap <= 4 * error).all()
    assert (gain >= -4 * gain_error).all()
    assert abs(gap[-1]) <= 0.01


@pytest.mark.scorecard("T2", "exact posterior as q", "log w = log p(x) within 1e-10 (float64), 1e-3 (float32)")
def test_exact_posterior(figure):
    double, single = (arithmetic.exact_posterior_off(double=each, rows=500, k=100) for each in (True, False))
    figure(f"off by {double:.1e} (float64), {single:.1e} nats (float32)")
    assert double <= 1e-10
    assert single <= 1e-3


@pytest.mark.scorecard(
    "T3", "bidirectional Monte Carlo", "lower <= truth <= upper within 4 SE; width <= 0.1 nat at T=1000"
)
def test_sandwich(figure):
    names = ("both_directions_bracket_the_exact_value", "a_bent_posterior_lies_between_the_bounds")
    figure(nodes.passed(*(LAWS + f"test_annealed.py::test_{name}" for name in names)))


@pytest.mark.scorecard("T4", "gradients", "unbiased ones z < 4 next to finite differences; a biased control z > 10")
def test_gradients(figure):
    off, (unbiased, biased) = arithmetic.gradient_off(), arithmetic.gradient_z(20_000)
    others = nodes.passed(
        LAWS + "test_estimators.py",
        LAWS + "test_enumerable.py::test_the_score_function_is_unbiased_for_every_bound_and_control_variate",
        LAWS + "test_enumerable.py::test_a_baseline_that_sees_its_own_draw_is_caught",
        LAWS + "test_oracle_evidence.py::test_the_gradient_of_the_iwae_bound_tends_to_the_exact_score",
    )
    figure(f"pathwise off by {off:.0e} relative; DReG z {unbiased:.1f}; sticking the landing z {biased:.0f}; {others}")
    assert off <= 1e-6
    assert unbiased < 4
    assert biased > 10


@pytest.mark.scorecard(
    "T5", "simulation-based calibration, Geweke", "exact q: p > 1e-4; sd x 0.8 and mean + 0.2 sd refused"
)
def test_samplers(figure):
    figure(
        nodes.passed(
            LAWS + "test_calibration.py",
            LAWS + "test_geweke.py",
            LAWS + "test_missing_values.py::test_iterations_that_draw_are_a_gibbs_sampler_if_the_encoder_is_exact",
        )
    )


@pytest.mark.scorecard("T6", "densities", "draws fit log p; integrals 1 +/- 1e-3; inverse and log-det of flows <= 1e-4")
def test_densities(figure):
    contracts = ("distributions", "densities_of_parts", "bijections", "priors_of_the_posterior")
    figure(nodes.passed(*(f"tests/contracts/test_{name}.py" for name in contracts)))


@pytest.mark.scorecard("T7", "imputation", "conditional means within their errors; 90 % intervals hold 90 +/- 2 %")
def test_imputation(figure):
    largest, spread = arithmetic.conditional_mean_off(rows=2000)
    names = (
        "imputed_means_are_the_conditional_means_within_their_errors",
        "nine_tenths_of_the_cells_lie_in_intervals_of_nine_tenths",
        "draws_have_the_conditional_mean_and_spread",
    )
    others = nodes.passed(*(LAWS + f"test_missing_values.py::test_{name}" for name in names))
    figure(f"z of the means: spread {spread:.2f}, largest {largest:.1f}; {others}")
    assert 0.9 < spread < 1.1
    assert largest < 6


@pytest.mark.scorecard(
    "T8", "random weights, memory", "exact evidence of conjugate regression; off equals the base model"
)
def test_random_weights(figure):
    figure(
        nodes.passed(
            LAWS + "test_posterior_over_weights.py::test_conjugate_regression",
            LAWS + "test_stochastic_weights.py::test_without_spread_it_is_its_twin_bit_for_bit",
            "tests/unit/parts/test_memory_networks.py::test_without_slots_it_is_the_plain_network_bit_for_bit",
        )
    )


@pytest.mark.scorecard("T9", "k-hat", "above 0.7 with a proposal of sd x 0.5, below with sd x 0.9")
def test_flags(figure):
    narrow, nearly = (arithmetic.flagged(wider, k=5000, rows=200) for wider in (0.5, 0.9))
    figure(f"{narrow:.0%} of rows flagged at sd x 0.5, {nearly:.0%} at sd x 0.9")
    assert narrow > 0.5
    assert nearly <= 0.01


@pytest.mark.scorecard("T10", "planted errors", "15 of 15 make tests fail")
def test_planted_errors(figure):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "tests/mutation/plant.py"]
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=1200, check=False
    )
    last = found.stdout.strip().splitlines()[-1]
    figure(last)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
    assert re.search(r"\b15\b", last)
