"""Random weights against their distribution: moments of activations, gradients in the mean, the evidence they give."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.quadrature import log_integral
from scipy.stats import norm

from iwax import batched, bounds, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.nn import MLP, StochasticLinear
from iwax.parts import Datum

KEY, DRAWS = jax.random.key(3), 20_000
X = jnp.array([0.7, 0.0, -1.4])
TARGET = jnp.array([0.5, -1.0])


@cache
def layer(sampling: str) -> StochasticLinear:
    """Every weight and bias with a standard deviation of its own."""
    made = StochasticLinear(3, 2, sigma=0.3, key=KEY, sampling=sampling)
    rho = (jnp.linspace(-2.0, 0.5, 6).reshape(3, 2), jnp.array([-1.0, 0.3]), jnp.array([0.2, -0.4]))
    return eqx.tree_at(lambda each: (each.weight_rho, each.bias_rho, each.bias), made, rho)


def keys():
    return jax.random.split(jax.random.key(11), DRAWS)


@pytest.mark.parametrize("sampling", ["local", "weights"])
def test_mean_and_variance_of_the_activations(sampling: str):
    """``x M + m`` and ``x^2 S^2 + s^2``, within 4.5 standard errors; units are uncorrelated."""
    made = layer(sampling)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: made(X, key=key)))(keys()), np.float64)
    mean = X @ made.weight + made.bias
    variance = np.asarray(X**2 @ made.weight_sigma**2 + made.bias_sigma**2)
    assert (np.abs(drawn.mean(axis=0) - mean) < 4.5 * np.sqrt(variance / DRAWS)).all()
    squares = (drawn - mean) ** 2
    assert (np.abs(squares.mean(axis=0) - variance) < 4.5 * squares.std(axis=0) / np.sqrt(DRAWS)).all()
    products = ((drawn - mean) / np.sqrt(variance)).prod(axis=1)
    assert abs(products.mean()) < 4.5 / np.sqrt(DRAWS)


def gradients(sampling: str) -> list[np.ndarray]:
    """Of ``|a - t|^2`` in every parameter, [draws, ...]."""

    def loss(made, key):
        return jnp.sum((made(X, key=key) - TARGET) ** 2)

    found = jax.jit(jax.vmap(eqx.filter_grad(loss), in_axes=(None, 0)))(layer(sampling), keys())
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(found)]


def test_gradients_agree_in_the_mean_and_local_ones_vary_less():
    """E |a - t|^2 = |x M + m - t|^2 + x^2 S^2 + s^2, whose gradient is exact."""
    made = layer("mean")

    def expected(made):
        residual = X @ made.weight + made.bias - TARGET
        return jnp.sum(residual**2 + X**2 @ made.weight_sigma**2 + made.bias_sigma**2)

    exact = jax.tree.leaves(eqx.filter_grad(expected)(made))
    variances = {}
    for sampling in ("local", "weights"):
        found = gradients(sampling)
        for each, right in zip(found, exact, strict=True):
            error = each.std(axis=0) / np.sqrt(DRAWS)
            assert (np.abs(each.mean(axis=0) - right) <= 4.5 * error + 1e-6).all(), sampling
        variances[sampling] = [each.var(axis=0).sum() for each in found]
    assert variances["local"][2] < variances["weights"][2]
    assert sum(variances["local"]) < sum(variances["weights"])


@pytest.mark.parametrize("activation", ["tanh", "gated"])
def test_without_spread_it_is_its_twin_bit_for_bit(activation: str):
    sizes = {"in_features": 3, "hidden": (5, 4), "out_features": 4, "key": KEY, "heads": 2}
    plain, spread = (MLP(**sizes, activation=activation, sigma=sigma) for sigma in (None, 0.0))

    @eqx.filter_jit
    def run(net):
        return eqx.filter_value_and_grad(lambda net: jnp.sum(net(X, key=jax.random.key(1)) ** 2))(net)

    (value, slope), (twin_value, twin_slope) = run(spread), run(plain)
    assert value == twin_value
    for found, twin in zip(_means(slope), jax.tree.leaves(twin_slope), strict=True):
        assert (found == twin).all()


def _means(network):
    is_layer = lambda leaf: isinstance(leaf, StochasticLinear)  # noqa: E731
    layers = jax.tree.leaves(network, is_leaf=is_layer)
    return [leaf for each in layers for leaf in (each.weight, each.bias)]


def test_a_draw_of_weights_is_shared_and_a_local_one_is_not():
    rows = jnp.stack([X, X])
    shared = layer("weights")(rows, key=KEY)
    assert (shared[0] == shared[1]).all()
    own = layer("local")(rows, key=KEY)
    assert (own[0] != own[1]).all()
    assert (layer("weights").drawn(KEY)(rows) == shared).all()
    assert (layer("mean")(rows) == layer("local").at_mean()(rows)).all()


def test_what_is_refused():
    with pytest.raises(ValueError, match="needs a key"):
        layer("local")(X)
    with pytest.raises(ValueError, match="sampling must be one of local, weights, mean"):
        StochasticLinear(3, 2, sigma=0.1, key=KEY, sampling="loca")
    with pytest.raises(ValueError, match=r"0 <= floor <= sigma, got floor=0\.2"):
        StochasticLinear(3, 2, sigma=0.1, floor=0.2, key=KEY)
    with pytest.raises(ValueError, match="3 features"):
        layer("local")(jnp.ones(4), key=KEY)


def test_a_floor_stays():
    made = StochasticLinear(3, 2, sigma=0.1, floor=0.1, key=KEY)
    far = eqx.tree_at(lambda each: each.weight_rho, made, jnp.full((3, 2), -1e3))
    np.testing.assert_allclose(far.weight_sigma, 0.1, rtol=1e-6)


# x | z ~ N(z w + b, 0.5^2) with random w and b, and z ~ N(0, 1): given z the weights are integrated in closed form
NOISE, AT = 0.5, 0.8


def stochastic_model() -> LatentVariableModel:
    def net(inputs, outputs, sigma, means, key):
        made = MLP(inputs, (), outputs, key=key, sigma=sigma, heads=outputs)
        return eqx.tree_at(lambda each: (each.layers[0].weight, each.layers[0].bias), made, means)

    down = net(1, 1, 0.6, (jnp.array([[1.2]]), jnp.array([-0.3])), KEY)
    up = net(1, 2, 0.2, (jnp.array([[0.6, 0.1]]), jnp.array([0.2, -0.4])), KEY)
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Gaussian.fixed(down, NOISE),
        posterior=posteriors.Gaussian(up),
    )


@pytest.mark.usefixtures("float64")
def test_the_evidence_integrates_the_weights():
    """Fresh draws integrate the decoder's weights out; the encoder's change the variance alone."""

    def log_joint(z):
        spread = np.sqrt((z[:, 0] ** 2 + 1) * 0.6**2 + NOISE**2)
        return norm.logpdf(AT, 1.2 * z[:, 0] - 0.3, spread) + norm.logpdf(z[:, 0])

    exact = log_integral(log_joint, 1)
    model, x = stochastic_model(), Datum(values=jnp.array([[AT]]))
    log_w = np.asarray(jax.jit(lambda: batched.log_weights(model, KEY, x, k=100_000))())[:, 0]
    w = np.exp(log_w - exact)
    assert abs(w.mean() - 1) < 4.5 * w.std() / np.sqrt(len(w))
    for k in (1, 5, 50):
        groups = np.asarray(bounds.iwae(log_w.reshape(-1, k).T))
        assert groups.mean() < exact + 4.5 * groups.std() / np.sqrt(len(groups))
