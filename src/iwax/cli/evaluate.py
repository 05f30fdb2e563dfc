"""`iwax evaluate`: how good a trained model is, in a number with its error."""

from typing import Annotated

import typer

from iwax.cli.arguments import Run, check_seed
from iwax.cli.terminal import Terminal

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    run: Run,
    split: Annotated[str | None, typer.Option("--split", metavar="NAME", help="test, valid or train.")] = None,
    k: Annotated[int | None, typer.Option("--k", metavar="N", help="Importance samples a row (5000).")] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="importance", help="How log p(x) is estimated.")
    ] = "importance",
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="The first N rows alone.")] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the importance samples.")] = 0,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="best|last", help="Which stored state.")
    ] = None,
) -> None:
    """Estimate log p(x) by importance sampling, with its standard error, the ELBO, and whether to trust it.

    The last line on stdout is the result; with --json its keys are the whole of it.
    """
    from iwax import experiments
    from iwax.cli.reporter import Reporter

    terminal: Terminal = context.obj
    check_seed(seed)
    if method != "importance":
        raise ValueError(f"--method must be importance, the one method there is, got {method!r}")
    with Reporter(terminal) as reporter:
        report = experiments.evaluate(
            run, split=split, k=k, limit=limit, seed=seed, checkpoint=checkpoint, reporter=reporter
        )
    terminal.data(experiments.closing_line(report))
    terminal.document(report)
