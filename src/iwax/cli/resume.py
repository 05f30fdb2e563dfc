"""`iwax resume`: the rest of a run that was stopped."""

import typer

from iwax.cli.arguments import DataPath, Run
from iwax.cli.terminal import Terminal

__all__ = ["resume"]


def resume(context: typer.Context, run: Run, data_path: DataPath = None) -> None:
    """Continue a run where it stopped, bit for bit as if it had never been stopped; then measure it."""
    from iwax import experiments
    from iwax.cli.finish import finish
    from iwax.cli.reporter import Reporter

    terminal: Terminal = context.obj
    with Reporter(terminal) as reporter:
        experiments.resume(run, data_path=data_path, reporter=reporter)
    finish(run, terminal, data_path=data_path)
