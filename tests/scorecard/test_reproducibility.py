"""Reproducibility and long runs: hashes of repeated runs, compiled and not, a run from its folder, numbers, memory."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import digits_reference as reference
from oracles import several_devices
from scipy import stats

from iwax.cli.self_check import repetition

CLI = [sys.executable, "-c", "from iwax.cli import main; main()"]
TINY = ["--set", "model.hidden=[16]", "--set", "model.latent=4", "--epochs", "3", "--seed", "7"]
SAME = ("metrics.jsonl", "evaluation", "checkpoints")

LONG = """
import json, os, sys
from functools import partial
from pathlib import Path
import jax, numpy as np, optax
from iwax import bounds, evaluation, gradients, training
from iwax.cli.self_check.oracle import Oracle
from iwax.storage import checkpoint

folder, epochs, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
data, key = Oracle.of().rows(20 * steps, seed=2).astype(np.float32), jax.random.key(0)
reported = []

class Watch:
    def segment(self, state, progress):
        return False

    def improved(self, state):
        pass

    def epoch(self, state, row):
        step = int(state.step)
        weights = [np.asarray(leaf) for leaf in jax.tree.leaves(state.model) if hasattr(leaf, "dtype")]
        checkpoint.save(folder, step, model=weights, train={}, state={"validation": row["bound"]})
        checkpoint.prune(folder, 3)
        evaluation.log_evidence(state.model, data[:40], k=50, key=key)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        reported.append((step, megabytes, len(os.listdir("/proc/self/fd")), len(checkpoint.steps(folder))))

objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=5)
training.fit(
    Oracle.of().model(wider=1.5), objective, data, optimizer=optax.adam(1e-3), epochs=epochs, batch=20, key=key,
    callbacks=[Watch()], progress=False,
)
print(json.dumps(reported))
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def iwax(*words: object, before: tuple[str, ...] = ()) -> str:
    command = [*before, *CLI, *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of what a run found: metrics, weights, optimiser, log p(x) of every row; not of what names versions."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.suffix == ".npz":
            with np.load(path) as columns:
                found[name] = hashlib.sha256(columns["log_evidence"].tobytes()).hexdigest()
        elif name == "metrics.jsonl" or path.suffix == ".safetensors":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A small run, evaluated."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    iwax("train", "digits", *TINY, "--output", folder)
    iwax("evaluate", folder, "--limit", 20, "--k", 20)
    return folder


@pytest.mark.scorecard("P1", "the same seed twice, and on one processor", "identical hashes; <= 1e-6 on one processor")
def test_the_same_seed(run, tmp_path, figure):
    wanted, reported = digests(run), []
    for name, before in (("again", ()), ("one-processor", ("taskset", "-c", "0"))):
        iwax("train", "digits", *TINY, "--output", tmp_path / name, before=before)
        iwax("evaluate", tmp_path / name, "--limit", 20, "--k", 20, before=before)
        reported.append(digests(tmp_path / name))
    figure(
        f"{len(wanted)} files: {sum(reported[0][name] == wanted[name] for name in wanted)} equal again, "
        f"{sum(reported[1][name] == wanted[name] for name in wanted)} on one processor"
    )
    assert len(wanted) >= 4
    assert reported[0] == reported[1] == wanted


@pytest.mark.scorecard("P2", "several devices", "first gradient <= 1e-5 relative, values of rows <= 1e-6")
def test_several_devices(figure):
    found = several_devices.differences(["iwae in pieces", "free bits", "score function", "evaluation"], [2, 4, 8])
    gradient = max(off for name, off in found.items() if name.startswith("gradient"))
    values = max(off for name, off in found.items() if not name.startswith("gradient"))
    figure(
        f"first gradients of 3 objectives on 2, 4 and 8 devices {gradient:.0e} relative apart, "
        f"log p(x), imputed values and latents {values:.0e}"
    )
    assert len(found) == 18
    assert several_devices.too_far(found) == {}


@pytest.mark.scorecard("P3", "compiled and not", "deterministic parts <= 1e-5; random parts equal in distribution")
def test_uncompiled(figure):
    """Log-weights at the same keys; draws of both by a Kolmogorov-Smirnov test."""
    off = repetition.uncompiled_off(k=8, rows=8)

    def draws(key):
        return jax.random.normal(key, (4000,)) * jnp.float32(1.3)

    compiled = np.asarray(jax.jit(draws)(jax.random.key(1)))
    with jax.disable_jit():
        plain = np.asarray(draws(jax.random.key(2)))
    p = stats.ks_2samp(compiled, plain).pvalue
    figure(f"log-weights of the same keys {off:.0e} relative apart; draws of others p = {p:.2f}")
    assert off <= 1e-5
    assert p > 1e-4


@pytest.mark.scorecard(
    "P4", "a run folder reproduces its run", "identical metrics; versions, data SHA-256, seed are there"
)
def test_a_run_from_its_folder(run, tmp_path, figure):
    iwax("train", "-c", run / "config.json", "--output", tmp_path / "again")
    iwax("evaluate", tmp_path / "again", "--limit", 20, "--k", 20)
    about = json.dumps(json.loads((run / "env.json").read_text()))
    there = [word for word in ("versions", "sha256", "git", "command") if word in about]
    wanted, found = digests(run), digests(tmp_path / "again")
    figure(f"{sum(found[name] == wanted[name] for name in wanted)} of {len(wanted)} files equal; env.json has {there}")
    assert found == wanted
    assert json.loads((run / "config.json").read_text())["seed"] == 7
    assert len(there) == 4


@pytest.mark.scorecard("P5", "numbers do not get worse", "5 seeds, one-sided t-test vs the stored reference: p > 0.05")
def test_numbers_do_not_get_worse(tmp_path, figure):
    """VAE and IWAE (k = 5) on the digits, seeds 5 to 9 against the stored 0 to 4 (`digits_reference`)."""
    stored = json.loads(reference.FILE.read_text())["log_evidence"]
    found = {preset: [reference.measured(preset, 5 + i, tmp_path) for i in range(5)] for preset in stored}
    p = {
        preset: stats.ttest_ind(found[preset], stored[preset], equal_var=False, alternative="less").pvalue
        for preset in stored
    }
    gain = stats.ttest_ind(*(found[preset] for preset in reversed(reference.PRESETS)), alternative="greater").pvalue
    words = [
        f"{preset} {np.mean(found[preset]):.2f} +/- {np.std(found[preset], ddof=1):.2f} nats "
        f"(stored {np.mean(stored[preset]):.2f}), p = {p[preset]:.2f}"
        for preset in stored
    ]
    figure(f"{'; '.join(words)}; IWAE above VAE: p = {gain:.0e}")
    assert min(p.values()) > 0.05
    assert gain < 0.05


@pytest.mark.scorecard(
    "L1", "20,000 steps, 200 checkpoints, 200 evaluations", "RSS <= 1 MB per 10,000 steps; files constant"
)
def test_a_long_run(tmp_path, figure):
    command = [sys.executable, "-c", LONG, str(tmp_path / "checkpoints"), "200", "100"]
    found = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=360, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    reported = np.array(json.loads(found.stdout.strip().splitlines()[-1]))
    steps, megabytes, files, kept = reported[50:].T  # less a warm-up
    slope = stats.linregress(steps, megabytes).slope * 10_000
    figure(
        f"{int(steps[-1]):,} steps: {slope:+.2f} MB per 10,000 steps, {int(files.min())} to {int(files.max())} files "
        f"open, at most {int(kept.max())} checkpoints"
    )
    assert len(reported) == 200
    assert steps[-1] == 20_000
    assert slope <= 1
    assert files.max() == files.min()
    assert kept.max() <= 4
