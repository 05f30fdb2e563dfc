"""File formats: bytes in, arrays out, one format a file. Every mistake is a ValueError that names the file."""

from iwax.formats.amat import read_amat
from iwax.formats.cells import Cells
from iwax.formats.gzipped import unpack
from iwax.formats.idx import read_idx
from iwax.formats.images import read_images
from iwax.formats.letters import read_letters
from iwax.formats.matlab import read_matlab
from iwax.formats.npy import read_npy, read_npz
from iwax.formats.parquet import read_parquet
from iwax.formats.table import read_cells

__all__ = [
    "Cells",
    "read_amat",
    "read_cells",
    "read_idx",
    "read_images",
    "read_letters",
    "read_matlab",
    "read_npy",
    "read_npz",
    "read_parquet",
    "unpack",
]
