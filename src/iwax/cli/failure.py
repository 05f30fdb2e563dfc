"""What becomes of an error: one line on stderr and an exit code, in one place.

0 done; 2 what the person gave is wrong; 3 what was stored is wrong or could not be had; 4 a numerical stop;
130 and 143 the signals SIGINT and SIGTERM; 1 an error of iwax itself.
"""

import difflib
import errno
import re
import signal
import traceback
from typing import Any

import typer

__all__ = ["DONE", "GIVEN", "NUMERICAL", "OURS", "STORED", "exit_code", "one_line"]

DONE, OURS, GIVEN, STORED, NUMERICAL = 0, 1, 2, 3, 4
SIGNAL = 128

# Our own kinds by name: importing the classes would load JAX before anything has been asked for.
BY_NAME = {
    "UnavailableError": STORED,
    "ChecksumError": STORED,
    "CorruptCheckpointError": STORED,
    "LostProcessError": STORED,
    "NumericalStop": NUMERICAL,
}
DEVICE = ("XlaRuntimeError", "JaxRuntimeError")  # the one kind JAX has for whatever its compiler or device reports
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
KEPT = 48  # of a long word, at each end
NUMBERS = {  # what pydantic refuses, in our words
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}
CLICK = re.compile(r"('.*') is not a valid (integer|float)")
LONG = re.compile(r"[^\s,;]{121,}")
USAGE = typer.BadParameter.__mro__[2]  # click's own root, from whichever copy of click Typer uses


def exit_code(error: BaseException) -> int:
    """The exit code of an error.

    >>> exit_code(ValueError("k must be 1 or more, got 0")), exit_code(OSError(28, "No space left on device"))
    (2, 3)
    >>> exit_code(KeyboardInterrupt())
    130
    """
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return SIGNAL + signal.SIGINT
    names = [kind.__name__ for kind in type(error).__mro__]
    if "Interrupted" in names:
        return SIGNAL + int(getattr(error, "signum", signal.SIGINT))
    for name in names:
        if name in BY_NAME:
            return BY_NAME[name]
    if isinstance(error, OSError):
        return STORED if error.errno in DISK else GIVEN
    return GIVEN if _out_of_memory(error) or isinstance(error, ValueError | TypeError | USAGE) else OURS


def _out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the machine or of its accelerator was not enough."""
    of_device = any(kind.__name__ in DEVICE for kind in type(error).__mro__)
    return isinstance(error, MemoryError) or (of_device and str(error).startswith("RESOURCE_EXHAUSTED"))


def one_line(error: BaseException) -> str:
    """The words of an error, on one line.

    >>> one_line(ValueError("k must be 1 or more, got 0"))
    'k must be 1 or more, got 0'
    >>> one_line(FileNotFoundError(2, "No such file or directory", "x.npy"))
    'x.npy: No such file or directory'
    """
    code = exit_code(error)
    if isinstance(error, USAGE):
        text = _usage(error)
    elif isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, OSError) and error.strerror:  # a sentence, whose number says nothing more
        text = error.strerror
    else:
        words = getattr(error, "words", None)  # of a TableError, with options in them
        text = str(error) if words is None else words.typed
    text = _shortened(" ".join(text.split()))
    if code == OURS:
        where = traceback.extract_tb(error.__traceback__)
        place = f" at {where[-1].filename}:{where[-1].lineno}" if where else ""
        return f"{type(error).__name__}: {text}{place}; this is a fault of iwax: --debug shows the whole of it"
    if _out_of_memory(error):
        return f"not enough memory: {text or 'an array could not be allocated'}; ask for less at once"
    return text or ("interrupted" if code > SIGNAL else type(error).__name__)


def _shortened(text: str) -> str:
    """The text with the middle of very long words left out, as of paths, so that they do not hide the rest.

    >>> len(_shortened("a" * 300 + ".npy: File name too long"))
    118
    """
    return LONG.sub(lambda word: f"{word[0][:KEPT]}...{word[0][-KEPT:]}", text)


def _usage(error: Any) -> str:
    """The words of what Typer refuses. A value of another kind than its option's: as settings are refused."""
    path = "iwax" if error.ctx is None else error.ctx.command_path
    text = " ".join(error.format_message().split()).rstrip(".")
    needed = _needed(error, text)
    if needed is not None:
        return f"{max(error.param.opts, key=len)}: needs {needed}"
    if type(error).__name__ == "NoSuchOption":
        nearest = difflib.get_close_matches(error.option_name, error.possibilities or (), 1)
        near = f"; did you mean {nearest[0]}?" if nearest else ";"
        text = f"{path} has no option {error.option_name}{near}"
    return f"{text}{'' if text.endswith(('?', ';')) else ';'} '{path} --help' lists what there is"


def _needed(error: Any, text: str) -> str | None:
    """What an option needs and what it got, where it is a number; None of other refusals.

    Newer Typers check by pydantic, older ones by click.
    """
    errors = getattr(error.__cause__, "errors", None)
    if errors is not None:
        first = errors()[0]
        words = NUMBERS.get(first["type"])
        return words and f"{words.format(**first.get('ctx', {}))}, got {first['input']!r}"
    found = CLICK.search(text)
    return found and f"{'a whole number' if found[2] == 'integer' else 'a number'}, got {found[1]}"
