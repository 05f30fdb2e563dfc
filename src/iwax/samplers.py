"""How the k draws of a data point come about, as values: what is drawn, and how a bound takes the log-weights."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from iwax import batched
from iwax._typing import AnyArray, Datum, LogWeights, PerDatum, PRNGKey
from iwax.bounds import Bound
from iwax.model import LatentVariableModel, Terms

__all__ = ["Sampler", "independent", "mixture"]


class Sampler(ABC):
    """k draws of every data point, and the bound of their log-weights, whose gradient is its plain derivative."""

    @abstractmethod
    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, *, k: int) -> Terms:
        """The terms of log w at the draws, nats, under the total derivative."""

    def close(self, bound: Bound, log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        """The bound of every data point, [batch], nats."""
        return bound(log_w, key)


@dataclass(frozen=True)
class _Independent(Sampler):
    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, *, k: int) -> Terms:
        return batched.terms(model, key, x, k=k)

    def __repr__(self) -> str:
        return "independent"


@dataclass(frozen=True)
class _Mixture(Sampler):
    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, *, k: int) -> Terms:
        return batched.mixture_terms(model, key, x, k=k)

    def __repr__(self) -> str:
        return "mixture"


independent: Sampler = _Independent()
"""``z_i ~ q(z|x)``, each weighed against its own posterior: `batched.terms`. Every estimator serves it."""

mixture: Sampler = _Mixture()
"""Each weighed against the mean of all k posteriors, which differ if networks are random: `batched.mixture_terms`."""
