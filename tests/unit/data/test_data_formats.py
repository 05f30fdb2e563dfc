"""Each published format, against a small file made here."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from iwax.data.mnist import read_idx
from iwax.data.mnist_static import read_amat
from iwax.data.ocr_letters import read_letters
from iwax.data.omniglot import reduce_ink
from iwax.data.uci import numbers
from iwax.formats.images import read_images
from iwax.formats.matlab import read_matlab
from iwax.formats.npy import read_npy, read_npz
from iwax.formats.table import read_cells
from iwax.formats.whole import unpack

RANDOM = np.random.default_rng(1)
PICTURES = RANDOM.integers(0, 256, (3, 4, 5), dtype=np.uint8)


def idx_bytes(values, kind=8):
    return bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape) + values.tobytes()


def letter_line(number, letter, fold, pixels):
    return "\t".join(map(str, [number, letter, -1, 1, 1, fold, *pixels])) + "\t\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_plain_and_packed(pack):
    assert np.array_equal(read_idx(pack(idx_bytes(PICTURES)), name="x"), PICTURES)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (idx_bytes(PICTURES)[:-1], "needs 76 bytes; got 75"),
        (idx_bytes(PICTURES) + b"x", "needs 76 bytes; got 77"),
        (idx_bytes(PICTURES, kind=13), "type 0x08"),
        (b"PK\x03\x04", "two zero bytes"),
        (b"", "two zero bytes"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "needs"),
        (gzip.compress(idx_bytes(PICTURES))[:-9], "whole gzip file"),
    ],
    ids=["short", "long", "another type", "zip", "empty", "huge", "cut gzip"],
)
def test_idx_damage_is_named(contents, message):
    with pytest.raises(ValueError, match=f"x.gz: .*{message}"):
        read_idx(contents, name="x.gz")


def test_a_file_that_unpacks_without_end_is_refused():
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        unpack(gzip.compress(bytes(10_000)), name="bomb.gz", limit=1000)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_amat_plain_and_packed(pack):
    bits = RANDOM.integers(0, 2, (7, 6), dtype=np.uint8)
    text = "".join(" ".join(map(str, row)) + "\n" for row in bits).encode()
    assert np.array_equal(read_amat(pack(text), features=6, name="x"), bits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"0 1 1\n1 2 0\n", "x:2:3: .*got '2'"),
        (b"0 1 1\n1,0 0\n", "x:2:2: .*got ','"),
        (b"0 1 1 1 0 0\n", "x:1:6: .*got ' '"),
        (b"0 1 1\n1 0", "lines of 6 bytes"),
        (b"", "lines of 6 bytes"),
    ],
)
def test_amat_names_row_and_column(text, message):
    with pytest.raises(ValueError, match=message):
        read_amat(text, features=3, name="x")


def test_matlab_arrays_by_name():
    file = io.BytesIO()
    savemat(file, {"ff": PICTURES[0], "text": "words"})
    assert np.array_equal(read_matlab(file.getvalue(), keys=("ff",), name="x")["ff"], PICTURES[0])
    with pytest.raises(ValueError, match="missing: gg"):
        read_matlab(file.getvalue(), keys=("ff", "gg"), name="x")
    with pytest.raises(ValueError, match="array of numbers"):
        read_matlab(file.getvalue(), keys=("text",), name="x")
    for damaged in (b"", b"no matlab file", file.getvalue()[:150]):
        with pytest.raises(ValueError, match="x: needed"):
            read_matlab(damaged, keys=("ff",), name="x")


def test_letters():
    pixels = RANDOM.integers(0, 2, (2, 128), dtype=np.uint8)
    text = (letter_line(1, "b", 0, pixels[0]) + letter_line(2, "z", 9, pixels[1])).encode()
    found, letters, folds = read_letters(gzip.compress(text), name="x")
    assert np.array_equal(found, pixels)
    assert (letters.tolist(), folds.tolist()) == ([1, 25], [0, 9])
    for wrong, message in [
        (text.replace(b"\tz\t", b"\tZ\t"), "x:2: needed a letter"),
        (text[:-5] + b"\n", "x:2: needed 6 columns"),
        (text.replace(b"0\t\n", b"7\t\n").replace(b"1\t\n", b"7\t\n"), "x:1: needed pixels"),
        (b"", "at least one line"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_letters(wrong, name="x")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["", "a{d}b{d}c\n"])
def test_tables(delimiter, header):
    text = header.replace("{d}", delimiter) + "1{d}2.5{d}-3e1\n\n4{d}5{d}6\n".replace("{d}", delimiter)
    table = read_cells(text.encode(), name="x")
    assert numbers(table).tolist() == [[1, 2.5, -30], [4, 5, 6]]
    assert table.names == (("a", "b", "c") if header else ("column1", "column2", "column3"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a,b\n1,2\n3\n", "x:3: needed 2 cells .*; got 1"),
        (b"a,b\n1,2\n3,x\n", "x:3:2: needed a number; got 'x'"),
        (b"a,b\n1,2\n3,\n", "x:3:2: needed a number; got None"),
        (b"", "empty"),
        (b"a,b\n", "at least one line below the header"),
        (b"1,\xff\n", "UTF-8"),
    ],
)
def test_tables_name_row_and_column(text, message):
    with pytest.raises(ValueError, match=message):
        numbers(read_cells(text, name="x"))


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_and_npz(tmp_path, order):
    values = np.asarray(RANDOM.normal(size=(4, 3)), order=order)
    np.save(tmp_path / "x.npy", values)
    np.savez_compressed(tmp_path / "x.npz", x=values, y=np.arange(4))
    assert np.array_equal(read_npy(tmp_path / "x.npy"), values)
    for source in (tmp_path / "x.npz", (tmp_path / "x.npz").read_bytes()):
        found = read_npz(source, name="x.npz")
        assert np.array_equal(found["x"], values)
        assert found["y"].tolist() == [0, 1, 2, 3]


def test_images_are_sorted_and_labelled_by_folder(tmp_path):
    for name, picture in zip(["b/2.png", "b/10.png", "a/1.PNG"], PICTURES, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    values, labels, _ = read_images(tmp_path)
    assert np.array_equal(values, PICTURES[[2, 1, 0]])
    assert labels is not None
    assert labels.tolist() == [0, 1, 1]


def test_images_of_every_mode(tmp_path):
    for mode, shape, dtype in [("1", (4, 5), bool), ("L", (4, 5), np.uint8), ("RGB", (4, 5, 3), np.uint8)]:
        folder = tmp_path / mode
        folder.mkdir()
        Image.new(mode, (5, 4), 1 if mode != "RGB" else (1, 2, 3)).save(folder / "x.png")
        values, labels, _ = read_images(folder)
        assert (values.shape, values.dtype, labels) == ((1, *shape), dtype, None)


def test_jpeg_pictures(tmp_path):
    Image.new("L", (5, 4), 9).save(tmp_path / "x.jpg")
    Image.new("L", (5, 4), 9).save(tmp_path / "y.jpeg")
    values, labels, _ = read_images(tmp_path)
    assert (values.tolist(), labels) == (np.full((2, 4, 5), 9).tolist(), None)


def test_a_zip_of_pictures_like_omniglots(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ["set/Greek/character01/1_01.png", "set/Latin/character01/2_01.png", "../evil.png"]:
            packed = io.BytesIO()
            Image.fromarray(PICTURES[0] > 99).save(packed, "PNG")
            archive.writestr(name, packed.getvalue())
    values, labels, _ = read_images(tmp_path / "x.zip")
    assert np.array_equal(values[1], PICTURES[0] > 99)
    assert labels is not None
    assert len(values) == 2  # the name that climbs out of the archive is left alone
    assert labels.tolist() == [0, 1]
    assert not (tmp_path.parent / "evil.png").exists()


def test_area_averaging_is_exact():
    """Against averages over the 420 x 420 grid on which both sizes are whole."""
    paper = RANDOM.random((2, 2, 105, 105)) > 0.2
    fine = np.repeat(np.repeat(~paper, 4, axis=2), 4, axis=3).reshape(2, 2, 28, 15, 28, 15).sum((3, 5))
    assert np.array_equal(reduce_ink(paper), np.floor(fine * 255 / 225 + 0.5).astype(np.uint8))
    with pytest.raises(ValueError, match="105, 105"):
        reduce_ink(paper[:, :, :28, :28])
