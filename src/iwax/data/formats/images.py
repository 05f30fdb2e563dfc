"""A folder, or a zip file, of pictures: all of one size and mode, sorted by name.

Sub-folders are classes: the label of a picture is the place of its sub-folder among the sorted ones. A picture is taken
as every viewer shows it, turned as its EXIF orientation says. Nothing is ever unpacked to disk, and nothing is dropped
in silence: other files are counted, transparency is refused unless every pixel is opaque, and so are numbers of 16 bits
and several frames.
"""

import io
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from iwax.data.formats.zipped import whole

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")  # as Pillow names them; a file is known by what it holds
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
UNREAD = (".avif", ".cr2", ".dng", ".exr", ".heic", ".heif", ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".pbm", ".pcx")
UNREAD = (*UNREAD, ".pgm", ".ppm", ".psd", ".svg", ".tga")  # pictures, of formats that are not read
MODES = {"1": "black and white", "L": "grey", "RGB": "colour"}
LARGEST = 2**24  # pixels of one picture; beyond this the file is broken or hostile
LARGEST_FILE = 2**27  # bytes of one packed picture
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # files that operating systems put beside pictures
_NAMED = 3  # files left out that are named


class Pictures(NamedTuple):
    """Pictures [n, h, w] or [n, h, w, 3] (uint8, or bool for 1-bit ones), labels [n] or None, files left out."""

    values: np.ndarray
    labels: np.ndarray | None
    left_out: str = ""  # in words; empty where there is none


def read_images(path: Path) -> Pictures:
    """All pictures of a folder or zip file.

    Raises ValueError, naming the picture, for one that cannot be read or differs in size or mode.
    """
    pictures: list[_Picture] = []
    folders: list[str] = []
    others: list[str] = []
    for inside, contents in _folder(path, others) if path.is_dir() else _zip(path, others):
        pictures.append(_decode(contents, f"{path}/{inside}"))
        folders.append(str(inside.parent))
    if not pictures:
        found = f"none, but {_counted(others)}" if others else "none"
        raise ValueError(f"{path}: needed pictures ({', '.join(SUFFIXES)}); found {found}")
    classes = sorted(set(folders))
    labels = np.array([classes.index(folder) for folder in folders], np.int32) if len(classes) > 1 else None
    return Pictures(_stacked(pictures), labels, f"{_counted(others)} left out" if others else "")


class _Picture(NamedTuple):
    """One picture, where it is from, whether its file could not say that it is grey, and whether it was turned."""

    values: np.ndarray
    where: str
    undecided: bool
    turned: bool


def _stacked(pictures: list[_Picture]) -> np.ndarray:
    """The pictures as one array. Palettes and WebP know no grey: theirs is one where all others are grey."""
    decided = [each for each in pictures if not each.undecided]
    if decided and all(each.values.ndim == 2 for each in decided):
        pictures = [_grey(each) if each.undecided else each for each in pictures]
    first = pictures[0].values
    for each in pictures:
        if (each.values.shape, each.values.dtype) != (first.shape, first.dtype):
            turned = ", turned as its EXIF orientation says" if each.turned or pictures[0].turned else ""
            raise ValueError(
                f"{each.where}: needed pictures of one size and mode, {_describe(first)} as the first; "
                f"got {_describe(each.values)}{turned}; scale, crop or convert them to one size and mode first"
            )
    return np.stack([each.values for each in pictures])


def _grey(picture: _Picture) -> _Picture:
    values = picture.values
    same = values.ndim == 3 and bool((values == values[..., :1]).all())
    return picture._replace(values=values[..., 0]) if same else picture


def _folder(path: Path, others: list[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    found = {PurePosixPath(file.relative_to(path).as_posix()): file for file in path.rglob("*") if file.is_file()}
    for inside in _chosen(found, others, path):
        if found[inside].stat().st_size > LARGEST_FILE:
            raise ValueError(f"{found[inside]}: needed a picture of at most {LARGEST_FILE} bytes; got more")
        yield inside, found[inside].read_bytes()


def _zip(path: Path, others: list[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    with whole(str(path), "a whole zip file of pictures"), zipfile.ZipFile(path) as archive:
        found = {PurePosixPath(member.filename): member for member in archive.infolist() if not member.is_dir()}
        for inside in _chosen(found, others, path):
            if found[inside].file_size > LARGEST_FILE:
                raise ValueError(f"{path}/{inside}: needed at most {LARGEST_FILE} bytes; got more")
            yield inside, archive.read(found[inside])


def _chosen(names: Iterable[PurePosixPath], others: list[str], path: Path) -> list[PurePosixPath]:
    """The names of pictures, sorted; names of other files are put into ``others``, hidden ones nowhere."""
    chosen = []
    for inside in sorted(names):
        if any(part.startswith((".", "__MACOSX")) for part in inside.parts) or inside.name.lower() in _OF_SYSTEMS:
            continue
        if inside.suffix.lower() in UNREAD:
            raise ValueError(
                f"{path}/{inside}: needed pictures in one of {', '.join(SUFFIXES)}; got {inside.suffix}; "
                "convert such pictures to .png, or take them out of the folder"
            )
        if inside.suffix.lower() in SUFFIXES:
            chosen.append(inside)
        else:
            others.append(str(inside))
    return chosen


def _counted(others: list[str]) -> str:
    names = ", ".join(others[:_NAMED]) + ", ..." * (len(others) > _NAMED)
    return f"{len(others)} file{'s' * (len(others) > 1)} that {'are' if len(others) > 1 else 'is'} no picture ({names})"


def _decode(contents: bytes, where: str) -> _Picture:
    try:
        with Image.open(io.BytesIO(contents), formats=FORMATS) as picture:
            _refuse(picture)
            # known before it is turned: what the file itself is
            undecided = picture.mode in ("P", "PA") or picture.format == "WEBP"
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1) != 1
            return _Picture(_shown(ImageOps.exif_transpose(picture)), where, undecided, turned)
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError, Warning) as error:
        raise ValueError(f"{where}: needed a {_said(FORMATS)} picture; {' '.join(str(error).split())}") from error


def _said(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"


def _refuse(picture: Image.Image) -> None:
    """Refuse by the header, before any decoding, what would not be read as it is."""
    if picture.width * picture.height > LARGEST:
        raise ValueError(f"{picture.width} x {picture.height} pixels are more than {LARGEST}")
    stored = repr([tile[3] for tile in getattr(picture, "tile", [])])  # Pillow's words for the numbers of the file
    if picture.format in ("PNG", "TIFF") and ";16" in stored:
        raise ValueError(
            f"it has numbers of 16 bits (mode {picture.mode}), of which 8 would be lost; scale it to 8 bits, or save "
            "the numbers with numpy.save('data.npy', x.astype('float32'))"
        )
    if picture.format != "MPO" and getattr(picture, "is_animated", False):  # of MPO every viewer shows the first
        raise ValueError("it has several frames or pages, and one picture a file was needed; save each by itself")


def _shown(picture: Image.Image) -> np.ndarray:
    """The numbers of a picture of 8 bits without transparency, or in which every pixel is opaque."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        full = np.asarray(picture.convert("RGBA"))
        alpha = full[..., 3]
        if (alpha < 255).any():
            raise ValueError(
                f"{np.count_nonzero(alpha < 255)} of its {alpha.size} pixels are not opaque, and what is behind them "
                "is not known; put it on a background first, in Pillow Image.alpha_composite(background, picture)"
            )
        if picture.mode not in ("1", "L", "LA"):
            return full[..., :3].copy()
        picture = picture.convert("1" if picture.mode == "1" else "L")
    flat = picture.convert("RGB") if picture.mode == "P" else picture
    if flat.mode not in MODES:
        raise ValueError(f"mode {picture.mode} is none of {', '.join(MODES)} (8 bits)")
    return np.array(flat)


def _describe(picture: np.ndarray) -> str:
    mode = "1" if picture.dtype == bool else "RGB" if picture.ndim == 3 else "L"
    return f"{picture.shape[1]} x {picture.shape[0]} {MODES[mode]}"
