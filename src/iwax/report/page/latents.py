"""What the latent units are used for: KL and activity of each, where the data lie, and the plane that is decoded."""

import numpy as np
from markupsafe import Markup

from iwax import inference
from iwax.report.figures.canvas import number
from iwax.report.figures.diagnosis import kl_per_unit
from iwax.report.figures.histograms import Mark, histogram
from iwax.report.figures.latent import decoded_net, manifold_grid, plane
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, gathered
from iwax.report.page.subject import Subject
from iwax.report.page.words import several

__all__ = ["embedded", "latents", "order", "used_by"]

EMBEDDED, SIDE = 1500, 16
BY_KL = "KL divergence"
LEAST = 1e-7  # a variance below this is drawn there


def latents(subject: Subject) -> list[Panel]:
    """KL per unit, the bimodal histogram of their activity, the scatter of posterior means, and the manifold."""
    return gathered(
        lambda: _divergence(subject),
        lambda: _activity(subject),
        lambda: _scatter(subject),
        lambda: _manifold(subject),
    )


def _layers(subject: Subject, name: str) -> list[np.ndarray]:
    stored = subject.measured.summary.get(name) if subject.measured else None
    return [np.array(layer, np.float64) for layer in stored or ()]


def _threshold(subject: Subject) -> float:
    return float(subject.measured.summary["active_units_threshold"]) if subject.measured else 0.01


def order(subject: Subject, means: np.ndarray) -> np.ndarray:
    """The units of z_1, the most used first, as `used_by` says."""
    of_kl = used_by(subject, means) == BY_KL
    return np.argsort(-(_layers(subject, "kl_per_unit")[0] if of_kl else means.var(axis=0)), kind="stable")


def used_by(subject: Subject, means: np.ndarray) -> str:
    """What units are ordered by: KL where it was measured unit by unit, else the variance of the posterior means."""
    kl = _layers(subject, "kl_per_unit")
    return BY_KL if kl and len(kl[0]) == means.shape[1] else "variance of the posterior mean"


def embedded(subject: Subject, n: int = EMBEDDED) -> np.ndarray:
    """The posterior means of z_1 of the first rows."""
    x = subject.x[:n]
    holes = bool(x.dtype.kind == "f" and np.isnan(x).any())
    return inference.embed(subject.model, x, key=subject.key, missing=holes)


def _divergence(subject: Subject) -> Panel | None:
    """KL per unit: as measured."""
    layers, activity = _layers(subject, "kl_per_unit"), _layers(subject, "unit_activity")
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
    return Panel("KL divergence of every latent unit", kl_per_unit(shown, threshold=_threshold(subject)), words)


def _undivided(kl: np.ndarray) -> Panel:
    """Where no layer is a product over units, there is a number and nothing to draw."""
    words = f"{' + '.join(map(number, kl.tolist()))} nats: the mean over the data of KL(q(z|x) \N{PARALLEL TO} p(z))."
    text = f"{words} The prior or q(z|x) is no product over units, so that it is no sum over them either."
    return Panel("KL divergence of the latents", Markup('<p class="absent">{0}</p>').format(text), "")


def _activity(subject: Subject) -> Panel | None:
    layers = _layers(subject, "unit_activity")
    if not layers:
        return None
    activity, threshold = np.concatenate(layers), _threshold(subject)
    active = int((activity > threshold).sum())
    words = (
        f"{active} of {several(len(activity), 'unit')} are active: the variance over data of their posterior mean is "
        f"above {threshold:g}."
    )
    if len(activity) < 8:
        return None
    drawing = histogram(
        {"": np.maximum(activity, LEAST)},
        name="variance over data of the posterior mean",
        description=words,
        on_log_axis=True,
        mark=Mark(threshold, f"active above {threshold:g}"),
        bins=30,
        of="units",
    )
    return Panel("Active units", drawing, f"{words} Two hills far apart are a clear answer; units in between are not.")


def _scatter(subject: Subject) -> Panel | None:
    """Where the data lie: posterior means."""
    means = embedded(subject)
    if means.shape[1] < 2:
        return None
    first, second = (0, 1) if means.shape[1] == 2 else order(subject, means)[:2]
    names = (f"z, unit {first + 1}", f"z, unit {second + 1}")
    labels = None if subject.labels is None else subject.labels[: len(means)]
    drawing = plane(means[:, [first, second]].astype(np.float64), labels, names=names)
    chosen = "" if means.shape[1] == 2 else f" They are the two units of largest {used_by(subject, means)}."
    words = f"{drawing.description}{chosen}"
    return Panel("Where the data lie in the latent space", drawing, words)


def _manifold(subject: Subject) -> Panel | None:
    """The plane of latents: decoded."""
    if subject.trained.config.model.latents != (2,):
        return None
    if subject.features == 2:
        decoded = inference.decode(subject.model, manifold_grid(SIDE), key=subject.key)
        words = f"The {SIDE} by {SIDE} grid of equal steps of probability in z, as it is decoded: the mean of p(x|z)."
        return Panel("The plane of the two latents, decoded", decoded_net(decoded, SIDE), words)
    if not subject.pictures:
        return None
    decoded = inference.decode(subject.model, manifold_grid(SIDE), key=subject.key)
    alt = f"{SIDE} by {SIDE} decoded images; z₁ grows to the right and z₂ upwards, in equal steps of probability."
    body = mosaic(decoded, subject.shape, across=SIDE, span=subject.span, alt=alt, gutter=0)
    return Panel("The plane of the two latents, decoded", body, alt)
