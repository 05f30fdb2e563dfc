"""Bayesian neural networks: free energy, training, errors, pruning, the verb and its table."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import bnn, weights
from iwax.cli.app import main
from iwax.nn import MLP
from iwax.runs.reporter import Silent

KEY = jax.random.key(4)


@pytest.mark.parametrize("kind", ["equal", "decaying"])
@pytest.mark.parametrize("batches", [1, 2, 31, 469, 5000])
def test_shares_sum_to_one_and_do_not_underflow(kind, batches):
    found = weights.shares(batches, kind)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    if kind == "decaying" and 1 < batches <= 31:
        exact = [2 ** (batches - i) / (2**batches - 1) for i in range(1, batches + 1)]
        np.testing.assert_allclose(found, exact, rtol=1e-12)


@pytest.mark.parametrize("local", [False, True])
def test_the_free_energy_has_the_exact_mean(local):
    """A linear network under a quadratic loss: E |a - t|^2 and the KL divergence are known."""
    net, x, t = MLP(3, (), 1, key=KEY, sigma=0.4), jnp.array([[0.5, -1.0, 2.0]]), 0.7
    prior = weights.Normal(0.8)

    def log_likelihood(net, key):
        return -jnp.sum((net(x, key=key) - t) ** 2)

    def one(key):
        return weights.free_energy(net, log_likelihood, prior, share=0.25, samples=2, local=local, key=key)

    found = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(KEY, 5000)))
    layer = net.layers[0]
    mean = float((x @ layer.weight + layer.bias - t)[0, 0])
    exact = mean**2 + 0.4**2 * (float(jnp.sum(x**2)) + 1) + 0.25 * float(weights.kl(net, prior))
    assert abs(found.mean() - exact) < 4.5 * found.std() / np.sqrt(len(found))


@pytest.fixture(scope="module")
def digits():
    return bnn.task_named("digits-grey")


@pytest.fixture(scope="module")
def trained(digits):
    settings = bnn.Settings.of({"hidden": [30], "epochs": 30, "batch": 100, "minus_log_sigma1": 0.0, "sigma": 0.05})
    return bnn.fit(settings, digits, reporter=Silent())


def test_a_network_that_asks_for_too_much_is_refused_before_it_is_made(digits):
    settings = bnn.Settings.of({"hidden": [65_536] * 64})
    with pytest.raises(ValueError, match=r"such hidden layers, .* would take 6\.\d+ TB of memory, more than"):
        bnn.fit(settings, digits, reporter=Silent())


def test_training_lowers_the_free_energy(trained):
    assert np.isfinite(trained.free_energy).all()
    assert trained.free_energy[-1] < 0.85 * trained.free_energy[0]


@pytest.mark.slow
def test_training_classifies(digits, trained):
    found = bnn.measured(digits, trained.network, digits.test, draws=5, key=KEY)
    assert (found.n, found.draws) == (300, 5)
    assert found.error < 0.3  # one in ten by chance
    assert found.standard_error == pytest.approx(math.sqrt(found.error * (1 - found.error) / 300))


def test_errors_are_those_of_averaged_probabilities(digits, trained):
    keys = jax.random.split(KEY, 3)
    predicted = jax.jit(lambda key: jax.nn.softmax(weights.drawn(trained.network, key)(digits.test.inputs)))
    probabilities = np.mean([predicted(key) for key in keys], axis=0)
    found = bnn.measured(digits, trained.network, digits.test, draws=3, key=KEY)
    assert found.error == np.mean(probabilities.argmax(axis=1) != digits.test.targets)
    right = probabilities[np.arange(300), digits.test.targets]
    assert found.log_likelihood == pytest.approx(np.log(right).mean(), rel=1e-4)


def test_pruning_starts_at_the_mean_network_and_ends_at_chance(digits, trained):
    rows = dict(bnn.pruning(digits, trained.network, digits.test, shares=(0.0, 0.5, 1.0)))
    assert rows[0.0] == bnn.measured(digits, trained.network, digits.test, draws=None, key=KEY)
    assert rows[1.0].error == pytest.approx(0.9)
    assert rows[0.0].error <= rows[1.0].error


SLOWLY = {"sampling": "weights", "optimizer": "sgd", "learning_rate": 1e-4}


@pytest.mark.parametrize(
    "change", [{"method": "plain"}, {"method": "dropout"}, pytest.param(SLOWLY, marks=pytest.mark.slow)]
)
def test_other_methods_train(digits, change):
    settings = bnn.Settings.of({"hidden": [20], "epochs": 3, "batch": 200, **change})
    found = bnn.fit(settings, digits, reporter=Silent())
    assert found.free_energy[-1] < found.free_energy[0]
    bins = bnn.histogram(found.network, key=KEY)
    assert ("sigmas" in bins) == (settings.method == "bayes")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prio": "normal"}, "nearest: prior"),
        ({"method": "sgd"}, r"method: needs one of bayes .* got 'sgd'"),
        ({"minus_log_sigma2": 0.5}, "needs to be above minus_log_sigma1=1"),
        ({"epochs": 0}, "epochs: needs an integer from 1"),
    ],
)
def test_settings_are_refused_in_words(given, words):
    with pytest.raises(ValueError, match=words):
        bnn.Settings.of(given)


def test_tasks_are_refused_by_name():
    with pytest.raises(ValueError, match="digits-grey, mnist-grey, curve, got 'mnist'"):
        bnn.task_named("mnist")


def test_the_verb_and_the_table(tmp_path, monkeypatch, capsys):
    """A regression through the command line: files, pictures, the last line; not overwritten; and the table's rows."""
    monkeypatch.chdir(tmp_path)
    order = ["bnn", "curve", "--hidden", "10", "--epochs", "2", "--output", "run", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main(order)
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("test log p(y|x) ")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "bnn.json",
        "model.safetensors",
        "weights.png",
    ]
    found = json.loads((tmp_path / "run" / "bnn.json").read_text())
    assert found["errors"]["test"]["mean_weights"]["error"] is None
    with pytest.raises(SystemExit) as stopped:
        main(order)
    assert stopped.value.code == 2
    assert "exists already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "bayes-by-backprop", "--json"])
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)[3]["error"] == 1.36
