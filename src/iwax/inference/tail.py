"""The shape of the tail of many numbers, of which only the largest are kept."""

from typing import cast

import numpy as np

from iwax.evaluation.pareto import pareto_k, tail_size

__all__ = ["Tail"]


class Tail:
    """The largest of k numbers a row, of which `pareto_k` fits the shape; no more than those are kept."""

    def __init__(self, k: int) -> None:
        self.k, self.kept, self.largest = k, tail_size(k) + 1, None

    def add(self, values: np.ndarray) -> None:
        """Take further numbers [batch, draws]."""
        held = values if self.largest is None else np.concatenate([self.largest, values], axis=1)
        cut = held.shape[1] - self.kept
        self.largest = np.partition(held, cut, axis=1)[:, cut:] if cut > 0 else held

    def shape(self) -> np.ndarray:
        """k-hat [batch]."""
        return pareto_k(cast(np.ndarray, self.largest).T, self.k)
