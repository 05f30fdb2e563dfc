"""Fixed random bits, the same on every platform: Philox-4x64 (Salmon et al., 2011) in whole numbers only.

A random stream is named by a seed and one of `iwax.streams.Bits`, so that no two uses of one seed share numbers.
Nothing here goes through floating point, whose last digit a platform may round its own way.
"""

import numpy as np

from iwax import former_names
from iwax.streams import Bits

__getattr__ = former_names.of(__name__)


def bits64(seed: int, stream: Bits, n: int) -> np.ndarray:
    """n uint64 numbers: output of Philox with the key ``seed + 2^64 stream`` and a counter from 0.

    >>> bits64(0, Bits.SPLIT, 3).dtype
    dtype('uint64')
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must satisfy 0 <= seed < 2**64; got {seed}")
    return np.random.Philox(key=seed + (int(stream) << 64)).random_raw(n)


def bits16(seed: int, stream: Bits, shape: tuple[int, ...]) -> np.ndarray:
    """uint16 numbers of the given shape: each uint64 gives four, the lowest 16 bits first.

    >>> bits16(0, Bits.TEST, (2, 3)).shape
    (2, 3)
    """
    n = int(np.prod(shape))
    words = bits64(seed, stream, -(-n // 4)).astype("<u8")
    return words.view("<u2")[:n].astype(np.uint16).reshape(shape)


def permutation(seed: int, stream: Bits, n: int) -> np.ndarray:
    """A permutation of 0..n-1: the order that sorts n 64-bit numbers.

    >>> sorted(permutation(7, Bits.SPLIT, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(bits64(seed, stream, n), kind="stable")


def epoch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the rows in an epoch, a function of (seed, epoch) alone: the ranks of raw Philox words, int32.

    >>> sorted(epoch_order(0, 3, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    words = np.random.Philox(key=seed + ((Bits.EPOCHS | epoch) << 64)).random_raw(rows)
    return np.argsort(words, kind="stable").astype(np.int32)


def buffer_order(seed: int, epoch: int, buffer: int, rows: int) -> np.ndarray:
    """The order of the rows in a buffer of an epoch, a function of (seed, epoch, buffer) alone.

    >>> sorted(buffer_order(0, 3, 1, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    words = np.random.Philox(key=seed + ((Bits.BUFFERS | epoch << 32 | buffer) << 64)).random_raw(rows)
    return np.argsort(words, kind="stable").astype(np.int32)
