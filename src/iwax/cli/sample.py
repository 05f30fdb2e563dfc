"""`iwax sample`: new data from a trained model."""

from typing import Annotated

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Checkpoint, Fallback, Run, Seed
from iwax.cli.terminal import Terminal

__all__ = ["sample"]


def sample(
    context: typer.Context,
    run: Run,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many.")] = 64,
    output: outputs.Output = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    force: outputs.Force = False,
) -> None:
    """Draw new data from a run's model: z from the prior, x from p(x|z).

    FILE ends in .png (a picture of the means), .npy (the draws), .npz (draws, means and latents) or .csv;
    without one the draws go to stdout as CSV.
    """
    outputs.check(output, force=force, endings=(".png", *outputs.TABLES))
    if not 1 <= n <= 1_000_000:
        raise ValueError(f"-n must be from 1 to 1000000, got {n}")

    from iwax import inference
    from iwax.cli.trained import key_of, opened
    from iwax.parts import layers_of
    from iwax.report import figures

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, fallback=fallback) as trained:
        drawn = inference.generate(trained.model, n, key=key_of(seed))
        shape, columns = trained.shape, trained.about.columns
    if output is not None and output.suffix.lower() == ".png":
        figures.samples(output, drawn.mean, shape)
    elif output is not None and (columns is None or output.suffix.lower() == ".npz"):
        layers = layers_of(drawn.z)
        latents = {f"z{i}_" if len(layers) > 1 else "z": z for i, z in enumerate(layers, start=1)}
        outputs.write(output, {"x": drawn.sample, "mean": drawn.mean, **latents}, main="x")
    elif output is not None:
        outputs.write_rows(output, drawn.sample, columns)
    else:
        terminal.data(outputs.rows_as_text(drawn.sample, columns).rstrip())
    if output is not None:
        terminal.say(f"wrote {n} draws to {output}")
    listed = None if output else drawn.sample.tolist()
    terminal.document({"n": n, "seed": seed, "file": output and str(output), "x": listed})
