"""What is ascended: the settings of every bound, each with the function of log-weights that it makes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from iwax import bounds
from iwax.settings.fields import LARGEST_K, integer, number
from iwax.settings.parted import Kind

__all__ = ["Bound", "Miwae", "Plain"]


_PLAIN: Mapping[str, bounds.Bound] = MappingProxyType(
    {"elbo": bounds.elbo, "iwae": bounds.iwae, "vr_max": bounds.renyi(float("-inf"))}
)


class Plain(Kind):
    """A bound without parameters."""

    kind: Literal["elbo", "iwae", "vr_max"] = "iwae"

    def build(self) -> bounds.Bound:
        return _PLAIN[self.kind]


class Miwae(Kind):
    """The mean of the IWAE bounds of groups of draws."""

    kind: Literal["miwae"] = "miwae"
    m: int = integer(..., 1, LARGEST_K, "groups of draws, which divide k")

    def build(self) -> bounds.Bound:
        return bounds.miwae(self.m)


class Ciwae(Kind):
    """A mean of the ELBO and the IWAE bound."""

    kind: Literal["ciwae"] = "ciwae"
    beta: float = number(..., "a number from 0 (iwae) to 1 (elbo)", ge=0.0, le=1.0)

    def build(self) -> bounds.Bound:
        return bounds.ciwae(self.beta)


class Renyi(Kind):
    """A power mean of the weights."""

    kind: Literal["renyi"] = "renyi"
    alpha: float = number(..., "a number from -1000 to 1000 (1 is elbo, 0 iwae)", ge=-1e3, le=1e3)

    def build(self) -> bounds.Bound:
        return bounds.renyi(self.alpha)


class Jackknife(Kind):
    """The IWAE bound with its bias in 1/k removed, order by order."""

    kind: Literal["jackknife"] = "jackknife"
    order: int = integer(..., 0, 8, "0 is iwae")

    def build(self) -> bounds.Bound:
        return bounds.jackknife(self.order)


class Cubo(Kind):
    """An upper bound for large k: the n-th power mean of the weights."""

    kind: Literal["cubo"] = "cubo"
    n: float = number(..., "a number above 1, at most 1000", gt=1.0, le=1e3)

    def build(self) -> bounds.Bound:
        return bounds.cubo(self.n)


class Thermodynamic(Kind):
    """A sum over the path from prior to posterior."""

    kind: Literal["thermodynamic"] = "thermodynamic"
    intervals: int = integer(..., 1, 1000, "1 is elbo")

    def build(self) -> bounds.Bound:
        return bounds.thermodynamic(self.intervals)


class Sumo(Kind):
    """A series cut at random."""

    kind: Literal["sumo"] = "sumo"
    m: int = integer(..., 1, LARGEST_K, "the first draws, fewer than k")

    def build(self) -> bounds.Bound:
        return bounds.sumo(self.m)


Bound: TypeAlias = Annotated[
    Plain | Miwae | Ciwae | Renyi | Jackknife | Cubo | Thermodynamic | Sumo, Field(discriminator="kind")
]
