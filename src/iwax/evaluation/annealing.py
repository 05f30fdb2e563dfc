"""Chains from a distribution that can be sampled to the posterior, or back: what both annealed estimates are made of.

``log f_beta(z) = (1 - beta) log f_0(z) + beta log p(x, z)`` for beta_0 = 0 < ... < beta_T = 1, f_0 the prior or
q(z|x). A chain forward starts at z_0 ~ f_0 and adds up ``(beta_t - beta_{t-1}) (log p(x, z) - log f_0(z))`` at every z
before it moves by a transition that leaves f_{beta_t} invariant; one backward starts at a z of the posterior and takes
the same terms in the opposite order. A row's noise is keyed by (key, row number, chain), and so are the networks that
draw their weights: they stay the same all along a chain.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import batched, streams
from iwax._typing import PRNGKey, Scalar
from iwax.evaluation.hamiltonian import TARGET_ACCEPTANCE, Path, Point, at, transition
from iwax.evaluation.rows import at_least
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent
from iwax.printed import printed

__all__ = ["LADDERS", "STARTS", "Chains", "Plan", "anneal", "betas", "refuse_discrete", "tuned"]

STARTS, LADDERS = ("prior", "posterior"), ("sigmoidal", "linear")
_STEEPNESS = 4.0  # of the sigmoidal ladder: Wu et al. (2017, arXiv:1611.04273)
_SEGMENT = 50  # temperatures per call: what bounds the memory, and how long a signal waits
_GAIN = 0.5  # of the logarithm of the step, for each unit by which an acceptance misses its target
_FIRST_STEP = 0.5


@dataclass(frozen=True)
class Plan:
    """How the chains go: how many, over how many temperatures, with how many leapfrog steps at each, from where.

    ``step`` is the size of the leapfrog steps (None: it is tuned). Raises ValueError if a number is out of range, or a
    name is unknown.
    """

    chains: int
    temperatures: int
    leapfrog: int
    start: str
    ladder: str
    step: float | None = None

    def __post_init__(self) -> None:
        at_least(1, {"chains": self.chains, "temperatures": self.temperatures, "leapfrog": self.leapfrog})
        for name, value, known in (("start", self.start, STARTS), ("ladder", self.ladder, LADDERS)):
            if value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, got {value!r}")
        if self.step is not None and not 0 < self.step < np.inf:
            raise ValueError(f"step must be a positive size of the leapfrog steps, or None to tune it, got {self.step}")

    @property
    def moves(self) -> "Plan":
        """The plan less what the compiled loop does not depend on."""
        return replace(self, temperatures=1, ladder="linear", step=None)


@printed()
class Chains(NamedTuple):
    """The chains of some rows: ``log_w`` [chains, rows] in nats, float64, and the mean acceptance [rows]."""

    log_w: np.ndarray
    acceptance: np.ndarray


def betas(temperatures: int, ladder) -> np.ndarray:
    """beta_0 = 0 to beta_T = 1 [T + 1], evenly spaced, or along a sigmoid, hence close together near both ends.

    >>> betas(4, "sigmoidal").round(3).tolist()
    [0.0, 0.105, 0.5, 0.895, 1.0]
    """
    even = np.linspace(0, 1, temperatures + 1)
    if ladder == "linear":
        return even
    curve = 1 / (1 + np.exp(-_STEEPNESS * (2 * even - 1)))
    return (curve - curve[0]) / (curve[-1] - curve[0])


def tuned(model: LatentVariableModel, key: PRNGKey, x: Datum, plan: Plan) -> np.ndarray:
    """The logarithm of the step at every temperature [rows, T + 1], from chains that are thrown away.

    Each chain of a warm-up over a tenth of the temperatures, or fifty, follows the step at which moves are accepted
    with probability 0.65 (Robbins and Monro 1951); a row takes the mean of its chains. With a ``step`` of the plan,
    that number.
    """
    rows = x.values.shape[0]
    if plan.step is not None:
        return np.full((rows, plan.temperatures + 1), np.log(plan.step))
    segment = min(plan.temperatures, _SEGMENT)
    total = -(-max(50, plan.temperatures // 10) // segment) * segment
    still = total // 5  # moves at beta = 0, where the chain is at home, to find the first step
    ladder = np.concatenate([np.zeros(still), betas(total - still - 1, plan.ladder)])
    key, moves = jax.random.fold_in(key, streams.Annealing.WARM_UP), plan.moves
    points, offsets = _begin(model, key, x, None, plan.chains, plan.start)
    offsets, found = offsets + np.log(_FIRST_STEP), []
    for first in range(0, total, segment):
        numbers = jnp.arange(first, first + segment, dtype=jnp.uint32)
        targets = jnp.asarray(ladder[first : first + segment]).astype(float)
        (points, offsets), (_, _, steps) = _anneal_segment(
            model, key, x, points, offsets, jnp.zeros((rows, segment)), numbers, targets, jnp.asarray(_GAIN), moves
        )
        found.append(np.asarray(steps, np.float64).mean(axis=1))
    log_steps = np.concatenate(found, axis=1)[:, still:]
    at_warm_up, wanted = np.linspace(0, 1, log_steps.shape[1]), np.linspace(0, 1, plan.temperatures + 1)
    return np.stack([np.interp(wanted, at_warm_up, row) for row in log_steps])


def anneal(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    plan: Plan,
    log_steps: np.ndarray,
    *,
    back: Latent | None = None,
    progress: Callable[[float], None] | None = None,
) -> Chains:
    """Log-weights of all chains, forward; or backward from ``back``, draws [rows, ...] of the posterior.

    Forward, the mean of exp(log w) is p(x), whatever the steps, as long as they are none of these chains' doing; and
    backward, the mean of exp(-log w) is 1/p(x). ``progress`` is called with the fraction of the temperatures that is
    done.
    """
    ladder = np.asarray(jnp.asarray(betas(plan.temperatures, plan.ladder)).astype(float), np.float64)  # as the device's
    targets, steps, gaps = ladder[1:], log_steps[:, 1:], np.diff(ladder)
    if back is not None:
        targets, steps, gaps = ladder[-2::-1], log_steps[:, -2::-1], gaps[::-1]
    calls = -(-plan.temperatures // _SEGMENT)
    segment = -(-plan.temperatures // calls)
    index = np.minimum(np.arange(calls * segment), plan.temperatures - 1)  # the last call may move for nothing
    gaps = np.pad(gaps, (0, calls * segment - plan.temperatures))
    direction = streams.Annealing.FORWARD if back is None else streams.Annealing.BACKWARD
    key, moves = jax.random.fold_in(key, direction), plan.moves
    points, offsets = _begin(model, key, x, back, plan.chains, plan.start)
    log_w, accepted = np.zeros(offsets.shape), np.zeros(offsets.shape)
    for first in range(0, calls * segment, segment):
        here = index[first : first + segment]
        numbers = jnp.arange(first, first + segment, dtype=jnp.uint32)
        schedule = (jnp.asarray(each).astype(float) for each in (steps[:, here], targets[here]))
        of_rows, of_all = schedule
        (points, offsets), (ratios, rates, _) = _anneal_segment(
            model, key, x, points, offsets, of_rows, numbers, of_all, jnp.zeros(()), moves
        )
        log_w += np.asarray(ratios, np.float64) @ gaps[first : first + segment]
        accepted += np.asarray(rates, np.float64) @ (gaps[first : first + segment] > 0)
        if progress is not None:
            progress((first + segment) / (calls * segment))
    return Chains(log_w.T, accepted.mean(axis=1) / plan.temperatures)


def refuse_discrete(model: LatentVariableModel, x: Datum) -> None:
    """Raise ValueError where a layer of latents is discrete: Hamiltonian dynamics need a gradient in z."""
    kinds: list[Any] = []

    def look(datum: Datum, key: PRNGKey) -> Latent:
        draw = model.propose(datum, key)
        kinds.extend((*draw.distribution.layers(draw.z), draw.distribution))
        return draw.z

    datum = jax.tree.map(lambda leaf: leaf[0], x)
    z = eqx.filter_eval_shape(look, datum, jax.random.key(0))
    discrete = [type(layer).__name__ for layer in kinds if not layer.reparameterized]
    discrete += [str(leaf.dtype) for leaf in jax.tree.leaves(z) if not jnp.issubdtype(leaf.dtype, jnp.floating)]
    if discrete:
        raise ValueError(
            f"annealing by Hamiltonian Monte Carlo needs continuous latents, got {discrete[0]} ones: use importance "
            "sampling (iwax.evaluation.log_evidence, --method importance) with a large k"
        )


@eqx.filter_jit
def _begin(
    model: LatentVariableModel, key: PRNGKey, x: Datum, back: Latent | None, chains: int, start: str
) -> tuple[Any, Any]:
    """Where the chains stand at first, [rows, chains, ...], and a 0 for each."""
    model = batched.bound(model, key)

    def of_row(key: PRNGKey, x: Datum, *given: Latent) -> Point:
        def of_chain(key: PRNGKey) -> Point:
            path, z = _path(model, x, key, start)
            return at(path, *given or (z,))

        return batched.over_draws(of_chain, key, chains)

    points = batched.over_data(of_row, key, x, *(() if back is None else (back,)))
    return points, jnp.zeros_like(points.start)


@eqx.filter_jit
def _anneal_segment(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    points: Any,
    offsets: Any,
    log_steps: Any,
    numbers: Any,
    targets: Any,
    gain: Any,
    moves: Plan,
) -> Any:
    """Some temperatures of all chains of all rows: the points reached, and [rows, chains, temperatures] of each move.

    With a gain above 0 the steps follow the acceptance; with none they are as given.
    """
    model = batched.bound(model, key)

    def of_row(key: PRNGKey, x: Datum, points: Any, offsets: Any, log_steps: Any) -> Any:
        def of_chain(key: PRNGKey, point: Any, offset: Scalar) -> Any:
            path, _ = _path(model, x, key, moves.start)
            noise = jax.random.fold_in(key, streams.Proposal.MOVES)

            def move(carried: Any, each: Any) -> Any:
                (point, offset), (number, beta, log_step) = carried, each
                log_step = log_step + offset
                own, step = jax.random.fold_in(noise, number), jnp.exp(log_step)
                moved, rate = transition(path, own, point, beta=beta, step=step, leapfrog=moves.leapfrog)
                return (moved, offset + gain * (rate - TARGET_ACCEPTANCE)), (point.ratio, rate, log_step)

            return jax.lax.scan(move, (point, offset), (numbers, targets, log_steps))

        return batched.over_draws(of_chain, key, moves.chains, points, offsets)

    return batched.over_data(of_row, key, x, points, offsets, log_steps)


def _path(model: LatentVariableModel, x: Datum, key: PRNGKey, start: str) -> tuple[Path, Latent]:
    """The path of one chain, and where it starts: a draw of f_0."""
    draw = model.propose(x, key)
    origin, z = draw.distribution, draw.z
    if start == "prior":
        origin = model.prior(x.given, key=draw.keys[0])
        z, _ = origin.draw(jax.random.fold_in(key, streams.Proposal.LATENT_OF_PRIOR))

    def ratio(z: Latent) -> Scalar:
        return model.terms(x, draw.keys, z, origin.log_prob(z)).log_w()

    return Path(origin.log_prob, ratio), z
