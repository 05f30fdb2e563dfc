"""p(x|z) as the settings say."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from iwax import families, likelihoods, nn
from iwax._typing import PRNGKey
from iwax.experiments.families import IMAGE_LIKELIHOODS
from iwax.experiments.model import Model
from iwax.experiments.parts.columns import in_units, output_bias
from iwax.experiments.parts.networks import Moments, decoder, dense, image, one_layer
from iwax.families import FAMILIES
from iwax.parts import Likelihood

__all__ = ["likelihood"]

_GREY_SCALE = 0.1  # at which the one learned scale of grey values starts
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
    mean, scale = jnp.asarray(start.mean), jnp.asarray(start.scale)
    family = _family(sizes, len(mean))
    first = family.start(mean, scale)
    bias = jnp.concatenate([*first, *[jnp.zeros_like(mean)] * (family.outputs_per_feature - len(first))])
    return likelihoods.Likelihood(_network(sizes, start, family.outputs_per_feature, key=key, bias=bias), family)


def _family(sizes: Model, features: int) -> families.Family:
    if sizes.likelihood == "gaussian" and sizes.variance != "network":
        of_each = features if sizes.variance == "feature" else None
        return families.gaussian(sizes.scale, features=of_each, learned=sizes.variance != "fixed")
    if sizes.likelihood == "discretized_logistic" and sizes.network.kind == "conv_hvae":
        return families.discretized_logistic(_GREY_SCALE)
    return FAMILIES[str(sizes.likelihood)]()


def _columns(sizes: Model, start: Moments, *, key: PRNGKey) -> Likelihood:
    """A family a column, in the column's own units."""
    table = start.table
    if table is None:
        raise ValueError("model.likelihood=columns needs a table with columns (.csv or .parquet), got rows without")
    net = _network(sizes, start, 1, key=key, bias=jnp.asarray(output_bias(table), float))
    return likelihoods.Scaled(likelihoods.Likelihood(net, in_units(table)), table.loc, table.scale)


def _autoregressive(sizes: Model, start: Moments, *, key: PRNGKey) -> Likelihood:
    """A map of the picture's size from every latent that the picture depends on, and masked convolutions."""
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
