"""Densities against NumPyro's, an implementation by others: values, and gradients in parameters and value."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as other
import pytest

from iwax import distributions as ours

A, B, C = np.array([0.3, -1.2, 2.0]), np.array([0.5, 1.7, 0.1]), np.array([1.4, -0.3, 0.6])
LOGITS = np.array([[0.4, -2.0, 1.1], [0.0, 0.0, 3.0], [-1.0, 1.0, 0.5]])
COUNTS, POSITIVE = np.array([0.0, 3.0, 41.0]), np.array([0.2, 1.0, 7.3])


# the same density by both, its parameters, and a value; whether the value is real
CASES = {
    "normal": (ours.Normal, other.Normal, (A, B), C, True),
    "log normal": (ours.LogNormal, other.LogNormal, (A, B), POSITIVE, True),
    "student t": (ours.StudentT, other.StudentT, (np.array([2.5, 8.0, 50.0]), A, B), C, True),
    "bernoulli": (ours.Bernoulli, lambda m: other.Bernoulli(logits=m), (A,), np.array([0.0, 1.0, 1.0]), False),
    "categorical": (
        ours.Categorical,
        lambda m: other.Categorical(logits=m),
        (LOGITS,),
        np.array([0.0, 2.0, 1.0]),
        False,
    ),
    "poisson": (ours.Poisson, lambda m: other.Poisson(jnp.exp(m)), (np.log([0.3, 4.0, 50.0]),), COUNTS, False),
    "negative binomial": (
        ours.NegativeBinomial,
        lambda m, r: other.NegativeBinomial2(jnp.exp(m), jnp.exp(r)),
        (np.log([0.3, 4.0, 50.0]), np.log([0.5, 3.0, 90.0])),
        COUNTS,
        False,
    ),
    "zero-inflated poisson": (
        lambda m, g: ours.ZeroInflated(ours.Poisson(m), g),
        lambda m, g: other.ZeroInflatedDistribution(other.Poisson(jnp.exp(m)), gate_logits=g),
        (np.log([0.3, 4.0, 50.0]), C),
        COUNTS,
        False,
    ),
    "zero-inflated negative binomial": (
        lambda m, r, g: ours.ZeroInflated(ours.NegativeBinomial(m, r), g),
        lambda m, r, g: other.ZeroInflatedDistribution(other.NegativeBinomial2(jnp.exp(m), jnp.exp(r)), gate_logits=g),
        (np.log([0.3, 4.0, 50.0]), np.log([0.5, 3.0, 90.0]), C),
        COUNTS,
        False,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("float64")
def test_a_density_and_its_gradients_are_those_of_numpyro(name: str):
    own, theirs, parameters, value, real = CASES[name]
    given = tuple(jnp.asarray(each, float) for each in parameters)
    x = jnp.asarray(value, float)

    def log_prob(parameters, x):
        return jnp.sum(own(*parameters).each(x))

    def expected(parameters, x):
        return jnp.sum(theirs(*parameters).log_prob(x if real else x.astype(int)))

    which = (0, 1) if real else 0
    found = jax.jit(jax.value_and_grad(log_prob, argnums=which))(given, x)
    reference = jax.jit(jax.value_and_grad(expected, argnums=which))(given, x)
    # NumPyro's gradient in the size of a negative binomial has 7 digits, by mpmath; ours has 15
    rtol = 1e-7 if "negative" in name else 1e-9
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12), found, reference)


@pytest.mark.usefixtures("float64")
def test_the_divergence_of_normals_is_numpyros():
    found = ours.Normal(jnp.asarray(A), jnp.asarray(B)).kl(ours.Normal(jnp.asarray(C), jnp.asarray(B[::-1])))
    np.testing.assert_allclose(found, other.kl_divergence(other.Normal(A, B), other.Normal(C, B[::-1])), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_name_of_before_gives_a_normal():
    made = ours.Factorized.normal(jnp.zeros(2), jnp.ones(2))
    assert isinstance(made, ours.Normal)
    assert [each.tolist() for each in made.parameters] == [[0.0, 0.0], [1.0, 1.0]]
