"""What the latent units are used for: KL and activity of each, where the data lie, and the plane that is decoded."""

import numpy as np
from markupsafe import Markup

from iwax import inference
from iwax.report.figures.canvas import number, several
from iwax.report.figures.diagnosis import kl_per_unit
from iwax.report.figures.histograms import Mark, histogram
from iwax.report.figures.latent import decoded_mesh, manifold_grid, plane
from iwax.report.view import RunView
from iwax.report.view.mosaic import mosaic
from iwax.report.view.panel import Panel, gathered
from iwax.report.view.units import by_layer, order, posterior_means, threshold, used_by

__all__ = ["latents"]

SIDE = 16
SMALLEST = 1e-7  # a variance below this is drawn there


def latents(view: RunView) -> list[Panel]:
    """KL per unit, the bimodal histogram of their activity, the scatter of posterior means, and the manifold."""
    return gathered(
        lambda: _divergence(view),
        lambda: _activity(view),
        lambda: _scatter(view),
        lambda: _manifold(view),
    )


def _divergence(view: RunView) -> Panel | None:
    """KL per unit: as measured."""
    layers, activity = by_layer(view, "kl_per_unit"), by_layer(view, "unit_activity")
    if not layers:
        return None
    kl = np.concatenate(layers)
    same = [len(a) == len(b) for a, b in zip(layers, activity, strict=True)]
    if not any(same):
        return _undivided(kl)
    together = "" if all(same) else " A layer that is no product over units is one bar."
    over = f" of {len(layers)} layers" if len(layers) > 1 else ""
    words = (
        f"{number(float(kl.sum()))} nats in {several(len(kl), 'unit')}{over}, the largest {number(float(kl.max()))}."
        f"{together} What lies near zero follows the prior and says nothing of the data."
    )
    shown = [{"kl": each, "activity": active} for each, active in zip(layers, activity, strict=True)]
    return Panel("KL divergence of every latent unit", kl_per_unit(shown, threshold=threshold(view)), words)


def _undivided(kl: np.ndarray) -> Panel:
    """Where no layer is a product over units, there is a number and nothing to draw."""
    words = f"{' + '.join(map(number, kl.tolist()))} nats: the mean over the data of KL(q(z|x) \N{PARALLEL TO} p(z))."
    text = f"{words} The prior or q(z|x) is no product over units, so that it is no sum over them either."
    return Panel("KL divergence of the latents", Markup('<p class="absent">{0}</p>').format(text), "")


def _activity(view: RunView) -> Panel | None:
    layers = by_layer(view, "unit_activity")
    if not layers:
        return None
    activity, least = np.concatenate(layers), threshold(view)
    active = int((activity > least).sum())
    words = (
        f"{active} of {several(len(activity), 'unit')} are active: the variance over data of their posterior mean is "
        f"above {least:g}."
    )
    if len(activity) < 8:
        return None
    drawing = histogram(
        {"": np.maximum(activity, SMALLEST)},
        name="variance over data of the posterior mean",
        description=words,
        on_log_axis=True,
        mark=Mark(least, f"active above {least:g}"),
        bins=30,
        of="units",
    )
    return Panel("Active units", drawing, f"{words} Two hills far apart are a clear answer; units in between are not.")


def _scatter(view: RunView) -> Panel | None:
    """Where the data lie: posterior means."""
    means = posterior_means(view)
    if means.shape[1] < 2:
        return None
    first, second = (0, 1) if means.shape[1] == 2 else order(view, means)[:2]
    names = (f"z, unit {first + 1}", f"z, unit {second + 1}")
    labels = None if view.labels is None else view.labels[: len(means)]
    drawing = plane(means[:, [first, second]].astype(np.float64), labels, names=names)
    chosen = "" if means.shape[1] == 2 else f" They are the two units of largest {used_by(view, means)}."
    return Panel("Where the data lie in the latent space", drawing, f"{drawing.description}{chosen}")


def _manifold(view: RunView) -> Panel | None:
    """The plane of latents: decoded."""
    if view.run.config.model.latents != (2,):
        return None
    if view.run.about.features == 2:
        decoded = inference.decode(view.run.model, manifold_grid(SIDE), key=view.key)
        words = f"The {SIDE} by {SIDE} grid of equal steps of probability in z, as it is decoded: the mean of p(x|z)."
        return Panel("The plane of the two latents, decoded", decoded_mesh(decoded, SIDE), words)
    if not view.run.about.images:
        return None
    decoded = inference.decode(view.run.model, manifold_grid(SIDE), key=view.key)
    alt = f"{SIDE} by {SIDE} decoded images; z₁ grows to the right and z₂ upwards, in equal steps of probability."
    body = mosaic(decoded, view.run.shape, across=SIDE, span=view.span, alt=alt, gutter=0)
    return Panel("The plane of the two latents, decoded", body, alt)
