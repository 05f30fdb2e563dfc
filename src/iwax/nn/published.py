"""Published convolutional networks, by name."""

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, Image
from iwax.nn.conv_net import ConvNet
from iwax.nn.deconv_net import DeconvNet

__all__ = ["conv_hvae_decoder", "conv_hvae_encoder", "five_layer_decoder", "five_layer_encoder"]

_FIVE_LAYERS = (
    Conv(32, 5, padding="valid", pool=2),
    Conv(32, 3),
    Conv(64, 3, padding="valid", pool=2),
    Conv(64, 3),
    Conv(64, 3),
)
_FIVE_LAYERS_BACK = (Conv(64, 3), Conv(64, 3, 2, "valid"), Conv(32, 3), Conv(32, 3), Conv(1, 5, 2, "valid"))
_CONV_HVAE = (Conv(32, 7), Conv(32, 3, 2), Conv(64, 5), Conv(64, 3, 2), Conv(6, 3))


def five_layer_encoder(out_features: int | None, *, key: PRNGKey, heads: int = 1) -> ConvNet:
    """The recognition net of the five-layer convolutional networks, for 28 x 28 pixels: 784 to ``out_features``.

    Li, Zhu, Shi and Zhang (2015, arXiv:1504.06787): convolutions of 32, 32, 64, 64 and 64 channels, kernels 5, 3, 3, 3,
    3, the first and third without padding and max-pooled by 2 (28 to 12 to 5), then a dense layer of 500; ReLU. They
    drop out units of the first, third and dense layers while training, which is left out here.

    >>> import jax
    >>> five_layer_encoder(2 * 50, key=jax.random.key(0), heads=2).out_features
    100
    """
    return ConvNet((1, 28, 28), _FIVE_LAYERS, out_features, hidden=(500,), key=key, heads=heads)


def five_layer_decoder(in_features: int, *, key: PRNGKey, output_bias: AnyArray | None = None) -> DeconvNet:
    """The generative net of the five-layer convolutional networks: a latent to the logits of 28 x 28 pixels.

    Li, Zhu, Shi and Zhang (2015, arXiv:1504.06787): dense layers of 500 and 1600, then the recognition net's
    convolutions backwards. Their unpooling puts a number in a corner of a 2 x 2 block of zeros, before a convolution
    without padding lost: together a transposed convolution of stride 2.

    >>> import jax
    >>> five_layer_decoder(50, key=jax.random.key(0)).out_features
    784
    """
    return DeconvNet(
        in_features,
        (1, 28, 28),
        _FIVE_LAYERS_BACK,
        start=(64, 5, 5),
        hidden=(500,),
        key=key,
        output_bias=output_bias,
    )


def conv_hvae_encoder(image: Image, out_features: int | None, *, key: PRNGKey, heads: int = 1) -> ConvNet:
    """The encoder of the convolutional HVAE: five gated convolutions, flattened (294 numbers of 28 x 28 pixels).

    Tomczak and Welling (2018, arXiv:1705.07120, and their program): channels 32, 32, 64, 64, 6, kernels 7, 3, 5, 3, 3,
    strides 1, 2, 1, 2, 1. ``out_features=None`` gives the flattened image.

    >>> import jax
    >>> conv_hvae_encoder((1, 28, 28), None, key=jax.random.key(0)).out_features
    294
    """
    return ConvNet(image, _CONV_HVAE, out_features, key=key, activation="gated", heads=heads, initial="he_normal")


def conv_hvae_decoder(
    in_features: int, image: Image, *, key: PRNGKey, output_bias: AnyArray | None = None
) -> DeconvNet:
    """The decoder of the convolutional HVAE: a gated dense layer to an image, four gated convolutions, and a 1 x 1 one.

    Tomczak and Welling (2018, arXiv:1705.07120, and their program): 64 channels, kernels 3. At stride 1 a convolution
    and a transposed one are the same map of other weights.

    >>> import jax
    >>> conv_hvae_decoder(600, (1, 28, 28), key=jax.random.key(0)).out_features
    784
    """
    return DeconvNet(
        in_features,
        image,
        (*[Conv(64, 3)] * 4, Conv(image[0], 1)),
        start=image,
        key=key,
        activation="gated",
        output_bias=output_bias,
        initial="he_normal",
    )
