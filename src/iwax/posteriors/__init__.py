"""q(z|x)."""

from iwax.posteriors.chain import Chain
from iwax.posteriors.gaussian import Gaussian

__all__ = ["Chain", "Gaussian"]
