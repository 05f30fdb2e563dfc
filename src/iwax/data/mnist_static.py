"""The static MNIST: binarised once for all by Salakhutdinov and Murray (2008), published by Larochelle."""

import numpy as np

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info, take
from iwax.formats.whole import unpack
from iwax.streams import Bits

PUBLISHED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
SEED = 2008
ZERO, ONE, SPACE, NEWLINE = b"01 \n"


def _file(part: str, size: int, packed: str, plain: str) -> DataFile:
    """The text as published, or the same text gzip-compressed."""
    name = f"binarized_mnist_{part}.amat"
    published = DataFile(f"binarized_mnist/{name}", plain, (PUBLISHED + name,), size=size)
    return DataFile(f"binarized_mnist/{name}.gz", packed, alternatives=(published,))


FILES = (
    _file(
        "train",
        78_400_000,
        "af247bd6075cf9adc4715459dcd5f13eaa99a2c92d8d81379a05da94770b6c0e",
        "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    ),
    _file(
        "valid",
        15_680_000,
        "533b71bc0198f4d73c54ae5fe6c96fc08dc3cf1b3fae24c5521dbc0452507e38",
        "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    ),
    _file(
        "test",
        15_680_000,
        "32a3c54d03504632bf9f131b4a148c7567aa6fc87da017049b044bdc14c2a0f2",
        "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    ),
)

STATIC = Info(
    name="mnist-static",
    title="MNIST, binarised once for all (Larochelle's files)",
    protocol=(
        "the fixed binarisation of Salakhutdinov and Murray (2008) in Larochelle's files: 50,000 training, 10,000 "
        "validation and 10,000 test images in {0, 1}, nothing redrawn. Training and validation in published "
        "order; the published test file is sorted by class, so its rows are permuted with seed 2008, that the "
        "first rows be a fair sample (means over all rows are unchanged). No labels."
    ),
    shape=(28, 28),
    kind="binary",
    train=50_000,
    valid=10_000,
    test=10_000,
    licence="none stated; derived from MNIST",
    source="Salakhutdinov and Murray (2008); " + PUBLISHED,
    files=FILES,
)


def load(info: Info) -> Dataset:
    """The three published files."""
    train, valid, test = (read_amat(read(file), features=784, name=file.path) for file in info.files)
    return info.dataset(Split(train), Split(valid), take(test, None, permutation(SEED, Bits.TEST_ORDER, len(test))))


def read_amat(contents: bytes, *, features: int, name: str) -> np.ndarray:
    """The [n, features] uint8 array in {0, 1} of text, plain or gzip: a line for each row, digits and single spaces.

    Raises ValueError with file:row:column (from 1) of the first byte that does not fit.

    >>> read_amat(b"0 1 1\\n1 0 0\\n", features=3, name="x.amat").tolist()
    [[0, 1, 1], [1, 0, 0]]
    """
    text = unpack(contents, name=name)
    width = 2 * features
    if not text or len(text) % width:
        raise ValueError(
            f"{name}: needed lines of {width} bytes ({features} digits, single spaces, a line feed); "
            f"{len(text)} bytes are no whole number of them"
        )
    lines = np.frombuffer(text, np.uint8).reshape(-1, width)
    wrong = (lines != SPACE).astype(bool)
    wrong[:, -1] = lines[:, -1] != NEWLINE
    wrong[:, ::2] = (lines[:, ::2] | 1) != ONE  # '0' and '1' differ in the last bit only
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name}:{row + 1}:{column + 1}: needed '0' or '1' parted by single spaces; got {chr(lines[row, column])!r}"
        )
    return lines[:, ::2] & 1
