"""Settings and run folders that ask for more memory than is allowed: refused before anything is allocated."""

import time
import tracemalloc

import equinox as eqx
import jax
import numpy as np
import pytest

from iwax.memory_limit import MemoryLimitError
from iwax.runs import stored_model
from iwax.runs.sources import from_sources
from iwax.settings import build
from iwax.settings.config import Config, Model
from iwax.settings.parts.networks import FeatureStatistics
from iwax.settings.parts.whole import assemble, size
from iwax.settings.presets import GRAPHS, PRESETS

FEATURES, SHAPE = 784, (28, 28)
START = FeatureStatistics(np.full(FEATURES, 0.3), np.ones(FEATURES), SHAPE, np.zeros((500, FEATURES), np.float32))
WIDE = {"latent": 65_536, "hidden": (10_000,)}
CONV = {"network": "conv", "latent": 2}
GREEDY = {
    "full covariance": WIDE | {"posterior": "full_gaussian", "hidden": (100,)},
    "mixture posterior": {"posterior": "mixture", "posterior_components": 65_536, "latent": 20_000, "hidden": (100,)},
    "convex combination": {"posterior": "convex_linear_iaf", "posterior_components": 65_536, "latent": 1_000},
    "Sylvester": {"posterior": "sylvester", "latent": 65_536, "posterior_components": 65_536, "hidden": (10,)},
    "iaf of 1,000 maps": {"posterior": "iaf", "posterior_steps": 1_000, "flow_hidden": (65_536,)},
    "RealNVP": {"posterior": "real_nvp", "posterior_steps": 1_000, "flow_hidden": (65_536, 65_536)},
    "Householder": {"posterior": "householder", "posterior_steps": 1_000, "latent": 5_000, "hidden": (10_000,)},
    "flow prior": {"prior": "flow", "prior_steps": 1_000, "flow_hidden": (65_536,)},
    "autoregressive prior": {"prior": "autoregressive", "prior_steps": 1_000, "latent": 65_536, "hidden": (10,)},
    "mixture prior": {"prior": "mixture", "prior_components": 65_536, "latent": 65_536, "hidden": (10,)},
    "memory": {"memory": (65_536, 65_536), "hidden": (65_536, 10), "latent": 10, "activation": "relu"},
    "channels": CONV | {"channels": (65_536, 65_536), "kernel": 255},
    "random weights": {"hidden": (20_000, 20_000), "latent": 50, "stochastic_weights": "both"},
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_model_that_asks_for_too_much_is_refused_before_it_is_made(name, monkeypatch):
    monkeypatch.delenv("IWAX_MEMORY_LIMIT", raising=False)
    config = Config(model=Model(likelihood="bernoulli", **GREEDY[name]))
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(
        MemoryLimitError, match=r"a model of rows of 784 values, with Adam's two moments, would take .* allowed; "
    ):
        build.build_model(config, START, key=jax.random.key(0))
    assert time.process_time() - began < 10  # what is traced does not grow with what is asked for
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2_000_000_000,), (10**30,), (60_000, 60_000)])
def test_a_run_folder_with_rows_of_any_shape_is_refused_before_a_row_is_made(shape, tmp_path):
    tracemalloc.start()
    with pytest.raises(MemoryLimitError, match="a model of rows of shape"):
        stored_model.load_model(tmp_path / "step-1", Config(model=Model(likelihood="bernoulli")), shape=shape)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_every_preset_is_allowed():
    for name in PRESETS.keys() - set(GRAPHS):  # whose sizes are those of a graph
        sized = from_sources(preset=name).model.with_likelihood("bernoulli")
        assert 10_000 < size(sized, START) < 20e6, name


@pytest.mark.parametrize(
    "settings",
    [
        {"posterior": "nice", "posterior_steps": 9, "flow_hidden": (4,), "latent": 3},
        {"posterior": "planar", "posterior_steps": 7, "prior": "flow", "prior_steps": 6, "flow_hidden": ()},
        {"posterior": "full_gaussian", "prior": "vamp", "prior_components": 3},
        {"memory": (5,), "activation": "relu", "variance": "feature", "likelihood": "gaussian"},
    ],
)
def test_the_size_is_that_of_the_model_that_is_made(settings):
    """Of more than four maps too, where sizes alternate from one to the next."""
    sizes = Model(**{"latent": 4, "hidden": (6,), "likelihood": "bernoulli"} | settings)
    start = FeatureStatistics(np.full(6, 0.4), np.ones(6), (6,))
    made = assemble(sizes, start, key=jax.random.key(0))
    whole = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(made, eqx.is_array)))
    counted = size(sizes, start)
    assert counted == pytest.approx(whole, abs=200 if settings.get("latent") == 3 else 0)
