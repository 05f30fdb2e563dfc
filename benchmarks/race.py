"""Test log p(x) against the seconds since a program was started: iwax, eager PyTorch and pythae.

    python benchmarks/race.py --save        three seeds of 100 epochs: two hours; what is saved is not run again

All train Burda's one-layer network on MNIST, k = 5, in batches of 100, each in a process of its own on the same
processors. Seconds count from the start of the process: imports, reading, compilation. After some epochs a contestant
keeps its weights, with its clock stopped; afterwards iwax measures all of them alike. Writes results/race.json, the
table of README.md and a figure.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import machine
import numpy as np
import peers
import tables
from step import model

from iwax import data, evaluation
from iwax.model import LatentVariableModel
from iwax.report.figures import canvas

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "race.png"
CONTESTANTS = {
    "iwax, quick recipe": ("race_iwax.py", "quick"),
    "iwax, quick recipe, mixed precision": ("race_iwax.py", "mixed"),
    "iwax, the peers' recipe": ("race_iwax.py", "peers"),
    "eager PyTorch": ("race_peer.py", "eager"),
    "pythae": ("race_peer.py", "pythae"),
}
PARTS = ("weight", "bias")
HERE = ("processor", "threads", "versions")
SETTINGS = ("epochs", "batch", "k", "test", "draws")  # that results must share to stand in one table


def loaded(file: str) -> LatentVariableModel:
    """The model of the weights that a contestant kept."""
    untrained = model(jax.random.key(0))
    with np.load(file) as arrays:
        kept = {name: jnp.asarray(arrays[name], jnp.float32) for name in arrays.files}
    names = [
        f"{name}.{i}.{part}"
        for name, net in zip(("encoder", "decoder"), networks(untrained), strict=True)
        for i in range(len(net.layers))
        for part in PARTS
    ]
    if sorted(names) != sorted(kept):
        raise ValueError(f"{file}: needed {', '.join(names)}, got {', '.join(kept)}")
    return eqx.tree_at(weights, untrained, [kept[name] for name in names])


def networks(of: Any) -> tuple[Any, Any]:
    """Encoder and decoder of a model."""
    return of.posterior.network, of.likelihood.network


def weights(of: Any) -> list[Any]:
    """The weights and biases of a model, encoder first."""
    return [getattr(layer, part) for net in networks(of) for layer in net.layers for part in PARTS]


def trained(name: str, seed: int, folder: Path, images: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Let a contestant train: the epochs, seconds and files of what it kept."""
    script, recipe = CONTESTANTS[name]
    python = sys.executable if script == "race_iwax.py" else str(peers.environment())
    asked = {"folder": folder, "images": images, "seed": seed, "started": time.time()}
    asked |= {each: getattr(options, each) for each in ("epochs", "batch", "k", "threads")}
    command = [python, str(Path(__file__).with_name(script)), recipe]
    command += [word for key, value in asked.items() for word in (f"--{key}", str(value))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def measured(kept: list[dict[str, Any]], test: Any, draws: int) -> list[dict[str, float]]:
    """test log p(x) of every model kept, all with the same draws."""
    points = []
    for each in kept:
        found = evaluation.log_evidence(loaded(each["file"]), test, k=draws, key=jax.random.key(1))
        place = {"epoch": each["epoch"], "seconds": each["seconds"]}
        points.append({**place, "log_evidence": found.mean, "standard_error": found.standard_error})
    return points


def draw(result: dict[str, Any]) -> Path:
    """A curve for each contestant and seed."""
    figure = canvas.sheet(6.4, 4.2)
    axes = canvas.quiet(figure.add_subplot())
    for name, colour in zip(CONTESTANTS, canvas.PALETTE, strict=False):
        for i, points in enumerate(result["points"].get(name, {}).values()):
            seconds, values = [point["seconds"] for point in points], [point["log_evidence"] for point in points]
            axes.plot(seconds, values, color=colour, linewidth=1.3, label=name if i == 0 else None)
    axes.set_xscale("log")
    axes.set_ylim(-110, None)
    axes.set_xlabel("seconds since the start of the program")
    axes.set_ylabel(f"test log p(x), nats (k = {result['draws']:,})")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    words = "Test log p(x) on MNIST against seconds since the start of the program, for iwax, eager PyTorch and pythae."
    return canvas.Picture(figure, "Time to a likelihood", words).write(FIGURE)


def before(asked: dict[str, Any]) -> dict[str, Any]:
    """What was saved with the same settings, on the same processor and with the same versions."""
    path = machine.RESULTS / "race.json"
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found["points"] if all(found[name] == asked[name] for name in (*SETTINGS, *HERE)) else {}


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--k", type=int, default=5, help="draws of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--test", type=int, default=1000, help="test images, from the first")
    parser.add_argument("--draws", type=int, default=1000, help="of an evaluation, for each image")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/race.json, the table and the figure")
    return parser.parse_args()


def main() -> None:
    """Race, print, save after every contestant."""
    options = parsed()
    options.threads = machine.use_processors(options.threads)
    result = machine.description(options.threads, ["iwax", "jax", "jaxlib", "optax", "numpy"])
    result["versions"] |= peers.versions()
    result |= {name: getattr(options, name) for name in SETTINGS}
    result["points"] = before(result) if options.save else {}
    mnist = data.load("mnist")
    test = mnist.test.values[: options.test]
    for seed in options.seeds:
        for name in options.only:
            if str(seed) in result["points"].setdefault(name, {}):
                continue
            with tempfile.TemporaryDirectory() as folder:
                images = Path(folder) / "images.npy"
                np.save(images, np.asarray(mnist.train.values))
                points = measured(trained(name, seed, Path(folder), images, options), test, options.draws)
            result["points"][name][str(seed)] = points
            print(f"{name}, seed {seed}: {points[-1]}", file=sys.stderr)
            if options.save:
                machine.save("race", result)
                tables.write()
                draw(result)
    print(tables.race(result))


if __name__ == "__main__":
    main()
