"""The history of a training: warm-up, redrawn data, validation, patience, progress, and its end at a NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.known_updates import ROWS, Watcher, Weights, train, visits

from iwax import training
from iwax.compiler import compiler_options
from iwax.gradients import Surrogate
from iwax.training import Plan


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
    plan = Plan(epochs=2, batch=2, seed=5, segment_seconds=seconds)
    with pytest.raises(training.NumericalStop) as stop:
        train(model, objective, np.zeros((ROWS, 1), np.float32), plan, optimizer=optax.sgd(0.0), observer=watcher)
    assert stop.value.step == list(training.permutation(5, 0, ROWS)).index(spoilt) // 2
    assert stop.value.cause == where
    assert stop.value.rows == (spoilt,)
    assert f"in row {spoilt} of the training data (counted from 0), of the 2 in its batch" in str(stop.value)
    assert f"step {stop.value.step}: {where} is NaN or infinite" in str(stop.value)
    assert watcher.rows == []
    assert (model.w == 1).all()


@pytest.mark.parametrize(("batch", "epoch", "precision"), [(2, 0, 32), (5, 1, 32), (3, 1, 64), (ROWS, 0, 64)])
def test_a_stop_names_the_rows_that_are_not_finite(batch: int, epoch: int, precision: int):
    """Of a short last batch too, of which the rows that fill it up are none."""
    spoilt = (4, int(training.permutation(1, epoch, ROWS)[-1]))
    data = np.ones((ROWS, 1), np.float32 if precision == 32 else np.float64)
    data[list(spoilt)] = 1e30 if precision == 32 else 1e200
    steps = -(-ROWS // batch)

    def objective(model, key, x, *, beta):
        squares = jnp.where(model.w[0] > epoch * steps - 0.5, x.values[:, 0] ** 2, 0.0)  # w counts the steps
        return Surrogate(model.w[0] + squares, jnp.ones(x.index.shape))

    plan = Plan(epochs=3, batch=batch, seed=1)
    with jax.enable_x64(precision == 64), pytest.raises(training.NumericalStop) as stop:
        train(Weights(jnp.zeros(1)), objective, data, plan, optimizer=optax.sgd(1.0))
    batch_of = [place // batch for place in np.argsort(training.permutation(1, epoch, ROWS))]
    first = min(batch_of[row] for row in spoilt)
    assert stop.value.step == epoch * steps + first
    assert stop.value.rows == tuple(sorted({row for row in spoilt if batch_of[row] == first}))


def test_a_stop_that_no_row_makes_alone_names_the_batch():
    def objective(model, key, x, *, beta):
        value = 3e38 * model.w[0] * x.values[:, 0]  # two of them are too much
        return Surrogate(value, jnp.ones(x.index.shape))

    words = "in the batch of rows 0, 1, 2 of the training data (counted from 0), in none"
    with pytest.raises(training.NumericalStop, match=words) as stop:
        train(Weights(jnp.ones(1)), objective, np.ones((3, 1), np.float32), Plan(epochs=1, batch=3, seed=0))
    assert stop.value.rows == (0, 1, 2)


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


def test_a_validation_that_stands_still_is_no_gain():
    """Rounded to single precision, in which the best is stored, one third is less than itself."""

    def objective(model, key, x, *, beta):
        return Surrogate(0 * model.w[x.index], jnp.where(x.index == 0, 1.0, 0.0))

    data = np.zeros((7, 1), np.float32)
    plan = Plan(epochs=9, batch=7, seed=0, validate_every=1, patience=2)
    for rows in (3, 6, 7):
        state = train(Weights(jnp.zeros(ROWS)), objective, data, plan, valid=data[:rows])
        assert (int(state.step), int(state.best_step), int(state.stale)) == (3, 1, 2)


def test_only_grey_values_are_binarised():
    with pytest.raises(ValueError, match="uint8, got float32"):
        train(Weights(jnp.zeros(4)), None, np.zeros((4, 1), np.float32), Plan(epochs=1, batch=4, seed=0, binarize=True))


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


def test_progress_tells_where_the_run_stands():
    watcher = Watcher()
    plan = Plan(epochs=2, batch=8, seed=0, segment_seconds=1e-9)
    train(Weights(jnp.zeros(ROWS)), visits, np.zeros((ROWS, 1), np.float32), plan, observer=watcher)
    last = watcher.progress[-1]
    assert (last.step, last.epoch, last.steps, last.epochs, last.seconds_left) == (6, 1, 3, 2, 0.0)
    assert [p.step for p in watcher.progress] == sorted({p.step for p in watcher.progress})
    assert np.isnan(watcher.progress[0].images_per_second)  # the first segment holds the compilation
    assert all(p.images_per_second > 0 for p in watcher.progress[1:])
    assert [row["epoch"] for row in watcher.rows] == [1, 2]
    assert [row["step"] for row in watcher.rows] == [3, 6]


def test_a_training_is_traced_once():
    """Nothing that a step or a validation gives back has another type than what was there before."""

    def traces(epochs: int) -> int:
        calls = []

        def objective(model, key, x, *, beta):
            calls.append(epochs)
            value = jnp.full(x.values.shape[0], model.w + 1)
            return Surrogate(value, value)

        data = np.zeros((6, 1), np.float32)
        plan = Plan(epochs=epochs, batch=6, seed=0, validate_every=1, segment_seconds=1e-9)
        train(Weights(jnp.asarray(1.0)), objective, data, plan, valid=data)
        return len(calls)

    assert traces(3) == traces(1)


def test_a_level_of_optimisation_that_the_environment_chooses_is_kept(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2 --xla_force_host_platform_device_count=1")
    assert compiler_options() is None
    monkeypatch.delenv("XLA_FLAGS")
    assert compiler_options() == {"xla_backend_optimization_level": 1}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler_options() is None
