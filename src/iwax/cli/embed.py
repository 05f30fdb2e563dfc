"""`iwax embed`: where rows of data lie in the latent space."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.arguments import Binarize, Checkpoint, Devices, Fallback, Run, Seed, argument, check_seed
from iwax.cli.later import later
from iwax.cli.output import Force, Output, check
from iwax.cli.several import Address, BlockRows, Engine, Several, Workers
from iwax.cli.terminal import Terminal

with later():
    import jax
    import numpy as np

    from iwax import blocks, inference, runs
    from iwax.cli import trained
    from iwax.runs import export

__all__ = ["embed"]

Files = Annotated[
    list[Path] | None,
    argument(
        "FILE...", "Rows to work on, as of iwax score; several, or 'part-*.parquet'. None for the nodes of a graph."
    ),
]


def embed(
    context: typer.Context,
    run: Run,
    files: Files = None,
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

    Of a graph there is no FILE, and a line for each of its nodes, with its name.

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
        if opened.about.graph is not None and not files:
            _of_nodes(terminal, opened, output, key=trained.key_of(seed))
            return
        if not files:
            raise ValueError(f"FILE was needed, rows as run {run} was trained on; got none")
        x = opened.read(files[0], binarize=binarize)
        missing = trained.warn_of_missing(terminal, x, "posterior means are given the observed values of a row")
        means = inference.embed(opened.model, x, key=trained.key_of(seed), missing=missing)
    if output is not None:
        export.write(output, {"z": means}, main="z")
        terminal.say(f"wrote the posterior means of {len(means)} rows to {output}")
    else:
        terminal.data(export.as_csv({"z": means}).rstrip())
    terminal.document({"n": len(means), "file": output and str(output), "z": None if output else means.tolist()})


def _of_nodes(terminal: Terminal, run: "runs.Run", output: "Path | None", *, key: "jax.Array") -> None:
    """The means of every node's latents, given the training links."""
    graph: Any = run.dataset().graph
    z = inference.embed(run.model, run.rows("train"), key=key, missing=True)[0].reshape(graph.nodes, -1)
    table = {"node": np.array(graph.graph.nodes, object), "z": z}
    if output is None:
        terminal.data(export.as_csv(table).rstrip())
    else:
        export.write(output, table, main="z")
        terminal.say(f"wrote the posterior means of {len(z)} nodes to {output}")
    terminal.document({"n": len(z), "file": output and str(output), "z": None if output else z.tolist()})
