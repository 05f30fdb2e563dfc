"""What was not observed, given what was: single and multiple imputation by importance weights.

One draw of five is from p(z) in the place of q(z|x_observed), and w is p(x_observed, z) over the mixture of both, at
most 5 p(x_observed|z): its variance is finite however narrow q is, as that of an encoder that never saw missing values
may be (`iwax.inference.proposals`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np

from iwax import batched, former_names, posteriors
from iwax._typing import ArrayLike, PRNGKey
from iwax.data import Column
from iwax.evaluation.rows import as_one_table, at_least, blocks, checked
from iwax.inference.proposals import has_cheap_density
from iwax.inference.self_normalised import Sampling, SelfNormalised, estimated
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["Imputation", "impute"]


@printed()
@dataclass(frozen=True)
class Imputation(SelfNormalised):
    """Rows [n, *event] with their missing values filled; observed cells are those that were given, untouched.

    ``values`` hold ``E[x_missing | x_observed]``, ``error`` the Monte-Carlo error of these means (0 where x was
    observed). In columns that are classes they hold the most probable class, and the probability that it is another.
    ``ess`` [n] how many of the k draws count (NaN for a complete row), ``missing`` marks what was. ``draws`` [m, n,
    *event] are m draws of ``p(x_missing | x_observed)``, where they were asked for: whole tables, over which whatever
    is computed varies as it should. ``pareto_k`` [n] is the tail index of the weights, or of the weights times the
    values that they multiply if that is heavier: above 0.7, or with ``ess`` below 10, the weights that were drawn do
    not show those that count, ``unknown`` [n] marks the row, and ``known_error`` is NaN there.
    """

    k: int
    values: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    missing: np.ndarray
    draws: np.ndarray | None
    pareto_k: np.ndarray

    phrases = ("what fills them", "rows with missing values", "a larger k helps, slowly")

    @property
    def estimated(self) -> np.ndarray:
        """The missing values."""
        return self.missing

    def errors(self, columns: Sequence[Column] | None = None) -> dict[str, np.ndarray]:
        """What a file of errors holds: row numbers from 1, ess, khat, and ``known_error`` by the names of columns."""
        named = {"error": self.known_error}
        if columns is not None:
            named = {f"error of {column.name}": self.known_error[:, j] for j, column in enumerate(columns)}
        return {"row": np.arange(1, len(self.ess) + 1), "ess": self.ess, "khat": self.pareto_k, **named}


@former_names.argument("sweeps", "iterations")
def impute(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    k: int,
    key: PRNGKey,
    draws: int = 0,
    iterations: int = 0,
    defensive: bool = True,
    rows: np.ndarray | None = None,
    batch: int = 100,
) -> Imputation:
    """``sum_i w̃_i E[x_missing | z_i]``, z_i ~ q(z|x_observed), for every NaN of x [n, *event]; w̃_i = w_i / sum w.

    w = p(x_observed, z) / q(z|x_observed). A mean of means, which varies less than one of draws of x (Mattei and
    Frellsen 2019, arXiv:1812.02633, section 3.4); with a model of missingness w has its p(s|x) too, which depends on
    the values drawn for the missing ones, and these are averaged. With ``draws`` = m there are m imputed tables
    besides, by sampling importance resampling: z_j of the k draws, j ~ Cat(w̃), then x_missing ~ p(x|z_j); they are
    draws of p(x_missing|x_observed) as k grows. With ``iterations`` the encoder reads rows that pseudo-Gibbs iterations
    have filled (`impute_gibbs`, with other noise) rather than zeros: other draws of z, with weights as right, more of
    which may count if the encoder never saw missing values. One draw of five is from p(z), and w is over the mixture of
    both (defensive importance sampling, Hesterberg 1995, Technometrics 37, 185); without ``defensive``, or where the
    density of q at a given z takes long or is not there, as in flows, all are from q. A row without an observed value
    is filled from p(x): z ~ p(z), all weights alike. ``batch`` rows are taken at once; with ``draws`` a log-weight of
    each of the k is stored. The result is a function of (key, row number, k), but for rounding; ``rows`` are the row
    numbers (0, 1, ... by default). Raises ValueError for data of another shape, infinite, or outside the likelihood's
    support; for a likelihood that is not of independent features; for counts that are too small.

    >>> import jax
    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Gaussian.scalar(nn.Linear(2, 3, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(3, 4, key=jax.random.key(1))),
    ... )
    >>> found = impute(model, np.array([[0.5, np.nan, 1.0]]), k=100, key=jax.random.key(2))
    >>> found.values[0, [0, 2]].tolist(), bool(found.error[0, 1] > 0)
    ([0.5, 1.0], True)
    """
    at_least(1, {"k": k, "batch": batch})
    at_least(0, {"draws": draws, "iterations": iterations})
    points = checked(model, x, rows, key, missing=True, empty=True)
    model.refuse_outside(points)
    table = as_one_table(points)
    missing = np.isnan(table) if table.dtype.kind == "f" else np.zeros(table.shape, bool)
    values = np.array(table, np.result_type(table.dtype, np.float32))
    error, ess, shape = np.zeros(table.shape), np.full(len(table), np.nan), np.full(len(table), np.nan)
    copies = np.repeat(values[None], draws, axis=0) if draws else None
    model = batched.ready(model, key)
    how = Sampling(k, draws, iterations, defensive and has_cheap_density(model, key))
    for proposing, numbers, sampling in _proposals(model, missing, how):
        for block in blocks(jax.tree.map(lambda leaf, at=numbers: leaf[at], points), batch):
            at = numbers[block.first : block.stop]
            found = estimated(proposing, key, block, sampling)
            values[at] = np.where(missing[at], found.means, values[at])
            error[at] = np.where(missing[at], found.error, 0)
            ess[at], shape[at] = found.ess, found.pareto_k
            if copies is not None:
                copies[:, at] = np.where(missing[at], found.draws, copies[:, at])
    return Imputation(k, values, error, ess, missing, copies, shape)


def _proposals(
    model: LatentVariableModel, missing: np.ndarray, how: Sampling
) -> list[tuple[LatentVariableModel, np.ndarray, Sampling]]:
    """The model, the rows with missing values that its posterior proposes for, and how.

    For a row without an observed value p(z|x) is p(z), which no encoder was trained to know: there the prior itself
    proposes. Of such a row a model of missingness still knows that all is missing: its posterior proposes for all.
    """
    cells = missing.reshape(len(missing), -1)
    some, empty = cells.any(axis=1), cells.all(axis=1) & (model.missingness is None)
    of_prior = eqx.tree_at(lambda model: model.posterior, model, posteriors.Prior())
    plain = how._replace(iterations=0, defensive=False)
    found = [(model, np.flatnonzero(some & ~empty), how), (of_prior, np.flatnonzero(empty), plain)]
    return [(proposing, numbers, sampling) for proposing, numbers, sampling in found if len(numbers)]
