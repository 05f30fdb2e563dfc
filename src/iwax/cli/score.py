"""`iwax score`: log p(x) of rows of data with its error, and what is made of it to find rows unlike the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, DataPath, Draws, Rows, Run, Seed
from iwax.cli.terminal import Terminal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["score"]

_REFERENCE = 1000  # validation rows, whose log p(x) is typical

Background = Annotated[
    Path | None,
    typer.Option(
        "--background",
        metavar="RUN",
        help="Add log p(x) less that of this run, trained alike but with --set data.perturb=0.2.",
    ),
]
Typical = Annotated[
    bool, typer.Option("--typical", help=f"Add -|log p(x) - its mean over {_REFERENCE:,} validation rows|.")
]


def score(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: outputs.Output = None,
    k: Draws = 1000,
    background: Background = None,
    typical: Typical = False,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """log p(x) of every row of FILE in nats, with its Monte-Carlo error: a density, and an anomaly score.

    The higher a value, the more a row is like the training data. But log p(x) is also high for rows that are simpler
    than those, which --background and --typical may tell apart. Goes to -o FILE (.npy holds log p(x) alone), or to
    stdout as CSV.
    """
    outputs.check(output, force=force)

    from iwax.cli.reporter import Reporter
    from iwax.cli.trained import key_of, opened, warn_of_holes

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, data_path=data_path) as trained, Reporter(terminal) as reporter:
        x = trained.rows(file, binarize=binarize)
        beside = None if background is None else trained.beside(background, checkpoint=checkpoint)
        known = trained.typical_rows(_REFERENCE) if typical else None
        missing = warn_of_holes(terminal, x, "log p(x) is that of the observed values of a row")
        how = {"k": k, "key": key_of(seed), "missing": missing, "progress": reporter.evaluation}
        columns, warnings = _scored(trained.model, x, beside, known, how)
    for warning in warnings:
        terminal.warn(warning)
    if output is not None:
        outputs.write(output, columns, main="log_evidence")
        terminal.say(f"wrote {', '.join(columns)} of {len(x)} rows to {output}")
    else:
        terminal.data(outputs.as_text(columns).rstrip())
    lists = {} if output else {name: values.tolist() for name, values in columns.items()}
    terminal.document({"n": len(x), "k": k, "file": output and str(output), **lists})


def _scored(
    model: Any, x: "np.ndarray", background: Any, known: "np.ndarray | None", how: dict[str, Any]
) -> tuple[dict[str, "np.ndarray"], list[str]]:
    """The columns, and what speaks against them: beside log p(x) its typicality and its ratio, where asked for."""
    from iwax import inference

    ratio = None if background is None else inference.likelihood_ratio(model, background, x, **how)
    scores = inference.score(model, x, **how) if ratio is None else ratio.evidence
    columns = {"log_evidence": scores.log_evidence, "error": scores.monte_carlo_error, "ess": scores.ess}
    if known is not None:
        of_known: dict[str, Any] = how | {"missing": known.dtype.kind == "f"}
        reference = inference.score(model, known, **of_known)
        columns["typicality"] = inference.typicality(scores.log_evidence, reference.log_evidence)
    if ratio is not None:
        columns |= {"ratio": ratio.ratio, "ratio_error": ratio.monte_carlo_error}
    return columns, (ratio or scores).warnings()
