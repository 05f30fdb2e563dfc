"""What is made of a trained run with two latent units: reconstructions by each method, and its posteriors' shape."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from iwax.cli import main

TINY = ["--set", "model.latent=2", "--set", "model.hidden=[8]", "--epochs", "1", "--k", "2"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "posterior_shape.py"


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
def test_the_example_draws_the_posterior(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    path = tmp_path / "shape.png"
    small = ["--rows", "0,5", "--side", "41", "--outer", "20", "--ks", "1,5"]
    monkeypatch.setattr(sys, "argv", ["posterior_shape.py", str(run), "-o", str(path), *small])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "k=5: IWAE bound" in said
    assert path.exists()
