"""`iwax embed`: where rows of data lie in the latent space."""

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, Fallback, Rows, Run, Seed
from iwax.cli.terminal import Terminal

__all__ = ["embed"]


def embed(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: outputs.Output = None,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    force: outputs.Force = False,
) -> None:
    """Posterior means of the rows of FILE, one line a row (.npy, .npz, .csv; stdout as CSV without -o)."""
    outputs.check(output, force=force)

    from iwax import inference
    from iwax.cli.trained import key_of, opened, warn_of_holes

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, fallback=fallback) as trained:
        x = trained.read(file, binarize=binarize)
        missing = warn_of_holes(terminal, x, "posterior means are given the observed values of a row")
        means = inference.embed(trained.model, x, key=key_of(seed), missing=missing)
    if output is not None:
        outputs.write(output, {"z": means}, main="z")
        terminal.say(f"wrote the posterior means of {len(means)} rows to {output}")
    else:
        terminal.data(outputs.as_text({"z": means}).rstrip())
    terminal.document({"n": len(means), "file": output and str(output), "z": None if output else means.tolist()})
