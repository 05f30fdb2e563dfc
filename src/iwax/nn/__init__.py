"""Networks: arrays to arrays."""

from iwax.nn.init import glorot_uniform, mean_logits
from iwax.nn.linear import Linear
from iwax.nn.mlp import ACTIVATIONS, MLP

__all__ = ["ACTIVATIONS", "MLP", "Linear", "glorot_uniform", "mean_logits"]
