"""The registered data sets: names, what is known of each, and how to load it."""

import difflib
from collections.abc import Callable
from pathlib import Path

from iwax.data import (
    caltech101,
    digits,
    frey_faces,
    histopathology,
    mnist,
    mnist_static,
    ocr_letters,
    omniglot,
    ring,
    uci,
)
from iwax.data.dataset import Dataset
from iwax.data.fetch import find, read
from iwax.data.info import Info

_ENTRIES: tuple[tuple[Info, Callable[[Info], Dataset]], ...] = (
    (digits.DIGITS, digits.load),
    (digits.GREY, digits.load),
    (ring.RING, ring.load),
    *((info, mnist.load) for info in (mnist.BURDA, mnist.DYNAMIC_50K, mnist.DYNAMIC_60K, mnist.GREY)),
    (mnist_static.STATIC, mnist_static.load),
    *((info, mnist.load) for info in (mnist.FASHION_MNIST, mnist.FASHION_GREY)),
    (omniglot.REBUILT, omniglot.load_rebuilt),
    (omniglot.BURDA, omniglot.load_burda),
    (ocr_letters.OCR_LETTERS, ocr_letters.load),
    (frey_faces.FREY_FACES, frey_faces.load),
    (caltech101.CALTECH101, caltech101.load),
    (histopathology.HISTOPATHOLOGY, histopathology.load),
    *((info, uci.load) for info in (uci.WINE_RED, uci.WINE_WHITE, uci.CONCRETE, uci.BREAST_CANCER)),
)
_BY_NAME = {name: entry for entry in _ENTRIES for name in (entry[0].name, *entry[0].aliases)}


def names() -> list[str]:
    """All registered names, aliases after the name they stand for.

    >>> names()[:3]
    ['digits', 'digits-grey', 'ring']
    """
    return list(_BY_NAME)


def info(name: str) -> Info:
    """What is known of a registered data set. Raises ValueError, with the nearest names, for another name.

    >>> info("mnist").name
    'mnist-dynamic-burda'
    """
    return _entry(name)[0]


def nearest(name: str) -> list[str]:
    """Up to three registered names that look like this one, the nearest first.

    >>> nearest("mnist-statik")[0]
    'mnist-static'
    """
    return difflib.get_close_matches(name.lower(), names(), n=3, cutoff=0.5)


def load_registered(name: str) -> Dataset:
    """The data set of a registered name. Raises ValueError for another name."""
    known, load = _entry(name)
    return load(known)


def availability(name: str) -> str:
    """``"embedded"``, ``"here"`` (all files found, unread), ``"incomplete"`` or ``"absent"``; nothing is downloaded.

    >>> availability("digits")
    'embedded'
    """
    found = [find(file) is not None for file in info(name).files]
    if not found:
        return "embedded"
    return "here" if all(found) else "incomplete" if any(found) else "absent"


def get(name: str) -> list[Path]:
    """Find or download the files of a registered data set and check them; where each of them lies.

    Raises ValueError for another name, UnavailableError or ChecksumError as ``load`` does.

    >>> get("ring")
    []
    """
    files = info(name).files
    for file in files:
        read(file)
    return [place for file in files if (place := find(file)) is not None]


def _entry(name: str) -> tuple[Info, Callable[[Info], Dataset]]:
    if name not in _BY_NAME:
        near = nearest(name)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(
            f"no data set is called {name!r}; {meant}known names: {', '.join(names())}; "
            "your own data: a path to a .csv, .parquet, .npy or .npz file or to a folder of images"
        )
    return _BY_NAME[name]
