"""The Monte-Carlo error of a mean over rows, from that of every row."""

import numpy as np

__all__ = ["error_of_mean"]


def error_of_mean(errors: np.ndarray) -> float:
    """``sqrt(sum_i e_i^2) / n`` of rows whose noise is independent, nats; ``errors`` [n].

    >>> error_of_mean(np.array([3.0, 4.0]))
    2.5
    """
    return float(np.sqrt(np.sum(np.square(errors))) / np.size(errors))
