"""`iwax bnn`: a network with a law over its weights, or a plain one to compare with."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from iwax import writable
from iwax.cli.terminal import Terminal

__all__ = ["bnn"]

Data = Annotated[str, typer.Argument(metavar="DATA", help="digits-grey, mnist-grey (classes) or curve (regression).")]
Method = Annotated[str, typer.Option("--method", metavar="NAME", help="bayes (Bayes by Backprop), plain or dropout.")]
Hidden = Annotated[str, typer.Option("--hidden", metavar="N,N", help="Widths of the hidden layers.")]
Epochs = Annotated[int, typer.Option("--epochs", metavar="N", help="Passes through the training data.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of everything random.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="prior=normal, sampling=weights, sigma=0.05 ...; repeatable."),
]
Folder = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="For its files (runs/bnn-DATA-METHOD).")]


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

    Blundell et al. 2015, arXiv:1505.05424: a mixture of two normals over the weights a priori, a factorised normal law
    a posteriori. The folder gets bnn.json, the weights, and pictures of both.
    """
    writable.check((output or Path("runs")) / "new", what="output folder")

    from iwax.cli.reporter import Reporter
    from iwax.experiments import bnn as experiment

    given: dict[str, Any] = {"data": data, "method": method, "epochs": epochs, "seed": seed} | _assigned(sets or [])
    given.setdefault("hidden", _widths(hidden))
    settings = experiment.Settings.of(given)
    folder = output or Path("runs") / f"bnn-{data}-{settings.method}"
    terminal: Terminal = context.obj
    with Reporter(terminal) as reporter:
        found = experiment.run(settings, folder, reporter=reporter)
    for path in _pictures(found, folder):
        terminal.say(f"picture     {path}")
    terminal.say(f"folder      {folder}")
    terminal.data(experiment.closing_line(found))
    terminal.document({**found, "folder": str(folder)})


def _pictures(found: dict[str, Any], folder: Path) -> list[Path]:
    from iwax.report import weights

    name = found["settings"]["method"]
    made = [weights.histograms(folder / "weights.png", {name: found["histogram"]})]
    if found["pruning"] and found["pruning"][0]["error"] is not None:
        made.append(weights.pruning_curve(folder / "pruning.png", {name: found["pruning"]}))
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
