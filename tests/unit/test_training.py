"""The training loop on objectives whose every update is known by hand, and its bits on a small IWAE."""

import hashlib
from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from iwax import bounds, gradients, likelihoods, posteriors, priors, training
from iwax._typing import Datum
from iwax.gradients import Surrogate
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.training import Plan

ROWS, FEATURES = 22, 6


class Weights(eqx.Module):
    """A model of nothing but numbers."""

    w: jax.Array


class Watcher:
    """Keeps what it is told, and stops the run after a number of stretches."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows, self.progress, self.best, self.stop_after = [], [], [], stop_after

    def stretch(self, state, progress):
        self.progress.append(progress)
        return len(self.progress) == self.stop_after

    def epoch(self, state, row):
        self.rows.append(row)

    def improved(self, state):
        self.best.append(jax.tree.map(np.asarray, state.model))


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
    return partial(gradients.surrogate, k=3, estimator=gradients.doubly_reparameterized(bounds.iwae))


def train(model, objective, data, plan: Plan, *, optimizer=None, **options):
    optimizer = optax.sgd(1.0) if optimizer is None else optimizer
    state = training.initial_state(model, optimizer)
    return training.train(state, objective, data, optimizer=optimizer, plan=plan, **options)


def digest(tree) -> str:
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array)):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


def visits(model: Weights, key, x: Datum, *, beta) -> Surrogate:
    """Ascending it by plain steps adds to w[i] the weight of row i, at every visit."""
    return Surrogate(model.w[x.index], jnp.ones(x.index.shape))


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


def test_the_bits_do_not_depend_on_how_the_run_is_cut_into_stretches():
    optimizer = optax.adam(1e-2)
    plan = partial(Plan, epochs=3, batch=4, seed=7, binarize=True, beta_warmup=2)
    short, long = Watcher(), Watcher()
    one = train(vae(), dreg(), grey(), plan(stretch_seconds=1e-9), optimizer=optimizer, observer=short)
    other = train(vae(), dreg(), grey(), plan(stretch_seconds=10.0), optimizer=optimizer, observer=long)
    assert digest(one) == digest(other)
    assert short.rows == long.rows
    assert len(short.progress) > len(long.progress)
    # stopped in the middle of an epoch, and taken up from there
    cut = plan(stretch_seconds=1e-9)
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


def test_schedules_are_their_formulas():
    burda = training.schedules.burda_stages(1e-3, 2)
    ends = [(3**i - 1) // 2 for i in range(9)]
    for i in range(8):
        for step in (2 * ends[i], 2 * ends[i + 1] - 1):
            assert float(burda(step)) == pytest.approx(1e-3 * 10 ** (-i / 7), rel=1e-5)
    assert training.schedules.burda_epochs() == ends[8] == 3280
    cosine = training.schedules.cosine(0.2, 110, warmup=10)
    assert float(cosine(5)) == pytest.approx(0.1)
    for step in (10, 35, 60, 109):
        assert float(cosine(step)) == pytest.approx(0.1 * (1 + np.cos(np.pi * (step - 10) / 100)), abs=1e-7)
    constant = training.schedules.constant(0.2, warmup=4)
    assert [float(constant(step)) for step in (0, 2, 4, 100)] == pytest.approx([0.0, 0.1, 0.2, 0.2])


def test_beta_rises_linearly_over_the_warm_up():
    def temperature(model, key, x, *, beta):
        return Surrogate(0 * model.w[x.index], jnp.full(x.index.shape, beta))

    watcher = Watcher()
    data = np.zeros((ROWS, 1), np.float32)
    plan = Plan(epochs=4, batch=11, seed=0, beta_warmup=3)
    train(Weights(jnp.zeros(ROWS)), temperature, data, plan, observer=watcher)
    # two steps an epoch: 1/6 and 2/6, then 3/6 and 4/6, 5/6 and 1, 1 and 1
    assert [row["bound"] for row in watcher.rows] == pytest.approx([1.5 / 6, 3.5 / 6, 5.5 / 6, 1.0], rel=1e-6)
    assert [row["beta"] for row in watcher.rows] == pytest.approx([2 / 6, 4 / 6, 1.0, 1.0])
    without = Watcher()
    train(Weights(jnp.zeros(ROWS)), temperature, data, Plan(epochs=1, batch=11, seed=0), observer=without)
    assert without.rows[0]["bound"] == 1.0


@pytest.mark.parametrize("where", ["the loss", "the gradient of w"])
@pytest.mark.parametrize("seconds", [1e-9, 10.0])
def test_a_number_that_is_not_finite_stops_the_run_with_its_step_and_cause(where: str, seconds: float):
    spoilt = 13  # a row

    def objective(model, key, x, *, beta):
        if where == "the loss":
            poison = jnp.where(x.index == spoilt, jnp.nan, 0.0)
        else:  # the root of 0, whose value is 0 and whose slope is infinite
            poison = jnp.sqrt(jnp.where(x.index == spoilt, 0.0, 1.0) * model.w[x.index])
        return Surrogate(model.w[x.index] + poison, jnp.ones(x.index.shape))

    model, watcher = Weights(jnp.ones(ROWS)), Watcher()
    plan = Plan(epochs=2, batch=2, seed=5, stretch_seconds=seconds)
    with pytest.raises(training.NumericalStop) as stop:
        train(model, objective, np.zeros((ROWS, 1), np.float32), plan, optimizer=optax.sgd(0.0), observer=watcher)
    assert stop.value.step == list(training.permutation(5, 0, ROWS)).index(spoilt) // 2
    assert stop.value.cause == where
    assert f"step {stop.value.step}: {where} is NaN or infinite" in str(stop.value)
    assert watcher.rows == []
    assert (model.w == 1).all()


def test_training_that_blows_up_stops():
    def objective(model, key, x, *, beta):
        value = (model.w**2).sum() * jnp.ones(x.values.shape[0])  # ascended without end
        return Surrogate(value, value)

    with pytest.raises(training.NumericalStop):
        train(Weights(jnp.ones(1)), objective, np.zeros((4, 1), np.float32), Plan(epochs=200, batch=1, seed=0))


def test_early_stopping_keeps_the_best():
    """w rises by 1 an epoch and the bound is best at 5."""

    def objective(model, key, x, *, beta):
        rows = x.values.shape[0]
        return Surrogate(jnp.full(rows, model.w[0]), jnp.full(rows, -((model.w[0] - 5) ** 2)))

    watcher, data = Watcher(), np.zeros((4, 1), np.float32)
    plan = Plan(epochs=50, batch=4, seed=0, validate_every=1, patience=3)
    state = train(Weights(jnp.zeros(1)), objective, data, plan, valid=data[:3], observer=watcher)
    assert (int(state.step), int(state.best_step), float(state.best), int(state.stale)) == (8, 5, 0.0, 3)
    assert [float(model.w[0]) for model in watcher.best] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [row["validation"] for row in watcher.rows] == [-((e - 5.0) ** 2) for e in range(1, 9)]
    again = training.train(state, objective, data, optimizer=optax.sgd(1.0), plan=plan, valid=data)
    assert int(again.step) == 8  # its patience stays exhausted
    every = Plan(epochs=9, batch=4, seed=0, validate_every=4)
    watcher = Watcher()
    train(Weights(jnp.zeros(1)), objective, data, every, valid=data, observer=watcher)
    assert [row.get("validation") for row in watcher.rows] == [None] * 3 + [-1.0] + [None] * 3 + [-9.0, None]


def test_validation_is_the_mean_over_its_rows_at_full_temperature_with_the_same_noise():
    def objective(model, key, x, *, beta):
        noise = jax.random.normal(key)
        return Surrogate(model.w[x.index % ROWS], x.values[:, 0] + 100 * beta + noise)

    data = np.zeros((ROWS, 1), np.float32)
    valid = np.random.default_rng(0).normal(size=(250, 1)).astype(np.float32)
    plan = Plan(epochs=3, batch=8, seed=6, validate_every=1, beta_warmup=10)
    found = []
    for rows in (250, 1):
        watcher = Watcher()
        train(Weights(jnp.zeros(ROWS)), objective, data, plan, valid=valid[:rows], observer=watcher)
        values = [row["validation"] for row in watcher.rows]
        assert len(set(values)) == 1
        found.append(values[0])
    noise = found[1] - valid[0, 0] - 100
    assert abs(noise) < 5
    assert found[0] == pytest.approx(valid.astype(np.float64).mean() + 100 + noise, abs=1e-4)


def test_grey_values_are_drawn_anew_at_every_access():
    seen = []

    def objective(model, key, x, *, beta):
        jax.debug.callback(lambda values, index: seen.append((np.array(values), np.array(index))), x.values, x.index)
        return Surrogate(0 * model.w[x.index], jnp.ones(x.index.shape))

    data = np.tile(np.array([[0, 64, 255]], np.uint8), (ROWS, 1))
    train(Weights(jnp.zeros(ROWS)), objective, data, Plan(epochs=150, batch=11, seed=0, binarize=True))
    jax.effects_barrier()
    values = np.concatenate([batch for batch, _ in seen])
    assert len(seen) == 300
    assert set(np.unique(values)) == {0.0, 1.0}
    assert values[:, 0].max() == 0.0
    assert values[:, 2].min() == 1.0
    p = 64 / 255
    assert abs(values[:, 1].mean() - p) < 4.5 * np.sqrt(p * (1 - p) / len(values))
    # a row is not tied to one value over the epochs, nor a batch to one value over its rows
    by_row = np.zeros(ROWS)
    for batch, index in seen:
        by_row[index] += batch[:, 1]
    assert (np.abs(by_row - 150 * p) < 4.5 * np.sqrt(150 * p * (1 - p))).all()


def test_free_bits_are_their_formula():
    """A unit whose mean KL lies below the floor costs the floor and is not pressed; the others cost their KL."""
    model, key = vae(), jax.random.key(0)
    x = Datum(values=jnp.asarray(grey() > 127, jnp.float32))

    def divergences(model):
        return jax.vmap(lambda row: model.posterior(row, key=key).kl(model.prior(None, key=key)))(x.values)

    kl = np.asarray(eqx.filter_jit(divergences)(model))
    means, floor = kl.mean(axis=0), float(kl.mean())
    assert means.min() < floor < means.max()

    @eqx.filter_jit
    def both(model, free_bits, beta):
        def value(model):
            result = gradients.closed_form_kl(model, key, x, k=2, beta=beta, free_bits=free_bits)
            return result.value.mean(), result.bound

        return eqx.filter_value_and_grad(value, has_aux=True)(model)

    (log_likelihood, bound), without_kl = both(model, 0.0, 0.0)
    (plain, _), _ = both(model, 0.0, 0.7)
    (held, bound_of_held), gradient = both(model, floor, 0.7)
    assert float(plain) == pytest.approx(float(log_likelihood) - 0.7 * means.sum(), rel=1e-5)
    assert float(held) == pytest.approx(float(log_likelihood) - 0.7 * np.maximum(means, floor).sum(), rel=1e-5)
    np.testing.assert_allclose(bound_of_held, bound, rtol=1e-6)

    def pressed_alone(model):
        return 0.7 * (divergences(model) * (means >= floor)).sum(axis=1).mean()

    pressure = eqx.filter_jit(eqx.filter_grad(pressed_alone))(model)
    jax.tree.map(
        lambda a, b, c: np.testing.assert_allclose(a, b - c, rtol=1e-4, atol=1e-5), gradient, without_kl, pressure
    )


def test_progress_tells_where_the_run_stands():
    watcher = Watcher()
    plan = Plan(epochs=2, batch=8, seed=0, stretch_seconds=1e-9)
    train(Weights(jnp.zeros(ROWS)), visits, np.zeros((ROWS, 1), np.float32), plan, observer=watcher)
    last = watcher.progress[-1]
    assert (last.step, last.epoch, last.steps, last.epochs, last.seconds_left) == (6, 1, 3, 2, 0.0)
    assert [p.step for p in watcher.progress] == sorted({p.step for p in watcher.progress})
    assert np.isnan(watcher.progress[0].images_per_second)  # the first stretch holds the compilation
    assert all(p.images_per_second > 0 for p in watcher.progress[1:])
    assert [row["epoch"] for row in watcher.rows] == [1, 2]
    assert [row["step"] for row in watcher.rows] == [3, 6]


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
        ({"seed": 2**32}, r"0 <= seed < 2\*\*32, got 4294967296"),
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


def test_bad_data_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        train(Weights(jnp.zeros(4)), visits, np.zeros((0, 1), np.float32), Plan(epochs=1, batch=4, seed=0))
    fit = partial(training.fit, vae(), dreg(), optimizer=optax.sgd(0.1), epochs=1, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"\[rows, features\].*got \(6,\)"):
        fit(np.zeros(6))
    with pytest.raises(ValueError, match="finite, got inf in row 1, column 0"):
        fit(np.array([[0.0, 1.0], [np.inf, 0.0]]))
