"""`iwax train`: from a name to a trained, measured and pictured model."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli.terminal import Terminal

__all__ = ["train"]

Data = Annotated[
    str | None, typer.Argument(metavar="DATA", help="A registered name or a file; scikit-learn's digits without.")
]
Preset = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="A row of the catalogue.")]
File = Annotated[Path | None, typer.Option("-c", "--config", metavar="FILE", help="Settings, .json or .toml.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")]
Folder = Annotated[
    Path | None, typer.Option("--output", metavar="DIR", help="The run folder; a new one in runs/ without.")
]
Number = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random (0).")]
Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", help="Passes through the training data.")]
Draws = Annotated[int | None, typer.Option("--k", metavar="N", help="Importance samples a datum.")]
Bound = Annotated[
    str | None, typer.Option("--bound", metavar="NAME", help="elbo, iwae, miwae, ciwae, renyi, jackknife ...")
]
Gradient = Annotated[
    str | None,
    typer.Option("--gradient", metavar="NAME", help="pathwise, doubly_reparameterized, sticking_the_landing ..."),
]
Recipe = Annotated[
    str | None, typer.Option("--recipe", metavar="quick|paper", help="Minutes on a laptop, or the published schedule.")
]
From = Annotated[str | None, typer.Option("--from", metavar="RUN", help="Start at the weights of this run.")]
Binarize = Annotated[
    str | None, typer.Option("--binarize", metavar="threshold|sample", help="Make grey values binary.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="Of a table's column: continuous, positive, nonnegative, count, integer, nonnegative_integer, binary, "
        "categorical, drop; may be repeated.",
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="TEXT", help="What marks a missing cell, besides NA, ? and others; repeatable."),
]
Device = Annotated[str | None, typer.Option("--device", metavar="cpu|gpu", help="Where to compute.")]
Precision = Annotated[int | None, typer.Option("--precision", metavar="32|64", help="Bits of a number.")]


def train(
    context: typer.Context,
    data: Data = None,
    preset: Preset = None,
    file: File = None,
    sets: Sets = None,
    output: Folder = None,
    seed: Number = None,
    epochs: Epochs = None,
    k: Draws = None,
    bound: Bound = None,
    gradient: Gradient = None,
    recipe: Recipe = None,
    start: From = None,
    binarize: Binarize = None,
    kind: Kinds = None,
    missing: Missing = None,
    device: Device = None,
    precision: Precision = None,
) -> None:
    """Train a model, measure it on the test data, and draw what it has learnt.

    Without any argument: an IWAE with k=5 on scikit-learn's digits, about half a minute. Every setting of a run
    can be given by --set, e.g. --set model.latent=20 --set training.batch=50.
    """
    from iwax import experiments
    from iwax.cli.finish import train_and_finish

    flags = {"seed": seed, "start": start, "device": device, "precision": precision, "data.binarize": binarize}
    flags |= {"training.epochs": epochs, "objective.k": k, "objective.bound": bound, "objective.gradient": gradient}
    flags |= _of_table(kind, missing)
    config = experiments.from_sources(preset=preset, recipe=recipe, data=data, file=file, sets=sets or (), flags=flags)
    terminal: Terminal = context.obj
    for warning in config.warnings():
        terminal.warn(warning)
    train_and_finish(terminal, lambda reporter: experiments.train(config, output, reporter=reporter))


def _of_table(kinds: list[str] | None, missing: list[str] | None) -> dict[str, object]:
    """The settings of a table; ValueError where a kind has no = in it."""
    found: dict[str, str] = {}
    for word in kinds or ():
        name, equals, kind = word.rpartition("=")
        if not equals or not name:
            raise ValueError(f"--kind: needs COLUMN=KIND, got {word!r}; for example --kind quality=categorical")
        found[name] = kind
    return {"data.kinds": found or None, "data.missing": missing or None}
