"""How an encoder reads a row of a table: on scales that suit a network, whatever the columns' units, and with holes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from iwax._typing import AnyArray

__all__ = ["Coding", "Encoding"]

Encoding: TypeAlias = Literal["linear", "log", "log1p", "log_or_zero"] | tuple[Literal["classes"], int]

_NAMES = ("linear", "log", "log1p", "log_or_zero")
_LEAST = 1e-30  # below any positive number of a table; its logarithm is finite


class Coding(eqx.Module):
    """``(f_j(x_j) - loc_j) / scale_j`` of every column, 0 where nothing was observed, and classes as one-hot vectors.

    ``readings`` say f_j: "linear" (x itself), "log", "log1p", "log_or_zero", or ``("classes", C)`` for the numbers 0 to
    C - 1 of classes, which become C numbers, all 0 where nothing was observed. "log_or_zero" is two numbers: the
    logarithm, 0 where x is, and the mark 1 of a zero among the classes: a mass at 0 is no value near the small ones.
    With ``mask`` the marks of what was observed stand behind them, 1 or 0 a column. loc and scale are not learned.
    Raises ValueError where there is not one of each a column, a scale is not positive, or a reading is unknown.

    >>> coding = Coding(jnp.array([10.0, 0.0]), jnp.array([2.0, 1.0]), ("linear", ("classes", 3)))
    >>> coding(jnp.array([14.0, 1.0]), None).tolist(), coding.features
    ([2.0, 0.0, 1.0, 0.0], 4)
    >>> coding(jnp.array([0.0, 1.0]), jnp.array([False, True])).tolist()
    [0.0, 0.0, 1.0, 0.0]
    >>> rain = Coding(jnp.array([1.0]), jnp.array([2.0]), ("log_or_zero",))
    >>> [rain(jnp.array([x]), None).round(3).tolist() for x in (1.0, 0.0)]
    [[-0.5, 0.0], [0.0, 1.0]]
    """

    loc: Float[Array, " columns"]
    scale: Float[Array, " columns"]
    readings: tuple[Encoding, ...] = eqx.field(static=True)
    mask: bool = eqx.field(static=True)

    def __init__(
        self,
        loc: Float[AnyArray, " columns"],
        scale: Float[AnyArray, " columns"],
        readings: Sequence[Encoding] | None = None,
        *,
        mask: bool = False,
    ) -> None:
        columns = len(loc)
        self.readings = ("linear",) * columns if readings is None else tuple(readings)
        if len(scale) != columns or len(self.readings) != columns:
            raise ValueError(
                f"a coding needs a loc, a scale and a reading for each column, got {columns}, {len(scale)} and "
                f"{len(self.readings)}"
            )
        for reading in self.readings:
            if reading not in _NAMES and not (isinstance(reading, tuple) and reading[1] > 1):
                raise ValueError(
                    f"a reading must be one of {', '.join(_NAMES)} or ('classes', at least 2): got {reading!r}"
                )
        if not isinstance(scale, Tracer) and not np.all(np.asarray(scale) > 0):
            raise ValueError(f"the scales of a coding must be positive, got {scale}")
        self.loc, self.scale, self.mask = jnp.asarray(loc, float), jnp.asarray(scale, float), mask

    @property
    def features(self) -> int:
        """How many numbers an encoder is given."""
        sizes = [
            reading[1] if isinstance(reading, tuple) else 1 + (reading == "log_or_zero") for reading in self.readings
        ]
        return sum(sizes) + self.mask * len(sizes)

    def __call__(self, values: Array, observed: Bool[Array, " columns"] | None) -> Float[Array, " features"]:
        """What an encoder is given for the values [columns] of a row of which those marked were observed."""
        here = jnp.ones(len(self.readings)) if observed is None else observed.astype(float)
        loc, scale = jax.lax.stop_gradient((self.loc, self.scale))
        zero = (values == 0) & np.array([reading == "log_or_zero" for reading in self.readings])
        numbers = jnp.where(zero, 0, here * (self._read(values) - loc) / scale)
        plain = [j for j, reading in enumerate(self.readings) if not isinstance(reading, tuple)]
        parts = [numbers[np.array(plain, int)]]
        for j, reading in enumerate(self.readings):
            if isinstance(reading, tuple):
                parts.append(here[j] * (values[j] == jnp.arange(reading[1])))
            elif reading == "log_or_zero":
                parts.append(here[j, None] * zero[j])
        return jnp.concatenate([*parts, here] if self.mask else parts)

    def _read(self, values: Array) -> Array:
        """f_j of every column; of classes, whatever there is."""
        log = np.array([reading in ("log", "log_or_zero") for reading in self.readings])
        log1p = np.array([reading == "log1p" for reading in self.readings])
        read = jnp.where(log, jnp.log(jnp.where(log, jnp.maximum(values, _LEAST), 1)), values)
        return jnp.where(log1p, jnp.log1p(jnp.where(log1p, jnp.maximum(values, 0), 0)), read)
