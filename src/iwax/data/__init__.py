"""Data sets: registered ones, each with a written protocol, and a user's own arrays and pictures."""

from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import ChecksumError, UnavailableError
from iwax.data.files import Rows, read_rows
from iwax.data.info import Info
from iwax.data.loading import load
from iwax.data.registry import get, info, names, nearest, whereabouts

__all__ = [
    "ChecksumError",
    "Dataset",
    "Info",
    "Rows",
    "Split",
    "UnavailableError",
    "get",
    "info",
    "load",
    "names",
    "nearest",
    "read_rows",
    "whereabouts",
]
