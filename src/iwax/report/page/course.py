"""The course of a training, or of several over each other."""

from collections.abc import Sequence

import numpy as np

from iwax.report.figures.canvas import number
from iwax.report.figures.curves import visible_range
from iwax.report.page.charts import curves
from iwax.report.page.panel import Panel
from iwax.report.page.subject import Subject

__all__ = ["course"]

_TITLES = {"bound": "training", "validation": "validation"}


def _curve(subject: Subject, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values, where there is a finite one."""
    kept = [(row["epoch"], row[name]) for row in subject.metrics if row.get(name) is not None and "epoch" in row]
    table = np.array(kept, np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def _from_to(values: np.ndarray) -> str:
    return number(values[0]) + (f" to {number(values[-1])}" if len(values) > 1 else "")


def course(subjects: Sequence[Subject]) -> Panel | None:
    """The bound against the epoch: of one run on training and validation data, of several on one kind alone."""
    alone = len(subjects) == 1
    of_validation = all(len(_curve(each, "validation")[0]) for each in subjects)
    found = {}
    for subject in subjects:
        for name, title in _TITLES.items():
            if alone or (name == "validation") == of_validation:
                found[title if alone else subject.name] = _curve(subject, name)
    found = {name: curve for name, curve in found.items() if len(curve[0])}
    if not found:
        return None
    ends = "; ".join(f"{name} {_from_to(y)}" for name, (_, y) in found.items())
    objective = subjects[0].trained.config.objective
    of = f"{objective.bound.kind}, k = {objective.k}" if alone else "each run's own objective"
    kind = "" if alone else f" on the {'validation' if of_validation else 'training'} data"
    words = f"The bound that training ascends ({of}){kind}, nats: {ends}."
    drawing = curves(
        found, names=("epoch", "bound, nats"), limits=visible_range(*(y for _, y in found.values())), words=words
    )
    more = (
        " Where validation falls while training rises, the model learns its training rows by heart."
        if alone and len(found) > 1
        else ""
    )
    return Panel("Training", drawing, words + more)
