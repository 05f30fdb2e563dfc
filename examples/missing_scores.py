"""Which score compares rows of which different cells are missing: made-up tables, with rows that are corrupted.

python examples/missing_scores.py make FOLDER
iwax train FOLDER/random_train.csv --kind customer=drop --kind date=drop --output runs/random
python examples/missing_scores.py measure runs/random FOLDER/random_test.csv

Tables ``random`` (15 % of the cells missing), ``uneven`` (rows differ in how many) and ``not_at_random`` (high incomes
and balances are hidden, and half of the columns of some customers), and ``whole_test``, of which nothing is missing.
"""

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import evaluation, inference
from iwax.data.files import read_rows
from iwax.runs import open_run

Table = dict[str, np.ndarray]
ROWS, SPOILED = 3_000, 150
FAR = ["age", "balance", "tenure"]


def table(n: int, seed: int) -> Table:
    """n customers of three hidden kinds, columns that depend on each other."""
    r = np.random.default_rng(seed)
    kind, each = r.choice(3, n, p=[0.6, 0.3, 0.1]), np.arange(n)
    age = np.clip(r.normal([35, 48, 60], [9, 10, 8], (n, 3))[each, kind], 18, 95).round(1)
    wealth = r.normal(0, 1, n)
    amount = np.exp(3.5 + 0.9 * kind + 0.8 * wealth + 0.5 * r.normal(size=n)).round(2)
    fee = (amount * np.exp(-3.2 + 0.2 * r.normal(size=n))).round(4)
    balance = (2000 + 1500 * wealth + 800 * kind + 600 * r.normal(size=n)).round(2)
    income = np.exp(10 + 0.4 * wealth + 0.2 * kind + 0.25 * r.normal(size=n)).round(0)
    visits = r.negative_binomial(2, 1 / (1 + np.exp(0.6 + 0.5 * kind)), n)
    items = r.poisson(np.exp(0.5 + 0.6 * (kind == 1) + 0.3 * wealth)) * (1 + (r.random(n) < 0.1) * 3)
    countries = np.array(
        [
            [0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01],
            [0.02, 0.03, 0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01],
            [0.01, 0.02, 0.03, 0.04, 0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.2, 0.25],
        ]
    )
    country = np.array(list("ABCDEFGHIJKL"))[[r.choice(12, p=p) for p in countries[kind]]]
    channels = np.array([[0.5, 0.45, 0.05], [0.4, 0.2, 0.4], [0.1, 0.05, 0.85]])
    channel = np.array(["web", "app", "branch"])[[r.choice(3, p=p) for p in channels[kind]]]
    member = np.where(r.random(n) < np.array([0.2, 0.6, 0.9])[kind], "yes", "no")
    verified = np.where(r.random(n) < 1 / (1 + np.exp(2 + wealth)), "True", "False")
    columns = {"age": age, "amount": amount, "fee": fee, "balance": balance, "income": income, "visits": visits}
    columns |= {"items": items, "country": country, "channel": channel, "member": member, "verified": verified}
    return columns | {"tenure": (age * 0.3 + r.gamma(2, 2, n) + 2 * kind).round(1)}


def corrupt(columns: Table, rows: np.ndarray, seed: int) -> None:
    """Five cells of other rows, a value three to six deviations away, or a fee that does not fit its amount."""
    r, names, n = np.random.default_rng(seed), list(columns), len(columns["age"])
    for i in rows:
        how = r.integers(3)
        if how == 0:
            for name in r.choice(names, 5, replace=False):
                columns[name][i] = columns[name][r.integers(n)]
        elif how == 1:
            name = r.choice(FAR)
            values = columns[name]
            sign = 1 if name == "tenure" else r.choice([-1, 1])
            away = float(values.mean() + sign * r.uniform(3, 6) * values.std())
            values[i] = round(away, 1 if name == "tenure" else 2)
        else:
            columns["fee"][i] = round(float(columns["fee"][i] * np.exp(r.choice([-1, 1]) * r.uniform(1, 2))), 4)


def hide(columns: Table, how: str, seed: int) -> np.ndarray:
    """Which cells [n, D] are missing."""
    r, names, n = np.random.default_rng(seed), list(columns), len(columns["age"])
    if how == "random":
        hidden = r.random((n, len(names))) < 0.15
    elif how == "uneven":
        share_of_row = r.beta(0.6, 3.4, n)[:, None]
        hidden = r.random((n, len(names))) < share_of_row
    else:
        hidden = r.random((n, len(names))) < 0.08
        for name, share, above in (("income", 0.6, 0.6), ("balance", 0.5, 0.7)):
            rank = np.argsort(np.argsort(columns[name])) / n
            hidden[:, names.index(name)] |= r.random(n) < share * (rank > above)
        some = (columns["channel"] == "branch") & (r.random(n) < 0.4)
        others = r.random(n) < 0.08
        for of_some, group in ((some, ("visits", "items", "verified", "member")), (others, ("amount", "fee"))):
            for name in group:
                hidden[:, names.index(name)] |= of_some
    hidden[hidden.all(axis=1), 0] = False
    return hidden


def write(path: Path, columns: Table, hidden: np.ndarray, seed: int) -> None:
    """The table as .csv, with an identifier and a date before its columns."""
    ids = np.random.default_rng(seed).permutation(900_000)[: len(hidden)] + 100_000
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "date", *columns])
        for i, gone in enumerate(hidden):
            cells = ["" if missing else str(part[i]) for missing, part in zip(gone, columns.values(), strict=True)]
            writer.writerow([f"C{ids[i]}", f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}", *cells])


def make(folder: Path) -> None:
    """Training and test tables; which rows of the test tables are corrupted is `spoiled.npy`."""
    folder.mkdir(parents=True, exist_ok=True)
    corrupted = np.random.default_rng(11).choice(ROWS, SPOILED, replace=False)
    np.save(folder / "spoiled.npy", np.isin(np.arange(ROWS), corrupted))
    clean, test = table(ROWS, 0), table(ROWS, 10)
    corrupt(test, corrupted, 12)
    for how in ("random", "uneven", "not_at_random"):
        write(folder / f"{how}_train.csv", clean, hide(clean, how, 1), 2)
        write(folder / f"{how}_test.csv", test, hide(test, how, 13), 14)
    write(folder / "whole_test.csv", test, np.zeros((ROWS, len(test)), bool), 14)


def measure(folder: Path, file: Path, say: Callable[[str], Any]) -> None:
    """A line for every score: its correlation with the missing cells, its AUROC, and shares below a threshold."""
    run, key, corrupted = open_run(folder), jax.random.key(0), np.load(file.with_name("spoiled.npy"))
    x = read_rows(file, run.about.columns, dropped=("customer", "date")).values
    cells, good = np.isnan(x), ~corrupted
    missing = cells.sum(axis=1)
    log_p = inference.score(run.model, x, k=100, key=key, missing=bool(cells.any())).log_evidence
    sets, of_row = np.unique(~cells, axis=0, return_inverse=True)
    statistics = evaluation.marginal_moments(run.model, sets, key=key)
    mean, deviation = statistics.mean[of_row.reshape(-1)], statistics.deviation[of_row.reshape(-1)]
    scores = {"log p(x)": log_p, "log p(x) per observed cell": log_p / (x.shape[1] - missing)}
    scores |= {"minus the mean": log_p - mean, "minus the mean, over the deviation": (log_p - mean) / deviation}
    for name, values in scores.items():
        found = evaluation.auroc(values[good], values[corrupted])
        together = np.corrcoef(values[good], missing[good])[0, 1] if missing.any() else 0.0
        below = values < np.quantile(values[good], 0.05)
        shares = [below[good & some].mean() for some in (missing == 0, missing > 2) if (good & some).any()]
        auroc = f"{found.value:.3f} +/- {found.standard_error:.3f}"
        say(f"| {name} | {together:.2f} | {auroc} | {' | '.join(f'{share:.3f}' for share in shares)} |\n")


def main() -> None:
    """`make FOLDER`, or `measure RUN FILE`."""
    parser = argparse.ArgumentParser(description="Scores of rows with missing cells.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make").add_argument("folder", type=Path)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("run", type=Path)
    measuring.add_argument("file", type=Path)
    given = parser.parse_args()
    if given.verb == "make":
        make(given.folder)
    else:
        measure(given.run, given.file, sys.stdout.write)


if __name__ == "__main__":
    main()
