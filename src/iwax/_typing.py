"""The vocabulary of shapes: axes are ordered draws ``k``, ``batch``, event.

Those made by `TypeAliasType` print by their names in a signature, as ``help(iwax.inference.impute)`` shows it.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing
from jaxtyping import Array, Float, Key
from typing_extensions import TypeAliasType

AnyArray: TypeAlias = Array | np.ndarray
ArrayLike = TypeAliasType("ArrayLike", numpy.typing.ArrayLike)  # what np.asarray takes
PRNGKey = TypeAliasType("PRNGKey", Key[Array, ""])
LogWeights = TypeAliasType("LogWeights", Float[AnyArray, "k *batch"])
PerDatum = TypeAliasType("PerDatum", Float[AnyArray, "*batch"])
Scalar: TypeAlias = Float[Array, ""]

__all__ = ["AnyArray", "ArrayLike", "LogWeights", "PRNGKey", "PerDatum", "Scalar"]
