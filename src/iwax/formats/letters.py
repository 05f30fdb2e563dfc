"""letter.data, the format of Taskar's OCR letters: tab-parted text, six columns, then 128 pixels in {0, 1}."""

import numpy as np

from iwax.formats.gzipped import unpack

PIXELS, COLUMNS = 128, 6
LETTER, FOLD = 1, 5


def read_letters(contents: bytes, *, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels [n, 128] in {0, 1}, letters [n] (0 for a .. 25 for z) and folds [n] (0..9), all uint8.

    Raises ValueError with file:row (from 1) for a line that does not fit.
    """
    lines = unpack(contents, name=name).splitlines()
    if not lines:
        raise ValueError(f"{name}: needed at least one line of letter.data; got none")
    tails = np.empty((len(lines), 2 * PIXELS), np.uint8)
    letters, folds = np.empty(len(lines), np.uint8), np.empty(len(lines), np.uint8)
    for row, line in enumerate(lines):
        fields = line.split(b"\t", COLUMNS)
        if len(fields) != COLUMNS + 1 or len(fields[COLUMNS]) != 2 * PIXELS:
            raise ValueError(f"{name}:{row + 1}: needed {COLUMNS} columns and {PIXELS} pixels, parted by tabs")
        if not (len(fields[LETTER]) == 1 and fields[LETTER].islower() and fields[FOLD].isdigit()):
            raise ValueError(f"{name}:{row + 1}: needed a letter a..z in column 2 and a fold 0..9 in column 6")
        letters[row], folds[row] = fields[LETTER][0] - ord("a"), fields[FOLD][0] - ord("0")
        tails[row] = np.frombuffer(fields[COLUMNS], np.uint8)
    pixels = tails[:, ::2]
    wrong = ((pixels | 1) != ord("1")).any(axis=1) | (tails[:, 1::2] != ord("\t")).any(axis=1)
    if wrong.any():
        raise ValueError(f"{name}:{np.argmax(wrong) + 1}: needed pixels 0 or 1, each followed by a tab")
    return pixels & 1, letters, folds
