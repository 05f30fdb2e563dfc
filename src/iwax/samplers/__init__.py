"""How the k draws of a data point come about, as values: what is drawn, and how a bound takes the log-weights."""

from iwax import former_names
from iwax.samplers.enumerated import Enumerated, StateTerms
from iwax.samplers.sampler import Sampler, Sequential, independent, mixture

__all__ = ["Enumerated", "Sampler", "Sequential", "StateTerms", "independent", "mixture"]

__getattr__ = former_names.of(__name__)
