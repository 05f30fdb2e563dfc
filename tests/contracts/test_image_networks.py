"""Networks of images: what they compute, by SciPy; what each pixel sees, by the Jacobian."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.special

from iwax import nn
from iwax.nn import (
    Conv,
    ConvLayer,
    ConvNet,
    DeconvNet,
    GatedPixelCNN,
    MaskedConv,
    PixelCNN,
)

KEY = jax.random.key(5)


def moved(network):
    """The network with nothing at its initial value, so that biases and gains count."""
    generator = np.random.default_rng(11)
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 0.5 * generator.normal(size=leaf.shape).astype("f"), network)


@eqx.filter_jit
def call(network, *inputs):
    return network(*inputs)


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def correlated(x: np.ndarray, weight, mode: str) -> np.ndarray:
    """Every output channel the sum over input channels of SciPy's correlation."""
    kernels = np.asarray(weight, np.float64)
    return np.stack(
        [sum(scipy.signal.correlate(c, k, mode) for c, k in zip(x, of_out, strict=True)) for of_out in kernels]
    )


def biased(x: np.ndarray, bias) -> np.ndarray:
    return x + np.asarray(bias, np.float64).reshape(-1, 1, 1)


def check_derivatives(layer, x: jax.Array) -> None:
    """``<v, J u> = <J' v, u>`` in the weights and the image: the latter is a program of its own."""

    @jax.jit
    def both(layer, x):
        u = jax.tree.map(jnp.cos, (layer, x))
        outputs, pushed = jax.jvp(lambda layer, x: layer(x), (layer, x), u)
        v = jnp.cos(jnp.arange(outputs.size, dtype=outputs.dtype)).reshape(outputs.shape)
        pulled = jax.vjp(lambda layer, x: layer(x), layer, x)[1](v)
        along = sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(pulled), jax.tree.leaves(u), strict=True))
        return jnp.vdot(v, pushed), along, pulled[1]

    forwards, backwards, of_image = both(layer, x)
    np.testing.assert_allclose(backwards, forwards, rtol=1e-4, atol=1e-4)
    assert np.isfinite(of_image).all()


@pytest.mark.parametrize(
    ("spec", "activation"),
    [
        (Conv(4, 3), "tanh"),
        (Conv(4, 3), "gated"),
        (Conv(4, 5, 2), "linear"),
        (Conv(4, 4, 1, "valid"), "linear"),
        (Conv(4, 2, 3, "valid"), "linear"),
        (Conv(4, 1, 2), "linear"),
    ],
)
def test_a_convolution_is_scipys(spec: Conv, activation: str):
    x = picture(2, 7, 6)
    layer = moved(ConvLayer(x.shape, spec, key=KEY, activation=activation))
    h = correlated(x, layer.conv.weight, spec.padding)[:, :: spec.stride, :: spec.stride]
    h = biased(h, layer.conv.bias)
    expected = {
        "linear": lambda h: h,
        "tanh": np.tanh,
        "gated": lambda h: h[:4] * scipy.special.expit(h[4:]),
    }[activation](h)
    assert layer.out_image == expected.shape
    np.testing.assert_allclose(call(layer, jnp.asarray(x)), expected, rtol=1e-4, atol=1e-5)
    check_derivatives(layer, jnp.asarray(x, jnp.float32))


@pytest.mark.parametrize("spec", [Conv(4, 3), Conv(4, 1, 2), Conv(4, 3, 3, "valid"), Conv(4, 2, 2, "valid")])
def test_a_transposed_convolution_is_the_adjoint_of_scipys(spec: Conv):
    """``<C u, v> = <u, C' v>`` for the unit images u, C the convolution by SciPy with the flipped kernel."""
    v = picture(2, 3, 4)
    layer = moved(ConvLayer(v.shape, spec, key=KEY, activation="linear", transposed=True))
    kernel = np.swapaxes(np.asarray(layer.conv.weight, np.float64)[:, :, ::-1, ::-1], 0, 1)
    got = np.asarray(call(layer, jnp.asarray(v))) - np.asarray(layer.conv.bias)
    assert layer.out_image == got.shape
    expected = np.zeros(got.shape)
    for place in np.ndindex(*got.shape):
        unit = np.zeros(got.shape)
        unit[place] = 1
        image = correlated(unit, kernel, spec.padding)[:, :: spec.stride, :: spec.stride]
        assert image.shape == v.shape
        expected[place] = (image * v).sum()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    check_derivatives(layer, jnp.asarray(v, jnp.float32))


def test_a_flat_image_is_channels_of_rows():
    """A convolutional network on one flat datum is its layers on the image, and its dense end on what is left."""
    x = picture(2, 4, 6)
    net = moved(ConvNet((2, 4, 6), [(3, 3, 2)], 4, key=KEY, activation="tanh"))
    h = np.tanh(biased(correlated(x, net.layers[0].conv.weight, "same")[:, ::2, ::2], net.layers[0].conv.bias))
    np.testing.assert_allclose(call(net, jnp.asarray(x.ravel())), call(net.dense, h.ravel()), rtol=1e-4, atol=1e-5)
    back = moved(DeconvNet(4, (2, 4, 6), [(2, 3, 1)], start=(3, 4, 6), key=KEY, activation="tanh"))
    h = np.asarray(call(back.dense, jnp.ones(4)), np.float64).reshape(3, 4, 6)
    kernel = back.layers[0].conv.weight
    expected = biased(correlated(h, kernel, "same"), back.layers[0].conv.bias).ravel()
    np.testing.assert_allclose(call(back, jnp.ones(4)), expected, rtol=1e-4, atol=1e-5)


def test_an_output_bias_is_one_per_pixel():
    bias = jnp.linspace(-1, 1, 24)
    shapes = {"image": (1, 4, 6), "start": (3, 2, 3), "key": KEY}
    made = (DeconvNet(2, layers=[(1, 3, 2)], output_bias=b, **shapes) for b in (bias, None))
    with_bias, without = (eqx.filter_jit(net)(jnp.ones(2)) for net in made)
    np.testing.assert_allclose(with_bias - without, bias, atol=1e-6)


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("stack", ["raster", "vertical", "horizontal"])
def test_a_masked_convolution_is_scipys_with_a_masked_kernel(kind: str, stack: str):
    x, here, half = picture(2, 4, 6), int(kind == "B"), 1 if kind == "A" else 2
    size = 2 * half + 1
    layer = moved(MaskedConv(2, 3, size, kind=kind, stack=stack, key=KEY))
    whole = np.zeros((3, 2, size, size))
    if stack == "vertical":
        whole[:, :, : half + here] = layer.weight
    elif stack == "horizontal":
        whole[:, :, half, : half + here] = layer.weight[:, :, 0]
    else:
        whole[:, :, : half + 1] = layer.weight
        whole[:, :, half, half + here :] = 0
    expected = biased(correlated(x, whole, "same"), layer.bias)
    np.testing.assert_allclose(call(layer, jnp.asarray(x)), expected, rtol=1e-4, atol=1e-5)
    check_derivatives(layer, jnp.asarray(x, jnp.float32))


def jacobians(net, maps) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the logits [pixel, pixel seen], and in the maps, at a random image."""
    x = jax.random.normal(jax.random.key(1), (net.in_features,))
    if maps is None:
        return np.asarray(jax.jit(jax.jacobian(net))(x)), None
    both = jax.jit(jax.jacobian(lambda x, maps: net(x, maps), argnums=(0, 1)))(x, maps)
    return np.asarray(both[0]), np.asarray(both[1])


def test_the_gated_pixelcnn_sees_all_pixels_before_and_no_other():
    """On 3 x 5 pixels with four layers of width 3: the last pixel of a row is four columns from the first."""
    maps = jax.random.normal(jax.random.key(2), (2, 3, 5))
    of_x, of_maps = jacobians(moved(GatedPixelCNN((3, 5), channels=12, layers=4, map_channels=2, key=KEY)), maps)
    np.testing.assert_array_equal(of_x != 0, np.tri(15, k=-1, dtype=bool))
    at_home = of_maps.reshape(15, 2, 15)[np.arange(15), :, np.arange(15)]
    assert (at_home != 0).all()


def test_the_pixelcnn_sees_no_pixel_after_and_has_its_blind_spot():
    """Of the row above it sees one column further to the right, of the row above that one more: never the corner."""
    of_x, _ = jacobians(moved(PixelCNN((3, 5), channels=8, layers=6, key=KEY)), None)
    row, column = np.divmod(np.arange(15), 5)
    above, right = row[:, None] - row, column - column[:, None]
    np.testing.assert_array_equal(of_x != 0, np.where(above == 0, right < 0, (above > 0) & (right <= above)))


def test_the_maps_of_a_pixelcnn_are_not_masked():
    maps = jax.random.normal(jax.random.key(2), (1, 3, 3))
    net = moved(PixelCNN((3, 3), channels=6, layers=1, map_channels=1, key=KEY))
    of_x, of_maps = jacobians(net, maps)
    assert (of_x[np.triu_indices(9)] == 0).all()
    assert (of_maps.reshape(9, 9)[np.arange(8), np.arange(1, 9)] != 0)[[0, 1, 3, 4, 6, 7]].all()  # the next pixel's


def test_published_networks_have_their_sizes():
    """28 x 28 pixels, and for the convolutional HVAE those of Frey faces and CIFAR-10 (294, 210 and 384 numbers)."""
    flattened = {(1, 28, 28): 294, (1, 28, 20): 210, (3, 32, 32): 384}
    for image, size in flattened.items():
        shapes = eqx.filter_eval_shape(lambda image=image: nn.conv_hvae_encoder(image, None, key=KEY))
        assert shapes.out_features == size
        assert shapes.in_features == np.prod(image)
        back = eqx.filter_eval_shape(lambda image=image: nn.conv_hvae_decoder(600, image, key=KEY))
        assert (back.in_features, back.out_features) == (600, np.prod(image))
        assert [layer.out_image[0] for layer in back.layers] == [64, 64, 64, 64, image[0]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ConvLayer((1, 4, 4), Conv(2, 2), key=KEY), "needs an odd kernel, got 2"),
        (lambda: ConvLayer((1, 4, 4), Conv(2, 5, 1, "valid"), key=KEY), "larger image than 4 x 4"),
        (lambda: ConvLayer((1, 4, 4), Conv(0, 3), key=KEY), "channels must be at least 1, got 0"),
        (lambda: ConvLayer((1, 0, 4), Conv(1, 3), key=KEY), "height must be at least 1, got 0"),
        (lambda: ConvLayer((1, 4, 4), Conv(1, 3, 0), key=KEY), "stride must be at least 1, got 0"),
        (lambda: ConvLayer((1, 4, 4), Conv(1, 3, 1, "full"), key=KEY), "same or valid, got 'full'"),
        (lambda: ConvLayer((1, 4, 4), Conv(1, 3), key=KEY, activation="gate"), "one of gated, linear.*got 'gate'"),
        (lambda: ConvLayer((1, 4, 4), Conv(1, 3), key=KEY)(jnp.ones((1, 4, 5))), r"\(1, 4, 4\), got \(1, 4, 5\)"),
        (lambda: ConvNet((1, 4, 4), [], 3, key=KEY), "at least one convolutional layer, got none"),
        (lambda: ConvNet((1, 4, 4), [(2, 3, 1)], None, key=KEY, heads=2), "give neither, got heads=2"),
        (lambda: DeconvNet(3, (1, 4, 4), [], start=(1, 4, 4), key=KEY), "at least one convolutional layer"),
        (lambda: DeconvNet(3, (1, 4, 4), [(1, 3, 2)], start=(2, 3, 2), key=KEY), "4 x 4 pixels.*got 6 x 4 in 1"),
        (
            lambda: DeconvNet(3, (2, 4, 4), [(3, 3, 2)], start=(2, 2, 2), key=KEY),
            "multiple of 2 channels; got 4 x 4 in 3",
        ),
        (
            lambda: DeconvNet(3, (1, 4, 4), [(1, 3, 2)], start=(2, 2, 2), key=KEY, output_bias=jnp.zeros(4)),
            r"shape \(16,\), got \(4,\)",
        ),
        (lambda: MaskedConv(1, 2, 4, kind="A", key=KEY), "odd and at least 3, got 4"),
        (lambda: PixelCNN((4, 4), channels=2, layers=0, key=KEY), "layers must be at least 1, got 0"),
        (lambda: PixelCNN((2, 2), channels=2, layers=1, key=KEY)(jnp.ones(4), jnp.ones((1, 2, 2))), "None, got"),
        (
            lambda: GatedPixelCNN((2, 2), channels=2, layers=1, map_channels=1, key=KEY)(jnp.ones(4)),
            r"conditioning maps of shape \(1, 2, 2\), got None",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong()
