"""Plain tables of numbers: csv text parted by commas, semicolons or tabs, with or without a header line."""

import csv

import numpy as np

DELIMITERS = ",;\t"


def read_table(contents: bytes, *, name: str) -> tuple[np.ndarray, list[str]]:
    """The numbers [n, D] in float64 and the column names (empty without a header line).

    The delimiter is the one of ``, ; tab`` most frequent in the first line; a first line in which any cell is
    no number is the header. Raises ValueError with file:row:column (from 1) for a cell that is no number.

    >>> read_table(b"a;b\\n1;2\\n3;4\\n", name="t.csv")
    (array([[1., 2.], [3., 4.]]), ['a', 'b'])
    """
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: needed UTF-8 text; byte {error.start} is not") from error
    lines = text.splitlines()
    if not lines:
        raise ValueError(f"{name}: needed at least one line; the file is empty")
    delimiter = max(DELIMITERS, key=lines[0].count)
    rows = [(number, row) for number, row in enumerate(csv.reader(lines, delimiter=delimiter), 1) if row]
    header: list[str] = []
    if rows and not all(_is_number(cell) for cell in rows[0][1]):
        header = [cell.strip() for cell in rows.pop(0)[1]]
    if not rows:
        raise ValueError(f"{name}: needed at least one line of numbers; got none")
    values = np.empty((len(rows), len(header) or len(rows[0][1])))
    for i, (number, row) in enumerate(rows):
        values[i] = _numbers(row, values.shape[1], f"{name}:{number}")
    return values, header


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(row: list[str], columns: int, where: str) -> list[float]:
    if len(row) != columns:
        raise ValueError(f"{where}: needed {columns} cells; got {len(row)}")
    for column, cell in enumerate(row, 1):
        if not _is_number(cell):
            raise ValueError(f"{where}:{column}: needed a number; got {cell!r}")
    return [float(cell) for cell in row]
