"""npy and npz, NumPy's own formats. Object arrays would need unpickling, which runs code: always refused.

The header is compared with the bytes that are there before anything is allocated, so that a forged header
cannot ask for more memory than the file holds; and what all members of an archive unpack to, with the limit.
"""

import io
import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from iwax.formats.whole import held, shown, whole_zip
from iwax.memory_limit import allow

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
DEFLATE_RATIO = 1032  # deflate cannot pack better than this


def read_npy(path: Path) -> np.ndarray:
    """The array in a .npy file. Raises ValueError if it is damaged, truncated, or holds Python objects."""
    allow(path.stat().st_size, f"{path}: its array", held=held(path))
    with path.open("rb") as stream:
        return _read_array(stream, size=path.stat().st_size, name=str(path))


def read_npz(source: Path | bytes, *, name: str) -> dict[str, np.ndarray]:
    """All arrays of a .npz file by name; nothing is unpacked to disk.

    Raises ValueError if the file or a member is damaged or holds Python objects, MemoryLimitError where its arrays
    would together be too large for such a file.

    >>> packed = io.BytesIO()
    >>> np.savez(packed, x=np.arange(3))
    >>> read_npz(packed.getvalue(), name="a.npz")["x"].tolist()
    [0, 1, 2]
    """
    opened, packed = (io.BytesIO(source), len(source)) if isinstance(source, bytes) else (source, held(source))
    with whole_zip(name, "a whole .npz file"), zipfile.ZipFile(opened) as archive:
        members = archive.infolist()
        allow(sum(member.file_size for member in members), f"{name}: its {len(members)} arrays", held=packed)
        return {member.filename.removesuffix(".npy"): _read_member(archive, member, name) for member in members}


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> np.ndarray:
    where = f"{name}[{shown(member.filename.removesuffix('.npy'))}]"
    if not member.filename.endswith(".npy"):
        raise ValueError(f"{where}: needed only arrays (.npy members) in a .npz file")
    if member.file_size > DEFLATE_RATIO * (member.compress_size + 64):
        raise ValueError(
            f"{where}: claims {member.file_size} bytes, more than its {member.compress_size} packed bytes can hold"
        )
    with archive.open(member) as stream:
        return _read_array(stream, size=member.file_size, name=where)


def _read_array(stream: IO[bytes], *, size: int, name: str) -> np.ndarray:
    shape, fortran, dtype, start = read_npy_header(stream, size=size, name=name)
    needed = size - start
    contents = stream.read(needed)
    if len(contents) != needed:
        raise ValueError(f"{name}: shape {shape} of {dtype} needs {needed} bytes of data; got {len(contents)}")
    return np.frombuffer(contents, dtype).reshape(shape, order="F" if fortran else "C")


def read_npy_header(stream: IO[bytes], *, size: int, name: str) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether in Fortran order, type, and where the numbers begin, of an array in a file of ``size`` bytes.

    Raises ValueError for what is no array of numbers, or where the file is shorter or longer than the header says.
    """
    try:
        version = npy.read_magic(stream)
        if version not in HEADERS:
            raise ValueError(f"format version {version} is not one of {list(HEADERS)}")
        shape, fortran, dtype = HEADERS[version](stream)
    except Exception as error:  # NumPy raises whatever a damaged byte of the header leads to
        raise ValueError(f"{name}: needed a .npy array; got {_damage(error)}") from error
    if dtype.hasobject or dtype.names is not None or dtype.itemsize == 0:
        raise ValueError(
            f"{name}: needed an array of numbers; got {dtype}, which is never read here (it can run code); "
            "save the numbers alone, e.g. numpy.save(file, values.astype('float32'))"
        )
    if any(length < 0 for length in shape):
        raise ValueError(f"{name}: needed a shape of positive lengths; got {shape}")
    start, needed = stream.tell(), dtype.itemsize * math.prod(shape)  # Python integers: no forged shape overflows them
    if start + needed != size:
        raise ValueError(f"{name}: shape {shape} of {dtype} needs {start + needed} bytes; the file has {size}")
    return shape, fortran, dtype, start


def _damage(error: Exception) -> str:
    """What is wrong with a header, without NumPy's quotation of all its bytes."""
    words = " ".join(str(error).split())
    if words.startswith(("format version", "the magic string", "EOF: reading magic")):
        return words
    return f"a header that is damaged ({type(error).__name__}); write the file again with numpy.save"
