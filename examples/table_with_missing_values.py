"""A table with missing values in scikit-learn: cells are hidden, filled in three ways, and compared with the truth.

    python examples/table_with_missing_values.py

The table is scikit-learn's breast cancer data, 569 rows of 30 measurements. Errors are root mean squared ones over the
hidden cells, in standard deviations of the columns. One mask and one training: docs/studies/tables.md has
five of each.
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
    words.add_argument("--epochs", type=int, default=None, help="of training; by default 8,000 steps")
    asked = words.parse_args()

    whole, _ = load_breast_cancer(return_X_y=True)
    whole = np.asarray(whole)
    whole = (whole - whole.mean(axis=0)) / whole.std(axis=0)
    hidden = np.random.default_rng(0).uniform(size=whole.shape) < asked.share
    table = np.where(hidden, np.nan, whole)
    imputer = IWAEImputer(max_iter=asked.epochs, random_state=0)
    for name, method in {
        "column means": SimpleImputer(),
        "10 neighbours": KNNImputer(n_neighbors=10),
        "IWAEImputer": imputer,
    }.items():
        filled = method.fit_transform(table)
        error = np.sqrt(np.mean((filled[hidden] - whole[hidden]) ** 2))
        sys.stdout.write(f"{name:14s} {error:.3f}\n")
    found = imputer.imputation(table[:5])
    sys.stdout.write(f"effective sample sizes at k = {found.k}, first rows: {np.round(found.ess, 1).tolist()}\n")
    if asked.epochs is not None:
        sys.stdout.write(f"after {asked.epochs} epochs only: without --epochs the imputer trains as long as it needs\n")


if __name__ == "__main__":
    main()
