"""The importance-weighted posterior against quadrature and the linear-Gaussian posterior."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from oracles.quadrature import grid
from scipy.special import logsumexp
from scipy.stats import norm

from iwax import batched, evaluation, likelihoods, nn, posteriors, priors
from iwax.evaluation import importance_elbo, importance_posterior
from iwax.model import LatentVariableModel
from iwax.parts import Datum

ORACLE = LinearGaussian.random(6, 2, seed=1)
SCALE, SHIFT = 1.3, 0.8  # of the posterior part: too wide, and off
X = ORACLE.sample(3, seed=2)
KEY = jax.random.key(11)

pytestmark = pytest.mark.usefixtures("float64")


def wrong() -> LatentVariableModel:
    return ORACLE.model(scale=SCALE, shift=SHIFT)


@cache
def plane() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Points [n, 2] around the posterior of the first datum, log p(x, z) and log q(z|x) there, and log of a cell."""
    mean, covariance = ORACLE.posterior(X[:1])
    deviation = np.sqrt(np.diagonal(covariance))
    nodes, step = grid(37, 7.0)
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2) * deviation + mean[0]
    at = mean[0] + SHIFT * deviation
    log_q = norm.logpdf(z, at, SCALE * deviation).sum(axis=1)
    log_posterior = norm.logpdf(z, mean[0], deviation).sum(axis=1)
    return z, log_posterior + ORACLE.log_evidence(X[:1])[0], log_q, float(np.log(step**2 * deviation.prod()))


@cache
def exact_pair_density() -> np.ndarray:
    """log q_EW at k = 2 on the plane: the other draw is integrated out on the same grid."""
    _, log_joint, log_q, log_cell = plane()
    log_w = log_joint - log_q
    inside = log_q[None] - np.logaddexp(log_w[:, None], log_w[None])
    return log_joint + np.log(2) + logsumexp(inside, axis=1) + log_cell


# -- the density --------------------------------------------------------------------------------------------------


def test_at_k_1_it_is_q():
    z, _, log_q, _ = plane()
    found = evaluation.importance_posterior_log_prob(wrong(), X[:1], z[None], k=1, outer=3, key=KEY)
    np.testing.assert_allclose(found.log_prob[0], log_q, atol=1e-10)
    assert (found.error == 0).all()


def test_it_integrates_to_one_and_is_the_exact_density_within_its_error():
    """Rows of one x under numbers of their own are independent estimates of one density."""
    z, _, _, log_cell = plane()
    count = 40
    x, points = np.repeat(X[:1], count, axis=0), np.broadcast_to(z, (count, *z.shape))
    assert logsumexp(exact_pair_density()) + log_cell == pytest.approx(0, abs=1e-5)
    found = evaluation.importance_posterior_log_prob(wrong(), x, points, k=2, outer=300, key=KEY)
    integrals = np.exp(logsumexp(found.log_prob, axis=1) + log_cell)
    error = integrals.std(ddof=1) / np.sqrt(count)
    assert abs(integrals.mean() - 1) < 4.5 * error < 0.05
    near = exact_pair_density() > exact_pair_density().max() - 4
    ratio = np.exp(found.log_prob - exact_pair_density())[:, near]
    spread = ratio.std(axis=0, ddof=1)
    assert (np.abs(ratio.mean(axis=0) - 1) < 5 * spread / np.sqrt(count)).all()
    # the error that it states is the spread of its estimates: the sd of 40 numbers is known to 11 %
    np.testing.assert_allclose(found.error[:, near].mean(axis=0), spread, rtol=0.6)
    assert found.error[:, near].mean() == pytest.approx(spread.mean(), rel=0.3)


def test_with_many_draws_it_is_the_exact_posterior():
    z, log_joint, log_q, _ = plane()
    near = np.minimum(log_joint - log_joint.max(), log_q - log_q.max()) > -5
    found = evaluation.importance_posterior_log_prob(wrong(), X[:1], z[None, near], k=5000, outer=20, key=KEY)
    exact = log_joint[near] - ORACLE.log_evidence(X[:1])
    np.testing.assert_allclose(found.log_prob[0], exact, atol=0.02)


@pytest.mark.slow
def test_the_density_does_not_depend_on_what_is_worked_at_once(monkeypatch: pytest.MonkeyPatch):
    z = plane()[0][None, 600:660]
    arguments = {"k": 3, "outer": 50, "key": KEY}
    whole = evaluation.importance_posterior_log_prob(wrong(), X[:1], z, **arguments)
    monkeypatch.setattr(importance_posterior, "_AT_ONCE", 17)
    monkeypatch.setattr(importance_posterior, "_HELD", 40)
    pieces = evaluation.importance_posterior_log_prob(wrong(), X[:1], z, **arguments)
    np.testing.assert_allclose(pieces.log_prob, whole.log_prob, rtol=1e-12)
    other = evaluation.importance_posterior_log_prob(wrong(), X[:1], z, **arguments, rows=np.array([9]))
    assert not np.allclose(other.log_prob, whole.log_prob, atol=1e-4)


# -- the draws ----------------------------------------------------------------------------------------------------


def test_resampled_draws_have_the_moments_of_the_density():
    z, _, _, log_cell = plane()
    density = np.exp(exact_pair_density() + log_cell)
    count = 40
    x = Datum(values=jnp.asarray(np.repeat(X[:1], count, axis=0)), index=jnp.arange(count))
    drawn = np.asarray(importance_posterior.resampled(wrong(), KEY, x, k=2, draws=500)).reshape(-1, 2)
    for power in (1, 2, 3):
        moments = drawn**power
        error = moments.std(axis=0, ddof=1) / np.sqrt(len(moments))
        assert (np.abs(moments.mean(axis=0) - density @ z**power) < 4.5 * error).all()


@pytest.mark.slow
def test_a_resampled_draw_is_the_chosen_one_of_its_k_draws(monkeypatch: pytest.MonkeyPatch):
    x = Datum(values=jnp.asarray(X), index=jnp.arange(3))
    drawn = importance_posterior.resampled(wrong(), KEY, x, k=7, draws=2)
    monkeypatch.setattr(importance_posterior, "_AT_ONCE", 9)  # three draws per row at a time
    chosen = importance_posterior.chosen_draws(wrong(), KEY, x, k=7)
    again, _ = batched.redraw(wrong(), KEY, x, jnp.asarray(chosen))
    np.testing.assert_allclose(drawn[:, 0], again, rtol=1e-12)
    assert not np.isclose(drawn[:, 1], again).any()


# -- the ELBO -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_elbo_lies_between_iwae_and_log_p_and_both_sides_hold_the_exact_one():
    x = np.repeat(X[:1], 4, axis=0)
    log_p = ORACLE.log_evidence(x)[0]
    _, log_joint, _, log_cell = plane()
    density = exact_pair_density()
    exact = float(np.exp(density + log_cell) @ (log_joint - density))
    found = evaluation.importance_posterior_elbo(wrong(), x, k=2, outer=20, draws=1500, key=KEY, batch=3)
    count = len(x)
    errors = {name: np.linalg.norm(getattr(found, f"{name}_error")) / count for name in ("lower", "upper", "gain")}
    assert exact < log_p - 0.1
    assert found.lower.mean() <= exact + 4.5 * errors["lower"]
    assert found.upper.mean() >= exact - 4.5 * errors["upper"]
    for side in ("lower", "upper"):  # 20 sets leave little between them
        assert abs(getattr(found, side).mean() - exact) < 0.02 + 4.5 * errors[side]
    assert found.gain.mean() > 10 * errors["gain"]
    np.testing.assert_allclose(found.gain, found.lower - found.iwae, atol=1e-12)
    assert (found.iwae <= log_p + 4.5 * found.iwae_error).all()
    alone = evaluation.importance_posterior_elbo(
        wrong(), x[2:3], k=2, outer=20, draws=1500, key=KEY, rows=np.array([2]), batch=1
    )
    np.testing.assert_allclose(alone.upper, found.upper[2], rtol=1e-10)


def test_at_k_1_all_are_the_elbo_and_few_sets_are_warned_of():
    found = evaluation.importance_posterior_elbo(wrong(), X, k=1, outer=2, draws=50, key=KEY)
    np.testing.assert_allclose(found.lower, found.upper, atol=1e-12)
    np.testing.assert_allclose(found.lower, found.iwae, atol=1e-12)
    assert found.warnings() == []
    few = evaluation.importance_posterior_elbo(wrong(), X, k=2, outer=1, draws=2000, key=KEY)
    assert any("ask for more of them" in line for line in few.warnings())


@pytest.mark.slow
def test_it_does_not_depend_on_what_is_held_at_once(monkeypatch: pytest.MonkeyPatch):
    arguments = {"k": 3, "outer": 4, "draws": 7, "key": KEY}
    whole = evaluation.importance_posterior_elbo(wrong(), X, **arguments)
    monkeypatch.setattr(importance_elbo, "_HELD", 80)  # two draws at a time, for three rows
    pieces = evaluation.importance_posterior_elbo(wrong(), X, **arguments)
    for name in ("lower", "upper", "iwae"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-10)


@pytest.mark.slow
def test_chains_have_one_too():
    keys = jax.random.split(jax.random.key(3), 4)
    model = LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(2), (posteriors.Gaussian(nn.Linear(2, 6, key=keys[0])),)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(nn.Linear(3, 5, key=keys[1]))),
        posterior=posteriors.Chain(
            posteriors.Gaussian(nn.Linear(5, 6, key=keys[2])), (posteriors.Gaussian(nn.Linear(3, 4, key=keys[3])),)
        ),
    )
    x = np.eye(2, 5)
    found = evaluation.importance_posterior_elbo(model, x, k=4, outer=20, draws=200, key=KEY)
    assert (found.gain > 3 * found.gain_error).all()
    z = (np.zeros((2, 1, 3)), np.zeros((2, 1, 2)))
    density = evaluation.importance_posterior_log_prob(model, x, z, k=4, outer=20, key=KEY)
    assert density.log_prob.shape == (2, 1)
    with pytest.raises(ValueError, match=r"one layer of 2 latent units, got layers of \[3, 2\]"):
        evaluation.posterior_plane(model, x, key=KEY)


# -- the plane ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_plane_knows_log_p_and_the_divergence_falls_with_k():
    found = evaluation.posterior_plane(wrong(), X, ks=(1, 2, 10, 100), side=51, outer=500, key=KEY)
    np.testing.assert_allclose(found.log_evidence, ORACLE.log_evidence(X), atol=1e-5)
    np.testing.assert_allclose(found.mass, 1, atol=1e-5)
    assert found.warnings() == []
    exact = 2 * (0.5 * (SCALE**2 + SHIFT**2 - 1) - np.log(SCALE))  # of N(m + a s, (b s)^2) from N(m, s^2), twice
    np.testing.assert_allclose(found.kl[:, 0], exact, atol=1e-4)
    assert (np.diff(found.kl, axis=1) < 0).all()
    assert (found.kl[:, -1] < 0.001).all()
    mean, covariance = ORACLE.posterior(X)
    at = np.stack(np.meshgrid(found.first[0], found.second[0]), axis=-1)
    expected = norm.logpdf(at, mean[0], np.sqrt(np.diagonal(covariance))).sum(axis=-1)
    np.testing.assert_allclose(found.log_prob[0, -1], expected, atol=1e-4)


def test_a_plane_finds_narrow_posteriors_and_says_where_it_does_not_serve():
    narrow = LinearGaussian(100 * ORACLE.weight, ORACLE.bias, ORACLE.variance)
    x = narrow.sample(1, seed=0)
    found = evaluation.posterior_plane(narrow.model(scale=1.2), x, ks=(1,), side=41, outer=1, key=KEY)
    np.testing.assert_allclose(found.log_evidence, narrow.log_evidence(x), atol=1e-4)
    assert np.ptp(found.first) < 0.2
    apart = evaluation.posterior_plane(narrow.model(shift=100.0), x, ks=(1,), side=41, outer=1, key=KEY)
    assert any("larger side than 41" in line for line in apart.warnings())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: evaluation.importance_posterior_elbo(m, X, k=0, outer=1, draws=2, key=KEY), "k must be at least 1"),
        (lambda m: evaluation.importance_posterior_elbo(m, X, k=1, outer=0, draws=2, key=KEY), "outer must be at leas"),
        (
            lambda m: evaluation.importance_posterior_elbo(m, X, k=1, outer=1, draws=1, key=KEY),
            "draws must be at",
        ),
        (
            lambda m: evaluation.importance_posterior_log_prob(m, X, np.zeros((2, 5, 2)), k=1, outer=1, key=KEY),
            r"n=3 as x has rows: got shapes \[\(2, 5, 2\)\]",
        ),
        (
            lambda m: evaluation.importance_posterior_log_prob(m, X, np.zeros((3, 2)), k=1, outer=1, key=KEY),
            r"\('n', 'm', 2\).*got shapes \[\(3, 2\)\]",
        ),
        (lambda m: evaluation.posterior_plane(m, X, ks=(1, 0), key=KEY), r"ks\[1\] must be at least 1, got 0"),
        (lambda m: evaluation.posterior_plane(m, X, side=5, key=KEY), "side must be at least 11, got 5"),
        (lambda m: evaluation.posterior_plane(m, X * np.nan, key=KEY), "x must be finite"),
    ],
)
def test_bad_arguments(call, message: str):
    with pytest.raises(ValueError, match=message):
        call(wrong())
