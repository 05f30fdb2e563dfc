"""What a likelihood can give a density to, checked over all data before anything is trained."""

from typing import NoReturn

import numpy as np

from iwax import likelihoods
from iwax.data import Dataset

__all__ = ["check", "check_values"]


def check(likelihood: str, dataset: Dataset, *, source: str) -> None:
    """Refuse data outside the likelihood's support: not 0 or 1 for a Bernoulli, NaN or infinite for a Gaussian.

    Raises ValueError naming the source, the split, the first row and column, the value there, and what to do.

    >>> from iwax import data
    >>> check("bernoulli", data.load("digits"), source="digits")
    """
    for part, split in dataset.splits().items():
        drawn = dataset.binarize_training and part == "train"
        if not (drawn and likelihood == "bernoulli"):
            check_values(likelihood, split.values, source=f"{source} ({part})")
    if dataset.binarize_training and likelihood == "gaussian":
        raise ValueError(
            f"{source}: model.likelihood=gaussian needs data that are not binarised at every access, got "
            f"{dataset.name}, which is; use model.likelihood=bernoulli"
        )


def check_values(likelihood: str, values: np.ndarray, *, source: str) -> None:
    """Refuse rows [n, D] outside the support of a likelihood; ValueError names the first wrong cell.

    >>> check_values("bernoulli", np.array([[0.0, 0.5]]), source="x.npy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: x.npy:1:2: a Bernoulli likelihood needs values 0 or 1, got 0.5; --binarize threshold or ...
    """
    wrong = (likelihoods.Bernoulli if likelihood == "bernoulli" else likelihoods.Gaussian).outside(values)
    if wrong.any():
        _refuse(likelihood, values, wrong, source)


def _refuse(likelihood: str, values: np.ndarray, wrong: np.ndarray, source: str) -> NoReturn:
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    got = values[row, column].item()
    place = f"{source}:{row + 1}:{column + 1}"
    if likelihood == "bernoulli" and np.isfinite(got):
        raise ValueError(
            f"{place}: a Bernoulli likelihood needs values 0 or 1, got {got:g}; --binarize threshold or --binarize "
            "sample makes binary data of grey values, --set model.likelihood=gaussian models real ones"
        )
    needed = "values 0 or 1" if likelihood == "bernoulli" else "finite values"
    raise ValueError(
        f"{place}: a {likelihood.title()} likelihood needs {needed}, got {got}; "
        "remove or fill such rows before training"
    )
