"""`iwax reconstruct`: data through the model and back."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, Draws, Run, Seed
from iwax.cli.terminal import Terminal

__all__ = ["reconstruct"]

SHOWN = 50


def reconstruct(
    context: typer.Context,
    run: Run,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Rows; the first test rows of the run's data without.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="posterior|resample", help="The mean of q, or k draws of q resampled.")
    ] = "posterior",
    k: Draws = 50,
    output: outputs.Output = None,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    force: outputs.Force = False,
) -> None:
    """The mean of p(x|z) at a z inferred from each row.

    FILE of -o ends in .png (a picture), .npy, .npz or .csv; without it the means go to stdout as CSV.
    """
    if method not in ("posterior", "resample"):
        raise ValueError(f"--method must be posterior or resample, got {method!r}")
    outputs.check(output, force=force, endings=(".png", *outputs.TABLES))

    from iwax import inference
    from iwax.cli.trained import key_of, opened
    from iwax.report import figures

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint) as trained:
        x = trained.rows(file, binarize=binarize) if file is not None else trained.test_rows(SHOWN)
        means = inference.reconstruct(trained.model, x, key=key_of(seed), method=method, k=k)
        shape = trained.shape
    if output is not None and output.suffix.lower() == ".png":
        figures.reconstructions(output, x[:SHOWN], means[:SHOWN], shape)
    elif output is not None:
        outputs.write(output, {"reconstruction": means}, main="reconstruction")
    else:
        terminal.data(outputs.as_text({"x": means}).rstrip())
    if output is not None:
        terminal.say(f"wrote the reconstructions of {len(means)} rows to {output}")
    terminal.document({"n": len(means), "file": output and str(output), "x": None if output else means.tolist()})
