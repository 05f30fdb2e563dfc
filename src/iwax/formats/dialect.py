"""How a text table is written, as far as its owner has to give it."""

import codecs
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from iwax.formats.cell import Cell, number
from iwax.formats.refusals import Option, TableError

NAMED = {"tab": "\t", "space": " "}  # delimiters that are hard to type
GROUPING = {",": ",", ".": r"\.", "'": "['\u2019]", " ": "[ \u00a0\u2009\u202f]"}
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
HEADERS = ("first", "none")


@dataclass(frozen=True)
class Dialect:
    """How a table is written, as its owner gives it; None and empty: as the table itself shows.

    ``header`` is "first" (the first line names the columns) or "none". ``delimiter`` stands between cells: one
    character, "tab" or "space" (any number of spaces). ``encoding`` is one that Python knows, e.g. "latin-1".
    ``thousands`` stands between groups of three digits: , . ' or "space". ``missing`` are texts that mark a missing
    cell besides the usual ones; ``levels`` are texts, by column, that do not, though they usually would.

    >>> Dialect(delimiter="tab").between, Dialect().between
    ('\\t', None)
    """

    header: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    thousands: str | None = None
    missing: Sequence[str] = ()
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.header not in (None, *HEADERS):
            raise ValueError(f"header must be first (a line of names) or none; got {self.header!r}")
        between = self.between
        if between is not None and (len(between) != 1 or between.isalnum() or between in '"\r\n.+-_'):
            raise ValueError(f"delimiter must be one character such as , ; |, or tab, or space; got {self.delimiter!r}")
        if self.thousands is not None and NAMED.get(self.thousands, self.thousands) not in GROUPING:
            raise ValueError(f"thousands must be one of , . ' or space; got {self.thousands!r}")
        if self.encoding is not None and not _known(self.encoding):
            raise ValueError(
                f"encoding must be one that Python knows, such as latin-1 or cp1252; got {self.encoding!r}"
            )
        for name, texts in self.levels.items():
            if isinstance(texts, str) or not all(isinstance(text, str) and text.strip() for text in texts):
                raise ValueError(f"levels must be lists of texts, as in levels={{{name!r}: ['NA']}}; got {texts!r}")

    @property
    def between(self) -> str | None:
        """The character between cells."""
        return None if self.delimiter is None else NAMED.get(self.delimiter, self.delimiter)

    def decode(self, contents: bytes, name: str) -> tuple[str, str]:
        """The text, and the encoding that gives its bytes back. A mark of the order of bytes says more than `encoding`.

        >>> Dialect(encoding="latin-1").decode(b"a,\\xe9", "t.csv")
        ('a,é', 'latin-1')
        """
        by_mark = next((encoding for mark, encoding in MARKS.items() if contents.startswith(mark)), None)
        encoding = by_mark or self.encoding or "utf-8"
        try:
            return contents.decode(encoding), encoding
        except UnicodeDecodeError as error:
            other = Option("encoding", "latin-1")
            if self.encoding is not None:
                raise TableError(
                    f"{name}: needed text in {encoding}; byte {error.start} is not; perhaps ", other
                ) from error
            raise TableError(
                f"{name}: needed UTF-8 text; byte {error.start} is not; train with ",
                other,
                ", or save the table as UTF-8",
            ) from error

    def ungrouped(self, cells: list[Cell]) -> list[Cell]:
        """A column, most of it numbers, without what stands between their thousands; other columns as they are.

        >>> Dialect(thousands=",").ungrouped(["1,234.5", "7", None]), Dialect(thousands=",").ungrouped(["1,234", "x"])
        (['1234.5', '7', None], ['1,234', 'x'])
        """
        if self.thousands is None:
            return cells
        between, grouped = self._grouped(self.thousands)
        texts = {cell for cell in cells if cell is not None}
        read = {text: re.sub(between, "", text) for text in texts if grouped.fullmatch(text)}
        plain = sum(number(text) is not None for text in texts - read.keys())
        if not read or 2 * (len(read) + plain) <= len(texts):
            return cells
        return [None if cell is None else read.get(cell, cell) for cell in cells]

    def number(self, text: str) -> str:
        """A number as it is written, with another 0 where its three decimals would be taken for a group.

        >>> Dialect(thousands=".").number("12.345"), Dialect(thousands=",").number("12.345")
        ('12.3450', '12.345')
        """
        misread = self.thousands is not None and self._grouped(self.thousands)[1].fullmatch(text)
        return f"{text}0" if misread else text

    @staticmethod
    def _grouped(thousands: str) -> tuple[str, re.Pattern[str]]:
        """The form of what stands between thousands, and of a number with it."""
        between = GROUPING[NAMED.get(thousands, thousands)]
        point = "" if thousands == "." else r"(\.\d*)?"
        return between, re.compile(rf"[+\-\u2212]?[1-9]\d{{0,2}}(?:{between}\d{{3}})+{point}", re.ASCII)


AS_SHOWN = Dialect()  # all is as the table itself shows


def _known(encoding: str) -> bool:
    """Whether Python has an encoding of text by this name."""
    try:
        "x".encode(encoding)
    except (LookupError, ValueError):
        return False
    return True
