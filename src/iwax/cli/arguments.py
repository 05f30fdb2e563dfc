"""Arguments and options that several verbs share, under one name and with one meaning."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Binarize", "Checkpoint", "DataPath", "Draws", "Fallback", "Limit", "Rows", "Run", "Seed", "check_seed"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as `iwax train` makes them.")]
Rows = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Rows to work on: .npy, .npz, .csv, .tsv, .parquet, a folder or zip of pictures."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the noise, 0 to 2^32 - 1.")]
Checkpoint = Annotated[str, typer.Option("--checkpoint", metavar="best|last", help="Which stored state.")]
Draws = Annotated[int, typer.Option("--k", metavar="N", help="Importance samples a row.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="The first N rows alone.")]
DataPath = Annotated[
    Path | None,
    typer.Option("--data", metavar="PATH", help="The data the run was trained on, if they have moved; checked."),
]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="Where the checkpoint is damaged, use the newest sound one, with a warning.")
]
Binarize = Annotated[
    str | None,
    typer.Option("--binarize", metavar="threshold|sample", help="Make grey values binary; as the run did without."),
]


def check_seed(seed: int) -> int:
    """The seed; ValueError outside 0 <= seed < 2^32, where two seeds would be one.

    >>> check_seed(7)
    7
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie in 0 <= seed < 2^32, got {seed}")
    return seed
