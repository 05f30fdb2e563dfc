"""Random variables: arrays in, no parameters of a model inside."""

from iwax import former_names
from iwax.distributions.autoregressive import Autoregressive
from iwax.distributions.bernoulli import Bernoulli
from iwax.distributions.categorical import Categorical
from iwax.distributions.chain import Chain
from iwax.distributions.columns import Columns
from iwax.distributions.continuous_bernoulli import ContinuousBernoulli
from iwax.distributions.discretized_logistic import DiscretizedLogistic
from iwax.distributions.feature_mixture import FeatureMixture
from iwax.distributions.flipped_bernoulli import FlippedBernoulli
from iwax.distributions.graph import Graph
from iwax.distributions.hamiltonian import Hamiltonian
from iwax.distributions.hurdle import Hurdle
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.integer_logistic import IntegerLogistic
from iwax.distributions.log_normal import LogNormal
from iwax.distributions.mixture import Mixture
from iwax.distributions.negative_binomial import NegativeBinomial
from iwax.distributions.normal import Normal
from iwax.distributions.ordinal import Ordinal
from iwax.distributions.point import Point
from iwax.distributions.poisson import Poisson
from iwax.distributions.scaled import Scaled
from iwax.distributions.student_t import StudentT
from iwax.distributions.transformed import Transformed
from iwax.distributions.zero_inflated import ZeroInflated

__all__ = [
    "AbstractIndependent",
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "Chain",
    "Columns",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "FeatureMixture",
    "FlippedBernoulli",
    "Graph",
    "Hamiltonian",
    "Hurdle",
    "IntegerLogistic",
    "LogNormal",
    "Mixture",
    "NegativeBinomial",
    "Normal",
    "Ordinal",
    "Point",
    "Poisson",
    "Scaled",
    "StudentT",
    "Transformed",
    "ZeroInflated",
]

__getattr__ = former_names.of(__name__)
