"""Runs: train, resume, open, measure and compare them; a run is a folder and its data, opened as one object."""

from iwax.runs.interrupt import Interrupted
from iwax.runs.measure import closing_line
from iwax.runs.methods import Annealed, Bidirectional, Importance, Jackknife
from iwax.runs.reporter import Reporter, Silent
from iwax.runs.run import Run, evaluate, load, open_run
from iwax.runs.run import open_run as open
from iwax.runs.sources import from_sources
from iwax.runs.training import resume, train

__all__ = [
    "Annealed",
    "Bidirectional",
    "Importance",
    "Interrupted",
    "Jackknife",
    "Reporter",
    "Run",
    "Silent",
    "closing_line",
    "evaluate",
    "from_sources",
    "load",
    "open",
    "open_run",
    "resume",
    "train",
]
