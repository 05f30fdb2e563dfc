"""Data sets: registered ones, each with a written protocol, and a user's own arrays and pictures."""

from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import ChecksumError, UnavailableError
from iwax.data.info import Info
from iwax.data.registry import info, load_registered, names, nearest


def load(name_or_path: str, *, binarize: str | None = None) -> Dataset:
    return load_registered(name_or_path)


__all__ = [
    "ChecksumError",
    "Dataset",
    "Info",
    "Split",
    "UnavailableError",
    "info",
    "load",
    "names",
    "nearest",
]
