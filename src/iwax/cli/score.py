"""`iwax score`: log p(x) of rows of data with its error, and what is made of it to find rows unlike the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Draws, Fallback, Rows, Run, Seed
from iwax.cli.terminal import Terminal
from iwax.cli.trust import numbered, unsure

if TYPE_CHECKING:
    import numpy as np

__all__ = ["score"]

_REFERENCE = 1000  # validation rows, whose log p(x) is typical

Background = Annotated[
    Path | None,
    typer.Option(
        "--background",
        metavar="RUN",
        help="Add log p(x) less that of this run, trained alike but with --set data.perturb=0.2.",
    ),
]
Typical = Annotated[
    bool, typer.Option("--typical", help=f"Add -|log p(x) - its mean over {_REFERENCE:,} validation rows|.")
]


def score(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: outputs.Output = None,
    k: Draws = 1000,
    background: Background = None,
    typical: Typical = False,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """log p(x) of every row of FILE in nats, with its Monte-Carlo error: a density, and an anomaly score.

    The higher a value, the more a row is like the training data. Where cells are missing compare rows by `score`, which
    is log p(x) brought to that of a whole row; log p(x) itself rises with every cell that is missing. Rows are numbered
    from 1, columns that training left out come along, and a cell that its column cannot hold gives -inf with a reason.
    log p(x) is also high for rows that are simpler than the training data, which --background and --typical may tell
    apart. Goes to -o FILE (.npy holds log p(x) alone), or to stdout as CSV.
    """
    outputs.check(output, force=force)

    from iwax.cli.reporter import Reporter
    from iwax.cli.scores import Scores
    from iwax.cli.trained import background_model, key_of, opened, warn_of_holes

    terminal: Terminal = context.obj
    state = {"checkpoint": checkpoint, "fallback": fallback}
    with opened(run, data_path=data_path, **state) as trained, Reporter(terminal) as reporter:
        x, read = trained.read_each(file, binarize=binarize)
        beside = None if background is None else background_model(trained, background, **state)
        known = trained.typical_rows(_REFERENCE) if typical else None
        of_row = "log p(x) is that of the observed values of a row, score that of a whole row as unusual"
        warn_of_holes(terminal, x, of_row, refused=len(read.refused))
        reporter.begun("evaluation")
        how = {"k": k, "key": key_of(seed), "progress": reporter.evaluation}
        found = Scores.of(trained.model, x, read, background=beside, known=known, **how)
    for warning in found.warnings:
        terminal.warn(warning)
    _give(terminal, found.columns(), output, {"n": len(x), "k": k, "unknown": numbered(found.unknown)})


def _give(terminal: Terminal, columns: "dict[str, np.ndarray]", output: Path | None, about: dict[str, Any]) -> None:
    """The columns, to a file or to stdout."""
    if output is not None:
        outputs.write(output, columns, main="log_evidence")
        terminal.say(f"wrote {', '.join(columns)} of {about['n']} rows to {output}{unsure(about['unknown'])}")
    else:
        terminal.data(outputs.as_text(columns).rstrip())
    lists = {} if output else {name: values.tolist() for name, values in columns.items()}
    terminal.document({**about, "file": output and str(output), **lists})
