"""The latent units of a run: what was measured of each, and which are used most."""

import numpy as np

from iwax import inference
from iwax.report.view.run_view import RunView

__all__ = ["by_layer", "order", "posterior_means", "threshold", "used_by"]

EMBEDDED = 1500
BY_KL = "KL divergence"


def by_layer(view: RunView, name: str) -> list[np.ndarray]:
    """What was measured of every unit, an array per layer."""
    stored = view.measurement.summary.get(name) if view.measurement else None
    return [np.array(layer, np.float64) for layer in stored or ()]


def threshold(view: RunView) -> float:
    """The variance of its posterior mean above which a unit is active."""
    return float(view.measurement.summary["active_units_threshold"]) if view.measurement else 0.01


def order(view: RunView, means: np.ndarray) -> np.ndarray:
    """The units of z_1, the most used first, as `used_by` says."""
    of_kl = used_by(view, means) == BY_KL
    return np.argsort(-(by_layer(view, "kl_per_unit")[0] if of_kl else means.var(axis=0)), kind="stable")


def used_by(view: RunView, means: np.ndarray) -> str:
    """What units are ordered by: KL where it was measured unit by unit, else the variance of the posterior means."""
    kl = by_layer(view, "kl_per_unit")
    return BY_KL if kl and len(kl[0]) == means.shape[1] else "variance of the posterior mean"


def posterior_means(view: RunView, n: int = EMBEDDED) -> np.ndarray:
    """The posterior means of z_1 of the first rows."""
    x = view.x[:n]
    missing = bool(x.dtype.kind == "f" and np.isnan(x).any())
    return inference.embed(view.run.model, x, key=view.key, missing=missing)
