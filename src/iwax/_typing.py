"""The vocabulary of shapes: axes are ordered draws ``k``, ``batch``, event."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array, Float, Key

AnyArray: TypeAlias = Array | np.ndarray
PRNGKey: TypeAlias = Key[Array, ""]
LogWeights: TypeAlias = Float[AnyArray, "k *batch"]
PerDatum: TypeAlias = Float[AnyArray, "*batch"]
Scalar: TypeAlias = Float[Array, ""]

__all__ = ["AnyArray", "LogWeights", "PRNGKey", "PerDatum", "Scalar"]
