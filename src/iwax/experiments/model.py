"""What a model is made of: sizes and families of prior, likelihood and posterior, as settings."""

import itertools
import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iwax.experiments.agreement import SIGMA, parts_agree
from iwax.experiments.families import (
    DEFAULTS,
    OF_POSTERIOR,
    OF_PRIOR,
    Activation,
    Attention,
    Composition,
    Likelihood,
    Order,
    Posterior,
    Prior,
)
from iwax.experiments.fields import Section, integer, number, one_of

__all__ = ["LARGEST_WEIGHTS", "Model"]

LARGEST_LAYER = 65_536
LARGEST_DEPTH = 64
LARGEST_CHAIN = 32
LARGEST_STEPS = 1_000
LARGEST_WEIGHTS = 1_000_000_000  # numbers in one network: 4 GB in single precision

Units = Annotated[int, Field(ge=1, le=LARGEST_LAYER)]
Slots = Annotated[int, Field(ge=0, le=LARGEST_LAYER)]
Widths = Annotated[tuple[Units, ...], Field(max_length=LARGEST_DEPTH)]


class Model(Section):
    """Sizes and families of prior, likelihood and posterior; of a chain, layer by layer from the data up."""

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
    network: Literal["mlp", "gated", "conv", "conv_hvae"] | None = Field(
        default=None,
        description="mlp, gated (dense layers with gates instead of the activation), conv (convolutions of images, "
        "then dense layers), conv_hvae (the gated convolutions of Tomczak and Welling), or null (mlp)",
    )
    channels: Annotated[tuple[Units, ...], Field(min_length=1, max_length=LARGEST_DEPTH)] | None = Field(
        default=None,
        description="of network=conv, channels of every convolution of the encoder, and backwards of the decoder: a "
        f"list of integers from 1 to {LARGEST_LAYER}, or null ([16, 32])",
    )
    kernel: int | None = Field(
        default=None, ge=1, le=255, description="of network=conv, the width of every kernel: odd, to 255; null is 3"
    )
    stride: int | None = integer(None, 1, 16, "of every convolution of network=conv; null is 2")
    likelihood: Likelihood | None = Field(default=None, description=one_of(Likelihood, "chosen from the data"))
    mask: bool | None = Field(
        default=None,
        description="true (the encoder also reads which values were observed), false, or null (where the training data "
        "have holes)",
    )
    variance: Literal["fixed", "scalar", "feature", "network"] = Field(
        default="network", description="of a Gaussian likelihood: fixed, scalar, feature or network"
    )
    scale: float = number(1.0, "a standard deviation from 1e-6 to 1e6 (held if fixed, else the start)", ge=1e-6, le=1e6)
    scale_floor: float | None = number(
        None,
        "a number from 0 to 1, or null for 0 (least scale of p(x|z) in a table: in standard deviations of a column or, "
        "if it is log-normal, of the logarithm; above 0, that of q(z|x) is 1e-6)",
        ge=0.0,
        le=1.0,
    )
    prior: Prior = Field(default="standard_normal", description=one_of(Prior))
    prior_components: int | None = integer(
        None, 1, LARGEST_LAYER, "of a mixture, pseudo-inputs or exemplars; null is 500"
    )
    prior_steps: int | None = integer(None, 1, LARGEST_STEPS, "maps of a flow or autoregressive prior; null is 4")
    pseudo_inputs: Literal["mean", "random", "data"] | None = Field(
        default=None,
        description="how a VampPrior starts: mean, random, data, or null (mean: noise round the data's mean)",
    )
    posterior: Posterior = Field(default="gaussian", description=one_of(Posterior))
    posterior_steps: int | None = integer(
        None, 1, LARGEST_STEPS, "reflections, maps or leapfrog steps of a flow posterior; null is 4"
    )
    posterior_components: int | None = integer(
        None, 1, LARGEST_LAYER, "of a mixture or a convex combination, planes of a Sylvester flow; null is 5"
    )
    flow_hidden: Widths | None = Field(
        default=None,
        description=f"hidden layers of a flow's nets, a list of integers from 1 to {LARGEST_LAYER}, or null ([100])",
    )
    uncertain: Literal["encoder", "decoder", "both"] | None = Field(
        default=None,
        description="whose dense networks have random weights: encoder (of the posterior), decoder (of the likelihood "
        "and of priors of layers), both, or null (none)",
    )
    sigma: float | None = number(
        None, "standard deviation at which random weights start, from 0 to 10; null is 0.01", ge=0.0, le=10.0
    )
    sigma_floor: float | None = number(
        None, "what random weights keep of it at least, from 0 to model.sigma; null is 0", ge=0.0, le=10.0
    )
    layer_norm: bool | None = Field(
        default=None, description="true (hidden layers are normalised over their features), false, or null (false)"
    )
    memory: Annotated[tuple[Slots, ...], Field(max_length=LARGEST_DEPTH)] | None = Field(
        default=None,
        description="slots of memory behind every hidden layer of the decoder, from the data up, 0 for none, or null",
    )
    attention: Attention | None = Field(default=None, description=f"how slots are read: {one_of(Attention, 'sigmoid')}")
    composition: Composition | None = Field(
        default=None, description=f"what is made of what is read: {one_of(Composition, 'full')}"
    )
    order: Order | None = Field(
        default=None,
        description=f"of several layers, how the posterior is drawn: {one_of(Order, 'bottom_up')}",
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

    def number(self, name: str) -> int:
        """A setting of a part, or what null stands for.

        >>> Model().number("posterior_steps"), Model(posterior_steps=10).number("posterior_steps")
        (4, 10)
        """
        value = getattr(self, name)
        return DEFAULTS[name] if value is None else value

    def uncertainty(self, network: Literal["encoder", "decoder"]) -> tuple[float | None, float]:
        """Where the standard deviation of the weights starts (None: they are not random), and its floor.

        >>> Model().uncertainty("encoder"), Model(uncertain="both").uncertainty("encoder")
        ((None, 0.0), (0.01, 0.0))
        """
        if self.uncertain not in (network, "both"):
            return None, 0.0
        return SIGMA if self.sigma is None else self.sigma, self.sigma_floor or 0.0

    @property
    def convolutions(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, kernel, stride) of every convolution of the encoder of network=conv.

        >>> Model(network="conv", channels=(8,)).convolutions
        ((8, 3, 2),)
        """
        channels = (16, 32) if self.channels is None else self.channels
        return tuple((each, self.number("kernel"), self.number("stride")) for each in channels)

    @property
    def maps_hidden(self) -> tuple[int, ...]:
        """Hidden widths of the nets inside flows."""
        return (100,) if self.flow_hidden is None else self.flow_hidden

    @property
    def parameterless(self) -> tuple[str, ...]:
        """Settings that were given and that no part uses.

        >>> Model(posterior_steps=10).parameterless
        ('posterior_steps',)
        """
        used = {*OF_POSTERIOR.get(self.posterior, ()), *OF_PRIOR.get(self.prior, ())}
        of_weights = ("sigma", "sigma_floor")
        of_memory, of_conv = ("attention", "composition"), ("channels", "kernel", "stride")
        used |= set(of_weights) if self.uncertain is not None else set()
        used |= set(of_memory) if self.memory is not None else set()
        used |= set(of_conv) if self.network == "conv" else set()
        parts = (*OF_POSTERIOR.values(), *OF_PRIOR.values(), of_weights, of_memory, of_conv)
        own = {name for names in parts for name in names}
        return tuple(sorted(name for name in own - used if getattr(self, name) is not None))

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if len(self.hiddens) != len(self.latents):
            raise ValueError(
                f"model.hidden needs one list for each of the {len(self.latents)} stochastic layers of "
                f"model.latent={list(self.latents)}, got {len(self.hiddens)} lists"
            )
        if (self.posterior == "bernoulli") != (self.prior == "bernoulli"):
            raise ValueError(
                "model.prior and model.posterior need latents of one kind, "
                f"got prior={self.prior} and posterior={self.posterior}; binary latents need both to be bernoulli"
            )
        parts_agree(self)
        weights = self.weights(features=1)
        if weights > LARGEST_WEIGHTS:
            raise ValueError(
                f"model.hidden and model.latent need to give at most {LARGEST_WEIGHTS} weights, got {weights}"
            )
        return self

    def weights(self, features: int) -> int:
        """How many numbers the dense networks hold, biases and flows left out; for refusing what no memory would take.

        >>> Model(latent=50, hidden=(200, 200)).weights(features=784)
        423600
        """
        below = (features, *self.latents[:-1])
        heads = [2 if self.likelihood == "gaussian" and self.variance == "network" else 1]
        heads += [2] * (len(self.latents) - 1)  # p(z_l | z_{l+1}): a mean and a log-scale
        total = 0
        for inputs, hidden, latent, outputs in zip(below, self.hiddens, self.latents, heads, strict=True):
            up, down = (inputs, *hidden, 2 * latent), (latent, *reversed(hidden), outputs * inputs)
            total += sum(math.prod(pair) for path in (up, down) for pair in itertools.pairwise(path))
        return total
