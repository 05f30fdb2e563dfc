"""`iwax score --background --typical` on small runs, against the same from Python; and the example of anomalies."""

import json
import runpy
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from iwax import cli, data, inference, runs
from iwax.runs.reporter import Silent
from iwax.settings import build

EXAMPLE = Path(__file__).parents[3] / "examples" / "anomalies.py"
SMALL = ["model.hidden=[8]", "model.latent=2", "training.epochs=1", "training.batch=200"]


def trained(folder: Path, name: str, *sets: str) -> Path:
    config = runs.from_sources(sets=[*SMALL, *sets])
    return runs.train(config, folder / name, reporter=Silent()).path


def called(capsys, code: int, *words: object):
    """What the program printed, ending with this exit code."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in words])
    assert int(left.value.code or 0) == code
    return capsys.readouterr()


@pytest.mark.slow
def test_ratio_and_typicality_of_a_file(tmp_path, capsys):
    plain, noisy = trained(tmp_path, "plain"), trained(tmp_path, "noisy", "data.perturb=0.2")
    env = json.loads((noisy / "env.json").read_text())
    assert env["data"]["name"] == "digits-perturbed"
    x = data.load("digits").test.values[:6]
    np.save(tmp_path / "x.npy", x)
    words = ["--json", "score", plain, tmp_path / "x.npy", "--k", "20", "--background", noisy, "--typical"]
    printed = json.loads(called(capsys, 0, *words).out)
    found, key = runs.open_run(plain), jax.random.key(0)
    ratio = inference.likelihood_ratio(found.model, runs.load(noisy), x, k=20, key=key)
    np.testing.assert_allclose(printed["ratio"], ratio.ratio, atol=1e-5)
    error = np.hypot(ratio.evidence.known_error, ratio.background.known_error)  # NaN, in JSON null, where not known
    np.testing.assert_allclose(np.array(printed["ratio_error"], float), error, atol=1e-5)
    known = build.values(found.config, found.dataset(), "valid")
    reference = inference.score(found.model, known, k=20, key=key).log_evidence
    expected = inference.typicality(ratio.evidence.log_evidence, reference)
    np.testing.assert_allclose(printed["typicality"], expected, atol=1e-4)


@pytest.mark.slow
def test_a_background_of_other_numbers_is_refused(tmp_path, capsys):
    plain, other = (
        trained(tmp_path, "plain"),
        trained(tmp_path, "other", "data.name=digits-grey", "model.likelihood=gaussian"),
    )
    np.save(tmp_path / "x.npy", data.load("digits").test.values[:2])
    error = called(capsys, 2, "score", plain, tmp_path / "x.npy", "--background", other).err
    assert "needs data of kind binary" in error
    assert "got grey; train it alike, with --set data.perturb=0.2" in error


@pytest.mark.slow
def test_the_example_leaves_a_class_out_and_goes_on_from_there(tmp_path, monkeypatch, capsys):
    tables = []
    for _ in range(2):  # the second time everything is there
        words = ["digits", "--epochs", "1", "--classes", "2", "--output", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", ["anomalies.py", *words])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert [line.split(" | ")[0] for line in tables[0].splitlines()[2:]] == ["| 0", "| 1", "| mean"]
    numbers = json.loads((tmp_path / "digits.json").read_text())
    row = numbers["rows"]["1"]
    assert row["rows"] == {"training": 1292, "inliers": 323, "outliers": 182}
    both = [numbers["rows"][name]["auroc"]["isolation forest"]["value"] for name in ("0", "1")]
    forest = numbers["over_classes"]["isolation forest"]
    assert forest["mean"] == pytest.approx(np.mean(both))
    assert min(both) > 0.6
