"""The signal-to-noise ratio of a gradient estimate: |mean| / sd over repeats with other noise, parameter by parameter.

For the encoder it falls as k^(-1/2) under the pathwise gradient of the IWAE bound (Rainforth et al. 2018,
arXiv:1802.04537) and rises as k^(1/2) under the doubly reparameterised one (Tucker et al. 2019, arXiv:1810.04152).

Over R repeats |mean| / sd of a gradient without any signal is sqrt(2 / (pi R)), not 0: that is `SignalToNoise.floor`.
Squared, the ratio can be freed of it: ``(R - 3) / (R - 1) mean^2 / sd^2 - 1 / R`` has the true squared ratio for its
mean, exactly so for normal noise. Errors are found by leaving out one fold of the repeats at a time (Tukey's
jackknife): the parameters of a network share their noise, and do not average out against each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax._typing import PRNGKey
from iwax.evaluation.rows import DataPoints, at_least, blocks, checked
from iwax.gradients import AbstractObjective, AnyObjective, as_objective
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["GroupSignal", "SignalToNoise", "check_repeats", "gradient_signal_to_noise"]

FOLDS = 10  # of the repeats, one at a time left out for an error
GROUPS = {"encoder": "posterior", "decoder": "likelihood", "prior": "prior"}


@printed()
@dataclass(frozen=True)
class GroupSignal:
    """Of a group of parameters: how many of them ever have a gradient, and their ratios of |mean| to sd.

    ``ratio`` is the mean over the parameters, which cannot lie much below the floor; ``square`` the mean of the squared
    ratios freed of the noise's share, with zero in expectation where there is no signal: `rms` is its root.
    """

    parameters: int
    ratio: float
    ratio_error: float
    square: float
    square_error: float

    @property
    def rms(self) -> float:
        """The root mean square over the parameters of the ratio, the noise's share taken off; 0 where that is more."""
        return float(np.sqrt(max(self.square, 0.0)))

    @property
    def rms_interval(self) -> tuple[float, float]:
        """`rms` one standard error down and up."""
        low, high = self.square - self.square_error, self.square + self.square_error
        return float(np.sqrt(max(low, 0.0))), float(np.sqrt(max(high, 0.0)))


@printed()
@dataclass(frozen=True)
class SignalToNoise:
    """By group ("encoder", "decoder", "prior"; those that have parameters) and by tensor, over ``repeats`` repeats of
    the gradient of the mean over ``rows`` rows of data."""

    repeats: int
    rows: int
    groups: dict[str, GroupSignal]
    tensors: dict[str, GroupSignal]

    @property
    def floor(self) -> float:
        """The mean |mean| / sd of as many repeats without any signal."""
        return float(np.sqrt(2 / (np.pi * self.repeats)))


def check_repeats(repeats: int, folds: int = FOLDS) -> None:
    """Raise ValueError unless there are two folds or more, and repeats a multiple of them, four or more per fold."""
    at_least(2, {"folds": folds})
    if repeats < 4 * folds or repeats % folds:
        raise ValueError(
            f"repeats must be a multiple of {folds}, the folds of their error, and at least {4 * folds}, got {repeats}"
        )


def gradient_signal_to_noise(
    model: LatentVariableModel,
    x: DataPoints,
    objective: AnyObjective,
    *,
    repeats: int,
    key: PRNGKey,
    folds: int = FOLDS,
    rows: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SignalToNoise:
    """Mean and standard deviation of the gradient of the mean of ``objective(model, key, x).value`` over the rows of x.

    An objective is what training ascends, such as ``gradients.Objective(gradients.pathwise(bounds.iwae), k=50)``; a
    control variate stands where training begins it. All rows stand in one batch and every repeat draws its own noise;
    more rows raise the ratio as their square root. Memory is ``folds`` times twice that of the parameters.
    ``progress(done, total)`` is called as repeats are done. Raises ValueError
    where x is not a table of finite numbers in the likelihood's support, where there are fewer than two folds or
    repeats are not a multiple of them, four or more per fold.
    """
    x = checked(model, x, rows, key)
    check_repeats(repeats, folds)
    model.refuse_outside(x)
    (block,) = blocks(x, len(x))
    ascended, count, means, squares = as_objective(objective), repeats // folds, [], []
    for fold in range(folds):
        found = _moments(ascended, model, ascended.init(), key, block.x, jnp.uint32(fold * count), jnp.uint32(count))
        for parts, tree in zip((means, squares), found, strict=True):
            parts.append([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)])
        if progress is not None:
            progress((fold + 1) * count, repeats)
    names = _names(model)
    tensors = {}
    for i, name in enumerate(names):
        tensors[name] = _Folds.of([mean[i] for mean in means], [square[i] for square in squares], count)
    groups = {
        group: _Folds.joined([tensor for name, tensor in tensors.items() if name.split(".")[0] == part])
        for group, part in GROUPS.items()
        if any(name.split(".")[0] == part for name in names)
    }
    signals = ({name: each.signal() for name, each in held.items()} for held in (groups, tensors))
    return SignalToNoise(repeats, len(x), *signals)


def _names(model: LatentVariableModel) -> list[str]:
    """The places of the parameters in the model, in the order of its leaves."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(model, eqx.is_inexact_array))
    return [jax.tree_util.keystr(path).lstrip(".") for path, _ in leaves]


@eqx.filter_jit
def _moments(
    objective: AbstractObjective,
    model: LatentVariableModel,
    control: Any,
    key: PRNGKey,
    x: Datum,
    first: Array,
    count: Array,
) -> tuple[Any, Any]:
    """The mean of the gradient over ``count`` repeats, and the sum of squares about it, by Welford's recursion."""
    parameters, static = eqx.partition(model, eqx.is_inexact_array)

    def gradient(key: PRNGKey) -> Any:
        def mean(parameters: Any) -> Array:
            return jnp.mean(objective(eqx.combine(parameters, static), key, x, control=control).value)

        return jax.grad(mean)(parameters)

    def step(i: int | Array, state: tuple[Any, Any]) -> tuple[Any, Any]:
        mean, squares = state
        found = gradient(jax.random.fold_in(key, first + i))
        off = jax.tree.map(jnp.subtract, found, mean)
        mean = jax.tree.map(lambda m, d: m + d / (i + 1), mean, off)
        return mean, jax.tree.map(lambda s, d, g, m: s + d * (g - m), squares, off, found, mean)

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return jax.lax.fori_loop(jnp.uint32(0), count, step, (zeros, zeros))


@dataclass(frozen=True)
class _Folds:
    """Moments of parameters [folds, parameters] of each fold of ``count`` repeats: mean, sum of squares about it."""

    mean: np.ndarray
    squares: np.ndarray
    count: int

    @classmethod
    def of(cls, means: list[np.ndarray], squares: list[np.ndarray], count: int) -> "_Folds":
        """Of one tensor; a parameter without a gradient at any repeat says nothing, and is left out."""
        mean, square = np.stack(means).astype(np.float64), np.stack(squares).astype(np.float64)
        moves = (mean != 0).any(axis=0) | (square != 0).any(axis=0)
        return cls(mean[:, moves], square[:, moves], count)

    @classmethod
    def joined(cls, tensors: list["_Folds"]) -> "_Folds":
        """The parameters of several tensors in one."""
        means = np.concatenate([tensor.mean for tensor in tensors], axis=1)
        return cls(means, np.concatenate([tensor.squares for tensor in tensors], axis=1), tensors[0].count)

    def signal(self) -> GroupSignal:
        """The ratios of all repeats, and their errors by leaving out one fold at a time."""
        folds, parameters = self.mean.shape
        if not parameters:
            return GroupSignal(0, *[float("nan")] * 4)
        count, total = self.count, self.count * folds
        mean = self.mean.mean(axis=0)
        off = self.mean - mean
        squares = self.squares.sum(axis=0) + count * (off**2).sum(axis=0)
        whole = _ratios(mean, squares, total)
        rest = total - count
        without = []
        for fold in range(folds):
            moved = -count / rest * off[fold]
            about = squares - self.squares[fold] - count * off[fold] ** 2 - rest * moved**2
            without.append(_ratios(mean + moved, np.maximum(about, 0), rest))
        with np.errstate(invalid="ignore"):  # of infinite ratios
            spread = np.std(without, axis=0) * np.sqrt(folds - 1)
        return GroupSignal(parameters, float(whole[0]), float(spread[0]), float(whole[1]), float(spread[1]))


def _ratios(mean: np.ndarray, squares: np.ndarray, repeats: int) -> tuple[float, float]:
    """The mean over the parameters of |mean| / sd, and of its square freed of the noise's share."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(mean == 0, 0.0, mean**2 / (squares / (repeats - 1)))  # inf: a gradient without noise
    return float(np.sqrt(squared).mean()), float(((repeats - 3) / (repeats - 1) * squared - 1 / repeats).mean())
