"""Slots of memory in the decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from iwax.settings.fields import LARGEST_DEPTH, LARGEST_LAYER, one_of
from iwax.settings.parted import Kind

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = ["Memory"]

Attention: TypeAlias = Literal["sigmoid", "softmax"]
Composition: TypeAlias = Literal["full", "sum"]


class Memory(Kind):
    """Slots behind every hidden layer of the decoder, and how they are read (Li, Zhu and Zhang 2016)."""

    HEAD: ClassVar[str] = "slots"

    slots: Annotated[tuple[Annotated[int, Field(ge=0, le=LARGEST_LAYER)], ...], Field(max_length=LARGEST_DEPTH)]
    attention: Attention = Field(default="sigmoid", description=f"how slots are read: {one_of(Attention)}")
    composition: Composition = Field(default="full", description=f"what is made of what is read: {one_of(Composition)}")

    def check(self, model: Model) -> None:
        several, dense = len(model.latents) > 1, model.network.kind == "mlp"
        if several or model.likelihood.pictures or not dense:
            raise ValueError(
                "model.memory needs one stochastic layer and a dense decoder (network=mlp), got "
                f"latent={model.latent}, likelihood={model.likelihood.kind} and network={model.network.kind}"
            )
        of = None if model.stochastic_weights is None else model.stochastic_weights.of
        if model.activation != "relu" or of in ("decoder", "both"):
            raise ValueError(
                "model.memory needs model.activation=relu and a decoder without stochastic weights, got "
                f"activation={model.activation} and stochastic_weights={of}"
            )
