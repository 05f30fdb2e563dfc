"""Samplers against sums over all states: masses in every bound, a discrete layer enumerated, and particle filters."""

import math
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles import bounds_by_definition as definition
from oracles import enumerable

from iwax import (
    bounds,
    control_variates,
    distributions,
    evaluation,
    gradients,
    likelihoods,
    nn,
    parts,
    posteriors,
    priors,
    samplers,
    training,
)
from iwax.model import LatentVariableModel, Terms

KEY = jax.random.key(3)
K = 4
X = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
ENUMERATED = samplers.Enumerated()
# of each bound: what it is of weights w with masses m that add up to one; None where the states are summed first
MASSES = {
    bounds.elbo: lambda m, v: m @ v,
    bounds.iwae: lambda m, v: np.log(m @ np.exp(v)),
    bounds.ciwae(0.3): lambda m, v: 0.3 * (m @ v) + 0.7 * np.log(m @ np.exp(v)),
    bounds.ciwae(1.0): lambda m, v: m @ v,
    bounds.renyi(0.5): lambda m, v: 2 * np.log(m @ np.exp(v / 2)),
    bounds.renyi(1.0): lambda m, v: m @ v,
    bounds.renyi(-math.inf): lambda m, v: v[m > 0].max(),
    bounds.cubo(2.0): lambda m, v: np.log(m @ np.exp(2 * v)) / 2,
    bounds.thermodynamic(2, first=0.5): lambda m, v: (
        0.5 * (m @ v) + 0.5 * (m * np.exp(v / 2) @ v) / (m @ np.exp(v / 2))
    ),
    bounds.jackknife(0): lambda m, v: np.log(m @ np.exp(v)),
    bounds.miwae(2): None,
    bounds.jackknife(1): None,
    bounds.sumo(1): None,
}


@cache
def parameters() -> enumerable.Parameters:
    with jax.enable_x64(True):
        return enumerable.random(2, 3, seed=1)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("bound", MASSES, ids=lambda bound: bound.name)
def test_masses_are_those_of_the_formula(bound: bounds.Bound):
    rng = np.random.default_rng(0)
    log_w, mass = rng.normal(size=(K, 3, 2)), rng.gamma(1.0, size=(K, 3, 2))
    mass[1, 2], log_w[1, 2] = 0, np.nan  # a state that is not there has no weight that counts
    mass /= mass.sum(axis=(0, 1))
    with np.errstate(divide="ignore"):
        log_mass = jnp.log(mass)
    sums = np.log((K * mass * np.exp(np.nan_to_num(log_w))).sum(axis=1))  # [K, 2]
    formula = MASSES[bound]

    @jax.jit
    def of_the_bound(log_w, log_mass, sums):
        found = bound.summed(log_w, log_mass, KEY)
        slope = jax.grad(lambda w, m: bound.summed(w, m, KEY).sum(), argnums=(0, 1))(log_w, log_mass)
        return found, slope, None if formula else bound(sums, KEY)

    found, slope, pooled = of_the_bound(log_w, log_mass, sums)
    for i in range(2):
        m, v = mass[:, :, i].ravel(), np.nan_to_num(log_w[:, :, i].ravel())
        expected = formula(m, v) if formula else pooled[i]
        assert float(found[i]) == pytest.approx(float(expected), rel=1e-12)
    assert np.isfinite(slope[0]).all()
    assert np.isfinite(np.where(mass > 0, slope[1], 0)).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("bound", MASSES, ids=lambda bound: bound.name)
def test_masses_of_one_over_k_are_none(bound: bounds.Bound):
    log_w = jnp.asarray(np.random.default_rng(1).normal(size=(K, 1, 2)))
    of_masses = bound.summed(log_w, jnp.full_like(log_w, -math.log(K)), KEY)
    np.testing.assert_allclose(of_masses, bound(log_w[:, 0], KEY), rtol=1e-12)


def value_and_slope(model, objective, x, **how):
    """The surrogate's bounds, and the gradient of the sum of its values, for all rows."""

    @eqx.filter_jit
    def run(model):
        def total(model):
            found = objective(model, KEY, x, **how)
            return found.value.sum(), found.bound

        (_, bound), slope = eqx.filter_value_and_grad(total, has_aux=True)(model)
        return bound, slope

    return run(model)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_a_discrete_latent_is_summed_exactly(beta: float):
    """Both units of a binary latent: four states. IWAE is log p(x) for any q, the ELBO the sum over q."""
    every = enumerable.states(2)

    def exact(parameters, bound: str):
        total = 0.0
        for x in X:
            log_q, log_w = enumerable.log_q(parameters, x, every), enumerable.log_w(parameters, x, every, beta)
            total += jnp.exp(log_q) @ log_w if bound == "elbo" else jax.nn.logsumexp(log_q + log_w)
        return total

    for bound, k in ((bounds.elbo, 1), (bounds.elbo, 3), (bounds.iwae, 3)):
        objective = gradients.Objective(gradients.pathwise(bound), k, sampler=ENUMERATED)
        found, slope = value_and_slope(enumerable.model(parameters()), objective, X, beta=beta)
        expected = jax.jit(jax.grad(exact), static_argnums=1)(parameters(), bound.name)
        for name, each in enumerable.parameters_of(slope).items():
            np.testing.assert_allclose(each, expected[name], rtol=1e-10, atol=1e-12, err_msg=f"{bound.name} {name}")
        if bound is bounds.iwae:
            evidence = [float(enumerable.log_evidence(parameters(), x)) for x in X]
            np.testing.assert_allclose(found, evidence, rtol=1e-12)
            if beta == 1.0:
                np.testing.assert_allclose(enumerable.parameters_of(slope)["encoder"], 0, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_every_bound_is_log_p_where_q_is_the_posterior():
    one = enumerable.random(1, 3, seed=2)
    log_p = enumerable.log_joint(one, X[0], enumerable.states(1))
    exact = one | {"encoder": jnp.zeros((3, 1)), "offset": (log_p[1] - log_p[0])[None]}

    @jax.jit
    def all_bounds():
        found = ENUMERATED.terms(enumerable.model(exact), KEY, X[:1], k=K)
        return {bound.name: ENUMERATED.close(bound, found, KEY) for bound in MASSES}

    for name, value in all_bounds().items():
        assert float(value[0]) == pytest.approx(float(jax.nn.logsumexp(log_p)), rel=1e-12), name


# -- a class above a normal latent, p(y) p(z|y) p(x|z), with q(z|x, y) drawn for each y or q(y|x, z) after z -----------

CLASSES = 3
LABELS = np.array([2, -1, 0, -1])
SEEN = np.array([[0.7], [-1.2], [0.3], [2.0]])
TWO = {
    "classes": jnp.array([[0.3, -0.5, 0.1]]),
    "means": jnp.array([-1.0, 0.5, 2.0]),
    "noise": jnp.array(0.8),
    "slope": jnp.array([[0.4, -0.2, 0.9]]),
    "offset": jnp.array([0.1, 0.2, -0.3]),
}


class Above(parts.Prior):
    """p(y), or q(y|x) = softmax(slope x + offset)."""

    logits: jax.Array

    def __call__(self, given=None, *, key):
        return distributions.Categorical(self.logits)


class Guess(parts.Posterior):
    slope: jax.Array
    offset: jax.Array

    def __call__(self, context, *, key):
        return distributions.Categorical((parts.values_of(context) @ self.slope + self.offset)[None])


class Below(eqx.Module):
    """p(z|y) = N(mean of y, 1)."""

    means: jax.Array

    def __call__(self, y, given=None, *, key):
        return distributions.Normal(self.means[y.astype(int)], jnp.ones(1))


class Moved(eqx.Module):
    """q(z|x, y) = N(x + mean of y, 0.5)."""

    means: jax.Array

    def __call__(self, context, *, key):
        x, y = parts.values_of(context)
        return distributions.Normal(x + self.means[y.astype(int)], jnp.full(1, 0.5))


class Around(parts.Posterior):
    """q(z|x) = N(x, 0.5)."""

    def __call__(self, context, *, key):
        return distributions.Normal(parts.values_of(context), jnp.full(1, 0.5))


class Noisy(parts.Likelihood):
    """p(x|z) = N(z, noise)."""

    noise: jax.Array

    def __call__(self, z, given=None, *, key):
        return distributions.Normal(z[0], jnp.broadcast_to(self.noise, z[0].shape))


def two_layers(p, *, upwards: bool) -> LatentVariableModel:
    guess = Guess(p["slope"], p["offset"])
    posterior = posteriors.Chain(Around(), (guess,)) if upwards else posteriors.TopDown(guess, (Moved(p["means"]),))
    return LatentVariableModel(priors.Chain(Above(p["classes"]), (Below(p["means"]),)), Noisy(p["noise"]), posterior)


def normal(x, loc, scale):
    return -0.5 * ((x - loc) / scale) ** 2 - jnp.log(scale) - 0.5 * math.log(2 * math.pi)


def by_hand(p, i: int, noise, *, upwards: bool, hold: str | None = None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """log w, log-mass and log q [draws, classes] of row i, at the standard normal noise [draws] of its draws of z."""
    x, y = SEEN[i, 0], jnp.arange(CLASSES)
    of_z = 0.0 if upwards else p["means"]
    z = x + 0.5 * noise[:, None] + of_z
    z = jax.lax.stop_gradient(z) if hold == "draws" else z
    read = z if upwards else x
    log_y = jax.nn.log_softmax(jnp.asarray(read)[..., None] * p["slope"][0] + p["offset"])
    log_y = jnp.broadcast_to(log_y[..., 0, :] if upwards else log_y, (len(noise), CLASSES))
    log_joint = jax.nn.log_softmax(p["classes"][0]) + normal(z, p["means"], 1.0) + normal(x, z, p["noise"])
    log_z = normal(z, x + (jax.lax.stop_gradient(of_z) if hold == "densities" else of_z), 0.5)
    if LABELS[i] >= 0:
        return log_joint - log_z, jnp.where(y == LABELS[i], 0.0, -jnp.inf) + jnp.zeros((len(noise), 1)), log_z
    return log_joint - log_z - log_y, log_y, log_z + log_y


def noise_of_draws(*, upwards: bool) -> jax.Array:
    """The standard normal noise of two draws of every row, from their keys."""
    keys = [jax.random.fold_in(jax.random.fold_in(KEY, row), i) for row in range(4) for i in range(2)]
    drawn = [jax.random.fold_in(jax.random.fold_in(key, 1), 0 if upwards else 1) for key in keys]
    return jnp.stack([jax.random.normal(key, (1,))[0] for key in drawn]).reshape(4, 2)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("upwards", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_class_that_is_observed_in_half_of_the_rows(upwards: bool):
    """Value and gradient at the draws that there are, by sums written out; the class drawn before z, or after it."""
    p = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), TWO)
    noise = noise_of_draws(upwards=upwards)
    x = parts.Datum(jnp.asarray(SEEN), given={"label": jnp.asarray(LABELS)})

    def exact(p):
        """Of each bound, the values of the rows."""
        total = []
        for i in range(4):
            log_w, log_q, _ = by_hand(p, i, noise[i], upwards=upwards)
            log_w, mass = jnp.where(jnp.isinf(log_q), 0.0, log_w), jnp.exp(log_q) / 2
            sums = jax.nn.logsumexp(log_w + log_q, axis=1)
            total.append(jnp.stack([(mass * log_w).sum(), jnp.log((mass * jnp.exp(log_w)).sum()), sums.mean()]))
        return jnp.stack(total, axis=1)

    def values(p):
        model, found = two_layers(p, upwards=upwards), []
        for bound in (bounds.elbo, bounds.iwae, bounds.miwae(2)):
            objective = gradients.Objective(gradients.pathwise(bound), 2, sampler=samplers.Enumerated(observed="label"))
            found.append(objective(model, KEY, x))
        return jnp.stack([each.value.sum() for each in found]), jnp.stack([each.bound for each in found])

    slopes, found = jax.jit(jax.jacrev(values, has_aux=True))(p)
    expected, expected_slopes = jax.jit(lambda p: (exact(p), jax.jacrev(lambda p: exact(p).sum(axis=1))(p)))(p)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    for name, each in slopes.items():
        np.testing.assert_allclose(each, expected_slopes[name], rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("upwards", [False, True])
def test_what_is_held_constant_of_q_where_a_class_is_enumerated(upwards: bool):
    """Gradients with densities or draws constant, by sums written out; those of the class never are."""
    p, noise = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), TWO), noise_of_draws(upwards=upwards)
    x = parts.Datum(jnp.asarray(SEEN), given={"label": jnp.asarray(LABELS)})

    def exact(p):
        total = jnp.zeros(3)
        for i in range(4):
            log_w, log_mass, _ = by_hand(p, i, noise[i], upwards=upwards, hold="densities")
            mass = jnp.exp(log_mass) / 2
            elbo, iwae = (mass * log_w).sum(), jnp.log((mass * jnp.exp(log_w)).sum())
            log_w, log_mass, log_q = by_hand(p, i, noise[i], upwards=upwards, hold="draws")
            share = jax.lax.stop_gradient(jax.nn.softmax((log_w + log_mass).ravel()))
            total += jnp.stack([elbo, iwae, share @ (log_w + 2 * log_q).ravel()])  # log p is log w + log q
        return total

    sampler, landing = samplers.Enumerated(observed="label"), gradients.sticking_the_landing
    estimators = (landing(bounds.elbo), landing(bounds.iwae), gradients.wake())

    def values(p):
        found = [gradients.Objective(each, 2, sampler=sampler) for each in estimators]
        return jnp.stack([each(two_layers(p, upwards=upwards), KEY, x).value.sum() for each in found])

    slopes, expected = jax.jit(jax.jacrev(values))(p), jax.jit(jax.jacrev(exact))(p)
    for name, each in slopes.items():
        np.testing.assert_allclose(each, expected[name], rtol=1e-10, atol=1e-12, err_msg=name)


def gaussian(sigma: float | None) -> LatentVariableModel:
    encoder = nn.MLP(3, (4,), 4, key=jax.random.key(1), heads=2, sigma=sigma)
    decoder = nn.MLP(2, (4,), 3, key=jax.random.key(2))
    return LatentVariableModel(priors.StandardNormal(2), likelihoods.Bernoulli(decoder), posteriors.Gaussian(encoder))


@pytest.mark.usefixtures("float64")
def test_a_mixture_of_equal_posteriors_has_the_gradients_of_independent_draws():
    model = gaussian(None)
    for estimator in (gradients.sticking_the_landing(bounds.iwae), gradients.wake()):
        own, mixed = (
            value_and_slope(model, gradients.Objective(estimator, 3, sampler=each), jnp.asarray(X), beta=0.7)
            for each in (samplers.independent, samplers.mixture)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), own, mixed)


def test_the_landing_of_a_mixture_has_the_mean_of_the_pathwise_gradient():
    """Of the ELBO, if the networks of the draws differ: the score of the mixture has mean zero over all draws."""
    model, x = gaussian(0.5), jnp.asarray(X[:1], jnp.float32)

    @jax.jit
    @jax.vmap
    def difference(key):
        def slope(estimator):
            objective = gradients.Objective(estimator, 3, sampler=samplers.mixture)
            return eqx.filter_grad(lambda model: objective(model, key, x).value.sum())(model)

        path, landing = slope(gradients.pathwise(bounds.elbo)), slope(gradients.sticking_the_landing(bounds.elbo))
        off = jax.tree.map(jnp.subtract, path.posterior, landing.posterior)
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(off)])

    found = np.asarray(difference(jax.random.split(KEY, 4_000)), np.float64)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (error > 0).sum() > 20  # the two do differ, draw by draw
    assert (np.abs(found.mean(axis=0)) <= 5 * error + 1e-6).all()


def test_log_evidence_is_exact_where_all_latents_are_enumerated():
    single = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), parameters())
    found = evaluation.log_evidence(enumerable.model(single), X, k=3, key=KEY, sampler=ENUMERATED, chunk=2)
    expected = [float(enumerable.log_evidence(single, x)) for x in X]
    np.testing.assert_allclose(found.log_evidence, expected, rtol=1e-5)
    np.testing.assert_allclose(found.ess, 3, rtol=1e-4)
    with pytest.raises(ValueError, match="the mixture sampler has no estimates of p"):
        evaluation.log_evidence(enumerable.model(single), X, k=3, key=KEY, sampler=samplers.mixture)


def test_a_label_that_is_no_state_is_refused_and_nan_under_jit():
    model, sampler = two_layers(TWO, upwards=False), samplers.Enumerated(observed="label")

    def total(labels):
        x = parts.Datum(jnp.asarray(SEEN, jnp.float32), given={"label": labels})
        return sampler.close(bounds.elbo, sampler.terms(model, KEY, x, k=1), KEY)

    with pytest.raises(ValueError, match=r"needs 'label' below 3 states, got 3"):
        total(jnp.array([0, 3, -1, 1]))
    assert np.isnan(jax.jit(total)(jnp.array([0, 3, -1, 1]))).tolist() == [False, True, False, False]


def test_a_layer_that_is_continuous_or_inside_another_distribution_is_refused():
    x = parts.Datum(jnp.asarray(SEEN, jnp.float32))
    with pytest.raises(ValueError, match=r"needs a discrete layer .* got Normal of shape \(1,\)"):
        samplers.Enumerated(layer=0, states=3).terms(two_layers(TWO, upwards=False), KEY, x, k=1)
    discrete = gradients.Objective(gradients.pathwise(bounds.iwae), 2)
    with pytest.raises(ValueError, match="needs draws with a derivative, and the posterior's are discrete"):
        discrete(two_layers(TWO, upwards=False), KEY, x)


@pytest.mark.usefixtures("float64")
def test_a_piece_of_a_batch_counts_the_states_of_an_enumerated_layer(monkeypatch: pytest.MonkeyPatch):
    """k = 50 draws of four states decode 200 latents per row: at most 1,000 of them in one piece."""
    plans, model, x = [], enumerable.model(parameters()), np.tile(X, (50, 1))
    monkeypatch.setitem(training.fit.__globals__, "train", lambda state, *_, plan, **__: plans.append(plan) or state)
    drawn = gradients.Objective(gradients.score_function(bounds.iwae, control_variates.none), 50)
    for objective in (drawn, gradients.Objective(gradients.pathwise(bounds.iwae), 50, sampler=ENUMERATED)):
        training.fit(model, objective, x, optimizer=optax.sgd(0.1), epochs=1, batch=100, key=KEY)
    assert [plan.piece for plan in plans] == [20, 5]


REFUSED = {
    "another estimator": (
        lambda: gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), 2, sampler=ENUMERATED),
        r"Enumerated\(.* needs a pathwise, sticking_the_landing or wake estimator .* got doubly_rep",
    ),
    "a score": (
        lambda: gradients.Objective(
            gradients.score_function(bounds.iwae, control_variates.leave_one_out), 2, sampler=samplers.mixture
        ),
        r"the mixture sampler needs a pathwise, sticking_the_landing or wake estimator",
    ),
    "a filter": (
        lambda: gradients.Objective(gradients.wake(), 2, sampler=Bootstrap()),
        "sampler needs a pathwise estimator and all draws at once, got wake",
    ),
    "few backward": (
        lambda: gradients.Objective(gradients.pathwise(bounds.iwae), 2, sampler=ENUMERATED, backward=1),
        "all draws at once, got .* with backward=1",
    ),
    "a layer too many": (lambda: terms(samplers.Enumerated(layer=1)), r"needs a layer from -1 to 0 .* got 1"),
    "states that there are not": (lambda: terms(samplers.Enumerated(states=3)), "needs 3 states, got 4 of Bernoulli"),
    "a covariate that there is not": (
        lambda: terms(samplers.Enumerated(observed="label")),
        r"reads x.given\['label'\]: the data have \[\]",
    ),
    "independent estimates of a mixture": (
        lambda: samplers.mixture.estimates(None, KEY, X, k=1),
        "the mixture sampler has no estimates of p",
    ),
}


def terms(sampler):
    return sampler.terms(enumerable.model(parameters()), KEY, X, k=1)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(ValueError, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)


class Bootstrap(samplers.Sequential):
    """A bootstrap filter of a chain of two states, seen through noise: x [batch, steps] of zeros and ones."""

    stay, right = 0.8, 0.7

    def terms(self, model, key, x, *, k, first=0):
        def step(z, given):
            key, seen = given  # seen [batch]
            moves, picks = jax.random.split(key)
            z = jnp.where(jax.random.bernoulli(moves, self.stay, z.shape), z, 1 - z)
            log_w = jnp.log(jnp.where(z == seen, self.right, 1 - self.right))
            ancestors = jax.random.categorical(picks, log_w, axis=0, shape=z.shape)
            return jnp.take_along_axis(z, ancestors, axis=0), log_w

        x = x.values
        start = jax.random.bernoulli(jax.random.fold_in(key, 9), 0.5, (k, len(x))).astype(float)
        _, log_w = jax.lax.scan(step, start, (jax.random.split(key, x.shape[1]), x.T))
        return Terms(jnp.zeros_like(log_w), log_w, jnp.zeros_like(log_w))


def test_a_filter_is_closed_block_by_block_and_its_estimate_is_unbiased():
    x = jnp.array([[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    filtered, datum = Bootstrap(), parts.Datum(x)

    @jax.jit
    @jax.vmap
    def run(key):
        found = filtered.terms(None, key, datum, k=5)
        return found.log_w(), [filtered.close(bound, found, key) for bound in (bounds.iwae, bounds.elbo)]

    log_w, (iwae, elbo) = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), run(jax.random.split(KEY, 4000)))
    np.testing.assert_allclose(iwae, definition.log_mean_exp(np.moveaxis(log_w, 2, 0)).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(elbo, log_w.mean(axis=2).sum(axis=1), rtol=1e-4)
    evidence = forward(np.asarray(x), Bootstrap.stay, Bootstrap.right)
    estimate = np.exp(iwae)
    assert (np.abs(estimate.mean(axis=0) - evidence) < 4.5 * estimate.std(axis=0) / np.sqrt(len(estimate))).all()
    for lower in (iwae, elbo):
        assert (lower.mean(axis=0) < np.log(evidence) + 4.5 * lower.std(axis=0) / np.sqrt(len(lower))).all()
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), 5, sampler=filtered)
    assert objective(gaussian(None), KEY, datum).bound.shape == (2,)


def forward(x: np.ndarray, stay: float, right: float) -> np.ndarray:
    """p(x) of the chain by the forward recursion."""
    moves = np.array([[stay, 1 - stay], [1 - stay, stay]])
    alpha = np.full((len(x), 2), 0.5)
    for seen in x.T:
        alpha = (alpha @ moves) * np.where(np.arange(2) == seen[:, None], right, 1 - right)
    return alpha.sum(axis=1)
