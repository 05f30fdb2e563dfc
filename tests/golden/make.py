"""Small run folders of this version of iwax, which every later one has to open: ``python tests/golden/make.py 0.1.0``.

Run once a release, from the tree of that release, and committed: the folders are never made again. In
``tests/golden/<version>/`` stand

    images/     binary images of one latent layer; IWAE with 5 draws
    table/      columns of several kinds with missing cells, of table.csv beside it
    flow/       an inverse autoregressive posterior and a VampPrior, in double precision

each with the log p(x) of its first test rows in evaluation/. They are made in a temporary folder that is the home
folder, in no repository, and by a command without paths: nothing of the machine is written down but its device.
"""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from iwax import experiments
from iwax.experiments.reporter import Silent

GOLDEN = Path(__file__).parent
LARGEST = 200_000  # bytes of a folder
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


def make(version: str) -> None:
    """Train and measure the runs of this version, and put them where they stay. FileExistsError where they are."""
    target = GOLDEN / version
    if target.exists():
        raise FileExistsError(f"{target} is there already: folders of a version are never made again")
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        os.chdir(home)
        Path("table.csv").write_text(table())
        for name, (data, sets) in RUNS.items():
            _run(name, data, [*SMALL, *sets])
        for name in RUNS:
            shutil.copytree(name, target / name)
        shutil.copy("table.csv", target)


def _run(name: str, data: str, sets: list[str]) -> None:
    words = ["iwax", "train", data, "--output", name, *(word for each in sets for word in ("--set", each))]
    config = experiments.from_sources(data=data, sets=sets)
    with mock.patch.object(sys, "argv", words), mock.patch.object(platform, "release", return_value=""):
        experiments.train(config, Path(name), reporter=Silent())
        found = experiments.evaluate(name, reporter=Silent())
    size = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
    if size > LARGEST:
        raise ValueError(f"{name}: needed at most {LARGEST:,} bytes, got {size:,}")
    sys.stdout.write(f"{name:8} {size:7,} bytes  {experiments.closing_line(found)}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("needed the version whose folders are made: python tests/golden/make.py 0.1.0")
    make(sys.argv[1])
