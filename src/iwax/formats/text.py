"""A text table parted into rows of cells: its encoding, Excel's first line, what stands between cells."""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from iwax.formats.cell import mark_missing, number
from iwax.formats.dialect import NAMED, Dialect
from iwax.formats.refusals import Option, TableError

DELIMITERS = ",;\t|"
RARE = ":^~#*\x01"  # asked for, never taken by themselves
HEAD = 1_000_000  # characters in which the first lines are looked for
LOOKED_AT = 50  # lines
SEPARATOR = re.compile(r"\"?sep=([^\w\"'.+\r\n-])\"?[,;\t|]*(\r\n|\r|\n)", re.IGNORECASE)
# possessive: a cell of any length takes one step per letter, and no memory for ways back
QUOTED = re.compile(r'(?:\A|(?<=[,;\t|\r\n ]))"[^"]*+(?:""[^"]*+)*+(?:"|\Z)')  # a cell, perhaps of many lines
LINE = re.compile(r"[^\r\n]*+(?:\r\n?+|\n|\Z)")


@dataclass(frozen=True)
class Parted:
    """A text table: ``prefix`` (mark of the order of bytes, Excel's ``sep=``) and ``body``, which begins on ``line``.

    ``rows`` are read again at each call.
    """

    name: str
    prefix: str
    body: str
    encoding: str
    delimiter: str
    line: int

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The line on which each row begins, from 1, and its cells with the space around them. Raises ValueError."""
        spaces, begin = self.delimiter == " ", self.line
        lines = (found[0] for found in LINE.finditer(self.body) if found[0])
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=spaces)
        try:
            for row in reader:
                if spaces and len(row) > 1 and not row[-1]:
                    row.pop()  # spaces at the end of a line
                if row:
                    yield begin, row
                begin = reader.line_num + self.line
        except csv.Error as error:
            raise ValueError(
                f"{self.name}:{begin}: needed cells parted by {readable(self.delimiter)}, quoted whole or not at all; "
                f"{error}"
            ) from error


def parted(contents: bytes, *, name: str, dialect: Dialect, names: Collection[str] = ()) -> Parted:
    """The rows of a text table. ``names`` are those of columns that are expected, if any.

    Excel's first line ``sep=;`` gives what stands between cells, else ``dialect`` does, else it is the one of
    , ; tab | that is as frequent in the first line as in the second, quoted cells aside, and there most frequent;
    where there is none, runs of spaces, if they part all lines alike and one column is of numbers. Raises ValueError,
    naming file and line, for what is no text, no table, or parted by something else.

    >>> list(parted(b"sep=;\\na;b\\n1;2\\n", name="t.csv", dialect=Dialect()).rows())
    [(2, ['a', 'b']), (3, ['1', '2'])]
    """
    text, encoding = dialect.decode(contents, name)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{name}:{line}: needed text; got a NUL byte; save the table as UTF-8 text")
    at = int(text.startswith("\ufeff"))
    first = SEPARATOR.match(text, at)
    at = first.end() if first else at
    prefix, body = text[:at], text[at:]
    if not body or body.isspace():
        raise ValueError(f"{name}: needed at least one line; the file is empty")
    delimiter = dialect.between or (first and first[1]) or _delimiter(body, name, names)
    return Parted(name, prefix, body, encoding, delimiter, 2 if first else 1)


def readable(delimiter: str) -> str:
    """What stands between cells, for a sentence.

    >>> readable(";"), readable(" ")
    ("';'", 'spaces')
    """
    return {" ": "spaces", "\t": "tabs"}.get(delimiter, repr(delimiter))


def _delimiter(body: str, name: str, names: Collection[str]) -> str:
    """What stands between cells, by the first lines, quoted cells aside."""
    lines = [line for line in io.StringIO(QUOTED.sub('""', body[:HEAD]), newline=None) if line.strip()][:LOOKED_AT]
    counts = {mark: lines[0].count(mark) for mark in DELIMITERS}
    alike = {mark: count for mark, count in counts.items() if count and count == "".join(lines[1:2]).count(mark)}
    chosen = max(alike or counts, key=counts.__getitem__)
    header = lines[0].strip()
    if counts[chosen] or len(lines) == 1 or header in names:
        return chosen
    widths = {len(line.split()) for line in lines}
    if len(widths) == 1 and widths != {1} and all(" " in line.strip() for line in lines):
        columns = list(zip(*(line.split() for line in lines[1:]), strict=True))
        if any(all(cell is None or number(cell) is not None for cell in mark_missing(column)[0]) for column in columns):
            return " "
        _ask(header, "space", name)
    for mark in RARE:
        parts = [line.count(mark) for line in lines]
        if len(set(parts)) == 1 and parts[0] and all(name.strip() for name in lines[0].split(mark)):
            _ask(header, mark, name)
    return chosen


def _ask(header: str, mark: str, name: str) -> None:
    between = NAMED.get(mark, mark)
    raise TableError(
        f"{name}:1: needed columns parted by commas, semicolons, tabs, | or spaces; got the one column "
        f"{header[:60]!r}; if its cells are parted by {readable(between)}, train with ",
        Option("delimiter", mark),
        ", if it is one column, with ",
        Option("delimiter", ","),
    )
