"""What the page needs to decode by itself: weights as safetensors in base64, and a few rows to begin with."""

import base64
from typing import Any

import numpy as np

from iwax import inference
from iwax.data import Column
from iwax.parts import layers_of
from iwax.report.explorer import dense
from iwax.report.explorer.first import first_state
from iwax.report.explorer.grid import grid
from iwax.report.view import RunView
from iwax.report.view.units import order, posterior_means, used_by
from iwax.storage.tensors import encode

__all__ = ["LARGEST_WEIGHTS", "explorer"]

ROWS, MEANS, DRAWS, SLIDERS = 24, 300, 200, 8
COLUMNS = 40  # of a table that are shown
LARGEST_WEIGHTS = 4_800_000  # bytes in one page: a third more of them in base64
_BARS = "reach from the 1st to the 99th percentile of the {} data, on a logarithmic scale for positive columns."
REACH = 3.0  # standard deviations to either side that a slider goes


def explorer(view: RunView, *, room: int) -> dict[str, Any] | None:
    """The settings and the weights of a dense model; or a grid decoded beforehand, and why.

    ``room`` is how many bytes of weights there may be; the encoder is left out before the decoder is.
    """
    try:
        program, likelihood = dense.decoder(view.run.model.likelihood)
        if program.size > room:
            raise TypeError(f"its {program.size:,} bytes of weights would make the page too large")
        return _live(view, program, likelihood, room=room - program.size)
    except TypeError as error:
        panels = grid(view)
        why = f"This page cannot decode for itself: {error}. What follows was decoded when it was written."
        return {"live": False, "why": why, "panels": panels} if panels else None


def _live(view: RunView, program: dense.Program, likelihood: dict[str, Any], *, room: int) -> dict[str, Any]:
    means = posterior_means(view, MEANS)
    shown = (view.whole[view.whole < len(means)] if view.run.about.images else np.arange(len(means)))[:ROWS]
    if not len(shown):
        raise TypeError(f"there is no {view.run.about.noun} without missing values to begin with")
    z = inference.generate(view.run.model, DRAWS, key=view.key).z
    prior = dense.prior(view.run.model, view.key)
    tensors = program.tensors | {
        "draws": np.asarray(layers_of(z)[0], np.float32),
        "means": means.astype(np.float32),
        "rows": view.x[shown].astype(np.float32),
        **(prior or {}),
    }
    layers = len(view.run.config.model.latents)
    lacking = (
        "its prior is no mixture of normals"
        if layers == 1
        else f"the model has {layers} layers of latents, and the page computes importance weights for one alone"
    )
    steps, why = _encoder(view, tensors, room) if prior else (None, lacking)
    spec = _shown(view, means, shown, tensors["draws"]) | {
        "likelihood": likelihood,
        "decoder": program.steps,
        "encoder": steps,
        "normal": prior is not None and _is_standard(prior),
        "mixture": prior is not None,
    }
    about = {
        "live": True,
        "by": used_by(view, means),
        "erase": steps is not None,
        "why_not_erase": why,
        "layers": layers,
    }
    about |= {"pictures": view.run.about.images, "bars": _BARS.format(view.split)}
    about |= {"plane": means.shape[1] == 2 and view.run.about.images, "pad": means.shape[1] > 1, "spec": spec}
    about |= {"row_numbers": view.row_numbers, "first": first_state(view, spec, tensors)}
    return about | {"weights": base64.b64encode(encode(tensors)).decode()}


def _shown(view: RunView, means: np.ndarray, shown: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """What the page shows next to what it computes: names, ranges of sliders, columns."""
    labels = None if view.labels is None else [str(label) for label in view.labels[: len(means)]]
    of_class = [""] * len(means) if labels is None else [f" ({label})" for label in labels]
    return {
        "shape": list(view.run.shape),
        "span": list(view.span) if view.run.about.images else None,
        "columns": None if view.run.about.images else _columns(view),
        "split": view.split,
        "row": view.run.about.noun,
        "trained_on_missing": bool(view.run.config.model.mask),
        "units": order(view, means)[:SLIDERS].tolist(),
        "ranges": _ranges(means, draws).tolist(),
        "shown": shown.tolist(),
        "names": [f"{view.split} {view.run.about.noun} {row + 1}{of_class[row]}" for row in shown.tolist()],
        "labels": labels,
    }


def _columns(view: RunView) -> list[dict[str, Any]]:
    """Name, levels and range of every column that is shown: from the 1st to the 99th percentile of its cells."""
    binary = view.run.about.kind == "binary"
    columns = view.run.about.columns or [
        Column(f"x{j + 1}", "binary", ("0", "1")) if binary else Column(f"x{j + 1}", "continuous")
        for j in range(view.run.about.features)
    ]
    found = []
    for j, column in enumerate(columns[:COLUMNS]):
        cells = view.x[:, j].astype(np.float64)
        cells = cells[np.isfinite(cells)]
        low, high = np.quantile(cells, (0.01, 0.99)).tolist() if len(cells) else (0.0, 1.0)
        about = {"name": column.name, "levels": list(column.levels) or None, "low": low, "high": high}
        found.append(about | {"logarithmic": column.kind == "positive" and low > 0})
    return found


def _is_standard(prior: dense.Tensors) -> bool:
    """Whether a mixture of normals is N(0, I)."""
    loc, scale = prior["prior.loc"], prior["prior.scale"]
    return len(loc) == 1 and bool((loc == 0).all() and (scale == 1).all())


def _encoder(view: RunView, tensors: dense.Tensors, room: int) -> tuple[list[dict[str, Any]] | None, str]:
    """The encoder's steps, its tensors added; or None, and why it is not in the page."""
    try:
        program = dense.encoder(view.run.model.posterior)
    except TypeError as error:
        return None, str(error)
    if program.size > room:
        return None, f"the {program.size:,} bytes of its encoder would make the page too large"
    tensors |= program.tensors
    return program.steps, ""


def _ranges(means: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Lowest and highest value of every unit's slider: what posterior means and draws of the prior reach."""
    both = np.concatenate([means, draws])
    middle, reach = both.mean(axis=0), REACH * both.std(axis=0)
    return np.round(np.stack([middle - reach, middle + reach], axis=1).astype(np.float64), 2)
