"""Burda's one-layer network: its widths, and the products of its layers.

Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519): 784-200-200-50 and back, tanh, Bernoulli pixels.
"""

import itertools

import numpy as np

PIXELS = 784
HIDDEN = (200, 200)
LATENT = 50
ENCODER = (PIXELS, *HIDDEN, 2 * LATENT)
DECODER = (LATENT, *HIDDEN, PIXELS)


def pairs(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """(inputs, outputs) of every layer."""
    return list(itertools.pairwise(widths))


def forward_flops(widths: tuple[int, ...], rows: int) -> int:
    """Floating-point operations of the products of one forward pass."""
    return sum(2 * rows * inputs * outputs for inputs, outputs in pairs(widths))


def step_flops(batch: int, k: int) -> int:
    """Those of a training step: each layer three times, but nobody asks for the derivative in the pixels."""
    unasked = 2 * batch * ENCODER[0] * ENCODER[1]
    return 3 * forward_flops(ENCODER, batch) - unasked + 3 * forward_flops(DECODER, batch * k)


def binary_images(rows: int, seed: int) -> np.ndarray:
    """Made-up binary images, uint8 [rows, 784], about as dark as handwritten digits; values do not change a speed."""
    return (np.random.default_rng(seed).random((rows, PIXELS)) < 0.13).astype(np.uint8)
