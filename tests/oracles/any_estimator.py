"""Several estimators of the IWAE bound in one compiled function, and what log w is written out with."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from iwax import bounds, control_variates, gradients
from iwax.gradients import Weights

ESTIMATORS = {
    "pathwise": gradients.pathwise(bounds.iwae),
    "doubly_reparameterized": gradients.doubly_reparameterized(bounds.iwae),
    "VIMCO": gradients.score_function(bounds.iwae, control_variates.leave_one_out),
    "sticking_the_landing": gradients.sticking_the_landing(bounds.iwae),
}


class Chosen:
    """A control variate whose baseline is its state: here the number of the estimator that is meant."""

    def init(self):
        return None

    def baseline(self, state, bound, log_w, key, x):
        return state

    def update(self, state, value, key, x):
        return state


def any_of(estimators) -> gradients.Estimator:
    """All of them in one compiled function; which one is meant is traced."""

    def weights(log_w, beta, key=None, baseline=None):
        def of(estimator):
            variate = estimator.control_variate
            subtracted = variate.baseline(None, estimator.bound, log_w, key, None) if variate else 0.0
            found = estimator.weights(log_w, beta, key, subtracted)
            return Weights(*(jnp.zeros_like(log_w) if each is None else each for each in found))

        return jax.lax.switch(baseline, [partial(of, estimator) for estimator in estimators])

    return gradients.Estimator("any", bounds.iwae, weights, path=True, score=True, control_variate=Chosen())


def log_normal(z, loc, log_scale):
    return -0.5 * ((z - loc) / jnp.exp(log_scale)) ** 2 - log_scale - 0.5 * jnp.log(2 * jnp.pi)


def log_bernoulli(x, network, z):
    """Of pixels x under a linear decoder of z [..., latent]."""
    m = z @ network.weight + network.bias
    return (x * m - jnp.logaddexp(0.0, m)).sum(axis=-1)


def flat(gradient) -> np.ndarray:
    """In one vector, but for the tables of noise, which are no parameters."""
    named = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)]
    return np.concatenate([np.ravel(leaf) for name, leaf in named if not name.endswith(("noise", "of_weight"))])
