"""Files of what a model gives: arrays by name, rows as the table has them, tables with missing cells filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwax import data
from iwax.data import encoding
from iwax.data.tables import TABLES, TEXTS
from iwax.formats.dialect import AS_SHOWN
from iwax.formats.table import quoted
from iwax.storage import durable

__all__ = ["Table", "as_csv", "rows_as_csv", "write", "write_rows"]

HEADER = 128  # bytes before the numbers of an array


def write(path: Path, arrays: Mapping[str, np.ndarray], *, main: str) -> None:
    """Write named arrays [n, ...] whole or not at all: all of them (.npz, .csv), or the ``main`` one (.npy)."""
    ending = path.suffix.lower()
    if ending == ".csv":
        durable.replace(path, as_csv(arrays).encode())
        return
    written = {main: arrays[main]} if ending == ".npy" else dict(arrays)
    with durable.replacing(path, sum(HEADER + np.asarray(values).nbytes for values in written.values())) as stream:
        if ending == ".npy":
            np.save(stream, arrays[main], allow_pickle=False)
        else:
            np.savez(stream, allow_pickle=False, **written)


def write_rows(
    path: Path, rows: np.ndarray, columns: Sequence[data.Column] | None, *, dialect: data.Dialect = AS_SHOWN
) -> None:
    """Write rows [n, D]: those of a table with columns as its owner writes them (`Run.dialect`), where it is a .csv.

    Raises ValueError for a level that the encoding of the dialect does not have.
    """
    if columns is not None and path.suffix.lower() == ".csv":
        text = rows_as_csv(rows, columns, dialect=dialect)
        durable.replace(path, text.encode(dialect.encoding or "utf-8"))
    else:
        write(path, {"x": rows}, main="x")


def as_csv(arrays: Mapping[str, np.ndarray]) -> str:
    """Named arrays as CSV: a line for each row, a column for each number, to nine figures.

    >>> print(as_csv({"row": np.array([1, 2]), "z": np.array([[0.5, 1], [2, 1 / 3]])}), end="")
    row,z0,z1
    1,0.5,1
    2,2,0.333333333
    """
    names, parts = [], []
    for name, values in arrays.items():
        flat = np.asarray(values).reshape(len(values), -1)
        names += [name] if np.ndim(values) == 1 else [f"{name}{i}" for i in range(flat.shape[1])]
        written = {"U": quoted, "O": quoted, "i": str}.get(flat.dtype.kind, "{:.9g}".format)
        parts += [[written(cell) for cell in column] for column in flat.T.tolist()]
    lines = [",".join(cells) for cells in zip(*parts, strict=True)]
    return "\n".join([",".join(map(quoted, names)), *lines]) + "\n"


def rows_as_csv(rows: np.ndarray, columns: Sequence[data.Column] | None, *, dialect: data.Dialect = AS_SHOWN) -> str:
    """Rows [n, D] as CSV: those of a table with its names, levels and whole numbers (a mean count is rounded)."""
    if columns is None:
        return as_csv({"x": rows})
    return encoding.written(columns, _whole_counts(rows, columns), dialect=dialect)


def _whole_counts(rows: np.ndarray, columns: Sequence[data.Column]) -> np.ndarray:
    """The rows with the numbers of a column of whole numbers, which may be means, rounded."""
    return np.where([column.whole for column in columns], np.round(rows), rows)


@dataclass(frozen=True)
class Table:
    """A person's own table, whose missing cells are filled and whose other cells go out as they came in.

    ``columns`` and ``dialect`` are those of the run that fills it (``run.about.columns``, ``run.config.data.dialect``).
    Rows that are of no file, or of a run without columns, are written as the model knows them.
    """

    file: Path | None
    columns: Sequence[data.Column] | None
    dialect: data.Dialect

    def write(self, path: Path, values: np.ndarray, missing: np.ndarray) -> None:
        """Write ``values`` [n, D], of which those marked ``missing`` [n, D] are new, as the ending of the path says.

        Raises ValueError if a .parquet is asked for and the table is none, or if the table has changed since.
        """
        ending = path.suffix.lower()
        if ending in TABLES:
            durable.replace(path, self._contents(values, missing, ending))
        else:
            write(path, {"x": values}, main="x")

    def text(self, values: np.ndarray, missing: np.ndarray) -> str:
        """What `write` puts into a .csv."""
        text, _ = self.dialect.decode(self._contents(values, missing, ".csv"), "the table")
        return text.removeprefix("\ufeff")

    def _contents(self, values: np.ndarray, missing: np.ndarray, ending: str) -> bytes:
        file = self.file if self.file is not None and self.file.suffix.lower() in TABLES else None
        if ending not in TEXTS and (file is None or self.columns is None or file.suffix.lower() != ending):
            raise ValueError(
                f"-o FILE{ending}: a {ending} table with columns was needed; rows go to .npy, .npz or .csv"
            )
        if file is None or self.columns is None:
            return rows_as_csv(values, self.columns).encode()
        whole, as_csv = _whole_counts(values, self.columns), ending in TEXTS
        return data.filled_table(file, self.columns, whole, missing, as_csv=as_csv, dialect=self.dialect)
