"""p(z) as the settings say."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from iwax import bijections, likelihoods, posteriors, priors
from iwax._typing import PRNGKey
from iwax.experiments.model import Model
from iwax.experiments.parts.likelihoods import support
from iwax.experiments.parts.networks import Moments, dense
from iwax.parts import Likelihood

__all__ = ["prior"]

_ROUND_THE_MEAN = 0.01  # the noise of pseudo-inputs that start at the data's mean, as a fraction of the data's scale


def prior(sizes: Model, start: Moments, *, keys: list[PRNGKey], key: PRNGKey) -> Any:
    """The prior of all stochastic layers; ``keys`` has one for each conditional p(z_l | z_{l+1}), from the data up."""
    top = _top(sizes, start, sizes.latents[-1], key=key)
    if len(sizes.latents) == 1:
        return top
    downwards = tuple(
        _conditional(sizes, above, tuple(reversed(hidden)), latent, key=each)
        for latent, hidden, above, each in zip(
            sizes.latents[:-1], sizes.hiddens[1:], sizes.latents[1:], keys, strict=True
        )
    )
    return priors.Chain(top, tuple(reversed(downwards)))


def _conditional(sizes: Model, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey) -> Likelihood:
    """p(z_l | z_{l+1})"""
    if sizes.prior == "bernoulli":
        return likelihoods.Bernoulli(dense(sizes, inputs, hidden, latent, of="decoder", key=key))
    return likelihoods.Gaussian.of_network(dense(sizes, inputs, hidden, 2 * latent, of="decoder", key=key, heads=2))


def _top(sizes: Model, start: Moments, latent: int, *, key: PRNGKey) -> Any:
    count = sizes.number("prior_components")
    if sizes.prior == "bernoulli":
        return priors.Bernoulli(latent)
    if sizes.prior == "mixture":
        return priors.Mixture(latent, components=count, key=key)
    if sizes.prior == "vamp":
        return _vamp(sizes, start, count, key=key)
    if sizes.prior == "exemplar":
        return priors.Exemplar(_rows(start, count, "model.prior=exemplar"))
    how: dict[str, Any] = {"steps": sizes.number("prior_steps"), "hidden": sizes.maps_hidden, "key": key}
    if sizes.prior == "flow":
        return priors.Flow(latent, posteriors.coupling_layers(latent, scaled=True, **how))
    if sizes.prior == "autoregressive":
        return priors.Flow(latent, bijections.Inverted(posteriors.autoregressive_layers(latent, **how)))
    return priors.StandardNormal(latent)


def _vamp(sizes: Model, start: Moments, count: int, *, key: PRNGKey) -> priors.Vamp:
    """Pseudo-inputs within the support of the data."""
    low, high = support(str(sizes.likelihood)).bounds
    if sizes.pseudo_inputs == "data":
        return priors.Vamp(jnp.asarray(_rows(start, count, "model.pseudo_inputs=data"), float), low, high)
    if sizes.pseudo_inputs == "random" and high is not None:
        return priors.Vamp(jax.random.uniform(key, (count, len(start.mean))), low, high)
    wide = 1.0 if sizes.pseudo_inputs == "random" else _ROUND_THE_MEAN
    loc, scale = np.asarray(start.mean), wide * np.asarray(start.scale)
    return priors.Vamp.at_random(count, len(start.mean), loc=loc, scale=scale, low=low, high=high, key=key)


def _rows(start: Moments, count: int, who: str) -> np.ndarray:
    if start.rows is None or len(start.rows) < count:
        got = 0 if start.rows is None else len(start.rows)
        raise ValueError(f"{who} needs {count} training rows, got {got}; set model.prior_components to at most that")
    return start.rows[:count]
