"""The model of another run, that of perturbed data, next to which log p(x) tells anomalies from simple rows."""

from pathlib import Path

from iwax.model import LatentVariableModel
from iwax.runs.run import Run, open_run

__all__ = ["background_model"]


def background_model(run: Run, background: Path, *, checkpoint: str, fallback: bool = False) -> LatentVariableModel:
    """The model of another run, whose log p(x) can be subtracted: ValueError unless it is of the same numbers."""
    other = open_run(background, checkpoint=checkpoint, fallback=fallback)
    for name, ours, theirs in (
        ("rows of shape", run.shape, other.shape),
        ("data of kind", run.about.kind, other.about.kind),
        ("a likelihood", run.config.model.likelihood.kind, other.config.model.likelihood.kind),
        ("values binarised by", run.config.data.binarize, other.config.data.binarize),
    ):
        if ours != theirs:
            raise ValueError(
                f"--background {background}: needs {name} {ours}, as {run.path} has, got {theirs}; "
                "train it alike, with --set data.perturb=0.2"
            )
    return other.model
