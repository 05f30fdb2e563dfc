"""Stochastic weights in dense networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from iwax.settings.fields import number
from iwax.settings.parted import Kind

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = ["StochasticWeights"]


class StochasticWeights(Kind):
    """Whose dense networks have stochastic weights, and where their standard deviation starts and ends."""

    HEAD: ClassVar[str] = "of"

    of: Literal["encoder", "decoder", "both"] = Field(description="one of encoder, decoder, both")
    sigma: float = number(0.01, "standard deviation at which stochastic weights start, from 0 to 10", ge=0.0, le=10.0)
    floor: float = number(0.0, "a lower limit on it, from 0 to sigma", ge=0.0, le=10.0)

    def check(self, model: Model) -> None:
        asked = f"model.stochastic_weights={self.of}"
        if model.network.convolutional:
            raise ValueError(f"{asked} needs dense networks, got model.network={model.network.kind}: use mlp or gated")
        if model.likelihood.pictures and self.of != "encoder":
            raise ValueError(
                f"{asked} needs a decoder that is dense, got model.likelihood={model.likelihood.kind}: use "
                "stochastic_weights=encoder, or another likelihood"
            )
        if self.floor > self.sigma:
            raise ValueError(
                f"model.stochastic_weights.floor needs to be at most model.stochastic_weights.sigma={self.sigma:g}, "
                f"where it starts, got {self.floor:g}"
            )
        if model.posterior.kind == "prior" and self.of != "decoder":
            raise ValueError(f"{asked} needs an encoder, got model.posterior=prior: use stochastic_weights=decoder")
        if model.prior.kind in ("vamp", "exemplar") and self.of != "decoder":
            raise ValueError(
                f"{asked} has no density q(z|x) that model.prior={model.prior.kind} could be a mixture of: use "
                "stochastic_weights=decoder, or another prior"
            )
