"""`iwax train`: from a name to a trained, measured and pictured model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
from iwax.cli.arguments import Coordinator, Devices, Process, Processes, argument, check_devices, option
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax import parallel, runs
    from iwax import processes as together
    from iwax.cli import finish
    from iwax.data import registry
    from iwax.runs import training
    from iwax.settings import config as settings

__all__ = ["train"]

Data = Annotated[
    str | None, argument("DATA", "A registered name or a file. Default: scikit-learn's digits.", names="data")
]
Preset = Annotated[
    str | None,
    option("--preset", "NAME", "A named combination of settings: iwax settings --presets lists them.", names="presets"),
]
File = Annotated[Path | None, option("-c --config", "FILE", "Settings, .json or .toml.")]
Sets = Annotated[list[str] | None, option("--set", "KEY=VALUE", "One setting; may be repeated.", names="settings")]
Folder = Annotated[Path | None, option("--output", "DIR", "The run folder. Default: a new one in runs/.")]
Number = Annotated[int | None, option("--seed", "N", "Seed of everything random (0).")]
Epochs = Annotated[int | None, option("--epochs", "N", "Epochs of training.")]
Draws = Annotated[int | None, option("--k", "N", "Importance samples per data point.")]
Bound = Annotated[
    str | None, option("--bound", "NAME", "elbo, iwae, miwae, ciwae, renyi, jackknife ...", names="bounds")
]
Gradient = Annotated[
    str | None,
    option("--gradient", "NAME", "pathwise, doubly_reparameterized, sticking_the_landing ...", names="gradients"),
]
Recipe = Annotated[str | None, option("--recipe", "quick|paper", "Minutes on a laptop, or the published schedule.")]
From = Annotated[str | None, option("--from", "RUN", "Start at the weights of this run.")]
Binarize = Annotated[str | None, option("--binarize", "threshold|sample", "Make grey values binary.")]
Kinds = Annotated[
    list[str] | None,
    option(
        "--kind",
        "COLUMN=KIND",
        "Of a table's column: continuous, positive, nonnegative, count, integer, nonnegative_integer, binary, "
        "categorical, drop; may be repeated.",
    ),
]
Missing = Annotated[
    list[str] | None, option("--missing", "TEXT", "What marks a missing cell, besides NA, ? and others; repeatable.")
]
Levels = Annotated[
    list[str] | None,
    option("--level", "COLUMN=TEXT", "NA, None or the like that is a level there, not missing; repeatable."),
]
Header = Annotated[str | None, option("--header", "first|none", "Whether a table's first line names its columns.")]
Delimiter = Annotated[str | None, option("--delimiter", "TEXT", "Between a table's cells: ; , | tab, space ...")]
Encoding = Annotated[str | None, option("--encoding", "NAME", "Of a table's text, e.g. latin-1. Default: UTF-8.")]
Thousands = Annotated[str | None, option("--thousands", "TEXT", "Between a number's thousands: , . ' or space.")]
Decimal = Annotated[str | None, option("--decimal", "TEXT", "Before a number's decimals: . or ,.")]
Device = Annotated[str | None, option("--device", "cpu|gpu", "Where to compute.")]
Precision = Annotated[
    str | None, option("--precision", "32|64|mixed", "Bits of a number, or bfloat16 products in training.")
]


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
    decimal: Decimal = None,
    device: Device = None,
    devices: Devices = None,
    coordinator: Coordinator = None,
    processes: Processes = None,
    process: Process = None,
    precision: Precision = None,
) -> None:
    """Train a model, measure it on the test data, and draw what it has learned.

    Without any argument: an IWAE with k=5 on scikit-learn's digits, about half a minute. Every setting of a run
    can be given by --set, e.g. --set model.latent=20 --set training.batch=50.

    Example: iwax train mnist --preset iwae-1-k50 --epochs 100
    """
    writable.check_new_folder(output or Path("runs") / "new")  # before JAX is loaded
    _have(data)
    flags = {"seed": seed, "start": start, "device": device, "data.binarize": binarize, **_precision(precision)}
    flags |= {"training.epochs": epochs, "objective.k": k, "objective.bound": bound, "objective.gradient": gradient}
    flags |= {"data.kinds": _kinds(kind), "data.levels": _levels(level), "data.missing": missing or None}
    flags |= _written(header=header, delimiter=delimiter, encoding=encoding, thousands=thousands, decimal=decimal)
    chosen = {"preset": preset, "recipe": recipe, "data": data}
    with together.joined(coordinator, processes, process), parallel.over(check_devices(devices)):
        config = runs.from_sources(**chosen, file=file, sets=sets or (), flags=flags, typed=_options(flags))
        _trained(config, output, context.obj)


def _trained(config: "settings.Config", output: Path | None, terminal: Terminal) -> None:
    """Train in a new folder, measured at the end, or along with the process that does."""
    for warning in config.warnings():
        terminal.warn(warning)
    if together.is_first():
        finish.train_and_finish(terminal, lambda reporter: training.train(config, output, reporter=reporter))
    else:
        training.follow(config, config.data.load())


def _options(flags: Iterable[str]) -> dict[str, str]:
    """What each setting is called on the command line.

    >>> found = _options(["training.epochs", "data.kinds"])
    >>> found["preset"], found["training.epochs"], found["data.kinds"]
    ('--preset', '--epochs', '--kind')
    """
    own = {"start": "--from", "data.kinds": "--kind", "data.levels": "--level"}
    named = {key: own.get(key, f"--{key.rpartition('.')[2]}") for key in flags}
    return {"preset": "--preset", "recipe": "--recipe", "data.name": "DATA", **named}


def _have(name: str | None) -> None:
    """Get the files of a registered name that are not here: what cannot be had is refused before JAX is loaded."""
    try:
        place = "embedded" if name is None else registry.availability(name)
    except ValueError:  # a file of one's own, or a wrong name, which is refused with all that is wrong
        return
    if place in ("absent", "incomplete"):
        registry.get(name or "")


def _written(**found: str | None) -> dict[str, str | None]:
    """How a table is written; a space as the word for it."""
    return {f"data.{name}": "space" if value == " " else value for name, value in found.items()}


def _precision(word: str | None) -> dict[str, str | int | None]:
    """The setting that a precision belongs to: of all numbers, or of the products in training."""
    if word == "mixed":
        return {"training.precision": word}
    if word not in (None, "32", "64"):
        raise ValueError(f"--precision: needs 32, 64 or mixed, got {word!r}")
    return {"precision": None if word is None else int(word)}


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
