"""p(x|z): a network and a family of densities, `Likelihood`, also by the family's name; and likelihoods around it."""

from iwax import former_names
from iwax.likelihoods.autoregressive import Autoregressive
from iwax.likelihoods.columns import ColumnKind, Columns, columns_of
from iwax.likelihoods.flipped import Flipped
from iwax.likelihoods.graph import Graph
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
from iwax.likelihoods.nested import Chain, Nested
from iwax.likelihoods.scaled import Scaled
from iwax.likelihoods.self_masking import SelfMasking
from iwax.likelihoods.unconditional import Unconditional

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
    "Graph",
    "IntegerLogistic",
    "Likelihood",
    "LogNormal",
    "NegativeBinomial",
    "Nested",
    "Poisson",
    "Scaled",
    "SelfMasking",
    "StudentT",
    "Unconditional",
    "ZeroInflatedLogNormal",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
    "columns_of",
]

__getattr__ = former_names.of(__name__)
