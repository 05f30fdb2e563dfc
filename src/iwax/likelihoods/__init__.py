"""p(x|z): a network and a family of densities, `Likelihood`, also by the family's name; and likelihoods around it."""

import warnings
from typing import Any

from iwax.families import FAMILIES
from iwax.likelihoods.autoregressive import Autoregressive
from iwax.likelihoods.chain import Chain
from iwax.likelihoods.columns import ColumnKind, Columns, columns_of
from iwax.likelihoods.flipped import Flipped
from iwax.likelihoods.likelihood import Likelihood
from iwax.likelihoods.named import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
    IntegerLogistic,
    LogNormal,
    NegativeBinomial,
    Poisson,
    StudentT,
    ZeroInflatedLogNormal,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from iwax.likelihoods.scaled import Scaled
from iwax.likelihoods.self_masking import SelfMasking

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "Chain",
    "ColumnKind",
    "Columns",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Flipped",
    "Gaussian",
    "IntegerLogistic",
    "Likelihood",
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "Scaled",
    "SelfMasking",
    "StudentT",
    "ZeroInflatedLogNormal",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
    "columns_of",
]


def __getattr__(name: str) -> Any:
    """Give ``COLUMN_KINDS``, whose name is `iwax.families.FAMILIES`, with a warning."""
    if name == "COLUMN_KINDS":
        warnings.warn("likelihoods.COLUMN_KINDS is families.FAMILIES", DeprecationWarning, stacklevel=2)
        return FAMILIES
    raise AttributeError(f"iwax.likelihoods has no {name!r}")
