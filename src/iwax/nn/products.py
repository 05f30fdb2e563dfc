"""The matrix product of the networks, and how its factors are rounded: the only place that knows of mixed precision.

With factors in bfloat16, which keeps 8 bits of a fraction, and sums in float32 a device that has units for them takes
half the time or less (Micikevicius et al. 2018, arXiv:1710.03740; that bfloat16 needs no scaling of the loss: Kalamkar
et al. 2019, arXiv:1905.12322). The derivatives of a product are products again, and are rounded alike.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from iwax._typing import AnyArray

__all__ = ["mixed_precision", "product"]

_Form: TypeAlias = Literal["x w", "y w'", "x' y"]  # the product, and its derivatives in x and in w
_OVER = {"x w": ((1,), (0,)), "y w'": ((1,), (1,)), "x' y": ((0,), (0,))}  # axes of either factor that are added over

_rounded = jax.make_user_context(default_value=False)  # part of the key of what is compiled
_NARROW = 128  # columns below which transposing x takes a processor more time than bfloat16 saves
_FEW = 64  # rows below which rounding the matrix does


@contextmanager
def mixed_precision(on: bool = True) -> Iterator[None]:
    """Inside the block what is traced multiplies bfloat16 factors and adds up in float32, forward and backward.

    It holds for the dense networks and their derivatives, for products of one matrix with many rows in single
    precision; on a processor, with 64 rows or more. Weights, what is between the products, and double precision stay as
    they are.

    >>> from iwax import nn
    >>> layer = nn.Linear(3, 2, key=jax.random.key(0))
    >>> with mixed_precision():
    ...     rounded = layer(jnp.array([1.0, 2.0, 3.0]))
    >>> bool(jnp.allclose(rounded, layer(jnp.array([1.0, 2.0, 3.0])), rtol=0.01, atol=0.02)), rounded.dtype.name
    (True, 'float32')
    """
    with _rounded(on):
        yield


def product(x: Float[AnyArray, "*batch in"], w: Float[AnyArray, "in out"]) -> Float[Array, "*batch out"]:
    """``x w``, of factors rounded to bfloat16 inside `mixed_precision`.

    >>> product(jnp.ones(2), jnp.eye(2)).tolist()
    [1.0, 1.0]
    """
    x, w = jnp.asarray(x), jnp.asarray(w)
    if not _rounded.value or x.dtype != jnp.float32 or w.dtype != jnp.float32:
        return x @ w
    return _product.bind(x, w, form="x w")


def _summed(a: Array, b: Array, form: _Form, factors: Any) -> Array:
    """One of the three products, of factors in a type, added up in float32; rows are all axes but the last."""
    y = jax.lax.dot_general(
        _rows(a).astype(factors),
        _rows(b).astype(factors),
        (_OVER[form], ((), ())),
        preferred_element_type=jnp.float32,
    )
    return y if form == "x' y" else y.reshape(*a.shape[:-1], y.shape[-1])


def _on_a_processor(a: Array, b: Array, *, form: _Form) -> Array:
    """``x' y`` as a product of x', written out, and y: as it stands it is slower than in float32, as few rows are."""
    if math.prod(a.shape[:-1]) < _FEW:
        return _summed(a, b, form, jnp.float32)
    if form != "x' y":
        return _summed(a, b, form, jnp.bfloat16)
    if min(a.shape[-1], b.shape[-1]) < _NARROW:
        return _summed(a, b, form, jnp.float32)
    transposed = jax.lax.optimization_barrier(_rows(a).astype(jnp.bfloat16).T)
    return _summed(transposed, _rows(b), "x w", jnp.bfloat16)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _shaped(a: Any, b: Any, *, form: _Form) -> Any:
    last = b.shape[0] if form == "y w'" else b.shape[-1]
    return ShapedArray((a.shape[-1], last) if form == "x' y" else (*a.shape[:-1], last), a.dtype)


def _in_first(y: Array, _: Any, b: Array, *, form: _Form) -> Array:
    """The adjoint in the first factor: y w', y w, and, where the first is x and y is of a matrix, b y'."""
    if form == "x' y":
        return _product.bind(b, y, form="y w'")
    return _product.bind(y, b, form="y w'" if form == "x w" else "x w")


def _in_second(y: Array, a: Array, _: Any, *, form: _Form) -> Array:
    """The adjoint in the second factor: x' y, y' a, and a y."""
    if form == "x' y":
        return _product.bind(a, y, form="x w")
    return _product.bind(*((a, y) if form == "x w" else (y, a)), form="x' y")


def _batched(arguments: tuple[Array, Array], axes: tuple[Any, Any], *, form: _Form) -> tuple[Array, int]:
    """Many rows of one matrix are more rows; of many matrices each has few rows, and is multiplied in float32."""
    (a, b), (of_a, of_b) = arguments, axes
    if of_b is None and form != "x' y":
        return _product.bind(jnp.moveaxis(a, of_a, 0), b, form=form), 0
    return jax.vmap(partial(_summed, form=form, factors=jnp.float32), in_axes=axes)(a, b), 0


_product = Primitive("product_of_rounded_factors")
_product.def_impl(jax.jit(_product.bind, static_argnames="form"))
_product.def_abstract_eval(_shaped)
mlir.register_lowering(_product, mlir.lower_fun(partial(_summed, factors=jnp.bfloat16), multiple_results=False))
mlir.register_lowering(_product, mlir.lower_fun(_on_a_processor, multiple_results=False), platform="cpu")
ad.defbilinear(_product, _in_first, _in_second)
batching.primitive_batchers[_product] = _batched
