"""Free bits in the ELBO with its KL in closed form (Kingma et al. 2016)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.parts import Datum

FEATURES = 6


def test_free_bits_are_their_formula():
    """A unit whose mean KL lies below the floor costs the floor and is not pressed; the others cost their KL."""
    model, key = (
        LatentVariableModel(
            prior=priors.StandardNormal(2),
            likelihood=likelihoods.Bernoulli(Linear(2, FEATURES, key=jax.random.key(0))),
            posterior=posteriors.Gaussian(Linear(FEATURES, 4, key=jax.random.key(1), heads=2)),
        ),
        jax.random.key(0),
    )
    x = Datum(values=jnp.asarray(np.random.default_rng(0).integers(0, 2, size=(22, FEATURES)), jnp.float32))

    def divergences(model):
        return jax.vmap(lambda row: model.posterior(row, key=key).kl(model.prior(None, key=key)))(x.values)

    kl = np.asarray(eqx.filter_jit(divergences)(model))
    means, floor = kl.mean(axis=0), float(kl.mean())
    assert means.min() < floor < means.max()

    @eqx.filter_jit
    def both(model, free_bits, beta):
        def value(model):
            result = gradients.closed_form_kl(k=2, free_bits=free_bits)(model, key, x, beta=beta)
            return result.value.mean(), result.bound

        return eqx.filter_value_and_grad(value, has_aux=True)(model)

    (log_likelihood, bound), without_kl = both(model, 0.0, 0.0)
    (plain, _), _ = both(model, 0.0, 0.7)
    (held, bound_of_held), gradient = both(model, floor, 0.7)
    assert float(plain) == pytest.approx(float(log_likelihood) - 0.7 * means.sum(), rel=1e-5)
    assert float(held) == pytest.approx(float(log_likelihood) - 0.7 * np.maximum(means, floor).sum(), rel=1e-5)
    np.testing.assert_allclose(bound_of_held, bound, rtol=1e-6)

    def pressed_alone(model):
        return 0.7 * (divergences(model) * (means >= floor)).sum(axis=1).mean()

    pressure = eqx.filter_jit(eqx.filter_grad(pressed_alone))(model)
    jax.tree.map(
        lambda a, b, c: np.testing.assert_allclose(a, b - c, rtol=1e-4, atol=1e-5), gradient, without_kl, pressure
    )
