"""p(x_j | eta_j): a file for each family of densities of independent features, and here the list of them.

A likelihood is a network and a family: ``Likelihood(network, families.gaussian(scale="network"))``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from iwax.families.bernoulli import Bernoulli as bernoulli
from iwax.families.categorical import Categorical as categorical
from iwax.families.columns import Columns
from iwax.families.continuous_bernoulli import ContinuousBernoulli as continuous_bernoulli
from iwax.families.discretized_logistic import DiscretizedLogistic as discretized_logistic
from iwax.families.discretized_logistic_mixture import DiscretizedLogisticMixture as discretized_logistic_mixture
from iwax.families.family import Family
from iwax.families.gaussian import Gaussian as gaussian
from iwax.families.integer_logistic import IntegerLogistic as integer_logistic
from iwax.families.location_scale import LocationScale
from iwax.families.log_normal import LogNormal as lognormal
from iwax.families.negative_binomial import NegativeBinomial as negative_binomial
from iwax.families.ordinal import Ordinal as ordinal
from iwax.families.outputs import blocks, located, split
from iwax.families.poisson import Poisson as poisson
from iwax.families.start import Start
from iwax.families.student_t import StudentT as student_t
from iwax.families.zero_inflated import ZeroInflatedLogNormal as zero_inflated_lognormal
from iwax.families.zero_inflated import ZeroInflatedNegativeBinomial as zero_inflated_negative_binomial
from iwax.families.zero_inflated import ZeroInflatedPoisson as zero_inflated_poisson

__all__ = [
    "FAMILIES",
    "Columns",
    "Family",
    "LocationScale",
    "Start",
    "bernoulli",
    "blocks",
    "categorical",
    "continuous_bernoulli",
    "discretized_logistic",
    "discretized_logistic_mixture",
    "gaussian",
    "integer_logistic",
    "located",
    "lognormal",
    "negative_binomial",
    "ordinal",
    "poisson",
    "split",
    "student_t",
    "zero_inflated_lognormal",
    "zero_inflated_negative_binomial",
    "zero_inflated_poisson",
]

_OF_NETWORK: tuple[type[Family], ...] = (
    bernoulli,
    continuous_bernoulli,
    discretized_logistic,
    gaussian,
    integer_logistic,
    lognormal,
    negative_binomial,
    poisson,
    student_t,
    zero_inflated_lognormal,
    zero_inflated_negative_binomial,
    zero_inflated_poisson,
)
# by its name in settings and tables, a family all of whose parameters the network gives: FAMILIES[name](floor=0.0)
FAMILIES: Mapping[str, Callable[..., Family]] = MappingProxyType(
    {each.name: each.of_network for each in _OF_NETWORK}
    | {"nonnegative_integer_logistic": partial(integer_logistic, lower=0)}
)
