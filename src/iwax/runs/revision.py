"""The commit of a folder's repository, read from git's own files: git itself would run what the folder tells it to."""

import os
import re
import stat
from pathlib import Path

__all__ = ["commit"]

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1, or SHA-256
_PART = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9._@{}+#=,%&'!()\-]+(?<!\.lock)")  # of the name of a ref: never climbs
_LINE, _PACKED, _CHAIN = 4096, 1 << 24, 5


def commit(folder: Path) -> str | None:
    """The commit that is checked out where `folder` lies, as 40 or 64 hexadecimal digits; None where none is found.

    Reads HEAD, loose and packed refs, also of a worktree or submodule, whose ``.git`` is a file. Nothing is started:
    the ``.git/config`` of a folder that somebody sent may name programs for git to run. Whether files differ from
    the commit is therefore not known.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / ".git").mkdir()
    ...     _ = (Path(folder) / ".git" / "HEAD").write_text("5" * 40)
    ...     commit(Path(folder)) == "5" * 40
    True
    """
    try:
        git = _git_folder(folder.absolute())
        return None if git is None else _head(git)
    except (OSError, ValueError):  # not ours to judge: it is no repository that we can read
        return None


def _git_folder(folder: Path) -> Path | None:
    """The nearest ``.git`` above, or the folder that the file of this name points to."""
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return _pointed(parent, _text(git, _LINE), "gitdir:")
    return None


def _pointed(parent: Path, text: str, word: str) -> Path | None:
    name = text.removeprefix(word).strip()
    away = name.startswith(("//", "\\\\"))  # a machine on the network, on Windows
    return parent / name if text.startswith(word) and name and not away else None


def _head(git: Path) -> str | None:
    shared = _pointed(git, _text(git / "commondir", _LINE), "") or git  # of a worktree: where its repository lies
    text = _text(git / "HEAD", _LINE).strip()
    for _ in range(_CHAIN):
        if not text.startswith("ref:"):
            return text if _COMMIT.fullmatch(text) else None
        name = text.removeprefix("ref:").strip()
        parts = name.split("/")
        if parts[0] != "refs" or not all(map(_PART.fullmatch, parts)):
            return None
        loose = (_text(place.joinpath(*parts), _LINE).strip() for place in (git, shared))
        text = next(filter(None, loose), None) or _packed(shared, name)
    return None


def _packed(git: Path, name: str) -> str:
    """The commit of a ref in ``packed-refs``, a line each: "<commit> <ref>"; empty where it is not there."""
    lines = (line.split() for line in _text(git / "packed-refs", _PACKED).splitlines())
    return next((words[0] for words in lines if len(words) == 2 and words[1] == name), "")


def _text(file: Path, limit: int) -> str:
    """The text of a plain file of at most `limit` bytes, else empty; no link, and no pipe, which may never end."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return ""
    with open(handle, "rb") as stream:
        status = os.fstat(handle)
        plain = stat.S_ISREG(status.st_mode) and status.st_size <= limit
        return stream.read(limit).decode(errors="replace") if plain else ""
