"""Small run folders of this version of iwax, which every later one has to open: ``python tests/golden/make.py 0.1.0``.

Run from the tree of that version, and committed: a folder that is there is never made again. In
``tests/golden/<version>/`` stand

    images/     binary images of one latent layer; IWAE with 5 draws
    table/      columns of several kinds with missing cells, of table.csv next to it
    flow/       an inverse autoregressive posterior and a VampPrior, in double precision

and from 0.2.0 on

    columns/    a column of every kind, each with missing cells, of columns.csv next to it
    gated/      gated networks with random weights
    heavy/      real numbers under a Student's t likelihood, with missing values, of heavy.npy next to it
    layers/     two latent layers, drawn from the top down, under a VampPrior

each with the log p(x) of its first test rows in evaluation/. They are made in a temporary folder that is the home
folder, in no repository, and by a command without paths: nothing of the machine is written down but its device.

``python tests/golden/make.py further`` adds to further.json what it lacks: of a folder, the metrics of one more epoch,
to which it is resumed.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from oracles import resealing

from iwax import runs
from iwax.runs.reporter import Silent

GOLDEN = Path(__file__).parent
LARGEST = 200_000  # bytes of a folder
KINDS = {
    name: name
    for name in (
        *("continuous", "positive", "nonnegative", "count", "integer", "nonnegative_integer", "binary", "categorical"),
    )
}
SMALL = ["training.epochs=3", "training.validate_every=1", "training.keep=1", "evaluation.k=100", "evaluation.limit=40"]
RUNS = {
    "images": ("digits", ["model.latent=3", "model.hidden=[12]"]),
    "table": ("table.csv", ["model.latent=2", "model.hidden=[8]", 'data.missing=["n.b."]']),
    "flow": (
        "digits",
        [
            *("model.latent=3", "model.hidden=[10]", "precision=64", "model.posterior=iaf", "model.flow_hidden=[6]"),
            *("model.posterior_steps=2", "model.prior=vamp", "model.prior_components=6"),
        ],
    ),
    "columns": ("columns.csv", ["model.latent=2", "model.hidden=[8]", f"data.kinds={json.dumps(KINDS)}"]),
    "heavy": ("heavy.npy", ["model.latent=2", "model.hidden=[8]", "model.likelihood=student_t"]),
    "gated": ("digits", ["model.latent=3", "model.hidden=[8]", "model.network=gated", "model.uncertain=both"]),
    "layers": (
        "digits",
        [
            *("model.latent=[3,2]", "model.hidden=[[12],[8]]", "model.order=top_down"),
            *("model.prior=vamp", "model.prior_components=6"),
        ],
    ),
}


def table(rows: int = 160) -> str:
    """A table of one latent variable: real, positive, count, yes or no, and levels; a tenth of cells are missing."""
    rng = np.random.default_rng(0)
    lines = ["height;income;visits;smoker;colour"]
    for i in range(rows):
        z = rng.normal()
        colour = ("red", "green", "blue")[int(z > -0.5) + int(z > 0.5)]
        cells = [f"{np.exp(2 + z):.3f}", str(rng.poisson(np.exp(1 + z))), "no" if z < 0 else "yes", colour]
        cells = [("", "NA", "?", "n.b.")[i % 4] if rng.random() < 0.12 else cell for cell in cells]
        lines.append(";".join([f"{170 + 8 * z:.1f}", *cells]))
    return "\n".join(lines) + "\n"


def columns(rows: int = 160) -> str:
    """A table of one latent variable with a column of every kind, named by it; an eighth of all cells are missing."""
    rng = np.random.default_rng(1)
    lines = [",".join(KINDS)]
    for z in rng.normal(size=rows):
        cells = [f"{z + rng.normal():.3f}", f"{np.exp(1 + z):.3f}", f"{max(0.0, 1 + z):.2f}"]
        cells += [str(rng.poisson(np.exp(1 + z))), str(round(20 * z)), str(round(9 * abs(z)))]
        cells += ["no" if z < 0 else "yes", ("red", "green", "blue")[int(z > -0.5) + int(z > 0.5)]]
        kept = rng.random(len(cells)) >= 1 / 8
        kept[0] |= not kept.any()
        lines.append(",".join(cell if keep else "" for cell, keep in zip(cells, kept, strict=True)))
    return "\n".join(lines) + "\n"


def heavy(rows: int = 160) -> np.ndarray:
    """Real numbers of one latent variable with a few far away; an eighth of them are missing."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(rows, 1)) + 0.5 * rng.standard_t(2, size=(rows, 5))
    return np.where(rng.random(values.shape) < 1 / 8, np.nan, values).astype(np.float32)


def make(version: str) -> None:
    """Train and measure those runs of this version that are not there, and put them where they stay."""
    target = GOLDEN / version
    names = [name for name in RUNS if not (target / name).exists()]
    if not names:
        raise FileExistsError(f"{target} has {', '.join(RUNS)}: folders of a version are never made again")
    with _home():
        for name in names:
            _run(name, RUNS[name][0], [*SMALL, *RUNS[name][1]])
        for name in names:
            shutil.copytree(name, target / name)
            if Path(RUNS[name][0]).exists():
                shutil.copy(RUNS[name][0], target)


def further() -> None:
    """Write the metrics of one more epoch of every folder that has none: those that are there stay."""
    written = GOLDEN / "further.json"
    found = json.loads(written.read_text()) if written.exists() else {}
    runs = [config.parts[-3:-1] for config in sorted(GOLDEN.glob("*/*/config.json"))]
    with _home():
        for version, name in (run for run in runs if "/".join(run) not in found):
            shutil.copytree(GOLDEN / version, version, dirs_exist_ok=True)
            found[f"{version}/{name}"] = one_more_epoch(Path(version, name))
    written.write_text(json.dumps(found, indent=1) + "\n")


def one_more_epoch(run: Path) -> dict[str, float]:
    """The metrics of an epoch to which a run that is at its end is resumed; the run is changed."""
    settings = json.loads((run / "config.json").read_text())
    settings["training"]["epochs"] += 1
    (run / "config.json").write_text(json.dumps(settings))
    resealing.sealed_again(run)
    runs.resume(run, reporter=Silent())
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])


@contextmanager
def _home() -> Iterator[None]:
    """A temporary folder that is the home folder and the current one, with the data of the runs in it."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        os.chdir(home)
        Path("table.csv").write_text(table())
        Path("columns.csv").write_text(columns())
        np.save("heavy.npy", heavy())
        yield


def _run(name: str, data: str, sets: list[str]) -> None:
    words = ["iwax", "train", data, "--output", name, *(word for each in sets for word in ("--set", each))]
    config = runs.from_sources(data=data, sets=sets)
    with mock.patch.object(sys, "argv", words), mock.patch.object(platform, "release", return_value=""):
        runs.train(config, Path(name), reporter=Silent())
        found = runs.evaluate(name, reporter=Silent())
    size = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
    if size > LARGEST:
        raise ValueError(f"{name}: needed at most {LARGEST:,} bytes, got {size:,}")
    sys.stdout.write(f"{name:8} {size:7,} bytes  {runs.closing_line(found)}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("needed the version whose folders are made: python tests/golden/make.py 0.1.0, or further")
    further() if sys.argv[1] == "further" else make(sys.argv[1])
