"""Models in a file: every part comes back as it was, to the bit, also in another process; and what is refused."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.parts import FEATURES, LATENT, POSTERIORS, PRIORS, conditional, hamiltonian, ladder, network

import iwax
from iwax import likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.model_files import ModelFileError
from iwax.model_files.description import Unreadable, arrays, build, describe, difference
from iwax.model_files.earlier import renewed
from iwax.model_files.table import NAMES
from iwax.nn import MLP

KEY = jax.random.key(3)
IMAGE = (1, 6, 6)


class Exponential(eqx.Module):
    """A part that is none of iwax's."""

    network: MLP
    activation: str = eqx.field(static=True)


def net(inputs: int, outputs: int, **options) -> MLP:
    return MLP(inputs, (4,), outputs, key=KEY, **options)


MADE = {
    **{f"prior {name}": make for name, make in PRIORS.items()},
    **{f"posterior {name}": make for name, make in POSTERIORS.items() if name not in ("hamiltonian", "ladder")},
    "posterior hamiltonian": hamiltonian,
    "posterior ladder": lambda: ladder().ladder,
    "likelihood columns": lambda: likelihoods.Columns.of_kinds(
        net(2, 12), ("gaussian", ("categorical", 3), "poisson", "lognormal", "negative_binomial", "student_t")
    ),
    "likelihood grey": lambda: likelihoods.DiscretizedLogistic.feature(net(2, 5), 5),
    "likelihood pixels": lambda: likelihoods.Autoregressive(
        net(2, 36), nn.PixelCNN((6, 6), channels=2, map_channels=1, key=KEY)
    ),
    "likelihood scaled": lambda: likelihoods.Scaled(conditional(1), jnp.zeros(2), jnp.ones(2)),
    "network conv": lambda: nn.ConvNet(IMAGE, [(3, 3, 2)], 4, hidden=(5,), key=KEY),
    "network deconv": lambda: nn.DeconvNet(4, IMAGE, [(1, 3, 2)], start=(3, 3, 3), key=KEY),
    "network gated": lambda: nn.MLP(5, (6, 4), 3, key=KEY, activation="gated"),
    "network memory": lambda: nn.MemoryMLP(5, (6, 4), 3, slots=(2, 3), key=KEY, norm=True),
    "network stochastic": lambda: net(3, 2, sigma=0.1),
    "network pixels": lambda: nn.GatedPixelCNN((6, 6), channels=2, key=KEY),
    "plain": lambda: {"b": [1, 2.5, None, True, (float("inf"), "tanh")], "a": jnp.zeros((0, 3)), "c": np.ones(2)},
}


EARLIER = Path(__file__).parents[2] / "golden" / "networks"  # of iwax 0.2.0.dev: files, and descriptions alone
DESCRIBED = json.loads((EARLIER / "parts.json").read_text())
OUTPUTS = json.loads((EARLIER / "outputs.json").read_text())


@pytest.fixture(scope="module")
def earlier() -> dict:
    return iwax.load(EARLIER / "networks.safetensors")


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_iwax_parts_is_built_from_its_description_alone_of_this_version_or_an_earlier_one(name: str):
    network.cache_clear()
    shapes = eqx.filter_eval_shape(MADE[name])
    network.cache_clear()  # what is built while shapes are evaluated is of no use to others
    descriptions = [describe(shapes), *([renewed(DESCRIBED[name])] if name in DESCRIBED else [])]
    for found in map(build, descriptions):
        assert jax.tree.structure(found) == jax.tree.structure(shapes)
        pairs = zip(jax.tree.leaves(found), jax.tree.leaves(shapes), strict=True)
        assert all((a.shape, a.dtype) == (b.shape, b.dtype) if hasattr(b, "dtype") else a == b for a, b in pairs)


def test_every_part_that_can_be_stored_has_a_name():
    packages = ("bijections", "likelihoods", "nn", "posteriors", "priors", "model")
    found = set()
    for package in packages:
        root = importlib.import_module(f"iwax.{package}")
        inner = pkgutil.iter_modules(getattr(root, "__path__", []), f"iwax.{package}.")
        for module in [root, *(importlib.import_module(each.name) for each in inner)]:
            for name, kind in inspect.getmembers(module, inspect.isclass):
                if issubclass(kind, eqx.Module) and not name.startswith("_") and kind.__module__ == module.__name__:
                    found.add(kind)
    assert found - set(NAMES) == set()


@pytest.fixture(scope="module")
def model() -> LatentVariableModel:
    return LatentVariableModel(
        prior=priors.Mixture(LATENT, components=3, key=KEY),
        likelihood=likelihoods.Bernoulli(net(LATENT, FEATURES)),
        posterior=posteriors.Gaussian(net(FEATURES, 2 * LATENT, heads=2)),
    )


@pytest.fixture
def path(tmp_path, model) -> Path:
    return iwax.save(tmp_path / "model.safetensors", model)


def test_a_model_comes_back_to_the_bit(path, model):
    for found in (iwax.load(path), iwax.load(str(path), like=model), iwax.load(path, like=lambda: model)):
        assert jax.tree.structure(found) == jax.tree.structure(model)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(model), strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    again = iwax.save(path.with_name("again.safetensors"), iwax.load(path))
    assert again.read_bytes() == path.read_bytes()
    assert sorted(each.name for each in path.parent.iterdir()) == ["again.safetensors", "model.safetensors"]


SECOND = """
import sys, jax, numpy as np, iwax
from iwax import evaluation
found = evaluation.log_evidence(iwax.load(sys.argv[1]), np.eye(5), k=20, key=jax.random.key(1))
print(found.log_evidence.tobytes().hex())
"""


@pytest.mark.slow
def test_a_second_process_finds_the_same_log_evidence(path, model):
    done = subprocess.run([sys.executable, "-c", SECOND, path], check=True, capture_output=True, text=True)
    here = iwax.evaluation.log_evidence(model, np.eye(FEATURES), k=20, key=jax.random.key(1))
    assert done.stdout.strip() == here.log_evidence.tobytes().hex()


def test_parts_of_ones_own_need_a_model_like_it(tmp_path):
    part = Exponential(net(2, 3), "exp")
    path = iwax.save(tmp_path / "own", {"part": part, "f": jnp.tanh})
    with pytest.raises(
        ModelFileError, match=r"own: (f|part) is .*, which is no part of iwax: give iwax.load\(path, like="
    ):
        iwax.load(path)
    like = {"part": Exponential(net(2, 3), "exp"), "f": jnp.tanh}
    zero = jax.tree.map(lambda leaf: 0 * leaf if eqx.is_array(leaf) else leaf, like)
    found = iwax.load(path, like=zero)
    np.testing.assert_array_equal(found["part"].network.layers[0].weight, part.network.layers[0].weight)
    with pytest.raises(ModelFileError, match=r"part.activation was saved as 'exp', like= has 'softplus'"):
        iwax.load(path, like={**like, "part": Exponential(net(2, 3), "softplus")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: eqx.tree_at(lambda m: m.posterior.network, m, net(FEATURES, 2 * LATENT, activation="relu")),
         r"posterior.network.activation was saved as 'tanh', like= has 'relu'"),
        (lambda m: eqx.tree_at(lambda m: m.likelihood.network.layers[0], m, nn.Linear(LATENT, 7, key=KEY)),
         r"likelihood.network.layers.0.weight was saved as float32\[2,4\], like= has float32\[2,7\]"),
        (lambda m: eqx.tree_at(lambda m: m.prior, m, priors.StandardNormal(LATENT)),
         r"prior was saved as priors.Mixture, like= has priors.StandardNormal"),
        (lambda m: eqx.tree_at(lambda m: m.prior.loc, m, np.zeros((3, LATENT), np.float16)),
         r"prior.loc was saved as float32\[3,2\], like= has float16\[3,2\]"),
        (lambda m: m.prior, r"the model was saved as model.LatentVariableModel, like= has priors.Mixture"),
    ],
)  # fmt: skip
def test_another_model_is_refused_by_place(path, model, change, message):
    with pytest.raises(ModelFileError, match=message):
        iwax.load(path, like=change(model))


def test_what_cannot_be_stored_is_refused_and_leaves_the_old_file(path):
    class Hidden(eqx.Module):
        table: np.ndarray = eqx.field(static=True)

    before = path.read_bytes()
    with pytest.warns(UserWarning, match="static"):
        hidden = Hidden(np.zeros(2))
    for model, message in (
        (hidden, "table is an array in a static field"),
        ({"key": jax.random.key(0)}, "key is a typed random key"),
        ({"w": np.zeros(2, complex)}, "w has dtype complex128"),
    ):
        with pytest.raises(ValueError, match=message):
            iwax.save(path, model)
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        iwax.save(path.parent / "none" / "model", {})


def test_what_is_no_file_is_refused(tmp_path, path):
    with pytest.raises(ModelFileError, match=r"is a folder: iwax.open_run\(.*\).model loads the model of a run"):
        iwax.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="none: a file written by"):
        iwax.load(tmp_path / "none")


def test_a_difference_names_the_first_place():
    assert difference(describe({"a": (1, 2)}), describe({"a": (1, 2)})) is None
    assert difference(describe({"a": (1, 2)}), describe({"a": (1, 3)})) == ("a.1", "2", "3")
    assert difference(describe({"a": 1}), describe({"b": 1})) == ("the model", "fields a", "fields b")
    assert difference(describe(1), describe(True))
    assert difference(describe([1]), describe((1,))) == ("the model", "a list of 1", "a tuple of 1")
    assert arrays(describe(jnp.zeros(2))) == {"value": "float32[2]"}


PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text(max_size=5)
TREES = st.recursive(
    PLAIN | st.integers(0, 3).map(lambda n: np.arange(n, dtype=np.int16)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(tree=TREES)
def test_any_tree_comes_back(tree):
    with tempfile.TemporaryDirectory() as folder:
        found = iwax.load(iwax.save(Path(folder) / "tree", tree))
    assert describe(found) == describe(tree)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(tree), strict=True):
        np.testing.assert_array_equal(a, b)


def test_names_that_two_arrays_would_share_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two arrays.*are named 'a.b'"):
        iwax.save(tmp_path / "tree", {"a.b": np.zeros(1), "a": {"b": np.zeros(1)}})


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_network_of_an_earlier_file_gives_what_it_gave(earlier, name):
    network = earlier[name]

    def inputs(size: int):
        return jnp.sin(jnp.arange(1.0, size + 1))

    if name == "encoder":
        datum = iwax.Datum(jnp.array([0.3, 2.0, 0.0]), jnp.array([True, False, True]))
        found = eqx.filter_jit(network)(datum, key=KEY)
        found = jnp.concatenate([found.loc, found.scale])
    else:
        x = (inputs(2), inputs(3)) if name == "joined" else inputs(network.in_features)
        found = eqx.filter_jit(network)(x, key=KEY)
    np.testing.assert_allclose(found, OUTPUTS[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("nn.GatedMLP", {"hidden": 5, "output": None}),
        ("nn.GatedMLP", {"hidden": {"tuple": 5}, "output": None}),
        ("nn.GatedMLP", {"hidden": {"tuple": ["both"]}, "output": None}),
        ("nn.GatedLinear", {"both": None, "more": None}),
        ("nn.Conv", {"channels": 1, "kernel": 3, "stride": 1, "padding": "same", "pool": 2}),
        ("nn.UncertainConv", {}),
    ],
)
def test_an_earlier_part_that_is_none_or_is_gone_is_refused(part, fields):
    with pytest.raises(Unreadable, match=part):
        build(renewed({"part": part, "fields": fields}))
