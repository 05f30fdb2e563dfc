"""Data sets: registered ones, each with a written protocol, and a user's own arrays and pictures."""

from iwax import former_names
from iwax.data.columns import Column
from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import ChecksumError, UnavailableError
from iwax.data.files import read_rows
from iwax.data.graph import Graph, ListedGraph, read_graph
from iwax.data.graph_rows import as_dataset, load_graph
from iwax.data.info import Info
from iwax.data.link_split import HeldOut, LinkSplit, split_links
from iwax.data.listing import listing
from iwax.data.loading import load
from iwax.data.perturbation import perturb
from iwax.data.registry import availability, get, info, names, nearest
from iwax.data.rows import Rows
from iwax.data.tables import filled_table, written_as
from iwax.formats.dialect import Dialect
from iwax.formats.refusals import TableError

__all__ = [
    "ChecksumError",
    "Column",
    "Dataset",
    "Dialect",
    "Graph",
    "HeldOut",
    "Info",
    "LinkSplit",
    "ListedGraph",
    "Rows",
    "Split",
    "TableError",
    "UnavailableError",
    "as_dataset",
    "availability",
    "filled_table",
    "get",
    "info",
    "listing",
    "load",
    "load_graph",
    "names",
    "nearest",
    "perturb",
    "read_graph",
    "read_rows",
    "split_links",
    "written_as",
]

__getattr__ = former_names.of(__name__)
