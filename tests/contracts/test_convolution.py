"""The one convolution that every network calls, against its definition by loops, with its derivatives."""

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax.nn.convolution import convolve, layer

KEY = jax.random.key(0)
WINDOWS = {  # images [in, height, width], kernel [out, rows, columns], and how the window moves
    "plain": ((3, 5, 6), (4, 3, 3), {"edges": ((1, 1), (1, 1))}),
    "few channels": ((1, 5, 4), (5, 3, 2), {"edges": ((1, 0), (0, 2))}),
    "to one channel": ((4, 5, 4), (1, 3, 2), {"edges": ((2, 1), (1, 0))}),
    "a pixel by itself": ((3, 4, 4), (2, 1, 1), {}),
    "stride": ((2, 7, 6), (3, 3, 3), {"stride": 2, "edges": ((1, 1), (1, 1))}),
    "stride beyond the kernel": ((2, 8, 7), (3, 2, 2), {"stride": 3}),
    "stride that leaves pixels out": ((2, 8, 8), (3, 3, 3), {"stride": 2}),
    "dilated": ((3, 4, 3), (2, 3, 3), {"dilation": 2, "edges": ((1, 2), (1, 2))}),
    "dilated beyond the kernel": ((2, 3, 3), (3, 2, 2), {"dilation": 3, "edges": ((1, 3), (1, 3))}),
    "even kernel, dilated": ((2, 3, 4), (3, 4, 4), {"dilation": 2, "edges": ((3, 3), (2, 1))}),
    "cut image": ((2, 7, 6), (3, 3, 3), {"edges": ((-1, 2), (3, -2))}),
}


def by_loops(x: np.ndarray, kernel: np.ndarray, stride: int = 1, dilation: int = 1, edges=((0, 0), (0, 0))):
    """One image [in, height, width] by the definition, in double precision."""
    channels, height, width = x.shape
    spread = np.zeros((channels, (height - 1) * dilation + 1, (width - 1) * dilation + 1))
    spread[:, ::dilation, ::dilation] = x
    spread = np.pad(spread, ((0, 0), *[(max(0, a), max(0, b)) for a, b in edges]))
    (top, bottom), (left, right) = edges
    spread = spread[:, max(0, -top) :, max(0, -left) :]
    spread = spread[:, : spread.shape[1] + min(0, bottom), : spread.shape[2] + min(0, right)]
    rows, columns = kernel.shape[2:]
    shape = [(n - k) // stride + 1 for n, k in zip(spread.shape[1:], (rows, columns), strict=True)]
    y = np.zeros((kernel.shape[0], *shape))
    for a, b in product(*map(range, shape)):
        seen = spread[:, stride * a : stride * a + rows, stride * b : stride * b + columns]
        y[:, a, b] = np.einsum("cij,ocij->o", seen, kernel)
    return y


@pytest.mark.parametrize("name", WINDOWS)
def test_a_convolution_and_its_derivatives_are_those_of_the_definition(name: str):
    """Bilinear: the derivative along a unit vector is the convolution of it, for every pixel and every weight."""
    image, (out, *size), how = WINDOWS[name]
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, *image)), rng.normal(size=(out, image[0], *size))
    expected = np.stack([by_loops(each, kernel, **how) for each in x])
    y = rng.normal(size=expected.shape)

    def value(x, kernel):
        outputs = jax.vmap(lambda each: convolve(each, kernel, **how))(x)
        return jnp.sum(y * outputs), outputs

    with jax.enable_x64(True):
        (got, of_kernel), outputs = jax.jit(jax.grad(value, (0, 1), has_aux=True))(jnp.asarray(x), jnp.asarray(kernel))
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    of_x = np.zeros(image)
    for place in np.ndindex(*image):
        unit = np.zeros(image)
        unit[place] = 1
        of_x[place] = np.sum(y[0] * by_loops(unit, kernel, **how))
    np.testing.assert_allclose(got[0], of_x, atol=1e-12)
    for place in np.ndindex(*kernel.shape):
        unit = np.zeros(kernel.shape)
        unit[place] = 1
        along = sum(np.sum(each * by_loops(image, unit, **how)) for each, image in zip(y, x, strict=True))
        np.testing.assert_allclose(of_kernel[place], along, atol=1e-11)


@pytest.mark.parametrize("name", ["stride", "dilated", "cut image"])
def test_what_other_devices_are_given_is_the_same(name: str, monkeypatch):
    """There `jax.lax` does it; negative edges are cut first, beyond which XLA would read."""
    image, (out, *size), how = WINDOWS[name]
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=image).astype("f"), rng.normal(size=(out, image[0], *size)).astype("f")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(convolve(x, kernel, **how), by_loops(x, kernel, **how), atol=1e-5)


def test_derivatives_of_derivatives_and_forward_ones():
    """Of sum y k*x by both arguments: the mixed second derivative is the convolution itself; forward as backward."""
    how = {"stride": 2, "edges": ((1, 1), (1, 1))}
    rng = np.random.default_rng(0)
    x, kernel, u, v = (rng.normal(size=shape) for shape in [(2, 5, 5), (3, 2, 3, 3), (2, 5, 5), (3, 2, 3, 3)])

    def total(x, kernel):
        return jnp.sum(jnp.sin(convolve(x, kernel, **how)))

    def second(x, kernel):
        return jax.jvp(lambda x, kernel: jax.grad(total, (0, 1))(x, kernel), (x, kernel), (u, v))[1]

    with jax.enable_x64(True):
        got, step = jax.jit(second)(x, kernel), 1e-6
        ahead, behind = (jax.jit(jax.grad(total, (0, 1)))(x + h * u, kernel + h * v) for h in (step, -step))
    for a, b, c in zip(got, ahead, behind, strict=True):
        np.testing.assert_allclose(a, (np.asarray(b) - np.asarray(c)) / (2 * step), atol=1e-7)


@pytest.mark.parametrize("batched", ["kernels", "both"])
def test_many_kernels_are_each_by_itself(batched: str):
    """`jax.vmap` over kernels, with one image or one image each, gives what each pair gives."""
    how = {"edges": ((1, 1), (0, 1))}
    x, kernels = jax.random.normal(KEY, (3, 2, 4, 4)), jax.random.normal(jax.random.key(1), (3, 5, 2, 3, 2))
    given = x if batched == "both" else x[0]
    got = jax.vmap(lambda x, k: convolve(x, k, **how), in_axes=(0 if batched == "both" else None, 0))(given, kernels)
    expected = [by_loops(np.asarray(x[i if batched == "both" else 0]), np.asarray(kernels[i]), **how) for i in range(3)]
    np.testing.assert_allclose(got, np.stack(expected), atol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_layer_of_equinox_is_what_it_says(transposed: bool):
    """Strides, edges and output padding as Equinox reads them."""
    made = eqx.nn.ConvTranspose2d(2, 3, 4, 3, padding=1, output_padding=1, key=KEY)
    conv = made if transposed else eqx.nn.Conv2d(2, 3, 4, 3, padding=1, use_bias=False, key=KEY)
    x = jax.random.normal(KEY, (2, 6, 5))
    np.testing.assert_allclose(layer(conv, x), conv(x), atol=1e-5)


def test_nothing_in_a_training_loop_is_left_to_the_slow_kernel():
    """Compiled for a processor, neither the convolution of a loop nor its derivatives are XLA's own kernel there."""
    if jax.default_backend() != "cpu":
        pytest.skip("of a processor's compiler")
    kernel = jax.random.normal(KEY, (8, 8, 3, 3))

    def loss(kernel, x):
        down = jax.vmap(lambda x: convolve(x, kernel, stride=2, edges=((1, 1), (1, 1))))(x)
        up = jax.vmap(lambda y: convolve(y, kernel, dilation=2, edges=((1, 2), (1, 2))))(jnp.tanh(down))
        return jnp.sum(up**2)

    def train(kernel, x):
        return jax.lax.fori_loop(0, 3, lambda _, k: k - 1e-3 * jax.grad(loss)(k, x), kernel)

    text = jax.jit(train).lower(kernel, jnp.ones((4, 8, 8, 8))).compile().as_text()
    left = [line for line in text.splitlines() if " convolution(" in line]
    assert left
    assert text.count("ynn_fusion") >= len(left)  # every one of them is inside a call of the library
