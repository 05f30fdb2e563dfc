"""`iwax score`: log p(x) of rows of data with its error, and what is made of it to find outliers."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Devices, Draws, Fallback, Rows, Run, Seed, option
from iwax.cli.later import later
from iwax.cli.output import Force, Output, check
from iwax.cli.terminal import Terminal

with later():
    from iwax import inference
    from iwax.cli import reporter as progress
    from iwax.cli import trained
    from iwax.runs import export

__all__ = ["score"]

_REFERENCE = 1000  # validation rows, whose log p(x) is typical

Background = Annotated[
    Path | None,
    option("--background", "RUN", "Add log p(x) less that of this run, trained alike but with --set data.perturb=0.2."),
]
Typical = Annotated[
    bool, typer.Option("--typical", help=f"Add -|log p(x) - its mean over {_REFERENCE:,} validation rows|.")
]


def score(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: Output = None,
    k: Draws = 1000,
    background: Background = None,
    typical: Typical = False,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    devices: Devices = None,
    data_path: DataPath = None,
    force: Force = False,
) -> None:
    """Compute log p(x) of every row of FILE in nats, with its Monte-Carlo error: a density, and an anomaly score.

    The higher a value, the more a row is like the training data. Where cells are missing, compare rows by the column
    `score`, which allows for them: log p(x) itself rises with every cell that is missing. Rows are numbered from 1,
    columns that training left out come along, and a cell that its column cannot hold gives -inf with a reason.
    log p(x) is also high for rows that are simpler than the training data, which --background and --typical may tell
    apart. Goes to -o FILE (.npy holds log p(x) alone), or to stdout as CSV.

    Example: iwax score RUN rows.csv -o scores.csv
    """
    check(output, force=force)
    terminal: Terminal = context.obj
    state = {"checkpoint": checkpoint, "fallback": fallback}
    with (
        trained.opened(run, data_path=data_path, devices=devices, **state) as opened,
        progress.Reporter(terminal) as reporter,
    ):
        x, read = opened.read_each(file, binarize=binarize)
        other = None if background is None else trained.background_model(opened, background, **state)
        known = opened.typical_rows(_REFERENCE) if typical else None
        of_row = "log p(x) is of the cells a row has; compare rows by the column score, which allows for the others"
        trained.warn_of_missing(terminal, x, of_row, refused=len(read.refused))
        reporter.begun("evaluation")
        how = {"k": k, "key": trained.key_of(seed), "progress": reporter.evaluation}
        found = inference.score_table(opened.model, x, read, background=other, known=known, **how)
    for warning in found.warnings:
        terminal.warn(warning)
    if found.unsure:
        terminal.warn(f"{found.unsure}: --k {10 * k}")
    columns, unknown = found.columns, trained.numbered(found.unknown)
    if output is not None:
        export.write(output, columns, main="log_evidence")
        terminal.say(f"wrote {', '.join(columns)} of {len(x)} rows to {output}{trained.unsure(unknown)}")
    else:
        terminal.data(export.as_csv(columns).rstrip())
    lists = {} if output else {name: values.tolist() for name, values in columns.items()}
    terminal.document({"n": len(x), "k": k, "unknown": unknown, "file": output and str(output), **lists})
