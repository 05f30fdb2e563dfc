"""The values of features that can take only a few."""

import itertools

import numpy as np

__all__ = ["every"]

_MOST = 100_000


def every(choices: int, features: int) -> np.ndarray:
    """Every row of ``features`` numbers from 0 to ``choices`` - 1, [choices^features, features].

    Raises ValueError where there are more than 100,000.

    >>> every(2, 2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if choices**features > _MOST:
        raise ValueError(f"{features} features of {choices} values each have more than {_MOST:,} states: too many")
    return np.array(list(itertools.product(range(choices), repeat=features)), float)
