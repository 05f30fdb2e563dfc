"""Files that a person asked for: whole or not at all, by names that cannot be foreseen, and a full disk reported."""

import errno
import os
import re
import resource
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from iwax.cli import failure, output
from iwax.report.figures import canvas
from iwax.runs import export
from iwax.storage import durable

ROWS = np.zeros((300, 200), np.float32)  # 240 kB


def write(path: Path, values: np.ndarray = ROWS) -> None:
    """By the writer that the ending asks for."""
    if path.suffix == ".png":
        figure = canvas.sheet(4.0, 3.0, fitted=False)
        figure.add_axes((0, 0, 1, 1)).imshow(np.random.default_rng(0).normal(size=(300, 400)) + values[0, 0])
        canvas.Picture(figure, "t", "d").write(path)
    elif path.suffix == ".html":
        durable.replace(path, values.tobytes())
    else:
        export.write(path, {"x": values}, main="x")


ENDINGS = (".npy", ".npz", ".csv", ".png", ".html")


@contextmanager
def files_up_to(size: int):
    """No file of this process may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_says_path_and_bytes_and_leaves_what_was(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"before")
    with files_up_to(20_000), pytest.raises(OSError, match="cannot write") as full:
        write(path)
    assert full.value.errno == errno.ENOSPC
    assert failure.exit_code(full.value) == 3
    words = re.search(r"cannot write (\S+): needed (\d+) bytes, (\d+) bytes free", failure.one_line(full.value))
    assert words
    assert words[1] == str(path)
    assert int(words[2]) > 20_000
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_needed_are_those_of_the_file(tmp_path):
    path = tmp_path / "a.npy"
    write(path)
    size = path.stat().st_size
    with files_up_to(20_000), pytest.raises(OSError, match=f"needed {size} bytes"):
        write(path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser can mount a file system"
)
def test_a_disk_that_is_full_already_is_said_before_any_work(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (tmp_path / "there.csv").write_bytes(b"mine")
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "fill").write_bytes(bytes(70_000))
        with pytest.raises(OSError, match="cannot be written") as full:
            output.check(tmp_path / "there.csv", force=True)
        assert failure.exit_code(full.value) == 3
        message = failure.one_line(full.value)
        assert message.startswith(f"{tmp_path / 'there.csv'}: ")
        assert message.endswith("needed at least 4 bytes, 0 bytes free)")
        assert (tmp_path / "there.csv").read_bytes() == b"mine"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_link_of_a_name_that_could_be_foreseen_is_not_followed(tmp_path, ending):
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    folder = tmp_path / "out"
    folder.mkdir()
    for name in (f".a{ending}.tmp", f".a{ending}.partial", f".a{ending}.{os.getpid()}.partial"):
        (folder / name).symlink_to(thesis)
    write(folder / f"a{ending}")
    assert thesis.read_text() == "years of work"
    assert (folder / f"a{ending}").stat().st_size > 1000
    assert len(list(folder.iterdir())) == 4


def test_a_link_made_meanwhile_at_the_name_in_use_is_refused_not_followed(tmp_path, monkeypatch):
    """O_EXCL: even whoever knew the name would get an error, not a file written elsewhere."""
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    monkeypatch.setattr(durable.secrets, "token_hex", lambda n: "known")
    (tmp_path / ".known.partial").symlink_to(thesis)
    with pytest.raises(FileExistsError):
        write(tmp_path / "a.npy")
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_as_the_file_asked_for_is_refused_and_named(tmp_path, there, force):
    target, link = tmp_path / "target.csv", tmp_path / "a.csv"
    link.symlink_to(target)
    if there:
        target.write_text("kept")
    with pytest.raises(FileExistsError, match=r"a\.csv: .* link to .*target\.csv; name the file itself"):
        output.check(link, force=force)
    durable.replace(link, b"new")  # from Python: the link is replaced
    assert not link.is_symlink()
    assert not there or target.read_text() == "kept"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_as_long_as_a_file_system_takes(tmp_path, ending):
    path = tmp_path / ("a" * (255 - len(ending)) + ending)
    write(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_threads_that_write_one_file_do_not_meet(tmp_path):
    path, rounds, failed = tmp_path / "a.npy", 20, []

    def work(value: float, start: threading.Barrier) -> None:
        try:
            for _ in range(rounds):
                start.wait()
                write(path, ROWS + value)
        except BaseException as error:
            failed.append(error)
            start.abort()

    start = threading.Barrier(2)
    workers = [threading.Thread(target=work, args=(value, start)) for value in (1.0, 2.0)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []
    assert float(np.unique(np.load(path)).item()) in (1.0, 2.0)  # of one alone
    assert list(tmp_path.iterdir()) == [path]


# by the file, for a quick start: it imports nothing of the package
PROGRAM = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("durable", sys.argv[1])
durable = importlib.util.module_from_spec(spec)
spec.loader.exec_module(durable)
for _ in range(20):
    durable.replace(Path(sys.argv[2]), sys.argv[3].encode() * 200_000)
"""


def test_programs_that_write_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.csv"
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, durable.__file__, str(path), letter]) for letter in "ab"]
    assert [each.wait() for each in both] == [0, 0]
    assert path.read_bytes() in (b"a" * 200_000, b"b" * 200_000)
    assert list(tmp_path.iterdir()) == [path]
