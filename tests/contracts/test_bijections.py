"""Every bijection through the same checks: its inverse, its determinant, all derivatives of both, and extremes."""

from collections.abc import Callable
from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import bijections as b
from iwax.nn import MLP, MaskedMLP

FEATURES, CONTEXT, PLANES, STEPS, SETS = 3, 2, 2, 2, 30
KEY = jax.random.key(0)


def blank(*shape: int) -> jax.Array:
    return jnp.zeros(shape)


def net(inputs: int, outputs: int) -> MLP:
    return MLP(inputs, (4,), outputs, key=KEY)


def stacked(make: Callable) -> eqx.Module:
    """The arrays of one map, with a leading axis of STEPS."""
    return jax.tree.map(lambda leaf: blank(STEPS, *leaf.shape), make())


def planar() -> b.Planar:
    return b.Planar(blank(FEATURES), blank(FEATURES), blank())


def sylvester() -> b.Sylvester:
    return b.Sylvester(blank(2, FEATURES), blank(PLANES, PLANES), blank(PLANES, PLANES), blank(PLANES))


def coupling(*, scaled: bool, context: int = 0) -> b.Coupling:
    made = net(1 + context, (1 + scaled) * (FEATURES - 1))
    return b.Coupling(made, blank(context) if context else None, scaled=scaled)


def autoregressive(context: int = 0) -> b.Autoregressive:
    made = MaskedMLP(FEATURES, (4,), heads=2, context_features=context, key=KEY)
    return b.Autoregressive(made, blank(context) if context else None)


def triangular(shift: bool) -> b.UnitTriangular:
    return b.UnitTriangular(blank(b.packed_size(FEATURES)), blank(FEATURES) if shift else None)


ORDERS = ((2, 0, 1), (1, 0, 2))
BIJECTIONS: dict[str, Callable] = {
    "householder": lambda: b.Householder(blank(FEATURES)),
    "unit triangular": partial(triangular, shift=False),
    "unit triangular, shifted": partial(triangular, shift=True),
    "planar": planar,
    "radial": lambda: b.Radial(blank(FEATURES), blank(), blank()),
    "coupling, additive": partial(coupling, scaled=False),
    "coupling, affine": partial(coupling, scaled=True),
    "coupling, affine, of a context": partial(coupling, scaled=True, context=CONTEXT),
    "autoregressive": autoregressive,
    "autoregressive, of a context": partial(autoregressive, CONTEXT),
    "sylvester": sylvester,
    "composite": lambda: b.Composite((planar(), triangular(shift=True))),
    "stacked": lambda: b.Stacked(stacked(partial(triangular, shift=True))),
    "stacked, in other orders": lambda: b.Stacked(stacked(partial(coupling, scaled=True)), ORDERS),
    "stacked, no closed inverse": lambda: b.Stacked(stacked(planar), ORDERS),
    "inverted": lambda: b.Inverted(autoregressive()),
}
LONG = (
    "unit triangular",
    "coupling, additive",
    "coupling, affine",
    "autoregressive",
    "sylvester",
    "composite",
    "stacked",
    "stacked, no closed inverse",
    "stacked, in other orders",
    "inverted",
)
every_bijection = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in BIJECTIONS]
)
template = cache(lambda name: BIJECTIONS[name]())


def filled(name: str, scale: float, seed: int = 0) -> eqx.Module:
    """SETS of the bijection on a leading axis, with normal parameters."""
    rng, dtype = np.random.default_rng(seed), jnp.result_type(float)
    return jax.tree.map(lambda leaf: jnp.asarray(scale * rng.normal(size=(SETS, *leaf.shape)), dtype), template(name))


def points(seed: int = 1) -> np.ndarray:
    return 1.5 * np.random.default_rng(seed).normal(size=(SETS, FEATURES)).astype(jnp.result_type(float))


def beside(point_and_log_det) -> jax.Array:
    return jnp.concatenate([point_and_log_det[0], point_and_log_det[1][None]])


@jax.jit
@jax.vmap
def derivatives(f, z, weights):
    """(y, log_det) at z with its derivatives in (f, z); (z, log_det) from y, without and with its preimage at hand,
    with the derivatives in (f, y) of their product with weights [FEATURES + 1]."""

    def forward(f, z):
        return beside(f.forward(z))

    def back(near):
        value, pull = jax.vjp(lambda f, y: beside(f.inverse(y, near)), f, there[:-1])
        return value, pull(weights)

    there = forward(f, z)
    searched = back(None)
    return (there, jax.jacrev(forward, argnums=(0, 1))(f, z)), searched, searched if f.closed else back(z)


@jax.jit
def there_and_back(f, z):
    """The same values, of one set of parameters at one point."""
    y, log_det = f.forward(z)
    return beside((y, log_det)), beside(f.inverse(y))


def one(tree, i: int):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def of_inverse(jacobians, weights) -> tuple:
    """What `derivatives` says of the way back, by the implicit function theorem from those of the way there."""
    in_f, in_z = jacobians
    in_y = np.linalg.solve(
        np.swapaxes(in_z[:, :-1], 1, 2), (weights[:, :-1] + weights[:, -1:] * in_z[:, -1])[..., None]
    )[..., 0]
    outer = np.concatenate([-in_y, weights[:, -1:]], axis=1)
    return jax.tree.map(lambda leaf: np.einsum("no,no...->n...", outer, leaf), in_f), in_y


@every_bijection
@pytest.mark.usefixtures("float64")
def test_the_inverse_the_determinant_and_all_derivatives(name: str):
    z, weights = points(), np.random.default_rng(2).normal(size=(SETS, FEATURES + 1))
    (there, jacobians), back, near = derivatives(filled(name, 0.7), z, weights)
    _, expected = np.linalg.slogdet(jacobians[1][:, :-1])
    np.testing.assert_allclose(there[:, -1], expected, atol=1e-9)
    for found, pulled in (back, near):
        np.testing.assert_allclose(found[:, :-1], z, atol=1e-9)
        np.testing.assert_allclose(found[:, -1], expected, atol=1e-9)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-7), pulled, of_inverse(jacobians, weights))
    assert all((leaf != 0).any() for leaf in jax.tree.leaves(jacobians[0]))


@every_bijection
def test_in_single_precision_and_one_by_one(name: str):
    """Against double precision in one vectorised call: `jax.vmap` is the loop."""
    f, z = filled(name, 0.7), points()
    with jax.enable_x64(True):
        (exact, _), _, _ = derivatives(filled(name, 0.7), points(), np.ones((SETS, FEATURES + 1)))
    for i in range(4):
        there, back = there_and_back(one(f, i), z[i])
        assert there.dtype == back.dtype == jnp.float32
        np.testing.assert_allclose(there, exact[i], atol=1e-4)
        np.testing.assert_allclose(back, [*z[i], exact[i, -1]], atol=1e-4)


@every_bijection
@pytest.mark.usefixtures("float64")
def test_parameters_of_zero_are_the_identity(name: str):
    """But for the permutations; with finite derivatives, so that a flow can start there."""
    z, kept = points(), np.arange(FEATURES)
    for order in getattr(template(name), "orders", None) or ():
        kept = kept[np.asarray(order)]
    found = derivatives(filled(name, 0.0), z, np.ones((SETS, FEATURES + 1)))
    there = found[0][0]
    np.testing.assert_allclose(there[:, :-1], z[:, kept], atol=1e-12)
    np.testing.assert_allclose(there[:, -1], 0.0, atol=1e-12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@every_bijection
def test_extreme_parameters(name: str):
    """A hundred times as large: finite in either precision, derivatives too, and in double precision invertible."""
    with jax.enable_x64(True):
        z = points()
        found = derivatives(filled(name, 100.0), z, np.ones((SETS, FEATURES + 1)))
        (there, _), (back, _), _ = found
        size = np.maximum(np.abs(there).max(axis=1, keepdims=True), 1)
        np.testing.assert_array_less(np.abs(back[:, :-1] - z) / size, 1e-9)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    f, z = filled(name, 100.0), points()
    for i in range(4):
        assert all(np.isfinite(each).all() for each in there_and_back(one(f, i), z[i]))


@pytest.mark.usefixtures("float64")
def test_planes_and_shells_in_corners():
    """w = 0, u = 0, a slope at its limit, and points at the centre: no division by zero."""
    z, weights = points(), np.ones((SETS, FEATURES + 1))
    planes, shells = filled("planar", 1.0), filled("radial", 1.0)
    corners = [
        ("w = 0", b.Planar(planes.u, 0 * planes.w, planes.b), z),
        ("u = 0", b.Planar(0 * planes.u, planes.w, planes.b), z),
        ("w'u = -1e4", b.Planar(-100 * planes.w, 100 * planes.w, planes.b), z),
        ("z = c", shells, shells.centre),
        ("no strength", b.Radial(shells.centre, shells.log_alpha, 0 * shells.strength), z),
        ("the least strength", b.Radial(shells.centre, shells.log_alpha, 0 * shells.strength - 1e4), z),
        ("alpha = 0", b.Radial(shells.centre, 0 * shells.log_alpha - 1e4, shells.strength), z),
        ("alpha = infinity", b.Radial(shells.centre, 0 * shells.log_alpha + 1e4, shells.strength), z),
    ]
    for corner, f, z in corners:
        found = derivatives(f, z, weights)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found)), corner
        np.testing.assert_allclose(found[1][0][:, :-1], z, atol=1e-8, err_msg=corner)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda z: b.UnitTriangular(blank(2)).forward(z), "of 3 features needs 3 numbers below the diagonal, got 2"),
        (lambda z: b.Coupling(net(1, 3), scaled=True).forward(z), "moves 2 features needs to give 4 outputs, got 3"),
        (lambda z: b.Coupling(net(1, 1), scaled=False).forward(z[:1]), "at least 2 features, .* got 1"),
        (
            lambda z: b.Autoregressive(MaskedMLP(3, (4,), heads=1, key=KEY)).forward(z),
            r"outputs of shape \(2, 3\), got \(1, 3\)",
        ),
        (
            lambda z: b.Sylvester(blank(1, 3), blank(4, 4), blank(4, 4), blank(4)).forward(z),
            "at most as many planes as features, 3, got 4",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong(jnp.zeros(3))


def test_maps_know_what_they_are():
    """Affine where the difference quotient is constant, and closed where no search is needed."""
    f, g = (filled(name, 1.0) for name in ("unit triangular", "planar"))
    assert [b.Composite(maps).affine for maps in ((f, f), (f, g))] == [True, False]
    assert [b.Composite(maps).closed for maps in ((f, f), (f, g))] == [True, False]
    assert (b.Inverted(g).affine, b.Inverted(g).closed) == (False, True)
    assert (b.Stacked(f).affine, b.Stacked(g).closed) == (True, False)
