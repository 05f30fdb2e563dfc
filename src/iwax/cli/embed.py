"""`iwax embed`: where rows of data lie in the latent space."""

import typer

from iwax.cli.arguments import Binarize, Checkpoint, Devices, Fallback, Run, Seed, check_seed
from iwax.cli.later import later
from iwax.cli.output import Force, Output, check
from iwax.cli.several import Address, BlockRows, Engine, Files, Several, Workers
from iwax.cli.terminal import Terminal

with later():
    from iwax import blocks, inference
    from iwax.cli import trained
    from iwax.runs import export

__all__ = ["embed"]


def embed(
    context: typer.Context,
    run: Run,
    files: Files,
    output: Output = None,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    devices: Devices = None,
    engine: Engine = None,
    address: Address = None,
    workers: Workers = None,
    block_rows: BlockRows = 100_000,
    force: Force = False,
) -> None:
    """Give the posterior mean of each row of FILE, a line for each (.npy, .npz, .csv; stdout as CSV without -o).

    Of several files, a pattern, or with --engine, -o is a folder with a file for each block of rows (see iwax score).

    Example: iwax embed RUN rows.npy -o z.csv
    """
    terminal: Terminal = context.obj
    several = Several.of(context)
    if several.asked:
        several.apply(terminal, lambda: blocks.Embed(check_seed(seed), binarize))
        return
    check(output, force=force)
    with trained.opened(run, checkpoint=checkpoint, fallback=fallback, devices=devices) as opened:
        x = opened.read(files[0], binarize=binarize)
        missing = trained.warn_of_missing(terminal, x, "posterior means are given the observed values of a row")
        means = inference.embed(opened.model, x, key=trained.key_of(seed), missing=missing)
    if output is not None:
        export.write(output, {"z": means}, main="z")
        terminal.say(f"wrote the posterior means of {len(means)} rows to {output}")
    else:
        terminal.data(export.as_csv({"z": means}).rstrip())
    terminal.document({"n": len(means), "file": output and str(output), "z": None if output else means.tolist()})
