"""`iwax evaluate`: how good a trained model is, in a number with its error."""

from typing import Annotated

import typer

from iwax.cli.arguments import DataPath, Fallback, Run, check_seed
from iwax.cli.terminal import Terminal

__all__ = ["evaluate"]


Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="test, valid or train.")]
Samples = Annotated[int | None, typer.Option("--k", metavar="N", help="Samples a row (5000), or a set (32).")]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="importance|annealed|bidirectional|jackknife",
        help="How log p(x) is estimated; bidirectional is on data simulated from the model.",
    ),
]
Chains = Annotated[int | None, typer.Option("--chains", metavar="N", help="Chains a row, of annealing (16).")]
Temperatures = Annotated[int | None, typer.Option("--temperatures", metavar="N", help="Of each chain (1000).")]
Leapfrog = Annotated[int | None, typer.Option("--leapfrog", metavar="N", help="Leapfrog steps a temperature (10).")]
Start = Annotated[str | None, typer.Option("--start", metavar="prior|posterior", help="Where chains start (prior).")]
Order = Annotated[int | None, typer.Option("--order", metavar="N", help="Of the jackknife: 0 is IWAE (1).")]
Repeats = Annotated[int | None, typer.Option("--repeats", metavar="N", help="Sets of k, of the jackknife (20).")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="The first N rows alone.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the noise.")]
State = Annotated[str | None, typer.Option("--checkpoint", metavar="best|last", help="Which stored state.")]


def evaluate(
    context: typer.Context,
    run: Run,
    split: Split = None,
    k: Samples = None,
    method: Method = "importance",
    chains: Chains = None,
    temperatures: Temperatures = None,
    leapfrog: Leapfrog = None,
    start: Start = None,
    order: Order = None,
    repeats: Repeats = None,
    limit: Limit = None,
    seed: Seed = 0,
    checkpoint: State = None,
    data_path: DataPath = None,
    fallback: Fallback = False,
) -> None:
    """Estimate log p(x), with its standard error, and whether to trust it: by importance sampling, by annealing, by
    the jackknife, or, on data simulated from the model, by annealing in both directions.

    The last line on stdout is the result; with --json its keys are the whole of it.
    """
    from iwax import experiments
    from iwax.cli.reporter import Reporter

    terminal: Terminal = context.obj
    check_seed(seed)
    with Reporter(terminal) as reporter:
        report = experiments.evaluate(**context.params, reporter=reporter)
    terminal.data(experiments.closing_line(report))
    terminal.document(report)
