"""Noise computed in one pass is JAX's own, to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwax.threefry import in_one_pass

WORDS = st.integers(0, 2**32 - 1)
SHAPES = st.lists(st.integers(0, 3), max_size=2).map(tuple)


def key_of(first, second):
    return jax.random.wrap_key_data(jnp.array([first, second], jnp.uint32))


def same(a, b):
    return np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b)


@settings(max_examples=8)  # a shape is a compilation
@given(WORDS, WORDS, SHAPES, st.sampled_from([8, 16, 32]))
def test_bits(first, second, shape, width):
    key = key_of(first, second)
    assert same(jax.random.bits(in_one_pass(key), shape, f"uint{width}"), jax.random.bits(key, shape, f"uint{width}"))


@settings(max_examples=40)
@given(WORDS, WORDS, WORDS)
def test_folding_in(first, second, number):
    key, number = key_of(first, second), np.uint32(number)
    ours = jax.random.fold_in(in_one_pass(key), number)
    assert same(jax.random.key_data(ours), jax.random.key_data(jax.random.fold_in(key, number)))


def test_the_draws_of_every_kind_that_a_part_makes():
    key = key_of(7, 2**31)
    for draw in (
        lambda key: jax.random.normal(key, (3, 4)),
        lambda key: jax.random.uniform(key, (5,)),
        lambda key: jax.random.categorical(key, jnp.arange(4.0), shape=(6,)),
        lambda key: jax.random.gamma(key, 0.7, (3,)),
        lambda key: jax.random.permutation(key, 9),
        lambda key: jax.random.normal(jax.random.split(key, 3)[1]),
        lambda key: jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (2,)))(jnp.arange(4)),
    ):
        assert same(jax.jit(draw)(in_one_pass(key)), jax.jit(draw)(key))


def test_double_precision():
    with jax.enable_x64(True):
        key = jax.random.key(3)
        assert same(jax.random.normal(in_one_pass(key), (4,), jnp.float64), jax.random.normal(key, (4,), jnp.float64))


def test_a_seed_gives_the_key_that_it_gives_elsewhere():
    made = jax.random.key(5, impl=jax.random.key_impl(in_one_pass(jax.random.key(0))))
    assert same(jax.random.key_data(made), jax.random.key_data(jax.random.key(5)))


@pytest.mark.parametrize("other", ["rbg", "unsafe_rbg"])
def test_keys_of_other_kinds_are_left_alone(other):
    key = jax.random.key(0, impl=other)
    assert in_one_pass(key) is key


def test_a_key_in_one_pass_stays_one():
    key = in_one_pass(jax.random.key(0))
    assert in_one_pass(key) is key


def test_other_devices_and_other_settings_are_left_alone(monkeypatch):
    key = jax.random.key(0)
    with jax.threefry_partitionable(False):
        assert in_one_pass(key) is key
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert in_one_pass(key) is key
