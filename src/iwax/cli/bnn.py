"""`iwax bnn`: a network with a distribution over its weights, or a plain one to compare with."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from iwax import writable
from iwax.cli.arguments import argument, option
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax import bnn as experiment
    from iwax.cli import reporter as progress
    from iwax.report.figures import weights

__all__ = ["bnn"]

Data = Annotated[str, argument("DATA", "digits-grey, mnist-grey (classes) or curve (regression).")]
Method = Annotated[str, option("--method", "bayes|plain|dropout", "Bayes by Backprop, or what it is compared with.")]
Hidden = Annotated[str, option("--hidden", "N,N", "Widths of the hidden layers.")]
Epochs = Annotated[int, option("--epochs", "N", "Epochs of training.")]
Seed = Annotated[int, option("--seed", "N", "Seed of everything random.")]
Sets = Annotated[
    list[str] | None, option("--set", "KEY=VALUE", "prior=normal, sampling=weights, sigma=0.05 ...; repeatable.")
]
Folder = Annotated[Path | None, option("--output", "DIR", "For its files (runs/bnn-DATA-METHOD).")]


def bnn(
    context: typer.Context,
    data: Data = "digits-grey",
    method: Method = "bayes",
    hidden: Hidden = "400,400",
    epochs: Epochs = 100,
    seed: Seed = 0,
    sets: Sets = None,
    output: Folder = None,
) -> None:
    """Train a network by Bayes by Backprop, measure its errors, and see how many of its weights it needs.

    Blundell et al. 2015, arXiv:1505.05424: the prior of the weights is a mixture of two normals, their posterior a
    factorised normal. The folder gets bnn.json, the weights, and pictures of both.

    Example: iwax bnn digits-grey --hidden 100 --epochs 20
    """
    writable.check((output or Path("runs")) / "new", what="output folder")
    given: dict[str, Any] = {"data": data, "method": method, "epochs": epochs, "seed": seed} | _assigned(sets or [])
    given.setdefault("hidden", _widths(hidden))
    settings = experiment.Settings.of(given)
    folder = output or Path("runs") / f"bnn-{data}-{settings.method}"
    terminal: Terminal = context.obj
    with progress.Reporter(terminal) as reporter:
        found = experiment.run(settings, folder, reporter=reporter)
    for path in _pictures(found, folder):
        terminal.say(f"picture     {path}")
    terminal.say(f"folder      {folder}")
    terminal.data(experiment.closing_line(found))
    terminal.document({**found, "folder": str(folder)})


def _pictures(found: dict[str, Any], folder: Path) -> list[Path]:
    name = found["settings"]["method"]
    made = [weights.histograms({name: found["histogram"]}).write(folder / "weights.png")]
    if found["pruning"] and found["pruning"][0]["error"] is not None:
        made.append(weights.pruning_curve({name: found["pruning"]}).write(folder / "pruning.png"))
    return made


def _widths(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--hidden: whole numbers with commas between were needed, got {text!r}") from error


def _assigned(sets: list[str]) -> dict[str, Any]:
    """KEY=VALUE, the value JSON or else a word."""
    found: dict[str, Any] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: needs KEY=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
