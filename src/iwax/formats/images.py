"""A folder, or a zip file, of pictures: all of one size and mode, sorted by name.

Sub-folders are classes: the label of a picture is the place of its sub-folder among the sorted ones. A picture is taken
as every viewer shows it, turned as its EXIF orientation says. Nothing is ever unpacked to disk, and nothing is dropped
in silence: other files are counted, transparency is refused unless every pixel is opaque, and so are numbers of 16 bits
and several frames.
"""

import io
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

import numpy as np
from PIL import ExifTags, Image, ImageOps

from iwax.formats.whole import held, naming, shown, whole_zip
from iwax.memory_limit import allow

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")  # as Pillow names them; a file is known by what it holds
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
UNREAD = (".avif", ".cr2", ".dng", ".exr", ".heic", ".heif", ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".pbm", ".pcx")
UNREAD = (*UNREAD, ".pgm", ".ppm", ".psd", ".svg", ".tga")  # pictures, of formats that are not read
WANTED = f"a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture"
UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError, Warning)  # Pillow's
MODES = {"1": "black and white", "L": "grey", "RGB": "colour"}
LARGEST = 2**24  # pixels of one picture; beyond this the file is broken or hostile
LARGEST_FILE = 2**27  # bytes of one packed picture
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # files that operating systems put next to pictures
_NAMED = 3  # files left out that are named


class Pictures(NamedTuple):
    """Pictures [n, h, w] or [n, h, w, 3] (uint8, or bool for 1-bit ones), labels [n] or None, files left out."""

    values: np.ndarray
    labels: np.ndarray | None
    left_out: str = ""  # in words; empty where there is none


def read_images(path: Path) -> Pictures:
    """All pictures of a folder or zip file.

    Raises ValueError, naming the picture, for one that cannot be read or differs in size or mode; MemoryLimitError,
    before any is decoded, where as many of the first one's size would be too much for such a file or folder.
    """
    folders: list[str] = []
    others: list[str] = []
    stack = None
    for inside, contents, among in _folder(path, others) if path.is_dir() else _zip(path, others):
        where = f"{path}/{shown(inside)}"
        picture = header(contents, where)
        if stack is None:
            needed = len(among.names) * picture.width * picture.height * len(picture.getbands())
            allow(needed, f"{path}: its {len(among.names):,} pictures", held=among.held)
            stack = _Stack(len(among.names))
        stack.add(decoded(picture, where))
        folders.append(str(inside.parent))
    if stack is None:
        refuse_none(path, others)
    return Pictures(stack.values, labels_of(folders), left_out(others))


def refuse_none(path: Path, others: list[str]) -> NoReturn:
    """Refuse a folder without pictures."""
    found = f"none, but {_counted(others)}" if others else "none"
    raise ValueError(f"{path}: needed pictures ({', '.join(SUFFIXES)}); found {found}")


def labels_of(folders: Sequence[str]) -> np.ndarray | None:
    """The place of each picture's folder among the sorted ones; None where all are in one.

    >>> labels_of(["b", "a", "b"]).tolist()
    [1, 0, 1]
    """
    classes = {folder: place for place, folder in enumerate(sorted(set(folders)))}
    return np.array([classes[folder] for folder in folders], np.int32) if len(classes) > 1 else None


def left_out(others: list[str]) -> str:
    """What was not read, in words; empty where there is none."""
    return f"{_counted(others)} left out" if others else ""


class _Among(NamedTuple):
    """The names of all pictures, and the bytes that they take as they are packed."""

    names: list[PurePosixPath]
    held: int


class Picture(NamedTuple):
    """One picture, where it is from, whether its file could not say that it is grey, and whether it was turned."""

    values: np.ndarray
    where: str
    undecided: bool
    turned: bool


class Form:
    """The one size and mode of pictures, as found so far.

    Palettes and WebP know no grey: theirs is one where all others are grey.
    """

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.uint8)
        self.turned = False
        self.decided = False  # whether a picture so far could say what mode it has
        self.grey = True  # whether the three colours of all pictures so far are one

    def fitted(self, picture: Picture) -> np.ndarray:
        """The next picture in this form; colour that is grey in all so far becomes grey with the first that says so.

        Raises ValueError for a picture of another size or mode than the first.
        """
        values = picture.values
        if not self.shape:
            self.shape, self.dtype, self.turned = values.shape, values.dtype, picture.turned
        elif len(self.shape) == 3 and self.grey and not self.decided and not picture.undecided and values.ndim == 2:
            self.shape = self.shape[:2]
        values = self.read(picture)
        self.decided = self.decided or not picture.undecided
        self.grey = self.grey and not self.decided and _is_grey(values)
        return values

    def read(self, picture: Picture) -> np.ndarray:
        """A picture in the form that was found. Raises ValueError for one of another size or mode."""
        values = picture.values
        if len(self.shape) == 2 and picture.undecided and _is_grey(values):
            values = values[..., 0]
        if (values.shape, values.dtype) != (self.shape, self.dtype):
            turned = ", turned as its EXIF orientation says" if picture.turned or self.turned else ""
            raise ValueError(
                f"{picture.where}: needed pictures of one size and mode, {_describe(self.shape, self.dtype)} as the "
                f"first; got {_describe(values.shape, values.dtype)}{turned}; scale, crop or convert them to one size "
                "and mode first"
            )
        return values


class _Stack:
    """Pictures put into one array of ``size``, in which they are held once."""

    def __init__(self, size: int) -> None:
        self.size, self.filled, self.form = size, 0, Form()
        self.values = np.empty(0, np.uint8)

    def add(self, picture: Picture) -> None:
        """Put the next picture in. Raises ValueError for one of another size or mode than the first."""
        values = self.form.fitted(picture)
        if not self.filled:
            self.values = np.empty((self.size, *values.shape), values.dtype)
        elif self.values.ndim > values.ndim + 1:
            self.values = self.values[..., 0].copy()
        self.values[self.filled] = values
        self.filled += 1


def _is_grey(values: np.ndarray) -> bool:
    """Whether a picture of three colours has one in every pixel."""
    return values.ndim > 2 and all(bool((values[..., i] == values[..., 0]).all()) for i in (1, 2))


def picture_files(path: Path) -> tuple[list[tuple[PurePosixPath, Path]], list[str]]:
    """The pictures in a folder and below, by their sorted names, and the names of other files."""
    found = {PurePosixPath(file.relative_to(path).as_posix()): file for file in path.rglob("*") if file.is_file()}
    others: list[str] = []
    return [(inside, found[inside]) for inside in _chosen(found, others, path)], others


def contents_of(file: Path) -> bytes:
    """The bytes of a picture. Raises ValueError where they are too many."""
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{file}: needed a picture of at most {LARGEST_FILE} bytes; got more")
    return file.read_bytes()


def _folder(path: Path, others: list[str]) -> Iterator[tuple[PurePosixPath, bytes, _Among]]:
    files, left = picture_files(path)
    others += left
    among = _Among([inside for inside, _ in files], sum(held(file) for _, file in files))
    for inside, file in files:
        yield inside, contents_of(file), among


def _zip(path: Path, others: list[str]) -> Iterator[tuple[PurePosixPath, bytes, _Among]]:
    with whole_zip(str(path), "a whole zip file of pictures"), zipfile.ZipFile(path) as archive:
        found = {PurePosixPath(member.filename): member for member in archive.infolist() if member.filename[-1:] != "/"}
        among = _Among(_chosen(found, others, path), held(path))
        unpacked = sum(found[inside].file_size for inside in among.names)
        allow(unpacked, f"{path}: its {len(among.names):,} files of pictures", held=among.held)
        for inside in among.names:
            if found[inside].file_size > LARGEST_FILE:
                raise ValueError(f"{path}/{shown(inside)}: needed at most {LARGEST_FILE} bytes; got more")
            yield inside, archive.read(found[inside]), among


def _chosen(names: Iterable[PurePosixPath], others: list[str], path: Path) -> list[PurePosixPath]:
    """The names of pictures, sorted; names of other files are put into ``others``, hidden ones nowhere."""
    chosen = []
    for inside in sorted(names):
        if any(part.startswith((".", "__MACOSX")) for part in inside.parts) or inside.name.lower() in _OF_SYSTEMS:
            continue
        if inside.suffix.lower() in UNREAD:
            raise ValueError(
                f"{path}/{shown(inside)}: needed pictures in one of {', '.join(SUFFIXES)}; got {inside.suffix}; "
                "convert such pictures to .png, or take them out of the folder"
            )
        if inside.suffix.lower() in SUFFIXES:
            chosen.append(inside)
        else:
            others.append(shown(inside))
    return chosen


def _counted(others: list[str]) -> str:
    names = ", ".join(others[:_NAMED]) + ", ..." * (len(others) > _NAMED)
    return f"{len(others)} file{'s' * (len(others) > 1)} that {'are' if len(others) > 1 else 'is'} no picture ({names})"


def header(contents: bytes, where: str) -> Image.Image:
    """A picture of which the header alone is read. Raises ValueError for what would not be read as it is."""
    with naming(where, WANTED, *UNREADABLE):
        picture = Image.open(io.BytesIO(contents), formats=FORMATS)
        _refuse(picture)
        return picture


def decoded(picture: Image.Image, where: str) -> Picture:
    """The numbers of a picture whose `header` was read, turned as its EXIF orientation says."""
    with naming(where, WANTED, *UNREADABLE):
        # known before it is turned: what the file itself is
        undecided = picture.mode in ("P", "PA") or picture.format == "WEBP"
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return Picture(_shown(ImageOps.exif_transpose(picture)), where, undecided, turned)


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
        raise ValueError("it has several frames or pages, and one picture per file was needed; save each by itself")


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


def _describe(shape: tuple[int, ...], dtype: np.dtype) -> str:
    mode = "1" if dtype.kind == "b" else "RGB" if len(shape) == 3 else "L"
    return f"{shape[1]} x {shape[0]} {MODES[mode]}"
