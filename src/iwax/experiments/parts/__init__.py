"""Networks, likelihoods, posteriors and priors as the settings of a model say."""

from iwax.experiments.parts.likelihoods import likelihood, of_features, support
from iwax.experiments.parts.networks import Moments
from iwax.experiments.parts.posteriors import posterior
from iwax.experiments.parts.priors import prior
from iwax.experiments.parts.whole import assemble, size

__all__ = ["Moments", "assemble", "likelihood", "of_features", "posterior", "prior", "size", "support"]
