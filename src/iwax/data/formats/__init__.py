"""File formats: bytes in, arrays out, one format a file. Every mistake is a ValueError that names the file."""

from iwax.data.formats.amat import read_amat
from iwax.data.formats.cells import Cells
from iwax.data.formats.gzipped import unpack
from iwax.data.formats.idx import read_idx
from iwax.data.formats.images import read_images
from iwax.data.formats.letters import read_letters
from iwax.data.formats.matlab import read_matlab
from iwax.data.formats.npy import read_npy, read_npz
from iwax.data.formats.parquet import read_parquet
from iwax.data.formats.table import read_cells

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
