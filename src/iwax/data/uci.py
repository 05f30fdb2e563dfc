"""Four small tables of the UCI Machine Learning Repository, standardised by their training rows."""

import numpy as np
from sklearn.datasets import load_breast_cancer

from iwax.data.bits import permutation
from iwax.data.dataset import Dataset
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info
from iwax.formats.cells import Cells
from iwax.formats.table import read_cells
from iwax.streams import Bits

SEED = 1987  # the year the repository began
LICENCE = "CC BY 4.0 (UCI)"
WINE_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/"


def load(info: Info) -> Dataset:
    """Features without the target, split, and standardised by the training rows; a class is the label."""
    if info.files:
        (file,) = info.files
        table = numbers(read_cells(read(file), name=file.path))
        features, labels = table[:, :-1], None if info is CONCRETE else table[:, -1]
    else:
        features, labels = map(np.asarray, load_breast_cancer(return_X_y=True))
    order = permutation(SEED, Bits.SPLIT, len(features))
    train = features[order[: info.train]]
    scaled = ((features - train.mean(axis=0)) / train.std(axis=0)).astype(np.float32)
    return info.cut(scaled, None if labels is None else labels.astype(np.uint8), order)


def numbers(table: Cells) -> np.ndarray:
    """The cells [n, D] in float64. Raises ValueError with file:line:column for the first that is no number.

    >>> numbers(read_cells(b"a;b\\n1;2\\n3;4\\n", name="t.csv")).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    values = np.stack([table.numbers(i)[0] for i in range(len(table.names))], axis=1)
    if np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise ValueError(f"{table.place(row, column)}: needed a number; got {table.columns[column][row]!r}")
    return values


def _info(name: str, title: str, rows: int, columns: int, target: str, source: str, *files: DataFile) -> Info:
    held_out = rows // 10
    train = rows - 2 * held_out
    return Info(
        name=name,
        title=title,
        protocol=(
            f"{rows:,} rows of {columns} real features ({target}); rows permuted with seed {SEED}: the first "
            f"{train:,} training, the next {held_out} validation, the last {held_out} test; each feature minus its "
            "mean over its standard deviation, both of the training rows, then float32, so a log-density in nats "
            "refers to standardised features."
        ),
        shape=(columns,),
        kind="real",
        train=train,
        valid=held_out,
        test=held_out,
        licence=LICENCE,
        source=source,
        files=files,
    )


def _wine(colour: str, rows: int, size: int, sha256: str) -> Info:
    name = f"winequality-{colour}.csv"
    return _info(
        f"wine-{colour}",
        f"Wine quality, {colour} (UCI)",
        rows,
        11,
        "the quality is the label",
        "Cortez, Cerdeira, Almeida, Matos and Reis (2009), https://archive.ics.uci.edu/dataset/186/wine+quality",
        DataFile(f"uci/{name}", sha256, (WINE_URL + name,), size=size),
    )


WINE_RED = _wine("red", 1_599, 84_199, "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e")
WINE_WHITE = _wine("white", 4_898, 264_426, "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836")
CONCRETE = _info(
    "concrete",
    "Concrete compressive strength (UCI)",
    1_030,
    8,
    "the strength is left out",
    "Yeh (1998), https://archive.ics.uci.edu/dataset/165/concrete+compressive+strength",
    DataFile(
        "uci/Concrete_Data.csv",
        "270b95edf126b817428a150e21c524a99a30cefe1ba2d9d5e1875b2e585d050c",
        hint="it is the one sheet of the published Concrete_Data.xls, saved as comma-separated text",
    ),
)
BREAST_CANCER = _info(
    "breast-cancer",
    "Breast cancer Wisconsin, diagnostic (UCI, embedded in scikit-learn)",
    569,
    30,
    "the diagnosis is the label: 0 malignant, 1 benign",
    "Wolberg, Mangasarian, Street and Street (1993), via sklearn.datasets.load_breast_cancer",
)
