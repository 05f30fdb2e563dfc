"""Small files that decode to huge ones, or cost far more to read than they hold: bounded in memory and time.

Whatever comes of them (most are refused), nothing of what they declare is made before it is counted.
"""

import gzip
import io
import os
import resource
import struct
import time
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from iwax import data
from iwax.data.mnist import read_idx
from iwax.formats.cell import number
from iwax.formats.cells import check_names
from iwax.formats.matlab import read_matlab
from iwax.formats.npy import read_npz
from iwax.formats.table import read_cells
from iwax.formats.whole import unpack
from iwax.memory_limit import MemoryLimitError

MOST = 300e6  # bytes beyond what was there
TABLE = "a,b\n" + "".join(f"{i}.5,{i % 7}\n" for i in range(20))
STATUS = Path("/proc/self/status")


def memory(name: str) -> float:
    """Bytes of this process, now (VmRSS), at most (VmHWM) or claimed (VmSize)."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * float(line.split()[1])


@contextmanager
def bounded(seconds: float = 3.0, most: float = MOST):
    """Fails where more memory or processor time is taken, and lets no bomb take this machine's memory."""
    if not STATUS.exists():
        pytest.skip("needs the figures of Linux")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(memory("VmSize") + 3e9), limits[1]))
    Path("/proc/self/clear_refs").write_text("5")
    before, began = memory("VmRSS"), time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    taken, peak = time.process_time() - began, memory("VmHWM") - before
    assert peak < most, f"{peak / 1e6:.0f} MB"
    assert taken < seconds, f"{taken:.1f} s of CPU"


def png(side: int, mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (side, side)).save(stream, "PNG")
    return stream.getvalue()


def zipped(path: Path, members: list[tuple[str, bytes]], claims: int | None = None) -> Path:
    """A zip file, whose members may claim to be of another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members:
            archive.writestr(name, contents)
            if claims is not None:
                archive.infolist()[-1].file_size = claims
    return path


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def sparse(path: Path, head: bytes, size: int = 2**36) -> Path:
    path.write_bytes(head)
    os.truncate(path, size)
    return path


def many_pictures(folder):
    return zipped(folder / "x.zip", [(f"{i}.png", BIG) for i in range(400)])


def many_palettes(folder):
    return zipped(folder / "x.zip", [(f"{i}.png", PALETTE) for i in range(400)])


def a_folder_of_pictures(folder):
    for i in range(300):
        (folder / f"{i}.png").write_bytes(BIG)
    return folder


def a_small_picture_first(folder):
    return zipped(folder / "x.zip", [("0.png", png(1)), *((f"{i}.png", BIG) for i in range(1, 400))])


def members_that_claim_gigabytes(folder):
    return zipped(folder / "x.zip", [(f"{i}.png", png(8)) for i in range(40)], claims=2**27)


def one_vast_picture(folder):
    head = b"IHDR" + (5_000).to_bytes(4, "big") * 2
    whole = png(8)
    checked = head + whole[24:29]
    forged = whole[:12] + checked + zlib.crc32(checked).to_bytes(4, "big") + whole[33:]
    return zipped(folder / "x.zip", [(f"{i}.png", forged) for i in range(3)])


def many_arrays(folder):
    head = header((100_000_000,))
    members = [(f"x{i}.npy", head + bytes(200_000)) for i in range(30)]
    return zipped(folder / "x.npz", members, claims=len(head) + 100_000_000)


def one_array(folder):
    head = header((2_000_000_000,))
    return zipped(folder / "x.npz", [("x.npy", head + bytes(2_000_000))], claims=len(head) + 2_000_000_000)


def a_sparse_array(folder):
    head = header((2**36 - 128,))
    return sparse(folder / "x.npy", head.ljust(128)[:128])


def a_sparse_table(folder):
    return sparse(folder / "x.csv", TABLE.encode())


def a_sparse_parquet(folder):
    return sparse(folder / "x.parquet", b"PAR1")


def rows_without_bytes(folder):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    part = arrow.table({f"c{i}": arrow.array(np.full(1_000_000, i, np.int8)) for i in range(5)})
    with parquet.ParquetWriter(folder / "x.parquet", part.schema) as writer:
        for _ in range(12):
            writer.write_table(part)
    return folder / "x.parquet"


def one_text_in_many_rows(folder):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = arrow.DictionaryArray.from_arrays(np.zeros(500_000, np.int32), ["x" * 500_000])
    parquet.write_table(arrow.table({"a": texts, "b": np.arange(500_000) % 7}), folder / "x.parquet")
    return folder / "x.parquet"


def written(text: str):
    def make(folder: Path) -> Path:
        (folder / "x.csv").write_text(text)
        return folder / "x.csv"

    return make


BIG, PALETTE = png(4096), png(2048, "P")
CORPUS = {
    "a zip file of many pictures": (many_pictures, "its 400 pictures would take 6.71 GB"),
    "a zip file of palettes": (many_palettes, "its 400 pictures would take 1.68 GB"),
    "a folder of many pictures": (a_folder_of_pictures, "its 300 pictures would take 5.03 GB"),
    "a small picture first": (a_small_picture_first, "one size and mode"),
    "members that claim gigabytes": (members_that_claim_gigabytes, "40 files of pictures would take 5.37 GB"),
    "one vast picture": (one_vast_picture, "5000 x 5000 pixels are more"),
    "an npz file of many arrays": (many_arrays, "its 30 arrays would take 3 GB"),
    "an npz file of one array": (one_array, "its 1 arrays would take 2 GB"),
    "a sparse array": (a_sparse_array, "its array would take 68.7 GB"),
    "a sparse table": (a_sparse_table, "would take 68.7 GB"),
    "a sparse Parquet file": (a_sparse_parquet, "would take 68.7 GB"),
    "a Parquet file of rows without bytes": (rows_without_bytes, "12,000,000 rows of 5 columns would take 1.44 GB"),
    "a Parquet file of one long text": (one_text_in_many_rows, None),
    "a long cell in quotes": (written(TABLE + '"' + "x" * 10_000_000 + '",1\n'), "larger than field limit"),
    "quotes alone": (written(TABLE + '"' * 10_000_000), None),
    "quotes in the first line": (written('a,"' + '""' * 5_000_000 + '"\n1,2\n'), "larger than field limit"),
    "commas alone": (written("," * 5_000_000 + "\n"), "its 5,000,001 columns would take 10 GB"),
    "words in one line": (written("a " * 5_000_000), None),
    "a row of digits": (written(TABLE + "1" * 131_000 + "x,1\n" + "1" * 131_000 + ".,x\n"), None),
    "groups of digits": (written(TABLE + '"' + "1,111" * 26_000 + '!",1\n'), None),
}


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_bounded(name, tmp_path, monkeypatch):
    monkeypatch.delenv("IWAX_MEMORY_LIMIT", raising=False)
    make, message = CORPUS[name]
    path = make(tmp_path)
    with bounded():
        try:
            data.load(path)
        except ValueError as error:
            words = str(error)
        else:
            words = ""
    assert (message or "") in words
    assert len(words) < 2_000
    if "would take" in (message or ""):
        assert "IWAX_MEMORY_LIMIT=" in words


def test_what_is_compressed_is_bounded(monkeypatch):
    """gzip, MATLAB and the arrays of an evaluation, from bytes."""
    monkeypatch.delenv("IWAX_MEMORY_LIMIT", raising=False)
    packed = gzip.compress(bytes(2**28 + 1), 1)
    matlab = io.BytesIO()
    savemat(matlab, {"ff": np.zeros((13, 7), np.uint8)})
    forged = matlab.getvalue().replace(struct.pack("<ii", 13, 7), struct.pack("<ii", 130, 1_000_000))
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("x.npy", header((2**40,)))
        archive.infolist()[-1].file_size = 2**40 + 128
    with bounded():
        with pytest.raises(ValueError, match="needed at most 268435456 bytes after unpacking"):
            unpack(packed, name="x.gz")
        with pytest.raises(MemoryLimitError, match=r"x\.mat: its arrays ff would take 1\.04 GB"):
            read_matlab(forged, keys=("ff",), name="x.mat")
        with pytest.raises(ValueError, match=r"shape .* needs"):
            read_idx(b"\0\0\x08\x04" + b"\xff" * 16, name="x.idx")
        with pytest.raises(MemoryLimitError, match=r"would take 1\.1 TB"):
            read_npz(inside.getvalue(), name="evaluation")


def test_names_of_many_columns_and_long_numbers_take_a_step_each():
    with bounded(1.0):
        check_names([f"name{i}" for i in range(300_000)], "t.csv")
        assert number("1" * 10_000_000 + "x") is None
        assert number("1" * 10_000_000 + ".5e") is None


def test_the_limit_can_be_raised(tmp_path, monkeypatch):
    path = zipped(tmp_path / "x.zip", [(f"{i}.png", png(100)) for i in range(5)])
    monkeypatch.setenv("IWAX_MEMORY_LIMIT", "40kB")
    with pytest.raises(MemoryLimitError, match=r"its 5 pictures would take 50 kB .*IWAX_MEMORY_LIMIT=1MB"):
        data.load(path)
    monkeypatch.setenv("IWAX_MEMORY_LIMIT", "1MB")
    assert data.load(path).features == 10_000


def test_a_table_is_held_in_little_more_than_its_letters():
    rng = np.random.default_rng(0)
    text = "".join(f"{a:.5f},{b:.5f}\n" for a, b in rng.normal(size=(8_000, 2)))
    contents = b"a,b\n" + text.encode()
    tracemalloc.start()
    cells = read_cells(contents, name="t.csv")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(cells) == 8_000
    assert held < 3 * len(contents)  # a list of texts takes ten times


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "columns"), [(200_000, 5), (60, 10_000)])
def test_a_table_is_read_and_filled_in_half_as_much_again_and_200_megabytes(rows, columns, tmp_path):
    path, rng = tmp_path / "t.csv", np.random.default_rng(0)
    missing = rng.random((rows, columns)) < 0.1
    missing[:, 0] = False
    with path.open("w") as file:
        file.write(",".join(f"c{i}" for i in range(columns)) + "\n")
        for row, gaps in zip(rng.normal(size=(rows, columns)), missing, strict=True):
            file.write(",".join("" if empty else f"{x:.5f}" for x, empty in zip(row, gaps, strict=True)) + "\n")
    most = 1.5 * path.stat().st_size + 200e6
    with bounded(120.0, most):
        found = data.load(path).columns
    with bounded(120.0, most):
        values = data.read_rows(path, found).values
        filled = data.filled_table(path, found, np.where(missing, 0.5, values), np.isnan(values))
    assert filled.count(b",0.5") >= int(missing[:, 1:].sum())
