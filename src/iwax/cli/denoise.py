"""`iwax denoise`: the binary images behind noisy ones."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.arguments import Checkpoint, DataPath, Draws, Fallback, Limit, Run, Seed, argument, option
from iwax.cli.later import later
from iwax.cli.output import PICTURES, TABLES, Force, Output, check, is_picture
from iwax.cli.terminal import Terminal

with later():
    import numpy as np

    from iwax import data, evaluation, inference
    from iwax.cli import trained
    from iwax.report import figures
    from iwax.runs import export

__all__ = ["denoise"]

IMAGES = 100  # of the test data, unless a limit is given
SHOWN = 50

File = Annotated[Path | None, argument("FILE", "Noisy rows; without, test rows of the run, made noisy here.")]
Flips = Annotated[float, option("--flips", "P", "The chance that a value was replaced by 0 or 1, either as likely.")]
Iterations = Annotated[int, option("--iterations", "N", "Pseudo-Gibbs iterations, before draws get their weights.")]


def denoise(
    context: typer.Context,
    run: Run,
    file: File = None,
    flips: Flips = 0.2,
    output: Output = None,
    iterations: Iterations = 50,
    limit: Limit = None,
    k: Draws = 1000,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: Force = False,
) -> None:
    """Compute P(x = 1 | what is seen) for binary rows in which noise replaced some values by 0 or 1, unknown which.

    Without FILE test rows are made noisy, and how many of their values are wrong before and after is printed. FILE of
    -o ends in .png or .svg (a picture), .npy, .npz or .csv (these two with error, ess and khat; the error is nan where
    the weights do not show it); without it the probabilities go to stdout as CSV.

    Example: iwax denoise RUN --flips 0.1 -o denoised.png
    """
    if not 0 < flips < 1:
        raise ValueError(f"--flips must lie in 0 < P < 1, got {flips}")
    check(output, force=force, endings=(*PICTURES, *TABLES))
    terminal: Terminal = context.obj
    with trained.opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as opened:
        given = opened.rows("test", final=False)[: limit or IMAGES] if file is None else opened.read(file)[:limit]
        truth = given if file is None else None
        if truth is not None:
            opened.model.refuse_outside(truth)
            given = data.perturb(truth, flips, levels=2, seed=seed)
        found = inference.denoise(
            opened.model, given, flips=flips, k=k, key=trained.key_of(seed), iterations=iterations
        )
        shape = opened.shape
    about: dict[str, Any] = {"n": len(given), "flips": flips, "k": k, "ess_median": found.ess_median}
    about |= {"iterations": iterations, "sweeps": iterations}  # the second as it was called before
    about |= trained.warn_of_errors(terminal, found, k)
    _give(terminal, output, truth, given, found, shape)
    ending = trained.unsure(about["unknown"]) + (f"; wrote {output}" if output is not None else "")
    terminal.say(f"{len(given):,} rows with k={k}; ESS median {found.ess_median:.1f}{ending}")
    if truth is not None:
        about |= _compared(terminal, truth, given, found.values)
    terminal.document({**about, "file": output and str(output), "x": None if output else found.values.tolist()})


def _give(
    terminal: Terminal,
    output: Path | None,
    truth: "np.ndarray | None",
    given: "np.ndarray",
    found: "inference.Denoised",
    shape: tuple[int, ...],
) -> None:
    """A picture, a file, or stdout."""
    shown = {"denoised": found.values[:SHOWN]}
    if output is None:
        terminal.data(export.as_csv({"x": found.values}).rstrip())
    elif not is_picture(output):
        columns = {"x": found.values, "error": found.known_error, "ess": found.ess, "khat": found.pareto_k}
        export.write(output, columns, main="x")
    elif truth is None:
        figures.reconstructions(given[:SHOWN], shown, shape).write(output)
    else:
        figures.imputations(truth[:SHOWN], given[:SHOWN], shown, shape).write(output)


def _compared(terminal: Terminal, truth: "np.ndarray", given: "np.ndarray", values: "np.ndarray") -> dict[str, Any]:
    """The share of wrong values before and after, the more probable value taken, with standard errors over rows."""
    every = np.ones(truth.shape, bool)
    shares = {
        name: evaluation.squared_error(x, truth, every) for name, x in (("given", given), ("found", values > 0.5))
    }
    shown = (f"{100 * mean:.2f} % +/- {100 * error:.2f} %" for mean, error in shares.values())
    terminal.say(f"wrong values: {' before, '.join(shown)} after ({len(truth):,} rows)")
    return {name: {"wrong": mean, "standard_error": error} for name, (mean, error) in shares.items()}
