"""The vocabulary of shapes: axes are ordered draws ``k``, ``batch``, event."""

from typing import Any, Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, Num, PyTree

AnyArray: TypeAlias = Array | np.ndarray
PRNGKey: TypeAlias = Key[Array, ""]
LogWeights: TypeAlias = Float[AnyArray, "k *batch"]
PerDatum: TypeAlias = Float[AnyArray, "*batch"]
Scalar: TypeAlias = Float[Array, ""]
Latent: TypeAlias = PyTree[Num[Array, "..."]]
Trace: TypeAlias = Any  # None, or what a flow passed through on its way

__all__ = [
    "AnyArray",
    "Datum",
    "Distribution",
    "Latent",
    "LogWeights",
    "PRNGKey",
    "Part",
    "PerDatum",
    "Scalar",
    "Trace",
    "as_datum",
    "filled",
    "values_of",
]


class Datum(eqx.Module):
    """One row of data, or a batch of rows with one leading axis on every field.

    ``values`` are the features, missing ones filled with 0; ``observed`` marks those that are not missing (None: all);
    ``label`` is carried along; ``index`` is the row's number, from which its noise is keyed. ``inputs`` are what an
    encoder reads where that is not the values themselves: a row filled in, or what `posteriors.Coded` makes of it.
    An array of rows [n, features] serves wherever a Datum of complete rows does; `Datum.of` makes one of rows with
    missing values.
    """

    values: Num[Array, "*batch features"]
    observed: Bool[Array, "*batch features"] | None = None
    label: Int[Array, "*batch"] | None = None
    index: Int[Array, "*batch"] | None = None
    inputs: Num[Array, "*batch inputs"] | None = None

    @classmethod
    def of(
        cls, values: Num[AnyArray, "*batch features"], *, missing: bool = False, index: AnyArray | None = None
    ) -> "Datum":
        """Return rows as a datum; with ``missing`` a NaN is a value that was not observed.

        ``index`` numbers the rows, whose noise is then the same in any batch (None: their places in this one).

        >>> Datum.of(np.array([[1.0, np.nan]]), missing=True).observed.tolist()
        [[True, False]]
        """
        values = jnp.asarray(values)
        values = values if jnp.issubdtype(values.dtype, jnp.inexact) else values.astype(float)
        return filled(values, missing=missing, index=None if index is None else jnp.asarray(index))


@runtime_checkable
class Distribution(Protocol):
    """A random variable. A pytree: every array that it depends on is a leaf of it."""

    def draw(self, key: PRNGKey) -> tuple[Latent, Trace]: ...

    def log_prob(self, value: Latent, trace: Trace = None, where: AnyArray | None = None) -> Scalar: ...

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Latent, Scalar]: ...

    @property
    def mean(self) -> Latent: ...

    def layers(self, value: Latent) -> tuple["Distribution", ...]: ...


@runtime_checkable
class Part(Protocol):
    """A prior, likelihood or posterior: a fixed function of (context, key). The same key gives the same noise."""

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution: ...


def filled(values: Num[Array, "*batch features"], *, missing: bool, index: Int[Array, "*batch"] | None = None) -> Datum:
    """Rows as a datum; with ``missing``, NaN marks what was not observed, and 0 is put in its place.

    Filled here, before anything is differentiated: a NaN behind a mask gives a right value and a NaN gradient.

    >>> x = filled(jnp.array([1.0, jnp.nan]), missing=True)
    >>> x.values.tolist(), x.observed.tolist()
    ([1.0, 0.0], [True, False])
    """
    if not missing:
        return Datum(values=values, index=index)
    observed = ~jnp.isnan(values)
    return Datum(values=jnp.where(observed, values, 0), observed=observed, index=index)


def as_datum(x: Datum | AnyArray, *, axes: int | None = None) -> Datum:
    """Return an array of complete rows as a datum, and a datum as it is.

    ``axes`` is how many axes the array must have: 1 for a row, 2 for a batch (None: any). Raises TypeError for anything
    else, and ValueError for another number of axes or, where that can be seen (not under `jax.jit`), for NaN.

    >>> as_datum(np.zeros((3, 2), np.uint8), axes=2).values.dtype
    dtype('float32')
    """
    if isinstance(x, Datum):
        return x
    if not isinstance(x, Array | np.ndarray):
        raise TypeError(f"x must be an array of rows [n, features] or an iwax.Datum, got {type(x).__name__}")
    if axes is not None and x.ndim != axes:
        shape = "[features], one row" if axes == 1 else "[n, features], such as x.reshape(len(x), -1)"
        raise ValueError(f"x must be an array of shape {shape}, or an iwax.Datum; got shape {x.shape}")
    if not isinstance(x, Tracer) and jnp.issubdtype(x.dtype, jnp.inexact) and _has_nan(x):
        raise ValueError("x has missing values (NaN): give iwax.Datum.of(x, missing=True) in the place of the array")
    return Datum.of(x)


def _has_nan(x: AnyArray) -> bool:
    with jax.ensure_compile_time_eval():  # under `jax.jit` too, where x is a constant of the function
        return bool(jnp.isnan(x).any())


def values_of(context: Any) -> Array:
    """The array that a network reads: a datum's inputs, or else its values, or the context itself.

    >>> values_of(Datum(values=1.0)), values_of(2.0)
    (1.0, 2.0)
    """
    if not isinstance(context, Datum):
        return context
    return context.values if context.inputs is None else context.inputs
