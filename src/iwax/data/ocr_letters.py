"""Taskar's OCR letters, 16x8 and binary, in a split of our own (Larochelle's is not public in this form)."""

import numpy as np

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.whole import unpack
from iwax.streams import Bits

SEED = 16
PIXELS, COLUMNS = 128, 6  # of a line: tab-parted text, then pixels
LETTER, FOLD = 1, 5
PUBLISHED = "http://ai.stanford.edu/~btaskar/ocr/"
_TEXT = "535363d0b7bc34246b1f8731719540f526b6807b12dda5d430d011d160bc7882"

FILE = DataFile(
    "ocr_letters/letter.data.gz",
    "7f91e5f1c5356a3795e6ffd8f2bd3d7366ea221c2553f1447dc46a295f68340b",
    (PUBLISHED + "letter.data.gz",),
    alternatives=(DataFile("ocr_letters/letter.data", _TEXT),),
    size=2_000_000,  # 1,153,549 as published; it may be compressed again
)

OCR_LETTERS = Info(
    name="ocr-letters",
    title="OCR letters 16x8, binary (our own split)",
    protocol=(
        "52,152 lower-case letters of 16x8 pixels in {0, 1}, nothing redrawn; rows permuted with seed 16: the "
        "first 32,152 training, the next 10,000 validation, the last 10,000 test. The sizes are Larochelle's, the "
        "split is NOT: results differ in the last digits from tables made on his. Letters of one word may fall on "
        "both sides. Labels: the letter, 0 (a) to 25 (z)."
    ),
    shape=(16, 8),
    kind="binary",
    train=32_152,
    valid=10_000,
    test=10_000,
    licence="none stated",
    source="Kassel (1995), Taskar, Guestrin and Koller (2003), " + PUBLISHED,
    files=(FILE,),
)


def load(info: Info) -> Dataset:
    """letter.data, permuted and cut."""
    pixels, letters, _ = read_letters(read(FILE), name=FILE.path)
    return info.cut(pixels, letters, permutation(SEED, Bits.SPLIT, len(pixels)))


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
