"""amat, the text format of the static MNIST: one row a line, single digits parted by single spaces."""

import numpy as np

from iwax.formats.gzipped import unpack

ZERO, ONE, SPACE, NEWLINE = b"01 \n"


def read_amat(contents: bytes, *, features: int, name: str) -> np.ndarray:
    """The [n, features] uint8 array in {0, 1}; every line has exactly 2 ``features`` bytes. Plain or gzip.

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
