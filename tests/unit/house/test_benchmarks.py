"""The benchmarks measure what they say: the products are those of a training step, the tables those of the files."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a script of the folder by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.mark.slow
def test_the_products_are_those_of_reverse_mode(script):
    """Of a linear network with the loss |y|^2 / 2, whose cotangent at the output is the output."""
    widths = (5, 4, 3, 2)
    weights = [jax.random.normal(jax.random.key(i), pair) for i, pair in enumerate(script("network").pairs(widths))]
    x = jax.random.normal(jax.random.key(9), (6, 5))

    def loss(x, weights):
        for weight in weights:
            x = x @ weight
        return 0.5 * jnp.sum(x**2)

    of_x, of_weights = jax.grad(loss, argnums=(0, 1))(x, weights)
    gradients, cotangent = script("ceilings").there_and_back(x, weights)
    np.testing.assert_allclose(cotangent, of_x, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(reversed(gradients), of_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_operations_are_counted_as_the_compiler_counts_them(script):
    network, ceilings = script("network"), script("ceilings")

    def products(x, z, encoder, decoder):
        return ceilings.there_and_back(x, encoder)[0], ceilings.there_and_back(z, decoder)

    x, z = jnp.zeros((4, network.PIXELS)), jnp.zeros((12, network.LATENT))
    lowered = jax.jit(products).lower(x, z, ceilings.matrices(network.ENCODER), ceilings.matrices(network.DECODER))
    assert lowered.compile().cost_analysis()["flops"] == network.step_flops(4, 3)


@pytest.mark.slow
def test_every_loop_runs(script):
    ceilings = script("ceilings")
    runs = [ceilings.training_products(2, 3), ceilings.decoder_products(4), ceilings.random_numbers(2, 3)]
    outputs = jax.tree.leaves([run(2) for run in runs])
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in outputs)


def test_ratios_are_taken_within_a_round(script):
    ratios = script("machine").ratios([1.0, 20.0, 3.0], [2.0, 40.0, 3.0])
    assert (ratios["least"], ratios["median"], ratios["greatest"]) == (0.5, 0.5, 1.0)


def test_the_tables_are_those_of_the_files(script):
    """Nobody has written a number by hand."""
    tables, page = script("tables"), (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, render in tables.RENDER.items():
        assert f"<!-- {name}:begin -->" in page
        path = tables.RESULTS / f"{name}.json"
        if path.is_file():
            made = render(json.loads(path.read_text(encoding="utf-8")))
            assert f"<!-- {name}:begin -->\n{made}\n<!-- {name}:end -->" in page
