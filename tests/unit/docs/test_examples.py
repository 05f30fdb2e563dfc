"""Examples that take a trained run do what they say on a small one."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from iwax import runs
from iwax.runs.reporter import Silent

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = ["model.hidden=[8]", "model.latent=2", "training.epochs=1", "training.batch=200"]
MEMORY = ["model.hidden=[8,8]", "model.memory=[3,2]", "model.attention=softmax", "model.composition=sum", *SMALL[1:]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "preset", "sets", "words", "pictures"),
    [
        ("stochastic_weights", "iwaeu", SMALL, "decoder: 600 weights; standard deviations 5% 0.0", ["weights.png"]),
        ("cost_of_noise", "iwaeu", SMALL, "run, as trained: ", []),
        ("image_imputation", "vae-500", SMALL, "    9 images, weights, reading sweeps: ", ["imputation.png"]),
        ("memory_slots", "mem-vae", MEMORY, "memory 1 of 2 from z, 2 slots", ["run/memory/slots_1.png"]),
    ],
)
def test_an_example_runs_on_a_run_of_its_preset(tmp_path, monkeypatch, capsys, example, preset, sets, words, pictures):
    monkeypatch.chdir(tmp_path)
    run = runs.train(runs.from_sources(preset=preset, data="digits", sets=sets), Path("run"), reporter=Silent()).path
    options = {
        "stochastic_weights": ["-o", "weights.png"],
        "cost_of_noise": [str(run), "--k", "20", "--limit", "5"],
        "image_imputation": ["--data", "digits-grey", "--limit", "20", "--weighted", "9", "--k", "20", "--sweeps", "3"],
    }
    monkeypatch.setattr(sys, "argv", [example, str(run), *options.get(example, [])])
    runpy.run_path(str(EXAMPLES / f"{example}.py"), run_name="__main__")
    assert words in capsys.readouterr().out
    for picture in pictures:
        with Image.open(picture) as drawn:
            assert drawn.info["Description"]


@pytest.mark.slow
def test_samples_stand_beside_each_other_with_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for latent in ("1", "2"):
        sets = [*SMALL, f"model.latent={latent}", "evaluation.k=5", "evaluation.limit=20"]
        run = runs.train(
            runs.from_sources(preset="aevb", data="digits", sets=sets), Path(latent), reporter=Silent()
        ).path
        runs.evaluate(run, reporter=Silent())
    monkeypatch.setattr(sys, "argv", ["samples_by_latents", "1", "2", "--across", "3"])
    runpy.run_path(str(EXAMPLES / "samples_by_latents.py"), run_name="__main__")
    with Image.open("samples_by_latents.png") as drawn:
        assert drawn.info["Description"].startswith("Samples of models with 1 latent, log p(x) = ")
