"""One file over HTTP, which ends: at its known size, and at one deadline, however slowly its bytes come."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pooch

__all__ = ["deadline", "download", "scratch"]

STALL = 20.0  # seconds without a byte
PIECE = 2**16  # bytes written at once
SLOWEST = 50_000  # bytes a second
SETUP = 20.0  # seconds for names, connections and redirections
PREFIX = ".download-"
DAY = 86_400.0  # seconds


def deadline(size: int) -> float:
    """The seconds that a file of this size may take: twenty seconds, and those of its bytes at 50 kB a second.

    >>> deadline(10_000_000)
    220.0
    """
    return SETUP + size / SLOWEST


def download(url: str, target: Path, *, size: int) -> None:
    """Fetch at most ``size`` bytes into ``target``.

    Raises OSError where there would be more, and where they are not there by the `deadline`; errors of the connection
    as they come. After a deadline nothing waits: what still arrives ends with the next piece.
    """
    seconds, failed, opened = deadline(size), [], []
    bounds = _Bounds(target, size)
    downloader = pooch.HTTPDownloader(
        progressbar=bounds,  # type: ignore[arg-type]  # any object of a bar's methods
        chunk_size=PIECE,
        timeout=min(STALL, seconds),
        hooks={"response": lambda response, *_, **__: opened.append(response)},
    )

    def fetch() -> None:
        try:
            downloader(url, str(target), None)  # type: ignore[arg-type]
        except Exception as error:  # raised below, by whoever waits
            failed.append(error)
        finally:
            for response in opened:
                response.close()

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        bounds.over = True
        got = target.stat().st_size if target.exists() else 0
        raise OSError(f"needed a file of at most {size:,} bytes within {seconds:.0f} s; got {got:,} bytes by then")
    if failed:
        raise failed[0]


class _Bounds:
    """What pooch takes for a progress bar, and tells how many bytes are announced and when some have come."""

    def __init__(self, target: Path, size: int) -> None:
        self.target, self.size, self.over = target, size, False

    @property
    def total(self) -> int:
        """The bytes announced; 0 where none are."""
        return 0

    @total.setter
    def total(self, announced: int) -> None:
        self._refuse_more(announced)

    def update(self, size: int) -> None:
        """Some bytes have come."""
        if self.over:
            raise OSError("the time is over")
        self._refuse_more(self.target.stat().st_size)

    def reset(self) -> None:
        """All bytes have come."""

    def close(self) -> None:
        """All is done."""

    def _refuse_more(self, size: int) -> None:
        if size > self.size:
            raise OSError(f"needed a file of at most {self.size:,} bytes; got {size:,} or more")


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder of this process in ``folder``, gone afterwards; those that killed processes left go first."""
    _sweep(folder)
    prefix = f"{PREFIX}{socket.gethostname()}-{os.getpid()}-"
    with tempfile.TemporaryDirectory(dir=folder, prefix=prefix, ignore_cleanup_errors=True) as own:
        yield Path(own)


def _sweep(folder: Path) -> None:
    """Remove the folders of downloads whose process is gone, or that are older than a day."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if left.is_symlink() or not left.is_dir():
                continue
            if _dead(left.name) or time.time() - left.stat().st_mtime > DAY:
                for file in left.iterdir():
                    file.unlink()
                left.rmdir()


def _dead(name: str) -> bool:
    """Whether a folder's name says a process of this machine that runs no more."""
    host, _, rest = name.removeprefix(PREFIX).rpartition("-")[0].rpartition("-")
    if os.name != "posix" or host != socket.gethostname() or not (rest.isascii() and rest.isdigit()):
        return False
    try:
        os.kill(int(rest), 0)  # no signal: asks whether there is one
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
