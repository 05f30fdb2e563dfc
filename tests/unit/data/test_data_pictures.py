"""Pictures as every viewer shows them, against NumPy: orientations, formats, transparency, and what is refused."""

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from iwax import data
from iwax.data.rows import rows_of
from iwax.formats.images import read_images

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
SHOWN = {  # what the EXIF orientation says of rows and columns (TIFF 6.0, tag 274)
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, k=-1),
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: np.rot90(x, k=1),
}


def packed(values: np.ndarray, form: str, *, mode: str | None = None, **options) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(values)
    (image if mode is None else image.convert(mode)).save(stream, form, **options)
    return stream.getvalue()


def read(folder: Path, **files: bytes) -> np.ndarray:
    """The pictures of a folder with these files, ``a_png`` for a.png."""
    for name, contents in files.items():
        (folder / name.replace("_", ".")).write_bytes(contents)
    return read_images(folder).values


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("form", ["png", "jpg", "tif", "webp"])
def test_pictures_are_turned_as_viewers_turn_them(tmp_path, orientation, form):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    name, options = {"jpg": "JPEG", "tif": "TIFF"}.get(form, form.upper()), {"webp": {"lossless": True}}.get(form, {})
    stored = packed(COLOUR, name, exif=exif, **options)
    plain = np.asarray(Image.open(io.BytesIO(packed(COLOUR, name, **options))))  # a JPEG has lost something already
    found = read(tmp_path, **{f"a_{form}": stored})
    np.testing.assert_array_equal(found, SHOWN[orientation](plain)[None])
    if form != "jpg":
        np.testing.assert_array_equal(plain, COLOUR)


def test_a_turned_picture_of_another_size_is_named(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    with pytest.raises(ValueError, match=r"b.jpg: .*9 x 6 grey as the first; got 6 x 9 grey, turned as its EXIF"):
        read(tmp_path, a_png=packed(GREY, "PNG"), b_jpg=packed(GREY, "JPEG", exif=exif))


def test_formats_without_loss_give_the_same_numbers(tmp_path):
    few = (GREY // 64) * 64  # a GIF has 256 colours
    files = {
        "a_png": packed(few, "PNG"),
        "b_bmp": packed(few, "BMP"),
        "c_TIF": packed(few, "TIFF", compression="tiff_lzw"),
        "d_tiff": packed(few, "TIFF"),
        "e_gif": packed(few, "GIF"),
        "f_webp": packed(few, "WEBP", lossless=True),
        "g_png": packed(few, "PNG", mode="P"),
    }
    for name in ("greys", "colours"):
        (tmp_path / name).mkdir()
    np.testing.assert_array_equal(read(tmp_path / "greys", **files), np.stack([few] * 7))
    few = (COLOUR // 128) * 128
    files = {
        "a_gif": packed(few, "GIF"),
        "b_webp": packed(few, "WEBP", lossless=True),
        "c_bmp": packed(few, "BMP"),
        "d_tif": packed(few, "TIFF"),
        "e_png": packed(few, "PNG"),
    }
    np.testing.assert_array_equal(read(tmp_path / "colours", **files), np.stack([few] * 5))
    with pytest.raises(ValueError, match=r"x.webp: .*got 9 x 6 colour; scale, crop or convert"):
        read(tmp_path / "greys", x_webp=packed(few, "WEBP", lossless=True))


def test_nothing_is_left_out_in_silence(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(packed(GREY, "PNG"))
    assert read_images(tmp_path).left_out == ""
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert read_images(tmp_path).left_out == ""
    for name in ("labels.csv", "notes.txt", "a.mp4", "README"):
        (tmp_path / name).write_bytes(b"x")
    words = "4 files that are no picture (README, a.mp4, labels.csv, ...) left out"
    assert read_images(tmp_path).left_out == words
    assert data.load(str(tmp_path)).protocol.endswith(f"nothing redrawn. {words}.")
    with zipfile.ZipFile(tmp_path.with_suffix(".zip"), "w") as archive:
        archive.write(tmp_path / "0.png", "0.png")
        archive.write(tmp_path / "notes.txt", "notes.txt")
        archive.mkdir("folder")
    assert read_images(tmp_path.with_suffix(".zip")).left_out == "1 file that is no picture (notes.txt) left out"
    (tmp_path / "IMG_1.HEIC").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"IMG_1.HEIC: .*got .HEIC; convert such pictures to .png"):
        read_images(tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.txt").write_bytes(b"x")
    with pytest.raises(ValueError, match=re.escape("found none, but 1 file that is no picture (x.txt)")):
        read_images(tmp_path / "none")


def alpha(values: np.ndarray, opacity: int, pixels: int) -> np.ndarray:
    """The picture with an alpha channel: 255, but for the first so many pixels."""
    channel = np.full(values.shape[:2], 255, np.uint8)
    channel.ravel()[:pixels] = opacity
    return np.dstack([values, channel])


def test_opaque_transparency_loses_nothing(tmp_path):
    few = (COLOUR // 128) * 128
    palette = Image.fromarray(few).quantize(9)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=200)  # of a colour that no pixel has
    files = {
        "a_png": packed(few, "PNG"),
        "b_png": packed(alpha(few, 255, 0), "PNG"),
        "c_tif": packed(alpha(few, 255, 0), "TIFF"),
        "d_webp": packed(alpha(few, 255, 0), "WEBP", lossless=True),
        "e_png": stream.getvalue(),
    }
    np.testing.assert_array_equal(read(tmp_path, **files), np.stack([few] * 5))
    (tmp_path / "grey").mkdir()
    files = {"a_png": packed(GREY, "PNG"), "b_png": packed(GREY, "PNG", mode="LA")}
    np.testing.assert_array_equal(read(tmp_path / "grey", **files), np.stack([GREY] * 2))


@pytest.mark.parametrize(("opacity", "pixels"), [(0, 1), (254, 1), (128, 20), (0, 54)])
def test_transparent_pixels_are_refused_with_a_remedy(tmp_path, opacity, pixels):
    with pytest.raises(ValueError, match=rf"{pixels} of its 54 pixels are not opaque.*Image.alpha_composite"):
        read(tmp_path, a_png=packed(alpha(COLOUR, opacity, pixels), "PNG"))


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PNG", "WEBP"])
def test_several_frames_are_refused(tmp_path, form):
    frames = [Image.fromarray(x) for x in (GREY, GREY[::-1])]
    contents = packed(GREY, form, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"a.png: .*several frames or pages, and one picture per file was needed"):
        read(tmp_path, a_png=contents)


def test_of_the_pictures_that_phones_put_into_a_jpeg_the_first_is_shown(tmp_path):
    second = Image.fromarray(GREY[::-1])
    found = read(tmp_path, a_jpg=packed(GREY, "MPO", save_all=True, append_images=[second], quality=100))
    assert np.abs(found[0].astype(int) - GREY).max() <= 2


def png_of_16_bits(values: np.ndarray) -> bytes:
    """A PNG of [h, w] or [h, w, 3] numbers of 16 bits, which Pillow can read but not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if values.ndim == 3 else 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("values", [GREY, COLOUR], ids=["grey", "colour"])
def test_numbers_of_16_bits_are_refused_not_cut(tmp_path, values):
    wide = values.astype(np.uint16) * 257
    with pytest.raises(ValueError, match=r"a.png: .*numbers of 16 bits .*of which 8 would be lost.*numpy.save"):
        read(tmp_path, a_png=png_of_16_bits(wide))
    if values.ndim == 2:
        with pytest.raises(ValueError, match=r"a.png: .*16"):
            read(tmp_path, a_png=packed(wide, "TIFF"))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_first_are_asked_about(channels):
    x = RNG.integers(0, 256, (5, channels, 8, 12), dtype=np.uint8)
    with pytest.raises(ValueError, match=rf"strips of {channels} x 8 pixels with 12 ch.*x.transpose\(0, 2, 3, 1\)"):
        rows_of(x, None, where="x.npy")
    assert rows_of(x.transpose(0, 2, 3, 1), None, where="x.npy").shape == (8, 12, channels)
    assert rows_of(np.ascontiguousarray(x[..., :3]), None, where="x.npy").shape == (channels, 8, 3)
    assert rows_of(np.zeros((2, 8, 12, 10), np.uint8), None, where="x.npy").shape == (8, 12, 10)  # ten bands
