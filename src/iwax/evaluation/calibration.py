"""Simulation-based calibration: does a sampler draw from the model's own posterior?

Simulate ``z* ~ p(z), x ~ p(x|z*)`` and let the sampler draw z_1, ..., z_L given x. If it draws from p(z|x), the rank of
every unit of z* among those of the draws is uniform on 0, ..., L. Talts, Betancourt, Simpson, Vehtari and Gelman,
"Validating Bayesian inference algorithms with simulation-based calibration" (2018, arXiv:1804.06788).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import stats

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.evaluation.importance_posterior import resampled
from iwax.evaluation.rows import at_least
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent
from iwax.printed import printed

__all__ = [
    "Calibration",
    "Sampler",
    "posterior_sampler",
    "resampling_sampler",
    "simulation_based_calibration",
    "uniformity",
]

Sampler: TypeAlias = Callable[[LatentVariableModel, PRNGKey, Datum, int], Latent]
"""(model, key, x, draws) -> z, [batch, draws, units] per layer: draws meant to come from p(z|x), for every row of x."""

_LEAST_EXPECTED = 5  # counts per bin, below which a chi-square statistic has not its distribution (Cochran 1954)
_NOTED = 3.5  # standard errors from which a unit's ranks are described


@printed()
@dataclass(frozen=True)
class Calibration:
    """How often each rank came, by bins of equal width: ``counts`` [units, bins], units of all layers from z_1 upwards.

    ``statistic`` [units] is the chi-square statistic of a unit's counts against equal ones, ``p_values`` [units] its
    p-values with bins - 1 degrees of freedom, and ``p_value`` that of the whole, the least of them times the number of
    units (Bonferroni), at most 1. ``location`` and ``spread`` [units] are the mean of the normalised rank less 1/2 and
    its variance less that of a uniform one, each in its standard errors: what the sampler does wrong, in two numbers.
    """

    simulations: int
    draws: int
    counts: np.ndarray
    statistic: np.ndarray
    p_values: np.ndarray
    p_value: float
    location: np.ndarray
    spread: np.ndarray

    def accepted(self, level: float = 1e-3) -> bool:
        """Whether the ranks may be uniform: a right sampler is refused with probability ``level`` at most."""
        return self.p_value >= level

    def summary(self, level: float = 1e-3) -> list[str]:
        """In plain words, the verdict, and what is wrong with which unit."""
        units, bins = self.counts.shape
        test = f"{self.simulations} simulations, {self.draws} draws, {bins} bins, {units} units: p = {self.p_value:.2g}"
        if self.accepted(level):
            return [f"calibrated, as far as this can tell ({test})"]
        found = [f"not calibrated: the ranks of the truth among the draws are not uniform ({test})"]
        for unit in np.flatnonzero(self.p_values * units < level):
            found.append(f"unit {unit}: {self._fault(int(unit))} (p = {self.p_values[unit]:.2g})")
        return found

    def _fault(self, unit: int) -> str:
        location, spread = self.location[unit], self.spread[unit]
        found = []
        if abs(location) > _NOTED:
            found.append(f"draws lie too {'low' if location > 0 else 'high'}")
        if abs(spread) > _NOTED:
            found.append(f"draws spread too {'little' if spread > 0 else 'widely'}")
        return " and ".join(found) or "the shape of the draws is wrong"


def simulation_based_calibration(
    model: LatentVariableModel,
    sampler: Sampler,
    *,
    simulations: int = 1000,
    draws: int = 99,
    bins: int = 20,
    key: PRNGKey,
    batch: int = 100,
) -> Calibration:
    """Ranks of ``z* ~ p(z)`` among the sampler's draws given ``x ~ p(x|z*)``, and whether they are uniform.

    Ties, as discrete latents have them, are broken at random. With 8 latents, 99 draws and 20 bins at the level 1e-3,
    1,000 simulations refuse a posterior with standard deviations 0.8 times the right ones, or means 0.2 of them off.
    ``batch`` simulations are worked on at once; the noise is a function of (key, simulation, draw).
    Raises ValueError where draws + 1 is no multiple of bins, a bin is expected to hold less than 5 of the simulations,
    or a number is below 1, and where the sampler's draws have not the shape of the model's latents.
    """
    at_least(1, {"simulations": simulations, "draws": draws, "batch": batch})
    at_least(2, {"bins": bins})
    if (draws + 1) % bins:
        raise ValueError(f"draws + 1 ranks must fill the bins evenly: got draws={draws} and bins={bins}")
    if simulations < _LEAST_EXPECTED * bins:
        raise ValueError(
            f"a bin must expect at least {_LEAST_EXPECTED} simulations: "
            f"got simulations={simulations} and bins={bins}; ask for {_LEAST_EXPECTED * bins} or more"
        )
    batch = min(batch, simulations)
    ranks = [
        np.asarray(_ranks(model, sampler, key, jnp.int32(first), batch, draws))[: simulations - first]
        for first in range(0, simulations, batch)
    ]
    return uniformity(np.concatenate(ranks), draws=draws, bins=bins)


def uniformity(ranks: Int[np.ndarray, "simulations units"], *, draws: int, bins: int) -> Calibration:
    """Whether ranks 0, ..., draws are uniform, per unit, by chi-square over bins of equal width, with Bonferroni.

    >>> uniformity(np.arange(1000)[:, None] % 100, draws=99, bins=20).accepted()
    True
    """
    simulations, units = ranks.shape
    binned = ranks * bins // (draws + 1)
    counts = np.stack([np.bincount(binned[:, unit], minlength=bins) for unit in range(units)])
    statistic = ((counts - simulations / bins) ** 2).sum(axis=1) * bins / simulations
    p_values = stats.chi2.sf(statistic, bins - 1)
    normalised = (ranks + 0.5) / (draws + 1) - 0.5
    variance = (1 - (draws + 1.0) ** -2) / 12  # of one uniform on draws + 1 equally spaced points
    location = normalised.mean(axis=0) / np.sqrt(variance / simulations)
    # the fourth moment of a uniform is 1/80, so that a squared one has variance 1/180
    spread = ((normalised**2).mean(axis=0) - variance) / np.sqrt(1 / 180 / simulations)
    p_value = float(min(1.0, units * p_values.min()))
    return Calibration(simulations, draws, counts, statistic, p_values, p_value, location, spread)


def posterior_sampler(model: LatentVariableModel, key: PRNGKey, x: Datum, draws: int) -> Latent:
    """Draws of q(z|x), as `simulation_based_calibration` takes a sampler."""

    def one(key: PRNGKey, datum: Datum) -> Latent:
        return batched.over_draws(lambda key: model.propose(datum, key).z, key, draws)

    return batched.over_data(one, key, x)


def resampling_sampler(k: int) -> Sampler:
    """A sampler by sampling-importance-resampling: each draw is one of k of q(z|x), by its weight.

    >>> resampling_sampler(0)
    Traceback (most recent call last):
        ...
    ValueError: k must be at least 1, got 0
    """
    at_least(1, {"k": k})

    def sampler(model: LatentVariableModel, key: PRNGKey, x: Datum, draws: int) -> Latent:
        return resampled(model, key, x, k=k, draws=draws)

    return sampler


@eqx.filter_jit
def _ranks(
    model: LatentVariableModel, sampler: Sampler, key: PRNGKey, first: Array, batch: int, draws: int
) -> Int[Array, "batch units"]:
    """The rank of every unit of the simulated truth among the draws, for simulations first, ..., first + batch - 1."""
    truth, _, x = batched.generate(model, jax.random.fold_in(key, streams.Simulation.TRUTH), batch, first=first)
    datum = Datum(values=x, index=first + jnp.arange(batch))
    drawn = sampler(model, jax.random.fold_in(key, streams.Simulation.DRAWS), datum, draws)
    expected = jax.tree.map(lambda leaf: (batch, draws, *leaf.shape[1:]), truth)
    got = jax.tree.map(jnp.shape, drawn)
    if expected != got:
        raise ValueError(f"a sampler must give draws of shape {expected} for this model: got {got}")
    truths, draws_of = (_units(tree) for tree in (truth, drawn))
    below = jnp.sum(draws_of < truths[:, None], axis=1)
    ties = jnp.sum(draws_of == truths[:, None], axis=1)

    def chance(key: PRNGKey, datum: Datum, ties: Array) -> Array:
        return jnp.minimum((jax.random.uniform(key, ties.shape) * (ties + 1)).astype(int), ties)  # 0, ..., ties

    return below + batched.over_data(chance, jax.random.fold_in(key, streams.Simulation.TIES), datum, ties)


def _units(z: Latent) -> Float[Array, "*batch units"]:
    """The units of all layers along the last axis."""
    return jnp.concatenate(jax.tree.leaves(z), axis=-1)
