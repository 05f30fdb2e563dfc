"""Finding and downloading: only bytes with the published SHA-256 are used, or ever enter the cache."""

import gzip
import hashlib
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from iwax.data.download import deadline
from iwax.data.fetch import (
    ChecksumError,
    DataFile,
    UnavailableError,
    cache_folder,
    data_folder,
    find,
    read,
)
from iwax.data.registry import info as info_of
from iwax.data.registry import names

CONTENTS = b"the published bytes " * 500
SHA256 = hashlib.sha256(CONTENTS).hexdigest()


SLOW = ("/endless", "/endless-announced", "/trickle", "/slow-header")
STOPPED = threading.Event()


class Server(BaseHTTPRequestHandler):
    """/good serves the file, /wrong other bytes, /cut announces more than it sends, all else is 404.

    /endless and /endless-announced never stop, /trickle and /slow-header send a byte now and then.
    """

    def do_GET(self):
        if self.path in SLOW:
            self.go_on()
            return
        if self.path not in ("/good", "/wrong", "/cut"):
            self.send_error(404)
            return
        body = CONTENTS if self.path == "/good" else CONTENTS[:-1]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (self.path == "/cut")))
        self.end_headers()
        self.wfile.write(body)

    def go_on(self):
        """Until nobody listens any more, or the server stops."""
        with suppress(OSError):
            if self.path == "/slow-header":
                piece, pause = b"X", 0.1
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            else:
                self.send_response(200)
                if self.path == "/endless-announced":
                    self.send_header("Content-Length", str(2**40))
                self.end_headers()
                piece, pause = (b"x", 0.1) if self.path == "/trickle" else (bytes(2**20), 0.0)
            while not STOPPED.wait(pause):
                self.wfile.write(piece)

    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    STOPPED.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No data folder, an empty cache, no proxy in the way of the loopback address."""
    monkeypatch.delenv("IWAX_DATA", raising=False)
    monkeypatch.setattr("iwax.data.fetch.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def file(*urls, **options):
    return DataFile("set/file.bin", options.pop("sha256", SHA256), tuple(urls), **options)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_good_download_enters_the_cache(address, places):
    assert read(file(f"{address}/good")) == CONTENTS
    assert (places / "cache" / "set" / "file.bin").read_bytes() == CONTENTS
    assert left_in(places) == ["file.bin"]
    assert read(file()) == CONTENTS  # and is found there
    assert find(file()) == places / "cache" / "set" / "file.bin"


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        ("wrong", ChecksumError, f"needed SHA-256 {SHA256}, got .*9999 bytes.*nothing was saved"),
        ("cut", UnavailableError, "downloads failed: .*/cut"),
        ("none", UnavailableError, "downloads failed: .*404"),
    ],
)
def test_a_bad_download_never_does(address, places, page, error, message):
    with pytest.raises(error, match=message) as caught:
        read(file(f"{address}/{page}"))
    assert "\n" not in str(caught.value)
    assert "cache" in str(caught.value)  # where to put it
    assert left_in(places) == []


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("endless", r"at most 20,000 bytes; got \d\d"),
        ("endless-announced", "at most 20,000 bytes; got 1,099,511,627,776 or more"),
        ("trickle", r"at most 20,000 bytes within 1 s; got \d+ bytes by then"),
        ("slow-header", "at most 20,000 bytes within 1 s; got 0 bytes by then"),
    ],
)
def test_a_download_without_an_end_is_ended(address, places, monkeypatch, page, message):
    """By its size, or by the time that a file of that size may take."""
    monkeypatch.setattr("iwax.data.download.deadline", lambda size: 0.6)
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=f"downloads failed: .*{message}"):
        read(file(f"{address}/{page}", size=20_000))
    assert time.monotonic() - began < 20
    assert left_in(places) == []
    assert list((places / "cache" / "set").iterdir()) == []


def test_the_time_that_a_file_may_take_grows_with_its_size():
    assert [deadline(size) for size in (0, 5_000_000)] == [20.0, 120.0]
    published = [each for info in map(info_of, names()) for each in info.files]
    assert all(each.size < 10**8 for each in published if each.urls)


def test_a_download_that_is_killed_leaves_nothing(address, places, monkeypatch):
    """No byte is in the cache before all of them are checked."""
    monkeypatch.setattr("iwax.data.fetch._is_published", lambda form, contents: left_in(places) == [])
    assert read(file(f"{address}/good")) == CONTENTS
    assert left_in(places) == ["file.bin"]


def test_the_next_address_is_tried(address):
    assert read(file(f"{address}/none", f"{address}/cut", f"{address}/wrong", f"{address}/good")) == CONTENTS


def test_nobody_at_the_address(places):
    with pytest.raises(UnavailableError, match=r"needed the file set/file.bin \(SHA-256 .*IWAX_DATA \(not set\)"):
        read(file("http://127.0.0.1:9/file"))
    assert left_in(places) == []


def test_a_spoilt_cache_is_fetched_anew_or_named(address, places):
    spoilt = places / "cache" / "set" / "file.bin"
    spoilt.parent.mkdir(parents=True)
    spoilt.write_bytes(CONTENTS[:100])
    with pytest.raises(ChecksumError, match=r"file.bin: needed SHA-256 .*remove it"):
        read(file())
    assert read(file(f"{address}/good")) == CONTENTS
    assert spoilt.read_bytes() == CONTENTS


def test_the_data_folder_comes_first_and_is_checked_too(address, places, monkeypatch):
    own = places / "own"
    (own / "set").mkdir(parents=True)
    monkeypatch.setenv("IWAX_DATA", str(own))
    assert read(file(f"{address}/good")) == CONTENTS  # not there: fetched into the cache
    assert left_in(own) == []
    (own / "set" / "file.bin").write_bytes(CONTENTS + b"!")
    with pytest.raises(ChecksumError, match=r"own/set/file.bin: needed SHA-256"):
        read(file(f"{address}/good"))
    assert find(file()) == own / "set" / "file.bin"


def test_a_data_folder_that_is_none(places, monkeypatch):
    monkeypatch.setenv("IWAX_DATA", str(places / "missing"))
    with pytest.raises(FileNotFoundError, match="IWAX_DATA must name a folder"):
        data_folder()


def test_a_file_compressed_again_is_known_by_what_it_holds(places):
    place = places / "cache" / "set" / "file.bin"
    place.parent.mkdir(parents=True)
    packed = gzip.compress(CONTENTS, 1)
    place.write_bytes(packed)
    known = file(sha256="00", alternatives=(DataFile("set/file.txt", SHA256),))
    assert read(known) == packed
    for damaged in (packed[:-20], gzip.compress(CONTENTS[1:])):
        place.write_bytes(damaged)
        with pytest.raises(ChecksumError, match="not the published file"):
            read(known)


def test_alternative_forms(places):
    plain = DataFile("set/file.txt", SHA256)
    place = places / "cache" / "set" / "file.txt"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENTS)
    assert read(file(sha256="00", alternatives=(plain,))) == CONTENTS


def test_a_file_without_a_checksum_is_never_downloaded(address):
    with pytest.raises(UnavailableError, match=r"cannot be downloaded from here; put it at .*; ask its maker"):
        read(file(f"{address}/good", sha256=None, hint="ask its maker"))


def test_a_cache_that_cannot_be_written(address, places):
    (places / "cache").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError, match=r"downloads failed.*(NotADirectory|FileExists)Error"):
        read(file(f"{address}/good"))


def test_the_cache_has_a_name_of_its_own():
    assert "iwax" in str(cache_folder())
