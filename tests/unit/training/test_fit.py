"""`training.fit`: the best model on validation data, who watches, and what it resumes from, on numbers alone."""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.known_updates import Watcher, Weights

from iwax import bounds, control_variates, data, gradients, training
from iwax.gradients import Surrogate
from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.training import Plan, keeping

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(3.0, 1.0, (24, 3)).astype(np.float32)
VALID = RNG.normal(1.0, 1.0, (7, 3)).astype(np.float32)


class Means(Weights):
    """Numbers that ascend to the mean of the rows."""

    def refuse_outside(self, values, *, missing=False):
        pass


def noisy(model: Means, key, x, *, beta) -> Surrogate:
    noise = 0.1 * jax.vmap(lambda row: jax.random.normal(jax.random.fold_in(key, row), (3,)))(x.index)
    value = -0.5 * ((model.w - x.values + noise) ** 2).sum(axis=-1)
    return Surrogate(value, value)


def fit(**options):
    given = {"optimizer": optax.adam(0.05), "epochs": 40, "key": jax.random.key(5), "batch": 8} | options
    return training.fit(Means(jnp.zeros(3)), given.pop("objective", noisy), TRAIN, **given)


def test_the_best_model_on_validation_data_is_returned_and_patience_ends_training():
    stopped = fit(x_valid=VALID, patience=4)
    validation = [row["validation"] for row in stopped.history]
    best = int(np.argmax(validation))
    assert 3 < best < 35
    assert len(validation) == best + 1 + 4
    assert fit(epochs=best + 1).model.w.tolist() == stopped.model.w.tolist()
    np.testing.assert_allclose(stopped.model.w, VALID.mean(axis=0), atol=0.5)  # on the way to the means of TRAIN
    every = fit(x_valid=VALID, validate_every=3, epochs=7)
    assert ["validation" in row for row in every.history] == [False, False, True] * 2 + [False]
    last = fit(epochs=7)
    assert last.history == [{name: row[name] for name in ("epoch", "step", "bound")} for row in every.history]


class Writer:
    """The interface of a TensorBoard SummaryWriter."""

    def __init__(self) -> None:
        self.scalars = []

    def add_scalar(self, tag, scalar_value, global_step=None):
        self.scalars.append((tag, float(scalar_value), global_step))


def test_callbacks_are_told_and_may_stop():
    writer, watcher = Writer(), Watcher()

    def log(row):
        for name in ("bound", "validation"):
            writer.add_scalar(name, row[name], row["step"])

    def enough(row):
        row["bound"] = "its own copy"
        return row["epoch"] == 4

    result = fit(x_valid=VALID, callbacks=[log, watcher, enough])
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4]
    expected = [(name, row[name], row["step"]) for row in result.history for name in ("bound", "validation")]
    assert writer.scalars == expected
    assert watcher.rows == result.history
    np.testing.assert_array_equal(watcher.best[-1].w, result.model.w)
    assert len(fit(epochs=5, callbacks=[lambda row: row["bound"]]).history) == 5  # a number is no True
    for wrong in (3, SimpleNamespace(epoch=print)):
        with pytest.raises(TypeError, match="needs to be a function of a row, or to have the methods"):
            fit(callbacks=[wrong])


class Killed(Exception):
    """In the place of a signal that ends the process."""


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_fit_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(keeping, "CHECKPOINT_SECONDS", seconds)
    options = {"x_valid": VALID, "epochs": 20, "patience": 6}
    whole = fit(**options)

    def kill(epoch, row):
        if row["epoch"] == epoch:
            raise Killed

    for epoch in (1, 4, 7):
        with pytest.raises(Killed):
            fit(**options, checkpoint=tmp_path / "fit", callbacks=[partial(kill, epoch)])
    for epochs in ([], None):
        heard = []
        again = fit(**options, checkpoint=str(tmp_path / "fit"), callbacks=[heard.append])
        assert again.model.w.tolist() == whole.model.w.tolist()
        assert again.history == whole.history
        assert heard == ([] if epochs is None else whole.history[-len(heard) :])
    assert len(heard) == 0  # it had ended


def test_a_longer_fit_goes_on_and_an_interrupted_one_is_saved(tmp_path):
    def interrupt(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(epochs=4, checkpoint=tmp_path, callbacks=[interrupt])
    assert checkpoint.steps(tmp_path) != []
    fit(epochs=4, checkpoint=tmp_path)
    assert fit(epochs=6, checkpoint=tmp_path).model.w.tolist() == fit(epochs=6).model.w.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": jax.random.key(6)}, "belongs to a fit with another key: a fit goes on only with what it began with"),
        ({"batch": 6, "x_valid": VALID}, "another x_valid and batch and validate_every"),
        ({"epochs": 1}, "is at step 6 already, got epochs that end at 3"),
    ],
)
def test_a_folder_serves_one_fit(tmp_path, change, message):
    fit(epochs=2, checkpoint=tmp_path / "a")
    with pytest.raises(ValueError, match=message):
        fit(**{"epochs": 2, **change}, checkpoint=tmp_path / "a")


def test_one_fit_at_a_time_holds_a_folder(tmp_path):
    def second(row):
        with pytest.raises(BlockingIOError, match=r"is in use by .*wait for it, or stop that process first"):
            fit(epochs=1, checkpoint=tmp_path)

    fit(epochs=1, checkpoint=tmp_path, callbacks=[second])
    assert {path.name for path in tmp_path.iterdir()} == {"fit.json", "history.jsonl", "step-3"}


def test_other_folders_and_damaged_checkpoints_are_refused(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="needed a new folder, or that of an earlier fit"):
        fit(checkpoint=tmp_path)
    folder = tmp_path / "fit"
    fit(epochs=1, checkpoint=folder)
    for path in folder.glob("step-*/model.safetensors"):
        path.write_bytes(b"damaged")
    with pytest.raises(CorruptCheckpointError):
        fit(epochs=2, checkpoint=folder)


def test_the_whole_key_counts_and_a_seed_is_its_key():
    keys = [jax.random.wrap_key_data(jnp.array([high, 5], jnp.uint32)) for high in (0, 1, 2**31)]
    found = [tuple(fit(epochs=2, key=key).model.w.tolist()) for key in keys]
    assert len(set(found)) == 3
    start = training.initial_state(Means(jnp.zeros(3)), optax.adam(0.05))
    plan = Plan(epochs=2, batch=8, seed=5)
    assert (
        tuple(training.train(start, noisy, TRAIN, optimizer=optax.adam(0.05), plan=plan).model.w.tolist()) == found[0]
    )
    with pytest.raises(ValueError, match=r"one key of 64 bits, such as jax.random.key\(0\), got .* \(2, 2\)"):
        fit(key=jax.random.split(keys[0]))
    with pytest.raises(ValueError, match=r"got data of shape \(4,\)"):
        fit(key=jax.random.key(0, impl="rbg"))


@dataclass(frozen=True)
class Noisy(gradients.AbstractObjective):
    """`noisy`, with a number of draws, a look at the whole batch, or a count of the pieces that it was called with."""

    k: int = 250
    whole_batch: bool = False
    counts: bool = False

    def init(self):
        return jnp.zeros(()) if self.counts else None

    def __call__(self, model, key, x, *, beta=1.0, control=None):
        return noisy(model, key, x, beta=beta)._replace(control=control + 1 if self.counts else None)


def test_training_asks_an_objective_and_takes_the_rows_of_a_function_whole():
    pieces = fit(epochs=1, objective=Noisy())
    whole = fit(epochs=1, objective=lambda *given, **options: noisy(*given, **options))
    cut = fit(epochs=1, objective=lambda *given, **options: noisy(*given, **options), piece=4)
    assert cut.model.w.tolist() == pieces.model.w.tolist()
    np.testing.assert_allclose(cut.model.w, whole.model.w, rtol=1e-5)
    start = training.initial_state(Means(jnp.zeros(3)), optax.sgd(0.1), control=Noisy(counts=True).init())
    plan = Plan(epochs=2, batch=8, seed=5, piece=4, validate_every=1)
    end = training.train(start, Noisy(counts=True), TRAIN, optimizer=optax.sgd(0.1), plan=plan, valid=VALID)
    assert float(end.control) == 2 * 3 * 2  # epochs, steps and pieces; validation leaves it alone
    with pytest.raises(ValueError, match=r"looks at a whole batch, of 8 rows: it needs piece=None, got piece=4"):
        fit(objective=Noisy(whole_batch=True), piece=4)
    assert fit(epochs=1, objective=Noisy(whole_batch=True)).model.w.tolist() == whole.model.w.tolist()


def test_a_plain_function_loses_no_control_variate_in_silence():
    estimator = gradients.score_function(bounds.iwae, control_variates.moving_average())
    inside = gradients.Objective(estimator, k=2)
    with pytest.raises(ValueError, match=r"control variate with a state: give control=.*gradients.Objective, and not"):
        fit(epochs=1, objective=lambda model, key, x, beta: inside(model, key, x, beta=beta))
    with pytest.raises(ValueError, match=r"returns the state of a control variate, which is lost with a plain func"):
        fit(epochs=1, objective=lambda model, key, x, beta: noisy(model, key, x, beta=beta)._replace(control=beta))
    with pytest.raises(TypeError, match=r"needs to be a gradients.Objective or a function .* got 3"):
        fit(epochs=1, objective=3)


def test_progress_is_written_where_it_is_asked_for(capsys):
    fit(epochs=2)
    assert capsys.readouterr().err == ""
    fit(epochs=2, progress=True)
    assert capsys.readouterr().err.splitlines()[-1].startswith("epoch 2/2  bound -")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 2}, "patience=2 needs validation data: give x_valid"),
        ({"x_valid": VALID, "validate_every": 0}, "validate_every must be at least 1, got 0"),
        ({"x_valid": VALID[0]}, r"x_valid must be \[n, features\]"),
        ({"x_valid": np.full((2, 3), np.inf)}, "x_valid must be finite, got inf in row 0, column 0"),
        ({"x_valid": VALID[:, :2]}, r"x_valid needs rows of shape \(3,\), as x_train has, got \(2,\)"),
        ({"piece": 3}, "piece must divide the batch of 8 rows, got 3"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fit(**options)


def test_a_fit_of_rows_on_disk_is_the_fit_of_rows_in_memory(tmp_path):
    pytest.importorskip("grain")
    np.save(tmp_path / "x.npy", np.concatenate([TRAIN, VALID]))
    on_disk, memory = (data.load(tmp_path / "x.npy", on_disk=how) for how in (True, False))
    models = []
    for rows in (on_disk, memory):
        options = {"optimizer": optax.adam(0.05), "epochs": 4, "key": jax.random.key(5), "batch": 8}
        options |= {"x_valid": rows.valid.values, "checkpoint": tmp_path / f"fit-{rows.on_disk}"}
        model = Means(jnp.zeros(3))
        found = training.fit(model, noisy, rows.train.values, **options)
        again = training.fit(model, noisy, rows.train.values, **options | {"epochs": 4})
        np.testing.assert_array_equal(again.model.w, found.model.w)
        models.append(found)
    np.testing.assert_array_equal(models[0].model.w, models[1].model.w)
    assert models[0].history == models[1].history
    with pytest.raises(ValueError, match="another x_train and x_valid"):
        training.fit(model, noisy, TRAIN, **options | {"x_valid": VALID, "checkpoint": tmp_path / "fit-True"})


def test_rows_on_disk_are_checked_as_rows_in_memory_are(tmp_path):
    np.save(tmp_path / "x.npy", np.where(np.arange(90).reshape(30, 3) == 17, np.nan, 1.5))
    rows = data.load(tmp_path / "x.npy", on_disk=True).train.values
    with pytest.raises(ValueError, match=r"x_train from .*x\.npy, row 1 on, must be finite, got nan"):
        training.fit(Means(jnp.zeros(3)), noisy, rows, optimizer=optax.adam(0.05), epochs=1, key=jax.random.key(5))
