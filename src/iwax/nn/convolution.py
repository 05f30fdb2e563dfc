"""Convolutions that are as fast inside a compiled loop as outside, forward and backward.

On a processor XLA compiles a convolution inside a loop to a kernel 20 to 70 times slower than outside (jax issue
12868), unless it is one that a library takes: single precision, channels last, nothing dilated. So every convolution
is written as one of those, its derivative in the image too, and its derivative in the kernel as one matrix product.
With another device, `jax.lax` does all of it. Seen with JAX 0.10.2; later versions may not need it.
"""

from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from iwax._typing import AnyArray

__all__ = ["convolve", "layer"]

Edges: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # zeros above and below, left and right

_LAST = ("NHWC", "HWIO", "NHWC")  # images [n, height, width, channels], kernels [height, width, in, out]


class _Window(NamedTuple):
    """How the window moves: by ``stride``, over an image with ``dilation - 1`` zeros between its pixels."""

    stride: int
    dilation: int
    edges: Edges


def convolve(
    x: Float[AnyArray, "in height width"],
    kernel: Float[AnyArray, "out in rows columns"],
    *,
    stride: int = 1,
    dilation: int = 1,
    edges: Edges = ((0, 0), (0, 0)),
) -> Float[Array, "out out_height out_width"]:
    """``y[o, a, b] = sum_cij k[o, c, i, j] u[c, stride a + i, stride b + j]``, u the image with zeros put in.

    ``edges`` are how many zeros come round the image, and ``dilation - 1`` between its pixels, as a transposed
    convolution of that stride has them; negative edges cut the image. `jax.lax.conv_general_dilated` of one image.

    >>> convolve(jnp.arange(6.0).reshape(1, 2, 3), jnp.ones((1, 1, 1, 2))).tolist()
    [[[1.0, 3.0], [7.0, 9.0]]]
    """
    if jax.default_backend() != "cpu":
        strides, gaps = (stride, stride), (dilation, dilation)
        image, edges = (jnp.asarray(x), edges) if dilation > 1 else _cut(jnp.asarray(x), edges)
        return jax.lax.conv_general_dilated(image[None], jnp.asarray(kernel), strides, edges, lhs_dilation=gaps)[0]
    image, last = jnp.transpose(x, (1, 2, 0))[None], jnp.transpose(kernel, (2, 3, 1, 0))
    return _convolution.bind(image, last, window=_Window(stride, dilation, edges))[0].transpose(2, 0, 1)


def layer(conv: eqx.nn.Conv2d | eqx.nn.ConvTranspose2d, x: Float[AnyArray, "in height width"]) -> Array:
    """What Equinox's layer gives for an image. ValueError where it has groups, dilation or padding that is not square.

    >>> conv = eqx.nn.Conv2d(1, 4, 3, key=jax.random.key(0))
    >>> bool(jnp.allclose(layer(conv, jnp.ones((1, 5, 5))), conv(jnp.ones((1, 5, 5))), atol=1e-6))
    True
    """
    (stride, _), padding = conv.stride, conv.padding
    if isinstance(padding, str) or conv.groups != 1 or set(conv.dilation) != {1} or len({*padding}) != 1:
        raise ValueError(f"needs square padding in numbers, one group and no dilation, got {conv}")
    before, after = padding[0]
    if isinstance(conv, eqx.nn.ConvTranspose2d):
        reach = conv.kernel_size[0] - 1
        edge = (reach - before, reach - after + conv.output_padding[0])
        y = convolve(x, conv.weight, dilation=stride, edges=(edge, edge))
    else:
        y = convolve(x, conv.weight, stride=stride, edges=((before, after), (before, after)))
    return y if conv.bias is None else y + conv.bias


def _convolved(x: Array, kernel: Array, *, window: _Window) -> Array:
    """Images [n, height, width, in] and a kernel [rows, columns, in, out], neither dilated as it is computed."""
    if window.dilation > 1:
        return _dilated(x, kernel, window)
    x, edges = _cut(x, window.edges)
    return jax.lax.conv_general_dilated(x, kernel, (window.stride,) * 2, edges, dimension_numbers=_LAST)


def _dilated(x: Array, kernel: Array, window: _Window) -> Array:
    """The s x s outputs round a pixel of an image dilated by s are s x s channels of a convolution that is not.

    Output s a + r sees the pixel a + e where ``s e = t + r - edge`` for a place t of the kernel: most places see zeros.
    """
    s, sizes = window.dilation, _sizes(x.shape[1:3], kernel.shape[:2], window)
    phases, cells = np.arange(s), []
    for size, edge in zip(kernel.shape[:2], window.edges, strict=True):
        first, last = -(edge[0] // s), (size - 1 + s - 1 - edge[0]) // s
        reach = np.arange(first, last + 1)
        place = s * reach[:, None] - phases + edge[0]  # [reach, phases]: which place of the kernel, if one
        cells.append((first, last, np.where((place >= 0) & (place < size), place, size)))
    (top, bottom, rows), (left, right, columns) = cells
    spread = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))[rows][:, :, columns]  # [I, s, J, s, in, out]
    spread = spread.transpose(0, 2, 4, 1, 3, 5).reshape(len(rows), len(columns), kernel.shape[2], -1)
    steps = [-(-size // s) for size in sizes]
    edges = tuple(
        (-first, count + last - size)
        for first, last, count, size in zip((top, left), (bottom, right), steps, x.shape[1:3], strict=True)
    )
    y = _convolved(x, spread, window=_Window(1, 1, edges))  # pyright: ignore[reportArgumentType]
    y = y.reshape(x.shape[0], *steps, s, s, -1).transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(x.shape[0], s * steps[0], s * steps[1], -1)[:, : sizes[0], : sizes[1]]


def _cut(x: Array, edges: Edges) -> tuple[Array, Edges]:
    """Negative edges by slices (XLA reads beyond the image: openxla/xla#48713), and the others, still to come."""
    (top, bottom), (left, right) = edges
    height, width = x.shape[1:3]
    x = x[:, max(0, -top) : height + min(0, bottom), max(0, -left) : width + min(0, right)]
    return x, ((max(0, top), max(0, bottom)), (max(0, left), max(0, right)))


def _sizes(image: tuple[int, ...], kernel: tuple[int, ...], window: _Window) -> list[int]:
    return [
        ((size - 1) * window.dilation + 1 + sum(edge) - reach) // window.stride + 1
        for size, reach, edge in zip(image, kernel, window.edges, strict=True)
    ]


def _gradient_of_image(y: Array, x: Any, kernel: Array, *, window: _Window) -> Array:
    """The adjoint in the image: the kernel turned round, stride and dilation in each other's place."""
    edges = []
    for size, reach, (before, _), out in zip(
        x.aval.shape[1:3], kernel.shape[:2], window.edges, y.shape[1:3], strict=True
    ):
        spread, given = (size - 1) * window.dilation + 1, (out - 1) * window.stride + 1
        edges.append((reach - 1 - before, spread + before - given))
    back = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return _convolution.bind(y, back, window=_Window(window.dilation, window.stride, tuple(edges)))


def _gradient_of_kernel(y: Array, x: Array, kernel: Any, *, window: _Window) -> Array:
    """The adjoint in the kernel: ``sum u[stride a + i, stride b + j] y[a, b]`` over all images and pixels."""
    rows, columns, *_ = kernel.aval.shape
    if window.dilation > 1:  # y is the one that is strided over, from the other side
        (top, _), (left, _) = window.edges
        sizes = zip((rows - 1 - top, columns - 1 - left), (rows, columns), x.shape[1:3], y.shape[1:3], strict=True)
        edges = tuple(
            (before, (out - 1) * window.dilation + reach - size - before) for before, reach, out, size in sizes
        )
        swapped = _correlated(y, x, (rows, columns), _Window(window.dilation, 1, edges))  # pyright: ignore[reportArgumentType]
        return swapped[::-1, ::-1].transpose(0, 1, 3, 2)
    return _correlated(x, y, (rows, columns), window)


def _correlated(x: Array, y: Array, size: tuple[int, int], window: _Window) -> Array:
    """``sum_nab x[n, s a + i - edge, s b + j - edge, c] y[n, a, b, o]`` [i, j, c, o], as one matrix product.

    Neighbours are laid side by side: those of x, those of y, or those along a row of x and along a column of y,
    whichever makes the least numbers: channels times places.
    """
    (rows, columns), ins, outs = size, x.shape[-1], y.shape[-1]
    x = _framed(x, size, y.shape[1:3], window)
    (height, width), s = y.shape[1:3], window.stride
    costs = {"x": rows * columns * ins}
    if s == 1:
        costs |= {"y": rows * columns * outs, "both": columns * ins + rows * outs}
    cheapest = min(costs, key=lambda how: costs[how])
    if cheapest == "x":
        shifted = [
            x[:, i : i + s * (height - 1) + 1 : s, j : j + s * (width - 1) + 1 : s]
            for i in range(rows)
            for j in range(columns)
        ]
        return _product(jnp.concatenate(shifted, -1), y).reshape(rows, columns, ins, outs)
    if cheapest == "y":
        around = jnp.pad(y, ((0, 0), (rows - 1, rows - 1), (columns - 1, columns - 1), (0, 0)))
        tall, wide = x.shape[1:3]
        shifted = [
            around[:, rows - 1 - i : rows - 1 - i + tall, columns - 1 - j : columns - 1 - j + wide]
            for i in range(rows)
            for j in range(columns)
        ]
        return _product(x, jnp.concatenate(shifted, -1)).reshape(ins, rows, columns, outs).transpose(1, 2, 0, 3)
    along = jnp.concatenate([x[:, :, j : j + width] for j in range(columns)], -1)
    around = jnp.pad(y, ((0, 0), (rows - 1, rows - 1), (0, 0), (0, 0)))
    down = jnp.concatenate([around[:, rows - 1 - i : rows - 1 - i + x.shape[1]] for i in range(rows)], -1)
    return _product(along, down).reshape(columns, ins, rows, outs).transpose(2, 0, 1, 3)


def _framed(x: Array, size: tuple[int, int], outputs: tuple[int, ...], window: _Window) -> Array:
    """The image with its edges, of just the size that all windows cover."""
    edges = tuple(
        (before, (out - 1) * window.stride + reach - pixels - before)
        for (before, _), reach, out, pixels in zip(window.edges, size, outputs, x.shape[1:3], strict=True)
    )
    x, (rows, columns) = _cut(x, edges)  # pyright: ignore[reportArgumentType]
    return jnp.pad(x, ((0, 0), rows, columns, (0, 0)))


def _product(a: Array, b: Array) -> Array:
    """``a' b``, summed over all axes but the last."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


def _batched(arguments: tuple[Array, Array], axes: tuple[Any, Any], *, window: _Window) -> tuple[Array, int]:
    """Many images are more images, many kernels more outputs; of both at once, each pair by itself."""
    (x, kernel), (of_x, of_kernel) = arguments, axes
    if of_kernel is None:
        x = jnp.moveaxis(x, of_x, 0)
        y = _convolution.bind(x.reshape(-1, *x.shape[2:]), kernel, window=window)
        return y.reshape(*x.shape[:2], *y.shape[1:]), 0
    if of_x is None:
        many = jnp.moveaxis(kernel, of_kernel, -2)
        y = _convolution.bind(x, many.reshape(*many.shape[:3], -1), window=window)
        return y.reshape(*y.shape[:-1], *many.shape[-2:]), y.ndim - 1
    x, kernel = jnp.moveaxis(x, of_x, 0), jnp.moveaxis(kernel, of_kernel, 0)
    return jnp.stack([_convolution.bind(*pair, window=window) for pair in zip(x, kernel, strict=True)]), 0


def _shaped(x: Any, kernel: Any, *, window: _Window) -> Any:
    sizes = _sizes(x.shape[1:3], kernel.shape[:2], window)
    return ShapedArray((x.shape[0], *sizes, kernel.shape[-1]), jnp.result_type(x.dtype, kernel.dtype))


_convolution = Primitive("convolution_in_a_loop")
_convolution.def_impl(jax.jit(_convolved, static_argnames="window"))
_convolution.def_abstract_eval(_shaped)
mlir.register_lowering(_convolution, mlir.lower_fun(_convolved, multiple_results=False))
ad.defbilinear(_convolution, _gradient_of_image, _gradient_of_kernel)
batching.primitive_batchers[_convolution] = _batched
