"""Where the bins of a histogram lie."""

import math

import numpy as np

__all__ = ["whole_bins"]


def whole_bins(low: float, high: float, most: int) -> np.ndarray:
    """Edges halfway between whole numbers, as many of them in each of at most ``most`` bins: none looks empty or full.

    >>> whole_bins(1, 5, 24).tolist(), whole_bins(0, 5, 3).tolist()
    ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [-0.5, 1.5, 3.5, 5.5])
    """
    count = math.floor(high) - math.floor(low) + 1
    width = math.ceil(count / most)
    return math.floor(low) - 0.5 + width * np.arange(math.ceil(count / width) + 1)
