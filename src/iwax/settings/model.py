"""What a model is made of: sizes, networks, prior, likelihood and posterior, as settings."""

import itertools
import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iwax.settings.fields import LARGEST_LAYER, Units, Widths, number, one_of
from iwax.settings.parted import Parted, kind_of
from iwax.settings.parts.likelihoods import Chosen, Gaussian, Likelihood
from iwax.settings.parts.memory import Memory
from iwax.settings.parts.networks import Dense, Network
from iwax.settings.parts.posteriors import Factorized, Flow, Posterior
from iwax.settings.parts.priors import Prior, StandardNormal
from iwax.settings.parts.stochastic_weights import StochasticWeights

__all__ = ["LARGEST_WEIGHTS", "Model"]

Activation = Literal["tanh", "relu", "softplus", "gelu", "silu", "leaky_relu"]
Order = Literal["bottom_up", "top_down", "ladder"]
LARGEST_CHAIN = 32
LARGEST_WEIGHTS = 1_000_000_000  # numbers in one network: 4 GB in single precision


class Model(Parted):
    """Sizes and parts of a model; of a chain, layer by layer from the data up.

    >>> Model(posterior="householder", posterior_steps=10) == Model(posterior={"kind": "householder", "steps": 10})
    True
    """

    latent: Units | Annotated[tuple[Units, ...], Field(min_length=1, max_length=LARGEST_CHAIN)] = Field(
        default=50,
        description=f"latent units, an integer from 1 to {LARGEST_LAYER}, "
        "or a list of them for several stochastic layers, from the data up",
    )
    hidden: Widths | Annotated[tuple[Widths, ...], Field(max_length=LARGEST_CHAIN)] = Field(
        default=(200, 200),
        description=f"hidden layers, a list of integers from 1 to {LARGEST_LAYER}, "
        "or one such list for each stochastic layer",
    )
    activation: Activation = Field(default="tanh", description=one_of(Activation))
    network: Network = Field(
        default=Dense(),
        description="mlp, gated (dense layers with gates instead of the activation), conv (convolutions of images, "
        "then dense layers), conv_hvae (the gated convolutions of Tomczak and Welling), or null (mlp)",
    )
    layer_norm: bool | None = Field(
        default=None, description="true (hidden layers are normalised over their features), false, or null (false)"
    )
    likelihood: Likelihood = Field(default=Chosen(), description=kind_of(Likelihood, "chosen from the data"))
    mask: bool | None = Field(
        default=None,
        description="true (the encoder also reads which values were observed), false, or null (where the training data "
        "lack values)",
    )
    scale_floor: float | None = number(
        None,
        "a number from 0 to 1, or null for 0 (least scale of p(x|z) in a table: in standard deviations of the column "
        "or, if it is log-normal, of the logarithm; above 0, that of q(z|x) is 1e-6)",
        ge=0.0,
        le=1.0,
    )
    prior: Prior = Field(default=StandardNormal(), description=kind_of(Prior))
    posterior: Posterior = Field(default=Factorized(), description=kind_of(Posterior))
    order: Order | None = Field(
        default=None,
        description=f"of several layers, how the posterior is drawn: {one_of(Order, 'bottom_up')}",
    )
    stochastic_weights: StochasticWeights | None = Field(
        default=None,
        description="whose dense networks have stochastic weights: encoder (of the posterior), decoder (of the "
        "likelihood and of priors of layers), both, or null (none)",
    )
    memory: Memory | None = Field(
        default=None,
        description="slots of memory behind every hidden layer of the decoder, from the data up, 0 for none, or null",
    )

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent units of every stochastic layer, from the data up.

        >>> Model(latent=50).latents, Model(latent=(100, 50)).latents
        ((50,), (100, 50))
        """
        return (self.latent,) if isinstance(self.latent, int) else self.latent

    @property
    def hiddens(self) -> tuple[tuple[int, ...], ...]:
        """Hidden widths of every stochastic layer, from the data up; one flat list serves them all.

        >>> Model(latent=(100, 50), hidden=(64,)).hiddens
        ((64,), (64,))
        """
        nested = tuple(widths for widths in self.hidden if isinstance(widths, tuple))
        if nested:
            return nested
        flat = tuple(width for width in self.hidden if isinstance(width, int))
        return (flat,) * len(self.latents)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if len(self.hiddens) != len(self.latents):
            raise ValueError(
                f"model.hidden needs one list for each of the {len(self.latents)} stochastic layers of "
                f"model.latent={list(self.latents)}, got {len(self.hiddens)} lists"
            )
        if self.order is not None and len(self.latents) == 1:
            raise ValueError(
                f"model.order={self.order} needs several stochastic layers, got model.latent={self.latent}"
            )
        if (self.posterior.kind == "bernoulli") != (self.prior.kind == "bernoulli"):
            raise ValueError(
                "model.prior and model.posterior need latents of one kind, got prior="
                f"{self.prior.kind} and posterior={self.posterior.kind}; binary latents need both to be bernoulli"
            )
        if (isinstance(self.posterior, Flow) or self.order in ("top_down", "ladder")) and not all(self.hiddens):
            raise ValueError(
                "model.hidden needs at least one layer here, off whose output the parameters are read, got []"
            )
        for part in (self.network, self.posterior, self.prior, self.stochastic_weights, self.memory):
            if part is not None:
                part.check(self)
        weights = self.weights(features=1)
        if weights > LARGEST_WEIGHTS:
            raise ValueError(
                f"model.hidden and model.latent need to give at most {LARGEST_WEIGHTS} weights, got {weights}"
            )
        return self

    def with_likelihood(self, kind: str) -> Self:
        """The same, where the likelihood was left to the data with that kind.

        >>> Model(variance="feature").with_likelihood("gaussian").likelihood.kind
        'gaussian'
        """
        if self.likelihood.kind is not None:
            return self
        return type(self).model_validate(self.model_dump() | {"likelihood": dict(self.likelihood) | {"kind": kind}})

    def weights(self, features: int) -> int:
        """How many numbers the dense networks hold, biases and flows left out; for refusing what no memory would take.

        >>> Model(latent=50, hidden=(200, 200)).weights(features=784)
        423600
        """
        below = (features, *self.latents[:-1])
        heads = [2 if isinstance(self.likelihood, Gaussian) and self.likelihood.variance == "network" else 1]
        heads += [2] * (len(self.latents) - 1)  # p(z_l | z_{l+1}): a mean and a log-scale
        total = 0
        for inputs, hidden, latent, outputs in zip(below, self.hiddens, self.latents, heads, strict=True):
            up, down = (inputs, *hidden, 2 * latent), (latent, *reversed(hidden), outputs * inputs)
            total += sum(math.prod(pair) for path in (up, down) for pair in itertools.pairwise(path))
        return total
