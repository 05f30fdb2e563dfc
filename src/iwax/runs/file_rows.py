"""Rows of a file as a run takes them: of the columns that it was trained on, and binary where its own were made so."""

from math import prod
from pathlib import Path

import numpy as np

from iwax.data.binarization import binarized
from iwax.data.files import read_rows
from iwax.data.rows import Rows
from iwax.runs.run_data import DataRecord
from iwax.settings.config import Config
from iwax.streams import Bits

__all__ = ["read", "values"]


def read(
    file: Path, config: Config, about: DataRecord, *, left_out: list[str], empty: bool, each: bool = False
) -> Rows:
    """The rows of a file as it holds them. ValueError where a table has not the columns that the run was trained on."""
    return read_rows(file, about.columns, dropped=left_out, dialect=config.data.dialect, empty=empty, each=each)


def values(file: Path, found: Rows, config: Config, about: DataRecord, binarize: str | None) -> np.ndarray:
    """Their values [n, D], made binary as asked, or as those of the run were. ValueError for rows of another width."""
    wanted = prod(about.shape)
    if found.values.shape[1] != wanted:
        raise ValueError(
            f"{file}: rows of {wanted} values were needed, as the run was trained on (shape {about.shape}); "
            f"got {found.values.shape[1]}"
        )
    if found.kind == "table" and about.columns is None and any(c.levels for c in found.columns or ()):
        raise ValueError(f"{file}: needed numbers, as the run was trained on; got columns of text")
    how = binarize or config.data.binarize
    if how is None or found.kind == "binary":
        return found.values
    return binarized(found.values, how, stream=Bits.SAMPLE, where=str(file))
