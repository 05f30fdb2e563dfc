"""`iwax links`: pairs of nodes that are likely linked, though the graph does not say so."""

from typing import Annotated

import typer

from iwax.cli.arguments import Checkpoint, DataPath, Fallback, Run, Seed, option
from iwax.cli.later import later
from iwax.cli.output import Force, Output, check
from iwax.cli.terminal import Terminal

with later():
    import numpy as np

    from iwax import inference
    from iwax.cli import trained
    from iwax.runs import export

__all__ = ["links"]


def links(
    context: typer.Context,
    run: Run,
    top: Annotated[int, option("--top", "N", "How many pairs, the likeliest first.")] = 50,
    k: Annotated[int, option("--k", "N", "Draws of all latents that probabilities are means over.")] = 100,
    output: Output = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    data_path: DataPath = None,
    fallback: Fallback = False,
    force: Force = False,
) -> None:
    """Find the likeliest links of a graph among the pairs that it does not link: both names, and a probability.

    Probabilities are means over draws of q(z|A), with their Monte-Carlo error. Where links were weighted in training
    (--preset vgae or gae), the weight is taken out of their odds.

    Example: iwax links RUN --top 50 -o links.csv
    """
    terminal: Terminal = context.obj
    check(output, force=force)
    with trained.opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as opened:
        listed = opened.dataset().graph
        if listed is None:
            raise ValueError(f"run {run} is of rows, {opened.about.name}: links are those of iwax train --preset graph")
        known = opened.rows("train")
        found = inference.likeliest_links(
            opened.model, known, top=top, k=k, key=trained.key_of(seed), known=listed.graph.links
        )
    names = np.array(listed.graph.nodes, object)
    table = {"one": names[found.pairs[:, 0]], "other": names[found.pairs[:, 1]]}
    table |= {"probability": found.probability, "error": found.error}
    if output is None:
        terminal.data(export.as_csv(table).rstrip())
    else:
        export.write(output, table, main="probability")
        terminal.say(f"wrote {len(found.pairs)} pairs to {output}")
    rows = zip(*(each.tolist() for each in table.values()), strict=True)
    terminal.document({"n": len(found.pairs), "file": output and str(output), "links": None if output else [*rows]})
