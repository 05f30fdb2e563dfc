"""Networks: what they compute, written out in NumPy, and the law of their initial weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from iwax.nn import ACTIVATIONS, MLP, Linear, glorot_uniform, mean_logits

REFERENCE = {
    "tanh": np.tanh,
    "relu": lambda h: np.maximum(h, 0),
    "softplus": lambda h: np.logaddexp(0, h),
    "gelu": lambda h: 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
    "silu": lambda h: h * scipy.special.expit(h),
    "leaky_relu": lambda h: np.where(h > 0, h, 0.01 * h),
}


def test_linear_is_x_times_weight_plus_bias():
    layer = Linear(3, 2, key=jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert layer.weight.shape == (3, 2)
    assert layer.bias.tolist() == [0.0, 0.0]
    expected = x @ np.asarray(layer.weight) + np.asarray(layer.bias)
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(layer)(jnp.asarray(x)), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_is_its_formula(activation: str):
    net = MLP(3, (4, 5), 2, key=jax.random.key(1), activation=activation, output_bias=jnp.array([0.5, -1.0]))
    x = np.array([0.3, -1.2, 0.8], np.float32)
    h = x.astype(np.float64)
    for layer in net.layers[:-1]:
        h = REFERENCE[activation](h @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias))
    expected = h @ np.asarray(net.layers[-1].weight, np.float64) + np.array([0.5, -1.0])
    np.testing.assert_allclose(net(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


def test_without_hidden_layers_it_is_affine():
    net = MLP(3, (), 2, key=jax.random.key(1))
    assert len(net.layers) == 1
    np.testing.assert_allclose(net(jnp.zeros(3)), jnp.zeros(2))


@pytest.mark.parametrize("heads", [1, 2])
def test_initial_weights_fill_glorots_range_of_a_head(heads: int):
    limit = np.sqrt(6 / (300 + 100 / heads))
    weight = np.asarray(glorot_uniform(300, 100, key=jax.random.key(0), heads=heads), np.float64)
    assert np.abs(weight).max() <= limit
    assert np.abs(weight).max() > 0.999 * limit
    assert scipy.stats.kstest((weight.ravel() / limit + 1) / 2, "uniform").pvalue > 2e-5


def test_only_the_last_layer_has_heads():
    net = MLP(50, (60,), 40, key=jax.random.key(0), heads=2)
    for layer, fan in zip(net.layers, (50 + 60, 60 + 20), strict=True):
        limit = np.sqrt(6 / fan)
        assert 0.97 * limit < np.abs(layer.weight).max() <= limit


def test_no_two_layers_or_heads_start_alike():
    net = MLP(20, (20, 20), 20, key=jax.random.key(0), heads=2)
    loc, log_scale = np.split(np.asarray(net.layers[-1].weight), 2, axis=1)
    weights = [np.asarray(layer.weight) for layer in net.layers]
    pairs = [(loc, log_scale), (weights[0], weights[1]), (weights[1], weights[2])]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.25
    again = MLP(20, (20, 20), 20, key=jax.random.key(0), heads=2)
    jax.tree.map(np.testing.assert_array_equal, net, again)
    other = MLP(20, (20, 20), 20, key=jax.random.key(1), heads=2)
    assert not np.array_equal(net.layers[0].weight, other.layers[0].weight)


def test_mean_logits_invert_the_sigmoid_within_clipped_means():
    mean = np.array([0.0, 1e-4, 0.001, 0.2, 0.5, 0.999, 1.0])
    bias = np.asarray(mean_logits(jnp.asarray(mean)), np.float64)
    np.testing.assert_allclose(scipy.special.expit(bias), np.clip(mean, 0.001, 0.999), rtol=1e-5)
    uneven = MLP(2, (), 3, key=jax.random.key(0), output_bias=mean_logits(jnp.array([0.1, 0.5, 0.9])))
    np.testing.assert_allclose(jax.nn.sigmoid(uneven(jnp.zeros(2))), [0.1, 0.5, 0.9], rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda key: Linear(0, 2, key=key), "in_features must be at least 1, got 0"),
        (lambda key: Linear(2, 0, key=key), "out_features must be at least 1, got 0"),
        (lambda key: MLP(2, (3, 0), 2, key=key), "out_features must be at least 1, got 0"),
        (lambda key: MLP(2, (3,), 3, key=key, heads=2), "got 3 outputs in 2 heads"),
        (lambda key: MLP(2, (3,), 2, key=key, activation="tanhh"), "one of tanh, relu.*got 'tanhh'"),
        (lambda key: MLP(2, (3,), 2, key=key, output_bias=jnp.zeros(3)), r"shape \(2,\), got \(3,\)"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong(jax.random.key(0))
