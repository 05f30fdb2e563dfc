"""`iwax score`: log p(x) of rows of data with its error, and what is made of it to find outliers."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Devices, Draws, Fallback, Run, Seed, check_seed, option
from iwax.cli.later import later
from iwax.cli.output import Force, Output, check
from iwax.cli.several import Address, BlockRows, Engine, Files, Several, Workers
from iwax.cli.terminal import Terminal

with later():
    from iwax import blocks, inference
    from iwax.cli import reporter as progress
    from iwax.cli import trained
    from iwax.runs import background as backgrounds
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
    files: Files,
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
    engine: Engine = None,
    address: Address = None,
    workers: Workers = None,
    block_rows: BlockRows = 100_000,
    force: Force = False,
) -> None:
    """Compute log p(x) of every row of FILE in nats, with its Monte-Carlo error: a density, and an anomaly score.

    The higher a value, the more a row is like the training data. Where cells are missing, compare rows by the column
    `score`, which allows for them: log p(x) itself rises with every cell that is missing. Rows are numbered from 1,
    columns that training left out come along, and a cell that its column cannot hold gives -inf with a reason.
    log p(x) is also high for rows that are simpler than the training data, which --background and --typical may tell
    apart. Goes to -o FILE (.npy holds log p(x) alone), or to stdout as CSV. Of several files, a pattern such as
    'part-*.parquet', or with --engine, -o is a folder with a file for each block of rows; what is whole there is passed
    over, so that the same command goes on after a stop.

    Example: iwax score RUN rows.csv -o scores.csv
    """
    terminal: Terminal = context.obj
    several = Several.of(context)
    if several.asked:
        other = None if background is None else str(background.absolute())
        how = {"k": k, "binarize": binarize, "background": other, "typical": typical}
        several.apply(terminal, lambda: blocks.Score(check_seed(seed), **how))
        return
    check(output, force=force)
    state = {"checkpoint": checkpoint, "fallback": fallback}
    opening = trained.opened(run, data_path=data_path, devices=devices, **state)
    with opening as opened, progress.Reporter(terminal) as reporter:
        x, read = opened.read_each(files[0], binarize=binarize)
        other = None if background is None else backgrounds.background_model(opened, background, **state)
        known = opened.typical_rows(_REFERENCE) if typical else None
        of_row = "log p(x) is of the cells a row has; compare rows by the column score, which allows for the others"
        trained.warn_of_missing(terminal, x, of_row, refused=len(read.refused))
        reporter.begun("evaluation")
        how = {"k": k, "key": trained.key_of(seed), "progress": reporter.evaluation}
        found = inference.score_table(opened.model, x, read, background=other, known=known, **how)
    _give(terminal, found, output, k)


def _give(terminal: Terminal, found: "inference.ScoreTable", output: Path | None, k: int) -> None:
    """The scores to their file, or to stdout, and what is to be said of them."""
    for warning in found.warnings:
        terminal.warn(warning)
    if found.unsure:
        terminal.warn(f"{found.unsure}: --k {10 * k}")
    columns, unknown = found.columns, trained.numbered(found.unknown)
    if output is not None:
        export.write(output, columns, main="log_evidence")
        terminal.say(f"wrote {', '.join(columns)} of {len(found.unknown)} rows to {output}{trained.unsure(unknown)}")
    else:
        terminal.data(export.as_csv(columns).rstrip())
    lists = {} if output else {name: values.tolist() for name, values in columns.items()}
    terminal.document({"n": len(found.unknown), "k": k, "unknown": unknown, "file": output and str(output), **lists})
