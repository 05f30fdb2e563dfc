"""Pictures of a folder, each decoded where its row is asked for."""

from pathlib import Path

import numpy as np

from iwax.formats.images import (
    Form,
    contents_of,
    decoded,
    header,
    labels_of,
    left_out,
    picture_files,
    refuse_none,
)
from iwax.formats.npy_rows import state

__all__ = ["PictureRows", "bytes_of_pictures"]


class PictureRows:
    """The pictures of a folder and below, by their sorted names: rows of which any is read by itself.

    All are decoded once, one after another, to find their size and mode, as `read_images` does. ``labels`` are the
    places of their sub-folders, None where there is one. Raises ValueError as that does, naming the picture.
    """

    bounds: np.ndarray | None = None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        files, others = picture_files(path)
        if not files:
            refuse_none(path, others)
        self.files = [file for _, file in files]
        self.labels = labels_of([str(inside.parent) for inside, _ in files])
        self.left_out = left_out(others)
        self.began = np.array([state(file.stat()) for file in self.files])
        self.form = Form()
        for file in self.files:
            self.form.fitted(decoded(header(contents_of(file), str(file)), str(file)))
        self.event, self.dtype = self.form.shape, self.form.dtype
        self.starts = np.array([0, len(self.files)])

    def __len__(self) -> int:
        return len(self.files)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The pictures [m, h, w] or [m, h, w, 3] of these numbers. ValueError where a file has changed since."""
        found = np.empty((len(numbers), *self.event), self.dtype)
        for place, number in enumerate(numbers.tolist()):
            file = self.files[number]
            if state(file.stat()) != tuple(self.began[number].tolist()):
                raise ValueError(f"{file}: it has changed since it was opened; its picture is needed as it was")
            found[place] = self.form.read(decoded(header(contents_of(file), str(file)), str(file)))
        return found

    def place(self, number: int) -> tuple[str, int]:
        """The file of a picture, and 1: it has no other."""
        return str(self.files[number]), 1


def bytes_of_pictures(path: Path) -> int:
    """The bytes of all pictures of a folder as an array, if all have the size of the first; 0 where there is none."""
    files, _ = picture_files(path)
    if not files:
        return 0
    first = header(contents_of(files[0][1]), str(files[0][1]))
    return len(files) * first.width * first.height * len(first.getbands())
