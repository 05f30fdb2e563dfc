"""What both kinds of contestants of race.py share: orders, and a clock that stands still while weights are written.

Both environments have it: NumPy and the standard library alone.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MARKS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100)  # epochs after which a model is kept
Layers = Sequence[tuple[np.ndarray, np.ndarray]]  # (W [in, out], b [out]) from the input on


def orders(what: str) -> argparse.Namespace:
    """The orders of a contestant."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("recipe")
    parser.add_argument("--started", type=float, required=True, help="when the process was started, seconds since 1970")
    parser.add_argument("--folder", type=Path, required=True, help="where the weights are written")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--images", type=Path, help="grey training images, for those who do not read them themselves")
    return parser.parse_args()


class Clock:
    """Seconds since the process was started, without those in which weights are written."""

    def __init__(self, order: argparse.Namespace) -> None:
        self.folder, self.last, self.started = order.folder, order.epochs, order.started

    def epoch(self, epoch: int, encoder: Layers, decoder: Layers) -> None:
        """Keep the networks after an epoch, and say when it ended, where it is one of the marks or the last."""
        begun = time.time()
        networks = {"encoder": encoder, "decoder": decoder}
        arrays = {
            f"{name}.{i}.{part}": array
            for name, layers in networks.items()
            for i, layer in enumerate(layers)
            for part, array in zip(("weight", "bias"), layer, strict=True)
        }
        file = self.folder / f"epoch-{epoch}.npz"
        np.savez(file, allow_pickle=False, **arrays)
        print(json.dumps({"epoch": epoch, "seconds": begun - self.started, "file": str(file)}), flush=True)
        self.started += time.time() - begun

    def wants(self, epoch: int) -> bool:
        """Whether the networks are kept after an epoch."""
        return epoch in MARKS or epoch == self.last
