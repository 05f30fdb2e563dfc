"""`iwax denoise`: binary images seen through noise, given back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Checkpoint, DataPath, Draws, Fallback, Limit, Run, Seed
from iwax.cli.terminal import Terminal
from iwax.cli.trust import tell, unsure

if TYPE_CHECKING:
    import numpy as np

__all__ = ["denoise"]

IMAGES = 100  # of the test data, where nobody says how many
SHOWN = 50

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Noisy rows; without, test rows of the run, made noisy here.")
]
Flips = Annotated[
    float,
    typer.Option("--flips", metavar="P", help="The chance that a value was replaced by 0 or 1, either as likely."),
]
Sweeps = Annotated[
    int, typer.Option("--sweeps", metavar="N", help="Of encoding and decoding, before draws are weighed (50).")
]


def denoise(
    context: typer.Context,
    run: Run,
    file: File = None,
    flips: Flips = 0.2,
    output: outputs.Output = None,
    sweeps: Sweeps = 50,
    limit: Limit = None,
    k: Draws = 1000,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """P(x = 1 | what is seen) of binary rows in which values were replaced by 0 or 1, nobody knows which.

    Without FILE test rows are made noisy, and how many of their values are wrong before and after is printed. FILE of
    -o ends in .png (a picture), .npy, .npz or .csv (these two with error, ess and khat; the error is nan where the
    weights do not show it); without it the probabilities go to stdout as CSV.
    """
    if not 0 < flips < 1:
        raise ValueError(f"--flips must lie in 0 < P < 1, got {flips}")
    outputs.check(output, force=force, endings=(".png", *outputs.TABLES))

    from iwax import data, inference
    from iwax.cli.trained import key_of, opened

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as trained:
        given = trained.rows("test", final=False)[: limit or IMAGES] if file is None else trained.read(file)[:limit]
        truth = given if file is None else None
        if truth is not None:
            trained.model.refuse_outside(truth)
            given = data.perturb(truth, flips, levels=2, seed=seed)
        found = inference.denoise(trained.model, given, flips=flips, k=k, key=key_of(seed), sweeps=sweeps)
        shape = trained.shape
    about: dict[str, Any] = {"n": len(given), "flips": flips, "k": k, "sweeps": sweeps, "ess_median": found.ess_median}
    about |= tell(terminal, found, k)
    _write(terminal, output, found, truth, given, shape)
    said = unsure(about["unknown"]) + (f"; wrote {output}" if output is not None else "")
    terminal.say(f"{len(given):,} rows with k={k}; ESS median {found.ess_median:.1f}{said}")
    if truth is not None:
        about |= _compared(terminal, truth, given, found.values)
    terminal.document({**about, "file": output and str(output), "x": None if output else found.values.tolist()})


def _write(
    terminal: Terminal,
    output: Path | None,
    found: Any,
    truth: "np.ndarray | None",
    given: "np.ndarray",
    shape: tuple[int, ...],
) -> None:
    """A picture, a file, or stdout."""
    from iwax.report import figures

    if output is None:
        terminal.data(outputs.as_text({"x": found.values}).rstrip())
    elif output.suffix.lower() != ".png":
        columns = {"x": found.values, "error": found.known_error, "ess": found.ess, "khat": found.pareto_k}
        outputs.write(output, columns, main="x")
    elif truth is None:
        figures.reconstructions(output, given[:SHOWN], {"denoised": found.values[:SHOWN]}, shape)
    else:
        figures.imputations(output, truth[:SHOWN], given[:SHOWN], {"denoised": found.values[:SHOWN]}, shape)


def _compared(
    terminal: Terminal, truth: "np.ndarray", given: "np.ndarray", values: "np.ndarray"
) -> dict[str, dict[str, float]]:
    """The share of wrong values before and after, the more probable value taken, with standard errors over rows."""
    import numpy as np

    from iwax.evaluation import squared_error

    every = np.ones(truth.shape, bool)
    before, after = squared_error(given, truth, every), squared_error(values > 0.5, truth, every)
    said = (f"{100 * mean:.2f} % +/- {100 * error:.2f} %" for mean, error in (before, after))
    terminal.say(f"wrong values: {' before, '.join(said)} after ({len(truth):,} rows)")
    return {
        name: {"wrong": mean, "standard_error": error} for name, (mean, error) in (("given", before), ("found", after))
    }
