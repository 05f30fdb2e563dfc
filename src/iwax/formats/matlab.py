"""MATLAB 5 files (.mat), read with SciPy: named arrays of numbers only."""

import io
import math

import numpy as np
from scipy.io import loadmat, whosmat

from iwax.formats.whole import naming
from iwax.memory_limit import allow

NUMBER = 8  # bytes, at most


def read_matlab(contents: bytes, *, keys: tuple[str, ...], name: str) -> dict[str, np.ndarray]:
    """The arrays called ``keys``. Raises ValueError if the file is damaged or lacks one of them.

    Their sizes are those that the file declares; MemoryLimitError where they are too large for such a file.

    >>> from scipy.io import savemat
    >>> file = io.BytesIO()
    >>> savemat(file, {"ff": np.eye(2)})
    >>> read_matlab(file.getvalue(), keys=("ff",), name="a.mat")["ff"].shape
    (2, 2)
    """
    with naming(name, "a MATLAB 5 file", Exception):  # SciPy raises whatever a damaged byte leads to
        needed = sum(NUMBER * math.prod(shape) for key, shape, _ in whosmat(io.BytesIO(contents)) if key in keys)
        allow(needed, f"{name}: its arrays {', '.join(keys)}", held=len(contents))
        found = loadmat(io.BytesIO(contents), variable_names=list(keys))
    missing = [key for key in keys if key not in found]
    if missing:
        raise ValueError(f"{name}: needed the arrays {', '.join(keys)}; missing: {', '.join(missing)}")
    arrays = {key: np.asarray(found[key]) for key in keys}
    for key, array in arrays.items():
        if array.dtype.kind not in "buif":
            raise ValueError(f"{name}[{key}]: needed an array of numbers; got {array.dtype}")
    return arrays
