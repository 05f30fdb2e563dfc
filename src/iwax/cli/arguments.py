"""Arguments and options that several verbs share, under one name and with one meaning; what the shell completes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = [
    "NAMES",
    "Binarize",
    "Checkpoint",
    "Coordinator",
    "DataPath",
    "Devices",
    "Draws",
    "Fallback",
    "Limit",
    "Process",
    "Processes",
    "Run",
    "Seed",
    "argument",
    "check_devices",
    "check_seed",
    "option",
]

NAMES = Path(__file__).with_name("names.json")  # a copy of names that iwax knows: to ask for them would load JAX


def argument(metavar: str, help: str, *, names: str | None = None) -> Any:
    """What follows a verb: how help calls it and what it is. The shell completes words like ``best|last``, and `names`.

    ``names`` is a kind of names: bounds, data, gradients, presets, settings or tables.
    """
    return typer.Argument(metavar=metavar, help=help, autocompletion=_offered(metavar, names))


def option(flags: str, metavar: str, help: str, *, names: str | None = None) -> Any:
    """An option of these ``flags``, as ``-o --output``, and what follows it, as of `argument`."""
    return typer.Option(*flags.split(), metavar=metavar, help=help, autocompletion=_offered(metavar, names))


def _offered(metavar: str, kind: str | None) -> Callable[[str], list[str]] | None:
    """What the shell offers, if anything is known.

    >>> _offered("best|last", None)("b"), _offered("NAME", "presets")("iwae-2")
    (['best'], ['iwae-2-k1', 'iwae-2-k5', 'iwae-2-k50'])
    """
    if kind is None and "|" not in metavar:
        return None

    def complete(incomplete: str) -> list[str]:
        words = metavar.split("|") if kind is None else json.loads(NAMES.read_text(encoding="utf-8"))[kind]
        return [word for word in words if word.startswith(incomplete)]

    return complete


Run = Annotated[Path, argument("RUN", "A run folder, as `iwax train` makes them.")]
Devices = Annotated[str | None, option("--devices", "N|all", "Share the rows among N devices of this machine.")]
Coordinator = Annotated[
    str | None, option("--coordinator", "HOST:PORT", "Of several processes: a free port where process 0 runs.")
]
Processes = Annotated[int | None, option("--processes", "N", "How many train together; Slurm and Open MPI say so.")]
Process = Annotated[int | None, option("--process", "I", "Which of them this is, from 0.")]
Seed = Annotated[int, option("--seed", "N", "Seed of the noise, 0 to 2^32 - 1.")]
Checkpoint = Annotated[str, option("--checkpoint", "best|last", "Which stored state.")]
Draws = Annotated[int, option("--k", "N", "Importance samples per row.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="The first N rows alone.")]
DataPath = Annotated[
    Path | None, option("--data", "PATH", "The data the run was trained on, if they have moved; checked.")
]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="Where the checkpoint is damaged, use the newest sound one, with a warning.")
]
Binarize = Annotated[
    str | None, option("--binarize", "threshold|sample", "Make grey values binary. Default: as the run did.")
]


def check_devices(word: str | None) -> int | Literal["all"] | None:
    """How many devices; ValueError unless it is a whole number from 1, or all.

    >>> check_devices("8"), check_devices("all")
    (8, 'all')
    """
    if word is None or word == "all":
        return word
    if not (word.isdecimal() and word.isascii() and int(word) >= 1):
        raise ValueError(f"--devices needs to be a whole number from 1, or all, got {word!r}")
    return int(word)


def check_seed(seed: int) -> int:
    """The seed; ValueError outside 0 <= seed < 2^32, where two seeds would be one.

    >>> check_seed(7)
    7
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie in 0 <= seed < 2^32, got {seed}")
    return seed
