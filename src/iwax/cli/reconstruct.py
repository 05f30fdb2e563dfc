"""`iwax reconstruct`: data through the model and back."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Draws, Fallback, Run, Seed, argument, option
from iwax.cli.later import later
from iwax.cli.output import PICTURES, TABLES, Force, Output, check, is_picture
from iwax.cli.terminal import Terminal

with later():
    from iwax import inference
    from iwax.cli import trained
    from iwax.evaluation import trust
    from iwax.report import figures
    from iwax.runs import export

__all__ = ["reconstruct"]

SHOWN = 50
File = Annotated[Path | None, argument("FILE", "Rows. Default: the first test rows of the run's data.")]
Method = Annotated[
    str,
    option(
        "--method",
        "posterior|resample|compare",
        "The mean of q, or one of k draws of q by its weight; compare: a picture of these and of a draw of q.",
    ),
]


def reconstruct(
    context: typer.Context,
    run: Run,
    file: File = None,
    method: Method = "posterior",
    k: Draws = 50,
    output: Output = None,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: Force = False,
) -> None:
    """Infer a z from each row, and give the mean of p(x|z) there.

    FILE of -o ends in .png or .svg (a picture), .npy, .npz or .csv; without it the means go to stdout as CSV.

    Example: iwax reconstruct RUN --method compare -o reconstructions.png
    """
    picture = _is_picture(method, output)
    check(output, force=force, endings=(*PICTURES, *TABLES))
    terminal: Terminal = context.obj
    with trained.opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as opened:
        x = opened.read(file, binarize=binarize) if file is not None else opened.rows("test", final=False)[:SHOWN]
        x, key, made, weights = x[:SHOWN] if picture else x, trained.key_of(seed), {}, {}
        for name, how, draws in _asked(method, k):
            made[name] = inference.reconstruct(opened.model, x, key=key, method=how, k=draws)
        if method == "resample" and k > 1:
            found = inference.resampling_weights(opened.model, x, key=key, k=k)
            weights = {"ess": found.ess, "khat": found.pareto_k, "unknown": found.unknown}
            _warn(terminal, found.unknown, k)
        shape, means = opened.shape, next(iter(made.values()))
    if output is None:
        terminal.data(export.as_csv({"x": means}).rstrip())
    elif picture:
        figures.reconstructions(x, made, shape).write(output)
    else:
        export.write(output, {"reconstruction": means, **weights}, main="reconstruction")
    if output is not None:
        terminal.say(f"wrote the reconstructions of {len(means)} rows to {output}")
    lists = {name: values.tolist() for name, values in weights.items()}
    lists["x"] = None if output else means.tolist()
    terminal.document({"n": len(means), "file": output and str(output), **lists})


def _is_picture(method: str, output: Path | None) -> bool:
    """Whether a picture is asked for; ValueError for a method that is none, or that makes nothing else."""
    if method not in ("posterior", "resample", "compare"):
        raise ValueError(f"--method must be posterior, resample or compare, got {method!r}")
    picture = is_picture(output)
    if method == "compare" and not picture:
        raise ValueError("--method compare makes a picture: name one with -o FILE.png or .svg")
    return picture


def _warn(terminal: Terminal, unknown: Any, k: int) -> None:
    """Name the rows of which too few draws count."""
    if unknown.any():
        some = f"{int(unknown.sum()):,} of {len(unknown):,} rows ({trust.named(unknown, first=1)})"
        terminal.warn(
            f"for {some} the effective sample size is below {trust.FEW} or Pareto k above {trust.TRUSTED_K_HAT}: what "
            f"was chosen may be nearer to a draw of q(z|x) than to one of p(z|x); a larger k helps: --k {10 * k}"
        )


def _asked(method: str, k: int) -> list[tuple[str, Literal["posterior", "resample"], int]]:
    """What is made of each row: its name in a picture, the method, and the number of draws."""
    mean, draw, resampled = "mean of q(z|x)", "one draw of q(z|x)", f"resampled, k = {k}"
    if method == "posterior":
        return [(mean, "posterior", 1)]
    if method == "resample":
        return [(resampled if k > 1 else draw, "resample", k)]
    return [(mean, "posterior", 1), (draw, "resample", 1), (resampled, "resample", k)]
