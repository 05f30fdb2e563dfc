"""What a measurement will cost, said before it starts."""

import math
import time

import jax
import jax.numpy as jnp

from iwax.settings.config import Config

__all__ = ["WORTH_SAYING", "forecast", "in_words"]

WORTH_SAYING = 20.0  # seconds from which a measurement is announced


def forecast(config: Config, shape: tuple[int, ...], rows: int) -> float:
    """Seconds that the generative products of so many draws take here, from one timed product, and half as much."""
    features = math.prod(shape)
    products = 2 * config.model.weights(features) / 2 * rows  # half of the weights are the encoder's
    left, right = jnp.ones((1000, 200)), jnp.ones((200, 800))
    multiply = jax.jit(jnp.matmul)
    multiply(left, right).block_until_ready()
    begun = time.perf_counter()
    for _ in range(3):
        multiply(left, right).block_until_ready()
    return 1.5 * products / (3 * 2 * 1000 * 200 * 800) * (time.perf_counter() - begun)


def in_words(seconds: float) -> str:
    """A duration as people say it.

    >>> in_words(40.0), in_words(700.0), in_words(9000.0)
    ('40 s', '12 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
