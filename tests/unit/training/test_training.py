"""The training loop: its updates, known by hand, and its bits on a small IWAE."""

import hashlib
from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.known_updates import ROWS, Watcher, Weights, train, visits

import iwax
from iwax import bounds, gradients, likelihoods, posteriors, priors, training
from iwax.gradients import Surrogate
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.parts import as_datum
from iwax.training import Plan

FEATURES = 6


@cache
def grey() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(ROWS, FEATURES), dtype=np.uint8)


@cache
def vae() -> LatentVariableModel:
    return LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(Linear(2, FEATURES, key=jax.random.key(0))),
        posterior=posteriors.Gaussian(Linear(FEATURES, 4, key=jax.random.key(1), heads=2)),
    )


@cache
def dreg():
    return gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=3)


def digest(tree) -> str:
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array)):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("batch", [4, 7, 22, 50])
def test_every_row_is_visited_once_an_epoch_and_padding_counts_for_nothing(batch: int):
    model, data = Weights(jnp.zeros(ROWS)), np.zeros((ROWS, 1), np.float32)
    summed = train(model, visits, data, Plan(epochs=3, batch=batch, seed=1, reduction="sum"))
    np.testing.assert_allclose(summed.model.w, np.full(ROWS, 3.0), rtol=1e-6)
    watcher = Watcher()
    mean = train(model, visits, data, Plan(epochs=1, batch=batch, seed=1), observer=watcher).model.w
    last = ROWS % batch or min(batch, ROWS)
    expected = np.full(ROWS, 1 / min(batch, ROWS))
    expected[training.permutation(1, 0, ROWS)[ROWS - last :]] = 1 / last  # a mean over the rows that there are
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    assert watcher.rows[0]["bound"] == pytest.approx(1.0)


def test_the_bound_of_an_epoch_is_the_mean_over_its_rows():
    """Not the mean of batch means, in which the rows of a short last batch would count for more."""

    def row_numbers(model, key, x, *, beta):
        return Surrogate(model.w[x.index], x.index.astype(float))

    watcher = Watcher()
    data = np.zeros((ROWS, 1), np.float32)
    train(Weights(jnp.zeros(ROWS)), row_numbers, data, Plan(epochs=2, batch=8, seed=3), observer=watcher)
    for row in watcher.rows:
        assert row["bound"] == pytest.approx(np.arange(ROWS).mean(), rel=1e-6)


def test_the_order_of_rows_is_a_function_of_seed_and_epoch():
    orders = {tuple(training.permutation(seed, epoch, 50)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert training.permutation(2, 7, 50).tolist() == training.permutation(2, 7, 50).tolist()
    assert sorted(training.permutation(2, 7, 50)) == list(range(50))
    # uniform: the place of the first row over many epochs
    places = [int(np.argmin(training.permutation(0, epoch, 10))) for epoch in range(2000)]
    assert (np.abs(np.bincount(places, minlength=10) - 200) < 4.5 * np.sqrt(2000 * 0.1 * 0.9)).all()


@pytest.mark.slow
def test_the_bits_do_not_depend_on_how_the_run_is_cut_into_segments():
    optimizer = optax.adam(1e-2)
    plan = partial(Plan, epochs=3, batch=4, seed=7, binarize=True, beta_warmup=2)
    short, long = Watcher(), Watcher()
    one = train(vae(), dreg(), grey(), plan(segment_seconds=1e-9), optimizer=optimizer, observer=short)
    other = train(vae(), dreg(), grey(), plan(segment_seconds=10.0), optimizer=optimizer, observer=long)
    assert digest(one) == digest(other)
    assert short.rows == long.rows
    assert len(short.progress) > len(long.progress)
    # stopped in the middle of an epoch, and taken up from there
    cut = plan(segment_seconds=1e-9)
    half = train(vae(), dreg(), grey(), cut, optimizer=optimizer, observer=Watcher(stop_after=8))
    assert int(half.step) == 8
    assert int(half.tally.batches) == 2
    rest = Watcher()
    whole = training.train(half, dreg(), grey(), optimizer=optimizer, plan=plan(), observer=rest)
    assert digest(whole) == digest(one)
    assert rest.rows == short.rows[-len(rest.rows) :]
    other_seed = train(vae(), dreg(), grey(), plan(seed=8), optimizer=optimizer)
    assert digest(other_seed) != digest(one)


def test_the_state_that_is_given_is_left_as_it_is():
    optimizer = optax.adam(1e-2)
    state = training.initial_state(vae(), optimizer)
    before = digest(state)
    for _ in range(2):
        training.train(state, dreg(), grey(), optimizer=optimizer, plan=Plan(epochs=1, batch=11, seed=0, binarize=True))
        assert digest(state) == before


def test_pieces_add_up_to_the_whole_batch():
    """One epoch of plain steps, the last batch short."""
    options = {"epochs": 1, "batch": 8, "seed": 2, "binarize": True}
    whole = train(vae(), dreg(), grey(), Plan(**options), optimizer=optax.sgd(0.1))
    pieces = train(vae(), dreg(), grey(), Plan(piece=2, **options), optimizer=optax.sgd(0.1))
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(whole.model))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * scale), pieces.model, whole.model)


def test_adam_with_a_schedule_is_optax_stepped_by_hand():
    data = np.random.default_rng(1).normal(size=(10, 3)).astype(np.float32)

    def objective(model, key, x, *, beta):
        value = -0.5 * ((model.w - x.values) ** 2).sum(axis=-1)
        return Surrogate(value, value)

    schedule = training.schedules.burda_stages(0.3, 5, stages=3)
    optimizer = optax.adam(schedule, b1=0.9, b2=0.99, eps=1e-4)
    plan = Plan(epochs=13, batch=2, seed=4)
    watcher = Watcher()
    trained = train(
        Weights(jnp.ones(3)), objective, data, plan, optimizer=optimizer, observer=watcher, learning_rate=schedule
    )
    w, m, v = np.ones(3), np.zeros(3), np.zeros(3)
    for step in range(13 * 5):
        epoch, position = divmod(step, 5)
        rows = data[training.permutation(4, epoch, 10)[2 * position : 2 * position + 2]].astype(np.float64)
        gradient = (w - rows).mean(axis=0)
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient**2
        stage = int(np.searchsorted([1, 4, 13], epoch, side="right"))
        rate = 0.3 * 10 ** (-stage / 2)
        w = w - rate * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.99 ** (step + 1))) + 1e-4)
    np.testing.assert_allclose(trained.model.w, w, rtol=1e-4)
    rates = [row["learning_rate"] for row in watcher.rows]
    np.testing.assert_allclose(rates, [0.3] + [0.3 / np.sqrt(10)] * 3 + [0.03] * 9, rtol=1e-6)


def test_fit_raises_the_bound_and_leaves_the_model_given_alone():
    x, before = (grey() > 127).astype(np.float32), digest(vae())
    fit = partial(
        training.fit, vae(), dreg(), x, optimizer=optax.adam(0.02), epochs=30, key=jax.random.key(3), batch=11
    )
    result = fit()
    assert [row["epoch"] for row in result.history] == list(range(1, 31))
    assert result.history[-1]["bound"] > result.history[0]["bound"] + 0.2
    assert digest(vae()) == before
    assert digest(fit().model) == digest(result.model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs must be at least 0, got -1"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"seed": 2**64}, r"0 <= seed < 2\*\*64, got 18446744073709551616"),
        ({"seed": -1}, "got -1"),
        ({"piece": 3}, "piece must divide the batch of 4 rows, got 3"),
        ({"patience": 2}, "needs validate_every of at least 1"),
        ({"validate_every": 1}, "needs validation data, got none"),
    ],
)
def test_plans_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        train(
            Weights(jnp.zeros(4)),
            visits,
            np.zeros((4, 1), np.float32),
            Plan(**({"epochs": 1, "batch": 4, "seed": 0} | options)),
        )


def test_objectives_take_arrays_of_rows():
    x, key = (grey() > 127).astype(int), jax.random.key(1)
    datum = iwax.Datum(jnp.asarray(x, float))
    for rows in (x, jnp.asarray(x), x.astype(np.float32), x.astype(bool)):
        assert eqx.tree_equal(as_datum(rows), datum)
    for objective in (dreg(), gradients.closed_form_kl(k=2)):
        both = eqx.filter_jit(lambda model, each=objective: [each(model, key, rows).bound for rows in (x, datum)])
        np.testing.assert_array_equal(*both(vae()))
    incomplete = np.where(x == 1, np.nan, x)
    for wrong, message in (
        (x[0], r"array of shape \[n, features\], such as x.reshape\(len\(x\), -1\).*got shape \(6,\)"),
        (incomplete, r"missing values \(NaN\): give iwax.Datum.of\(x, missing=True\)"),
        (x.tolist(), "must be an array of rows .* got list"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            dreg()(vae(), key, wrong)
    found = iwax.Datum.of(incomplete, missing=True, index=np.arange(ROWS))
    np.testing.assert_array_equal(found.observed, x == 0)
    assert np.isfinite(found.values).all()
    assert found.index.tolist() == list(range(ROWS))


def test_bad_data_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        train(Weights(jnp.zeros(4)), visits, np.zeros((0, 1), np.float32), Plan(epochs=1, batch=4, seed=0))
    fit = partial(training.fit, vae(), dreg(), optimizer=optax.sgd(0.1), epochs=1, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"\[n, 6\].*got shape \(6,\)"):
        fit(np.zeros(6))
    with pytest.raises(ValueError, match="inf in row 1, column 0"):
        fit(np.array([[0.0] * 6, [np.inf] + [0.0] * 5]))
