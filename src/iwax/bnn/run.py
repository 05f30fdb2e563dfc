"""A network trained, measured and written down."""

import json
from pathlib import Path
from typing import Any

import jax

from iwax import streams
from iwax.bnn.fit import Fit, fit
from iwax.bnn.measure import histogram, measured, pruning
from iwax.bnn.settings import Settings
from iwax.bnn.task import Task, task_named
from iwax.runs.environment import environment
from iwax.runs.reporter import Reporter
from iwax.storage import durable
from iwax.storage.tensors import encode

__all__ = ["DOCUMENT", "closing_line", "run"]

DOCUMENT, WEIGHTS = "bnn.json", "model.safetensors"
DRAWS = 10  # of weights, over which a prediction is averaged


def run(settings: Settings, folder: Path, *, reporter: Reporter) -> dict[str, Any]:
    """Train, measure on validation and test rows, prune; the folder then holds `bnn.json` and the weights.

    Raises FileExistsError where the folder holds such a document, and what `fit` and `task_named` raise.
    """
    if (folder / DOCUMENT).exists():
        raise FileExistsError(f"{folder / DOCUMENT} exists already; name another folder")
    task = task_named(settings.data)
    reporter.note(f"{task.name}: {task.protocol}")
    trained = fit(settings, task, reporter=reporter)
    found = _document(settings, task, trained)
    folder.mkdir(parents=True, exist_ok=True)
    durable.replace(folder / WEIGHTS, encode(trained.network))
    durable.replace(folder / DOCUMENT, (json.dumps(found, indent=1) + "\n").encode())
    return found


def _document(settings: Settings, task: Task, trained: Fit) -> dict[str, Any]:
    key = jax.random.fold_in(jax.random.key(settings.seed), streams.Classifier.MEASUREMENT)
    network, random = trained.network, settings.method == "bayes"
    parts = {"valid": task.valid, "test": task.test}
    errors = {
        name: {
            "mean_weights": measured(task, network, part, draws=None, key=key)._asdict(),
            "drawn_weights": measured(task, network, part, draws=DRAWS, key=key)._asdict() if random else None,
        }
        for name, part in parts.items()
    }
    pruned = [{"share": share, **each._asdict()} for share, each in pruning(task, network, task.test)] if random else []
    return {
        "settings": settings.model_dump(mode="json"),
        "protocol": task.protocol,
        "errors": errors,
        "pruning": pruned,
        "histogram": histogram(network, key=key),
        "free_energy": trained.free_energy,
        "seconds": trained.seconds,
        "environment": environment(),
    }


def closing_line(found: dict[str, Any]) -> str:
    """What was found, in a line.

    >>> errors = {"n": 300, "draws": None, "error": 0.01, "standard_error": 0.0057, "log_likelihood": -0.05}
    >>> found = {"settings": {"data": "digits-grey"}, "seconds": 9.0}
    >>> closing_line(found | {"errors": {"test": {"mean_weights": errors, "drawn_weights": None}}})
    'test error = 1.00 +/- 0.57 % (mean weights, digits-grey, 300 rows; log p(y|x) -0.0500 nats; 9 s)'
    """
    test = found["errors"]["test"]
    at_mean, drawn = test["mean_weights"], test["drawn_weights"]
    best = drawn or at_mean
    how = f"{best['draws']} draws of the weights" if drawn else "mean weights"
    rest = f"{found['settings']['data']}, {best['n']:,} rows"
    score = f"log p(y|x) {best['log_likelihood']:.4f} nats"
    if best["error"] is None:
        return f"test {score} per row ({how}, {rest}; {found['seconds']:.0f} s)"
    also = f"; at their means {100 * at_mean['error']:.2f} %" if drawn else ""
    error = f"{100 * best['error']:.2f} +/- {100 * best['standard_error']:.2f} %"
    return f"test error = {error} ({how}, {rest}{also}; {score}; {found['seconds']:.0f} s)"
