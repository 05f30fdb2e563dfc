"""Whether a folder or a file can be made, found out before anything slow is begun; nothing is made."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["OF_FIT", "check", "check_new_folder", "in_the_way"]

OF_FIT = "fit.json"  # in a folder of training.fit
_PROBE = b"iwax"
_SHOWN = 3  # names in a folder that a sentence has
_NAME, _PATH = 255, 4096  # bytes of a name and of a path, where the system does not say


def check(path: Path, *, what: str) -> None:
    """Raise an OSError saying why, where neither ``path`` nor, as far as they are missing, its folders can be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check(Path(folder) / "runs" / "one", what="output")
    """
    whole = path.absolute()
    there = next(folder for folder in (whole, *whole.parents) if os.path.lexists(folder))
    if there == whole and not there.is_dir():  # a file that will be replaced: where it lies
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"{what} {path}: cannot be written, a folder was needed at {there}, got a file")
    _check_lengths(path, whole, there, what)
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(_PROBE)
    except OSError as error:
        reason = f"no file can be made in {there}: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason += f"; needed at least {len(_PROBE)} bytes, {shutil.disk_usage(there).free} bytes free"
        raise type(error)(error.errno, f"the {what} cannot be written ({reason})", str(path)) from error


def check_new_folder(path: Path) -> None:
    """Raise an OSError where no new run can begin in a folder: a file, a run, or one that cannot be made or written.

    What else it may hold is looked at when it is taken.
    """
    if os.path.lexists(path) and not path.is_dir():
        raise NotADirectoryError(f"output {path}: a folder was needed, got a file")
    if any(os.path.lexists(path / name) for name in ("config.json", OF_FIT)):
        raise in_the_way(path)
    check(path, what="output folder")


def in_the_way(path: Path) -> FileExistsError:
    """That a folder is not empty, what it holds, and what to do."""
    if os.path.lexists(path / "config.json"):
        found = f"this one holds a run: iwax resume {path} continues it; or name another folder"
    elif os.path.lexists(path / OF_FIT):
        found = (
            "this one holds a checkpoint of training.fit, which the same call in Python continues; name another folder"
        )
    else:
        names = sorted(os.listdir(path))
        some = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
        found = f"this one holds {some}; name another folder"
    return FileExistsError(f"output {path}: an empty or new folder was needed, {found}")


def _check_lengths(path: Path, whole: Path, there: Path, what: str) -> None:
    longest = {"name": _NAME, "path": _PATH}
    if hasattr(os, "pathconf"):
        longest = {"name": os.pathconf(there, "PC_NAME_MAX"), "path": os.pathconf(there, "PC_PATH_MAX")}
    names = whole.relative_to(there).parts
    found = {"name": max((len(os.fsencode(name)) for name in names), default=0), "path": len(os.fsencode(whole))}
    for kind, size in found.items():
        if size > longest[kind]:
            words = f"the {what} needs a {kind} of at most {longest[kind]} bytes here, got {size}: take a shorter one"
            raise OSError(errno.ENAMETOOLONG, words, str(path))
