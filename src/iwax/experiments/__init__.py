"""Experiments: configurations, presets, runs, and what is done with them."""

import warnings
from typing import Any

from iwax.experiments.config import Config
from iwax.experiments.evaluate import evaluate, resume, train
from iwax.experiments.interrupt import Interrupted
from iwax.experiments.measure import closing_line
from iwax.experiments.methods import Annealed, Bidirectional, Importance, Jackknife
from iwax.experiments.reporter import Reporter, Silent
from iwax.experiments.run import Run, load, open_run
from iwax.experiments.sources import from_sources


def __getattr__(name: str) -> Any:
    """Give ``Trained``, whose name is `Run`, with a warning."""
    if name == "Trained":
        warnings.warn("experiments.Trained is experiments.Run", DeprecationWarning, stacklevel=2)
        return Run
    raise AttributeError(f"iwax.experiments has no {name!r}")


__all__ = [
    "Annealed",
    "Bidirectional",
    "Config",
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
    "open_run",
    "resume",
    "train",
]
