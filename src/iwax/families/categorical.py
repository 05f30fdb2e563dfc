"""One of several classes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax.families.family import Family
from iwax.families.outputs import split
from iwax.families.start import LEAST, Cells, Start
from iwax.nn import Encoding
from iwax.supports import Whole

__all__ = ["Categorical"]


class Categorical(Family):
    """``P(x_j = c) = softmax(m_j)_c``: values are the numbers of the classes, 0 to C - 1.

    The network gives the logits of class 0 for all features, then those of class 1, and so on. Raises ValueError where
    there are fewer than 2 classes.
    """

    name = "categorical"
    explorer = "categorical"

    classes: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"{self.who} needs at least 2 classes, got {self.classes}")

    @property
    def support(self) -> Whole:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The numbers of the classes."""
        return Whole(0, self.classes - 1)

    @property
    def encoding(self) -> Encoding:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A number for each class."""
        return ("classes", self.classes)

    @property
    def outputs_per_feature(self) -> int:
        """A logit for each class."""
        return self.classes

    def of_outputs(self, outputs: Array) -> distributions.Categorical:
        """At the logits, class by class."""
        return distributions.Categorical(jnp.stack(split(outputs, self.classes, self.who), axis=-1))

    def column(self, cells: Cells) -> Start:
        """The share of each class."""
        shares = np.maximum(np.bincount(cells.astype(int), minlength=self.classes) / cells.size, LEAST)
        return Start(tuple(np.log(shares).tolist()))
