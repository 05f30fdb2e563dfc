"""`iwax reconstruct`: data through the model and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Draws, Fallback, Run, Seed
from iwax.cli.terminal import Terminal

if TYPE_CHECKING:
    import numpy as np

    from iwax.experiments.run import Run as OpenedRun

__all__ = ["reconstruct"]

SHOWN = 50
File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Rows; the first test rows of the run's data without.")
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="posterior|resample|compare",
        help="The mean of q, or one of k draws of q by its weight; compare: a picture of these and of a draw of q.",
    ),
]


def reconstruct(
    context: typer.Context,
    run: Run,
    file: File = None,
    method: Method = "posterior",
    k: Draws = 50,
    output: outputs.Output = None,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """The mean of p(x|z) at a z inferred from each row.

    FILE of -o ends in .png (a picture), .npy, .npz or .csv; without it the means go to stdout as CSV.
    """
    picture = _is_picture(method, output)
    outputs.check(output, force=force, endings=(".png", *outputs.TABLES))

    from iwax import inference
    from iwax.cli.trained import key_of, opened
    from iwax.report import figures

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as trained:
        x = trained.read(file, binarize=binarize) if file is not None else trained.rows("test", final=False)[:SHOWN]
        x, made = x[:SHOWN] if picture else x, {}
        for name, how, draws in _asked(method, k):
            made[name] = inference.reconstruct(trained.model, x, key=key_of(seed), method=how, k=draws)
        shape, means = trained.shape, next(iter(made.values()))
        weights = _weights(terminal, trained, x, k, seed) if method == "resample" and k > 1 else {}
    if output is not None and picture:
        figures.reconstructions(output, x, made, shape)
    elif output is not None:
        outputs.write(output, {"reconstruction": means, **weights}, main="reconstruction")
    else:
        terminal.data(outputs.as_text({"x": means}).rstrip())
    if output is not None:
        terminal.say(f"wrote the reconstructions of {len(means)} rows to {output}")
    lists = {name: values.tolist() for name, values in weights.items()}
    lists["x"] = None if output else means.tolist()
    terminal.document({"n": len(means), "file": output and str(output), **lists})


def _is_picture(method: str, output: Path | None) -> bool:
    """Whether a picture is asked for; ValueError for a method that is none, or that makes nothing else."""
    if method not in ("posterior", "resample", "compare"):
        raise ValueError(f"--method must be posterior, resample or compare, got {method!r}")
    picture = output is not None and output.suffix.lower() == ".png"
    if method == "compare" and not picture:
        raise ValueError("--method compare makes a picture: name one with -o FILE.png")
    return picture


def _weights(terminal: Terminal, trained: "OpenedRun", x: "np.ndarray", k: int, seed: int) -> "dict[str, np.ndarray]":
    """How many draws count for a row, and the tail index of their weights; a warning names the rows of too few."""
    from iwax import inference
    from iwax.cli.trained import key_of
    from iwax.evaluation import trust

    found = inference.resampling_weights(trained.model, x, key=key_of(seed), k=k)
    if found.unknown.any():
        some = f"{int(found.unknown.sum()):,} of {len(x):,} rows ({trust.named(found.unknown, first=1)})"
        terminal.warn(
            f"for {some} the effective sample size is below {trust.FEW} or Pareto k above {trust.TRUSTED_K_HAT}: what "
            f"was chosen may be nearer to a draw of q(z|x) than to one of p(z|x); a larger k helps: --k {10 * k}"
        )
    return {"ess": found.ess, "khat": found.pareto_k, "unknown": found.unknown}


def _asked(method: str, k: int) -> list[tuple[str, Literal["posterior", "resample"], int]]:
    """What is made of each row: its name in a picture, the method, and the number of draws."""
    mean, draw, resampled = "mean of q(z|x)", "one draw of q(z|x)", f"resampled, k = {k}"
    if method == "posterior":
        return [(mean, "posterior", 1)]
    if method == "resample":
        return [(resampled if k > 1 else draw, "resample", k)]
    return [(mean, "posterior", 1), (draw, "resample", 1), (resampled, "resample", k)]
