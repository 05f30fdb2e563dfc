"""`iwax resume`: the rest of a run that was stopped."""

from typing import Annotated

import typer

from iwax.cli.arguments import Coordinator, DataPath, Devices, Process, Processes, Run, check_devices
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax import parallel
    from iwax import processes as together
    from iwax.cli import finish
    from iwax.runs import initial, training
    from iwax.runs import run as runs

__all__ = ["resume"]


Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", hidden=True)]


def resume(
    context: typer.Context,
    run: Run,
    data_path: DataPath = None,
    devices: Devices = None,
    coordinator: Coordinator = None,
    processes: Processes = None,
    process: Process = None,
    epochs: Epochs = None,
) -> None:
    """Continue a run where it stopped, bit for bit as if it had never been stopped; then measure it.

    It ends after the epochs it was planned for. To train for longer, begin a new run at its weights:
    iwax train --from RUN -c RUN/config.json --epochs N.

    Example: iwax resume RUN
    """
    if epochs is not None:
        planned = runs.Run(run).config.training.epochs
        raise ValueError(
            f"--epochs: a run is resumed to the end of its own plan, {planned} epochs, bit for bit, and no further; "
            f"{initial.longer(run, epochs)}"
        )
    terminal: Terminal = context.obj
    with together.joined(coordinator, processes, process), parallel.over(check_devices(devices)):
        if together.is_first():
            finish.train_and_finish(
                terminal,
                lambda reporter: training.resume(run, data_path=data_path, reporter=reporter),
                data_path=data_path,
            )
        else:
            opened = runs.Run(run, data_path=data_path)
            training.follow(opened.config, opened.dataset())
