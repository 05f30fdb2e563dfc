"""What was not observed, by encoding and decoding again and again."""

from dataclasses import replace
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from iwax import batched, streams, supports
from iwax._typing import PRNGKey
from iwax.evaluation.blocks import Block, at_least, by_row, checked
from iwax.evaluation.data_points import as_one_table
from iwax.evaluation.tables import check_cells, numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["impute_by_sweeps", "swept"]


def impute_by_sweeps(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    key: PRNGKey,
    sweeps: int = 100,
    value: Literal["mean", "draw"] = "mean",
    start: ArrayLike | None = None,
    batch: int = 250,
) -> np.ndarray:
    """Fill the NaN of rows [n, *event] by ``sweeps`` rounds of ``z ~ q(z|x)``, ``x_missing = E[x|z]``, from noise.

    Rezende, Mohamed and Wierstra (2014, arXiv:1401.4082, appendix F), with the mean of p(x|z) in place of a draw as Li,
    Zhu and Zhang (2016, arXiv:1602.07416) impute images. With ``value="draw"`` a sweep draws x_missing ~ p(x|z): where
    q(z|x) is exact, a Gibbs sampler whose law tends to p(x_missing|x_observed); where it is not, nothing is known of
    the error, and `impute`, which weighs the encoder's draws, is the one to trust. No density is evaluated: for binary
    data grey values in [0, 1] will do, and are read as they are. ``start`` are the first values, a number or as many
    as x; without, uniform on [0, 1). The encoder reads whole rows, as it was trained to. Raises ValueError for rows of
    another shape or infinite, beyond 0 and 1 for binary data, for another ``value``, and for a start of another shape
    or not finite.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 3, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(3, 4, key=jax.random.key(1))),
    ... )
    >>> impute_by_sweeps(model, np.array([[1.0, np.nan, 0.0]]), sweeps=5, key=jax.random.key(2)).shape
    (1, 3)
    """
    if value not in ("mean", "draw"):
        raise ValueError(f"value must be 'mean' or 'draw': got {value!r}")
    at_least(1, {"sweeps": sweeps, "batch": batch})
    points = checked(model, x, None, key, missing=True, empty=True)
    table = np.array(as_one_table(points), float)
    if model.likelihood.support == supports.binary:
        _refuse_beyond_grey(table)
    holes = np.isnan(table)
    first = _start(start, table)
    filled = np.where(holes, 0.0, table)

    def of_block(block: Block) -> Array:
        rows, marks, begun = block.x.values
        datum = replace(block.x, values=rows, observed=marks == 0)
        return swept(model, key, datum, sweeps, start=None if start is None else begun, draw=value == "draw")

    everything = Datum((filled, holes, first), given=points.given, index=points.index)
    return np.where(holes, by_row(of_block, everything, batch), table)


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
def swept(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    sweeps: int,
    *,
    start: Float[Array, "batch features"] | None = None,
    draw: bool = False,
) -> Float[Array, "batch features"]:
    """The rows of x after so many sweeps; what was not observed starts at ``start``, or as uniform noise.

    Where p(x|z) is the law of what is seen through noise, all of a row is not observed: a sweep makes it the mean, or
    a draw, of `batched.sought`, from what is seen on.
    """

    def one(key: PRNGKey, datum: Datum, first: Array | None) -> Array:
        seen = jnp.ones_like(datum.values, bool) if datum.observed is None else datum.observed
        uniform = jax.random.uniform(jax.random.fold_in(key, streams.SweptRow.START), seen.shape)

        def sweep(i: Array, values: Array) -> Array:
            own = jax.random.fold_in(key, i)
            drawn = model.propose(Datum(values, given=datum.given), own)
            p_x = model.likelihood(drawn.z, datum.given, key=drawn.keys[1])
            law = batched.sought(p_x, datum)
            new = law.draw(jax.random.fold_in(own, streams.Sweep.VALUES))[0] if draw else law.mean
            return jnp.where(seen & (law is p_x), datum.values, new)

        begun = jnp.where(seen, datum.values, uniform if first is None else first)
        return jax.lax.fori_loop(0, sweeps, sweep, begun)

    if start is None:
        return batched.over_data(lambda key, datum: one(key, datum, None), key, x)
    return batched.over_data(one, key, x, start)
