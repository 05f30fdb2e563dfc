"""A table with holes in scikit-learn: cells are hidden, filled in three ways, and compared with what stood there.

    python examples/table_with_holes.py

The table is scikit-learn's breast cancer data, 569 rows of 30 measurements. Errors are root mean squared ones over the
hidden cells, in standard deviations of the columns. One mask and one training: see docs/reference/tables.md for five of each.
"""

import argparse
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer

from iwax.sklearn import IWAEImputer


def main() -> None:
    """Hide, fill, compare."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--share", type=float, default=0.3, help="of the cells that are hidden")
    words.add_argument("--passes", type=int, default=None, help="through the rows in training; 8,000 steps without")
    asked = words.parse_args()

    whole, _ = load_breast_cancer(return_X_y=True)
    whole = np.asarray(whole)
    whole = (whole - whole.mean(axis=0)) / whole.std(axis=0)
    hidden = np.random.default_rng(0).uniform(size=whole.shape) < asked.share
    table = np.where(hidden, np.nan, whole)
    imputer = IWAEImputer(max_iter=asked.passes, random_state=0)
    for name, method in {
        "column means": SimpleImputer(),
        "10 neighbours": KNNImputer(n_neighbors=10),
        "IWAEImputer": imputer,
    }.items():
        filled = method.fit_transform(table)
        error = np.sqrt(np.mean((filled[hidden] - whole[hidden]) ** 2))
        sys.stdout.write(f"{name:14s} {error:.3f}\n")
    found = imputer.imputation(table[:5])
    sys.stdout.write(f"draws that count, of {found.k}, in the first rows: {np.round(found.ess, 1).tolist()}\n")
    if asked.passes is not None:
        sys.stdout.write(f"after {asked.passes} passes only: without --passes the imputer trains as long as it needs\n")


if __name__ == "__main__":
    main()
