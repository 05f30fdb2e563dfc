"""The Hamiltonian kernel leaves its target invariant: Geweke's joint-distribution test, and faults that it finds.

Geweke (2004), "Getting it right", JASA 99: (z, x) is drawn from the model in two ways, at once (marginal-conditional),
and by going on from one draw to the next, z by the kernel given x and x by the model given z (successive-conditional).
Both have one distribution where the kernel is right. The model is the linear-Gaussian one, tempered: with x of variance
psi / beta, p(z) p(x|z)^beta is the posterior. Many short chains run next to each other, so that errors are those of
independent draws.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax.evaluation import hamiltonian
from iwax.evaluation.hamiltonian import Path, at, transition

CHAINS, ROUNDS, LATENT, FEATURES = 20_000, 8, 2, 3
BETA, STEP, LEAPFROG = 0.4, 0.6, 2


@cache
def oracle() -> LinearGaussian:
    return LinearGaussian.random(FEATURES, LATENT, seed=5)


def path_of(x):
    """p(z) and p(x|z) up to constants, for one x."""
    weight, bias, variance = (jnp.asarray(each) for each in (oracle().weight, oracle().bias, oracle().variance))

    def log_likelihood(z):
        return -0.5 * jnp.sum((x - bias - weight @ z) ** 2 / variance)

    return Path(lambda z: -0.5 * jnp.sum(z**2), log_likelihood)


def drawn_x(key, z):
    noise = jax.random.normal(key, (FEATURES,)) * jnp.sqrt(jnp.asarray(oracle().variance) / BETA)
    return jnp.asarray(oracle().weight) @ z + jnp.asarray(oracle().bias) + noise


def statistics(z, x):
    """First and second moments of (z, x): nothing of a Gaussian distribution is missed."""
    both = jnp.concatenate([z, x - jnp.asarray(oracle().bias)])
    return jnp.concatenate([both, jnp.outer(both, both)[jnp.triu_indices(LATENT + FEATURES)]])


def deviations(*, step: float = STEP) -> tuple[np.ndarray, float]:
    """How many standard errors the two simulators are apart in each statistic, and the mean acceptance."""

    @jax.jit
    @jax.vmap
    def both(key):
        of_first, of_other, of_chain = jax.random.split(key, 3)
        z, other = jax.random.normal(of_first, (LATENT,)), jax.random.normal(of_other, (LATENT,))
        at_once = statistics(other, drawn_x(jax.random.fold_in(of_other, 1), other))

        def on(carried, key):
            z, x = carried
            path, of_x = path_of(x), jax.random.fold_in(key, 1)
            point, rate = transition(path, key, at(path, z), beta=BETA, step=step, leapfrog=LEAPFROG)
            return (point.z, drawn_x(of_x, point.z)), rate

        keys = jax.random.split(of_chain, ROUNDS)
        (z, x), rates = jax.lax.scan(on, (z, drawn_x(jax.random.fold_in(of_first, 1), z)), keys)
        return at_once, statistics(z, x), rates.mean()

    with jax.enable_x64(True):
        at_once, successive, rates = (np.asarray(each) for each in both(jax.random.split(jax.random.key(0), CHAINS)))
    error = np.sqrt((at_once.var(axis=0) + successive.var(axis=0)) / CHAINS)
    return (successive.mean(axis=0) - at_once.mean(axis=0)) / error, float(rates.mean())


def reference(kick_first=0.5, kick_last=0.5, gradient_scale=1.0, stale=False, beta_last=None):
    """A plain leapfrog trajectory, written out step by step, and what may be wrong with it."""

    def trajectory(target, point, momentum, step):
        def gradient(z):
            return jax.tree.map(lambda g: gradient_scale * g, target.gradient(at(target.path, z)))

        z, opening = point.z, gradient(point.z)
        for _ in range(target.leapfrog):
            momentum = momentum + kick_first * step * gradient(z)
            z = z + step * momentum
            momentum = momentum + kick_last * step * (opening if stale else gradient(z))
        end = at(target.path, z)
        off = 0.0 if beta_last is None else (beta_last - target.beta) * end.ratio  # in the energy at the end
        return end._replace(start=end.start + off), momentum

    return trajectory


def hot_momenta(key, z):
    return 1.3 * MOMENTUM(key, z)


def always(accepted, end, point):
    return end


MOMENTUM = hamiltonian._momentum


@pytest.mark.slow
def test_the_kernel_leaves_its_target_invariant(monkeypatch: pytest.MonkeyPatch):
    """And its trajectory is the leapfrog one, step by step."""
    apart, acceptance = deviations()
    assert np.abs(apart).max() < 4.5
    assert 0.6 < acceptance < 0.95  # so that both outcomes of a move are tried
    monkeypatch.setattr(hamiltonian, "_trajectory", reference())
    np.testing.assert_allclose(deviations()[0], apart, rtol=1e-6, atol=1e-9)


FAULTS = {
    "a whole first kick": ("_trajectory", reference(kick_first=1.0)),
    "a last kick by the gradient of the beginning": ("_trajectory", reference(stale=True)),
    "the energy of another temperature": ("_trajectory", reference(beta_last=0.6)),
    "momenta of another variance": ("_momentum", hot_momenta),
}


@pytest.mark.parametrize(
    "fault",
    [fault if fault == "a whole first kick" else pytest.param(fault, marks=pytest.mark.slow) for fault in FAULTS],
)
@pytest.mark.slow
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hamiltonian, *FAULTS[fault])
    assert np.abs(deviations()[0]).max() > 6


@pytest.mark.slow
def test_moves_that_are_always_accepted_are_found(monkeypatch: pytest.MonkeyPatch):
    """With the right gradient, and with a wrong one, which rejection would have made up for."""
    monkeypatch.setattr(hamiltonian, "_chosen", always)
    assert np.abs(deviations()[0]).max() > 6
    monkeypatch.setattr(hamiltonian, "_trajectory", reference(gradient_scale=1.5))
    assert np.abs(deviations(step=0.9)[0]).max() > 6


@pytest.mark.parametrize(
    ("trajectory", "right"),
    [
        (None, True),
        (reference(gradient_scale=2.0), False),
        (reference(kick_first=1.0, kick_last=1.0), False),
    ],
)
@pytest.mark.slow
def test_short_steps_keep_the_energy(trajectory, right: bool, monkeypatch: pytest.MonkeyPatch):
    """A wrong gradient, or a missing half in both kicks, leaves the distribution as it is; the acceptance shows it."""
    if trajectory is not None:
        monkeypatch.setattr(hamiltonian, "_trajectory", trajectory)
    _, acceptance = deviations(step=0.05)
    assert (acceptance > 0.998) == right
