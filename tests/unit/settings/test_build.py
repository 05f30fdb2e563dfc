"""What a configuration becomes: parts of the right shapes, biases at the data's mean, objectives with gradients."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from iwax import batched, data
from iwax.data import Dataset, Split
from iwax.parts import Datum
from iwax.runs import support
from iwax.settings import build
from iwax.settings.build import FeatureStatistics
from iwax.settings.config import Config, Model, Training
from iwax.settings.objective import Objective, build_objective
from iwax.training import steps_per_epoch

KEY = jax.random.key(0)
FEATURES = 6
START = FeatureStatistics(np.full(FEATURES, 0.25), np.full(FEATURES, 2.0))


def model_of(**settings):
    return build.build_model(Config(model=Model(**settings)), START, key=KEY)


def dataset(values, *, kind):
    rows = Split(values)
    return Dataset("made", "made by hand", (values.shape[1],), kind, False, rows, rows, rows)


def weights(model):
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)) if leaf.ndim == 2)


@pytest.mark.parametrize(
    ("latent", "likelihood"),
    [
        pytest.param(3, "bernoulli", marks=pytest.mark.slow),
        ((3,), "gaussian"),
        pytest.param((4, 3), "bernoulli", marks=pytest.mark.slow),
        pytest.param((5, 4, 2), "gaussian", marks=pytest.mark.slow),
    ],
)
def test_chains_of_any_depth_give_finite_log_weights(latent, likelihood):
    model = model_of(latent=latent, hidden=(7,), likelihood=likelihood)
    x = Datum(values=jnp.ones((2, FEATURES)))
    log_w = eqx.filter_jit(batched.log_weights)(model, KEY, x, k=3)
    assert log_w.shape == (3, 2)
    assert np.isfinite(log_w).all()
    z, mean, sample = eqx.filter_eval_shape(batched.generate, model, KEY, 4)
    assert mean.shape == sample.shape == (4, FEATURES)
    sizes = (latent,) if isinstance(latent, int) else latent
    assert [leaf.shape for leaf in jax.tree.leaves(z)] == [(4, size) for size in sizes]


def test_the_two_layer_net_is_burdas():
    config = Config(model=Model(latent=(100, 50), hidden=((200, 200), (100, 100)), likelihood="bernoulli"))
    model = build.build_model(config, FeatureStatistics(np.full(784, 0.1), np.ones(784)), key=KEY)

    def shapes(network):
        return [layer.weight.shape for layer in network.layers]

    assert shapes(model.posterior.first.network) == [(784, 200), (200, 200), (200, 200)]
    assert shapes(model.posterior.conditionals[0].network) == [(100, 100), (100, 100), (100, 100)]
    assert shapes(model.prior.conditionals[0].network) == [(50, 100), (100, 100), (100, 200)]
    assert shapes(model.likelihood.likelihood.network) == [(100, 200), (200, 200), (200, 784)]
    assert weights(model) == config.model.weights(784)


def test_the_prior_of_a_deep_chain_is_ordered_from_the_top():
    model = model_of(latent=(5, 4, 3), hidden=(7,), likelihood="bernoulli")
    ends = [
        (net.network.layers[0].weight.shape[0], net.network.layers[-1].bias.size) for net in model.prior.conditionals
    ]
    assert ends == [(3, 2 * 4), (4, 2 * 5)]


def test_an_untrained_decoder_is_biased_to_the_mean_of_the_data():
    bernoulli = model_of(latent=2, hidden=(), likelihood="bernoulli").likelihood
    assert jax.nn.sigmoid(bernoulli.network.layers[-1].bias) == pytest.approx(np.full(FEATURES, 0.25))
    network = model_of(latent=2, likelihood="gaussian").likelihood.network
    assert network.layers[-1].bias == pytest.approx(np.r_[np.full(FEATURES, 0.25), np.full(FEATURES, np.log(2.0))])


@pytest.mark.parametrize(
    ("variance", "shape", "learned"),
    [
        ("fixed", (), "fixed"),
        ("scalar", (), "learned"),
        ("feature", (FEATURES,), "learned"),
        ("network", None, "network"),
    ],
)
def test_gaussian_variances(variance, shape, learned):
    likelihood = model_of(latent=2, likelihood="gaussian", variance=variance, scale=0.5).likelihood
    log_scale = likelihood.family.log_scale
    assert likelihood.family.variance == learned
    assert shape == (None if log_scale is None else log_scale.shape)
    if shape is not None:
        assert np.exp(log_scale) == pytest.approx(np.full(shape, 0.5))


def test_moments_are_of_what_the_model_sees():
    grey = np.tile(np.array([[0, 255, 51]], np.uint8), (4, 1))
    digits = data.load("digits")
    assert build.feature_statistics(Config(), digits).mean == pytest.approx(digits.train.values.mean(axis=0) / 255)
    gaussian = Config(model=Model(likelihood="gaussian"))
    found = build.feature_statistics(gaussian, dataset(grey, kind="grey"))
    assert found.mean == pytest.approx(np.array([0.0, 1.0, 0.2]))
    assert (found.scale > 0).all()  # constant features


def test_training_rows_are_drawn_once_to_be_measured():
    digits, config = data.load("digits"), Config()
    final = build.values(config, digits, "train", final=True)
    assert set(np.unique(final)) == {0, 1}
    assert np.array_equal(final, build.values(config, digits, "train", final=True))
    assert np.array_equal(build.values(config, digits, "train"), digits.train.values)
    assert np.array_equal(build.values(config, digits, "test", final=True), digits.test.values)


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(Objective(bound="elbo", k=2), marks=pytest.mark.slow),
        pytest.param(Objective(bound="iwae", k=3), marks=pytest.mark.slow),
        pytest.param(Objective(bound="iwae", k=3, gradient="doubly_reparameterized"), marks=pytest.mark.slow),
        pytest.param(Objective(bound="elbo", k=3, gradient="sticking_the_landing"), marks=pytest.mark.slow),
        pytest.param(Objective(bound="miwae", k=4, m=2), marks=pytest.mark.slow),
        pytest.param(Objective(bound="elbo", k=1, gradient="closed_form_kl", free_bits=0.1), marks=pytest.mark.slow),
        Objective(bound="iwae", k=4, m=2, posterior_bound="miwae", gradient="doubly_reparameterized"),
        pytest.param(Objective(bound="jackknife", order=2, k=4, backward=2), marks=pytest.mark.slow),
        Objective(bound="renyi", alpha=0.5, k=2, gradient="score_function", control_variate="learned"),
        pytest.param(Objective(bound="thermodynamic", intervals=3, k=3, gradient="covariance"), marks=pytest.mark.slow),
        pytest.param(Objective(bound="sumo", m=1, k=3), marks=pytest.mark.slow),
        pytest.param(Objective(bound="iwae", k=3, gradient="wake"), marks=pytest.mark.slow),
    ],
    ids=lambda objective: f"{objective.bound.kind}-{objective.gradient.kind}",
)
def test_every_objective_has_a_finite_gradient(objective):
    config = Config(model=Model(latent=2, hidden=(4,), likelihood="bernoulli"))
    model, chosen = build.build_model(config, START, key=KEY), build_objective(objective, FEATURES, rows=100, key=KEY)
    x = Datum(values=jnp.ones((3, FEATURES)), index=jnp.arange(3))

    control = chosen.init()

    @eqx.filter_jit
    @partial(eqx.filter_value_and_grad, has_aux=True)
    def loss(model):
        surrogate = chosen(model, KEY, x, beta=0.5, control=control)
        return -surrogate.value.sum(), surrogate.bound

    (_, bound), gradient = loss(model)
    assert bound.shape == (3,)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_schedules_over_a_run():
    def rates(**settings):
        schedule = build.build_schedule(Training(**settings), steps_per_epoch=10)
        return [float(schedule(step)) for step in range(10 * settings["epochs"] + 1)]

    cosine = rates(epochs=4, schedule="cosine")
    assert cosine[0] == pytest.approx(1e-3)
    assert cosine[-1] == pytest.approx(0.0, abs=1e-9)
    assert cosine == sorted(cosine, reverse=True)
    warm = rates(epochs=4, schedule="cosine", warmup=1)
    assert warm[0] == 0.0
    assert warm[10] == pytest.approx(1e-3)
    burda = rates(epochs=13, schedule="burda")
    assert burda[0] == pytest.approx(1e-3)
    assert burda[10] == burda[39] == pytest.approx(1e-3 * 10 ** (-1 / 7))
    assert burda[40] == pytest.approx(1e-3 * 10 ** (-2 / 7))
    assert rates(epochs=1, schedule="constant") == pytest.approx([1e-3] * 11)


def test_clipping_bounds_the_gradient_before_adam():
    settings = Training(clip=1.0, schedule="constant", learning_rate=1.0)
    optimizer = build.build_optimizer(settings, steps_per_epoch=1)
    big = jnp.array([3e6, 4e6])
    _, state = optimizer.update(big, optimizer.init(big))
    (adam,) = [part for part in jax.tree.leaves(state, is_leaf=is_adam) if is_adam(part)]
    assert adam.mu == pytest.approx(0.1 * np.array([0.6, 0.8]))


def is_adam(part):
    return isinstance(part, optax.ScaleByAdamState)


def test_plans_follow_the_data():
    digits = data.load("digits")
    plan = build.build_plan(Config(seed=7, objective=Objective(k=50)), digits)
    assert (plan.seed, plan.binarize, plan.batch, plan.reduction) == (7, True, 100, "mean")
    assert plan.piece is not None
    assert plan.piece * 50 <= 1000
    assert steps_per_epoch(len(digits.train), plan.batch) == 13


def test_the_likelihood_is_chosen_from_the_data():
    real = dataset(np.zeros((2, 3), np.float32), kind="real")
    binary = dataset(np.zeros((2, 3), np.uint8), kind="binary")
    assert build.resolve(Config(), real).model.likelihood.kind == "gaussian"
    assert build.resolve(Config(), binary).model.likelihood.kind == "bernoulli"
    chosen = Config(model=Model(likelihood="gaussian"))
    assert build.resolve(chosen, binary).model.likelihood.kind == "gaussian"


@pytest.mark.parametrize(
    ("likelihood", "values", "message"),
    [
        (
            "bernoulli",
            np.array([[0, 1], [1, 0.5]], np.float32),
            r"made \(train\):2:2: .* to 0\.5: .*; --binarize",
        ),
        (
            "bernoulli",
            np.array([[0, 1], [255, 1]], np.uint8),
            r"made \(train\):2:1: .* to 255: .*; --binarize",
        ),
        ("pixelcnn", np.array([[np.nan, 1]], np.float32), r"made \(train\):1:1: .* needs whole pictures"),
        ("columns", np.array([[0, 1]], np.float32), r"made: model.likelihood=columns needs a table with columns"),
        (
            "gaussian",
            np.array([[0, np.inf]], np.float32),
            r"made \(train\):1:2: .* to inf: it needs finite numbers",
        ),
        (
            "gaussian",
            np.array([[np.inf, 0]], np.float32),
            r"made \(train\):1:1: .* to inf: it needs finite numbers",
        ),
    ],
)
def test_values_without_a_density_are_refused_with_their_place(likelihood, values, message):
    kind = "grey" if values.dtype == np.uint8 else "real"
    with pytest.raises(ValueError, match=message) as caught:
        support.check(Model(likelihood=likelihood).likelihood, dataset(values, kind=kind), source="made")
    assert "\n" not in str(caught.value)


def test_a_trained_run_cannot_be_given_another_likelihood():
    with pytest.raises(ValueError, match=r"x\.npy:1:2: .* to 0\.5: .* a run trained with model\.likelihood="):
        support.check_values(
            Model(likelihood="bernoulli").likelihood, np.array([[0, 0.5]]), source="x.npy", trained=True
        )


def test_values_with_a_density_pass():
    bernoulli, gaussian = (Model(likelihood=name).likelihood for name in ("bernoulli", "gaussian"))
    support.check(bernoulli, dataset(np.array([[0, 1]], np.float32), kind="real"), source="made")
    support.check(gaussian, dataset(np.array([[0, 200]], np.uint8), kind="grey"), source="made")
    support.check(bernoulli, data.load("digits"), source="digits")
    with pytest.raises(ValueError, match="binarised at every access"):
        support.check(gaussian, data.load("digits"), source="digits")


def test_nets_that_no_memory_would_take_are_refused():
    config = Config(model=Model(latent=2, hidden=(60_000,), likelihood="bernoulli"))
    with pytest.raises(ValueError, match="at most 1000000000 weights"):
        build.build_model(config, FeatureStatistics(np.zeros(100_000), np.ones(100_000)), key=KEY)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((6, 4), {"channels": (3, 5)}),
        # a remainder is cut off; colours, last in a row
        pytest.param(
            (7, 5), {"channels": (3, 4), "stride": 3, "kernel": 5, "likelihood": "gaussian"}, marks=pytest.mark.slow
        ),
        pytest.param((6, 5, 3), {"channels": (4,), "likelihood": "gaussian", "hidden": ()}, marks=pytest.mark.slow),
        pytest.param((6, 4), {"channels": (3,), "latent": (4, 2), "order": "top_down"}, marks=pytest.mark.slow),
    ],
)
def test_a_convolutional_network_takes_pictures_of_any_size_and_begins_at_their_mean(shape, settings):
    features = int(np.prod(shape))
    mean = np.linspace(0.1, 0.9, features)
    start = FeatureStatistics(mean, np.ones(features), shape)
    config = Config(
        model=Model(**{"network": "conv", "latent": 3, "hidden": (7,), "likelihood": "bernoulli"} | settings)
    )
    model = build.build_model(config, start, key=KEY)
    log_w = eqx.filter_jit(batched.log_weights)(model, KEY, Datum(values=jnp.ones((2, features))), k=2)
    assert np.isfinite(log_w).all()
    network = model.likelihood.network
    still = network.joint if hasattr(network, "joint") else network
    flat = eqx.tree_at(lambda net: net.layers[-1].conv.weight, still, replace_fn=jnp.zeros_like)
    outputs = flat(jnp.ones(flat.in_features))[:features]
    expected = np.log(mean / (1 - mean)) if config.model.likelihood.kind == "bernoulli" else mean
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_a_convolution_of_colours_reads_each_pixel_as_a_whole():
    """Of one pixel of one channel, what the encoder gives changes with the numbers that stand beside each other."""
    start = FeatureStatistics(np.full(24, 0.5), np.ones(24), (4, 2, 3))
    config = Config(model=Model(network="conv", channels=(3,), hidden=(), latent=2, likelihood="bernoulli"))
    net = build.build_model(config, start, key=KEY).posterior.network
    kernel = net.layers[0].conv.weight
    only_green = jnp.zeros_like(kernel).at[:, 1].set(1.0)
    net = eqx.tree_at(lambda net: net.layers[0].conv.weight, net, only_green)
    x = jax.random.uniform(KEY, (4, 2, 3))
    others = x.at[..., 0].set(0).at[..., 2].set(1)
    np.testing.assert_array_equal(net(x.reshape(-1)), net(others.reshape(-1)))
    assert not np.array_equal(net(x.reshape(-1)), net(x.at[..., 1].set(0).reshape(-1)))
