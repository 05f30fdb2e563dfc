"""`iwax sample`: new data from a trained model."""

from typing import Annotated

import typer

from iwax.cli.arguments import Checkpoint, Fallback, Run, Seed, option
from iwax.cli.later import later
from iwax.cli.output import PICTURES, TABLES, Force, Output, check, is_picture
from iwax.cli.terminal import Terminal

with later():
    from iwax import inference, parts
    from iwax.cli import trained
    from iwax.report import figures
    from iwax.runs import export

__all__ = ["sample"]


def sample(
    context: typer.Context,
    run: Run,
    n: Annotated[int, option("-n", "N", "How many.")] = 64,
    output: Output = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    force: Force = False,
) -> None:
    """Draw new data from a run's model: z from the prior, x from p(x|z).

    FILE ends in .png or .svg (a picture of the means), .npy (the draws), .npz (draws, means and latents) or .csv;
    without one the draws go to stdout as CSV. Rows of a table are written as it is: delimiter, encoding, names.

    Example: iwax sample RUN -n 100 -o more.png
    """
    check(output, force=force, endings=(*PICTURES, *TABLES))
    if not 1 <= n <= 1_000_000:
        raise ValueError(f"-n must be from 1 to 1000000, got {n}")
    terminal: Terminal = context.obj
    with trained.opened(run, checkpoint=checkpoint, fallback=fallback) as opened:
        if opened.about.graph is not None:
            raise ValueError(f"run {run} is of a graph, of which no rows are drawn: iwax links gives likely links")
        drawn = inference.generate(opened.model, n, key=trained.key_of(seed))
        shape, columns, dialect = opened.shape, opened.about.columns, opened.dialect
    if output is None:
        terminal.data(export.rows_as_csv(drawn.sample, columns, dialect=dialect).rstrip())
    elif is_picture(output):
        figures.samples(drawn.mean, shape).write(output)
    elif columns is None or output.suffix.lower() == ".npz":
        layers = parts.layers_of(drawn.z)
        latents = {f"z{i}_" if len(layers) > 1 else "z": z for i, z in enumerate(layers, start=1)}
        export.write(output, {"x": drawn.sample, "mean": drawn.mean, **latents}, main="x")
    else:
        export.write_rows(output, drawn.sample, columns, dialect=dialect)
    if output is not None:
        terminal.say(f"wrote {n} draws to {output}")
    listed = None if output else drawn.sample.tolist()
    terminal.document({"n": n, "seed": seed, "file": output and str(output), "x": listed})
