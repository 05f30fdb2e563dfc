"""`iwax score`: log p(x) of rows of data, with its error."""

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Binarize, Checkpoint, Draws, Rows, Run, Seed
from iwax.cli.terminal import Terminal

__all__ = ["score"]


def score(
    context: typer.Context,
    run: Run,
    file: Rows,
    output: outputs.Output = None,
    k: Draws = 1000,
    binarize: Binarize = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    force: outputs.Force = False,
) -> None:
    """log p(x) of every row of FILE in nats, with its Monte-Carlo error: a density, and an anomaly score.

    The higher the value, the more a row is like the training data. Goes to -o FILE (.npy holds the values
    alone), or to stdout as CSV.
    """
    outputs.check(output, force=force)

    from iwax import inference
    from iwax.cli.reporter import Reporter
    from iwax.cli.trained import key_of, opened, warn_of_holes

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint) as trained, Reporter(terminal) as reporter:
        x = trained.rows(file, binarize=binarize)
        missing = warn_of_holes(terminal, x, "log p(x) is that of the observed values of a row")
        scores = inference.score(trained.model, x, k=k, key=key_of(seed), missing=missing, progress=reporter.evaluation)
    columns = {"log_evidence": scores.log_evidence, "error": scores.monte_carlo_error, "ess": scores.ess}
    for warning in scores.warnings():
        terminal.warn(warning)
    if output is not None:
        outputs.write(output, columns, main="log_evidence")
        terminal.say(f"wrote log p(x) of {len(scores.log_evidence)} rows to {output}")
    else:
        terminal.data(outputs.as_text(columns).rstrip())
    lists = {} if output else {name: values.tolist() for name, values in columns.items()}
    terminal.document({"n": len(scores.log_evidence), "k": k, "file": output and str(output), **lists})
