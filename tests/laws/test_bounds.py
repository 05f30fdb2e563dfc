"""Laws of bounds as functions of log-weights: [k, *batch] -> [*batch]. All bounds are compiled together."""

import itertools
import math
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles import bounds_by_definition as definition

from iwax import bounds

K = 6  # divisible by 1, 2, 3 and 6
DEFINED = [
    (bounds.elbo, definition.elbo),
    (bounds.iwae, definition.log_mean_exp),
    *((bounds.miwae(m), partial(definition.miwae, m)) for m in (1, 2, 3, 6)),
    *((bounds.ciwae(beta), partial(definition.ciwae, beta)) for beta in (0.0, 0.3, 1.0)),
    *((bounds.renyi(a), partial(definition.renyi, a)) for a in (2.0, 1.0, 0.5, 0.0, -1.0, -math.inf)),
    *((bounds.jackknife(order), partial(definition.jackknife, order)) for order in (0, 1, 2, 3)),
    *((bounds.cubo(n), partial(definition.cubo, n)) for n in (1.5, 2.0)),
    (bounds.thermodynamic(1), partial(definition.thermodynamic, 1, 0.5, "left")),
    *(
        (bounds.thermodynamic(4, first=0.1, side=side), partial(definition.thermodynamic, 4, 0.1, side))
        for side in ("left", "right")
    ),
]
EXACT = {bound.name: exact for bound, exact in DEFINED}
BOUNDS = {bound.name: bound for bound, _ in DEFINED} | {"sumo(1)": bounds.sumo(1), "sumo(3)": bounds.sumo(3)}
LOWER = {name for name, bound in BOUNDS.items() if bound.kind == "lower"}
# how many times over the rounding of a log-weight may come back: the sum of what multiplies the bounds of subsets
FOLD = {f"jackknife({order})": float(np.abs(definition.coefficients(K, order)).sum()) for order in (1, 2, 3)}
FOLD |= {"sumo(1)": 40.0, "sumo(3)": 20.0}

moderate = st.floats(-50, 50, width=32, allow_subnormal=False)
extreme = st.one_of(
    st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    st.sampled_from([-1e4, -1000.0, 0.0, 1e4]).map(np.float32),
)
log_weights = hnp.arrays(np.float32, (K, 3), elements=moderate)
extreme_log_weights = hnp.arrays(np.float32, (K, 3), elements=extreme)


@cache
def key():
    return jax.random.key(5)


@jax.jit
def all_values(log_w, key):
    return {name: bound(log_w, key) for name, bound in BOUNDS.items()}


@jax.jit
def all_derivatives(log_w, key):
    return {name: bound.derivatives(log_w, key) for name, bound in BOUNDS.items()}


def values_of(log_w) -> dict[str, np.ndarray]:
    return jax.tree.map(np.asarray, all_values(jnp.asarray(log_w), key()))


def derivatives_of(log_w) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return jax.tree.map(np.asarray, all_derivatives(jnp.asarray(log_w), key()))


def slack(log_w: np.ndarray, name: str = "") -> float:
    """What float32 may round away: some units in the last place of the largest log-weight."""
    return FOLD.get(name, 1.0) * (1e-6 + 5e-7 * float(np.abs(log_w).max(initial=0)))


def agree(found, expected, name: str, atol: float):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)


@given(log_w=extreme_log_weights)
def test_every_bound_equals_its_definition_also_where_exp_would_overflow(log_w: np.ndarray):
    found = values_of(log_w)
    for name, exact in EXACT.items():
        agree(found[name], exact(log_w.astype(np.float64)), name, slack(log_w, name))


@given(log_w=extreme_log_weights)
def test_sumo_is_one_of_the_sums_it_may_be_cut_to(log_w: np.ndarray):
    found = values_of(log_w)
    for m in (1, 3):
        sums = np.stack([definition.sumo(m, stop, log_w.astype(np.float64)) for stop in range(1, K - m + 1)])
        distance = np.abs(found[f"sumo({m})"] - sums).min(axis=0)
        assert (distance <= slack(log_w, f"sumo({m})")).all()


@given(log_w=log_weights, shift=st.floats(-1000, 1000, width=32))
def test_shift_equivariance(log_w: np.ndarray, shift: float):
    before, after = values_of(log_w), values_of(log_w + np.float32(shift))
    for name in BOUNDS:
        agree(after[name], before[name] + shift, name, slack(log_w, name) + slack(np.float32(shift), name))


@given(log_w=log_weights, order=st.permutations(range(K)))
def test_invariance_to_the_order_of_draws(log_w: np.ndarray, order: list[int]):
    before, after = values_of(log_w), values_of(log_w[order])
    ordered = {"miwae(2)", "miwae(3)", "sumo(1)", "sumo(3)"}
    for name in BOUNDS.keys() - ordered:
        agree(after[name], before[name], name, slack(log_w, name))


@given(log_w=log_weights, seed=st.integers(0, 1000))
def test_miwae_is_invariant_within_groups_and_to_the_order_of_groups(log_w: np.ndarray, seed: int):
    rng = np.random.default_rng(seed)
    groups = rng.permuted(log_w.reshape(2, 3, 3), axis=1)[rng.permutation(2)]
    agree(values_of(groups.reshape(K, 3))["miwae(2)"], values_of(log_w)["miwae(2)"], "miwae(2)", slack(log_w))


CHAINS = [  # each from the smallest to the largest, whatever the weights
    ("elbo", "miwae(3)", "iwae"),
    ("elbo", "miwae(2)", "iwae"),
    ("ciwae(1)", "ciwae(0.3)", "ciwae(0)"),
    ("renyi(2)", "renyi(1)", "renyi(0.5)", "renyi(0)", "cubo(1.5)", "renyi(-1)", "renyi(-inf)"),
    ("elbo", "thermodynamic(4, 0.1, left)", "iwae", "thermodynamic(4, 0.1, right)"),
    ("iwae", "jackknife(1)"),
    *((name, "iwae") for name in sorted(LOWER)),
]


@given(log_w=extreme_log_weights)
def test_order_of_the_bounds(log_w: np.ndarray):
    found = values_of(log_w)
    for chain in CHAINS:
        for lower, upper in itertools.pairwise(chain):
            room = slack(log_w, lower) + slack(log_w, upper)
            assert (found[lower] <= found[upper] + room).all(), (lower, upper)


SAME = [
    ("miwae(1)", "iwae"),
    ("miwae(6)", "elbo"),
    ("ciwae(0)", "iwae"),
    ("ciwae(1)", "elbo"),
    ("renyi(0)", "iwae"),
    ("renyi(1)", "elbo"),
    ("jackknife(0)", "iwae"),
    ("cubo(2)", "renyi(-1)"),
    ("thermodynamic(1, 0.025, left)", "elbo"),
]


@given(log_w=log_weights)
def test_limits_are_the_bounds_that_they_name(log_w: np.ndarray):
    value, derivatives = values_of(log_w), derivatives_of(log_w)
    for one, other in SAME:
        agree(value[one], value[other], one, slack(log_w))
        for order in (0, 1):
            agree(derivatives[one][order], derivatives[other][order], one, 1e-5)


@given(level=st.floats(-1e4, 1e4, width=32))
def test_equal_weights_give_their_common_value(level: float):
    for name, value in values_of(np.full((K, 3), level, np.float32)).items():
        agree(value, np.full(3, level), name, slack(np.float32(level), name))


def test_with_one_draw_all_bounds_are_its_log_weight():
    serve = [bound for bound in BOUNDS.values() if bound.least_k == 1]
    assert len(serve) == len(BOUNDS) - 3 - 3 - 2  # not miwae(2, 3, 6), jackknife(1, 2, 3), sumo
    log_w = jnp.array([[-1e4, -3.5, 0.0, 1e4]], jnp.float32)
    found = jax.jit(lambda log_w: {bound.name: bound(log_w) for bound in serve})(log_w)
    for name, value in found.items():
        agree(value, log_w[0], name, slack(np.asarray(log_w)))


@jax.jit
def automatic(log_w, key):
    """L' and L'' of every bound as it finds them where nothing but its value is given, or L' alone; and ours."""

    def of(bound):
        bare = replace(bound, derivatives=None)
        half = replace(bare, first=lambda log_w, key: bound.derivatives(log_w, key)[0])
        return *bare.derivatives(log_w, key), half.derivatives(log_w, key)[1]

    spared = {one for one, _ in SAME} | {"miwae(3)", "jackknife(3)", "sumo(3)"}  # the same functions once more
    different = [bound for name, bound in BOUNDS.items() if name not in spared]
    return {bound.name: (of(bound), bound.derivatives(log_w, key)) for bound in different}


@settings(max_examples=40)
@given(log_w=hnp.arrays(np.float64, K, elements=moderate))
def test_derivatives_are_those_of_automatic_differentiation(log_w: np.ndarray):
    with jax.enable_x64(True):
        found = jax.tree.map(np.asarray, automatic(jnp.asarray(log_w), key()))
    for name, (by_machine, ours) in found.items():
        for order, found_so, tolerance in zip((0, 1, 1), by_machine, (1e-11, 1e-10, 1e-10), strict=True):
            agree(ours[order], found_so, name, FOLD.get(name, 1.0) * tolerance)


def test_derivatives_are_given_in_one_way():
    halves = {"first": bounds.iwae.value, "second": bounds.iwae.value}
    for name, function in halves.items():
        with pytest.raises(ValueError, match="iwae needs derivatives=, or first= or second=, and not both"):
            replace(bounds.iwae, **{name: function})
    given = replace(bounds.iwae, derivatives=None, second=lambda log_w, key: 7 * log_w)
    first, second = given.derivatives(jnp.zeros((2, 3)), None)
    assert (first.tolist(), second.tolist()) == ([[0.5] * 3] * 2, [[0.0] * 3] * 2)
    twice = replace(given, value=lambda log_w, key: 2 * bounds.iwae.value(log_w, key))  # and its derivative with it
    assert twice.derivatives(jnp.zeros((2, 3)), None)[0].tolist() == [[1.0] * 3] * 2


@given(log_w=extreme_log_weights)
def test_derivatives_are_finite_and_sum_to_one(log_w: np.ndarray):
    for name, (first, second) in derivatives_of(log_w).items():
        assert np.isfinite(first).all(), name
        assert np.isfinite(second).all(), name
        if name.split("(")[0] not in ("jackknife", "sumo", "thermodynamic"):
            assert (first >= 0).all(), name
        # a shift of all log-weights shifts the bound by as much
        agree(first.sum(axis=0), 1.0, name, slack(log_w, name) + 1e-5)


def test_the_gradient_of_a_bound_is_its_derivative_also_at_extremes():
    rng = np.random.default_rng(0)
    log_w = np.stack([[1e4, -1e4, 0, 0, 5, -1e4], [-1e4] * 5 + [1e4], rng.normal(size=6)], axis=1).astype(np.float32)
    chosen = ("iwae", "renyi(-1)", "renyi(-inf)", "jackknife(1)", "thermodynamic(4, 0.1, right)")

    @jax.jit
    @jax.grad
    def together(columns):
        return sum(jnp.sum(BOUNDS[name](columns[name])) for name in chosen)

    slopes = together(dict.fromkeys(chosen, jnp.asarray(log_w)))
    for name, slope in slopes.items():
        np.testing.assert_allclose(slope, derivatives_of(log_w)[name][0], rtol=1e-5, atol=1e-6, err_msg=name)


def test_shapes():
    for name, bound in BOUNDS.items():
        for batch in ((), (2, 0)):
            log_w = jax.ShapeDtypeStruct((K, *batch), jnp.float32)
            assert jax.eval_shape(bound.value, log_w, key()).shape == batch, name
            first, second = jax.eval_shape(bound.derivatives, log_w, key())
            assert first.shape == second.shape == (K, *batch), name


def test_data_do_not_mix():
    log_w = np.random.default_rng(0).normal(size=(K, 3)).astype(np.float32) * 4
    other = log_w + np.array([0.0, 30.0, -7.0], np.float32)
    before, after = (values_of(log_w), derivatives_of(log_w)), (values_of(other), derivatives_of(other))
    for name in BOUNDS:
        np.testing.assert_array_equal(after[0][name][0], before[0][name][0], err_msg=name)
        for old, new in zip(before[1][name], after[1][name], strict=True):
            np.testing.assert_array_equal(new[:, 0], old[:, 0], err_msg=name)


def test_weights_of_zero():
    """-inf stands for a weight of zero: no draw of it has a share, and what the bound makes of it is no NaN."""
    log_w = np.array([0.5, -np.inf, -1.0, 2.0, -np.inf, 0.1])
    log_w = np.stack([log_w] * 3, axis=1).astype(np.float32)
    value, derivatives = values_of(log_w), derivatives_of(log_w)
    for name, exact in EXACT.items():
        with np.errstate(invalid="ignore"):
            expected = exact(log_w.astype(np.float64))
        agree(value[name], expected, name, slack(np.float32(2.0), name))
        if np.isfinite(expected).all():
            assert np.isfinite(derivatives[name]).all(), name
            assert (derivatives[name][0][[1, 4]] == 0).all() or name.startswith("jackknife"), name


def test_names_and_kinds():
    assert [name for name in BOUNDS if name not in LOWER] == [
        *("renyi(-1)", "renyi(-inf)", "jackknife(1)", "jackknife(2)", "jackknife(3)", "cubo(1.5)", "cubo(2)"),
        *("thermodynamic(4, 0.1, right)", "sumo(1)", "sumo(3)"),
    ]
    assert [name for name, bound in BOUNDS.items() if not bound.smooth] == ["renyi(-inf)"]
    assert len(BOUNDS) == len(DEFINED) + 2
    assert pytest.approx(1.0) == sum(definition.coefficients(8, 2))
