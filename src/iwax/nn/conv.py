"""Convolutional layers of one image [channels, height, width]."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.convolution import layer
from iwax.nn.init import kernel
from iwax.nn.mlp import activated, check_activation
from iwax.nn.sizes import check_positive

__all__ = ["Conv", "ConvLayer", "Image", "Spec", "stacked"]

Image: TypeAlias = tuple[int, int, int]  # channels, height, width
Spec: TypeAlias = "Conv | tuple[int, int, int]"  # what a layer is, or its channels, kernel and stride


class Conv(NamedTuple):
    """What a convolutional layer is: its channels, the width of its square kernel, its stride and edges.

    ``padding``: with "same" there are zeros round the image, and height and width stay (with a stride s, are divided by
    s, rounded up; transposed, multiplied by s); with "valid" there are none (h - kernel + 1; transposed,
    s h + kernel - 1).

    >>> Conv(32, 3, stride=2).padding
    'same'
    """

    channels: int
    kernel: int
    stride: int = 1
    padding: Literal["same", "valid"] = "same"

    @classmethod
    def of(cls, spec: Spec) -> "Conv":
        """The description itself, or that of a tuple (channels, kernel, stride)."""
        return spec if isinstance(spec, Conv) else cls(*spec)

    def size(self, size: int, *, transposed: bool = False) -> int:
        """Height or width behind the layer.

        >>> Conv(32, 3, stride=2).size(28), Conv(32, 3, stride=2).size(14, transposed=True)
        (14, 28)
        """
        if transposed:
            return size * self.stride + (0 if self.padding == "same" else self.kernel - 1)
        room = size - 1 if self.padding == "same" else size - self.kernel
        return room // self.stride + 1


class ConvLayer(eqx.Module):
    """``f(W * x + b)`` for one image, W * x a convolution or, ``transposed``, the adjoint of one.

    f is one of `ACTIVATIONS` by name; "gated", ``(W * x + b) sigmoid(V * x + c)`` with one convolution for W and V
    (van den Oord et al. 2016, arXiv:1606.05328; Tomczak and Welling 2018, arXiv:1705.07120); or "linear". W starts by
    one of the distributions of `nn.init.dense_weight`, b at zero. ``image`` is (channels, height, width) of its inputs,
    ``out_image`` of its outputs. Raises ValueError on sizes below 1, a kernel that the image has no room for, an even
    kernel with padding "same", and an unknown activation.

    >>> import jax
    >>> layer = ConvLayer((1, 28, 28), Conv(32, 7), key=jax.random.key(0), activation="gated")
    >>> layer(jnp.zeros((1, 28, 28))).shape
    (32, 28, 28)
    """

    conv: eqx.nn.Conv2d | eqx.nn.ConvTranspose2d
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
    ) -> None:
        check_activation(activation, "gated", "linear")
        _check(image, spec, transposed)
        heads = 2 if activation == "gated" else 1
        self.conv = _convolution(image[0], heads, spec, transposed, initial, use_bias, key)
        self.image, self.spec, self.activation, self.transposed = image, spec, activation, transposed

    @property
    def out_image(self) -> Image:
        """(channels, height, width) of its outputs."""
        height, width = (self.spec.size(size, transposed=self.transposed) for size in self.image[1:])
        return self.spec.channels, height, width

    def __call__(
        self, x: Float[AnyArray, "channels height width"], *, key: PRNGKey | None = None
    ) -> Float[Array, "out out_height out_width"]:
        """The output at an image; ``key`` is ignored. Raises ValueError at another size."""
        if jnp.shape(x) != self.image:
            raise ValueError(f"a convolutional layer needs an image of shape {self.image}, got {jnp.shape(x)}")
        return activated(self.activation, self.affine(jnp.asarray(x).astype(self.conv.weight.dtype)), axis=0)

    def affine(self, x: Float[Array, "channels height width"]) -> Array:
        """``W * x + b`` alone, at an image of any size."""
        return layer(self.conv, x)


def stacked(
    image: Image, specs: Sequence[Spec], *, key: PRNGKey, activation: str, initial: str, transposed: bool = False
) -> tuple[ConvLayer, ...]:
    """Layers one after the other, each with a key of its own.

    >>> import jax
    >>> stacked((1, 28, 28), [(8, 5, 2)], key=jax.random.key(0), activation="relu", initial="he_normal")[-1].out_image
    (8, 14, 14)
    """
    built: list[ConvLayer] = []
    make = partial(ConvLayer, activation=activation, initial=initial, transposed=transposed)
    for i, spec in enumerate(specs):
        built.append(make(image, Conv.of(spec), key=jax.random.fold_in(key, i)))
        image = built[-1].out_image
    return tuple(built)


def _check(image: Image, spec: Conv, transposed: bool) -> None:
    check_positive(dict(zip(("channels", "height", "width"), image, strict=True)))
    check_positive({name: getattr(spec, name) for name in ("channels", "kernel", "stride")})
    if spec.padding not in ("same", "valid"):
        raise ValueError(f"padding must be same or valid, got {spec.padding!r}")
    if spec.padding == "same" and spec.kernel % 2 == 0:
        raise ValueError(f"padding 'same' needs an odd kernel, got {spec.kernel}: take one, or padding 'valid'")
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
