"""Random variables: arrays in, no parameters of a model inside."""

from iwax.distributions.bernoulli import Bernoulli
from iwax.distributions.chain import Chain
from iwax.distributions.factorized import Factorized

__all__ = ["Bernoulli", "Chain", "Factorized"]
