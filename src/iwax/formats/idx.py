"""idx, the format of MNIST: two zero bytes, type, number of axes, big-endian sizes, then the values."""

import numpy as np

from iwax.formats.gzipped import unpack

UINT8 = 0x08


def read_idx(contents: bytes, *, name: str) -> np.ndarray:
    """The uint8 array in an idx file, plain or gzip-compressed.

    Raises ValueError for another type of value, or where header and length disagree.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), name="labels").tolist()
    [5, 0, 4]
    """
    data = unpack(contents, name=name)
    if len(data) < 4 or data[:2] != b"\x00\x00":
        raise ValueError(f"{name}: needed an idx file, which begins with two zero bytes; got {data[:4]!r}")
    kind, axes = data[2], data[3]
    if kind != UINT8 or axes < 1:
        raise ValueError(f"{name}: needed uint8 values (type 0x08); got type {kind:#04x} with {axes} axes")
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    size = 1
    for length in shape:  # Python integers: a forged header cannot overflow them
        size *= length
    if len(data) != start + size:
        raise ValueError(f"{name}: shape {shape} needs {start + size} bytes; got {len(data)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
