"""What a likelihood can give a density to, checked over all data before anything is trained."""

from typing import NoReturn

import numpy as np

from iwax import supports
from iwax.data import Dataset
from iwax.data.on_disk import RowsOnDisk
from iwax.settings.parts.likelihoods import Likelihood

__all__ = ["check", "check_values"]


def check(likelihood: Likelihood, dataset: Dataset, *, source: str) -> None:
    """Refuse data outside the likelihood's support: not 0 or 1 for a Bernoulli, NaN or infinite for a Gaussian ...

    Raises ValueError naming the source, the split, the first row and column, the value there, and what to do.

    >>> from iwax import data
    >>> from iwax.settings.model import Model
    >>> check(Model(likelihood="bernoulli").likelihood, data.load("digits"), source="digits")
    """
    if dataset.binarize_training and likelihood.support != supports.binary:
        raise ValueError(
            f"{source}: model.likelihood={likelihood.kind} needs data that are not binarised at every access, got "
            f"{dataset.name}, which is; use model.likelihood=bernoulli"
        )
    for part, split in dataset.splits().items():
        if not (dataset.binarize_training and part == "train"):
            fractions = dataset.kind == "grey" and likelihood.family is not None and likelihood.family.grey
            for kind, of in (("columns", "table"), ("graph", "graph")):
                if (likelihood.kind == kind) != (dataset.kind == of):
                    _refuse_kind(likelihood, dataset, source)
            if isinstance(split.values, RowsOnDisk):
                _check_on_disk(likelihood, dataset.kind, split.values, unit=255 if fractions else 1)
            else:
                values = split.values / np.float32(255) if fractions else split.values
                check_values(likelihood, values, source=f"{source} ({part})")


def _check_on_disk(likelihood: Likelihood, kind: str, rows: RowsOnDisk, *, unit: int) -> None:
    """The same of rows on disk, which are read only where their kind does not say it."""
    possible = {"binary": np.arange(2), "grey": np.arange(256)}.get(kind)
    finite = likelihood.support in (supports.real, supports.anything)  # which was seen
    inside = possible is not None and likelihood.support.first_outside(possible / np.float32(unit)) is None
    if (finite or inside) and not (likelihood.pictures and rows.missing):
        return
    for numbers, values in rows.chunks():
        values = values if unit == 1 else values / np.float32(unit)
        outside = likelihood.support.first_outside(values, missing=True)
        missing = np.argwhere(np.isnan(values))[:1] if likelihood.pictures and rows.missing else ()
        for row in (*(() if outside is None else (outside[0],)), *(place[0] for place in missing)):
            file, number = rows.source.place(int(numbers[row]))
            check_values(likelihood, values[row : row + 1], source=file, before=number - 1)


def check_values(
    likelihood: Likelihood, values: np.ndarray, *, source: str, trained: bool = False, before: int = 0
) -> None:
    """Refuse rows [n, D] outside the support of a likelihood, to be ``trained`` or so already; ValueError names a cell.

    ``before`` counts the rows of the source before these.

    NaN marks a value that was not observed, and passes; the columns of a table have been checked as they were read.

    >>> from iwax.settings.model import Model
    >>> likelihood = Model(likelihood="bernoulli").likelihood
    >>> check_values(likelihood, np.array([[0.0, 0.5]]), source="x.npy")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: x.npy:1:2: a Bernoulli likelihood gives no density to 0.5: it needs 0 or 1; --binarize threshold or ...
    """
    if likelihood.pictures and np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise ValueError(
            f"{source}:{before + row + 1}:{column + 1}: model.likelihood={likelihood.kind} needs whole pictures, as "
            "every pixel depends on those before it, got a missing one; use model.likelihood=bernoulli"
        )
    support, family = likelihood.support, likelihood.family
    cell = support.first_outside(values, missing=True)
    if cell is not None:
        who = f"model.likelihood={likelihood.kind}" if family is None else family.who
        place = ":".join([source, str(before + cell[0] + 1), *(str(i + 1) for i in cell[1:])])
        advice = _advice(support, values[cell], trained=trained)
        raise ValueError(f"{place}: {support.refusal(values[cell], who=who, advice=advice)}")


def _refuse_kind(likelihood: Likelihood, dataset: Dataset, source: str) -> NoReturn:
    needs = {"columns": "a table with columns (.csv or .parquet)", "graph": "a graph (--set data.graph=true)"}
    wanted = needs.get(likelihood.kind or "", "rows of one kind of numbers")
    got = f"a table of {len(dataset.columns)} columns" if dataset.columns else f"{dataset.kind} rows"
    got = "a graph" if dataset.kind == "graph" else got
    raise ValueError(
        f"{source}: model.likelihood={likelihood.kind} needs {wanted}, got {got}; leave model.likelihood out, or save "
        "the numbers as .npy"
    )


def _advice(support: supports.Support, value: float, *, trained: bool) -> str:
    if not np.isfinite(value):
        return "remove or fill such rows" + ("" if trained else " before training")
    binary = support == supports.binary
    kind = "ones" if binary else "values"
    real = f"--set model.likelihood=gaussian models real {kind}"
    if trained:
        real = f"a run trained with model.likelihood=gaussian takes real {kind}"
    grey = "--binarize threshold or --binarize sample makes binary data of grey values, "
    return grey + real if binary else real
