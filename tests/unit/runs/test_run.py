"""Runs from a configuration to a measured model, and what is refused before any training."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import safetensors.numpy
from oracles.recorder import Recorder
from oracles.resealing import sealed_again

from iwax import data, runs
from iwax.cli import main
from iwax.runs import comparison
from iwax.runs.diagnosis import Effort, diagnose
from iwax.runs.environment import _products
from iwax.runs.folder import held
from iwax.runs.interrupt import watch
from iwax.runs.reporter import Silent
from iwax.runs.session import Session
from iwax.settings.config import Data
from iwax.storage import checkpoint, record
from iwax.storage.sealed import Sealed
from iwax.training import NumericalStop

TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=10", "evaluation.k=20"]
JSON_KEYS = {
    *("dataset", "split", "n", "k", "method", "log_evidence", "standard_error", "elbo", "elbo_standard_error"),
    *("bits_per_dim", "ess_median", "pareto_k_over_0_7", "active_units", "active_units_threshold", "seconds"),
    *("preset", "seed", "checkpoint", "versions"),
}


def saved(path, values):
    np.save(path, values)
    return str(path)


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    """A file of 50 binary rows: 40 to train on, four steps an epoch."""
    values = np.random.default_rng(0).integers(0, 2, (50, 6), np.uint8)
    return saved(tmp_path_factory.mktemp("data") / "binary.npy", values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, binary):
    """A run of two epochs, for reading alone."""
    return runs.train(config_of(binary, seed=3), tmp_path_factory.mktemp("runs") / "run", reporter=Silent()).path


@pytest.fixture
def run(tmp_path, trained):
    """A copy of the run of two epochs, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def config_of(data, *sets, epochs=2, **flags):
    return runs.from_sources(data=data, sets=[*TINY, *sets], flags={"training.epochs": epochs, **flags})


def test_a_limit_above_the_rows_there_are_is_said(trained):
    reporter = Recorder()
    report = runs.evaluate(trained, k=2, limit=100, reporter=reporter)
    assert report["n"] == 5
    assert any("(test) has 5 rows, fewer than the limit 100" in note for note in reporter.notes)


def test_digits_from_nothing_to_the_closing_line(tmp_path):
    reporter = Recorder()
    config = runs.from_sources(sets=["model.hidden=[16]", "model.latent=4"], flags={"training.epochs": 1})
    run = runs.train(config, tmp_path / "run", reporter=reporter).path
    assert run == tmp_path / "run"
    there = {path.name for path in run.iterdir()}
    assert there == {"config.json", "env.json", "metrics.jsonl", "timing.jsonl", "checkpoints", "log.txt", "seal.json"}
    assert checkpoint.steps(run / "checkpoints") == [0, 13]
    (row,) = record.read(run / "metrics.jsonl")
    assert (row["epoch"], row["step"]) == (1, 13)
    assert reporter.progress[-1].step == 13

    report = runs.evaluate(run, k=30, limit=25, reporter=reporter)
    assert report.keys() >= JSON_KEYS
    assert (report["dataset"], report["split"], report["n"], report["k"]) == ("digits", "test", 25, 30)
    assert report["bits_per_dim"] == pytest.approx(-report["log_evidence"] / (64 * np.log(2)))
    assert reporter.rows[-1] == (25, 25)
    start = (
        f"test log p(x) = {report['log_evidence']:.2f} +/- {report['standard_error']:.2f} nats (k=30, digits, 25 images"
    )
    assert runs.closing_line(report).startswith(start)
    assert f"active units {report['active_units'][0]}/4; float32; " in runs.closing_line(report)

    (file,) = (run / "evaluation").glob("*.npz")
    with np.load(file) as columns:
        assert columns["log_evidence"].mean() == pytest.approx(report["log_evidence"])
        assert columns["rows"].tolist() == list(range(25))
        first = columns["log_evidence"][:10]
    runs.evaluate(run, k=30, limit=10, reporter=reporter)
    (file,) = (run / "evaluation").glob("*-n10-*.npz")
    with np.load(file) as columns:  # rows keep their numbers, hence their noise
        assert columns["log_evidence"] == pytest.approx(first, rel=1e-5)
    summary = json.loads(file.with_suffix(".json").read_text())
    assert len(summary["kl_per_unit"][0]) == len(summary["unit_activity"][0]) == 4


def test_what_is_written_says_how_to_do_it_again(tmp_path, trained):
    again = runs.from_sources(file=trained / "config.json")
    other = runs.train(again, tmp_path / "again", reporter=Silent()).path
    for name in ("config.json", "metrics.jsonl", "checkpoints/step-8/manifest.json"):
        assert (trained / name).read_bytes() == (other / name).read_bytes()
    environment = json.loads((trained / "env.json").read_text())
    assert environment["data"]["rows"] == {"train": 40, "valid": 5, "test": 5}
    assert os.path.expanduser("~") not in json.dumps(environment["command"])
    assert (trained / "log.txt").read_text().count("trained at step 8") == 1


def test_a_loaded_model_is_the_stored_one(trained):
    opened = runs.open_run(trained, checkpoint="last")
    assert (opened.step, opened.shape, opened.config.seed) == (8, (6,), 3)
    stored = safetensors.numpy.load_file(trained / "checkpoints" / "step-8" / "model.safetensors")
    bias = runs.load(trained).likelihood.network.layers[-1].bias
    assert np.array_equal(bias, stored["likelihood.network.layers.1.bias"])
    with pytest.raises(ValueError, match="best or last"):
        runs.open_run(trained, checkpoint="newest")


def test_the_best_validated_state_is_kept_and_used(tmp_path, binary):
    wild = ["training.validate_every=1", "training.patience=2", "training.keep=1", "training.learning_rate=0.3"]
    config = config_of(binary, *wild, epochs=40)
    reporter = Recorder()
    run = runs.train(config, tmp_path / "run", reporter=reporter).path
    rows = record.read(run / "metrics.jsonl")
    best = max(rows, key=lambda row: row["validation"])
    assert len(rows) == best["epoch"] + 2 < 40  # two validations without a gain
    message = f"stopped after epoch {len(rows)} of 40: no better validation bound since epoch {best['epoch']}"
    assert reporter.notes[-1].startswith(message)
    assert runs.open_run(run).step == best["step"]
    assert runs.open_run(run, checkpoint="last").step == rows[-1]["step"]
    for state in ("last", "best", "last"):
        runs.evaluate(run, k=2, limit=3, checkpoint=state, reporter=Silent())
    compared = comparison.compare([run, run])
    assert {entry["checkpoint"] for entry in compared["runs"]} == {runs.open_run(run).checkpoint.name}
    assert compared["checkpoint"] == "best"


def test_from_a_run_with_another_objective(tmp_path, trained):
    flags = {"start": str(trained), "objective.bound": "elbo", "training.epochs": 1, "training.batch": 40}
    second = runs.train(runs.from_sources(flags=flags), tmp_path / "second", reporter=Silent()).path
    folders = (trained / "checkpoints" / "step-8", second / "checkpoints" / "step-0")
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]
    about = json.loads((second / "env.json").read_text())["start"]
    assert (about["checkpoint"], Path(about["run"]).expanduser()) == ("step-8", trained)
    assert f"starts at the weights of {trained} (step-8)" in (second / "log.txt").read_text()
    report = runs.evaluate(second, k=2, reporter=Silent())
    assert report["name"].startswith(f"{report['preset']} with bound=elbo")
    assert runs.closing_line(report).endswith(f" s; {report['name']}; started at {trained})")


def test_a_run_is_not_lengthened_and_the_command_that_trains_for_longer_is_told(trained, capsys):
    with pytest.raises(SystemExit) as left:
        main(["resume", str(trained), "--epochs", "9"])
    message = capsys.readouterr().err
    assert (left.value.code, "its own plan, 2 epochs" in message) == (2, True)
    command = shlex.split(message.rpartition(": iwax ")[2])
    assert command == ["train", "--from", str(trained), "-c", str(trained / "config.json"), "--epochs", "9"]
    flags = {"start": str(trained), "training.epochs": 9}
    longer = runs.from_sources(file=trained / "config.json", flags=flags).model_dump()
    before = runs.from_sources(file=trained / "config.json").model_dump()
    assert longer == before | {"start": str(trained), "training": before["training"] | {"epochs": 9}}


def test_a_comparison_is_drawn_where_it_is_asked_for(tmp_path, trained, capsys):
    runs.evaluate(trained, k=2, reporter=Silent())
    words = ["compare", str(trained), str(trained), "-o", str(tmp_path / "both.png")]
    for code in (0, 2):  # what is there is not overwritten
        with pytest.raises(SystemExit) as left:
            main(words)
        assert int(left.value.code or 0) == code
    assert (tmp_path / "both.png").read_bytes()[:4] == b"\x89PNG"
    assert "exists already" in capsys.readouterr().err


def test_from_a_run_of_another_shape_is_refused(tmp_path, trained):
    start = {"start": str(trained)}
    wider = saved(tmp_path / "wider.npy", np.eye(20, 9, dtype=np.uint8))
    wrong = (
        (runs.from_sources(sets=["model.latent=3"], flags=start), r"model\.latent needs to be 2 .*, got 3"),
        (runs.from_sources(data=wider, flags=start), "data of 9 values per row"),
    )
    for config, message in wrong:
        with pytest.raises(ValueError, match=message):
            runs.train(config, tmp_path / "run", reporter=Silent())
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_double_precision(tmp_path, binary):
    run = runs.train(config_of(binary, precision=64, epochs=1), tmp_path / "run", reporter=Silent()).path
    assert json.loads((run / "env.json").read_text())["arithmetic"] == {"numbers": "float64", "products": "float64"}
    found = runs.evaluate(run, k=2, limit=3, reporter=Silent())
    assert found["precision"] == "float64"
    assert "; float64; " in runs.closing_line(found)
    assert {leaf.dtype for leaf in jax.tree.leaves(runs.load(run))} == {np.dtype("float64")}
    report = runs.evaluate(run, k=5, reporter=Silent())
    assert np.isfinite(report["log_evidence"])


def test_a_numerical_stop_leaves_the_last_finite_checkpoint(tmp_path):
    values = np.full((50, 3), 1e30, np.float32) * np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    config = config_of(saved(tmp_path / "huge.npy", values), "model.variance=fixed")
    with pytest.raises(NumericalStop, match="at step 0: the loss"):
        runs.train(config, tmp_path / "run", reporter=Silent())
    checkpoint.verify(tmp_path / "run" / "checkpoints" / "step-0")
    assert "NaN or infinite" in (tmp_path / "run" / "log.txt").read_text()


class Killer(Silent):
    """Sends a signal in the middle of the second epoch."""

    def __init__(self, signum):
        self.signum, self.sent = signum, False

    def training(self, progress):
        if progress.step >= 5 and not self.sent:
            self.sent = True
            os.kill(os.getpid(), self.signum)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_writes_a_checkpoint_and_is_passed_on(tmp_path, binary, signum):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    config = config_of(binary, "training.checkpoint_seconds=1000", epochs=9)
    with pytest.raises(runs.Interrupted) as caught:
        runs.train(config, tmp_path / "run", reporter=Killer(signum))
    assert caught.value.signum == signum
    assert 5 <= caught.value.step < 36
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, caught.value.step]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not (tmp_path / "run" / "run.lock").exists()


def test_a_signal_after_the_last_segment_is_passed_on_too(tmp_path, binary, monkeypatch):
    save = Session.save

    def save_and_kill(self, state):
        save(self, state)
        if int(state.step) == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Session, "save", save_and_kill)
    with pytest.raises(runs.Interrupted, match="SIGTERM at step 8") as caught:
        runs.train(config_of(binary), tmp_path / "run", reporter=Silent())
    assert caught.value.signum == signal.SIGTERM
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [0, 8]


def test_the_second_signal_has_its_ordinary_effect():
    before = signal.getsignal(signal.SIGINT)
    with watch() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals() == signal.SIGINT
        assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == before


COMPILING = """
import hashlib, os, sys, time
from iwax.runs.interrupt import watch

def end(signum):
    print("received", signum, flush=True)
    os._exit(128 + signum)

with watch(end) as signals:
    if sys.argv[1] == "begun":
        signals.begun()
    print("ready", flush=True)
    if sys.argv[1] == "tracing":  # in Python, on the way into the compiler
        time.sleep(1)
    hashlib.pbkdf2_hmac("sha256", b"a long call into", b"compiled code", int(float(sys.argv[2])))
    print("heard", signals(), flush=True)
"""


@pytest.mark.parametrize(
    ("when", "work", "words"),
    [
        pytest.param("compiling", 1e9, "received 15", marks=pytest.mark.slow),
        pytest.param("tracing", 1e9, "received 15", marks=pytest.mark.slow),
        ("begun", 3e6, "heard 15"),
    ],
)
def test_sigterm_is_obeyed_inside_a_long_compiled_call_unless_there_is_something_to_save(when, work, words):
    """Python hears no signal there; before the first step is done a thread does, afterwards the call is waited for."""
    command = [sys.executable, "-c", COMPILING, when, str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    assert output.strip() == words
    assert process.returncode == (0 if when == "begun" else 128 + signal.SIGTERM)


def test_folders_in_the_way_are_refused(tmp_path, binary):
    config = config_of(binary)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"this one holds mine\.txt; name another folder"):
        runs.train(config, tmp_path / "full", reporter=Silent())
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "fit.json").write_text("{}")
    with pytest.raises(FileExistsError, match=r"a checkpoint of training\.fit, which the same call"):
        runs.train(config, tmp_path / "fit", reporter=Silent())
    with pytest.raises(FileNotFoundError, match=r"which holds a checkpoint of training\.fit"):
        runs.resume(tmp_path / "fit", reporter=Silent())
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    (tmp_path / "file").write_text("a file")
    with pytest.raises(NotADirectoryError):
        runs.train(config, tmp_path / "file", reporter=Silent())
    with pytest.raises(OSError, match=r"a folder was needed at .*, got a file"):
        runs.train(config, tmp_path / "file" / "below", reporter=Silent())


def test_a_folder_in_use_is_refused_and_a_dead_lock_is_taken_over(run):
    with held(Sealed(run)), pytest.raises(BlockingIOError, match=f'"pid": {os.getpid()}'):
        runs.resume(run, reporter=Silent())
    (run / "run.lock").write_text('{"pid": 1, "host": "gone"}')  # left by a process that is no more
    runs.resume(run, reporter=Silent())
    assert not (run / "run.lock").exists()


@pytest.mark.parametrize(
    ("asked", "numbers", "platform", "capability", "products"),
    [
        (None, "float32", "gpu", "9.0", "TF32"),
        (None, "float32", "gpu", "7.5", "float32"),
        ("tensorfloat32", "float32", "gpu", "8.6", "TF32"),
        ("high", "float32", "gpu", "8.0", "TF32"),
        ("highest", "float32", "gpu", "9.0", "float32"),
        ("float32", "float32", "gpu", "9.0", "float32"),
        (None, "float64", "gpu", "9.0", "float64"),
        (None, "float32", "cpu", None, "float32"),
        ("tensorfloat32", "float32", "cpu", None, "float32"),
        (None, "float32", "tpu", None, "tpu default"),
        ("BF16_BF16_F32_X3", "float32", "gpu", "9.0", "gpu BF16_BF16_F32_X3"),
    ],
)
def test_products_of_fewer_digits_are_said(asked, numbers, platform, capability, products):
    with jax.default_matmul_precision(asked) if asked else nullcontext():
        assert _products(numbers, SimpleNamespace(platform=platform, compute_capability=capability)) == products


REFUSED = (
    ("no-such-data", [], "no-such-data"),
    ("digits", ["model.likelihood=gaussian"], "binarised at every access"),
    ("half.npy", ["model.likelihood=bernoulli"], r"half\.npy.*0\.5.*--binarize"),
    ("grey.npy", [], r"grey\.npy.*:1:1: .*--binarize"),
    ("nan.npy", [], "nan"),
    ("empty.npy", [], "empty"),
    ("wrong.npy", [], "wrong"),
)


@pytest.mark.parametrize(("name", "sets", "message"), REFUSED)
def test_bad_data_is_refused_before_training_and_leaves_nothing(tmp_path, name, sets, message):
    np.save(tmp_path / "half.npy", np.full((20, 3), 0.5, np.float32))
    np.save(tmp_path / "grey.npy", np.full((20, 3), 200, np.uint8))
    np.save(tmp_path / "nan.npy", np.full((20, 3), np.nan, np.float32))
    np.save(tmp_path / "empty.npy", np.zeros((0, 3), np.float32))
    (tmp_path / "wrong.npy").write_bytes(b"not an array")
    data = str(tmp_path / name) if name.endswith(".npy") else name
    with pytest.raises((ValueError, OSError), match=message) as caught:
        runs.train(config_of(data, *sets), tmp_path / "run", reporter=Silent())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_closing_line_says_what_is_unknown(trained):
    line = runs.closing_line(runs.evaluate(trained, k=2, limit=1, reporter=Silent()))
    assert " +/- unknown nats (k=2, " in line
    assert "; Pareto k > 0.7: unknown; " in line
    assert "nan" not in line


def test_the_noise_of_a_measurement_is_not_the_seed_of_the_run(trained):
    report = runs.evaluate(trained, k=2, limit=3, reporter=Silent())
    assert (report["seed"], report["evaluation_seed"]) == (3, 0)


def test_measurements_that_cannot_be_are_refused(tmp_path, trained):
    for wrong in ({"k": 0}, {"k": 10**7 + 1}, {"limit": 0}, {"seed": -1}, {"seed": 2**32}, {"split": "tset"}):
        with pytest.raises(ValueError, match=next(iter(wrong)) if "split" not in wrong else "tset"):
            runs.evaluate(trained, reporter=Silent(), **wrong)
    with pytest.raises(FileNotFoundError, match="run folder"):
        runs.evaluate(tmp_path / "none", reporter=Silent())


def test_what_is_stored_wrong_is_said(run):
    weights = run / "checkpoints" / "step-8" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(checkpoint.CorruptCheckpointError, match=r"model\.safetensors"):
        runs.load(run)
    reporter = Recorder()
    runs.resume(run, reporter=reporter)  # from the sound one before it
    assert "damaged checkpoint" in reporter.warnings[0]
    runs.load(run)
    for name in ("config.json", "env.json"):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(checkpoint.CorruptCheckpointError, match=name):
            runs.load(run)
        (run / name).write_bytes(whole)


def test_a_run_goes_on_only_with_its_own_data(run, binary, monkeypatch):
    true = data.load(binary)
    other = replace(true, train=data.Split(1 - true.train.values))
    monkeypatch.setattr(data, "load", lambda name, **settings: other)
    with pytest.raises(ValueError, match="the data that it began with"):
        runs.resume(run, reporter=Silent())
    for measured in (runs.evaluate, partial(diagnose, effort=Effort(limit=2, k=2))):
        with pytest.raises(ValueError, match="the data that it began with"):
            measured(runs.Run(run), reporter=Silent())


def test_a_run_is_measured_wherever_it_lies(tmp_path, trained, binary, monkeypatch, capsys):
    """Its data are found where they lay, or are named; its measurements say which they were."""
    moved = Path(shutil.copytree(trained, tmp_path / "moved"))
    about = json.loads((moved / "env.json").read_text())
    assert about["data"]["path"] == binary
    monkeypatch.chdir(tmp_path)
    report = runs.evaluate("moved", k=2, reporter=Silent())
    assert report["data_sha256"] == about["data"]["sha256"]
    for name in ("config.json", "env.json"):  # as of data that are not where they were
        (moved / name).write_text((moved / name).read_text().replace(binary, "gone.npy"))
    sealed_again(moved)
    words = ["evaluate", "moved", "--k", "2", "--json"]
    for more, code, message in (([], 2, "there is no gone.npy"), (["--data", binary], 0, '"log_evidence"')):
        with pytest.raises(SystemExit) as left:
            main([*words, *more])
        assert (int(left.value.code or 0), message in "".join(capsys.readouterr())) == (code, True)
    with pytest.raises(FileNotFoundError, match=r"no gone\.npy"):
        runs.resume(moved, reporter=Silent())
    reporter = Recorder()
    runs.resume(moved, data_path=Path(binary), reporter=reporter)
    notes = " ".join(reporter.notes).replace(f"{tmp_path}/", "")
    assert "iwax train --from moved -c moved/config.json --epochs N" in notes


def test_training_measuring_and_drawing_read_the_data_once(binary, tmp_path, monkeypatch, capsys):
    loads, load = [], Data.load
    monkeypatch.setattr(Data, "load", lambda *given, **named: loads.append(given) or load(*given, **named))
    sets = ("--set", "model.hidden=[4]", "--set", "model.latent=2", "--set", "evaluation.k=2")
    with pytest.raises(SystemExit) as left:
        main(["train", str(binary), "--epochs", "1", *sets, "--output", str(tmp_path / "run")])
    assert left.value.code == 0
    assert len(loads) == 1
    assert {path.name for path in (tmp_path / "run" / "samples").iterdir()} >= {"latents.png", "manifold.png"}


def test_a_run_serves_what_its_verbs_do(run):
    """From Python: rows of a split, a measurement with its line, draws."""
    opened = runs.Run(run)
    report = opened.evaluate(runs.Importance(2), limit=4, reporter=Silent())
    again = runs.evaluate(run, k=2, limit=4, reporter=Silent())
    assert runs.closing_line(report | {"seconds": 0}) == runs.closing_line(again | {"seconds": 0})
    assert opened.at("best") is opened
    assert opened.rows("test").shape[1:] == opened.sample(3, key=jax.random.key(0)).sample.shape[1:]
