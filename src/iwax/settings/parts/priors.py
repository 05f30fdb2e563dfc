"""p(z): the settings of every kind, each with the part that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from iwax import bijections, likelihoods, posteriors, priors
from iwax._typing import PRNGKey
from iwax.parts import Likelihood
from iwax.parts import Prior as _Part
from iwax.settings.fields import LARGEST_LAYER, LARGEST_STEPS, Widths, integer
from iwax.settings.parted import Kind
from iwax.settings.parts.networks import FeatureStatistics, Networks

if TYPE_CHECKING:
    pass

__all__ = ["Prior", "StandardNormal"]

_STEPS = integer(4, 1, LARGEST_STEPS, "maps, one after another")
_NETS = Field(default=(100,), description=f"hidden layers of its nets, a list of integers from 1 to {LARGEST_LAYER}")
_LEAST_SCALE = 1e-3  # of a node's latents given its features
_ROUND_THE_MEAN = 0.01  # the noise of pseudo-inputs that start at the data's mean, as a fraction of the data's scale


class _Prior(Kind):
    """A prior of the topmost layer, with Gaussians given it below."""

    @property
    def examples(self) -> int:
        """How many training rows it is made of."""
        return 0

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        """p(z) of the topmost layer."""
        raise NotImplementedError

    def below(self, nets: Networks, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey) -> Likelihood:
        """p(z_l | z_{l+1})."""
        net = nets.dense(inputs, hidden, 2 * latent, of="decoder", key=key, heads=2)
        return likelihoods.Gaussian.of_network(net)


class StandardNormal(_Prior):
    """N(0, I)."""

    kind: Literal["standard_normal"] = "standard_normal"

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        return priors.StandardNormal(latent)


class Bernoulli(_Prior):
    """Independent bits, of every layer."""

    kind: Literal["bernoulli"] = "bernoulli"

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        return priors.Bernoulli(latent)

    def below(self, nets: Networks, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey) -> Likelihood:
        return likelihoods.Bernoulli(nets.dense(inputs, hidden, latent, of="decoder", key=key))


class Mixture(_Prior):
    """A mixture of normals."""

    kind: Literal["mixture"] = "mixture"
    components: int = integer(500, 1, LARGEST_LAYER, "normals")

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        return priors.Mixture(latent, components=self.components, key=key)


class Vamp(_Prior):
    """The posteriors at pseudo-inputs that are learned."""

    kind: Literal["vamp"] = "vamp"
    components: int = integer(500, 1, LARGEST_LAYER, "pseudo-inputs")
    pseudo_inputs: Literal["mean", "random", "data"] = Field(
        default="mean", description="how they start: mean (noise round the data's mean), random or data"
    )

    @property
    def examples(self) -> int:
        return self.components if self.pseudo_inputs == "data" else 0

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        """Pseudo-inputs within the support of the data."""
        low, high = nets.sizes.likelihood.support.bounds
        if self.pseudo_inputs == "data":
            rows = _rows(nets.start, self.components, "model.prior.pseudo_inputs=data")
            return priors.Vamp(jnp.asarray(rows, float), low, high)
        features = len(nets.start.mean)
        if self.pseudo_inputs == "random" and high is not None:
            return priors.Vamp(jax.random.uniform(key, (self.components, features)), low, high)
        wide = 1.0 if self.pseudo_inputs == "random" else _ROUND_THE_MEAN
        loc, scale = np.asarray(nets.start.mean), wide * np.asarray(nets.start.scale)
        return priors.Vamp.at_random(self.components, features, loc=loc, scale=scale, low=low, high=high, key=key)


class Exemplar(_Prior):
    """The posteriors at training rows."""

    kind: Literal["exemplar"] = "exemplar"
    components: int = integer(500, 1, LARGEST_LAYER, "training rows")

    @property
    def examples(self) -> int:
        return self.components

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        return priors.Exemplar(_rows(nets.start, self.components, "model.prior=exemplar"))


class Flow(_Prior):
    """Coupling layers of normals, or autoregressive maps backwards."""

    kind: Literal["flow", "autoregressive"]
    steps: int = _STEPS
    hidden: Widths = _NETS

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        if self.kind == "flow":
            layers = posteriors.coupling_layers(latent, scaled=True, steps=self.steps, hidden=self.hidden, key=key)
            return priors.Flow(latent, layers)
        maps = posteriors.autoregressive_layers(latent, steps=self.steps, hidden=self.hidden, key=key)
        return priors.Flow(latent, bijections.Inverted(maps))


class OfFeatures(_Prior):
    """Normals whose mean and scale are those of a net of each node's features."""

    kind: Literal["of_features"] = "of_features"
    hidden: Widths = _NETS

    def build(self, nets: Networks, latent: int, *, key: PRNGKey) -> _Part:
        graph = nets.graph()
        if graph.features is None:
            raise ValueError("model.prior=of_features needs a graph whose nodes have features, got one without")
        inputs, outputs = graph.features.shape[1], 2 * latent // graph.nodes
        network = nets.dense(inputs, self.hidden, outputs, of=None, key=key, heads=2)
        return priors.OfFeatures(network, jnp.asarray(graph.features), floor=_LEAST_SCALE)


Prior: TypeAlias = Annotated[
    StandardNormal | Bernoulli | Mixture | Vamp | Exemplar | Flow | OfFeatures, Field(discriminator="kind")
]


def _rows(start: FeatureStatistics, count: int, who: str) -> np.ndarray:
    if start.rows is None or len(start.rows) < count:
        got = 0 if start.rows is None else len(start.rows)
        raise ValueError(f"{who} needs {count} training rows, got {got}; set model.prior.components to at most that")
    return start.rows[:count]
