"""Networks with a law over their weights, trained by Bayes by Backprop, beside plain ones: Blundell et al. 2015."""

from iwax.bnn.fit import Fit, fit
from iwax.bnn.measure import Errors, histogram, measured, pruning
from iwax.bnn.run import DOCUMENT, closing_line, run
from iwax.bnn.settings import Settings
from iwax.bnn.table import NAME, ErrorRow, ErrorTable, read_errors, reproduce_errors
from iwax.bnn.task import Task, task_named, task_names

__all__ = [
    "DOCUMENT",
    "NAME",
    "ErrorRow",
    "ErrorTable",
    "Errors",
    "Fit",
    "Settings",
    "Task",
    "closing_line",
    "fit",
    "histogram",
    "measured",
    "pruning",
    "read_errors",
    "reproduce_errors",
    "run",
    "task_named",
    "task_names",
]
