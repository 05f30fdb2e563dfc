"""What only some models have: pseudo-inputs, slots of a memory, weights with a spread."""

import numpy as np

from iwax import inference
from iwax.inference.memory import memory_of
from iwax.report.figures.histograms import histogram
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, gathered, table
from iwax.report.page.subject import Subject
from iwax.report.page.words import range_of, several
from iwax.weights import random_layers

__all__ = ["special"]

SHOWN, ACROSS, ATTENDED = 60, 10, 500


def special(subject: Subject) -> list[Panel]:
    """The panels of a VampPrior, of a decoder with memory, and of uncertain weights, as far as the model has them."""
    return gathered(
        lambda: _pseudo_inputs(subject),
        lambda: _slots(subject),
        lambda: _preferences(subject),
        lambda: _sigmas(subject),
    )


def _pseudo_inputs(subject: Subject) -> Panel | None:
    vamp = inference.vamp_of(subject.model)
    if vamp is None or not subject.pictures:
        return None
    every = np.asarray(vamp.shown())
    shown = every[:SHOWN]
    words = f"{several(len(shown), 'pseudo-input')} u of {len(every):,}: the prior is the mean of q(z|u) over them all."
    return Panel("Pseudo-inputs", mosaic(shown, subject.shape, across=ACROSS, span=subject.span, alt=words), words)


def _slots(subject: Subject) -> Panel | None:
    """Memory slots: what reading each adds."""
    if memory_of(subject.model) is None or not subject.pictures:
        return None
    added = inference.slot_pictures(subject.model, subject.x[subject.whole][:100], key=subject.key)[-1][:SHOWN]
    span = float(np.abs(added).max()) or 1.0
    words = (
        f"What reading one slot alone adds to the mean image, for {several(len(added), 'slot')} of the memory nearest "
        f"the data: mid grey is nothing, lighter is more, darker is less, at most {span:.2g}."
    )
    return Panel("Memory slots", mosaic(added, subject.shape, across=ACROSS, span=(-span, span), alt=words), words)


def _preferences(subject: Subject) -> Panel | None:
    """Slots by class: mean attention."""
    if memory_of(subject.model) is None or subject.labels is None:
        return None
    x, labels = subject.x[subject.whole][:ATTENDED], subject.labels[subject.whole][:ATTENDED]
    found = inference.slot_preferences(subject.model, x, labels, key=subject.key)[-1]
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


def _sigmas(subject: Subject) -> Panel | None:
    parts = {"encoder": subject.model.posterior, "decoder": subject.model.likelihood}
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
