"""Omniglot at 28x28: Burda's own file, and a stand-in rebuilt from the full-size drawings, never to be confused."""

import numpy as np

from iwax.data.binarization import as_grey
from iwax.data.bits import bits64, permutation
from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info, take
from iwax.formats.matlab import read_matlab
from iwax.formats.npy import read_npz
from iwax.streams import Bits

TRAIN, VALID, TEST = 23_000, 1_345, 8_070
BURDA_SEED = 123
REBUILT_SEED = 2015
DRAWINGS, DRAWN_FOR_TRAINING, CHARACTERS_WITHOUT_TEST = 20, 15, 9
FULL, REDUCED = 105, 28
SOURCE = "Lake, Salakhutdinov and Tenenbaum (2015), https://github.com/brendenlake/omniglot"
CONVERTED = "https://github.com/bitsandscraps/omniglot/raw/b0481240b7eb/"

BURDA_FILE = DataFile(
    "omniglot/chardata.mat",
    None,
    hint="it is datasets/OMNIGLOT/chardata.mat of https://github.com/yburda/iwae (omniglot-rebuilt is a stand-in)",
)
REBUILT_FILES = tuple(
    DataFile(f"omniglot/{name}", sha256, (CONVERTED + name,), size=size)
    for name, size, sha256 in (
        ("images_background.npz", 3_340_794, "8bf84167413cd00beacdce3fe582f780ab538d8dbef043a6d688f2527bbce199"),
        ("images_evaluation.npz", 2_415_269, "0b84c7ffd94c4841c0040e529c86a82eaaccb986d8eadad5673f7991b7475276"),
    )
)

BURDA = Info(
    name="omniglot",
    title="Omniglot 28x28 (Burda's chardata.mat)",
    protocol=(
        "Burda, Grosse and Salakhutdinov's chardata.mat: 24,345 training drawings, permuted with NumPy's "
        "RandomState(123) as in their code, the last 1,345 of them validation, so 23,000 for training; 8,070 test "
        "drawings in published order. Stored column by column, read upright. Grey in [0, 1] kept as "
        "round(255 x), pixel ~ Bernoulli(grey / 255): training redrawn at every access, validation and test "
        "drawn once with seed 123. Labels: the alphabet, 0..49."
    ),
    shape=(28, 28),
    kind="binary",
    train=TRAIN,
    valid=VALID,
    test=TEST,
    licence="none stated for the file; the drawings are MIT, (c) 2015 Brenden Lake",
    source=SOURCE + "; https://github.com/yburda/iwae",
    files=(BURDA_FILE,),
    seed=BURDA_SEED,
)
REBUILT = Info(
    name="omniglot-rebuilt",
    title="Omniglot 28x28 rebuilt from the full-size drawings (not Burda's file)",
    protocol=(
        "REBUILT, NOT BURDA'S FILE: results are not comparable with published OMNIGLOT tables before calibration. "
        "All 1,623 characters at 105x105, ink = 1, averaged over areas of 3.75x3.75 pixels to 28x28 and kept as "
        "grey round(255 mean). Of each character 15 of the 20 drawings, chosen with seed 2015, are for training "
        "(24,345) and 5 for test; the test drawings of 9 characters, chosen with the same seed, are left out to "
        "give the published 8,070. Training permuted with the same seed, the last 1,345 validation; test permuted "
        "too. Pixel ~ Bernoulli(grey / 255): training redrawn at every access, validation and test drawn once "
        "with seed 2015. Labels: the character, 0..1622 (the 964 background characters first)."
    ),
    shape=(28, 28),
    kind="binary",
    train=TRAIN,
    valid=VALID,
    test=TEST,
    licence="MIT, (c) 2015 Brenden Lake",
    source=SOURCE,
    files=REBUILT_FILES,
    seed=REBUILT_SEED,
)


def load_burda(info: Info) -> Dataset:
    """chardata.mat: [784, n] in ``data`` and ``testdata``, one-hot alphabets in ``target`` and ``testtarget``."""
    keys = ("data", "target", "testdata", "testtarget")
    found = read_matlab(read(BURDA_FILE), keys=keys, name=BURDA_FILE.path)
    grey, labels = _burda_part(found["data"], found["target"])
    test = Split(*_burda_part(found["testdata"], found["testtarget"]))
    order = np.random.RandomState(BURDA_SEED).permutation(len(grey))  # a frozen stream: the published order
    return info.dataset(take(grey, labels, order[: -info.valid]), take(grey, labels, order[-info.valid :]), test)


def _burda_part(columns: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if columns.ndim != 2 or columns.shape[0] != REDUCED**2 or targets.shape[1:] != columns.shape[1:]:
        raise ValueError(
            f"{BURDA_FILE.path}: needed pictures of shape (784, n) and targets (50, n); "
            f"got {columns.shape} and {targets.shape}"
        )
    if not (columns.min() >= 0 and columns.max() <= 1):  # also refuses NaN
        raise ValueError(f"{BURDA_FILE.path}: needed grey values in [0, 1]; got {columns.min()} to {columns.max()}")
    upright = columns.T.reshape(-1, REDUCED, REDUCED).swapaxes(1, 2).reshape(-1, REDUCED**2)
    return as_grey(upright), targets.argmax(axis=0).astype(np.uint8)


def load_rebuilt(info: Info) -> Dataset:
    """The stand-in, from the two converted files of full-size drawings."""
    parts = [read_npz(read(file), name=file.path)["images"] for file in REBUILT_FILES]
    grey = np.concatenate([reduce_ink(part) for part in parts]).reshape(-1, DRAWINGS, REDUCED**2)
    characters = len(grey)
    words = bits64(REBUILT_SEED, Bits.DRAWERS, characters * DRAWINGS).reshape(characters, DRAWINGS)
    drawers = np.argsort(words, axis=1, kind="stable")  # for each character its own order of the 20 drawings
    rows = np.arange(characters)[:, None] * DRAWINGS + drawers
    tested = np.ones(characters, bool)
    tested[permutation(REBUILT_SEED, Bits.LEFT_OUT, characters)[:CHARACTERS_WITHOUT_TEST]] = False
    train, test = rows[:, :DRAWN_FOR_TRAINING].ravel(), rows[tested, DRAWN_FOR_TRAINING:].ravel()
    flat = grey.reshape(-1, REDUCED**2)
    labels = np.repeat(np.arange(characters, dtype=np.uint16), DRAWINGS)
    mixed = test[permutation(REBUILT_SEED, Bits.TEST_ORDER, len(test))]
    order = train[permutation(REBUILT_SEED, Bits.SPLIT, len(train))]
    return info.cut(flat, labels, np.concatenate([order, mixed]))


def reduce_ink(paper: np.ndarray) -> np.ndarray:
    """Drawings [c, d, 105, 105] (True is paper) to ink [c, d, 28, 28] in grey uint8, round(255 mean ink).

    One reduced pixel covers 3.75 x 3.75 full ones, in whole numbers 15 x 15 quarters: 15 full pixels make
    4 reduced ones, exactly.

    >>> reduce_ink(np.zeros((1, 1, 105, 105), bool)).min()
    np.uint8(255)
    """
    if paper.ndim != 4 or paper.shape[2:] != (FULL, FULL):
        raise ValueError(f"needed drawings of shape [characters, drawings, 105, 105]; got {paper.shape}")
    reduced = np.empty((*paper.shape[:2], REDUCED, REDUCED), np.uint8)
    for character, drawings in enumerate(paper):
        ink = (~drawings.astype(bool)).view(np.uint8)
        down = _fifteen_to_four(ink.reshape(-1, 7, 15, FULL)).reshape(-1, REDUCED, FULL).swapaxes(1, 2)
        both = _fifteen_to_four(down.reshape(-1, 7, 15, REDUCED)).reshape(-1, REDUCED, REDUCED).swapaxes(1, 2)
        reduced[character] = (both.astype(np.uint32) * 510 + 225) // 450  # of 225 quarter-by-quarter cells
    return reduced


def _fifteen_to_four(x: np.ndarray) -> np.ndarray:
    """Sums over [a, 7, 15, b] -> [a, 7, 4, b] in quarters: the weights 4, 4, 4, 3 | 1, 4, 4, 4, 2 | mirrored.

    One axis at a time the sums stay within 15, both within 225, so uint8 holds them.
    """
    left = 4 * (x[:, :, 0] + x[:, :, 1] + x[:, :, 2]) + 3 * x[:, :, 3]
    middle_left = x[:, :, 3] + 4 * (x[:, :, 4] + x[:, :, 5] + x[:, :, 6]) + 2 * x[:, :, 7]
    middle_right = 2 * x[:, :, 7] + 4 * (x[:, :, 8] + x[:, :, 9] + x[:, :, 10]) + x[:, :, 11]
    right = 3 * x[:, :, 11] + 4 * (x[:, :, 12] + x[:, :, 13] + x[:, :, 14])
    return np.stack([left, middle_left, middle_right, right], axis=2)
