"""Bayesian neural networks, trained by Bayes by Backprop, and plain ones to compare with: Blundell et al. 2015."""

from iwax.bnn.fit import Fit, fit
from iwax.bnn.measure import Errors, histogram, measured, pruning
from iwax.bnn.run import DOCUMENT, closing_line, run
from iwax.bnn.settings import Settings
from iwax.bnn.task import Task, task_named, task_names

__all__ = [
    "DOCUMENT",
    "Errors",
    "Fit",
    "Settings",
    "Task",
    "closing_line",
    "fit",
    "histogram",
    "measured",
    "pruning",
    "run",
    "task_named",
    "task_names",
]
