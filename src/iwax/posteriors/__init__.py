"""q(z|x)."""

from iwax.posteriors.bernoulli import Bernoulli
from iwax.posteriors.chain import Chain
from iwax.posteriors.gaussian import Gaussian

__all__ = ["Bernoulli", "Chain", "Gaussian"]
