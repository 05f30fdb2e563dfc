"""Anomaly scores: log p(x), and those that find outliers where it does not; higher means more like the training data.

log p(x) is also high for rows that are simpler than any that was trained on (Nalisnick et al. 2019, arXiv:1810.09136).
Each score takes off something that does not speak of the data: typicality the wish for ever higher values, the
likelihood ratio what a background model knows as well, and the code length how simple the row is.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from PIL import Image

from iwax import evaluation, streams
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.tables import numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["LikelihoodRatio", "code_length", "likelihood_ratio", "score", "typicality"]


def score(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    k: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    missing: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> evaluation.Evidence:
    """Estimate log p(x), nats, of every row of data [n, D], with its Monte-Carlo error.

    The lower it is, the less a row resembles the training data. The result is that of `iwax.evaluation.log_evidence`:
    ``.log_evidence``, ``.monte_carlo_error`` and ``.ess`` are [n], ``.warnings()`` names rows not to trust.
    ``rows`` are the numbers that key the rows' noise (0 to n - 1 without). With ``missing`` a NaN is a value that was
    not observed, and the log-density is that of those that were. Raises ValueError for data of another shape, not
    finite, or k below 1.
    """
    return evaluation.log_evidence(model, x, k=k, key=key, rows=rows, missing=missing, progress=progress)


@printed()
@dataclass(frozen=True)
class LikelihoodRatio:
    """``log p(x) - log p_background(x)``, nats, [n] with its Monte-Carlo error, and both terms."""

    ratio: np.ndarray
    monte_carlo_error: np.ndarray
    evidence: evaluation.Evidence
    background: evaluation.Evidence

    def warnings(self) -> list[str]:
        """Warnings, in plain words; empty if the ratio can be trusted."""
        of_background = [f"of the background model: {each}" for each in self.background.warnings()]
        return [*self.evidence.warnings(), *of_background]


def likelihood_ratio(
    model: LatentVariableModel,
    background: LatentVariableModel,
    x: ArrayLike,
    *,
    k: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    missing: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LikelihoodRatio:
    """``log p(x) - log p_background(x)`` of every row of x [n, D], nats: the gain over the background model.

    The background model is one of the same parts, trained on the same rows perturbed (`iwax.data.perturb`), which
    leaves how bright or simple a row is and destroys what it shows (Ren et al. 2019, arXiv:1906.02845). Both must give
    a density of the same numbers. k draws of each with noise of its own, keyed by ``rows``; ``missing`` as in
    `iwax.inference.score`. Raises ValueError as that does, for either model.
    """
    evidence = score(model, x, k=k, key=key, rows=rows, missing=missing, progress=progress)
    key = jax.random.fold_in(key, streams.Score.BACKGROUND)
    below = score(background, x, k=k, key=key, rows=rows, missing=missing, progress=progress)
    error = np.hypot(evidence.monte_carlo_error, below.monte_carlo_error)
    return LikelihoodRatio(evidence.log_evidence - below.log_evidence, error, evidence, below)


def typicality(log_prob: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """``-|log p(x) - mean_i log p(x_i)|``, nats, [n]; 0 is most typical.

    ``reference`` [m] are log p(x) of rows known to be alike, best of the validation split and with as many draws. The
    test for typicality of Nalisnick et al. (2019, arXiv:1906.02994) at one row: the mean is minus the entropy of the
    model where it is right. Raises ValueError where either is not [n], or the reference not finite.

    >>> typicality([-90.0, -40.0], [-95.0, -85.0])
    array([  0., -50.])
    """
    given = {"log_prob": log_prob, "reference": reference}
    values, known = (numeric(name, each).astype(np.float64) for name, each in given.items())
    if values.ndim != 1 or known.ndim != 1 or known.size < 1:
        raise ValueError(
            f"typicality needs log p(x) as [n] and [m], m at least 1, got {values.shape} and {known.shape}"
        )
    if not np.isfinite(known).all():
        row = int(np.argmin(np.isfinite(known)))
        raise ValueError(f"the reference needs finite log p(x), got {known[row]} in row {row}; leave that row out")
    return -np.abs(values - known.mean())


def code_length(x: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """``8 ln 2`` times the bytes of every grey picture x [n, height width] as PNG, nats: how complex it is, [n].

    ``log p(x) + code_length(x)`` is the likelihood ratio to a code that knows nothing of the training data, the score
    of Serra et al. (2020, arXiv:1909.11480); it needs log p(x) of grey values 0..255, not a density of real numbers.
    Raises ValueError unless x is uint8 of that shape.

    >>> flat, noise = np.zeros(64), np.random.default_rng(0).integers(256, size=64)
    >>> short, long = code_length(np.stack([flat, noise]).astype(np.uint8), (8, 8))
    >>> bool(short < long)
    True
    """
    pictures = numeric("x", x)
    if pictures.dtype != np.uint8 or pictures.ndim != 2 or pictures.shape[1] != math.prod(shape):
        raise ValueError(
            f"code_length needs grey values uint8 [n, {math.prod(shape)}], got {pictures.dtype} {pictures.shape}"
        )
    return 8 * math.log(2) * np.array([_bytes(picture.reshape(shape)) for picture in pictures], np.float64)


def _bytes(picture: np.ndarray) -> int:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return stream.tell()
