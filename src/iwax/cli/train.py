"""`iwax train`: from a name to a trained, measured and pictured model."""

from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
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
Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--level", metavar="COLUMN=TEXT", help="NA, None or the like that is a level there, not missing; repeatable."
    ),
]
Header = Annotated[
    str | None, typer.Option("--header", metavar="first|none", help="Whether a table's first line names its columns.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="TEXT", help="Between a table's cells: ; , | tab, space ...")
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Of a table's text, e.g. latin-1; UTF-8 without.")
]
Thousands = Annotated[
    str | None, typer.Option("--thousands", metavar="TEXT", help="Between a number's thousands: , . ' or space.")
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
    level: Levels = None,
    header: Header = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    thousands: Thousands = None,
    device: Device = None,
    precision: Precision = None,
) -> None:
    """Train a model, measure it on the test data, and draw what it has learnt.

    Without any argument: an IWAE with k=5 on scikit-learn's digits, about half a minute. Every setting of a run
    can be given by --set, e.g. --set model.latent=20 --set training.batch=50.
    """
    writable.check_new_folder(output or Path("runs") / "new")  # before JAX is loaded
    _have(data)

    from iwax.cli.finish import train_and_finish
    from iwax.experiments import from_sources, training

    flags = {"seed": seed, "start": start, "device": device, "precision": precision, "data.binarize": binarize}
    flags |= {"training.epochs": epochs, "objective.k": k, "objective.bound": bound, "objective.gradient": gradient}
    flags |= {"data.kinds": _kinds(kind), "data.levels": _levels(level), "data.missing": missing or None}
    flags |= _written(header, delimiter, encoding, thousands)
    config = from_sources(preset=preset, recipe=recipe, data=data, file=file, sets=sets or (), flags=flags)
    terminal: Terminal = context.obj
    for warning in config.warnings():
        terminal.warn(warning)
    train_and_finish(terminal, lambda reporter: training.train(config, output, reporter=reporter))


def _have(name: str | None) -> None:
    """Get the files of a registered name that are not here: what cannot be had is said before JAX is loaded."""
    from iwax.data import registry

    try:
        place = "embedded" if name is None else registry.whereabouts(name)
    except ValueError:  # a file of one's own, or a wrong name, which is refused with all that is wrong
        return
    if place in ("absent", "incomplete"):
        registry.get(name or "")


def _written(
    header: str | None, delimiter: str | None, encoding: str | None, thousands: str | None
) -> dict[str, str | None]:
    """How a table is written; a space as the word for it."""
    found = {"header": header, "delimiter": delimiter, "encoding": encoding, "thousands": thousands}
    return {f"data.{name}": "space" if value == " " else value for name, value in found.items()}


def _kinds(words: list[str] | None) -> dict[str, str] | None:
    """Kinds by column; ValueError where one has no = in it."""
    return dict(_parted("--kind", word, "COLUMN=KIND", "quality=categorical") for word in words or ()) or None


def _levels(words: list[str] | None) -> dict[str, list[str]] | None:
    """Texts by column that are levels there; ValueError where one has no = in it."""
    found: dict[str, list[str]] = {}
    for word in words or ():
        name, text = _parted("--level", word, "COLUMN=TEXT", "country=NA")
        found.setdefault(name, []).append(text)
    return found or None


def _parted(flag: str, word: str, form: str, example: str) -> tuple[str, str]:
    name, equals, value = word.rpartition("=")
    if not equals or not name:
        raise ValueError(f"{flag}: needs {form}, got {word!r}; for example {flag} {example}")
    return name, value
