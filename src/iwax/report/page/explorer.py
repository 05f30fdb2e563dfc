"""What the page needs to decode by itself: weights as safetensors in base64, and a few images to begin with."""

import base64
from typing import Any

import numpy as np

from iwax import inference
from iwax.report.page import dense
from iwax.report.page.grid import grid
from iwax.report.page.latents import embedded, order
from iwax.report.page.subject import Subject
from iwax.training.tensors import encode

__all__ = ["LARGEST_WEIGHTS", "explorer"]

IMAGES, MEANS, DRAWS, SLIDERS = 24, 300, 200, 8
LARGEST_WEIGHTS = 4_800_000  # bytes in one page: a third more of them in base64
REACH = 3.0  # standard deviations to either side that a slider goes


def explorer(subject: Subject, *, room: int) -> dict[str, Any] | None:
    """The settings and the weights of a dense model of images; or a grid decoded beforehand, and why.

    ``room`` is how many bytes of weights there may be; the encoder is left out before the decoder is.
    """
    try:
        if not subject.pictures:
            raise TypeError("a row of this data is no picture")
        program, likelihood = dense.decoder(subject.model.likelihood)
        if program.size > room:
            raise TypeError(f"its {program.size:,} bytes of weights would make the page too large")
        return _live(subject, program, likelihood, room=room - program.size)
    except TypeError as error:
        panels = grid(subject)
        why = f"The decoder of this model is not run in the page: {error}. What follows was decoded beforehand."
        return {"live": False, "why": why, "panels": panels} if panels else None


def _live(subject: Subject, program: dense.Program, likelihood: str, *, room: int) -> dict[str, Any]:
    means = embedded(subject, MEANS)
    shown = subject.whole[subject.whole < len(means)][:IMAGES]
    if not len(shown):
        raise TypeError("it has no image without holes to begin with")
    z = inference.generate(subject.model, DRAWS, key=subject.key).z
    prior = dense.prior(subject.model, subject.key)
    tensors = program.tensors | {
        "draws": np.asarray(z[0] if isinstance(z, tuple) else z, np.float32),
        "means": means.astype(np.float32),
        "images": subject.x[shown].astype(np.float32),
        **(prior or {}),
    }
    steps, why = _encoder(subject, tensors, room) if prior else (None, "its prior is no mixture of normals")
    spec = {
        "shape": list(subject.shape),
        "span": list(subject.span),
        "split": subject.split,
        "likelihood": likelihood,
        "decoder": program.steps,
        "encoder": steps,
        "normal": prior is not None and _is_standard(prior),
        "mixture": prior is not None,
        "units": order(subject, means)[:SLIDERS].tolist(),
        "ranges": _ranges(means, tensors["draws"]).tolist(),
        "shown": shown.tolist(),
        "labels": None if subject.labels is None else [str(label) for label in subject.labels[: len(means)]],
    }
    weights, layers = base64.b64encode(encode(tensors)).decode(), len(subject.trained.config.model.latents)
    about = {"live": True, "erase": steps is not None, "why_not_erase": why, "layers": layers}
    return about | {"plane": means.shape[1] == 2, "pad": means.shape[1] > 1, "spec": spec, "weights": weights}


def _is_standard(prior: dense.Tensors) -> bool:
    """Whether a mixture of normals is N(0, I)."""
    loc, scale = prior["prior.loc"], prior["prior.scale"]
    return len(loc) == 1 and bool((loc == 0).all() and (scale == 1).all())


def _encoder(subject: Subject, tensors: dense.Tensors, room: int) -> tuple[list[dict[str, str]] | None, str]:
    """The encoder's steps, its tensors added; or None, and why it is not in the page."""
    try:
        program = dense.encoder(subject.model.posterior)
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
