"""What a model is made of: sizes and families of prior, likelihood and posterior, as settings."""

import itertools
import math
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from iwax.experiments.families import (
    DEFAULTS,
    IMAGE_LIKELIHOODS,
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
from iwax.experiments.fields import Section, integer, number

__all__ = ["LARGEST_WEIGHTS", "Model"]

LARGEST_LAYER = 65_536
LARGEST_DEPTH = 64
LARGEST_CHAIN = 32
LARGEST_STEPS = 1_000
LARGEST_WEIGHTS = 1_000_000_000  # numbers in one network: 4 GB in single precision

Units = Annotated[int, Field(ge=1, le=LARGEST_LAYER)]
Slots = Annotated[int, Field(ge=0, le=LARGEST_LAYER)]
Widths = Annotated[tuple[Units, ...], Field(max_length=LARGEST_DEPTH)]

_SIGMA = 0.01  # of random weights at the start


def _one_of(choices: object, or_null: str = "") -> str:
    return f"one of {', '.join(get_args(choices))}{f', or null ({or_null})' if or_null else ''}"


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
    activation: Activation = Field(default="tanh", description=_one_of(Activation))
    network: Literal["mlp", "gated", "conv"] | None = Field(
        default=None,
        description="mlp, gated (dense layers with gates instead of the activation), conv (gated convolutions of "
        "images), or null (mlp)",
    )
    likelihood: Likelihood | None = Field(default=None, description=_one_of(Likelihood, "chosen from the data"))
    mask: bool | None = Field(
        default=None,
        description="true (the encoder also reads which values were observed), false, or null (where the training data "
        "have holes)",
    )
    variance: Literal["fixed", "scalar", "feature", "network"] = Field(
        default="network", description="of a Gaussian likelihood: fixed, scalar, feature or network"
    )
    scale: float = number(1.0, "a standard deviation from 1e-6 to 1e6 (held if fixed, else the start)", ge=1e-6, le=1e6)
    prior: Prior = Field(default="standard_normal", description=_one_of(Prior))
    prior_components: int | None = integer(
        None, 1, LARGEST_LAYER, "of a mixture, pseudo-inputs or exemplars; null is 500"
    )
    prior_steps: int | None = integer(None, 1, LARGEST_STEPS, "maps of a flow or autoregressive prior; null is 4")
    pseudo_inputs: Literal["mean", "random", "data"] | None = Field(
        default=None,
        description="how a VampPrior starts: mean, random, data, or null (mean: noise round the data's mean)",
    )
    posterior: Posterior = Field(default="gaussian", description=_one_of(Posterior))
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
    attention: Attention | None = Field(
        default=None, description=f"how slots are read: {_one_of(Attention, 'sigmoid')}"
    )
    composition: Composition | None = Field(
        default=None, description=f"what is made of what is read: {_one_of(Composition, 'full')}"
    )
    order: Order | None = Field(
        default=None,
        description=f"of several layers, how the posterior is drawn: {_one_of(Order, 'bottom_up')}",
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
        return _SIGMA if self.sigma is None else self.sigma, self.sigma_floor or 0.0

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
        of_memory = ("attention", "composition")
        used |= set(of_weights) if self.uncertain is not None else set()
        used |= set(of_memory) if self.memory is not None else set()
        own = {name for names in (*OF_POSTERIOR.values(), *OF_PRIOR.values(), of_weights, of_memory) for name in names}
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
        self._families_agree()
        weights = self.weights(features=1)
        if weights > LARGEST_WEIGHTS:
            raise ValueError(
                f"model.hidden and model.latent need to give at most {LARGEST_WEIGHTS} weights, got {weights}"
            )
        return self

    def _families_agree(self) -> None:
        several = len(self.latents) > 1
        if self.order is not None and not several:
            raise ValueError(
                f"model.order={self.order} needs several stochastic layers, got model.latent={self.latent}"
            )
        encodes = self.prior in ("vamp", "exemplar")
        if encodes and (self.posterior in ("hamiltonian", "prior") or (several and self.order in (None, "bottom_up"))):
            got = f"order={self.order or 'bottom_up'}" if several else f"posterior={self.posterior}"
            raise ValueError(
                f"model.prior={self.prior} needs q(z|x) of the topmost layer as a density, which {got} has not: use "
                "another posterior, or model.order=top_down or ladder for several layers"
            )
        if several and self.posterior not in ("gaussian", "bernoulli"):
            raise ValueError(
                f"model.posterior={self.posterior} needs one stochastic layer, got model.latent={list(self.latents)}; "
                "several take gaussian, with model.order"
            )
        if self.posterior == "bernoulli" and self.order in ("top_down", "ladder"):
            raise ValueError(f"model.order={self.order} needs Gaussian latents, got posterior=bernoulli")
        if self.posterior == "sylvester" and self.number("posterior_components") > self.latents[0]:
            raise ValueError(
                f"model.posterior_components of a Sylvester flow needs to be at most model.latent={self.latents[0]}, "
                f"got {self.number('posterior_components')}"
            )
        mixing = ("linear_iaf", "convex_linear_iaf", "nice", "real_nvp")
        if self.latents[-1] < 2 and (self.posterior in mixing or self.prior == "flow"):
            part = f"posterior={self.posterior}" if self.posterior in mixing else "prior=flow"
            raise ValueError(f"model.{part} mixes latents and needs at least 2, got model.latent={self.latents[-1]}")
        self._uncertainty_agrees()
        self._memory_agrees()
        trunk = self.posterior not in ("gaussian", "bernoulli", "full_gaussian", "mixture", "prior")
        if (trunk or self.order in ("top_down", "ladder")) and not all(self.hiddens):
            raise ValueError(
                "model.hidden needs at least one layer here, off whose output the parameters are read, got []"
            )

    def _uncertainty_agrees(self) -> None:
        if self.uncertain is None:
            return
        if self.network == "conv":
            raise ValueError(
                f"model.uncertain={self.uncertain} needs dense networks, got model.network=conv: use mlp or gated"
            )
        if self.likelihood in IMAGE_LIKELIHOODS and self.uncertain != "encoder":
            raise ValueError(
                f"model.uncertain={self.uncertain} needs a decoder that is dense, got model.likelihood="
                f"{self.likelihood}: use uncertain=encoder, or another likelihood"
            )
        start, floor = (_SIGMA if self.sigma is None else self.sigma), self.sigma_floor or 0.0
        if floor > start:
            raise ValueError(
                f"model.sigma_floor needs to be at most model.sigma={start:g}, where it starts, got {floor:g}"
            )
        if self.posterior == "prior" and self.uncertain != "decoder":
            raise ValueError(
                f"model.uncertain={self.uncertain} needs an encoder, got model.posterior=prior: use uncertain=decoder"
            )
        if self.prior in ("vamp", "exemplar") and self.uncertain != "decoder":
            raise ValueError(
                f"model.uncertain={self.uncertain} has no density q(z|x) that model.prior={self.prior} could be a "
                "mixture of: use uncertain=decoder, or another prior"
            )

    def _memory_agrees(self) -> None:
        if self.layer_norm and self.network in ("gated", "conv"):
            raise ValueError(f"model.layer_norm=true needs model.network=mlp, got {self.network}")
        if self.memory is None:
            return
        if len(self.latents) > 1 or self.likelihood in IMAGE_LIKELIHOODS or self.network in ("gated", "conv"):
            raise ValueError(
                "model.memory needs one stochastic layer and a dense decoder (network=mlp), got "
                f"latent={self.latent}, likelihood={self.likelihood} and network={self.network}"
            )
        if self.activation != "relu" or self.uncertain in ("decoder", "both"):
            raise ValueError(
                "model.memory needs model.activation=relu and a decoder whose weights are not random, got "
                f"activation={self.activation} and uncertain={self.uncertain}"
            )
        if len(self.memory) != len(self.hiddens[0]):
            raise ValueError(
                f"model.memory needs one number of slots for each of the {len(self.hiddens[0])} widths of "
                f"model.hidden, got {list(self.memory)}"
            )

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
