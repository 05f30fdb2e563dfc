"""The pictures at the end of a training, in the run folder."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from iwax import inference
from iwax.cli.trained import key_of
from iwax.data import Column
from iwax.report import figures
from iwax.report.figures import marginals
from iwax.runs.run import Run

__all__ = ["draw"]

SAMPLES, PAIRS, EMBEDDED, SIDE, SEED = 64, 50, 5000, 20, 0
COMPONENTS, GENERATED = 10, 6
MEASURED, LEAST_DRAWS = 5_000, 500


def draw(run: Run) -> list[Path]:
    """samples, reconstructions, training; where data lie in a plane of latents; the pseudo-inputs of a VampPrior."""
    trained = run.at("best")
    with trained.placed(), TemporaryDirectory() as scratch:
        samples = Path(scratch)
        columns = trained.about.columns
        written = _rows(samples, trained) if columns is None else [_columns(samples, trained, columns)]
        metrics = trained.metrics
        if any(np.isfinite(row.get("bound") or np.nan) for row in metrics):
            written.append(figures.training(metrics).write(samples / "training.png"))
        if trained.latents == (2,):
            written += _plane(samples, trained)
        if inference.vamp_of(trained.model) is not None:
            written += _pseudo_inputs(samples, trained)
        trained.folder.write({f"samples/{path.name}": path.read_bytes() for path in written})
    return [run.path / "samples" / path.name for path in written]


def _rows(folder: Path, trained: Run) -> list[Path]:
    """Draws; and the first test rows of which nothing is missing beside their reconstructions, if there are any."""
    drawn = inference.generate(trained.model, SAMPLES, key=key_of(SEED))
    written = [figures.samples(drawn.mean, trained.shape).write(folder / "samples.png")]
    x = trained.rows("test", final=False)[:MEASURED]
    x = x[~np.isnan(x).any(axis=1)][:PAIRS]
    if len(x):
        means = inference.reconstruct(trained.model, x, key=key_of(SEED))
        written.append(figures.reconstructions(x, means, trained.shape).write(folder / "reconstructions.png"))
    return written


def _columns(folder: Path, trained: Run, columns: Sequence[Column]) -> Path:
    """Of a table, the values of every column in test rows and in as many draws."""
    x = trained.rows("test", final=False)[:MEASURED]
    drawn = inference.generate(trained.model, max(len(x), LEAST_DRAWS), key=key_of(SEED))
    return marginals.marginals(columns, x, drawn.sample).write(folder / "columns.png")


def _pseudo_inputs(folder: Path, trained: Run) -> list[Path]:
    """The pseudo-inputs of a VampPrior; and below some of them, a column each, what is generated from them."""
    vamp = inference.vamp_of(trained.model)
    shown = np.asarray(vamp.shown())[:SAMPLES] if vamp is not None else np.empty((0, 0))
    found = inference.generate_from_pseudo_inputs(
        trained.model, min(COMPONENTS, len(shown)), GENERATED, key=key_of(SEED)
    )
    columns = {f"draw {i + 1}": found.mean[:, i] for i in range(GENERATED)}
    return [
        figures.samples(shown, trained.shape, title="Pseudo-inputs of the VampPrior").write(
            folder / "pseudo_inputs.png"
        ),
        figures.generations(found.pseudo_inputs, columns, trained.shape).write(folder / "generations.png"),
    ]


def _plane(folder: Path, trained: Run) -> list[Path]:
    labels = trained.dataset().test.labels
    x = trained.rows("test", final=False)[:EMBEDDED]
    means = inference.embed(trained.model, x, key=key_of(SEED), missing=bool(np.isnan(x).any()))
    labels = None if labels is None else labels[:EMBEDDED]
    decoded = inference.decode(trained.model, figures.manifold_grid(SIDE), key=key_of(SEED))
    return [
        figures.latents(means, labels).write(folder / "latents.png"),
        figures.manifold(decoded, SIDE, trained.shape).write(folder / "manifold.png"),
    ]
