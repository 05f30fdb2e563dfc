"""Networks: arrays to arrays.

Each has ``in_features`` and ``out_features``, is called ``network(x, *, key=None)`` and refuses inputs of another size.
Dense networks take any leading axes; convolutional ones take one datum, a flat image.
"""

from iwax import former_names
from iwax.nn.coding import Coding, Encoding
from iwax.nn.conv import Conv, ConvLayer, max_pool
from iwax.nn.conv_net import ConvNet
from iwax.nn.deconv_net import DeconvNet
from iwax.nn.dense import dense_network
from iwax.nn.gated import GatedLinear, GatedMLP, gate
from iwax.nn.gated_pixelcnn import GatedPixelCNN, GatedPixelLayer
from iwax.nn.init import INITIAL_WEIGHTS, dense_weight, glorot_uniform, kernel, mean_logits
from iwax.nn.joined import Joined
from iwax.nn.layered import Layered, hidden_layers
from iwax.nn.linear import Linear
from iwax.nn.masked import MaskedMLP
from iwax.nn.masked_conv import MaskedConv
from iwax.nn.memory import Memory, MemoryMLP
from iwax.nn.mlp import ACTIVATIONS, MLP
from iwax.nn.normalisation import ChannelNorm, LayerNorm
from iwax.nn.pixelcnn import PixelCNN
from iwax.nn.published import conv_hvae_decoder, conv_hvae_encoder
from iwax.nn.uncertain import UncertainLinear
from iwax.nn.uncertain_conv import UncertainConv

__all__ = [
    "ACTIVATIONS",
    "INITIAL_WEIGHTS",
    "MLP",
    "ChannelNorm",
    "Coding",
    "Conv",
    "ConvLayer",
    "ConvNet",
    "DeconvNet",
    "Encoding",
    "GatedLinear",
    "GatedMLP",
    "GatedPixelCNN",
    "GatedPixelLayer",
    "Joined",
    "LayerNorm",
    "Layered",
    "Linear",
    "MaskedConv",
    "MaskedMLP",
    "Memory",
    "MemoryMLP",
    "PixelCNN",
    "UncertainConv",
    "UncertainLinear",
    "conv_hvae_decoder",
    "conv_hvae_encoder",
    "dense_network",
    "dense_weight",
    "gate",
    "glorot_uniform",
    "hidden_layers",
    "kernel",
    "max_pool",
    "mean_logits",
]

__getattr__ = former_names.of(__name__)
