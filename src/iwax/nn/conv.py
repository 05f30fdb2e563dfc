"""Convolutional layers of one image [channels, height, width]."""

from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.convolution import layer
from iwax.nn.gated import gate
from iwax.nn.init import kernel
from iwax.nn.mlp import ACTIVATIONS
from iwax.nn.sizes import check_positive
from iwax.nn.uncertain_conv import UncertainConv

__all__ = ["Conv", "ConvLayer", "Image", "max_pool"]

Image: TypeAlias = tuple[int, int, int]  # channels, height, width


class Conv(NamedTuple):
    """What a convolutional layer is: its channels, the width of its square kernel, its stride, edges and pooling.

    ``padding``: with "same" there are zeros round the image, and height and width stay (with a stride s, are divided by
    s, rounded up; transposed, multiplied by s); with "valid" there are none (h - kernel + 1; transposed,
    s h + kernel - 1). ``pool`` takes the largest of every pool x pool block afterwards.

    >>> Conv(32, 3, stride=2).padding
    'same'
    """

    channels: int
    kernel: int
    stride: int = 1
    padding: Literal["same", "valid"] = "same"
    pool: int = 1

    def size(self, size: int, *, transposed: bool = False) -> int:
        """Height or width behind the layer.

        >>> Conv(32, 3, stride=2).size(28), Conv(32, 3, stride=2).size(14, transposed=True)
        (14, 28)
        """
        if transposed:
            return size * self.stride + (0 if self.padding == "same" else self.kernel - 1)
        room = size - 1 if self.padding == "same" else size - self.kernel
        return (room // self.stride + 1) // self.pool


class ConvLayer(eqx.Module):
    """``f(W * x + b)`` for one image, W * x a convolution or, ``transposed``, the adjoint of one.

    f is one of `ACTIVATIONS` by name; "gated", ``(W * x + b) sigmoid(V * x + c)`` with one convolution for W and V
    (van den Oord et al. 2016, arXiv:1606.05328; Tomczak and Welling 2018, arXiv:1705.07120); or "linear". W starts by
    one of the laws of `nn.init.dense_weight`, b at zero; with ``sigma`` they are random (`UncertainConv`). ``image`` is
    (channels, height, width) of its inputs, ``out_image`` of its outputs. Raises ValueError on sizes below 1, a kernel
    that the image has no room for, an even kernel that is to keep the size, an unknown activation.

    >>> import jax
    >>> layer = ConvLayer((1, 28, 28), Conv(32, 7), key=jax.random.key(0), activation="gated")
    >>> layer(jnp.zeros((1, 28, 28))).shape
    (32, 28, 28)
    """

    conv: eqx.nn.Conv2d | eqx.nn.ConvTranspose2d | UncertainConv
    image: Image = eqx.field(static=True)
    spec: Conv = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    transposed: bool = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        spec: Conv,
        *,
        key: PRNGKey,
        activation: str = "relu",
        transposed: bool = False,
        initial: str = "glorot_uniform",
        use_bias: bool = True,
        sigma: float | None = None,
        floor: float = 0.0,
    ) -> None:
        if activation not in (*ACTIVATIONS, "gated", "linear"):
            raise ValueError(f"activation must be one of gated, linear, {', '.join(ACTIVATIONS)}, got {activation!r}")
        _check(image, spec, transposed)
        heads = 2 if activation == "gated" else 1
        conv = _convolution(image[0], heads, spec, transposed, initial, use_bias, key)
        self.conv = conv if sigma is None else UncertainConv(conv, sigma=sigma, floor=floor)
        self.image, self.spec, self.activation, self.transposed = image, spec, activation, transposed

    @property
    def out_image(self) -> Image:
        """(channels, height, width) of its outputs."""
        height, width = (self.spec.size(size, transposed=self.transposed) for size in self.image[1:])
        return self.spec.channels, height, width

    def __call__(
        self, x: Float[AnyArray, "channels height width"], *, key: PRNGKey | None = None
    ) -> Float[Array, "out out_height out_width"]:
        """The output at an image, random by ``key`` where the weights are. Raises ValueError at another size."""
        if jnp.shape(x) != self.image:
            raise ValueError(f"a convolutional layer needs an image of shape {self.image}, got {jnp.shape(x)}")
        h = max_pool(self.affine(jnp.asarray(x).astype(self.conv.weight.dtype), key=key), self.spec.pool)
        if self.activation == "gated":
            return gate(h, axis=0)
        return h if self.activation == "linear" else ACTIVATIONS[self.activation](h)

    def affine(self, x: Float[Array, "channels height width"], *, key: PRNGKey | None = None) -> Array:
        """``W * x + b`` alone, at an image of any size."""
        return self.conv(x, key=key) if isinstance(self.conv, UncertainConv) else layer(self.conv, x)


def max_pool(x: Float[Array, "channels height width"], size: int) -> Float[Array, "channels out_height out_width"]:
    """The largest number of every size x size block; rows and columns that fill none are left out.

    >>> max_pool(jnp.arange(6.0).reshape(1, 2, 3), 2).tolist()
    [[[4.0]]]
    """
    if size == 1:
        return x
    channels, height, width = x.shape[0], x.shape[1] // size, x.shape[2] // size
    blocks = x[:, : height * size, : width * size].reshape(channels, height, size, width, size)
    return blocks.max(axis=(2, 4))


def _check(image: Image, spec: Conv, transposed: bool) -> None:
    check_positive(dict(zip(("channels", "height", "width"), image, strict=True)))
    check_positive({name: getattr(spec, name) for name in ("channels", "kernel", "stride", "pool")})
    if spec.padding not in ("same", "valid"):
        raise ValueError(f"padding must be same or valid, got {spec.padding!r}")
    if spec.padding == "same" and spec.kernel % 2 == 0:
        raise ValueError(f"padding 'same' needs an odd kernel, got {spec.kernel}: take one, or padding 'valid'")
    if transposed and spec.pool > 1:
        raise ValueError(f"a transposed convolution is not pooled: pool must be 1, got {spec.pool}")
    if min(spec.size(size, transposed=transposed) for size in image[1:]) < 1:
        raise ValueError(f"{spec} needs a larger image than {image[1]} x {image[2]}: nothing would be left of it")


def _convolution(
    in_channels: int, heads: int, spec: Conv, transposed: bool, initial: str, use_bias: bool, key: PRNGKey
) -> Any:
    """Equinox's layer, made without its own initial weights, with ours, and a bias that starts at zero."""
    layer = partial(
        partial(eqx.nn.ConvTranspose2d, output_padding=spec.stride - 1) if transposed else eqx.nn.Conv2d,
        in_channels,
        heads * spec.channels,
        spec.kernel,
        spec.stride,
        padding=(spec.kernel - 1) // 2 if spec.padding == "same" else 0,
        use_bias=use_bias,
    )
    conv = eqx.filter_eval_shape(lambda key: layer(key=key), key)
    weight = kernel(
        in_channels,
        heads * spec.channels,
        spec.kernel,
        spec.kernel,
        key=key,
        heads=heads,
        dilution=float(spec.stride**2) if transposed else 1.0,  # the zeros between its inputs are not there
        initial=initial,
    )
    conv = eqx.tree_at(lambda conv: conv.weight, conv, weight)
    return eqx.tree_at(lambda conv: conv.bias, conv, jnp.zeros(conv.bias.shape)) if use_bias else conv
