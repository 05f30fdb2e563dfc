"""Files that are wrong, forged or dangerous: one line that names the place, nothing run, nothing unpacked."""

import io
import os
import pickle
import re
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from iwax import data


class Bomb:
    """Unpickling this would write a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return open, (self.target, "w")


def refused(path, message, error=ValueError):
    with pytest.raises(error, match=message) as caught:
        data.load(str(path))
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0.5, 2], [1, 1], [-np.inf, 0]]), r"x.npy:3:1: .*got -inf.*as missing by NaN"),
        (np.array([[0.5, 2], [np.nan] * 2, [0, 0]]), r"x.npy:2: needed a value in every row"),
        (np.full((3, 2, 2), np.nan), r"x.npy:1: needed a value in every row.* 3 such rows in all"),
        (np.array([[1e300, 2.0]] * 4), r"x.npy:1:1: .*got 1e\+300"),
        (np.array([[0, 1], [256, 3], [1, 1]]), r"x.npy:2:1: needed whole numbers 0..255; got 256"),
        (np.array([[0, -1]] * 4, np.int8), r"x.npy:1:2: .*got -1"),
        (np.zeros((0, 3)), r"at least one row and one column; got shape \(0, 3\)"),
        (np.zeros((3, 0)), r"at least one row and one column"),
        (np.zeros((1, 3)), "at least 3 rows"),
        (np.zeros(7), r"needed \[n, D\], \[n, h, w\] or \[n, h, w, c\]; got shape \(7,\)"),
        (np.zeros((2, 2, 2, 2, 2)), r"got shape \(2, 2, 2, 2, 2\)"),
        (np.zeros(()), r"got shape \(\)"),
        (np.zeros((4, 2), complex), "got complex128"),
        (np.full((4, 2), "a"), "got <U1"),
        (np.zeros((4, 2), "datetime64[s]"), "datetime64"),
        (np.zeros(4, [("a", float)]), "array of numbers"),
    ],
)
def test_arrays_that_are_no_data(tmp_path, values, message):
    path = tmp_path / "x.npy"
    np.save(path, values)
    refused(path, message)
    named = tmp_path / "x.npz"
    np.savez(named, x=values)
    refused(named, message.replace("x.npy", re.escape("x.npz[x]")))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pkl", ".pickle", ".joblib", ".pt"])
def test_nothing_is_ever_unpickled(tmp_path, suffix):
    path, target = tmp_path / f"x{suffix}", tmp_path / "written"
    values = np.array([Bomb(target)], object)
    if suffix == ".npz":
        np.savez(path, x=values)
    elif suffix == ".npy":
        np.save(path, values)
    else:
        path.write_bytes(pickle.dumps(Bomb(target)))
    refused(path, "never (read|opened) here.*save")
    assert not target.exists()


def forged(shape: str, body: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


@pytest.mark.parametrize(
    "contents",
    [
        forged("(1000000000000, 784)"),
        forged("(4294967296, 4294967296)"),
        forged("(-1, 4)"),
        forged("(2, 4)", b"\0" * 31),
        forged("(2, 4)", b"\0" * 33),
        forged("__import__('os')"),
        forged("(2, 4)")[:30],
        b"\x93NUMPY\x09\x00",
        b"",
        b"nothing like it",
    ],
)
def test_forged_and_cut_arrays(tmp_path, contents):
    (tmp_path / "x.npy").write_bytes(contents)
    refused(tmp_path / "x.npy", "x.npy: ")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", contents)
    refused(tmp_path / "x.npz", re.escape("x.npz[x]"))


def test_damaged_archives(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.arange(2000.0).reshape(20, 100))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "whole .npz file")
    messages = []
    for start in range(0, len(whole), 97):
        path.write_bytes(whole[:start] + bytes(50) + whole[start + 50 :])
        try:
            data.load(path)
        except ValueError as error:  # anything else would be a bug; a few bytes mean nothing to a reader
            messages.append(str(error))
    assert len(messages) > 5
    assert all("x.npz" in message and "\n" not in message for message in messages)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../x.txt", "out of here")
    refused(path, "only arrays")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": np.array([[np.nan, 1], [np.nan, 2]]), "x_test": np.zeros((4, 2))},
            "column 1 needs at least one value in the 2 training rows",
        ),
        ({"x_train": np.zeros((4, 2))}, "needed x, or x_train and x_test"),
        ({"x": np.zeros((4, 2)), "z": np.zeros(3)}, "got x, z"),
        ({"x": np.zeros((4, 2)), "x_test": np.zeros((4, 2))}, "got x, x_test"),
        ({}, "got nothing"),
        ({"x": np.zeros((4, 2)), "y": np.zeros(3, int)}, r"\[y\]: needed one whole number per row"),
        ({"x": np.zeros((4, 2)), "y": np.zeros(4)}, r"\[y\]: .*got float64"),
        ({"x_train": np.zeros((4, 2)), "x_test": np.zeros((4, 3))}, r"one shape.*x_test \(3,\)"),
        ({"x_train": np.zeros((1, 2)), "x_test": np.zeros((4, 2))}, "at least 2 rows to train on"),
        ({"x_train": np.full((4, 2), 7), "x_test": np.full((4, 2), 0.5)}, "one kind of values"),
        ({"x_train": np.zeros((4, 2)), "x_test": np.ones((4, 2)), "y_valid": np.ones(4, int)}, "only y_valid"),
    ],
)
def test_archives_with_the_wrong_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    refused(tmp_path / "x.npz", message)


def test_paths_that_lead_nowhere(tmp_path):
    refused(tmp_path / "none.npy", "there is no such file or folder", FileNotFoundError)
    refused(tmp_path / "none", "there is no such file or folder", FileNotFoundError)
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    refused(tmp_path / "x.xlsx", "got .xlsx; save the numbers with .*, or a table as .csv")
    (tmp_path / "plain").write_text("1 2 3")
    refused(tmp_path / "plain", "needed a name ending in")
    (tmp_path / "folder.npy").mkdir()
    refused(tmp_path / "folder.npy", "needed pictures .*found none")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((4, 2)))

    def forbidden(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "open", forbidden)
    refused(path, "needed a readable file; Permission denied", PermissionError)


def picture(mode="L", size=(5, 4), form="PNG"):
    packed = io.BytesIO()
    Image.new(mode, size).save(packed, form)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (picture(size=(6, 4)), "b.png: needed pictures of one size and mode, 5 x 4 grey .*; got 6 x 4 grey"),
        (picture(mode="RGB"), "b.png: .*got 5 x 4 colour"),
        (picture(mode="1"), "b.png: .*got 5 x 4 black and white"),
        (picture(mode="RGBA"), "b.png: .*20 of its 20 pixels are not opaque"),
        (picture(mode="CMYK", form="JPEG"), "b.png: .*mode CMYK is none of"),
        (picture(mode="I;16"), "b.png: .*numbers of 16 bits .mode I;16."),
        (picture()[:40], "b.png: needed a PNG, JPEG, BMP, WEBP, TIFF or GIF picture"),
        (picture(form="PPM"), "b.png: needed a PNG, JPEG, BMP, WEBP, TIFF or GIF picture"),
        (picture(size=(5000, 5000), mode="1"), "b.png: .*5000 x 5000 pixels are more than"),
        (b"", "b.png: needed a PNG, JPEG, BMP, WEBP, TIFF or GIF picture"),
    ],
)
def test_pictures_that_do_not_fit(tmp_path, second, message):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    (folder / "b.png").write_bytes(second)
    refused(folder, message)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.write(folder / "a.png", "a.png")
        archive.write(folder / "b.png", "b.png")
    refused(tmp_path / "pictures.zip", message)


def test_folders_and_zips_without_pictures(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "found none")
    (tmp_path / "x.zip").write_bytes(b"PK\x05\x06 no archive")
    refused(tmp_path / "x.zip", "whole zip file")


def test_binarize_is_one_of_two_words(tmp_path):
    with pytest.raises(ValueError, match="binarize must be 'threshold', 'sample' or None; got 'round'"):
        data.load("ring", binarize="round")
    np.save(tmp_path / "x.npy", np.full((4, 2), 1.5))
    with pytest.raises(ValueError, match=r"needs real values in \[0, 1\].*got 1.5 to 1.5"):
        data.load(tmp_path / "x.npy", binarize="sample")


def damaged_archives() -> dict[str, bytes]:
    """Archives of one member, each damaged where Python's zipfile answers in another way."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 46, 30, 0)
    nameless = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 0, 0)
    nameless += struct.pack("<4s4B4H3L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 33, *[0] * 10)
    found = {"a name of no letters": nameless + end}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.writestr("é.png", bytes(range(256)))
            archive.writestr("é.npy", bytes(range(256)))
        whole = packed.getvalue()
        start, at = len("é.png".encode()) + 30, whole.rindex(b"PK\x05\x06")
        found[f"contents packed by {method}"] = whole[:start] + b"\xff" * 40 + whole[start + 40 :]
        place = int.from_bytes(whole[at + 16 : at + 20], "little")
        found[f"offset of {method}"] = whole[: at + 16] + struct.pack("<L", place + 5) + whole[at + 20 :]
        found[f"name of {method}"] = whole.replace("é".encode(), b"\xff\xff")
        found[f"half of {method}"] = whole[: len(whole) // 2]
    return found


@pytest.mark.parametrize("ending", [".zip", ".npz"])
@pytest.mark.parametrize("contents", damaged_archives().values(), ids=damaged_archives())
def test_archives_damaged_in_other_ways(tmp_path, contents, ending):
    (tmp_path / f"x{ending}").write_bytes(contents)
    refused(tmp_path / f"x{ending}", "needed|found none")


@pytest.mark.parametrize("ending", [".zip", ".npz"])
def test_names_of_members_are_shown_without_what_a_terminal_obeys(tmp_path, ending):
    with zipfile.ZipFile(tmp_path / f"x{ending}", "w") as archive:
        archive.writestr("a\n\x1b[2J\x9b" + "long" * 1000 + "/\r.svg", b"")
    with pytest.raises(ValueError, match="needed") as caught:
        data.load(tmp_path / f"x{ending}")
    words = str(caught.value)
    assert words.isprintable()
    assert len(words) < 600 + len(str(tmp_path))
    assert r"a\n\x1b[2J\x9blonglong" in words


def test_parquet_whose_texts_are_no_utf_8(tmp_path):
    """The pages of a file say nothing of it, and pyarrow finds out when a text is used."""
    column = pa.array([b"a", b"\xf8b", b"c", b"d"]).cast(pa.binary())
    wrong = pa.Array.from_buffers(pa.string(), 4, column.buffers())
    for values in (wrong, wrong.dictionary_encode()):
        pq.write_table(pa.table({"x": values}), tmp_path / "x.parquet")
        with pytest.raises(ValueError, match=r"x.parquet: needed a whole Parquet file; .*UTF8"):
            data.load(tmp_path / "x.parquet")


@pytest.mark.parametrize("ending", [".npy", ".csv", ".npz", ".zip", ".parquet"])
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_may_have_no_end_is_not_read(tmp_path, ending, what):
    path = tmp_path / f"x{ending}"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    refused(path, "a file was needed, got a pipe or a device")


def test_a_table_of_too_many_columns_is_refused_before_each_is_looked_at(tmp_path):
    (tmp_path / "wide.csv").write_text("\n".join([",".join(f"c{i}" for i in range(100_001)), ",".join("1" * 100_001)]))
    refused(tmp_path / "wide.csv", r"wide\.csv:1: needed at most 100,000 columns.*got 100,001")
