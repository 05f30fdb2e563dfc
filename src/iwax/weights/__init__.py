"""The variational posterior over a network's random weights: its prior, divergence, draws, and pruning."""

from iwax.weights.free_energy import free_energy, shares
from iwax.weights.posterior import at_mean, drawn, drawn_with_divergence, kl, random_layers
from iwax.weights.prior import Normal, Prior, ScaleMixture
from iwax.weights.signal import pruned, signal_to_noise

__all__ = [
    "Normal",
    "Prior",
    "ScaleMixture",
    "at_mean",
    "drawn",
    "drawn_with_divergence",
    "free_energy",
    "kl",
    "pruned",
    "random_layers",
    "shares",
    "signal_to_noise",
]
