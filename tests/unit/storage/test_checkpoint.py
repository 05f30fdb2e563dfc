"""Checkpoints: what is saved comes back bit for bit, and every difference from what is asked for has a name."""

import hashlib
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwax.storage import checkpoint, tensors
from iwax.storage.checkpoint import CorruptCheckpointError

DTYPES = ("float32", "float64", "int32", "uint8", "bool", "float16", "uint64")


def same(one, two) -> bool:
    """Equal structure, types, dtypes, shapes and bytes (NaN payloads and signed zeros included)."""
    leaves, structure = jax.tree.flatten(one)
    others, other_structure = jax.tree.flatten(two)
    return structure == other_structure and all(
        a.dtype == b.dtype and a.shape == b.shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(leaves, others, strict=True)
    )


def tree(seed: int = 0):
    network = eqx.nn.MLP(3, 2, 5, 2, key=jax.random.key(seed))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    return network, optimizer.init(eqx.filter(network, eqx.is_array))


def save(folder: Path, step: int, state=None, seed: int = 0) -> Path:
    model, train = tree(seed)
    return checkpoint.save(folder, step, model=model, train=train, state=state or {})


def tensor_of(caught) -> str:
    assert "needed" in str(caught.value)
    assert "got" in str(caught.value)
    return caught.value.tensor


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = draw(hnp.arrays(dtype, shape))
    form = draw(st.sampled_from(["as it is", "transposed", "strided", "big-endian", "JAX"]))
    if form == "transposed":
        return array.T
    if form == "strided":
        return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array
    if form == "big-endian" and array.dtype.kind in "iuf":
        return array.astype(array.dtype.newbyteorder(">"))
    if form == "JAX" and dtype not in ("float64", "uint64"):
        return jnp.array(array)
    return array


trees = st.recursive(
    arrays(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".\0"), max_size=4), inner
        )
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_any_tree_comes_back_bit_for_bit(original):
    data = tensors.encode(original)
    assert data == tensors.encode(original)
    template = jax.tree.map(np.zeros_like, original)
    loaded = tensors.decode(data, template, file="x")
    native = jax.tree.map(lambda leaf: np.asarray(leaf).astype(leaf.dtype.newbyteorder("=")), original)
    assert same(jax.tree.map(np.asarray, loaded), native)


def test_model_and_optimiser_come_back_with_their_types(tmp_path):
    model, train = tree()
    path = save(tmp_path, 12, {"epoch": 3, "validation": -90.123456789})
    blank_model, blank_train = jax.tree.map(lambda x: jnp.zeros_like(x) if eqx.is_array(x) else x, (model, train))
    loaded = checkpoint.load(path, model=blank_model, train=blank_train)
    assert eqx.tree_equal(loaded[:2], (model, train))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(eqx.filter(loaded[:2], eqx.is_array)))
    assert loaded[2] == {"epoch": 3, "step": 12, "validation": -90.123456789}


def test_a_template_may_be_shapes_alone(tmp_path):
    model, _ = tree()
    path = save(tmp_path, 1)
    template = eqx.filter_eval_shape(lambda: tree()[0])
    loaded, train, _ = checkpoint.load(path, model=template, train=None)
    assert train is None
    assert eqx.tree_equal(eqx.filter(loaded, eqx.is_array), eqx.filter(model, eqx.is_array))


def test_names_are_readable():
    model, train = tree()
    assert "layers.0.weight" in tensors.named_arrays(model)
    assert "0.1.0.mu.layers.0.weight" in tensors.named_arrays((train, jnp.zeros(1)))
    assert list(tensors.named_arrays(jnp.zeros(1))) == ["value"]


def test_loaded_numpy_arrays_are_their_own_and_writable():
    loaded = tensors.decode(tensors.encode([np.ones(2)]), [np.zeros(2)], file="x")
    loaded[0][0] = 5.0
    assert loaded[0].tolist() == [5.0, 1.0]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, two = (save(tmp_path / name, 4, {"epoch": 1, "loss": 0.1}) for name in "ab")
    for file in sorted(one.iterdir()):
        assert file.read_bytes() == (two / file.name).read_bytes()
    assert {file.name for file in one.iterdir()} == {
        *("model.safetensors", "train.safetensors", "state.json", "manifest.json")
    }
    digest = hashlib.sha256((one / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (one / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("template", "tensor"),
    [
        ({"a": np.zeros(3), "b": np.zeros(1, np.int32), "c": np.zeros(1)}, "c"),
        ({"a": np.zeros(3)}, "b"),
        ({"a": np.zeros((1, 3)), "b": np.zeros(1, np.int32)}, "a"),
        ({"a": np.zeros(3, np.float32), "b": np.zeros(1, np.int32)}, "a"),
    ],
    ids=["missing", "extra", "wrong shape", "wrong dtype"],
)
def test_a_model_built_otherwise_is_told_which_tensor(tmp_path, template, tensor):
    path = checkpoint.save(tmp_path, 1, model={"a": np.ones(3), "b": np.ones(1, np.int32)}, train={}, state={})
    with pytest.raises(CorruptCheckpointError) as caught:
        checkpoint.load(path, model=template, train={})
    assert tensor_of(caught) == tensor
    assert caught.value.file == path / "model.safetensors"


def test_double_precision_is_asked_for(tmp_path):
    path = checkpoint.save(tmp_path, 1, model={"a": np.ones(3)}, train={}, state={})
    with jax.enable_x64(True):
        template = {"a": jnp.zeros(3)}
        assert same(checkpoint.load(path, model=template, train={})[0], {"a": np.ones(3)})
    with pytest.raises(ValueError, match="enable_x64"):
        checkpoint.load(path, model=template, train={})


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ({"key": jax.random.key(0)}, r"random key.*jax\.random\.key_data\(key\)"),
        ({"a": np.array([None])}, "a has dtype object"),
        ({"a": jnp.zeros(1, jnp.bfloat16)}, "a has dtype bfloat16"),
        ({"a": {"b": np.zeros(1)}, "a.b": np.zeros(1)}, "'a.b'"),
        ({"__metadata__": np.zeros(1)}, "__metadata__"),
        ({"a": jax.ShapeDtypeStruct((1,), np.float32)}, "a is a shape without values"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(tmp_path, leaf, message):
    with pytest.raises(ValueError, match=message):
        checkpoint.save(tmp_path, 1, model=leaf, train={}, state={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("step", "state", "kind"),
    [
        (-1, {}, ValueError),
        (True, {}, ValueError),
        (1.0, {}, ValueError),
        (1, {"step": 2}, ValueError),
        (1, {"a": [1]}, TypeError),
        (1, {3: 1}, TypeError),
        (1, {"a": 1 << 64}, ValueError),
        (1, {"a": "x" * (1 << 20)}, ValueError),
    ],
)
def test_wrong_steps_and_states_are_refused(tmp_path, step, state, kind):
    with pytest.raises(kind):
        checkpoint.save(tmp_path, step, model={}, train={}, state=state)
    assert list(tmp_path.iterdir()) == []


def test_states_hold_numbers_of_every_kind(tmp_path):
    state = {
        "nan": float("nan"),
        "inf": -jnp.inf,
        "f": np.float32(0.1),
        "i": jnp.int32(3),
        "b": np.bool_(True),
        "n": None,
    }
    path = checkpoint.save(tmp_path, 1, model={}, train={}, state=state)
    plain = {"nan": None, "inf": None, "n": None, "f": float(np.float32(0.1)), "i": 3, "b": True}
    assert checkpoint.verify(path) == {**plain, "step": 1}


def test_a_step_saved_again_is_left_alone_or_refused(tmp_path):
    path = save(tmp_path, 5)
    before = {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in path.iterdir()}
    assert save(tmp_path, 5) == path
    assert before == {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in path.iterdir()}
    with pytest.raises(FileExistsError, match="step-5 already holds another checkpoint"):
        save(tmp_path, 5, seed=1)
    assert before == {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in path.iterdir()}


def test_a_damaged_step_is_moved_aside_when_saved_again(tmp_path):
    path = save(tmp_path, 5)
    (path / "model.safetensors").write_bytes(b"bad")
    assert save(tmp_path, 5) == path
    checkpoint.verify(path)
    assert (tmp_path / "step-5.damaged-1" / "model.safetensors").read_bytes() == b"bad"
    assert checkpoint.steps(tmp_path) == [5]


def test_the_newest_and_the_best_are_found_by_scanning(tmp_path):
    assert checkpoint.latest(tmp_path / "none") is checkpoint.best(tmp_path / "none") is None
    for step, validation in [(9, -95.0), (10, -90.0), (30, -90.0), (100, float("nan")), (200, None)]:
        save(tmp_path, step, {"validation": validation})
    (tmp_path / "step-0300").mkdir()
    (tmp_path / "step-x").mkdir()
    assert checkpoint.steps(tmp_path) == [9, 10, 30, 100, 200]
    assert checkpoint.latest(tmp_path) == tmp_path / "step-200"
    assert checkpoint.best(tmp_path) == tmp_path / "step-10"


def test_what_was_passed_over_is_said(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, {"validation": float(step)})
    (tmp_path / "step-3" / "model.safetensors").write_bytes(b"bad")
    (tmp_path / "step-4").mkdir()
    found = checkpoint.search(tmp_path)
    assert found.path == checkpoint.latest(tmp_path) == tmp_path / "step-2"
    assert [error.file.parent.name for error in found.skipped] == ["step-4", "step-3"]
    found = checkpoint.search(tmp_path, order="best")
    assert found.path == checkpoint.best(tmp_path) == tmp_path / "step-2"
    assert {error.file.parent.name for error in found.skipped} == {"step-4", "step-3"}


def test_pruning_keeps_the_newest_and_the_best(tmp_path):
    for step in range(1, 8):
        save(tmp_path, step, {"validation": -abs(step - 2.0)})
    assert checkpoint.prune(tmp_path, 3, protect=(4,)) == [1, 3]
    assert checkpoint.steps(tmp_path) == [2, 4, 5, 6, 7]
    assert checkpoint.prune(tmp_path) == [4]
    assert checkpoint.prune(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-2", "step-5", "step-6", "step-7"]
    with pytest.raises(ValueError, match="keep"):
        checkpoint.prune(tmp_path, 0)


def test_pruning_removes_nothing_good_for_something_damaged(tmp_path):
    for step in range(1, 4):
        save(tmp_path, step)
    (tmp_path / "step-3" / "train.safetensors").write_bytes(b"bad")
    assert checkpoint.prune(tmp_path, 1) == []
    assert checkpoint.steps(tmp_path) == [1, 2, 3]


def test_sweeping_removes_partial_saves_and_follows_no_link(tmp_path):
    folder, outside = tmp_path / "checkpoints", tmp_path / "outside"
    save(folder, 1)
    outside.mkdir()
    (outside / "mine").write_text("kept")
    (folder / ".step-2.123.partial").mkdir()
    (folder / ".step-2.123.partial" / "model.safetensors").write_bytes(b"half")
    (folder / ".step-3.123.partial").symlink_to(outside)
    (folder / ".step-x.partial").mkdir()
    assert [path.name for path in checkpoint.sweep(folder)] == [".step-2.123.partial", ".step-3.123.partial"]
    assert sorted(path.name for path in folder.iterdir()) == [".step-x.partial", "step-1"]
    assert (outside / "mine").read_text() == "kept"


def test_a_checkpoint_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="step-9"):
        checkpoint.load(tmp_path / "step-9", model={}, train=None)
