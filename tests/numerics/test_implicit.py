"""Solutions of equations and their derivatives, of first and second order, in closed form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from iwax.numerics import above_minus_one, bisect, dense_solve, implicit


def residual(a, z):
    """Zero at ``z_0 = cbrt(a_0)``, ``z_1 = a_1 z_0``."""
    return jnp.stack([z[0] ** 3 - a[0], z[1] - a[1] * z[0]])


def root(a):
    found = jnp.cbrt(jax.lax.stop_gradient(a[0]))
    return implicit(residual, dense_solve(residual), a, jnp.stack([found, jax.lax.stop_gradient(a[1]) * found]))


def closed(a):
    return jnp.stack([a[0] ** (1 / 3), a[1] * a[0] ** (1 / 3)])


@pytest.mark.usefixtures("float64")
def test_derivatives_of_a_solution():
    def all_of(f, a):
        return f(a), jax.jacrev(f)(a), jax.jvp(f, (a,), (a,)), jax.jacfwd(jax.jacrev(f))(a)

    found, expected = jax.jit(lambda a: (all_of(root, a), all_of(closed, a)))(jnp.array([2.7, -1.3]))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-6, 0, 6])
def test_bisection_goes_to_the_last_digits(dtype: type, exponent: int):
    with jax.enable_x64(dtype is np.float64):
        zero = np.array([0.3, -0.7, 0.0], dtype) * dtype(10.0) ** exponent
        low, high = jnp.asarray(zero - dtype(10.0) ** exponent), jnp.asarray(zero + dtype(2 * 10.0**exponent))
        found = bisect(lambda a: jnp.sinh((a - zero) / dtype(10.0) ** exponent), low, high)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, zero, rtol=0, atol=4 * np.finfo(dtype).eps * 10.0**exponent)


def test_above_minus_one():
    """Increasing, 0 at 0, straight far above and level far below: where a map stays invertible."""
    s = jnp.concatenate([-jnp.logspace(4, -4, 50), jnp.zeros(1), jnp.logspace(-4, 4, 50)])
    m = above_minus_one(s)
    assert abs(float(m[50])) < 1e-7
    assert bool((jnp.diff(m) >= 0).all())
    assert float(m[0]) == np.float32(-0.999)
    c = np.log(np.expm1(0.999))
    np.testing.assert_allclose(m[-1], 1e4 + c - 0.999, rtol=1e-6)
    slope = jax.vmap(jax.grad(above_minus_one))(s)
    np.testing.assert_allclose(slope, expit(np.asarray(s, np.float64) + c), rtol=1e-5, atol=1e-30)
