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
DECIMALS = (".", ",")


@dataclass(frozen=True)
class Dialect:
    """How a table is written, as its owner gives it; None and empty: as the table itself shows.

    ``header`` is "first" (the first line names the columns) or "none". ``delimiter`` stands between cells: one
    character, "tab" or "space" (any number of spaces). ``encoding`` is one that Python knows, e.g. "latin-1".
    ``thousands`` stands between groups of three digits: , . ' or "space"; ``decimal`` before the decimals of a number:
    "." or ",". ``missing`` are texts that mark a missing cell besides the usual ones; ``levels`` are texts, by column,
    that do not, though they usually would.

    >>> Dialect(delimiter="tab").between, Dialect().between
    ('\\t', None)
    """

    header: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    thousands: str | None = None
    missing: Sequence[str] = ()
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)
    decimal: str | None = None

    def __post_init__(self) -> None:
        if self.header not in (None, *HEADERS):
            raise ValueError(f"header must be first (a line of names) or none; got {self.header!r}")
        between = self.between
        if between is not None and (len(between) != 1 or between.isalnum() or between in '"\r\n.+-_'):
            raise ValueError(f"delimiter must be one character such as , ; |, or tab, or space; got {self.delimiter!r}")
        if self.thousands is not None and NAMED.get(self.thousands, self.thousands) not in GROUPING:
            raise ValueError(f"thousands must be one of , . ' or space; got {self.thousands!r}")
        if self.decimal not in (None, *DECIMALS):
            raise ValueError(f"decimal must be . or ,; got {self.decimal!r}")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"thousands and decimal must differ; got {self.decimal!r} for both")
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

    @property
    def plain(self) -> bool:
        """Whether numbers are written as Python writes them: nothing between thousands, and a decimal point."""
        return self.thousands is None and self.decimal in (None, ".")

    def as_python(self, text: str) -> str:
        """A number as Python writes it; what is none, as it is.

        >>> Dialect(thousands=".", decimal=",").as_python("1.234,5"), Dialect(decimal=",").as_python("a,b")
        ('1234.5', 'a,b')
        """
        if self.plain or not self._foreign.fullmatch(text):
            return text
        return re.sub(self._between or "(?!)", "", text).replace(",", ".")

    def numbers(self, cells: list[Cell]) -> list[Cell]:
        """A column, most of it numbers, with these as Python writes them; other columns as they are.

        Raises ValueError, with the text alone, where a number of such a column has a decimal point and should not.

        >>> Dialect(thousands=",").numbers(["1,234.5", "7", None]), Dialect(thousands=",").numbers(["1,234", "x"])
        (['1234.5', '7', None], ['1,234', 'x'])
        >>> Dialect(decimal=",").numbers(["0,5", "2"])
        ['0.5', '2']
        """
        if self.plain:
            return cells
        texts = {cell for cell in cells if cell is not None}
        read = {text: self.as_python(text) for text in texts if self._foreign.fullmatch(text)}
        usual = {text for text in texts - read.keys() if number(text) is not None}
        if 2 * (len(read) + len(usual)) <= len(texts):
            return cells
        pointed = sorted(text for text in usual if "." in text) if self.decimal == "," else []
        if pointed:
            raise ValueError(pointed[0])
        return [None if cell is None else read.get(cell, cell) for cell in cells]

    def number(self, text: str) -> str:
        """A number in this dialect, with another 0 where its three decimals would be taken for a group.

        >>> Dialect(thousands=".").number("12.345"), Dialect(thousands=",").number("12.345")
        ('12.3450', '12.345')
        >>> Dialect(decimal=",").number("12.345")
        '12,345'
        """
        if self.decimal == ",":
            return text.replace(".", ",")
        return f"{text}0" if self.thousands is not None and self._foreign.fullmatch(text) else text

    @property
    def _between(self) -> str | None:
        """The form of what stands between thousands."""
        return None if self.thousands is None else GROUPING[NAMED.get(self.thousands, self.thousands)]

    @property
    def _foreign(self) -> re.Pattern[str]:
        """The form of a number that Python would not read."""
        forms = [r"\d*,\d+(?:[eE][+-]?\d+)?"] if self.decimal == "," else []
        if self._between is not None:
            point = self.decimal or ("" if self.thousands == "." else ".")
            forms.append(rf"[1-9]\d{{0,2}}(?:{self._between}\d{{3}})+" + (rf"(?:\{point}\d*)?" if point else ""))
        return re.compile(rf"[+\-\u2212]?(?:{'|'.join(forms)})", re.ASCII)


AS_SHOWN = Dialect()  # all is as the table itself shows


def _known(encoding: str) -> bool:
    """Whether Python has an encoding of text by this name."""
    try:
        "x".encode(encoding)
    except (LookupError, ValueError):
        return False
    return True
