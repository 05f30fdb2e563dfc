"""p(x|z)."""

from iwax.likelihoods.bernoulli import Bernoulli
from iwax.likelihoods.chain import Chain
from iwax.likelihoods.gaussian import Gaussian

__all__ = ["Bernoulli", "Chain", "Gaussian"]
