"""The aggregate posterior ``q(z) = (1/N) sum_n q(z|x_n)``: how much z says of x, and how far q(z) is from the prior.

    (1/N) sum_n KL(q(z|x_n) || p(z))  =  I_q(n; z)  +  KL(q(z) || p(z))

(Hoffman and Johnson 2016, "ELBO surgery", NIPS workshop on advances in approximate Bayesian inference; Makhzani et al.
2016, arXiv:1511.05644). log q(z) is a mixture over the rows, summed exactly; the expectations are over draws.
"""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.evaluation.rows import Block, DataPoints, at_least, blocks, by_row, checked
from iwax.evaluation.statistics import mean_with_errors, standard_error
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Distribution, Latent
from iwax.printed import printed

__all__ = ["AggregatePosterior", "aggregate_posterior"]

PARTS = ("mutual_information", "divergence", "kl")


@printed()
@dataclass(frozen=True)
class AggregatePosterior:
    """What every row adds to I_q(n; z), to KL(q(z) || p(z)), and to their sum; float64 [n], nats, with the errors of
    their means over draws. All stochastic layers are taken together.

    ``mutual_information`` is that of z with the number of the row among these N: its mean is at most log N. As an
    estimate of I_q(x; z) over all data it is too low, and ``divergence`` as much too high, the more so the nearer the
    first comes to log N: q(z) then falls apart into the posteriors of single rows.
    """

    rows: np.ndarray
    draws: int
    mutual_information: np.ndarray
    mutual_information_error: np.ndarray
    divergence: np.ndarray
    divergence_error: np.ndarray
    kl: np.ndarray
    kl_error: np.ndarray

    @property
    def limit(self) -> float:
        """log N, which the mutual information cannot exceed, nats."""
        return float(np.log(self.rows.size))

    def summary(self) -> dict[str, dict[str, float]]:
        """The mean of each over the rows, its standard error over the data (the mixture held fixed) and over draws."""
        return {name: mean_with_errors(getattr(self, name), getattr(self, f"{name}_error")) for name in PARTS}

    def warnings(self) -> list[str]:
        """Say, in plain words, if the numbers depend on N more than on the model; else empty."""
        found = float(np.mean(self.mutual_information))
        if self.rows.size > 1 and found > 0.8 * self.limit:
            return [
                f"the mutual information, {found:.2f} nats, is near its largest value with {self.rows.size} rows, "
                f"log N = {self.limit:.2f}: over all data it may be far larger, and KL(q(z) || p(z)) smaller; "
                "take more rows"
            ]
        return []


def aggregate_posterior(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    key: PRNGKey,
    draws: int = 4,
    rows: np.ndarray | None = None,
    batch: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> AggregatePosterior:
    """I_q(n; z) and KL(q(z) || p(z)) of the rows of x [n, features], from ``draws`` draws of q(z|x_n) per row.

    Works in time n^2 and in memory that does not grow with n beyond the results: ``batch`` rows' draws against
    ``batch`` rows' densities at once. The errors over draws need two draws or more. A posterior whose network is random
    is taken at one draw of it per row. Raises ValueError where x is not a table of finite numbers or a number is below
    1.
    """
    x = checked(model, x, rows, key)
    at_least(1, {"draws": draws, "batch": batch})
    n, model = len(x), batched.ready(model, key)
    everything = list(blocks(x, batch))

    def of_block(block: Block) -> np.ndarray:
        z, own, prior = _drawn(model, key, block.x, draws)
        own, prior = np.asarray(own, np.float64), np.asarray(prior, np.float64)
        aggregate = np.full(own.shape, -np.inf)
        for other in everything:
            sums = np.asarray(_log_sum(model, key, other.x, z, jnp.asarray(other.size)), np.float64)
            aggregate = np.logaddexp(aggregate, sums - np.log(n))
        parts = (own - aggregate, aggregate - prior, own - prior)  # [batch, draws] each
        return np.stack([column for part in parts for column in (part.mean(axis=1), standard_error(part))])

    columns = by_row(of_block, x, batch, progress=progress, axis=1)
    return AggregatePosterior(np.asarray(x.index), draws, *columns)


def _posterior(model: LatentVariableModel, key: PRNGKey, datum: Datum) -> Distribution:
    return model.infer(datum, key=jax.random.fold_in(key, streams.Aggregate.POSTERIOR))


@eqx.filter_jit
def _drawn(model: LatentVariableModel, key: PRNGKey, x: Datum, draws: int) -> tuple[Latent, Array, Array]:
    """Draws of every row's posterior [batch, draws, ...], log q of them at their own row, and log p; [batch, draws]."""
    model = batched.bound(model, key)

    def one(key: PRNGKey, datum: Datum) -> tuple[Latent, Array, Array]:
        q = _posterior(model, key, datum)
        p = model.prior(datum.given, key=jax.random.fold_in(key, streams.Aggregate.PRIOR))

        def draw(key: PRNGKey) -> tuple[Latent, Array, Array]:
            z, log_q = q.sample_and_log_prob(key)
            return z, log_q, p.log_prob(z)

        return batched.over_draws(draw, jax.random.fold_in(key, streams.Aggregate.DRAWS), draws)

    return batched.over_data(one, key, x)


@eqx.filter_jit
def _log_sum(model: LatentVariableModel, key: PRNGKey, x: Datum, z: Latent, count: Array) -> Array:
    """log of the sum of q(z|x_m) over the first ``count`` rows m of x, at draws z [batch, draws, ...]."""

    def one(key: PRNGKey, datum: Datum) -> Array:
        q = _posterior(model, key, datum)
        return jax.vmap(jax.vmap(lambda z: q.log_prob(z)))(z)

    log_q = batched.over_data(one, key, x)  # [rows of the mixture, batch, draws]
    real = jnp.arange(log_q.shape[0]) < count  # not the padding of the last block
    return jax.nn.logsumexp(jnp.where(real[:, None, None], log_q, -jnp.inf), axis=0)
