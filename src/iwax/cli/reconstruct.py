"""`iwax reconstruct`: data through the model and back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Draws, Run, Seed
from iwax.cli.terminal import Terminal
from iwax.cli.trust import numbered

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
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """The mean of p(x|z) at a z inferred from each row.

    FILE of -o ends in .png (a picture), .npy, .npz or .csv; without it the means go to stdout as CSV.
    """
    if method not in ("posterior", "resample", "compare"):
        raise ValueError(f"--method must be posterior, resample or compare, got {method!r}")
    picture = output is not None and output.suffix.lower() == ".png"
    if method == "compare" and not picture:
        raise ValueError("--method compare makes a picture: name one with -o FILE.png")
    outputs.check(output, force=force, endings=(".png", *outputs.TABLES))

    from iwax import inference
    from iwax.cli.trained import key_of, opened
    from iwax.evaluation import trust
    from iwax.report import figures

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, data_path=data_path) as trained:
        x = trained.rows(file, binarize=binarize) if file is not None else trained.test_rows(SHOWN)
        x, made, weights, unknown = x[:SHOWN] if picture else x, {}, {}, None
        for name, how, draws in _asked(method, k):
            made[name] = inference.reconstruct(trained.model, x, key=key_of(seed), method=how, k=draws)
        shape, means = trained.shape, next(iter(made.values()))
        if method == "resample" and k > 1:
            found = inference.resampling_weights(trained.model, x, key=key_of(seed), k=k)
            weights, unknown = {"ess": found.ess, "khat": found.pareto_k}, found.unknown
    if output is not None and picture:
        figures.reconstructions(output, x, made, shape)
    elif output is not None:
        outputs.write(output, {"reconstruction": means, **weights}, main="reconstruction")
    else:
        terminal.data(outputs.as_text({"x": means}).rstrip())
    if unknown is not None and unknown.any():
        terminal.warn(
            f"for {int(unknown.sum()):,} of {len(x):,} rows ({trust.named(unknown, first=1)}) the effective sample "
            f"size is below {trust.FEW} or Pareto k above {trust.TRUSTED_K_HAT}: what was chosen is nearer to a draw of "
            f"q(z|x) than to one of p(z|x); a larger k helps, slowly: --k {10 * k}"
        )
    if output is not None:
        terminal.say(f"wrote the reconstructions of {len(means)} rows to {output}")
    about = {name: values.tolist() for name, values in weights.items()}
    about |= {} if unknown is None else {"unknown": numbered(unknown)}
    about |= {"file": output and str(output), "x": None if output else means.tolist()}
    terminal.document({"n": len(means), **about})


def _asked(method: str, k: int) -> list[tuple[str, Literal["posterior", "resample"], int]]:
    """What is made of each row: its name in a picture, the method, and the number of draws."""
    mean, draw, resampled = "mean of q(z|x)", "one draw of q(z|x)", f"resampled, k = {k}"
    if method == "posterior":
        return [(mean, "posterior", 1)]
    if method == "resample":
        return [(resampled if k > 1 else draw, "resample", k)]
    return [(mean, "posterior", 1), (draw, "resample", 1), (resampled, "resample", k)]
