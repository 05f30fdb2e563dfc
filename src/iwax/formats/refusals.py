"""Why a table cannot be read as it is, and the options that read it, in the words of whoever asked for it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAPPINGS = {"kinds": "--kind", "levels": "--level"}  # an argument of `load` by column, and its flag
LONGEST = 80  # characters of a cell that are shown
SHOWN = 8  # refusals of one file that are shown in full


def cut(text: str, most: int = LONGEST) -> str:
    """A text in quotes, of a long one the beginning and how long it is.

    >>> cut("one"), cut("1" * 1000, most=3)
    ("'one'", "'111' ... (1,000 characters)")
    """
    return repr(text) if len(text) <= most else f"{text[:most]!r} ... ({len(text):,} characters)"


@dataclass(frozen=True)
class Option:
    """An argument by which a table is read, the same as a flag of the command line.

    >>> Option("kinds", "drop", column="a b").flag, Option("missing", "#N/A").flag, Option("header", "none").flag
    ("--kind 'a b=drop'", "--missing '#N/A'", '--header none')
    """

    name: str
    value: str
    column: str | None = None

    @property
    def flag(self) -> str:
        """As it is typed in a shell."""
        value = self.value if self.column is None else f"{self.column}={self.value}"
        return f"{MAPPINGS.get(self.name, f'--{self.name}')} {shlex.quote(value)}"


def as_flags(options: Sequence[Option]) -> str:
    """The options as they are typed, each once."""
    return " ".join(dict.fromkeys(option.flag for option in options))


def as_arguments(options: Sequence[Option]) -> str:
    """The options as arguments of `load`.

    >>> as_arguments([Option("kinds", "drop", "a"), Option("missing", "."), Option("kinds", "count", "b")])
    "kinds={'a': 'drop', 'b': 'count'}, missing=['.']"
    """
    found: dict[str, Any] = {}
    for option in dict.fromkeys(options):
        if option.name == "kinds":
            found.setdefault("kinds", {})[option.column] = option.value
        elif option.name == "levels":
            found.setdefault("levels", {}).setdefault(option.column, []).append(option.value)
        elif option.name == "missing":
            found.setdefault("missing", []).append(option.value)
        else:
            found[option.name] = option.value
    return ", ".join(f"{name}={value!r}" for name, value in found.items())


class Words:
    """A sentence with options in it: Python's words by ``str``, those of the command line by ``typed``.

    >>> words = Words("say ", Option("missing", "."), " or leave it out")
    >>> str(words), words.typed
    ("say missing=['.'] or leave it out", 'say --missing . or leave it out')
    """

    def __init__(self, *parts: str | Option | Sequence[Option]) -> None:
        self.parts = tuple((part,) if isinstance(part, Option) else part for part in parts)

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else as_arguments(part) for part in self.parts)

    def __repr__(self) -> str:
        return f"Words({str(self)!r})"

    @property
    def typed(self) -> str:
        """With the options as they are typed in a shell."""
        return "".join(part if isinstance(part, str) else as_flags(part) for part in self.parts)


class TableError(ValueError):
    """A table that cannot be read as it is; ``remedy`` are options with which this would not stop it.

    Without a remedy it is the first options of the sentence.
    """

    def __init__(self, *parts: str | Option | Sequence[Option], remedy: Sequence[Option] | None = None) -> None:
        self.words = Words(*parts)
        options = [part for part in self.words.parts if not isinstance(part, str)]
        self.remedy = tuple(next(iter(options), ()) if remedy is None else remedy)
        super().__init__(str(self.words))


def raise_all(errors: Sequence[TableError], source: str) -> None:
    """Raise what is wrong with a table, if anything, as one error that ends in the options for all of it.

    >>> errors = [TableError("a: ", Option("header", "none")), TableError("b: y")]
    >>> raise_all(errors, "t.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    iwax.formats.refusals.TableError: t.csv: 2 things to settle: (1) a: header='none'; (2) b: y; for ...: header='none'
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    parts: list[str | Sequence[Option]] = [f"{source}: {len(errors)} things to settle"]
    for i, error in enumerate(errors[:SHOWN], 1):
        parts += [f"{':' if i == 1 else ';'} ({i}) ", *error.words.parts]
    if len(errors) > SHOWN:
        parts.append(f"; and {len(errors) - SHOWN} more")
    remedy = [option for error in errors for option in error.remedy]
    if remedy:
        settled = sum(bool(error.remedy) for error in errors)
        parts += [f"; for {'all' if settled == len(errors) else settled} of them, at once: ", remedy]
    raise TableError(*parts, remedy=remedy)
