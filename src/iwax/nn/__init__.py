"""Networks: arrays to arrays.

Each has ``in_features`` and ``out_features``, is called ``network(x, *, key=None)`` and refuses inputs of another size.
Dense networks take any leading axes; convolutional ones take one data point, a flat image.
"""

from iwax import former_names
from iwax.nn.constant import Constant
from iwax.nn.conv import Conv, ConvLayer, Image
from iwax.nn.conv_net import ConvNet
from iwax.nn.deconv_net import DeconvNet
from iwax.nn.feature_encoding import Encoding, FeatureEncoding
from iwax.nn.gated_pixelcnn import GatedPixelCNN, GatedPixelLayer
from iwax.nn.graph_convolution import GraphConvolution
from iwax.nn.init import INITIAL_WEIGHTS, dense_weight, kernel, mean_logits
from iwax.nn.joined import Joined
from iwax.nn.layered import Layered, hidden_layers
from iwax.nn.linear import Linear
from iwax.nn.masked import MaskedMLP
from iwax.nn.masked_conv import MaskedConv
from iwax.nn.memory import Memory, MemoryMLP
from iwax.nn.mlp import ACTIVATIONS, MLP, gate
from iwax.nn.normalisation import ChannelNorm, LayerNorm
from iwax.nn.one_hot import OneHot
from iwax.nn.pair_scores import (
    AbstractPairScore,
    Bilinear,
    DegreeCorrected,
    Distance,
    InnerProduct,
    Rates,
    ScaledInnerProduct,
)
from iwax.nn.pixelcnn import PixelCNN
from iwax.nn.products import mixed_precision, product
from iwax.nn.published import conv_hvae_decoder, conv_hvae_encoder
from iwax.nn.rating_convolution import RatingConvolution
from iwax.nn.rating_decoder import RatingDecoder
from iwax.nn.stochastic_linear import StochasticLinear

__all__ = [
    "ACTIVATIONS",
    "INITIAL_WEIGHTS",
    "MLP",
    "AbstractPairScore",
    "Bilinear",
    "ChannelNorm",
    "Constant",
    "Conv",
    "ConvLayer",
    "ConvNet",
    "DeconvNet",
    "DegreeCorrected",
    "Distance",
    "Encoding",
    "FeatureEncoding",
    "GatedPixelCNN",
    "GatedPixelLayer",
    "GraphConvolution",
    "Image",
    "InnerProduct",
    "Joined",
    "LayerNorm",
    "Layered",
    "Linear",
    "MaskedConv",
    "MaskedMLP",
    "Memory",
    "MemoryMLP",
    "OneHot",
    "PixelCNN",
    "Rates",
    "RatingConvolution",
    "RatingDecoder",
    "ScaledInnerProduct",
    "StochasticLinear",
    "conv_hvae_decoder",
    "conv_hvae_encoder",
    "dense_weight",
    "gate",
    "hidden_layers",
    "kernel",
    "mean_logits",
    "mixed_precision",
    "product",
]

__getattr__ = former_names.of(__name__)
