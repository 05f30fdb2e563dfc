"""p(z): each is prepared once a step (`prepare`), then called like any part."""

from iwax.priors.bernoulli import Bernoulli
from iwax.priors.chain import Chain
from iwax.priors.standard_normal import StandardNormal

__all__ = ["Bernoulli", "Chain", "StandardNormal"]
