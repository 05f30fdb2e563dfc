"""What a family of distributions says of itself: all that is needed of a density of independent features."""

import dataclasses
from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import supports
from iwax.distributions import AbstractIndependent
from iwax.families.start import Cells, Start, encoded
from iwax.nn import Encoding
from iwax.supports import Support

__all__ = ["Family"]


class Family(eqx.Module):
    """``p(x_j | eta_j)`` of independent features j: what a network gives of each is eta_j, or part of it.

    A subclass gives `of_outputs`, and says what differs from here: its ``name`` in settings and tables, and ``title``
    in messages; the ``support``; how an encoder reads x (``encoding``); whether grey values 0..255 are taken as
    fractions k/255 (``grey``); its name in the report's likelihood.js (``explorer``), which finds numbers and arrays by
    the names of the fields. Numbers that are learned next to the network are fields, each None where the network gives
    it, after those ``outputs`` that it always gives.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    support: ClassVar[Support] = supports.real
    encoding: ClassVar[Encoding] = "linear"
    outputs: ClassVar[int] = 1
    grey: ClassVar[bool] = False
    explorer: ClassVar[str | None] = None

    @classmethod
    def of_network(cls, *, floor: float = 0.0) -> "Family":
        """The family all of whose parameters a network gives; no scale is below the floor, where it has one."""
        return cls()

    @property
    def who(self) -> str:
        """The likelihood of this family, as messages name it."""
        title = self.title or self.name.replace("_", " ") or type(self).__name__
        return f"a{'n' * (title[0] in 'AEIOUaeiou')} {title} likelihood"

    @property
    def outputs_per_feature(self) -> int:
        """How many outputs of the network each feature needs."""
        return self.outputs + sum(vars(self)[field.name] is None for field in dataclasses.fields(self))

    @abstractmethod
    def of_outputs(self, outputs: Float[Array, " outputs"]) -> AbstractIndependent:
        """The distribution of x, given the network's outputs: the first of all features, then the second of all ..."""

    def start(self, mean: Float[Array, " features"], scale: Float[Array, " features"]) -> tuple[Array, ...]:
        """The first outputs of an untrained network, by mean and standard deviation of the features; others are 0."""
        return ()

    def column(self, cells: Cells) -> Start:
        """Where a column of a table starts whose observed values are these, not all alike.

        Real numbers are brought to mean 0 and standard deviation 1, in which the network then counts.
        """
        loc, scale = float(cells.mean()), float(cells.std())
        units, (loc, scale) = (
            ((loc, scale), (0.0, 1.0)) if self.support == supports.real else ((0.0, 1.0), (loc, scale))
        )
        first = [float(output[0]) for output in self.start(jnp.full(1, loc), jnp.full(1, scale))]
        outputs = np.zeros(self.outputs_per_feature)
        outputs[: len(first)] = first
        return Start(tuple(outputs.tolist()), encoded(self.encoding, cells), units)

    def in_units(self, loc: Float[np.ndarray, " features"], scale: Float[np.ndarray, " features"]) -> "Family":
        """The family in units of its own, where whole numbers must stay whole; else itself."""
        return self
