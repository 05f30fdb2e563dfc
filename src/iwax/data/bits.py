"""Fixed random bits, the same on every platform: Philox-4x64 (Salmon et al., 2011) in whole numbers only.

A stream is named by a seed and by what it is for, so that no two uses of one seed share numbers. Nothing here
goes through floating point, whose last digit a platform may round its own way.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream of bits is for: the upper half of the 128-bit Philox key."""

    SPLIT = 0
    VALID = 1
    TEST = 2
    SAMPLE = 3
    DRAWERS = 4
    LEFT_OUT = 5
    TEST_ORDER = 6
    EXAMPLES = 7
    MASK = 8
    PERTURBED = 10
    REPLACEMENT = 11


def bits64(seed: int, purpose: Purpose, n: int) -> np.ndarray:
    """n uint64 numbers: output of Philox with the key ``seed + 2^64 purpose`` and a counter from 0.

    >>> bits64(0, Purpose.SPLIT, 3).dtype
    dtype('uint64')
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must satisfy 0 <= seed < 2**64; got {seed}")
    return np.random.Philox(key=seed + (int(purpose) << 64)).random_raw(n)


def bits16(seed: int, purpose: Purpose, shape: tuple[int, ...]) -> np.ndarray:
    """uint16 numbers of the given shape: each uint64 gives four, the lowest 16 bits first.

    >>> bits16(0, Purpose.TEST, (2, 3)).shape
    (2, 3)
    """
    n = int(np.prod(shape))
    words = bits64(seed, purpose, -(-n // 4)).astype("<u8")
    return words.view("<u2")[:n].astype(np.uint16).reshape(shape)


def permutation(seed: int, purpose: Purpose, n: int) -> np.ndarray:
    """A permutation of 0..n-1: the order that sorts n 64-bit numbers.

    >>> sorted(permutation(7, Purpose.SPLIT, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(bits64(seed, purpose, n), kind="stable")
