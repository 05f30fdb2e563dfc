"""Numerics: sums of exponentials, memory, extremes, precision, numbers that are none, and batches.

Trials of U1, U4 and U6 are those of `iwax doctor --self-check`, at the size of the pass line.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import nodes

from iwax import Datum, bounds, gradients, likelihoods, nn, training
from iwax.cli.self_check import arithmetic, repetition
from iwax.cli.self_check.oracle import Oracle
from iwax.evaluation.importance_posterior import joint_and_posterior
from iwax.storage import checkpoint

KEY = jax.random.key(0)
OBJECTIVE = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=5)
CLI = [sys.executable, "-c", "from iwax.cli import main; main()"]
TINY = ["--set", "model.hidden=[16]", "--set", "model.latent=4", "--epochs", "1"]


def iwax(*words: object) -> tuple[subprocess.CompletedProcess, int]:
    """A command's end, and the peak of its memory in kB."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [*CLI, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return subprocess.CompletedProcess(process.args, process.returncode, out), usage.ru_maxrss


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch on the digits, in single precision."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    found, _ = iwax("train", "digits", *TINY, "--output", folder)
    assert found.returncode == 0, found.stdout
    return folder


@pytest.mark.scorecard("U1", "streaming logmeanexp", "error <= 1e-9 nats (float64), <= 6e-4 (float32 in), any chunk")
def test_streaming(figure):
    offsets = (0.0, 1e4, -1e4)
    sizes = [(1, 1), (10_000, 1), (10**6, 1_000), (10**6, 12_345), (10**6, 10**6)]
    double = max(arithmetic.streaming_error(offset, *size) for offset in offsets for size in sizes)
    single = max(arithmetic.streaming_error(offset, *size, np.float32) for offset in offsets for size in sizes)
    others = nodes.passed("tests/numerics/test_numerics.py")
    figure(f"error {double:.0e} (float64), {single:.0e} (float32 in), k to 1e6, chunk 1 to 1e6; {others}")
    assert double <= 1e-9
    assert single <= 6e-4


@pytest.mark.scorecard("U2", "memory of evaluate --k", "peak RSS at k=1e6 <= 1.1 times that at k=1e4")
def test_memory(run, figure):
    few, many = (iwax("evaluate", run, "--limit", 1, "--k", k) for k in (10_000, 1_000_000))
    assert few[0].returncode == many[0].returncode == 0, many[0].stdout
    figure(f"{many[1] / few[1]:.2f} times ({few[1] // 1024} and {many[1] // 1024} MB)")
    assert many[1] <= 1.1 * few[1]


@pytest.mark.scorecard(
    "U3", "extremes of densities", "finite value and gradient; equals mpmath <= 1e-6 relative or nats"
)
def test_extremes(figure):
    others = nodes.passed(
        "tests/contracts/test_feature_extremes.py",
        "tests/contracts/test_distributions.py::test_bernoulli_at_any_logit",
        "tests/contracts/test_distributions.py::test_normal_at_any_scale",
    )
    makes = (likelihoods.Bernoulli, likelihoods.ContinuousBernoulli, likelihoods.Poisson)
    trials = [(make, size, value) for make in makes for size in (1e-30, 1e2, 1e4, 1e6) for value in (0.0, 1.0)]
    finite = [gradient_is_finite(*trial) for trial in trials]
    figure(f"{sum(finite)} of {len(finite)} networks of weights up to 1e6 finite with finite gradients; {others}")
    assert all(finite)


def gradient_is_finite(make, size: float, value: float) -> bool:
    network = nn.MLP(2, (8, 8), 5, key=KEY)
    network = jax.tree.map(lambda leaf: size * leaf if eqx.is_inexact_array(leaf) else leaf, network)

    def log_prob(likelihood):
        return likelihood(jnp.array([1.5, -0.7]), key=KEY).log_prob(jnp.full(5, value))

    found = eqx.filter_value_and_grad(log_prob)(make(network))
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(eqx.filter(found, eqx.is_inexact_array)))


@pytest.mark.scorecard("U4", "32 and 64 bits end to end", "mean log p(x) <= 1e-3 nats apart; the precision is reported")
def test_precisions(run, figure):
    """Trained in 32 bits, weighed in both at the same draws; and imputed in 64."""
    summary, _ = iwax("--json", "evaluate", run, "--limit", 5, "--k", 5)
    said = re.search(r'"precision": (\{[^}]*\}|"[^"]*")', summary.stdout)
    data = Oracle.of().rows(60)
    start = Oracle.of().model(wider=1.5)
    made = training.fit(start, OBJECTIVE, data, optimizer=optax.adam(1e-2), epochs=3, key=KEY, progress=False).model
    z = np.random.default_rng(0).normal(size=(200, 2))
    apart = abs(mean_log_evidence(made, data, z, double=False) - mean_log_evidence(made, data, z, double=True))
    largest, spread = arithmetic.conditional_mean_off(double=True)
    words = " ".join(said[1].split()) if said else "not"
    figure(f"{apart:.1e} nats apart; imputed in 64 bits: z up to {largest:.1f}; precision reported: {words}")
    assert said
    assert apart <= 1e-3
    assert largest <= 5
    assert 0.8 <= spread <= 1.25


def mean_log_evidence(model, data: np.ndarray, z: np.ndarray, *, double: bool) -> float:
    """The mean over rows of log mean w at the same points for both precisions."""
    with jax.enable_x64(double):
        dtype = np.float64 if double else np.float32
        cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype) if eqx.is_inexact_array(leaf) else leaf, model)
        found = []
        for row in data[:10]:
            datum = Datum(values=jnp.asarray(row[None], dtype), index=jnp.arange(1))
            log_joint, log_q = joint_and_posterior(cast, KEY, datum, z.astype(dtype))
            log_w = log_joint - log_q
            found.append(log_w.max() + np.log(np.mean(np.exp(log_w - log_w.max()))))
    return float(np.mean(found))


@pytest.mark.scorecard(
    "U5", "a loss that is not finite", "stops with step, tensor and rows, exit 4; the last checkpoint is finite"
)
def test_numerical_stop(tmp_path, figure):
    folder = tmp_path / "run"
    found, _ = iwax("train", "digits", *TINY, "--epochs", 40, "--set", "training.learning_rate=10", "--output", folder)
    said = [line for line in found.stdout.splitlines() if "training stopped at step" in line]
    newest = checkpoint.latest(folder / "checkpoints")
    finite = newest is not None and all(np.isfinite(each).all() for each in stored(newest / "model.safetensors"))
    figure(f"exit {found.returncode}: {said[-1][:110] if said else 'nothing said'}; last checkpoint finite: {finite}")
    assert found.returncode == 4, found.stdout
    assert re.search(r"stopped at step \d+: (the loss|the gradient of \S+|the optimiser's update).* is NaN", said[-1])
    assert re.search(r"\brows?\b", said[-1])
    assert finite


def stored(path: Path) -> list[np.ndarray]:
    """The tensors of a file in single precision, read by the format's own description: a length, JSON, the bytes."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    spans = [entry["data_offsets"] for entry in header.values() if entry.get("dtype") == "F32"]
    return [np.frombuffer(data[begin + first : begin + last], np.float32) for first, last in spans]


@pytest.mark.scorecard("U6", "evaluation does not depend on the batch", "log p(x) <= 1e-6 relative apart; order: equal")
def test_invariance(figure):
    apart, order = repetition.batches_apart((1, 7, 64, 512), rows=600)
    others = nodes.passed(
        "tests/laws/test_oracle_evidence.py::test_a_row_keeps_its_value_whatever_rows_stand_around_it"
    )
    words = "equal" if order else "not equal"
    figure(f"{apart:.0e} relative apart in batches of 1, 7, 64, 512; other order {words}; {others}")
    assert apart <= 1e-6
    assert order
