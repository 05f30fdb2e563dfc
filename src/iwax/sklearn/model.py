"""The model of standardised features, and what keeps it finite at outliers."""

from functools import partial
from typing import Any, Literal, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import likelihoods, nn, posteriors, priors
from iwax._typing import AnyArray, PRNGKey
from iwax.model import LatentVariableModel
from iwax.numerics import scale_of
from iwax.threefry import in_one_pass

__all__ = ["LIKELIHOODS", "Bent", "Bounded", "Near", "model_of"]

LIKELIHOODS = ("gaussian", "student_t")
_OF_FEATURES, _OF_LATENTS = 1e-3, 1e-6  # the least scale of p(x|z), in standard deviations, and of q(z|x)
_NEAR = 5.0  # standard deviations up to which an encoder is given the values themselves
_BEND = 0.1  # how much a network adds to its affine map at first, of what it would by itself
# not the twenty of a model's arrays, and compiled for a single run: two seconds less
_one_program: Any = partial(cast(Any, eqx.filter_jit), compiler_options={"xla_backend_optimization_level": 0})


class Bounded(eqx.Module):
    """A network of (loc, log scale) [2 D] whose scale is ``floor + softplus(s)``, and grows no faster than s.

    ``exp(s)`` would be 0 or infinite at rows a few hundred standard deviations away, and the density NaN. The floor
    also bounds the likelihood, which is otherwise infinite at the best fit of any feature that is constant or takes
    few values (Mattei and Frellsen 2018, arXiv:1802.04826).
    """

    network: Any
    floor: float = eqx.field(static=True)

    def __call__(self, x: Float[AnyArray, " in"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The outputs at x, their second half made a log scale that is bounded from below."""
        loc, s = jnp.split(self.network(x, key=key), 2)
        return jnp.concatenate([loc, jnp.log(scale_of(s, self.floor))])


class Bent(eqx.Module):
    """``A x + b + f(x)``: factor analysis, and a network that bends it.

    Features of a table go together first of all in straight lines, which a few hundred rows tell an affine map and not
    a network by itself (a residual, as in He et al. 2016, arXiv:1512.03385).
    """

    affine: Any
    network: Any

    def __call__(self, x: Float[AnyArray, " in"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The outputs at x."""
        return self.affine(x) + self.network(x, key=key)


class Near(eqx.Module):
    """A network that is given x_j itself up to 5, and ``5 + log(1 + |x_j| - 5)``, with its sign, beyond.

    An encoder carried on in a straight line proposes latents ever further out, where no weight is left: the estimate of
    log p(x) at 30 standard deviations would be low by thousands of nats. The order of inputs stays.
    """

    network: Any

    def __call__(self, x: Float[AnyArray, " in"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The outputs at x, drawn in."""
        near = jnp.clip(x, -_NEAR, _NEAR)
        return self.network(near + jnp.sign(x) * jnp.log1p(jnp.abs(x - near)), key=key)


@_one_program
def model_of(
    features: int,
    latent: int,
    hidden: tuple[int, ...],
    *,
    activation: str,
    likelihood: Literal["gaussian", "student_t"],
    components: int,
    key: PRNGKey,
) -> LatentVariableModel:
    """``z ~ p(z)``, ``x ~ p(x|z)``, and q(z|x) = N given (values, 0 for missing ones, and what was observed).

    p(z) is a mixture of ``components`` Gaussians: rows of a table come in kinds, which one Gaussian bent by a decoder
    tells apart late in a training, if at all.

    >>> made = model_of(3, 2, (8,), activation="relu", likelihood="gaussian", components=5, key=jax.random.key(0))
    >>> made.prior.features
    2
    """
    of_decoder, of_encoder, of_prior = jax.random.split(in_one_pass(key), 3)
    encoding = nn.FeatureEncoding(np.zeros(features), np.ones(features), mask=True)
    decoder = _network(latent, hidden[::-1], features, activation, floor=_OF_FEATURES, key=of_decoder)
    encoder = _network(encoding.features, hidden, latent, activation, floor=_OF_LATENTS, key=of_encoder)
    return LatentVariableModel(
        prior=priors.StandardNormal(latent)
        if components == 1
        else priors.Mixture(latent, components=components, key=of_prior),
        likelihood=_likelihood(likelihood, decoder, features),
        posterior=posteriors.Encoded(posteriors.Gaussian(Near(encoder)), encoding),
    )


def _likelihood(name: Literal["gaussian", "student_t"], decoder: Bounded, features: int) -> Any:
    """How heavy the tails of a feature are is one learned number, not a function of the row."""
    if name == "gaussian":
        return likelihoods.Gaussian.of_network(decoder)
    return likelihoods.StudentT.of_network(decoder, features=features)


def _network(
    inputs: int, hidden: tuple[int, ...], width: int, activation: str, *, floor: float, key: PRNGKey
) -> Bounded:
    """An affine map, bent where there are hidden layers, to a loc and a log scale of ``width`` features each.

    It starts at scale 1 for every input, for scales that vary at random lead into poor optima, and nearly straight.
    """
    of_affine, of_bend = jax.random.split(key)
    affine = _even(nn.MLP(inputs, (), 2 * width, key=of_affine, heads=2), width)
    if not hidden:
        return Bounded(affine, floor)
    bend = _even(nn.MLP(inputs, hidden, 2 * width, key=of_bend, heads=2, activation=activation), width)
    last = bend.layers[-1].weight
    bend = eqx.tree_at(lambda net: net.layers[-1].weight, bend, _BEND * last)
    return Bounded(Bent(affine.layers[-1], bend), floor)


def _even(network: nn.MLP, width: int) -> nn.MLP:
    """The network with its scales, the second head, the same at every input."""
    weight = network.layers[-1].weight
    of_scales = jnp.arange(weight.shape[1]) // width == 1
    return eqx.tree_at(lambda net: net.layers[-1].weight, network, jnp.where(of_scales, 0, weight))
