"""`iwax diagnose`: every part with its errors, pictures with words, and nothing overwritten unasked."""

import json
import runpy
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from oracles.recorder import Recorder
from PIL import Image

from iwax import evaluation, likelihoods, posteriors, priors, runs
from iwax.cli import findings, main
from iwax.model import LatentVariableModel
from iwax.report.figures import diagnosis as pictures
from iwax.report.figures import runs as of_run
from iwax.runs import diagnosis, open_run
from iwax.runs.diagnosis import Effort, diagnose
from iwax.runs.reporter import Silent
from iwax.runs.signal import name_of, parameters_of, signal_curve, variants
from iwax.settings import build
from iwax.settings.objective import Objective
from iwax.streams import Run

ROOT = Path(__file__).parents[3]
EXAMPLE, NUMBERS = ROOT / "examples" / "signal_to_noise.py", ROOT / "results" / "diagnosis" / "signal_to_noise.json"
TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=500", "training.epochs=1"]
EFFORT = Effort(limit=6, k=40, steps=5, latent_rows=20, signal_rows=3, signal_ks=(1, 3), repeats=40)
PARTS = ("gap", "convergence", "units", "aggregate", "signal_to_noise")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    config = runs.from_sources(data="digits", sets=TINY)
    return runs.train(config, tmp_path_factory.mktemp("runs") / "tiny", reporter=Silent()).path


@pytest.fixture(scope="module")
def found(trained) -> dict:
    return diagnose(open_run(trained), effort=EFFORT, gradients=["pathwise", "wake"], reporter=Silent())


def test_every_part_is_there_with_its_errors(found):
    assert not found["left_out"]
    assert (found["dataset"], found["split"], found["seed"]) == ("digits", "test", 0)
    assert found["environment"]["versions"]["iwax"]
    gap, units, signal = found["gap"], found["units"], found["signal_to_noise"]
    assert gap["log_evidence"]["mean"] == pytest.approx(
        gap["amortised"]["mean"] + gap["amortisation"]["mean"] + gap["approximation"]["mean"]
    )
    for part, names in ((gap, findings.GAP), (found["aggregate"], findings.AGGREGATE)):
        assert all(part[name][kind] > 0 for name in names for kind in ("standard_error", "monte_carlo_error"))
    assert len(gap["per_row"]["best"]) == gap["rows"] == found["convergence"]["rows"] == 6
    assert found["convergence"]["k"] == [1, 2, 5, 10, 20, 40]
    assert len(units["layers"][0]["kl"]) == 2
    assert [curve["gradient"] for curve in signal["curves"]] == ["pathwise", "wake"]
    assert all(curve["k"] == [1, 3] for curve in signal["curves"])
    assert set(signal["curves"][0]["groups"]) == {"encoder", "decoder"}
    assert found["seconds"].keys() == found["seconds_compiling"].keys()
    assert all(0 < found["seconds_compiling"][part] < seconds for part, seconds in found["seconds"].items())


def test_the_numbers_are_those_of_the_functions(trained, found):
    run = open_run(trained)
    x = build.values(run.config, run.dataset(), "test", final=True)
    key = jax.random.key(0)
    (expected,) = evaluation.kl_per_unit(run.model, x[:20], key=jax.random.fold_in(key, Run.UNITS))
    np.testing.assert_allclose(found["units"]["layers"][0]["kl"], expected, rtol=1e-6)
    estimate = evaluation.log_evidence(run.model, x[:6], k=40, key=jax.random.fold_in(key, Run.CONVERGENCE))
    assert found["convergence"]["bound"][-1] == pytest.approx(estimate.mean, rel=1e-6)
    assert found["convergence"]["standard_error"][-1] == pytest.approx(estimate.standard_error, rel=1e-5)


@pytest.mark.slow
def test_the_verb_prints_draws_and_writes_and_does_not_overwrite(trained, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    monkeypatch.setattr(diagnosis, "Effort", partial(Effort, steps=5, latent_rows=20, signal_rows=3, signal_ks=(1, 3)))
    monkeypatch.setattr(of_run, "SHAPED", 1)
    words = ["diagnose", str(run), "--limit", "6", "--k", "40", "--repeats", "40"]
    with pytest.raises(SystemExit) as left:
        main(words)
    out, err = capsys.readouterr()
    assert left.value.code in (0, None), err
    for message in ("approximation gap", "mutual information", "active units", "iwae, ", "expected bound in k"):
        assert message in out
    assert "about" in err, "the cost is announced"
    folder = run / "diagnosis"
    names = {"convergence.png", "kl_per_unit.png", "signal_to_noise.png", "posterior_shape.png", "diagnosis.json"}
    assert {path.name for path in folder.iterdir()} == names
    stored = json.loads((folder / "diagnosis.json").read_text(), parse_constant=pytest.fail)
    assert set(PARTS) < set(stored)
    before = (folder / "diagnosis.json").read_bytes()
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "exists already; name another folder with -o, or overwrite: --force" in capsys.readouterr().err
    assert (folder / "diagnosis.json").read_bytes() == before
    with pytest.raises(SystemExit):
        main(["--json", "--quiet", *words, "-o", str(tmp_path / "other")])
    assert json.loads(capsys.readouterr().out)["gap"]["rows"] == 6
    assert (tmp_path / "other" / "convergence.png").is_file()


def test_a_part_that_the_model_cannot_serve_is_left_out_and_said_to_be(trained):
    run, reporter = open_run(trained), Recorder()
    chain = LatentVariableModel(
        prior=priors.Chain(run.model.prior, ()),
        likelihood=likelihoods.Chain(run.model.likelihood),
        posterior=posteriors.Chain(run.model.posterior, ()),
    )
    x = np.zeros((3, 64), np.float32)
    effort = replace(EFFORT, k=4)
    run.model = chain
    found = diagnosis._Parts(run, x, jax.random.key(0), effort, reporter).all([])
    assert found["gap"] is None
    assert "got Chain; give another family" in found["left_out"]["gap"]
    assert any("gap left out" in words for words in reporter.warnings)
    assert len(found["convergence"]["k"]) == 3
    assert found["units"] is not None


def test_objectives_to_compare():
    own = Objective(bound="miwae", m=2, k=4, gradient="doubly_reparameterized")
    assert variants(own, [], [], {}) == [own]
    chosen = variants(own, ["iwae", "miwae", "renyi"], ["pathwise"], {"alpha": 0.5})
    assert [name_of(each) for each in chosen] == ["iwae, pathwise", "miwae m=2, pathwise", "renyi alpha=0.5, pathwise"]
    assert variants(own, ["miwae"], [], {"m": 3})[0].bound.m == 3
    assert parameters_of(["objective.m=5", "alpha=0.5"]) == {"m": 5, "alpha": 0.5}


@pytest.mark.parametrize(
    ("bounds", "gradients", "says"),
    [
        (["iwea"], [], r'objective\.bound: needs one of elbo, iwae, .*, got "iwea"; did you mean iwae'),
        ([], ["dreg"], r'objective\.gradient: needs one of pathwise, .*, got "dreg"'),
        (["miwae"], [], r"objective\.bound=miwae needs objective\.bound\.m, an integer .*; give it with --set"),
        (["elbo"], ["wake"], r"objective\.gradient=wake needs bound=iwae"),
    ],
)
def test_wrong_objectives_are_refused(bounds, gradients, says):
    with pytest.raises(ValueError, match=says):
        variants(Objective(), bounds, gradients, {})


def test_a_number_of_repeats_is_refused_before_any_work(trained):
    reporter = Recorder()
    with pytest.raises(ValueError, match=r"a multiple of 10, .* and at least 40, got 12"):
        diagnose(open_run(trained), effort=replace(EFFORT, repeats=12), reporter=reporter)
    assert not reporter.notes


@pytest.mark.parametrize("text", ["objective.k=5", "m", "objective.m=many"])
def test_wrong_parameters_are_refused(text):
    with pytest.raises(ValueError, match=f"--set {text}: needs"):
        parameters_of([text])


def test_a_k_that_an_objective_cannot_serve_is_left_out(trained):
    run, reporter = open_run(trained), Recorder()
    x = build.values(run.config, run.dataset(), "test", final=True)[:2]
    own = Objective(bound="jackknife", order=1, k=5)
    curve = signal_curve(run.model, x, own, ks=(1, 3), repeats=40, key=jax.random.key(0), reporter=reporter)
    assert curve["k"] == [3]
    assert any("left out k=1: " in words and "k of at least 2" in words for words in reporter.notes)
    with pytest.raises(ValueError, match="at least 2"):
        signal_curve(run.model, x, own, ks=(1,), repeats=40, key=jax.random.key(0), reporter=reporter)


CURVE = {
    "k": [1, 10, 100, 500],
    "bound": [-90.0, -88.0, -87.0, -86.9],
    "monte_carlo_error": [0.1, 0.08, 0.07, None],
    "gain": [None, 2.0, 1.0, -0.1],
    "gain_error": [None, 0.2, 0.1, 0.2],
    "standard_error": [2.0, 2.0, 2.0, None],
    "rows": 9,
}
RATIOS = {"k": [1, 4, 16], "rms": [0.5, 0.2, 0.0], "low": [0.4, 0.1, 0.0], "high": [0.6, 0.3, 0.1]}
RISES = {"name": "b", "k": [1, 4, 16], "rms": [0.5, 1.0, 2.0], "low": [0.4, 0.9, 1.9], "high": [0.6, 1.1, 2.1]}
PANELS = {"encoder": [{"name": "a", **RATIOS}, RISES], "decoder": [{"name": "a", **RATIOS}], "prior": [RISES]}
LAYER = {"kl": [2.0, 0.001, 1.0], "error": [0.1, 0.001, 0.1], "activity": [0.9, 0.001, 0.5]}
DRAWN = {
    "convergence": lambda: pictures.convergence(CURVE, levels={"log p(x)": -86.5}),
    "one k": lambda: pictures.convergence({n: v if n == "rows" else v[:1] for n, v in CURVE.items()}),
    "signal": lambda: pictures.signal_to_noise(PANELS, note="three repeats"),
    "units": lambda: pictures.kl_per_unit([LAYER, LAYER], threshold=0.01),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_white_worded_small_and_the_same_again(name, tmp_path):
    path = DRAWN[name]().write(tmp_path / "a.png")
    with Image.open(path) as picture:
        words, corners = picture.info, np.asarray(picture.convert("RGB"))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).all()
    assert len(words["Description"]) > 30
    assert path.stat().st_size < 200_000
    assert DRAWN[name]().write(tmp_path / "b.png").read_bytes() == path.read_bytes()


def test_pictures_refuse_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="one value for each of its 4 k"):
        pictures.convergence(CURVE | {"bound": [1.0]})
    with pytest.raises(ValueError, match="needs a panel, and every panel a curve"):
        pictures.signal_to_noise({"encoder": []})
    with pytest.raises(ValueError, match="got 3 units"):
        pictures.kl_per_unit([LAYER | {"error": [0.1]}], threshold=0.01)


@pytest.mark.slow
def test_the_example_keeps_its_panels_and_draws_them_all(tmp_path, monkeypatch, capsys):
    numbers, picture = tmp_path / "numbers.json", tmp_path / "picture.png"
    files = ["--numbers", str(numbers), "-o", str(picture)]
    words = ["--rows", "2", "--repeats", "40", "--ks", "1,4", *files]
    for panel in ("one", "two"):
        monkeypatch.setattr("sys.argv", ["signal_to_noise.py", "--panel", panel, *words])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.split() == [str(picture)] * 2
    saved = json.loads(numbers.read_text())
    assert list(saved) == ["one", "two"]
    assert saved["one"]["curves"] == saved["two"]["curves"], "one seed, the same numbers"
    assert [curve["gradient"] for curve in saved["one"]["curves"]] == ["pathwise", "doubly_reparameterized"]
    assert saved["one"]["environment"]["versions"]["jax"]
    assert picture.is_file()


def test_the_committed_figure_shows_the_law():
    """Falls under pathwise and rises under the doubly reparameterised gradient at large k, beyond the errors."""
    panels = json.loads(NUMBERS.read_text())
    for title in ("linear-Gaussian", "MNIST, 2 latents"):
        pathwise, doubly = (curve["groups"]["encoder"] for curve in panels[title]["curves"])
        assert pathwise["high"][-1] < pathwise["low"][0]
        assert doubly["low"][-1] > max(doubly["high"][:-1])
