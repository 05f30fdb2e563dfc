"""What an encoder reads of a row of a table: features on scales that suit a network, with missing values."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from iwax._typing import AnyArray
from iwax.nn.sizes import units

__all__ = ["Encoding", "FeatureEncoding"]

Encoding: TypeAlias = Literal["linear", "log", "log1p", "log_or_zero"] | tuple[Literal["classes"], int]

_NAMES = ("linear", "log", "log1p", "log_or_zero")
_LEAST = 1e-30  # below any positive number of a table; its logarithm is finite


class FeatureEncoding(eqx.Module):
    """``(f_j(x_j) - loc_j) / scale_j`` of every column, 0 where nothing was observed, and classes as one-hot vectors.

    ``encodings`` name f_j: "linear" (x itself), "log", "log1p", "log_or_zero", or ``("classes", C)`` for the numbers 0
    to C - 1 of classes, which become C numbers, all 0 where nothing was observed. "log_or_zero" is two numbers: the
    logarithm, 0 where x is, and an indicator of a zero among the classes: a mass at 0 is no value near the small ones.
    With ``mask`` indicators of what was observed follow, 1 or 0 per column. loc and scale are not learned. Raises
    ValueError unless there is one of each per column, scales are positive, and encodings are known.

    >>> encoding = FeatureEncoding(jnp.array([10.0, 0.0]), jnp.array([2.0, 1.0]), ("linear", ("classes", 3)))
    >>> encoding(jnp.array([14.0, 1.0]), None).tolist(), encoding.features
    ([2.0, 0.0, 1.0, 0.0], 4)
    >>> encoding(jnp.array([0.0, 1.0]), jnp.array([False, True])).tolist()
    [0.0, 0.0, 1.0, 0.0]
    >>> rain = FeatureEncoding(jnp.array([1.0]), jnp.array([2.0]), ("log_or_zero",))
    >>> [rain(jnp.array([x]), None).round(3).tolist() for x in (1.0, 0.0)]
    [[-0.5, 0.0], [0.0, 1.0]]
    """

    loc: Float[Array, " columns"]
    scale: Float[Array, " columns"]
    encodings: tuple[Encoding, ...] = eqx.field(static=True)
    mask: bool = eqx.field(static=True)

    def __init__(
        self,
        loc: Float[AnyArray, " columns"],
        scale: Float[AnyArray, " columns"],
        encodings: Sequence[Encoding] | None = None,
        *,
        mask: bool = False,
    ) -> None:
        self.loc, self.scale = units(loc, scale, "a feature encoding")
        self.encodings = ("linear",) * len(loc) if encodings is None else tuple(encodings)
        if len(self.encodings) != len(loc):
            raise ValueError(f"one encoding per column was needed, got {len(self.encodings)} for {len(loc)} columns")
        for each in self.encodings:
            if each not in _NAMES and not (isinstance(each, tuple) and each[1] > 1):
                raise ValueError(
                    f"an encoding must be one of {', '.join(_NAMES)} or ('classes', at least 2): got {each!r}"
                )
        self.mask = mask

    @property
    def features(self) -> int:
        """How many numbers an encoder is given."""
        sizes = [each[1] if isinstance(each, tuple) else 1 + (each == "log_or_zero") for each in self.encodings]
        return sum(sizes) + self.mask * len(sizes)

    def __call__(self, values: Array, observed: Bool[Array, " columns"] | None) -> Float[Array, " features"]:
        """What an encoder is given for the values [columns] of a row, of which those ``observed`` count."""
        here = jnp.ones(len(self.encodings)) if observed is None else observed.astype(float)
        loc, scale = jax.lax.stop_gradient((self.loc, self.scale))
        zero = (values == 0) & self._of("log_or_zero")
        numbers = jnp.where(zero, 0, here * (self._transformed(values) - loc) / scale)
        plain = [j for j, each in enumerate(self.encodings) if not isinstance(each, tuple)]
        parts = [numbers[np.array(plain, int)]]
        for j, each in enumerate(self.encodings):
            if isinstance(each, tuple):
                parts.append(here[j] * (values[j] == jnp.arange(each[1])))
            elif each == "log_or_zero":
                parts.append(here[j, None] * zero[j])
        return jnp.concatenate([*parts, here] if self.mask else parts)

    def _transformed(self, values: Array) -> Array:
        """f_j of every column; for classes, any number."""
        log, log1p = self._of("log", "log_or_zero"), self._of("log1p")
        found = jnp.where(log, jnp.log(jnp.where(log, jnp.maximum(values, _LEAST), 1)), values)
        return jnp.where(log1p, jnp.log1p(jnp.where(log1p, jnp.maximum(values, 0), 0)), found)

    def _of(self, *names: str) -> np.ndarray:
        """Which columns have one of these encodings."""
        return np.array([each in names for each in self.encodings])
