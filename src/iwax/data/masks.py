"""Pixels hidden on purpose, to be imputed: the three masks of Li, Zhu and Zhang (2016, arXiv:1602.07416), any shape.

True is hidden. All channels of a pixel are hidden together.
"""

from math import prod

import numpy as np

from iwax.data.bits import bits16
from iwax.streams import Bits

__all__ = ["half", "mask", "random", "rectangle"]

Shape = tuple[int, ...]


def rectangle(shape: Shape, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """A hidden rectangle of (height, width) pixels in the middle, bool of the image's shape.

    Without a size 3/7 of each side, rounded: 12 x 12 of 28 x 28. Raises ValueError for a size that does not fit.

    >>> rectangle((28, 28)).sum(), rectangle((4, 4), size=(1, 2)).nonzero()[1].tolist()
    (np.int64(144), [1, 2])
    """
    _check(shape)
    height, width = size if size is not None else (max(1, round(side * 3 / 7)) for side in shape[:2])
    if not (1 <= height <= shape[0] and 1 <= width <= shape[1]):
        raise ValueError(f"a rectangle within {shape[0]} x {shape[1]} pixels was needed, got {height} x {width}")
    hidden = np.zeros(shape, bool)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    hidden[top : top + height, left : left + width] = True
    return hidden


def half(shape: Shape) -> np.ndarray:
    """The left half hidden, columns 0 to w/2 - 1, bool of the image's shape.

    >>> half((1, 4)).tolist()
    [[True, True, False, False]]
    """
    _check(shape)
    hidden = np.zeros(shape, bool)
    hidden[:, : shape[1] // 2] = True
    return hidden


def random(shape: Shape, share: float, *, n: int, seed: int) -> np.ndarray:
    """Each pixel of n images hidden with this probability, on its own, bool [n, *shape].

    To 1/65536; image i has the same mask whatever n is. Raises ValueError for a share outside 0 < share < 1.

    >>> hidden = random((28, 28), 0.8, n=100, seed=0)
    >>> hidden.shape, round(float(hidden.mean()), 2)
    ((100, 28, 28), 0.8)
    """
    _check(shape)
    if not 0 < share < 1:
        raise ValueError(f"the share of hidden pixels must lie in 0 < share < 1, got {share}")
    hidden = bits16(seed, Bits.MASK, (n, shape[0] * shape[1])) < min(max(round(share * 65536), 1), 65535)
    return np.broadcast_to(hidden.reshape(n, *shape[:2], *(1 for _ in shape[2:])), (n, *shape))


def mask(name: str, shape: Shape, *, n: int, seed: int) -> np.ndarray:
    """The mask of a name, "rectangle", "half" or "random:SHARE" (random:0.6), for n images, bool [n, D].

    Raises ValueError for another name, and for data that are no images.

    >>> mask("half", (2, 2), n=1, seed=0).tolist()
    [[True, False, True, False]]
    """
    kind, _, share = name.partition(":")
    if kind == "random" and share:
        try:
            hidden = random(shape, float(share), n=n, seed=seed)
        except ValueError as error:
            raise ValueError(f"mask {name!r}: {error}") from error
    elif name in ("rectangle", "half"):
        one = rectangle(shape) if name == "rectangle" else half(shape)
        hidden = np.broadcast_to(one, (n, *shape))
    else:
        raise ValueError(f"a mask must be rectangle, half or random:SHARE, such as random:0.6; got {name!r}")
    return hidden.reshape(n, prod(shape))


def _check(shape: Shape) -> None:
    if not 2 <= len(shape) <= 3:
        raise ValueError(f"pixels of an image were needed, of shape (h, w) or (h, w, channels); got the shape {shape}")
