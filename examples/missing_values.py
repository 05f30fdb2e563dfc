"""Tables with half of their cells missing, filled by iwax and by scikit-learn; and densities of whole rows.

    python examples/missing_values.py impute     # root mean squared errors of the missing cells
    python examples/missing_values.py density    # log p(x) of a fifth of the rows, left out
    python examples/missing_values.py table      # what was measured so far, as Markdown

Four tables of the UCI repository, features only. Cells are missing completely at random, half of them; every method is
fitted on the observed cells and fills the others of the same rows. Columns are standardised by the whole table to score
and by the observed cells to fit. iwax has its defaults everywhere. The components of the Gaussian mixture are chosen on
a fifth of the training rows, and it is then fitted to all of them. What was measured is stored in the file of
numbers; a second call goes on from there.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # makes IterativeImputer known
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import BayesianRidge
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from iwax import data
from iwax.runs.environment import environment
from iwax.sklearn import IWAE, IWAEImputer

TABLES = ("wine-red", "wine-white", "concrete", "breast-cancer")
SHARE = 0.5
COMPONENTS = (1, 2, 3, 5, 8, 12, 20, 30)
SCORE_DRAWS = 5000

Imputers = dict[str, Callable[[int], Any]]
IMPUTERS: Imputers = {
    "mean": lambda seed: SimpleImputer(),
    "10 neighbours": lambda seed: KNNImputer(n_neighbors=10),
    "ridge": lambda seed: IterativeImputer(BayesianRidge(), random_state=seed),
    "trees": lambda seed: IterativeImputer(ExtraTreesRegressor(100, random_state=seed), random_state=seed),
    "iwax": lambda seed: IWAEImputer(random_state=seed),
}


def main() -> None:
    """Measure what is missing, or print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=("impute", "density", "table"))
    asked.add_argument("--tables", default=",".join(TABLES), metavar="A,B", help=f"of {', '.join(TABLES)}")
    asked.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ... (5)")
    asked.add_argument("--methods", default=",".join(IMPUTERS), metavar="A,B", help=f"of {', '.join(IMPUTERS)}")
    asked.add_argument("-o", "--output", type=Path, default=Path("results/tables"))
    given = asked.parse_args()
    if given.what == "table":
        sys.stdout.write(tables(given.output))
        return
    warnings.simplefilter("ignore", ConvergenceWarning)  # ten rounds, as scikit-learn has it by default
    for table in given.tables.split(","):
        for seed in range(given.seeds):
            if given.what == "density":
                measure(given.output / "density.json", f"{table} {seed}", partial(densities, table, seed))
                continue
            for method in given.methods.split(","):
                of = partial(imputation, table, seed, method)
                measure(given.output / "imputation.json", f"{table} {seed} {method}", of)


def measure(file: Path, name: str, of: Callable[[], dict[str, Any]]) -> None:
    """Measure, print and store what the file of numbers lacks."""
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"rows": {}}
    if name in found["rows"]:
        return
    begun = time.perf_counter()
    found["rows"][name] = {**of(), "seconds": round(time.perf_counter() - begun, 1)}
    found["environment"] = environment()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"{name}: {json.dumps(found['rows'][name])}\n")
    sys.stdout.flush()


def rows(table: str) -> np.ndarray:
    """All rows [n, D], standardised by all of them."""
    dataset = data.load(table)
    splits = (dataset.train, dataset.valid, dataset.test)
    x = np.concatenate([split.values for split in splits if split is not None]).astype(float)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def imputation(table: str, seed: int, method: str) -> dict[str, Any]:
    """The root mean squared error over the missing cells; no row loses all of its cells."""
    x = rows(table)
    chance = np.random.default_rng(seed)
    missing = chance.random(x.shape) < SHARE
    missing[missing.all(axis=1), chance.integers(x.shape[1])] = False
    units = StandardScaler()
    inner = units.fit_transform(np.where(missing, np.nan, x))
    filled = units.inverse_transform(IMPUTERS[method](seed).fit_transform(inner))
    off = (filled - x)[missing]
    return {"rmse": float(np.sqrt(np.mean(off**2))), "cells": int(missing.sum())}


def densities(table: str, seed: int) -> dict[str, Any]:
    """The mean log-density of a fifth of the rows, and the difference row by row, nats."""
    x = rows(table)
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = np.split(x[order], [len(x) // 5])
    units = StandardScaler().fit(train)
    test, train = units.transform(test), units.transform(train)
    valid, rest = np.split(train, [len(train) // 5])
    scores = {n: mixture(n, seed).fit(rest).score(valid) for n in COMPONENTS if n < len(rest)}
    chosen = max(scores, key=lambda n: scores[n])
    of_mixture = mixture(chosen, seed).fit(train).score_samples(test)
    evidence = IWAE(n_score_samples=SCORE_DRAWS, random_state=seed).fit(train).evidence(test)
    gain = evidence.log_evidence - of_mixture
    return {
        "iwax": evidence.mean,
        "mixture": float(of_mixture.mean()),
        "components": chosen,
        "gain": float(gain.mean()),
        "standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
        "ess_median": float(np.median(evidence.ess)),
    }


def mixture(components: int, seed: int) -> GaussianMixture:
    """The best of two fits."""
    return GaussianMixture(components, n_init=2, random_state=seed)


def tables(folder: Path) -> str:
    """Both tables, means over seeds +/- the standard deviation between them."""
    lines = []
    for file, values in (("imputation.json", ("rmse",)), ("density.json", ("mixture", "iwax", "gain"))):
        if not (folder / file).exists():
            continue
        found = json.loads((folder / file).read_text())["rows"]
        names = [name.split(" ", 2) for name in found]
        columns = list(dict.fromkeys(name[2] for name in names if len(name) > 2)) or list(values)
        heads = [*columns, "iwax less the best other"] if file == "imputation.json" else columns
        lines += ["| | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
        for table in dict.fromkeys(name[0] for name in names):
            cells = [_cell(found, table, column, values[0]) for column in columns]
            cells += [_less_the_best(found, table)] if file == "imputation.json" else []
            seeds = len({name[1] for name in names if name[0] == table})
            lines.append(f"| {table} | {seeds} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(found: dict[str, Any], table: str, column: str, value: str) -> str:
    """One mean over seeds; ``column`` is a method, or itself the name of a value."""
    of_table = {name: row for name, row in found.items() if name.split(" ")[0] == table}
    methods = [row[value] for name, row in of_table.items() if name.split(" ", 2)[2:] == [column]]
    each = np.array(methods or [row[column] for row in of_table.values() if column in row])
    spread = f" +/- {each.std(ddof=1):.3f}" if len(each) > 1 else ""
    return f"{each.mean():.3f}{spread}" if len(each) else ""


def _less_the_best(found: dict[str, Any], table: str) -> str:
    """The error of iwax minus the least of the others', seed by seed; empty where a seed has no such pair."""
    seeds: dict[str, dict[str, float]] = {}
    for name, row in found.items():
        of, seed, method = name.split(" ", 2)
        if of == table:
            seeds.setdefault(seed, {})[method] = row["rmse"]
    pairs = [each for each in seeds.values() if "iwax" in each and len(each) > 1]
    off = np.array([each["iwax"] - min(error for method, error in each.items() if method != "iwax") for each in pairs])
    return f"{off.mean():.3f} +/- {off.std(ddof=1):.3f}" if len(off) > 1 else ""


if __name__ == "__main__":
    main()
