"""One file over HTTP, which ends: at its known size, and at one deadline, however slowly its bytes come."""

import threading
from typing import Any

import pooch

__all__ = ["deadline", "download"]

STALL = 20.0  # seconds without a byte
PIECE = 2**16  # bytes received at once
SLOWEST = 50_000  # bytes a second
SETUP = 20.0  # seconds for names, connections and redirections


def deadline(size: int) -> float:
    """The seconds that a file of this size may take: twenty seconds, and those of its bytes at 50 kB a second.

    >>> deadline(10_000_000)
    220.0
    """
    return SETUP + size / SLOWEST


def download(url: str, *, size: int) -> bytes:
    """Fetch at most ``size`` bytes.

    Raises OSError where there would be more, and where they are not there by the `deadline`; errors of the connection
    as they come. After a deadline nothing waits: what still arrives ends with the next piece.
    """
    seconds, failed, arrived = deadline(size), [], _Bounded(size)
    downloader = pooch.HTTPDownloader(
        chunk_size=PIECE,
        timeout=min(STALL, seconds),
        hooks={"response": lambda response, *_, **__: arrived.begin(response)},
    )

    def fetch() -> None:
        try:
            downloader(url, arrived, None)  # type: ignore[arg-type]  # any object that is written to
        except Exception as error:  # raised below, by whoever waits
            failed.append(error)
        finally:
            for response in arrived.responses:
                response.close()

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        arrived.over, got = True, len(arrived.contents)
        raise OSError(f"needed a file of at most {size:,} bytes within {seconds:.0f} s; got {got:,} bytes by then")
    if failed:
        raise failed[0]
    return bytes(arrived.contents)


class _Bounded:
    """A file in memory to which ``size`` bytes are written at most, and none once the time is ``over``."""

    def __init__(self, size: int) -> None:
        self.size, self.contents, self.over = size, bytearray(), False
        self.responses: list[Any] = []

    def begin(self, response: Any) -> None:
        """Take note of a response. Raises OSError where it announces too many bytes."""
        self.responses.append(response)
        self._refuse_more(int(response.headers.get("content-length", 0)))

    def write(self, piece: bytes) -> None:
        """Take some bytes. Raises OSError where they are too many, or too late."""
        if self.over:
            raise OSError("the time is over")
        self._refuse_more(len(self.contents) + len(piece))
        self.contents += piece

    def flush(self) -> None:
        """All bytes are there already."""

    def _refuse_more(self, size: int) -> None:
        if size > self.size:
            raise OSError(f"needed a file of at most {self.size:,} bytes; got {size:,} or more")
