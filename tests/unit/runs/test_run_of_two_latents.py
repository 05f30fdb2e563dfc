"""What is made of a trained run of images: reconstructions, hidden pixels, noise, and its posteriors' shape."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iwax.cli import main

TINY = ["--set", "model.latent=2", "--set", "model.hidden=[8]", "--epochs", "1", "--k", "2"]
EXAMPLE = Path(__file__).parents[3] / "examples" / "posterior_shape.py"


def iwax(*words: object) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--quiet", *(str(word) for word in words)])
    assert not left.value.code


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "plane"
    iwax("train", "digits", "--output", path, *TINY, "--set", "evaluation.k=10")
    return path


@pytest.mark.parametrize(
    ("method", "names"),
    [
        pytest.param("resample", "resampled, k = 7", marks=pytest.mark.slow),
        ("compare", "mean of q(z|x), one draw of q(z|x), resampled, k = 7"),
    ],
)
def test_a_picture_says_which_method_made_it(run: Path, tmp_path: Path, method: str, names: str):
    path = tmp_path / "r.png"
    iwax("reconstruct", run, "--method", method, "--k", 7, "-o", path)
    with Image.open(path) as picture:
        assert picture.info["Description"].endswith(f"stands: {names}.")


@pytest.mark.slow
def test_hidden_pixels_are_filled_in_a_picture_and_compared(run: Path, tmp_path: Path, capsys):
    path = tmp_path / "half.png"
    iwax("impute", run, "--mask", "half", "--limit", 12, "--k", 9, "-o", path, "--json")
    document = json.loads(capsys.readouterr().out)
    assert (document["n"], document["filled"], document["k"], document["files"]) == (12, 12 * 32, 9, [str(path)])
    assert 0 < document["standard_error"] < document["squared_error"] < 1
    with Image.open(path) as picture:
        assert picture.info["Description"].endswith("(data); under each stands: given, imputed.")
    iwax("impute", run, "--mask", "random:0.5", "--limit", 3, "--iterations", 2, "-o", tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").shape == (3, 64)


@pytest.mark.slow
def test_noisy_images_come_back_in_a_picture_and_are_compared(run: Path, tmp_path: Path, capsys):
    path = tmp_path / "noisy.png"
    iwax("denoise", run, "--flips", 0.3, "--limit", 12, "--k", 9, "--iterations", 2, "-o", path, "--json")
    document = json.loads(capsys.readouterr().out)
    assert (document["n"], document["flips"], document["k"]) == (12, 0.3, 9)
    assert document["given"]["wrong"] == pytest.approx(0.15, abs=4.5 * np.sqrt(0.15 * 0.85 / (12 * 64)))
    assert 0 < document["found"]["wrong"] < 0.5
    with Image.open(path) as picture:
        assert picture.info["Description"].endswith("under each stands: given, denoised.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("impute RUN", "FILE was needed, rows with missing cells; or --mask"),
        ("impute RUN --mask cross", "must be rectangle, half or random:SHARE"),
        ("impute RUN --mask half --draws 2 --iterations 3", "0 with --draws"),
        ("impute RUN x.npy -o a.png", "a picture needs --mask"),
        ("denoise RUN --flips 0", "--flips must lie in 0 < P < 1, got 0"),
        ("denoise RUN -o a.pdf", "the ending must be one of .png"),
    ],
)
def test_what_does_not_go_together_is_refused(run: Path, words: str, message: str, capsys):
    with pytest.raises(SystemExit) as left:
        main(words.replace("RUN", str(run)).split())
    assert left.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_example_draws_the_posterior(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    path = tmp_path / "shape.png"
    small = ["--rows", "0,5", "--side", "41", "--outer", "20", "--ks", "1,5"]
    monkeypatch.setattr(sys, "argv", ["posterior_shape.py", str(run), "-o", str(path), *small])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    message = capsys.readouterr().out
    assert "k=5: IWAE bound" in message
    assert path.exists()
