"""The ring of Doersch's tutorial on VAEs (2016, arXiv:1606.05908): a normal bent into a circle."""

import numpy as np

from iwax.data.bits import bits64
from iwax.data.dataset import Dataset
from iwax.data.info import Info
from iwax.streams import Bits

SEED = 2016
TRAIN, VALID, TEST = 10_000, 1_000, 1_000

RING = Info(
    name="ring",
    title="Ring x = z/10 + z/|z|, z normal in two dimensions",
    protocol=(
        "x = z/10 + z/|z| with z ~ N(0, I) in two dimensions, so |x| = 1 + |z|/10: 12,000 draws with seed 2016 "
        "(Philox words through the Box-Muller transform in float64, then float32), the first 10,000 training, the "
        "next 1,000 validation, the last 1,000 test; no scaling."
    ),
    shape=(2,),
    kind="real",
    train=TRAIN,
    valid=VALID,
    test=TEST,
    licence="made here",
    source="Doersch (2016), arXiv:1606.05908, figure 2",
)


def load(info: Info) -> Dataset:
    """The draws; the same on every platform up to the last digit of sine and logarithm."""
    words = bits64(SEED, Bits.SAMPLE, 2 * (TRAIN + VALID + TEST)) >> np.uint64(11)
    u, v = (words.astype(np.float64) + 0.5).reshape(-1, 2).T * 2.0**-53  # uniform, strictly inside (0, 1)
    length, angle = np.sqrt(-2.0 * np.log(u)), 2.0 * np.pi * v  # z in polar coordinates
    x = (1.0 + length / 10.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return info.cut(x.astype(np.float32))
