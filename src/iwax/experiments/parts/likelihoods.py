"""p(x|z) as the settings say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import likelihoods, nn
from iwax._typing import PRNGKey
from iwax.experiments.families import IMAGE_LIKELIHOODS
from iwax.experiments.model import Model
from iwax.experiments.parts.columns import likelihood as of_table
from iwax.experiments.parts.columns import output_bias
from iwax.experiments.parts.networks import Moments, decoder, dense, image, one_layer
from iwax.parts import Likelihood

__all__ = ["FRACTIONS", "likelihood", "outside", "support"]

FRACTIONS = ("gaussian", "student_t", "continuous_bernoulli", "discretized_logistic")  # take grey values as k / 255
_LEAST_RATE = 0.01  # where the mean count of a feature starts at the lowest: no log of 0
_PIXEL_LAYERS = 7  # of masked convolutions after the first, with this many channels (Tomczak and Welling 2018)
_PIXEL_CHANNELS = 64


def likelihood(sizes: Model, start: Moments, *, key: PRNGKey) -> Any:
    """The likelihood given all latents: of the lowest layer, or jointly of all of them if q is drawn from the top."""
    if sizes.likelihood in IMAGE_LIKELIHOODS:
        part = _autoregressive(sizes, start, key=key)
    elif sizes.likelihood == "columns":
        part = _columns(sizes, start, key=key)
    else:
        part = _featurewise(sizes, start, key=key)
    return likelihoods.Chain(part) if len(sizes.latents) > 1 and sizes.order != "top_down" else part


def outside(name: str, values: np.ndarray) -> np.ndarray:
    """Which values have no density under the likelihood of that name.

    >>> outside("poisson", np.array([1.0, 0.5]))
    array([False,  True])
    """
    return _BY_NAME[name].outside(values)


def support(name: str) -> str:
    """The values that have a density under the likelihood of that name, in words.

    >>> support("bernoulli")
    '0 or 1'
    """
    return _BY_NAME[name].support


def _network(sizes: Model, start: Moments, heads: int, *, key: PRNGKey, bias: Array | None) -> Any:
    """The decoder: of z_1, or of (z_1, ..., z_L) with a branch for each."""
    widths = tuple(reversed(sizes.hiddens[0]))
    if len(sizes.latents) == 1 or sizes.order != "top_down":
        return decoder(sizes, start, sizes.latents[0], widths, heads, key=key, bias=bias)
    *of_branches, of_joint = jax.random.split(key, len(sizes.latents) + 1)
    first, *rest = widths
    branches = tuple(
        one_layer(sizes, latent, first, of="decoder", key=each)
        for latent, each in zip(sizes.latents, of_branches, strict=True)
    )
    joint = decoder(sizes, start, first * len(branches), tuple(rest), heads, key=of_joint, bias=bias)
    return nn.Joined(branches, joint)


def _featurewise(sizes: Model, start: Moments, *, key: PRNGKey) -> Likelihood:
    """Its untrained output is the mean of the training data, as far as it has one, and their scale."""
    mean, log_scale = jnp.asarray(start.mean), jnp.log(jnp.asarray(start.scale))
    name = sizes.likelihood

    def net(heads: int, *biases: Array) -> Any:
        rest = [jnp.zeros_like(mean)] * (heads - len(biases))
        return _network(sizes, start, heads, key=key, bias=jnp.concatenate([*biases, *rest]))

    if name in ("bernoulli", "continuous_bernoulli"):
        made = likelihoods.Bernoulli if name == "bernoulli" else likelihoods.ContinuousBernoulli
        return made(net(1, nn.mean_logits(mean)))
    if name == "discretized_logistic":
        if sizes.network == "conv_hvae":
            return likelihoods.DiscretizedLogistic.scalar(net(1, mean))
        return likelihoods.DiscretizedLogistic.of_network(net(2, mean, log_scale))
    if name == "gaussian":
        return _gaussian(sizes, net, mean, log_scale)
    made = _FAMILIES[str(name)]
    start_of_loc = mean if name == "student_t" else jnp.log(jnp.maximum(mean, _LEAST_RATE))
    biases = (start_of_loc, log_scale) if name == "student_t" else (start_of_loc,)
    return made(net(made(None).outputs_a_feature, *biases))


def _columns(sizes: Model, start: Moments, *, key: PRNGKey) -> Likelihood:
    """A likelihood a column, in the column's own units."""
    table = start.table
    if table is None:
        raise ValueError("model.likelihood=columns needs a table with columns (.csv or .parquet), got rows without")
    blank = of_table(table, floor=sizes.scale_floor or 0.0)
    bias = jnp.asarray(output_bias(table, blank), float)
    net = _network(sizes, start, 1, key=key, bias=bias)
    return likelihoods.Scaled(likelihoods.Columns(net, blank.columns, blank.groups), table.loc, table.scale)


def _gaussian(sizes: Model, net: Callable[..., Any], mean: Array, log_scale: Array) -> Likelihood:
    if sizes.variance == "network":
        return likelihoods.Gaussian.of_network(net(2, mean, log_scale))
    located = net(1, mean)
    if sizes.variance == "fixed":
        return likelihoods.Gaussian.fixed(located, sizes.scale)
    if sizes.variance == "scalar":
        return likelihoods.Gaussian.scalar(located, sizes.scale)
    return likelihoods.Gaussian.feature(located, len(mean), sizes.scale)


def _autoregressive(sizes: Model, start: Moments, *, key: PRNGKey) -> Likelihood:
    """A map of the picture's size from every latent that the picture hangs on, and masked convolutions."""
    _, height, width = image(sizes, start)
    features, lowest = len(start.mean), sizes.latents[0]
    of_maps, of_network = jax.random.split(key)
    joint = len(sizes.latents) > 1 and sizes.order == "top_down"
    if joint:
        each = jax.random.split(of_maps, len(sizes.latents))
        maps = nn.Joined(
            tuple(
                one_layer(sizes, latent, features, of="decoder", key=k)
                for latent, k in zip(sizes.latents, each, strict=True)
            )
        )
    else:
        maps = dense(sizes, lowest, tuple(reversed(sizes.hiddens[0])), features, of="decoder", key=of_maps)
    make = nn.PixelCNN if sizes.likelihood == "pixelcnn" else nn.GatedPixelCNN
    maps_in = len(sizes.latents) if joint else 1
    how: dict[str, Any] = {"channels": _PIXEL_CHANNELS, "layers": _PIXEL_LAYERS, "map_channels": maps_in}
    return likelihoods.Autoregressive(maps, make((height, width), **how, key=of_network))


_FAMILIES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "student_t": likelihoods.StudentT.of_network,
        "poisson": likelihoods.Poisson,
        "negative_binomial": likelihoods.NegativeBinomial.of_network,
        "zero_inflated_poisson": likelihoods.ZeroInflatedPoisson,
        "zero_inflated_negative_binomial": likelihoods.ZeroInflatedNegativeBinomial.of_network,
    }
)
_BY_NAME: Mapping[str, Any] = MappingProxyType(
    {
        "bernoulli": likelihoods.Bernoulli(None),
        "gaussian": likelihoods.Gaussian.of_network(None),
        "continuous_bernoulli": likelihoods.ContinuousBernoulli(None),
        "discretized_logistic": likelihoods.DiscretizedLogistic.of_network(None),
        **{name: make(None) for name, make in _FAMILIES.items()},
        **dict.fromkeys(IMAGE_LIKELIHOODS, likelihoods.Bernoulli(None)),
    }
)
