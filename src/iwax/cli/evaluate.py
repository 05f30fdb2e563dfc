"""`iwax evaluate`: how good a trained model is, in a number with its error."""

from typing import Annotated

import typer

from iwax.cli.arguments import DataPath, Devices, Fallback, Run, check_devices, check_seed, option
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax import parallel, runs
    from iwax.cli import reporter as progress

__all__ = ["evaluate"]


Split = Annotated[str | None, option("--split", "test|valid|train", "Which rows.")]
Samples = Annotated[int | None, option("--k", "N", "Samples per row (5000), or per set (32).")]
Method = Annotated[
    str | None,
    option(
        "--method",
        "importance|annealed|bidirectional|jackknife|links",
        "How log p(x) is estimated (importance); bidirectional is on data simulated from the model; links, of a graph, "
        "is its usual one, and ranks held-out pairs.",
    ),
]
Chains = Annotated[int | None, option("--chains", "N", "Chains per row, of annealing (16).")]
Temperatures = Annotated[int | None, option("--temperatures", "N", "Of each chain (1000).")]
Leapfrog = Annotated[int | None, option("--leapfrog", "N", "Leapfrog steps per temperature (10).")]
Start = Annotated[str | None, option("--start", "prior|posterior", "Where chains start (prior).")]
Order = Annotated[int | None, option("--order", "N", "Of the jackknife: 0 is IWAE (1).")]
Repeats = Annotated[int | None, option("--repeats", "N", "Sets of k, of the jackknife (20).")]
Limit = Annotated[int | None, option("--limit", "N", "The first N rows alone.")]
Seed = Annotated[int, option("--seed", "N", "Seed of the noise.")]
State = Annotated[str | None, option("--checkpoint", "best|last", "Which stored state.")]


def evaluate(
    context: typer.Context,
    run: Run,
    split: Split = None,
    k: Samples = None,
    method: Method = None,
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
    devices: Devices = None,
) -> None:
    """Estimate log p(x), with its standard error, and whether to trust it: by importance sampling, by annealing, by
    the jackknife, or, on data simulated from the model, by annealing in both directions.

    The last line on stdout is the result; with --json its keys are the whole of it.

    Example: iwax evaluate RUN --k 5000
    """
    terminal: Terminal = context.obj
    check_seed(seed)
    given = {name: value for name, value in context.params.items() if name != "devices"}
    with parallel.over(check_devices(devices)), progress.Reporter(terminal) as reporter:
        report = runs.evaluate(**given, reporter=reporter)
    terminal.data(runs.closing_line(report))
    terminal.document(report)
