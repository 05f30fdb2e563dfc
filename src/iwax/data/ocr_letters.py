"""Taskar's OCR letters, 16x8 and binary, in a split of our own (Larochelle's is not public in this form)."""

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.letters import read_letters
from iwax.streams import Bits

SEED = 16
PUBLISHED = "http://ai.stanford.edu/~btaskar/ocr/"
_TEXT = "535363d0b7bc34246b1f8731719540f526b6807b12dda5d430d011d160bc7882"

FILE = DataFile(
    "ocr_letters/letter.data.gz",
    "7f91e5f1c5356a3795e6ffd8f2bd3d7366ea221c2553f1447dc46a295f68340b",
    (PUBLISHED + "letter.data.gz",),
    alternatives=(DataFile("ocr_letters/letter.data", _TEXT),),
    unpacked_sha256=_TEXT,
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
