"""The pictures of a run: at the end of its training, and of a diagnosis."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import evaluation, inference
from iwax.data import Column, ListedGraph
from iwax.report.figures import arrays
from iwax.report.figures.canvas import Picture
from iwax.report.figures.curves import curve, training
from iwax.report.figures.diagnosis import convergence, kl_per_unit, signal_to_noise
from iwax.report.figures.latent import manifold_grid
from iwax.report.figures.marginals import marginals
from iwax.report.figures.posterior_shape import posterior_shape
from iwax.runs import Run

__all__ = ["draw", "of_diagnosis", "of_run"]

SAMPLES, PAIRS, EMBEDDED, SIDE, SEED = 64, 50, 5000, 20, 0
COMPONENTS, GENERATED = 10, 6
MEASURED, LEAST_DRAWS = 5_000, 500
SHAPED = 4  # rows of the picture of posteriors in a plane
Pictures = dict[str, Picture]


def draw(run: Run) -> list[Path]:
    """Write the pictures of a run into its samples/ folder; return their paths."""
    drawn = {f"samples/{name}.png": picture.png() for name, picture in of_run(run).items()}
    run.folder.write(drawn)
    return [run.path / name for name in drawn]


def of_run(run: Run) -> Pictures:
    """Draw what the best model of a run has learned, by name.

    Samples and reconstructions, of a table its columns; the training curve; where latents are a plane, the data in it
    and what is decoded from it; the pseudo-inputs of a VampPrior. Write one by ``.write(path)``, PNG or SVG.
    """
    run = run.at("best")
    with run.placed():
        columns, graph = run.about.columns, run.dataset().graph if run.about.graph is not None else None
        if graph is not None:
            pictures = {"nodes": _nodes(run, graph)}
        else:
            pictures = _rows(run) if columns is None else {"columns": _columns(run, columns)}
        if len(curve(run.metrics, "bound")[0]):
            pictures["training"] = training(run.metrics)
        if run.latents == (2,) and graph is None:
            pictures |= _plane(run)
        if inference.vamp_of(run.model) is not None:
            pictures |= _pseudo_inputs(run)
    return pictures


def _rows(run: Run) -> Pictures:
    """Draws; and the first test rows of which nothing is missing with their reconstructions, if there are any."""
    drawn = inference.generate(run.model, SAMPLES, key=jax.random.key(SEED))
    pictures = {"samples": arrays.samples(drawn.mean, run.shape)}
    x = run.rows("test", final=False, first=MEASURED)
    x = x[~np.isnan(x).any(axis=1)][:PAIRS]
    if len(x):
        means = inference.reconstruct(run.model, x, key=jax.random.key(SEED))
        pictures["reconstructions"] = arrays.reconstructions(x, means, run.shape)
    return pictures


def _columns(run: Run, columns: Sequence[Column]) -> Picture:
    """For a table, the values of every column in test rows and in as many draws."""
    x = run.rows("test", final=False, first=MEASURED)
    drawn = inference.generate(run.model, max(len(x), LEAST_DRAWS), key=jax.random.key(SEED))
    return marginals(columns, x, drawn.sample)


def _nodes(run: Run, graph: ListedGraph) -> Picture:
    """The nodes in the plane of the two directions in which the means of their latents differ most."""
    means = inference.embed(run.model, run.rows("train"), key=jax.random.key(SEED), missing=True)[0]
    z = np.asarray(means, float).reshape(graph.nodes, -1)
    z = z - z.mean(axis=0)
    _, _, directions = np.linalg.svd(z, full_matrices=False)
    plane = z @ np.pad(directions, ((0, max(2 - len(directions), 0)), (0, 0)))[:2].T
    return arrays.latents(plane, graph.graph.labels)


def _pseudo_inputs(run: Run) -> Pictures:
    """The pseudo-inputs of a VampPrior; and below some of them, one column each, what is generated from them."""
    vamp = inference.vamp_of(run.model)
    shown = np.asarray(vamp.shown())[:SAMPLES] if vamp is not None else np.empty((0, 0))
    count = min(COMPONENTS, len(shown))
    found = inference.generate_from_pseudo_inputs(run.model, count, GENERATED, key=jax.random.key(SEED))
    made = {f"draw {i + 1}": found.mean[:, i] for i in range(GENERATED)}
    return {
        "pseudo_inputs": arrays.samples(shown, run.shape, title="Pseudo-inputs of the VampPrior"),
        "generations": arrays.generations(found.pseudo_inputs, made, run.shape),
    }


def _plane(run: Run) -> Pictures:
    """Where the data lie in the plane of latents, and what is decoded from it."""
    labels = run.dataset().test.labels
    x = run.rows("test", final=False, first=EMBEDDED)
    means = inference.embed(run.model, x, key=jax.random.key(SEED), missing=bool(np.isnan(x).any()))
    decoded = inference.decode(run.model, manifold_grid(SIDE), key=jax.random.key(SEED))
    return {
        "latents": arrays.latents(means, None if labels is None else labels[:EMBEDDED]),
        "manifold": arrays.manifold(decoded, SIDE, run.shape),
    }


def of_diagnosis(run: Run, found: Mapping[str, Any]) -> Pictures:
    """Draw what `runs.diagnosis.diagnose` found of a run, by name, and for a plane of latents its posteriors."""
    pictures: Pictures = {}
    if found["convergence"]:
        gap = found["gap"]
        levels = {"log p(x), by q and the best q together,": gap["log_evidence"]["mean"]} if gap else {}
        pictures["convergence"] = convergence(found["convergence"], levels=levels)
    if found["units"]:
        units = found["units"]
        pictures["kl_per_unit"] = kl_per_unit(units["layers"], threshold=units["active_units_threshold"])
    if found["signal_to_noise"]:
        pictures["signal_to_noise"] = _signal(found["signal_to_noise"])
    if run.latents == (2,):
        with run.placed():
            x = run.rows(found["split"], first=SHAPED)
            plane = evaluation.posterior_plane(run.model, x, key=jax.random.key(found["seed"]))
        pictures["posterior_shape"] = posterior_shape(plane, x, run.shape)
    return pictures


def _signal(part: Mapping[str, Any]) -> Picture:
    """A panel for encoder, decoder and prior, with the curves of every objective."""
    groups = [group for group in ("encoder", "decoder", "prior") if all(group in c["groups"] for c in part["curves"])]
    panels = {
        group: [{"name": c["name"], "k": c["k"], **c["groups"][group]} for c in part["curves"]] for group in groups
    }
    note = f"batches of {part['rows']} rows, {part['repeats']} repeats; bars: one standard error"
    return signal_to_noise(panels, note=note)
