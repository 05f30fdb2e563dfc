"""`iwax impute`: missing cells filled in."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Checkpoint, Draws, Rows, Run, Seed
from iwax.cli.terminal import Terminal

__all__ = ["impute"]

Copies = Annotated[
    int, typer.Option("--draws", metavar="N", help="N whole tables, drawn, in place of one of means (0).")
]


def impute(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: outputs.Output = None,
    draws: Copies = 0,
    k: Draws = 1000,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    force: outputs.Force = False,
) -> None:
    """FILE with its missing cells filled: the mean of p(x_missing | x_observed), or the most probable class.

    Missing are NaN, empty cells, and the words that marked them in training. Other cells stay as they are. With
    --draws N the cells are drawn, N times, and -o a.csv becomes a-1.csv to a-N.csv: what is computed from each varies
    as it should. Goes to -o FILE, or to stdout as CSV.
    """
    outputs.check(output, force=force)
    if not 0 <= draws <= 10_000:
        raise ValueError(f"--draws must be from 0 to 10000, got {draws}")
    paths = _paths(output, draws, force=force)

    from iwax import inference
    from iwax.cli.trained import key_of, opened

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint) as trained:
        x = trained.rows(file)
        found = inference.impute(trained.model, x, k=k, key=key_of(seed), draws=draws)
        columns = trained.trained.about.columns
    for warning in found.warnings():
        terminal.warn(warning)
    tables = [found.values] if found.draws is None else list(found.draws)
    for path, table in zip(paths, tables, strict=False):
        outputs.write_rows(path, table, columns)
    for table in [] if paths else tables:
        terminal.data(outputs.rows_as_text(table, columns).rstrip())
    about = {"n": len(x), "filled": int(found.missing.sum()), "k": k, "ess_median": found.ess_median}
    ess = "" if found.ess_median is None else f"; ESS median {found.ess_median:.0f}"
    wrote = f"; wrote {', '.join(map(str, paths))}" if paths else ""
    terminal.say(f"filled {about['filled']:,} of {x.size:,} cells with k={k}{ess}{wrote}")
    listed = None if paths else [table.tolist() for table in tables]
    terminal.document({**about, "files": [str(path) for path in paths], "x": listed})


def _paths(output: Path | None, draws: int, *, force: bool) -> list[Path]:
    """Where the tables go: the file asked for or, of so many draws, one with a number each; all of them checked."""
    if output is None or not draws:
        return [] if output is None else [output]
    paths = [output.with_stem(f"{output.stem}-{i + 1}") for i in range(draws)]
    for path in paths:
        outputs.check(path, force=force)
    return paths
