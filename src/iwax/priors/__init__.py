"""p(z): each is bound to its model once a step (`bind`), then called with the covariates of a data point."""

from iwax.priors.bernoulli import Bernoulli
from iwax.priors.categorical import Categorical
from iwax.priors.chain import Chain
from iwax.priors.exemplar import Exemplar
from iwax.priors.fixed import Fixed
from iwax.priors.flow import Flow
from iwax.priors.mixture import Mixture
from iwax.priors.of_features import OfFeatures
from iwax.priors.standard_normal import StandardNormal
from iwax.priors.vamp import Vamp

__all__ = [
    "Bernoulli",
    "Categorical",
    "Chain",
    "Exemplar",
    "Fixed",
    "Flow",
    "Mixture",
    "OfFeatures",
    "StandardNormal",
    "Vamp",
]
