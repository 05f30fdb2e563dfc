"""Laws of bounds as functions of log-weights: [k, *batch] -> [*batch]."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwax import bounds

K = 6  # divisible by 1, 2, 3 and 6
BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae(1)": bounds.miwae(1),
    "miwae(2)": bounds.miwae(2),
    "miwae(3)": bounds.miwae(3),
    "miwae(6)": bounds.miwae(6),
}
every_bound = pytest.mark.parametrize("name", BOUNDS)

moderate = st.floats(-50, 50, width=32, allow_subnormal=False)
extreme = st.one_of(
    st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    st.sampled_from([-1e4, -1000.0, 0.0, 1e4]).map(np.float32),
)
log_weights = hnp.arrays(np.float32, (K, 3), elements=moderate)
extreme_log_weights = hnp.arrays(np.float32, (K, 3), elements=extreme)


@partial(jax.jit, static_argnums=0)
def value_of(bound: bounds.Bound, log_w):
    return bound(log_w)


@partial(jax.jit, static_argnums=0)
def derivatives_of(bound: bounds.Bound, log_w):
    return bound.derivatives(log_w, None)


@partial(jax.jit, static_argnums=0)
def both_ways(bound: bounds.Bound, column):
    value = partial(bound.value, key=None)
    return *bound.derivatives(column, None), jax.grad(value)(column), jnp.diagonal(jax.hessian(value)(column))


def slack(log_w: np.ndarray) -> float:
    """What float32 may round away: some units in the last place of the largest log-weight."""
    return 1e-6 + 5e-7 * float(np.abs(log_w).max(initial=0))


def exact(name: str, log_w: np.ndarray) -> np.ndarray:
    """The bound by its formula in float64."""
    log_w = log_w.astype(np.float64)
    groups = {"elbo": len(log_w), "iwae": 1}.get(name) or int(name.removeprefix("miwae(").removesuffix(")"))
    each = log_w.reshape(groups, -1, *log_w.shape[1:])
    largest = each.max(axis=1, keepdims=True)
    return (np.log(np.exp(each - largest).mean(axis=1)) + largest[:, 0]).mean(axis=0)


@every_bound
@given(log_w=extreme_log_weights)
def test_equals_its_formula_also_where_exp_would_overflow(name: str, log_w: np.ndarray):
    value = np.asarray(value_of(BOUNDS[name], jnp.asarray(log_w)))
    np.testing.assert_allclose(value, exact(name, log_w), rtol=0, atol=slack(log_w))


@every_bound
@given(log_w=log_weights, shift=st.floats(-1000, 1000, width=32))
def test_shift_equivariance(name: str, log_w: np.ndarray, shift: float):
    moved = value_of(BOUNDS[name], jnp.asarray(log_w) + shift)
    np.testing.assert_allclose(
        moved, value_of(BOUNDS[name], jnp.asarray(log_w)) + shift, atol=slack(log_w) + slack(shift)
    )


@given(log_w=log_weights, order=st.permutations(range(K)))
def test_invariance_to_the_order_of_draws(log_w: np.ndarray, order: list[int]):
    for bound in (bounds.elbo, bounds.iwae):
        permuted = value_of(bound, jnp.asarray(log_w[order]))
        np.testing.assert_allclose(permuted, value_of(bound, jnp.asarray(log_w)), atol=slack(log_w))


@given(log_w=log_weights, seed=st.integers(0, 1000))
def test_miwae_is_invariant_within_groups_and_to_the_order_of_groups(log_w: np.ndarray, seed: int):
    rng = np.random.default_rng(seed)
    groups = rng.permuted(log_w.reshape(2, 3, 3), axis=1)[rng.permutation(2)]
    bound = BOUNDS["miwae(2)"]
    expected = value_of(bound, jnp.asarray(log_w))
    np.testing.assert_allclose(value_of(bound, groups.reshape(K, 3)), expected, atol=slack(log_w))


@given(log_w=extreme_log_weights)
def test_order_of_the_bounds(log_w: np.ndarray):
    names = ("elbo", "miwae(6)", "miwae(3)", "miwae(1)", "iwae")
    values = [np.asarray(value_of(BOUNDS[name], jnp.asarray(log_w))) for name in names]
    values = [log_w.min(axis=0), *values, log_w.max(axis=0)]
    for lower, upper in itertools.pairwise(values):
        assert (lower <= upper + slack(log_w)).all()
    two = np.asarray(value_of(BOUNDS["miwae(2)"], jnp.asarray(log_w)))
    assert (values[1] <= two + slack(log_w)).all()
    assert (two <= values[-2] + slack(log_w)).all()


@given(log_w=log_weights)
def test_miwae_of_one_group_is_iwae_and_of_k_groups_the_elbo(log_w: np.ndarray):
    log_w = jnp.asarray(log_w)
    for miwae, other in (("miwae(1)", "iwae"), ("miwae(6)", "elbo")):
        pairs = [(value_of(BOUNDS[miwae], log_w), value_of(BOUNDS[other], log_w))]
        pairs += zip(derivatives_of(BOUNDS[miwae], log_w), derivatives_of(BOUNDS[other], log_w), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, atol=slack(log_w))


@given(log_w=hnp.arrays(np.float32, (1, 4), elements=extreme))
def test_with_one_draw_all_bounds_are_its_log_weight(log_w: np.ndarray):
    for bound in (bounds.elbo, bounds.iwae, bounds.miwae(1)):
        np.testing.assert_array_equal(value_of(bound, jnp.asarray(log_w)), log_w[0])


@every_bound
@given(level=st.floats(-1e4, 1e4, width=32))
def test_equal_weights_give_their_common_value(name: str, level: float):
    value = value_of(BOUNDS[name], jnp.full((K, 3), level, jnp.float32))
    np.testing.assert_allclose(value, np.full(3, level), atol=slack(np.float32(level)))


@every_bound
@given(log_w=log_weights)
def test_derivatives_are_those_of_automatic_differentiation(name: str, log_w: np.ndarray):
    with jax.enable_x64(True):
        first, second, gradient, curvature = both_ways(BOUNDS[name], jnp.asarray(log_w[:, 0], jnp.float64))
    np.testing.assert_allclose(first, gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(second, curvature, rtol=1e-8, atol=1e-12)


@every_bound
@given(log_w=extreme_log_weights)
def test_derivatives_are_finite_and_sum_to_one(name: str, log_w: np.ndarray):
    first, second = derivatives_of(BOUNDS[name], jnp.asarray(log_w))
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert (np.asarray(first) >= 0).all()
    # a shift of all log-weights shifts the bound by as much
    np.testing.assert_allclose(np.asarray(first).sum(axis=0), 1.0, rtol=1e-5)
    gradient = jax.grad(lambda v: value_of(BOUNDS[name], v).sum())(jnp.asarray(log_w))
    np.testing.assert_allclose(gradient, first, atol=2e-6)


@every_bound
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes(name: str, batch: tuple[int, ...]):
    log_w = jax.ShapeDtypeStruct((K, *batch), jnp.float32)
    assert jax.eval_shape(BOUNDS[name], log_w).shape == batch
    first, second = jax.eval_shape(partial(BOUNDS[name].derivatives, key=None), log_w)
    assert first.shape == second.shape == (K, *batch)


@every_bound
def test_data_do_not_mix(name: str):
    log_w = jnp.asarray(np.random.default_rng(0).normal(size=(K, 3, 2)) * 4, jnp.float32)
    together = value_of(BOUNDS[name], log_w)
    apart = [value_of(BOUNDS[name], log_w[:, i]) for i in range(3)]
    np.testing.assert_allclose(together, np.stack(apart), rtol=1e-6)


def test_a_single_possible_draw():
    log_w = jnp.full(K, -jnp.inf).at[2].set(-7.0)
    assert float(bounds.iwae(log_w)) == pytest.approx(-7.0 - np.log(K))
    np.testing.assert_array_equal(jax.grad(bounds.iwae)(log_w), jnp.zeros(K).at[2].set(1.0))


def test_names_and_kinds():
    assert [bound.name for bound in BOUNDS.values()] == list(BOUNDS)
    assert {bound.kind for bound in BOUNDS.values()} == {"lower"}


@pytest.mark.parametrize("m", [0, -2])
def test_miwae_needs_a_group(m: int):
    with pytest.raises(ValueError, match=f"got m={m}"):
        bounds.miwae(m)


def test_miwae_needs_groups_of_one_size():
    bound = bounds.miwae(4)
    for function in (bound, partial(bound.derivatives, key=None)):
        with pytest.raises(ValueError, match=r"multiple of its m=4 .* got k=6"):
            function(jnp.zeros((6, 2)))
