"""Networks: what they compute, written out in NumPy, and the distribution of their initial weights."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from iwax.nn import (
    ACTIVATIONS,
    INITIAL_WEIGHTS,
    MLP,
    ChannelNorm,
    Conv,
    ConvLayer,
    Joined,
    LayerNorm,
    Linear,
    MaskedConv,
    MaskedMLP,
    dense_weight,
    mean_logits,
)

gated_mlp = partial(MLP, activation="gated")

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
    np.testing.assert_allclose(call(layer, jnp.asarray(x)), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(layer)(jnp.asarray(x)), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_is_its_formula(activation: str):
    net = MLP(3, (4, 5), 2, key=jax.random.key(1), activation=activation, output_bias=jnp.array([0.5, -1.0]))
    x = np.array([0.3, -1.2, 0.8], np.float32)
    h = x.astype(np.float64)
    for layer in net.layers[:-1]:
        h = REFERENCE[activation](h @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias))
    expected = h @ np.asarray(net.layers[-1].weight, np.float64) + np.array([0.5, -1.0])
    np.testing.assert_allclose(call(net, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


def test_without_hidden_layers_it_is_affine():
    net = MLP(3, (), 2, key=jax.random.key(1))
    assert len(net.layers) == 1
    np.testing.assert_allclose(call(net, jnp.zeros(3)), jnp.zeros(2))


@pytest.mark.parametrize("heads", [1, 2])
def test_initial_weights_fill_glorots_range_of_a_head(heads: int):
    limit = np.sqrt(6 / (300 + 100 / heads))
    weight = np.asarray(dense_weight(300, 100, key=jax.random.key(0), heads=heads), np.float64)
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


@pytest.mark.parametrize("initial", INITIAL_WEIGHTS)
def test_initial_weights_follow_their_distribution(initial: str):
    """Dense with two heads, a convolution, one transposed with stride 2, and a masked one."""
    key = jax.random.key(3)
    conv = ConvLayer((30, 8, 8), Conv(20, 5), key=key, initial=initial).conv
    back = ConvLayer((30, 8, 8), Conv(20, 5, 2), key=key, initial=initial, transposed=True).conv
    masked = MaskedConv(30, 40, 5, kind="A", key=key, initial=initial)
    seen = np.asarray(masked.weight)[:, :, np.arange(15).reshape(3, 5) < 12]  # two rows and two more, of 25
    cases = [
        (Linear(90, 60, key=key, heads=2, initial=initial).weight, 90, 30),
        (gated_mlp(90, (30,), None, key=key, initial=initial).layers[0].weight, 90, 30),
        (MLP(90, (40,), None, key=key, initial=initial).layers[0].weight, 90, 40),
        (conv.weight, 30 * 25, 20 * 25),
        (back.weight, 30 * 25 / 4, 20 * 25),
        (seen, 30 * 12, 40 * 15),
    ]
    for weight, fan_in, fan_out in cases:
        variance = 2 / fan_in if initial == "he_normal" else 2 / (fan_in + fan_out)
        if initial == "glorot_uniform":
            scaled = scipy.stats.uniform(-np.sqrt(3 * variance), 2 * np.sqrt(3 * variance))
        else:
            scaled = scipy.stats.norm(0, np.sqrt(variance))
        assert scipy.stats.kstest(np.asarray(weight, np.float64).ravel(), scaled.cdf).pvalue > 2e-5
    assert (np.asarray(conv.bias) == 0).all()


def test_weights_are_those_of_the_whole_shape():
    """They are drawn flat and cut: the numbers are JAX's for the shape all the same."""
    key, limit = jax.random.key(4), np.sqrt(6 / 12)
    np.testing.assert_array_equal(
        dense_weight(5, 7, key=key), jax.random.uniform(key, (5, 7), minval=-limit, maxval=limit)
    )


def affine(layer: Linear, h: np.ndarray) -> np.ndarray:
    return h @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)


def gated(layer: Linear, h: np.ndarray) -> np.ndarray:
    a, b = np.split(affine(layer, h), 2, axis=-1)
    return a * scipy.special.expit(b)


def normalised(h: np.ndarray, small: float, axis: int = -1) -> np.ndarray:
    return (h - h.mean(axis, keepdims=True)) / np.sqrt(h.var(axis, keepdims=True) + small)


def moved(network):
    """The network with nothing at its initial value, so that biases and gains count."""
    generator = np.random.default_rng(11)
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 0.5 * generator.normal(size=leaf.shape).astype("f"), network)


@eqx.filter_jit
def call(network, *inputs):
    return network(*inputs)


X = np.array([0.3, -1.2, 0.8])


def test_gated_networks_are_their_formula():
    net = moved(gated_mlp(3, (4, 5), 2, key=jax.random.key(1), output_bias=jnp.array([0.5, -1.0])))
    hidden = gated(net.layers[1], gated(net.layers[0], X))
    np.testing.assert_allclose(call(net, jnp.asarray(X)), affine(net.layers[2], hidden), rtol=1e-5, atol=1e-6)
    trunk = moved(gated_mlp(3, (4, 5), None, key=jax.random.key(1)))
    expected = gated(trunk.layers[1], gated(trunk.layers[0], X))
    np.testing.assert_allclose(call(trunk, jnp.asarray(X)), expected, rtol=1e-5, atol=1e-6)
    assert (len(trunk.layers), trunk.out_features, trunk.depth) == (2, 5, 2)


def test_a_trunk_is_the_last_hidden_layer():
    trunk, whole = MLP(3, (4, 5), None, key=jax.random.key(1)), MLP(3, (4, 5), 2, key=jax.random.key(1))
    for one, other in zip(trunk.layers, whole.layers, strict=False):
        np.testing.assert_array_equal(one.weight, other.weight)
    expected = np.tanh(affine(trunk.layers[1], np.tanh(affine(trunk.layers[0], X))))
    np.testing.assert_allclose(call(trunk, jnp.asarray(X)), expected, rtol=1e-5, atol=1e-6)


def test_normalisations_are_their_formula():
    rows = np.random.default_rng(0).normal(size=(4, 5)) * 3 + 1
    norm = moved(LayerNorm(5))
    expected = np.asarray(norm.gain) * normalised(rows, 1e-5) + np.asarray(norm.shift)
    np.testing.assert_allclose(call(norm, jnp.asarray(rows)), expected, rtol=1e-4, atol=1e-5)
    image = np.random.default_rng(0).normal(size=(3, 2, 4)) * 3 + 1
    norm = moved(ChannelNorm(3))
    expected = np.asarray(norm.gain) * normalised(image, 1e-2, axis=0) + np.asarray(norm.shift)
    np.testing.assert_allclose(call(norm, jnp.asarray(image)), expected, rtol=1e-4, atol=1e-5)


def test_a_joined_network_is_its_networks_side_by_side():
    keys = jax.random.split(jax.random.key(0), 3)
    each, joint = (Linear(3, 2, key=keys[0]), MLP(1, (3,), 2, key=keys[1])), Linear(4, 2, key=keys[2])
    a, b = jnp.asarray(X, jnp.float32), jnp.array([0.4])
    side_by_side = np.concatenate([each[0](a), each[1](b)])
    np.testing.assert_array_equal(Joined(each)((a, b)), side_by_side)
    np.testing.assert_allclose(Joined(each, joint)((a, b)), affine(joint, side_by_side), rtol=1e-5, atol=1e-6)
    assert (Joined(each).in_features, Joined(each).out_features, Joined(each, joint).out_features) == (4, 4, 2)


@pytest.mark.parametrize(
    ("features", "settings"),
    [
        (4, {"hidden": (6, 5)}),
        (4, {"hidden": (6,), "heads": 2, "reverse": True}),
        (3, {"hidden": (7, 5), "heads": 2, "context_features": 2}),
        (4, {"hidden": ()}),
        (1, {"hidden": (3,), "context_features": 2}),
    ],
)
def test_masked_outputs_depend_on_all_inputs_before_them_and_no_other(features: int, settings: dict):
    net = moved(MaskedMLP(features, key=jax.random.key(0), **settings))
    x = jax.random.normal(jax.random.key(1), (features,))
    context = jax.random.normal(jax.random.key(2), (net.context_features,)) if net.context_features else None
    of_x, of_context = jax.jit(jax.jacobian(lambda x, c: net(x, c), argnums=(0, 1)))(x, context)
    before = np.tri(features, k=-1, dtype=bool)
    before = before.T if settings.get("reverse") else before
    for head in np.asarray(of_x):
        np.testing.assert_array_equal(head != 0, before)
    if context is not None:
        assert (np.asarray(of_context) != 0).all()


def test_a_narrow_masked_network_is_autoregressive_still():
    net = moved(MaskedMLP(9, (3, 2), key=jax.random.key(0)))
    jacobian = np.asarray(jax.jit(jax.jacobian(lambda x: net(x)[0]))(jnp.ones(9)))
    assert (jacobian[np.triu_indices(9)] == 0).all()
    assert (jacobian != 0).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda key: Linear(0, 2, key=key), "in_features must be at least 1, got 0"),
        (lambda key: Linear(2, 0, key=key), "out_features must be at least 1, got 0"),
        (lambda key: MLP(2, (3, 0), 2, key=key), "out_features must be at least 1, got 0"),
        (lambda key: MLP(2, (3,), 3, key=key, heads=2), "got 3 outputs in 2 heads"),
        (lambda key: MLP(2, (3,), 2, key=key, activation="tanhh"), "one of gated, tanh, relu.*got 'tanhh'"),
        (lambda key: MLP(2, (3,), 2, key=key, output_bias=jnp.zeros(3)), r"shape \(2,\), got \(3,\)"),
        (lambda key: MLP(2, (3,), 2, key=key, initial="he"), "one of glorot_uniform, .*, he_normal, got 'he'"),
        (lambda key: MLP(2, (), None, key=key), "at least one hidden layer is needed, got none"),
        (lambda key: gated_mlp(2, (), None, key=key), "at least one hidden layer is needed, got none"),
        (lambda key: gated_mlp(2, (3,), None, key=key, heads=2), "give neither, got heads=2 and no output_bias"),
        (lambda key: MLP(2, (3,), None, key=key, output_bias=jnp.zeros(3)), "got heads=1 and an output_bias"),
        (lambda key: LayerNorm(1), "at least 2 features, as a single one is its own mean; got 1"),
        (lambda key: ChannelNorm(1), "at least 2 channels"),
        (lambda key: ChannelNorm(2)(jnp.zeros((3, 4, 4))), r"2 channels, got shape \(3, 4, 4\)"),
        (lambda key: MaskedMLP(2, (3,), key=key, heads=0), "heads must be at least 1, got 0"),
        (lambda key: MaskedMLP(2, (3,), key=key)(jnp.zeros(2), jnp.zeros(1)), r"0 context features.*shape \(1,\)"),
        (lambda key: MaskedMLP(2, (3,), key=key, context_features=1)(jnp.zeros(2)), "1 context features.*got none"),
        (lambda key: MaskedMLP(2, (), key=key, context_features=1)(jnp.zeros(2), jnp.zeros(2)), "1 features on the l"),
        (lambda key: Joined(()), "at least one network, got none"),
        (lambda key: Joined((Linear(2, 3, key=key),) * 2, Linear(5, 1, key=key)), r"takes 5 .* give 3 \+ 3 = 6"),
        (lambda key: Joined((Linear(2, 3, key=key),))((jnp.zeros(2),) * 2), "a tuple of 1 inputs, got 2"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong(jax.random.key(0))
