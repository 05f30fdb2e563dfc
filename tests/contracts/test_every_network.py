"""Every network through the same checks: sizes, batches, keys, gradients, what is stored, what is refused."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import nn

KEY = jax.random.key(7)
IMAGE, PIXELS = (1, 4, 6), 24
BIAS = jnp.linspace(-1.0, 1.0, PIXELS)


def joined() -> nn.Joined:
    keys = jax.random.split(KEY, 3)
    each = (nn.MLP(5, (3,), None, key=keys[0], activation="gated"), nn.MLP(2, (), 4, key=keys[1]))
    return nn.Joined(each, nn.MLP(7, (3,), 4, key=keys[2], activation="gated"))


def memory(start: nn.Memory) -> nn.Memory:
    """With every number of the composition away from where it starts, at which the slots have no gradient."""
    drawn = [0.3 * jax.random.normal(jax.random.fold_in(KEY, i), each.shape) for i, each in enumerate(COMPOSED(start))]
    return eqx.tree_at(COMPOSED, start, [a + b for a, b in zip(COMPOSED(start), drawn, strict=True)])


def COMPOSED(each: nn.Memory):
    return [each.a, each.b, each.c]


def remembering() -> nn.MemoryMLP:
    made = nn.MemoryMLP(5, (6, 4), 3, slots=(2, 3), key=KEY, norm=True)
    return eqx.tree_at(lambda net: net.memories, made, tuple(memory(each) for each in made.memories))


# each with the shapes of its inputs and of its output
NETWORKS: dict[str, tuple[Callable, tuple, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(5, 3, key=KEY), ((5,),), (3,)),
    "mlp": (lambda: nn.MLP(5, (6, 4), 3, key=KEY), ((5,),), (3,)),
    "mlp, trunk": (lambda: nn.MLP(5, (6, 4), None, key=KEY), ((5,),), (4,)),
    "gated mlp": (lambda: nn.MLP(5, (6, 4), 2 * 3, key=KEY, activation="gated", heads=2), ((5,),), (6,)),
    "gated mlp, trunk": (lambda: nn.MLP(5, (6, 4), None, key=KEY, activation="gated"), ((5,),), (4,)),
    "gated mlp, affine": (lambda: nn.MLP(5, (), 3, key=KEY, activation="gated"), ((5,),), (3,)),
    "layer norm": (lambda: nn.LayerNorm(5), ((5,),), (5,)),
    "mlp, normalised": (lambda: nn.MLP(5, (6, 4), 3, key=KEY, norm=True), ((5,),), (3,)),
    "memory": (lambda: memory(nn.Memory(5, 3, key=KEY)), ((5,),), (5,)),
    "memory, summed": (lambda: nn.Memory(5, 3, key=KEY, attention="softmax", composition="sum"), ((5,),), (5,)),
    "memory mlp": (lambda: remembering(), ((5,),), (3,)),
    "masked": (lambda: nn.MaskedMLP(5, (8, 8), heads=2, key=KEY), ((5,),), (2, 5)),
    "masked, of a context": (lambda: nn.MaskedMLP(5, (8,), context_features=3, key=KEY), ((5,), (3,)), (1, 5)),
    "joined": (joined, (((5,), (2,)),), (4,)),
    "conv": (lambda: nn.ConvNet(IMAGE, [(6, 3, 1), (4, 3, 2)], 4, hidden=(8,), key=KEY), ((PIXELS,),), (4,)),
    "conv, gated trunk": (
        lambda: nn.ConvNet(IMAGE, [nn.Conv(3, 3, 2)], None, activation="gated", key=KEY),
        ((PIXELS,),),
        (18,),
    ),
    "deconv": (lambda: nn.DeconvNet(3, IMAGE, [(4, 3, 2), (1, 3, 1)], start=(4, 2, 3), key=KEY), ((3,),), (PIXELS,)),
    "deconv, gated, biased": (
        lambda: nn.DeconvNet(
            3, IMAGE, [(4, 3, 2), (1, 3, 1)], start=(2, 2, 3), activation="gated", output_bias=BIAS, key=KEY
        ),
        ((3,),),
        (PIXELS,),
    ),
    "pixelcnn": (lambda: nn.PixelCNN((4, 6), channels=4, layers=2, key=KEY), ((PIXELS,),), (PIXELS,)),
    "pixelcnn, of maps": (
        lambda: nn.PixelCNN((4, 6), channels=4, layers=1, map_channels=2, key=KEY),
        ((PIXELS,), (2, 4, 6)),
        (PIXELS,),
    ),
    "gated pixelcnn, of maps": (
        lambda: nn.GatedPixelCNN((4, 6), channels=3, layers=2, map_channels=2, key=KEY),
        ((PIXELS,), (2, 4, 6)),
        (PIXELS,),
    ),
}
# built like others in the list
LONG = (
    "mlp, trunk",
    "mlp, normalised",
    "memory mlp",
    "memory, summed",
    "gated mlp, trunk",
    "gated mlp, affine",
    "masked",
    "conv, gated trunk",
    "deconv, gated, biased",
    "gated pixelcnn, of maps",
    "pixelcnn",
    "pixelcnn, of maps",
)
every_network = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in NETWORKS]
)
# what takes one datum, and not a batch
OF_ONE = ("conv", "conv, gated trunk", "deconv", "deconv, gated, biased", "pixelcnn")


def inputs(shapes: tuple, rows: int) -> tuple:
    """Normal inputs [rows, ...] of the given shapes, a tuple where the shape is one of shapes."""
    generator = np.random.default_rng(1)

    def draw(shape: tuple):
        if isinstance(shape[0], tuple):
            return tuple(draw(each) for each in shape)
        return jnp.asarray(generator.normal(size=(rows, *shape)), jnp.float32)

    return tuple(draw(shape) for shape in shapes)


def row_of(tree, i: int):
    return jax.tree.map(lambda leaf: leaf[i], tree)


@every_network
def test_sizes_batches_keys_and_gradients(name: str):
    """One program: all rows at once, the last by itself with a key, and the gradient of a sum over rows and outputs."""
    make, shapes, out = NETWORKS[name]
    network, rows = make(), inputs(shapes, 3)
    cotangent = jnp.asarray(np.random.default_rng(2).normal(size=(3, *out)), jnp.float32)

    def batch(network):
        outputs = jax.vmap(lambda *row: network(*row))(*rows)
        return jnp.sum(outputs * cotangent), outputs

    @eqx.filter_jit
    def run(network):
        (_, outputs), slope = eqx.filter_value_and_grad(batch, has_aux=True)(network)
        return outputs, slope, network(*row_of(rows, 2), key=jax.random.key(9))

    outputs, slope, single = run(network)
    assert outputs.shape == (3, *out)
    assert network.out_features == np.prod(out)
    assert network.in_features == sum(np.prod(shape) for shape in jax.tree.leaves(shapes[0], is_leaf=_is_shape))
    np.testing.assert_allclose(single, outputs[2], rtol=1e-4, atol=1e-5)
    assert (np.abs(np.asarray(outputs)).max(axis=tuple(range(1, outputs.ndim))) > 0).all()
    for path, leaf in jax.tree_util.tree_leaves_with_path(slope):
        assert np.isfinite(leaf).all(), path
        assert (leaf != 0).any(), path


def _is_shape(shape) -> bool:
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)


@every_network
def test_stored_once_in_float32_and_built_without_values(name: str):
    make, shapes, _ = NETWORKS[name]
    network = make()
    leaves = [leaf for leaf in jax.tree.leaves(network) if eqx.is_array(leaf)]
    assert all(leaf.dtype == jnp.float32 for leaf in leaves)
    assert len({id(leaf) for leaf in leaves}) == len(leaves)
    numbers = [np.asarray(leaf).tobytes() for leaf in leaves if np.ptp(leaf) > 0]
    assert len(set(numbers)) == len(numbers)
    assert jax.tree.map(jnp.shape, eqx.filter_eval_shape(make)) == jax.tree.map(jnp.shape, network)
    jax.tree.map(np.testing.assert_array_equal, make(), network)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_array(leaf) else leaf, network)
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), row_of(inputs(shapes, 1), 0))
        assert eqx.filter_eval_shape(lambda network: network(*given), wide).dtype == jnp.float64


@every_network
def test_inputs_of_another_size_are_refused_by_name(name: str):
    make, shapes, _ = NETWORKS[name]
    network, given = eqx.filter_eval_shape(make), row_of(inputs(shapes, 1), 0)
    longer = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:1]]), given[0])
    first = jax.tree.leaves(shapes[0], is_leaf=_is_shape)[0][0]
    with pytest.raises(ValueError, match=rf"needs .*{first}.*features.*got .*{first + 1}"):
        eqx.filter_eval_shape(lambda network: network(longer, *given[1:]), network)


@pytest.mark.parametrize("name", OF_ONE)
def test_a_batch_is_refused_where_one_datum_is_needed(name: str):
    make, shapes, _ = NETWORKS[name]
    with pytest.raises(ValueError, match=r"one data point of \d+ features, got shape \(2, \d+\).*jax.vmap"):
        eqx.filter_eval_shape(lambda network: network(*inputs(shapes, 2)), eqx.filter_eval_shape(make))


@pytest.mark.parametrize("name", ["linear", "gated mlp", "masked"])
def test_dense_networks_take_leading_axes(name: str):
    make, shapes, out = NETWORKS[name]
    (x,) = inputs(shapes, 6)
    together, rows = eqx.filter_jit(lambda net: (net(x.reshape(2, 3, -1)), jax.vmap(net)(x)))(make())
    assert together.shape == (2, 3, *out)
    np.testing.assert_allclose(together.reshape(6, *out), rows, rtol=1e-5, atol=1e-6)


BINARY = (np.random.default_rng(0).random((4, 784)) < 0.13).astype(np.float32)
LATENT = np.random.default_rng(0).normal(size=(4, 40)).astype(np.float32)
gated_mlp = partial(nn.MLP, activation="gated")
FULL_SIZE: dict[str, tuple[Callable, np.ndarray]] = {
    "gated, glorot": (
        lambda: nn.MLP(784, (300, 300), 80, key=KEY, activation="gated", initial="glorot_normal"),
        BINARY,
    ),
    "gated, he": (lambda: nn.MLP(784, (300, 300), 80, key=KEY, activation="gated", initial="he_normal"), BINARY),
    "masked": (lambda: nn.MaskedMLP(784, (200, 200), key=KEY), BINARY),
    "conv hvae": (lambda: nn.conv_hvae_encoder((1, 28, 28), 80, key=KEY), BINARY),
    "pixelcnn": (lambda: nn.PixelCNN((28, 28), channels=16, key=KEY), BINARY),
    "gated pixelcnn": (lambda: nn.GatedPixelCNN((28, 28), channels=16, key=KEY), BINARY),
}


@pytest.mark.parametrize(
    "name",
    [name if name == "gated, glorot" else pytest.param(name, marks=pytest.mark.slow) for name in FULL_SIZE],
)
def test_nothing_starts_saturated_on_784_bits(name: str):
    """A log-scale of 4 would be a scale of 55; a logit of 4, a certainty of 0.98."""
    make, x = FULL_SIZE[name]
    outputs = np.asarray(eqx.filter_jit(eqx.filter_vmap(make()))(x))
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() < 4
    assert 0.01 < outputs.std() < 1.5
