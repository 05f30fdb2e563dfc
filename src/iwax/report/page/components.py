"""What only some models have: pseudo-inputs, slots of a memory, weights with a spread."""

import numpy as np

from iwax import inference
from iwax.inference.memory import memory_of
from iwax.report.figures.canvas import several
from iwax.report.figures.histograms import histogram
from iwax.report.page.verdict import range_of
from iwax.report.view import RunView
from iwax.report.view.mosaic import mosaic
from iwax.report.view.panel import Panel, gathered, table
from iwax.weights import random_layers

__all__ = ["components"]

SHOWN, ACROSS, ATTENDED = 60, 10, 500


def components(view: RunView) -> list[Panel]:
    """The panels of a VampPrior, of a decoder with memory, and of stochastic weights, as far as the model has them."""
    return gathered(
        lambda: _pseudo_inputs(view),
        lambda: _slots(view),
        lambda: _preferences(view),
        lambda: _sigmas(view),
    )


def _pseudo_inputs(view: RunView) -> Panel | None:
    vamp = inference.vamp_of(view.run.model)
    if vamp is None or not view.run.about.images:
        return None
    every = np.asarray(vamp.shown())
    shown = every[:SHOWN]
    words = f"{several(len(shown), 'pseudo-input')} u of {len(every):,}: the prior is the mean of q(z|u) over them all."
    return Panel("Pseudo-inputs", mosaic(shown, view.run.shape, across=ACROSS, span=view.span, alt=words), words)


def _slots(view: RunView) -> Panel | None:
    """Memory slots: what reading each adds."""
    if memory_of(view.run.model) is None or not view.run.about.images:
        return None
    added = inference.slot_pictures(view.run.model, view.x[view.whole][:100], key=view.key)[-1][:SHOWN]
    span = float(np.abs(added).max()) or 1.0
    words = (
        f"What reading one slot alone adds to the mean image, for {several(len(added), 'slot')} of the memory nearest "
        f"the data: mid grey is nothing, lighter is more, darker is less, at most {span:.2g}."
    )
    return Panel("Memory slots", mosaic(added, view.run.shape, across=ACROSS, span=(-span, span), alt=words), words)


def _preferences(view: RunView) -> Panel | None:
    """Slots by class: mean attention."""
    if memory_of(view.run.model) is None or view.labels is None:
        return None
    x, labels = view.x[view.whole][:ATTENDED], view.labels[view.whole][:ATTENDED]
    found = inference.slot_preferences(view.run.model, x, labels, key=view.key)[-1]
    best = np.argsort(-found.mean, axis=1)[:, :3]
    rows = [
        [str(name), *(f"{slot} ({found.mean[i, slot]:.2f})" for slot in best[i])]
        for i, name in enumerate(found.classes)
    ]
    words = (
        f"The three of {found.mean.shape[1]} slots that each class reads most, with the mean attention, from 0 to 1. "
        "A sigmoid reads every slot by itself: attention then need not sum to 1."
    )
    return Panel("Which classes read which slots", table(["class", "first", "second", "third"], rows), words)


def _sigmas(view: RunView) -> Panel | None:
    parts = {"encoder": view.run.model.posterior, "decoder": view.run.model.likelihood}
    found = {
        name: np.concatenate(
            [np.asarray(sigma, np.float64).ravel() for layer in layers for _, sigma in layer.normals()]
        )
        for name, layers in ((name, random_layers(part)) for name, part in parts.items())
        if layers
    }
    if not found:
        return None
    words = "; ".join(f"{name}: {several(len(sigma), 'weight')}, {range_of(sigma)}" for name, sigma in found.items())
    drawing = histogram(found, name="standard deviation of a weight", description=words, on_log_axis=True, of="weights")
    return Panel(
        "Standard deviations of the weights", drawing, f"{words}. Large ones are weights that the data do not fix."
    )
