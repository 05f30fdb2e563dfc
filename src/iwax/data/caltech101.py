"""Caltech 101 silhouettes 28x28 (Marlin, Swersky, Chen and de Freitas, 2010), the published split."""

import numpy as np

from iwax.data.dataset import Dataset, Split
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.matlab import read_matlab

SIDE = 28
PUBLISHED = "https://people.cs.umass.edu/~marlin/data/"
NAME = "caltech101_silhouettes_28_split1.mat"

FILE = DataFile(
    f"caltech101_silhouettes/{NAME}",
    "eb6735e8d84b1850fabc5590124aab1755e90c9fd28123585324398405e1e42a",
    (PUBLISHED + NAME,),
    size=872_124,
)

CALTECH101 = Info(
    name="caltech101-silhouettes",
    title="Caltech 101 silhouettes 28x28, binary",
    protocol=(
        "the published split 1 (4,100 training, 2,264 validation, 2,307 test) in published order, 28x28 in {0, 1}, "
        "nothing redrawn. The file stores 1 for background, column by column; here 1 is the object (1 - x, as in "
        "the VampPrior's tables; the VR bound's use x) and rows are upright. Labels: the class, 1..101."
    ),
    shape=(SIDE, SIDE),
    kind="binary",
    train=4_100,
    valid=2_264,
    test=2_307,
    licence="none stated",
    source="Marlin, Swersky, Chen and de Freitas (2010), https://people.cs.umass.edu/~marlin/data.shtml",
    files=(FILE,),
)


def load(info: Info) -> Dataset:
    """The three parts of split 1."""
    keys = tuple(f"{part}_{what}" for part in ("train", "val", "test") for what in ("data", "labels"))
    found = read_matlab(read(FILE), keys=keys, name=FILE.path)
    return info.dataset(*(_part(found, part) for part in ("train", "val", "test")))


def _part(found: dict[str, np.ndarray], part: str) -> Split:
    stored = found[f"{part}_data"].reshape(-1, SIDE, SIDE).swapaxes(1, 2).reshape(-1, SIDE * SIDE)
    return Split(1 - stored.astype(np.uint8), found[f"{part}_labels"].ravel().astype(np.uint8))
