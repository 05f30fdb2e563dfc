"""Samplers: independent draws, draws against the mixture of their posteriors, and particle filters."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import batched
from iwax._typing import PerDatum, PRNGKey, Scalar
from iwax.bounds import Bound
from iwax.model import LatentVariableModel, Terms
from iwax.parts import Datum

__all__ = ["Hold", "LogWeights", "Sampler", "Sequential", "independent", "mixture", "weighted_log_joint"]

Hold: TypeAlias = batched.Hold  # what of q is held constant


class LogWeights(Protocol):
    """What gives log-weights at a temperature: `model.Terms`, or what a sampler of your own has."""

    def log_w(self, beta: Scalar | float = 1.0) -> Float[Array, "..."]: ...


class Sampler(ABC):
    """k draws of every data point x, a `Datum`, and the bound of their log-weights.

    The pathwise gradient is the plain derivative of the bound, whatever depends on the parameters of q. Two more
    estimators are such derivatives with a part of q held constant, and a sampler that ``holds`` it serves them: the
    densities of the draws (`gradients.sticking_the_landing`), or the draws themselves (`gradients.wake`). The weights
    of the others are those of independent draws. `gradients.doubly_reparameterized` turns the score of each draw under
    its own density into a path; a mixture weights draws by the densities of all, and states that share one noise are
    not independent. `gradients.score_function` needs the probability of each draw by itself, for the same reason.
    `gradients.covariance` has masses of 1/k. A particle filter resamples, of which none of them knows.
    """

    holds: ClassVar[frozenset[Hold]] = frozenset()

    @abstractmethod
    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0) -> Any:
        """The log-weights of the draws first, ..., first + k - 1, nats, under the total derivative: ``log_w(beta)``."""

    def close(self, bound: Bound, terms: LogWeights, key: PRNGKey | None, beta: Scalar | float = 1.0) -> PerDatum:
        """The bound of every data point, [batch], nats."""
        return bound(terms.log_w(beta), key)

    def terms_holding(self, hold: Hold, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int) -> Any:
        """`terms` with the draws of q, or their densities, held constant. ValueError if it is not in ``holds``."""
        raise ValueError(f"the {self} sampler cannot hold the {hold} of q constant")

    def wake(self, terms: Any, beta: Scalar | float = 1.0) -> PerDatum:
        """``sum_i w̃_i (log p(x, z_i) + log q(z_i|x))``, w̃ and the draws held constant, for `gradients.wake`."""
        return weighted_log_joint(terms, 0.0, beta)

    def estimates(
        self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0
    ) -> Float[Array, "k batch"]:
        """The logarithms of k independent, unbiased estimates of p(x), nats. ValueError where draws are no such."""
        raise ValueError(
            f"the {self} sampler has no estimates of p(x) that are independent from draw to draw: "
            "use samplers.independent or samplers.Enumerated"
        )

    def reparameterized(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> bool:
        """Whether what is drawn has a derivative in the parameters of q. Nothing is computed."""
        return batched.reparameterized(model, key, x)

    def states_per_draw(self, model: LatentVariableModel, x: Datum) -> int:
        """The number of latents that are decoded for each of the k draws. Nothing is computed."""
        return 1


@dataclass(frozen=True)
class _Independent(Sampler):
    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0) -> Terms:
        return batched.terms(model, key, x, k=k, first=first)

    def estimates(
        self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0
    ) -> Float[Array, "k batch"]:
        return self.terms(model, key, x, k=k, first=first).log_w()

    def __repr__(self) -> str:
        return "independent"


@dataclass(frozen=True)
class _Mixture(Sampler):
    holds: ClassVar[frozenset[Hold]] = frozenset(get_args(Hold))

    def terms(self, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: int | Array = 0) -> Terms:
        return batched.mixture_terms(model, key, x, k=k)

    def terms_holding(self, hold: Hold, model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int) -> Terms:
        return batched.mixture_terms(model, key, x, k=k, hold=hold)

    def __repr__(self) -> str:
        return "mixture"


independent: Sampler = _Independent()
"""``z_i ~ q(z|x)``, each with its own posterior in the denominator: `batched.terms`. Every estimator serves it."""

mixture: Sampler = _Mixture()
"""The mean of all k posteriors in the denominator; they differ if networks are random: `batched.mixture_terms`."""


class Sequential(Sampler):
    """A particle filter: ``terms`` gives log-weights [blocks, k, batch] between resamplings, a block for each.

    The bound is the sum over the blocks of the bound of each: with `bounds.iwae` the logarithm of the filter's unbiased
    estimate of p(x) (Maddison et al. 2017, arXiv:1705.09279). A subclass draws, resamples and computes weights, and
    returns `model.Terms` of that shape, or anything with ``log_w(beta)``; a block of log-weights 0, as beyond the end
    of a sequence, adds nothing. The gradient is the derivative of the terms as they are computed. There are no
    `estimates`: the k particles of one filter meet when they are resampled, and are together one estimate of p(x), so
    that `evaluation.log_evidence` refuses the sampler; evaluate a filter by the bound of an objective over several
    keys.
    """

    def close(self, bound: Bound, terms: LogWeights, key: PRNGKey | None, beta: Scalar | float = 1.0) -> PerDatum:
        """The sum over the blocks of the bound of each, [batch], nats."""
        return jnp.sum(bound(jnp.swapaxes(terms.log_w(beta), 0, 1), key), axis=0)

    def reparameterized(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> bool:
        """Taken for granted: what is drawn is the filter's own."""
        return True


def weighted_log_joint(terms: Terms, log_mass: Any, beta: Scalar | float) -> PerDatum:
    """``sum_i w̃_i (log p(x, z_i) + log q(z_i|x))``, w̃ held constant, of draws with log-masses."""
    log_w = (terms.log_w(beta) + log_mass).reshape(-1, terms.log_prior.shape[-1])
    share = jax.lax.stop_gradient(jax.nn.softmax(log_w, axis=0))
    log_p = terms.log_likelihood + beta * terms.log_prior - terms.penalty
    both = (log_p + terms.log_posterior).reshape(share.shape)
    return jnp.sum(jnp.where(share > 0, share * both, 0), axis=0)
