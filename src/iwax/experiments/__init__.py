"""Experiments: configurations, presets, run folders, and what is done with them."""

from iwax.experiments.config import Config
from iwax.experiments.interrupt import Interrupted
from iwax.experiments.measure import closing_line, evaluate
from iwax.experiments.methods import Annealed, Bidirectional, Importance, Jackknife
from iwax.experiments.reporter import Reporter, Silent
from iwax.experiments.run import resume, train
from iwax.experiments.sources import from_sources
from iwax.experiments.stored import Trained, load, open_run

__all__ = [
    "Annealed",
    "Bidirectional",
    "Config",
    "Importance",
    "Interrupted",
    "Jackknife",
    "Reporter",
    "Silent",
    "Trained",
    "closing_line",
    "evaluate",
    "from_sources",
    "load",
    "open_run",
    "resume",
    "train",
]
