"""Hamiltonian variational inference: a bound on log p(x), and an unbiased estimate of p(x), whatever the reverse net.

On a linear-Gaussian model, where log p(x) is known, with three reverse nets, step sizes and masses drawn at random. The
leapfrog map is looked at on a decoder that is not linear.
"""

import dataclasses
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from scipy.special import logsumexp

from iwax import batched, bounds, control_variates, distributions, gradients, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.parts import Datum

LATENT, HIDDEN, DRAWS, REVERSES = 2, 3, 40_000, 3
TRUTH = LinearGaussian.random(4, LATENT, seed=1)
X = TRUTH.sample(1, seed=2)
KEY = jax.random.key(0)


def model(steps: int) -> LatentVariableModel:
    reverse = nn.MLP(HIDDEN + LATENT, (4,), 2 * LATENT, key=KEY)
    trunk = nn.MLP(X.shape[1], (4,), HIDDEN, key=jax.random.key(1))
    posterior = posteriors.hamiltonian(trunk, LATENT, steps=steps, reverse=reverse, key=jax.random.key(2))
    return eqx.tree_at(lambda model: model.posterior, TRUTH.model(), posterior)


def at_random(posterior: posteriors.Hamiltonian) -> posteriors.Hamiltonian:
    """REVERSES of it on a leading axis: other reverse nets, masses round 1 and steps of 0.1 to 0.3."""
    rng = np.random.default_rng(3)

    def several(leaf, spread: float, centre: float = 0.0):
        return jnp.asarray(leaf + centre + spread * rng.normal(size=(REVERSES, *leaf.shape)))

    made = jax.tree.map(lambda leaf: several(leaf, 0.0), posterior)
    return eqx.tree_at(
        lambda q: (q.reverse, q.log_step, q.log_mass),
        made,
        (
            jax.tree.map(lambda leaf: several(leaf, 0.15), posterior.reverse),
            several(0 * posterior.log_step, 0.3, np.log(0.2)),
            several(posterior.log_mass, 0.3),
        ),
    )


@jax.jit
def log_weights(model, posterior) -> jax.Array:
    def one(posterior):
        at = eqx.tree_at(lambda model: model.posterior, model, posterior)
        return batched.log_weights(at, KEY, Datum(values=jnp.asarray(X)), k=DRAWS)[:, 0]

    return jax.vmap(one)(posterior)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("steps", [4, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (1, 8))])
def test_every_bound_is_one_and_the_weights_are_unbiased(steps: int):
    at = model(steps)
    found = np.asarray(log_weights(at, at_random(at.posterior))) - TRUTH.log_evidence(X)[0]
    assert np.isfinite(found).all()
    for log_w in found:
        last = -np.inf
        for k in (1, 5, 50):
            bound = logsumexp(log_w.reshape(-1, k), axis=1) - np.log(k)
            error = bound.std() / np.sqrt(len(bound))
            assert last < bound.mean() < 4 * error
            last = bound.mean()
        w = np.exp(log_w)
        assert w.mean() == pytest.approx(1, abs=4.5 * w.std() / np.sqrt(DRAWS))
        assert w.std() / np.sqrt(DRAWS) < 0.1
        assert last > -0.3


def not_linear() -> tuple[distributions.Hamiltonian, jax.Array, jax.Array]:
    """q(z|x) on a Bernoulli decoder of one hidden layer, and a position and a momentum."""
    likelihood = likelihoods.Bernoulli(nn.MLP(LATENT, (8,), 6, key=jax.random.key(4)))
    reverse = nn.MLP(HIDDEN + LATENT, (4,), 2 * LATENT, key=KEY)
    trunk = nn.MLP(6, (4,), HIDDEN, key=jax.random.key(1))
    q = posteriors.hamiltonian(trunk, LATENT, steps=5, reverse=reverse, key=jax.random.key(2))
    q = eqx.tree_at(lambda q: (q.log_step, q.log_mass), q, (jnp.log(jnp.array([0.4, 0.2])), jnp.array([0.3, -0.5])))
    x = jnp.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    model = SimpleNamespace(prior=priors.StandardNormal(LATENT), likelihood=likelihood)
    return q.bind(model, key=KEY)(Datum(x), key=KEY), jnp.array([0.7, -1.2]), jnp.array([0.4, 1.1])


@pytest.mark.usefixtures("float64")
def test_leapfrog_keeps_volume_goes_back_and_follows_the_energy():
    q, z, v = not_linear()

    @jax.jit
    def energy(z, v):
        return 0.5 * jnp.sum(v**2 / q.mass) - q.target(z)

    @jax.jit
    def everything(z, v):
        there = q._leapfrog(z, v)
        back = q._leapfrog(there[0], -there[1])
        return (
            there,
            back,
            jax.jacfwd(lambda both: jnp.concatenate(q._leapfrog(*jnp.split(both, 2))))(jnp.concatenate([z, v])),
        )

    there, (again, minus), jacobian = everything(z, v)
    assert np.abs(there[0] - z).max() > 0.3
    assert np.linalg.det(jacobian) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(again, z, atol=1e-12)
    np.testing.assert_allclose(minus, -v, atol=1e-12)

    finer = dataclasses.replace(q, step=q.step / 2, steps=2 * q.steps)
    errors = [
        abs(float(energy(*moved) - energy(z, v))) for moved in (there, jax.jit(lambda q: q._leapfrog(z, v))(finer))
    ]
    assert errors[0] > 1e-4
    assert 3.5 < errors[0] / errors[1] < 4.5  # of second order in the step


def test_there_is_no_density_at_a_given_value():
    q, z, _ = not_linear()
    assert not q.has_density
    with pytest.raises(ValueError, match=r"no density at a given z.* use the pathwise gradient of all draws at once"):
        q.log_prob(z)
    alone = posteriors.hamiltonian(Linear(4, 3, key=KEY), 2, steps=1, reverse=Linear(5, 4, key=KEY), key=KEY)
    with pytest.raises(ValueError, match="follows the prior and the likelihood of its model"):
        alone(jnp.zeros(4), key=KEY)


@pytest.mark.slow
def test_what_needs_a_density_is_refused():
    at, x = model(1), Datum(values=jnp.asarray(X, jnp.float32))
    needs = [
        gradients.sticking_the_landing(bounds.elbo),
        gradients.doubly_reparameterized(bounds.iwae),
        gradients.score_function(bounds.iwae, control_variates.leave_one_out),
    ]

    def slope(estimator, **options):
        def total(model):
            return gradients.Objective(estimator, k=2, **options)(model, KEY, x).value.sum()

        return eqx.filter_eval_shape(eqx.filter_grad(total), at)

    for estimator in needs:
        with pytest.raises(ValueError, match=r"a Hamiltonian posterior has no density at a given z.* use the pathwise"):
            slope(estimator)
    pathwise = gradients.pathwise(bounds.iwae)
    for options in ({"backward": 1}, {"chunk": 1}):
        with pytest.raises(ValueError, match="neither backward nor chunk"):
            slope(pathwise, **options)
    slope(pathwise)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "at least 1 leapfrog step, got 0"),
        ({"inputs": 4}, "takes the 3 outputs of its network and 2 latents, 5 inputs, and gives 4 outputs; got 4 and 4"),
        ({"outputs": 2}, "5 inputs, and gives 4 outputs; got 5 and 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong, message: str):
    sizes = {"inputs": HIDDEN + LATENT, "outputs": 2 * LATENT, "steps": 1} | wrong
    reverse = nn.MLP(sizes["inputs"], (), sizes["outputs"], key=KEY)
    with pytest.raises(ValueError, match=message):
        posteriors.hamiltonian(nn.MLP(4, (), HIDDEN, key=KEY), LATENT, steps=sizes["steps"], reverse=reverse, key=KEY)
