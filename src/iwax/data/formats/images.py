"""A folder, or a zip file, of PNG or JPEG pictures: all of one size and mode, sorted by name.

Sub-folders are classes: the label of a picture is the place of its sub-folder among the sorted ones. Nothing is
ever unpacked to disk. Transparency is refused rather than dropped.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = {"1": "black and white", "L": "grey", "RGB": "colour"}
LARGEST = 2**24  # pixels of one picture; beyond this the file is broken or hostile
LARGEST_FILE = 2**27  # bytes of one packed picture


def read_images(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Pictures [n, h, w] or [n, h, w, 3] (uint8, or bool for 1-bit pictures) and labels [n] or None.

    Raises ValueError, naming the picture, for one that cannot be read or differs in size or mode.
    """
    pictures: list[np.ndarray] = []
    folders: list[str] = []
    for inside, contents in _folder(path) if path.is_dir() else _zip(path):
        picture = _decode(contents, f"{path}/{inside}")
        if pictures and (picture.shape, picture.dtype) != (pictures[0].shape, pictures[0].dtype):
            raise ValueError(
                f"{path}/{inside}: needed pictures of one size and mode, {_describe(pictures[0])} as the first; "
                f"got {_describe(picture)}"
            )
        pictures.append(picture)
        folders.append(str(inside.parent))
    if not pictures:
        raise ValueError(f"{path}: needed pictures ({', '.join(SUFFIXES)}); found none")
    classes = sorted(set(folders))
    labels = np.array([classes.index(folder) for folder in folders], np.int32) if len(classes) > 1 else None
    return np.stack(pictures), labels


def _folder(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    found = {PurePosixPath(file.relative_to(path).as_posix()): file for file in path.rglob("*")}
    for inside in sorted(filter(_is_picture, found)):
        if found[inside].stat().st_size > LARGEST_FILE:
            raise ValueError(f"{found[inside]}: needed a picture of at most {LARGEST_FILE} bytes; got more")
        yield inside, found[inside].read_bytes()


def _zip(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = {PurePosixPath(member.filename): member for member in archive.infolist()}
            for inside in sorted(filter(_is_picture, found)):
                if found[inside].file_size > LARGEST_FILE:
                    raise ValueError(f"{path}/{inside}: needed at most {LARGEST_FILE} bytes; got more")
                yield inside, archive.read(found[inside])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path}: needed a whole zip file of pictures; {error}") from error


def _is_picture(inside: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in inside.parts)
    return inside.suffix.lower() in SUFFIXES and not hidden


def _decode(contents: bytes, where: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(contents), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > LARGEST:  # known from the header, before any decoding
                raise ValueError(f"{picture.width} x {picture.height} pixels are more than {LARGEST}")
            flat = picture.convert("RGB") if picture.mode == "P" else picture
            if flat.mode not in MODES or "transparency" in picture.info:
                raise ValueError(f"mode {picture.mode} is none of {', '.join(MODES)} (8 bits, no transparency)")
            return np.array(flat)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise ValueError(f"{where}: needed a PNG or JPEG picture; {' '.join(str(error).split())}") from error


def _describe(picture: np.ndarray) -> str:
    mode = "1" if picture.dtype == bool else "RGB" if picture.ndim == 3 else "L"
    return f"{picture.shape[1]} x {picture.shape[0]} {MODES[mode]}"
