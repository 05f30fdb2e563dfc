"""Grey histopathology patches 28x28 (Tomczak and Welling, 2016). Published as a pickle, which is never opened."""

import numpy as np

from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.npy import read_npz

KEYS = ("x_train", "x_valid", "x_test")
PUBLISHED = "https://github.com/jmtomczak/vae_householder_flow/tree/master/datasets/histopathologyGray"

FILE = DataFile(
    "histopathology/histopathology.npz",
    None,
    hint=(
        f"the published histopathology.pkl ({PUBLISHED}) is a pickle, which can run code and is never opened here: "
        "where you trust it, load it yourself (encoding='latin1') and save its 'training', 'validation' and 'test' "
        "arrays with numpy.savez('histopathology.npz', x_train=..., x_valid=..., x_test=...)"
    ),
)

HISTOPATHOLOGY = Info(
    name="histopathology",
    title="Histopathology patches 28x28, grey, real-valued",
    protocol=(
        "the published 6,800 training, 2,000 validation and 2,000 test patches in published order; grey values in "
        "[0, 1], float32, unchanged. No labels. Read from an .npz file that you convert from the published pickle, "
        "so its contents are not checked against a checksum."
    ),
    shape=(28, 28),
    kind="real",
    train=6_800,
    valid=2_000,
    test=2_000,
    licence="none stated",
    source="Tomczak and Welling (2016), arXiv:1611.09630; " + PUBLISHED,
    files=(FILE,),
)


def load(info: Info) -> Dataset:
    """The converted file: x_train, x_valid and x_test in [0, 1], [n, 784] or [n, 28, 28]."""
    found = read_npz(read(FILE), name=FILE.path)
    if sorted(found) != sorted(KEYS):
        raise ValueError(f"{FILE.path}: needed the arrays {', '.join(KEYS)}; got {', '.join(sorted(found))}")
    return info.dataset(*(_part(found[key], key) for key in KEYS))


def _part(values: np.ndarray, key: str) -> Split:
    if values.dtype.kind != "f" or values.ndim < 2 or values[0].size != 784:
        raise ValueError(
            f"{FILE.path}[{key}]: needed float values of shape [n, 784] or [n, 28, 28]; "
            f"got {values.dtype} {values.shape}"
        )
    if not (values.min() >= 0 and values.max() <= 1):  # also refuses NaN
        raise ValueError(
            f"{FILE.path}[{key}]: needed values in [0, 1]; got {values.min()} to {values.max()}; "
            "divide grey levels by 255"
        )
    return Split(np.ascontiguousarray(values.reshape(len(values), -1).astype(np.float32)))
