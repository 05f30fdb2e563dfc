"""What a likelihood can give a density to, checked over all data before anything is trained."""

from typing import NoReturn

import numpy as np

from iwax.data import Dataset
from iwax.experiments import parts
from iwax.experiments.families import IMAGE_LIKELIHOODS
from iwax.experiments.parts import FRACTIONS

__all__ = ["check", "check_values"]


_BINARY = ("bernoulli", "pixelcnn", "gated_pixelcnn")  # take grey values that are binarised at every access


def check(likelihood: str, dataset: Dataset, *, source: str) -> None:
    """Refuse data outside the likelihood's support: not 0 or 1 for a Bernoulli, NaN or infinite for a Gaussian ...

    Raises ValueError naming the source, the split, the first row and column, the value there, and what to do.

    >>> from iwax import data
    >>> check("bernoulli", data.load("digits"), source="digits")
    """
    if dataset.binarize_training and likelihood not in _BINARY:
        raise ValueError(
            f"{source}: model.likelihood={likelihood} needs data that are not binarised at every access, got "
            f"{dataset.name}, which is; use model.likelihood=bernoulli"
        )
    for part, split in dataset.splits().items():
        if not (dataset.binarize_training and part == "train"):
            fractions = dataset.kind == "grey" and likelihood in FRACTIONS
            values = split.values / np.float32(255) if fractions else split.values
            if (likelihood == "columns") != (dataset.kind == "table"):
                _refuse_kind(likelihood, dataset, source)
            check_values(likelihood, values, source=f"{source} ({part})")


def check_values(likelihood: str, values: np.ndarray, *, source: str, trained: bool = False) -> None:
    """Refuse rows [n, D] outside the support of a likelihood, to be ``trained`` or so already; ValueError names a cell.

    NaN marks a value that was not observed, and passes; the columns of a table have been checked as they were read.

    >>> check_values("bernoulli", np.array([[0.0, 0.5]]), source="x.npy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: x.npy:1:2: a Bernoulli likelihood needs values 0 or 1, got 0.5; --binarize threshold or ...
    """
    if likelihood == "columns":
        return
    if likelihood in IMAGE_LIKELIHOODS and np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise ValueError(
            f"{source}:{row + 1}:{column + 1}: model.likelihood={likelihood} needs whole pictures, as every pixel "
            "depends on those before it, got a missing one; use model.likelihood=bernoulli"
        )
    wrong = parts.outside(likelihood, values) & ~np.isnan(values)
    if wrong.any():
        _refuse(likelihood, values, wrong, source, trained=trained)


def _refuse_kind(likelihood: str, dataset: Dataset, source: str) -> NoReturn:
    wanted = "a table with columns (.csv or .parquet)" if likelihood == "columns" else "rows of one kind of numbers"
    got = f"a table of {len(dataset.columns)} columns" if dataset.columns else f"{dataset.kind} rows"
    raise ValueError(
        f"{source}: model.likelihood={likelihood} needs {wanted}, got {got}; leave model.likelihood out, or save the "
        "numbers as .npy"
    )


def _refuse(likelihood: str, values: np.ndarray, wrong: np.ndarray, source: str, *, trained: bool) -> NoReturn:
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    got = values[row, column].item()
    place = f"{source}:{row + 1}:{column + 1}"
    name = likelihood.replace("_", " ").capitalize()
    needed = "finite values" if likelihood == "gaussian" else parts.support(likelihood)
    needed = "values 0 or 1" if likelihood in _BINARY else needed
    advice = "remove or fill such rows" + ("" if trained else " before training")
    if np.isfinite(got):
        binary, kind = likelihood in _BINARY, "ones" if likelihood in _BINARY else "values"
        advice = f"--set model.likelihood=gaussian models real {kind}"
        if trained:
            advice = f"a run trained with model.likelihood=gaussian takes real {kind}"
        if binary:
            advice = f"--binarize threshold or --binarize sample makes binary data of grey values, {advice}"
    raise ValueError(f"{place}: a {name} likelihood needs {needed}, got {got:g}; {advice}")
