"""The pictures at the end of a training, in the run folder."""

from pathlib import Path

import numpy as np

from iwax import inference
from iwax.cli.trained import Opened, key_of, opened
from iwax.experiments.folder import existing
from iwax.report import figures
from iwax.training import record

__all__ = ["draw"]

SAMPLES, PAIRS, EMBEDDED, SIDE, SEED = 64, 50, 5000, 20, 0
COMPONENTS, GENERATED = 10, 6


def draw(run: Path) -> list[Path]:
    """samples, reconstructions, training; where data lie in a plane of latents; the pseudo-inputs of a VampPrior."""
    with opened(run, checkpoint="best") as trained:
        folder = existing(run).path
        samples = folder / "samples"
        samples.mkdir(exist_ok=True)
        drawn = inference.generate(trained.model, SAMPLES, key=key_of(SEED))
        x = trained.test_rows(PAIRS)
        means = inference.reconstruct(trained.model, x, key=key_of(SEED))
        written = [
            figures.samples(samples / "samples.png", drawn.mean, trained.shape),
            figures.reconstructions(samples / "reconstructions.png", x, means, trained.shape),
        ]
        metrics = record.read(folder / "metrics.jsonl")
        if any(np.isfinite(row.get("bound") or np.nan) for row in metrics):
            written.append(figures.training(samples / "training.png", metrics))
        if trained.latents == (2,):
            written += _plane(samples, trained)
        if inference.vamp_of(trained.model) is not None:
            written += _pseudo_inputs(samples, trained)
    return written


def _pseudo_inputs(folder: Path, trained: Opened) -> list[Path]:
    """The pseudo-inputs of a VampPrior; and below some of them, a column each, what is generated from them."""
    vamp = inference.vamp_of(trained.model)
    shown = np.asarray(vamp.shown())[:SAMPLES] if vamp is not None else np.empty((0, 0))
    found = inference.generate_from_pseudo_inputs(
        trained.model, min(COMPONENTS, len(shown)), GENERATED, key=key_of(SEED)
    )
    columns = {f"draw {i + 1}": found.mean[:, i] for i in range(GENERATED)}
    return [
        figures.samples(folder / "pseudo_inputs.png", shown, trained.shape, title="Pseudo-inputs of the VampPrior"),
        figures.generations(folder / "generations.png", found.pseudo_inputs, columns, trained.shape),
    ]


def _plane(folder: Path, trained: Opened) -> list[Path]:
    labels = trained.trained.dataset().test.labels
    means = inference.embed(trained.model, trained.test_rows(EMBEDDED), key=key_of(SEED))
    labels = None if labels is None else labels[:EMBEDDED]
    decoded = inference.decode(trained.model, figures.manifold_grid(SIDE), key=key_of(SEED))
    return [
        figures.latents(folder / "latents.png", means, labels),
        figures.manifold(folder / "manifold.png", decoded, SIDE, trained.shape),
    ]
