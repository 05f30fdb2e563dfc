"""Tables in text, their cells parted by commas, semicolons, tabs, | or spaces, with or without a header line.

``read_table`` takes numbers alone; ``read_cells`` takes cells of any kind, some of them missing; ``replace_cells``
writes such a table again with some cells replaced.
"""

import csv
import re
from collections.abc import Collection, Mapping

import numpy as np

from iwax.data.formats.cells import Cells, check_names, holes_and_marks
from iwax.data.formats.dialect import UNSAID, Dialect
from iwax.data.formats.header import has_header
from iwax.data.formats.text import DELIMITERS, RARE, parted, readable


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
    delimiter = max(",;\t", key=lines[0].count)
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


def read_cells(contents: bytes, *, name: str, names: Collection[str] = (), dialect: Dialect = UNSAID) -> Cells:
    """The cells of a text table, with quotes around those that hold a delimiter, a quote or a line's end.

    What stands between cells is seen as in ``parted``, and whether the first line names the columns as in
    ``has_header``, where ``dialect`` does not say; ``names`` are those that are expected, if any. A column without a
    name is column1, column2 ... by its place. Empty lines are skipped. Missing cells as in ``with_holes``. Raises
    ValueError with file:line:column (from 1) for anything else.

    >>> table = read_cells(b"a;b\\n1;'x'\\n?;y\\n", name="t.csv")
    >>> table.names, table.columns
    (('a', 'b'), (['1', None], ["'x'", 'y']))
    """
    table = parted(contents, name=name, dialect=dialect, names=names)
    rows, (line, first) = table.rows, table.rows[0]
    _refuse_ragged(rows, name, table.delimiter)
    columns = list(zip(*(row for _, row in rows), strict=True))
    header = has_header(first, [each[1:] for each in columns], where=f"{name}:{line}", dialect=dialect, names=names)
    if header and len(rows) == 1:
        raise ValueError(f"{name}: needed at least one line below the header; got none")
    found = [cell.strip() for cell in first] if header else [""] * len(first)
    named = tuple(text or f"column{i + 1}" for i, text in enumerate(found))
    if header:
        check_names(named, f"{name}:{line}")
        columns = [column[1:] for column in columns]
    read = [
        holes_and_marks(column, dialect.missing, dialect.levels.get(each, ()))
        for each, column in zip(named, columns, strict=True)
    ]
    return Cells(
        source=name,
        names=named,
        columns=tuple(dialect.ungrouped(cells) for cells, _ in read),
        lines=[line for line, _ in rows[header:]],
        unnamed=tuple(each for each, text in zip(named, found, strict=True) if header and not text),
        marks=tuple(marks for _, marks in read),
    )


def _refuse_ragged(rows: list[tuple[int, list[str]]], name: str, delimiter: str) -> None:
    """Refuse rows of another length than the first."""
    wanted = len(rows[0][1])
    for line, row in rows:
        if len(row) != wanted:
            hint = ""
            if all(len(other) == wanted + 1 for _, other in rows[1:]):
                hint = "; every other line has one cell more: name the first column too, as R does with col.names=NA"
            raise ValueError(
                f"{name}:{line}: needed {wanted} cells as in the first line, parted by {readable(delimiter)}; got "
                f"{len(row)}{hint}"
            )


def replace_cells(
    contents: bytes,
    cells: Mapping[tuple[int, int], str],
    *,
    rows: int,
    kept: int | None = None,
    dialect: Dialect = UNSAID,
    names: Collection[str] = (),
) -> bytes:
    """A text table that ``read_cells`` takes, the cells at (row, column) replaced, all else to the byte as it was.

    ``rows`` is how many it has below the header; of them the first ``kept`` are written (all without). A replacement
    is put in quotes where it needs them. ``dialect`` and ``names`` as it was read. Raises ValueError for a replacement
    that the table's encoding does not have.

    >>> replace_cells(b"a;b\\n 1.50;\\n\\n2;x\\n", {(0, 1): "p;q"}, rows=2)
    b'a;b\\n 1.50;"p;q"\\n\\n2;x\\n'
    """
    table = parted(contents, name="", dialect=dialect, names=names)
    text, delimiter = table.body, table.delimiter
    cell, alone = _cell(delimiter), len(table.rows[0][1]) == 1
    written, at, between = [table.prefix], 0, ""
    row, column = rows - len(table.rows), 0  # below 0: the header
    while (at < len(text) or between) and (kept is None or row < kept):
        found = cell.match(text, at)
        if found is None:
            raise ValueError(f"needed a table of cells parted by {readable(delimiter)}; got {text[at : at + 20]!r}")
        before, was, between, end = found.groups(default="")
        empty = not (column or was or between)  # a line that is no row
        new = None if empty else cells.get((row, column))
        written += [before, was if new is None else quoted(new, alone=alone or delimiter == " "), between, end]
        at = found.end()
        row, column = (row, column + 1) if between else (row + (not empty), 0)
    return _encoded("".join(written), table.encoding)


def _cell(delimiter: str) -> re.Pattern[str]:
    """The space before a cell, the cell, and what stands after it: a delimiter or the end of its line."""
    if delimiter == " ":
        return re.compile(r'( *)("(?:[^"]|"")*"|[^ \r\n]*)(?:( +)(?=[^ \r\n])|( *(?:\r\n|\r|\n|\Z)))')
    mark = re.escape(delimiter)
    return re.compile(rf'()("(?:[^"]|"")*"|[^{mark}\r\n]*)(?:({mark})|(\r\n|\r|\n|\Z))')


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the table is in {encoding}, which has no {text[error.start : error.end]!r}, a level of training; save it "
            "as UTF-8, or ask for another format"
        ) from error


def quoted(text: str, *, alone: bool = False) -> str:
    """A cell in quotes where it needs them, whichever delimiter stands between cells, or none where it is ``alone``.

    >>> quoted("a"), quoted("a;b"), quoted("a b"), quoted("a b", alone=True)
    ('a', '"a;b"', 'a b', '"a b"')
    """
    if any(mark in text for mark in (*DELIMITERS, '"', "\n", "\r", *(f" {RARE}" * alone))):
        return '"' + text.replace('"', '""') + '"'
    return text
