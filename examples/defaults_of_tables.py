"""What the defaults of `iwax.sklearn` were to be: settings compared on tables that no comparison with others uses.

    python examples/defaults_of_tables.py measure
    python examples/defaults_of_tables.py table       # what was measured so far, as Markdown

Five tables of numbers: scikit-learn's diabetes and wine, nine pixels of its digits, and the first 12 principal
components of 1,965 Frey faces and of 3,000 grey images of Fashion-MNIST. Of each, half of the cells are hidden
completely at random and filled, and the log-density of a fifth of the rows is taken after a training on the others.
Nothing is chosen within a table or seed. What was measured is kept in the file of numbers; a second call goes on from
there.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from missing_values import measure
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from iwax import data
from iwax.sklearn import IWAE, IWAEImputer

SHARE, COMPONENTS, ROWS = 0.5, 12, 3000
SCORE_DRAWS = 2000
SETTINGS: dict[str, dict[str, Any]] = {
    "mixture of 20, 4e-3, 8,000 steps or 700 passes": {},
    "mixture of 20, 4e-3, 8,000 steps": {"steps": 8000},
    "mixture of 20, 2e-3, 8,000 steps": {"steps": 8000, "learning_rate_init": 2e-3},
    "N(0, I), 4e-3, 8,000 steps": {"steps": 8000, "prior_components": 1},
    "N(0, I), 2e-3, 5,000 steps": {"steps": 5000, "prior_components": 1, "learning_rate_init": 2e-3},
}


def main() -> None:
    """Measure what is missing, or print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=("measure", "table"))
    asked.add_argument("--seeds", type=int, default=2, help="seeds 0, 1, ... (2)")
    asked.add_argument("-o", "--output", type=Path, default=Path("results/tables/defaults.json"))
    given = asked.parse_args()
    if given.what == "table":
        sys.stdout.write(table(given.output))
        return
    for seed in range(given.seeds):
        for name in TABLES:
            for setting in SETTINGS:
                of = partial(both, name, seed, setting)
                measure(given.output, f"{name} | {setting} | {seed}", of)


def components_of(images: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """The first principal components of flat images."""
    return lambda: PCA(COMPONENTS, svd_solver="full").fit_transform(images())


def frey() -> np.ndarray:
    """All Frey faces."""
    found = data.load("frey-faces")
    splits = (found.train, found.valid, found.test)
    return np.concatenate([split.values for split in splits if split is not None]).astype(float)


def digits() -> np.ndarray:
    """Nine of the 64 pixels of all digits, up to two thirds of which are 0."""
    pixels = load_digits(return_X_y=True)[0].reshape(-1, 8, 8)[:, 1:7:2, ::2].reshape(-1, 12)
    return pixels[:, pixels.std(axis=0) > 0.5]


TABLES: dict[str, Callable[[], np.ndarray]] = {
    "diabetes": lambda: np.asarray(load_diabetes(return_X_y=True)[0]),
    "wine": lambda: np.asarray(load_wine(return_X_y=True)[0]),
    "digits": digits,
    "frey-faces": components_of(frey),
    "fashion-mnist": components_of(lambda: data.load("fashion-mnist").train.values[:ROWS].astype(float)),
}


def both(name: str, seed: int, setting: str) -> dict[str, Any]:
    """The error of imputation and the density of rows left out, of one setting."""
    x = StandardScaler().fit_transform(TABLES[name]())
    return {"rmse": imputation(x, seed, setting), "log_p": density(x, seed, setting)}


def imputation(x: np.ndarray, seed: int, setting: str) -> float:
    """The root mean squared error over the missing cells; no row loses all of its cells."""
    chance = np.random.default_rng(seed)
    missing = chance.random(x.shape) < SHARE
    missing[missing.all(axis=1), chance.integers(x.shape[1])] = False
    filled = IWAEImputer(**of(setting, len(x)), random_state=seed).fit_transform(np.where(missing, np.nan, x))
    return float(np.sqrt(np.mean((filled - x)[missing] ** 2)))


def density(x: np.ndarray, seed: int, setting: str) -> float:
    """The mean log-density of a fifth of the rows, nats."""
    test, train = np.split(np.random.default_rng(seed).permutation(x), [len(x) // 5])
    made = IWAE(**of(setting, len(train)), n_score_samples=SCORE_DRAWS, random_state=seed)
    return made.fit(train).evidence(test).mean


def of(setting: str, rows: int) -> dict[str, Any]:
    """The estimator's parameters: passes in place of steps."""
    given = dict(SETTINGS[setting])
    steps = given.pop("steps", None)
    return given if steps is None else {**given, "max_iter": -(-steps // -(-int(0.9 * rows) // 64))}


def table(file: Path) -> str:
    """Means over seeds, and how far each setting is from the best of its table and seed, on the whole."""
    found = json.loads(file.read_text())["rows"]
    names = {name: tuple(name.split(" | ")) for name in found}
    tables = list(dict.fromkeys(each[0] for each in names.values()))
    lines = [
        "| | " + " | ".join(f"{each}, RMSE | log p" for each in tables) + " |",
        "|---" * (1 + 2 * len(tables)) + "|",
    ]
    for setting in SETTINGS:
        cells = []
        for of_table in tables:
            rows = [found[name] for name, each in names.items() if each[:2] == (of_table, setting)]
            cells += [f"{np.mean([row[of] for row in rows]):.3f}" if rows else "" for of in ("rmse", "log_p")]
        lines.append(f"| {setting} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
