"""Products of bfloat16 factors: against float64 products of rounded factors, under every transformation of JAX."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax import bfloat16, bounds, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel

EPSILON = 2.0**-8  # half the distance of two neighbouring bfloat16 numbers at 1


def rounded(a) -> np.ndarray:
    return np.asarray(a, np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(found, exact, size) -> None:
    """Equal but for sums in single precision over terms whose absolute values add up to ``size``."""
    np.testing.assert_array_less(np.abs(np.asarray(found, np.float64) - exact), 1e-5 * size + 1e-30)


@given(
    st.integers(0, 99),
    st.sampled_from([(1, 1), (3, 2), (130, 140), (200, 5)]),
    st.sampled_from([(), (4,), (70,), (2, 40)]),
)
def test_product_and_its_derivatives_are_those_of_rounded_factors(seed, sizes, leading):
    n, m = sizes
    x, w, g = numbers(seed, *leading, n), numbers(seed + 1, n, m), numbers(seed + 2, *leading, m)
    with nn.mixed_precision():
        y, pull = jax.vjp(nn.product, jnp.asarray(x), jnp.asarray(w))
        in_x, in_w = pull(jnp.asarray(g))
    a, b = x.reshape(-1, n), g.reshape(-1, m)
    few = jax.default_backend() == "cpu" and len(a) < 64  # rows: on a processor not worth the rounding
    factor = np.asarray if few else rounded
    x64, w64, g64 = (factor(each).astype(float) for each in (x, w, g))
    close(y, x64 @ w64, np.abs(x) @ np.abs(w))
    close(in_x, g64 @ w64.T, np.abs(g) @ np.abs(w).T)
    narrow = jax.default_backend() == "cpu" and min(n, m) < 128  # nor worth the turning
    exact = a.T.astype(float) @ b if narrow or few else rounded(a).T @ rounded(b)
    close(in_w, exact, np.abs(a).T @ np.abs(b))


def test_every_transformation_gives_what_it_gives_of_float32_products_within_rounding():
    w, x = jnp.asarray(numbers(0, 30, 20)), jnp.asarray(numbers(1, 4, 20, 30))
    many = jnp.asarray(numbers(2, 4, 30, 20))

    def loss(w, x):
        return jnp.sum(jnp.sin(jax.vmap(jax.vmap(lambda row: nn.product(row, w)))(x)))

    def curvature(w, x):
        return jnp.sum(jax.grad(loss)(w, x) ** 2)

    def of_many(many, x):  # a matrix for every row
        return jnp.sum(jnp.sin(jax.vmap(nn.product)(x, many)))

    functions = {
        "reverse": lambda: jax.grad(loss, (0, 1))(w, x),
        "forward": lambda: jax.jvp(lambda w, x: jnp.sin(nn.product(x, w)), (w, x), (w, x)),
        "reverse over reverse": lambda: jax.grad(curvature, (0, 1))(w, x),
        "forward over reverse": lambda: jax.jvp(lambda w: jax.grad(loss)(w, x), (w,), (w,)),
        "a matrix for every row": lambda: jax.grad(of_many, (0, 1))(many, x),
        "rows of a gradient": lambda: jax.vmap(jax.grad(loss), (None, 0))(w, x[:, None]),
    }
    for name, function in functions.items():
        full = jax.tree.leaves(jax.jit(function)())
        with nn.mixed_precision():
            mixed = jax.tree.leaves(jax.jit(function)())
        for a, b in zip(full, mixed, strict=True):
            assert np.abs(a - b).max() <= 16 * EPSILON * np.abs(a).max(), name
        same = all(bool((a == b).all()) for a, b in zip(full, mixed, strict=True))
        assert same == (name == "a matrix for every row"), name


def test_the_block_is_part_of_what_is_compiled_and_double_precision_is_left_alone():
    layer, x = nn.Linear(9, 4, key=jax.random.key(0)), jnp.asarray(numbers(0, 70, 9))
    called = jax.jit(lambda x: layer(x))
    before = called(x)
    with nn.mixed_precision():
        inside = called(x)
        with nn.mixed_precision(False):
            off = called(x)
    assert bool((before == called(x)).all())
    assert bool((before == off).all())
    assert not bool((before == inside).all())
    with jax.enable_x64(True), nn.mixed_precision():
        a, w = numbers(1, 2, 9).astype(float), numbers(2, 9, 4).astype(float)
        assert np.abs(nn.product(a, jnp.asarray(w)) - a @ w).max() < 1e-14


NETWORKS = {
    "dense": lambda key: nn.MLP(6, (8,), 4, key=key),
    "gated": lambda key: nn.MLP(6, (8,), 4, activation="gated", key=key),
    "memory": lambda key: nn.MemoryMLP(6, (8,), 4, slots=(3,), key=key),
    "masked": lambda key: nn.MaskedMLP(6, (8,), key=key),
    "stochastic": lambda key: nn.StochasticLinear(6, 4, sigma=0.1, key=key),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_dense_network_is_rounded_a_little(name):
    network, x = NETWORKS[name](jax.random.key(1)), jnp.asarray(numbers(3, 70, 6))
    full = network(x, key=jax.random.key(2))
    with nn.mixed_precision():
        mixed = network(x, key=jax.random.key(2))
    assert not bool((full == mixed).all())
    np.testing.assert_allclose(mixed, full, atol=8 * EPSILON * float(jnp.abs(full).max()))


def model() -> LatentVariableModel:
    of_likelihood, of_posterior = jax.random.split(jax.random.key(0))
    return LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(nn.MLP(2, (16,), 12, key=of_likelihood)),
        posterior=posteriors.Gaussian(nn.MLP(12, (16,), 4, key=of_posterior)),
    )


def fitted(**options) -> training.Result:
    x = (numbers(5, 60, 12) > 0).astype(np.float32)
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=3)
    return training.fit(
        model(),
        objective,
        x,
        optimizer=optax.adam(1e-2),
        epochs=3,
        key=jax.random.key(0),
        batch=30,
        x_valid=x,
        **options,
    )


def test_training_is_mixed_where_the_device_has_units_and_validation_never_is(monkeypatch):
    full = fitted()
    monkeypatch.setattr(bfloat16, "_processor_has_units", lambda described: True)
    mixed = fitted(precision="mixed")
    for a, b in zip(full.history, mixed.history, strict=True):
        assert a["bound"] != b["bound"]
        assert a["bound"] == pytest.approx(b["bound"], abs=0.05)
    monkeypatch.setattr(bfloat16, "_processor_has_units", lambda described: False)
    with pytest.warns(UserWarning, match="no units for bfloat16: training stays in float32"):
        without = fitted(precision="mixed")
    assert without.history == full.history
