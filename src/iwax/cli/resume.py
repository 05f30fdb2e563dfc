"""`iwax resume`: the rest of a run that was stopped."""

import typer

from iwax.cli.arguments import Run
from iwax.cli.terminal import Terminal

__all__ = ["resume"]


def resume(context: typer.Context, run: Run) -> None:
    """Continue a run where it stopped, bit for bit as if it had never been stopped; then measure it."""
    from iwax import experiments
    from iwax.cli.finish import train_and_finish

    terminal: Terminal = context.obj
    train_and_finish(terminal, lambda reporter: experiments.resume(run, reporter=reporter))
