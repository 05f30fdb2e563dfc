"""Missing values by pseudo-Gibbs sampling: encode and decode in turn."""

from dataclasses import replace
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import batched, former_names, streams, supports
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import Block, as_one_table, at_least, by_row, checked
from iwax.evaluation.tables import check_cells, numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["filled_in", "impute_gibbs"]


@former_names.argument("sweeps", "iterations")
def impute_gibbs(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    key: PRNGKey,
    iterations: int = 100,
    value: Literal["mean", "draw"] = "mean",
    start: ArrayLike | None = None,
    batch: int = 250,
) -> np.ndarray:
    """Fill the NaN of rows [n, *event] by ``iterations`` of ``z ~ q(z|x)``, ``x_missing = E[x|z]``, from noise.

    Rezende, Mohamed and Wierstra (2014, arXiv:1401.4082, appendix F), with the mean of p(x|z) in place of a draw as Li,
    Zhu and Zhang (2016, arXiv:1602.07416) impute images. With ``value="draw"`` an iteration draws x_missing ~ p(x|z):
    if q(z|x) is exact, this is a Gibbs sampler whose distribution tends to p(x_missing|x_observed). If it is not
    (pseudo-Gibbs), the error is unknown, and `impute`, which weights the encoder's draws, is the one to trust. No
    density is evaluated: for binary data grey values in [0, 1] are read as they are. ``start`` are the first values, a
    number or an array of the shape of x (None: uniform on [0, 1)). The encoder reads whole rows, as it was trained to.
    Raises ValueError for rows of another shape or infinite, beyond 0 and 1 for binary data, for another ``value``, and
    for a start of another shape or not finite.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 3, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(3, 4, key=jax.random.key(1))),
    ... )
    >>> impute_gibbs(model, np.array([[1.0, np.nan, 0.0]]), iterations=5, key=jax.random.key(2)).shape
    (1, 3)
    """
    if value not in ("mean", "draw"):
        raise ValueError(f"value must be 'mean' or 'draw': got {value!r}")
    at_least(1, {"iterations": iterations, "batch": batch})
    points = checked(model, x, None, key, missing=True, empty=True)
    table = np.array(as_one_table(points), float)
    if model.likelihood.support == supports.binary:
        _refuse_beyond_grey(table)
    missing = np.isnan(table)
    first = _start(start, table)
    filled = np.where(missing, 0.0, table)

    def of_block(block: Block) -> Array:
        rows, marks, begun = block.x.values
        datum = replace(block.x, values=rows, observed=marks == 0)
        return filled_in(model, key, datum, iterations, start=None if start is None else begun, draw=value == "draw")

    everything = Datum((filled, missing, first), given=points.given, index=points.index)
    return np.where(missing, by_row(of_block, everything, batch), table)


def _refuse_beyond_grey(table: np.ndarray) -> None:
    beyond = (table < 0) | (table > 1)
    if beyond.any():
        row, *column = np.argwhere(beyond)[0]
        raise ValueError(
            f"a Bernoulli likelihood needs values from 0 to 1, got {table[row, *column]:g} in row {row}, column "
            f"{', '.join(map(str, column))}; divide grey values 0..255 by 255"
        )


def _start(start: ArrayLike | None, table: np.ndarray) -> np.ndarray:
    first = numeric("start", 0.0 if start is None else start).astype(float)
    if first.shape not in ((), table.shape):
        raise ValueError(f"start must be a number, or numbers of shape {table.shape}: got shape {first.shape}")
    check_cells(first.reshape(len(table) if first.ndim else 1, -1), missing=False, name="start")
    return np.broadcast_to(first, table.shape)


@eqx.filter_jit
def filled_in(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    iterations: int,
    *,
    start: Float[Array, "batch features"] | None = None,
    draw: bool = False,
) -> Float[Array, "batch features"]:
    """The rows of x after pseudo-Gibbs iterations; missing values begin at ``start``, or as uniform noise.

    If p(x|z) is the distribution of a row seen through noise, all of the row is missing: an iteration makes it the
    mean, or a draw, of the row without noise (`Distribution.clean`), beginning at what was seen.
    """

    def one(key: PRNGKey, datum: Datum, first: Array | None) -> Array:
        seen = jnp.ones_like(datum.values, bool) if datum.observed is None else datum.observed
        uniform = jax.random.uniform(jax.random.fold_in(key, streams.GibbsRow.START), seen.shape)

        def iteration(i: Array, values: Array) -> Array:
            own = jax.random.fold_in(key, i)
            drawn = model.propose(Datum(values, given=datum.given), own)
            p_x = model.likelihood(drawn.z, datum.given, key=drawn.keys[1])
            clean = p_x.clean(datum.values, datum.observed)
            new = clean.draw(jax.random.fold_in(own, streams.GibbsIteration.VALUES))[0] if draw else clean.mean
            return jnp.where(seen & (clean is p_x), datum.values, new)

        begun = jnp.where(seen, datum.values, uniform if first is None else first)
        return jax.lax.fori_loop(0, iterations, iteration, begun)

    if start is None:
        return batched.over_data(lambda key, datum: one(key, datum, None), key, x)
    return batched.over_data(one, key, x, start)
