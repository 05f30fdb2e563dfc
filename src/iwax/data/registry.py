"""The registered data sets: names, what is known of each, and how to load it."""

import difflib
from collections.abc import Callable

from iwax.data import digits, mnist, mnist_static
from iwax.data.dataset import Dataset
from iwax.data.info import Info

_ENTRIES: tuple[tuple[Info, Callable[[], Dataset]], ...] = (
    (digits.DIGITS, digits.load),
    (mnist.BURDA.info, mnist.BURDA.load),
    (mnist.DYNAMIC_50K.info, mnist.DYNAMIC_50K.load),
    (mnist.DYNAMIC_60K.info, mnist.DYNAMIC_60K.load),
    (mnist_static.STATIC, mnist_static.load),
    (mnist.FASHION_MNIST.info, mnist.FASHION_MNIST.load),
)
_BY_NAME = {name: entry for entry in _ENTRIES for name in (entry[0].name, *entry[0].aliases)}


def names() -> list[str]:
    """All registered names, aliases after the name they stand for.

    >>> names()[:3]
    ['digits', 'mnist-dynamic-burda', 'mnist']
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
    return _entry(name)[1]()


def _entry(name: str) -> tuple[Info, Callable[[], Dataset]]:
    if name not in _BY_NAME:
        near = nearest(name)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(
            f"no data set is called {name!r}; {meant}known names: {', '.join(names())}; "
            "your own data: a path to a .npy or .npz file or to a folder of images"
        )
    return _BY_NAME[name]
