"""Families with a location and a scale."""

from typing import Literal, TypeAlias

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray
from iwax.families.family import Family
from iwax.families.outputs import located, log_of_positive
from iwax.numerics import check_floor

__all__ = ["LocationScale", "Positive", "learned"]

Positive: TypeAlias = float | AnyArray | Literal["network"]  # a positive number, or one per feature, or the network's


def learned(number: Positive, features: int | None, name: str, who: str) -> Float[Array, "*features"] | None:
    """The logarithm at which a learned positive number starts, for each of the features; None for the network's.

    Raises ValueError where the number is not positive, or there are ``features`` but no number.

    >>> learned(1.0, 2, "scale", "a Gaussian likelihood"), learned("network", None, "scale", "a Gaussian likelihood")
    (Array([0., 0.], dtype=float32), None)
    """
    if isinstance(number, str):
        if number != "network" or features is not None:
            got = f"got {number!r}" + ("" if features is None else f" and features={features}")
            raise ValueError(f"the {name} of {who} must be 'network' or a positive number, with features=; {got}")
        return None
    log = log_of_positive(number, name, who)
    return log if features is None else jnp.full(features, log)


class LocationScale(Family):
    """``loc_j`` and a scale that is learned, one for all features or one per feature, or given by the network.

    ``log_scale`` is None where the network gives ``(loc, log scale)``, or, with a ``floor``, what a scale of at least
    that is made of (`numerics.scale_of`). Raises ValueError where the floor is below 0.
    """

    log_scale: Float[Array, "*features"] | None
    floor: float = eqx.field(static=True)

    def __init__(self, scale: Positive = "network", *, features: int | None = None, floor: float = 0.0) -> None:
        check_floor(floor, self.who)
        self.log_scale, self.floor = learned(scale, features, "scale", self.who), floor

    @classmethod
    def of_network(cls, *, floor: float = 0.0) -> "LocationScale":
        """The family whose scale the network gives, at least the floor."""
        return cls(floor=floor)

    def located(self, outputs: Array, *, fixed: bool = False) -> tuple[Array, Array]:
        """loc and scale [features], given the outputs."""
        return located(outputs, self.log_scale, self.who, fixed=fixed, floor=self.floor)
