"""Published convolutional networks, by name."""

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, Image
from iwax.nn.conv_net import ConvNet
from iwax.nn.deconv_net import DeconvNet

__all__ = ["conv_hvae_decoder", "conv_hvae_encoder"]

_CONV_HVAE = (Conv(32, 7), Conv(32, 3, 2), Conv(64, 5), Conv(64, 3, 2), Conv(6, 3))


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
