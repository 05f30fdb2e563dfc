"""Tables in csv text parted by commas, semicolons or tabs, with or without a header line.

``read_table`` takes numbers alone; ``read_cells`` takes cells of any kind, some of them missing; ``replace_cells``
writes such a table again with some cells replaced.
"""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from iwax.data.formats.cells import Cells, check_names, number, with_holes

DELIMITERS = ",;\t"
QUOTED = re.compile(r'(?:\A|(?<=[,;\t\r\n]))"(?:[^"]|"")*("|\Z)')  # a cell, perhaps of many lines


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
    rows = [(line, row) for line, row in enumerate(csv.reader(lines, delimiter=delimiter), 1) if row]
    header: list[str] = []
    if rows and not all(_is_number(cell) for cell in rows[0][1]):
        header = [cell.strip() for cell in rows.pop(0)[1]]
    if not rows:
        raise ValueError(f"{name}: needed at least one line of numbers; got none")
    values = np.empty((len(rows), len(header) or len(rows[0][1])))
    for i, (line, row) in enumerate(rows):
        values[i] = _numbers(row, values.shape[1], f"{name}:{line}")
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


def read_cells(contents: bytes, *, name: str, missing: Sequence[str] = (), names: Collection[str] = ()) -> Cells:
    """The cells of a text table in UTF-8, with quotes around those that hold a delimiter, a quote or a line's end.

    The delimiter is the one of ``, ; tab`` most frequent in the first line, quoted cells aside. A first line in
    which any cell is neither a number nor missing is the header, and so is one that holds all ``names`` that are
    expected, if any; without a header the columns are column1, column2 ... Empty lines are skipped. Missing cells as
    in ``with_holes``. Raises ValueError with file:line:column (from 1) for anything else.

    >>> table = read_cells(b"a;b\\n1;'x'\\n?;y\\n", name="t.csv")
    >>> table.names, table.columns
    (('a', 'b'), (['1', None], ["'x'", 'y']))
    """
    text = _text(contents, name)
    rows = _rows(text, name)
    line, first = rows[0]
    words = [cell for cell in with_holes(first, missing) if cell is not None and number(cell) is None]
    header = bool(words) or (bool(names) and set(names) <= set(first))
    if header:
        check_names(first, f"{name}:{line}")
        _refuse_numbers(first, f"{name}:{line}", names)
        rows = rows[1:]
    if not rows:
        raise ValueError(f"{name}: needed at least one line below the header; got none")
    for line, row in rows:
        if len(row) != len(first):
            raise ValueError(
                f"{name}:{line}: needed {len(first)} cells as in the first line, parted by {_delimiter(text)!r}; got "
                f"{len(row)}"
            )
    return Cells(
        source=name,
        names=tuple(first) if header else tuple(f"column{i + 1}" for i in range(len(first))),
        columns=tuple(with_holes(cells, missing) for cells in zip(*(row for _, row in rows), strict=True)),
        lines=[line for line, _ in rows],
    )


def replace_cells(
    contents: bytes, cells: Mapping[tuple[int, int], str], *, rows: int, kept: int | None = None
) -> bytes:
    """A text table that ``read_cells`` takes, the cells at (row, column) replaced, all else to the byte as it was.

    ``rows`` is how many it has below the header; of them the first ``kept`` are written (all without). A replacement
    is put in quotes where it needs them.

    >>> replace_cells(b"a;b\\n 1.50;\\n\\n2;x\\n", {(0, 1): "p;q"}, rows=2)
    b'a;b\\n 1.50;"p;q"\\n\\n2;x\\n'
    """
    text = contents.decode("utf-8")
    mark = text[: text.startswith("\ufeff")]  # of the order of bytes, as spreadsheets write it
    delimiter = _delimiter(text[len(mark) :])
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{delimiter}\r\n]*)({delimiter}|\r\n|\r|\n|\Z)')
    written, at, end = [mark], len(mark), ""
    row, column = rows - len(_rows(text[at:], "")), 0  # below 0: the header
    while (at < len(text) or end == delimiter) and (kept is None or row < kept):
        found = cell.match(text, at)
        if found is None:
            raise ValueError(f"needed a table of cells parted by {delimiter!r}; got {text[at : at + 20]!r}")
        was, end = found.groups()
        empty = not (column or was) and end != delimiter  # a line that is no row
        new = None if empty else cells.get((row, column))
        written += [was if new is None else quoted(new), end]
        at = found.end()
        row, column = (row, column + 1) if end == delimiter else (row + (not empty), 0)
    return "".join(written).encode()


def quoted(text: str) -> str:
    """A cell in quotes where it needs them, whichever delimiter stands between the cells.

    >>> quoted("a"), quoted("a;b")
    ('a', '"a;b"')
    """
    if any(mark in text for mark in (*DELIMITERS, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _text(contents: bytes, name: str) -> str:
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: needed UTF-8 text; byte {error.start} is not; save the table as UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{name}:{line}: needed text; got a NUL byte; save the table as UTF-8 text")
    if not text.strip():
        raise ValueError(f"{name}: needed at least one line; the file is empty")
    return text


def _rows(text: str, name: str) -> list[tuple[int, list[str]]]:
    """The line on which each row begins, and its cells without the space around them."""
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, begin = [], 1
    try:
        for row in reader:
            if row:
                rows.append((begin, [cell.strip() for cell in row]))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{name}:{begin}: needed cells parted by {delimiter!r}, quoted whole or not at all; {error}"
        ) from error
    return rows


def _delimiter(text: str) -> str:
    """The one most frequent in the first line, quoted cells aside."""
    first = next((line for line in io.StringIO(QUOTED.sub("", text), newline=None) if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _refuse_numbers(header: list[str], where: str, names: Collection[str]) -> None:
    """A name such as 1990 may be meant; one such as 17.99 is a cell of a table without a header."""
    for column, cell in enumerate(header, 1):
        if cell not in names and number(cell) is not None and not cell.isdigit():
            raise ValueError(
                f"{where}:{column}: needed a name, for other cells of the first line are no numbers; got {cell!r}; "
                "add a first line that names the columns"
            )
