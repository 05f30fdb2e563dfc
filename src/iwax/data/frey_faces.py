"""Brendan Frey's face on video: 1,965 frames of 28x20, real-valued."""

import numpy as np

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.matlab import read_matlab
from iwax.streams import Bits

SEED = 28

FILE = DataFile(
    "frey_faces/frey_rawface.mat",
    "265a83a23adb081755cd3de375509828e690324d1d60f076b8ecebc840d59c64",
    ("https://cs.nyu.edu/~roweis/data/frey_rawface.mat",),
    size=1_100_584,
)

FREY_FACES = Info(
    name="frey-faces",
    title="Frey faces 28x20, real-valued",
    protocol=(
        "1,965 frames of one face, 28 rows of 20 grey pixels, scaled to (x + 0.5) / 256 in float32; frames permuted "
        "with seed 28: the first 1,565 training, the next 200 validation, the last 200 test (the sizes of Tomczak "
        "and Welling, 2018). Neighbouring frames are nearly alike, so a random split scores far better than one by "
        "time. No labels. A log-density in nats refers to the scaled values."
    ),
    shape=(28, 20),
    kind="real",
    train=1_565,
    valid=200,
    test=200,
    licence="none stated",
    source="B. Frey, S. Roweis, https://cs.nyu.edu/~roweis/data.html",
    files=(FILE,),
)


def load(info: Info) -> Dataset:
    """frey_rawface.mat: one frame per column."""
    frames = read_matlab(read(FILE), keys=("ff",), name=FILE.path)["ff"].T
    scaled = (frames.astype(np.float32) + np.float32(0.5)) / np.float32(256)  # exact: a division by 2^8
    return info.cut(scaled, order=permutation(SEED, Bits.SPLIT, len(scaled)))
