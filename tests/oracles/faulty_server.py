"""A server on this machine that serves a file rightly, and wrongly in every way that a download can go wrong."""

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENTS = b"the published bytes " * 5_000
SHA256 = hashlib.sha256(CONTENTS).hexdigest()
HTML = b"<!doctype html><title>Log in</title><p>This network asks you to log in." * 200

WRONG = {  # what arrives whole and is not the file
    "wrong": CONTENTS[:-1] + b"!",
    "html": HTML,
    "empty": b"",
    "bomb": gzip.compress(bytes(90_000_000)),  # a file of the published size at most: a larger one never arrives
}
BROKEN = (  # what does not arrive
    *("cut", "stalled", "trickle", "endless", "endless-chunks", "missing", "failing", "loop", "to-a-file", "to-ftp"),
    *("no-headers", "trickle-headers", "endless-headers"),
)
KEPT = threading.Event()  # set where the server ends, so that nothing that waits outlives it


class _Handler(BaseHTTPRequestHandler):
    """`/good` serves the file, every other path what its name says."""

    def do_GET(self) -> None:
        with suppress(OSError):
            name = self.path.strip("/")
            body = CONTENTS if name == "good" else WRONG.get(name)
            if body is not None:
                self.begin(len(body))
                self.wfile.write(body)
            else:
                getattr(self, name.replace("-", "_"))()

    def begin(self, length: int | None, status: int = 200, **headers: str) -> None:
        """The head of an answer."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def cut(self) -> None:
        """Half of the file, and no more."""
        self.begin(len(CONTENTS))
        self.wfile.write(CONTENTS[: len(CONTENTS) // 2])

    def stalled(self) -> None:
        """Half of the file, and then silence."""
        self.begin(len(CONTENTS))
        self.wfile.write(CONTENTS[: len(CONTENTS) // 2])
        self.wfile.flush()
        KEPT.wait(300)

    def trickle(self) -> None:
        """A byte each tenth of a second, so that no read waits for long."""
        self.begin(len(CONTENTS))
        for byte in CONTENTS:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if KEPT.wait(0.1):
                return

    def endless(self) -> None:
        """More and more, of no length that was said."""
        self.begin(None)
        while not KEPT.is_set():
            self.wfile.write(bytes(1 << 20))

    def endless_chunks(self) -> None:
        """The same in chunks."""
        self.begin(None, Transfer_Encoding="chunked")
        while not KEPT.is_set():
            self.wfile.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")

    def missing(self) -> None:
        """404."""
        self.send_error(404)

    def failing(self) -> None:
        """500, with a body."""
        self.begin(len(HTML), status=500)
        self.wfile.write(HTML)

    def loop(self) -> None:
        """Here again."""
        self.begin(0, status=302, Location="/loop")

    def to_a_file(self) -> None:
        """A file of the reader's own machine."""
        self.begin(0, status=302, Location="file:///etc/hostname")

    def to_ftp(self) -> None:
        """Another protocol."""
        self.begin(0, status=302, Location="ftp://127.0.0.1/file")

    def no_headers(self) -> None:
        """Bytes that are no answer."""
        self.wfile.write(b"\0" * 1000)

    def trickle_headers(self) -> None:
        """An answer whose head never ends, slowly."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        number = 0
        while not KEPT.wait(0.2):
            number += 1
            self.wfile.write(b"X-%d: 1\r\n" % number)
            self.wfile.flush()

    def endless_headers(self) -> None:
        """An answer whose head never ends, fast."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        while not KEPT.is_set():
            self.wfile.write(b"x" * 65_536)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    """The address of the server."""
    KEPT.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        KEPT.set()
        server.shutdown()
        server.server_close()
        thread.join()
        time.sleep(0.05)
