"""p(x|z)."""

from iwax.likelihoods.autoregressive import Autoregressive
from iwax.likelihoods.bernoulli import Bernoulli
from iwax.likelihoods.categorical import Categorical
from iwax.likelihoods.chain import Chain
from iwax.likelihoods.columns import COLUMN_KINDS, ColumnKind, Columns
from iwax.likelihoods.continuous_bernoulli import ContinuousBernoulli
from iwax.likelihoods.discretized_logistic import DiscretizedLogistic
from iwax.likelihoods.discretized_logistic_mixture import DiscretizedLogisticMixture
from iwax.likelihoods.flipped import Flipped
from iwax.likelihoods.gaussian import Gaussian
from iwax.likelihoods.integer_logistic import IntegerLogistic
from iwax.likelihoods.log_normal import LogNormal
from iwax.likelihoods.negative_binomial import NegativeBinomial
from iwax.likelihoods.poisson import Poisson
from iwax.likelihoods.scaled import Scaled
from iwax.likelihoods.self_masking import SelfMasking
from iwax.likelihoods.student_t import StudentT
from iwax.likelihoods.zero_inflated_log_normal import ZeroInflatedLogNormal
from iwax.likelihoods.zero_inflated_negative_binomial import ZeroInflatedNegativeBinomial
from iwax.likelihoods.zero_inflated_poisson import ZeroInflatedPoisson

__all__ = [
    "COLUMN_KINDS",
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
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "Scaled",
    "SelfMasking",
    "StudentT",
    "ZeroInflatedLogNormal",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
]
