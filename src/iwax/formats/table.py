"""Tables in text, their cells parted by commas, semicolons, tabs, | or spaces, with or without a header line.

``read_cells`` takes cells of any kind, some of them missing; ``replace_cells`` writes such a table again with some
cells replaced.
"""

import re
from array import array
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import NoReturn

from iwax.formats.cell import mark_missing
from iwax.formats.cells import Cells, check_names, check_width
from iwax.formats.columnar import Column, Packed, joined, packed
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.header import has_header
from iwax.formats.refusals import Option, TableError
from iwax.formats.text import DELIMITERS, RARE, Parted, parted, readable
from iwax.memory_limit import allow

BLOCK, LEAST = 2**18, 64  # cells, and rows at least, that are texts of their own at once
COLUMN = 2_000  # bytes that a column takes besides its cells: its name, its kind, its numbers
IN_QUOTES = r'"[^"]*+(?:""[^"]*+)*+"'  # possessive: one step per letter, no memory for ways back


def read_cells(contents: bytes, *, name: str, names: Collection[str] = (), dialect: Dialect = AS_SHOWN) -> Cells:
    """The cells of a text table, with quotes around those that hold a delimiter, a quote or a line's end.

    What stands between cells is seen as in ``parted``, and whether the first line names the columns as in
    ``has_header``, where ``dialect`` does not say; ``names`` are those that are expected, if any. A column without a
    name is column1, column2 ... by its place. Empty lines are skipped. Missing cells as in ``mark_missing``. Raises
    ValueError with file:line:column (from 1) for anything else.

    >>> table = read_cells(b"a;b\\n1;'x'\\n?;y\\n", name="t.csv")
    >>> table.names, table.columns
    (('a', 'b'), (['1', None], ["'x'", 'y']))
    """
    table, held = parted(contents, name=name, dialect=dialect, names=names), len(contents)
    del contents  # what is read is not held a second and a third time
    lines, blocks = _packed(table, held=held)
    del table
    pieces = deque(zip(*blocks, strict=True))
    blocks.clear()
    columns = deque[Packed]()
    while pieces:
        columns.append(joined(pieces.popleft()))  # its pieces are gone as soon as it is there
    first = [column[0] or "" for column in columns]
    below = [column[1:] for column in columns]
    header = _names_columns(first, below, where=f"{name}:{lines[0]}", dialect=dialect, names=names)
    del below
    if header and len(lines) == 1:
        raise ValueError(f"{name}: needed at least one line below the header; got none")
    found = [cell.strip() for cell in first] if header else [""] * len(first)
    named = tuple(text or f"column{i + 1}" for i, text in enumerate(found))
    if header:
        check_names(named, f"{name}:{lines[0]}")
    read, marks = [], []
    for each in named:
        column = columns.popleft()[int(header) :]  # gone as soon as it is read
        try:
            cells, words = _marked(column, dialect, dialect.levels.get(each, ()))
        except ValueError as error:
            _refuse_point(str(error), column, lines[int(header) :], f"{name}:{{}}:{len(read) + 1}", each)
        read.append(cells)
        marks.append(words)
    return Cells(
        source=name,
        names=named,
        columns=tuple(read),
        lines=lines[int(header) :],
        unnamed=tuple(each for each, text in zip(named, found, strict=True) if header and not text),
        marks=tuple(marks),
    )


def _packed(table: Parted, *, held: int) -> tuple[Sequence[int], list[list[Packed]]]:
    """The lines on which rows begin, and blocks of rows, the first one included, each as its columns.

    Raises MemoryLimitError for more columns than such a file may have, ValueError for rows of several lengths.
    """
    rows, lines, blocks, wanted = table.rows(), array("q"), [], 0
    while block := list(islice(rows, max(BLOCK // max(wanted, 1), LEAST))):
        if not wanted:
            wanted = len(block[0][1])
            allow(COLUMN * wanted, f"{table.name}: its {wanted:,} columns", held=held)
            check_width(wanted, f"{table.name}:{block[0][0]}")
        for line, row in block:
            if len(row) != wanted:
                _refuse_ragged(table, line, row, wanted)
            lines.append(line)
        blocks.append([packed(column) for column in zip(*(row for _, row in block), strict=True)])
    return lines, blocks


def _marked(column: Column, dialect: Dialect, levels: Collection[str]) -> tuple[Packed, dict[str, int]]:
    """`mark_missing` of a column with counts of the words, and its numbers as Python writes them."""
    found, counts = [], Counter[str]()
    for piece in column.pieces():
        cells = [cell or "" for cell in piece]
        read, marks = mark_missing(cells, dialect.missing, levels)
        found.append(packed(read))
        counts.update(cell.strip() for cell in cells if cell in marks)
    whole = joined(found)
    return whole if dialect.plain else packed(dialect.numbers(list(whole))), dict(counts)


def _names_columns(
    first: Sequence[str], below: Sequence[Column], *, where: str, dialect: Dialect, names: Collection[str]
) -> bool:
    """`has_header`, of numbers as Python writes them."""
    if not dialect.plain:
        first = [dialect.as_python(cell) for cell in first]
        below = [
            packed([None if cell is None else dialect.as_python(cell.strip()) for cell in column]) for column in below
        ]
    return has_header(first, below, where=where, dialect=dialect, names=names)


def _refuse_point(got: str, column: Column, lines: Sequence[int], place: str, name: str) -> NoReturn:
    """Refuse a number with a decimal point in a column of decimal commas, where it stands."""
    row = next(row for row, cell in enumerate(column) if cell is not None and cell.strip() == got)
    raise TableError(
        f"{place.format(lines[row])}: column {name!r} needs numbers with a decimal comma, as decimal=',' says; got "
        f"{got!r}; if the point stands between thousands, train with ",
        [Option("decimal", ","), Option("thousands", ".")],
        ", if it stands before decimals, without --decimal",
    )


def _refuse_ragged(table: Parted, line: int, row: Sequence[str], wanted: int) -> NoReturn:
    """Refuse a row of another length than the first."""
    hint = ""
    if all(len(other) == wanted + 1 for _, other in islice(table.rows(), 1, None)):
        hint = "; every other line has one cell more: name the first column too, as R does with col.names=NA"
    raise ValueError(
        f"{table.name}:{line}: needed {wanted} cells as in the first line, parted by {readable(table.delimiter)}; got "
        f"{len(row)}{hint}"
    )


def replace_cells(
    contents: bytes,
    cells: Mapping[tuple[int, int], str],
    *,
    rows: int,
    limit: int | None = None,
    dialect: Dialect = AS_SHOWN,
    names: Collection[str] = (),
) -> bytes:
    """A text table that ``read_cells`` takes, the cells at (row, column) replaced, all else to the byte as it was.

    ``rows`` is how many it has below the header; of them at most ``limit`` are written. A replacement
    is put in quotes where it needs them. ``dialect`` and ``names`` as it was read. Raises ValueError for a replacement
    that the table's encoding does not have.

    >>> replace_cells(b"a;b\\n 1.50;\\n\\n2;x\\n", {(0, 1): "p;q"}, rows=2)
    b'a;b\\n 1.50;"p;q"\\n\\n2;x\\n'
    """
    table = parted(contents, name="", dialect=dialect, names=names)
    text, delimiter = table.body, table.delimiter
    cell, alone = _cell(delimiter), len(next(table.rows())[1]) == 1
    written, copied, at, between = [table.prefix], 0, 0, ""
    row, column = rows - sum(1 for _ in table.rows()), 0  # below 0: the header
    while (at < len(text) or between) and (limit is None or row < limit):
        found = cell.match(text, at)
        if found is None:
            raise ValueError(f"needed a table of cells parted by {readable(delimiter)}; got {text[at : at + 20]!r}")
        start, stop = found.span(2)
        between = found[3] or ""
        empty = not column and start == stop and not between  # a line that is no row
        new = None if empty else cells.get((row, column))
        if new is not None:
            written += [text[copied:start], quoted(new, alone=alone or delimiter == " ")]
            copied = stop
        at = found.end()
        row, column = (row, column + 1) if between else (row + (not empty), 0)
    return _encoded("".join([*written, text[copied:at]]), table.encoding)


def _cell(delimiter: str) -> re.Pattern[str]:
    """The space before a cell, the cell, and what stands after it: a delimiter or the end of its line."""
    if delimiter == " ":
        return re.compile(rf"( *+)({IN_QUOTES}|[^ \r\n]*+)(?:( ++)(?=[^ \r\n])|( *+(?:\r\n|\r|\n|\Z)))")
    mark = re.escape(delimiter)
    return re.compile(rf"()({IN_QUOTES}|[^{mark}\r\n]*+)(?:({mark})|(\r\n|\r|\n|\Z))")


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
