"""Several devices, of one process or more: each has the model, computes a share of the rows, and gradients are added.

Noise is a function of a row's number, so that one device and eight draw the same numbers; what differs are the last
digits of sums, which are taken in another order.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from iwax import processes

__all__ = ["copied", "count", "everywhere", "over", "shared", "whole"]

Tree = TypeVar("Tree")

_ROWS = "rows"
_devices = jax.make_user_context(default_value=1)  # how many: part of the key of what is compiled


@contextmanager
def over(devices: int | Literal["all"] | None) -> Iterator[None]:
    """Share out the rows among this many devices inside the block, in training and evaluation alike; None: as before.

    They are of the kind that arrays go to. Raises ValueError for a number below 1, and, once they are needed, where
    there are fewer devices.

    >>> with over("all"):
    ...     count() == len(jax.devices())
    True
    """
    if devices is None:
        yield
        return
    if devices != "all" and (isinstance(devices, bool) or not isinstance(devices, int) or devices < 1):
        raise ValueError(f"devices needs to be a whole number from 1, or all, got {devices!r}")
    with _devices(devices):
        yield


def everywhere() -> AbstractContextManager[None]:
    """Where several processes train together, share out the rows among the devices of all inside the block.

    Whatever is computed there is computed by all of them alike, or they wait for each other. With one process it does
    nothing.
    """
    return nullcontext() if processes.count() == 1 else _devices("everywhere")


def _mesh() -> Mesh | None:
    """The devices that share the rows; None where it is one."""
    asked = _devices.value
    if asked == 1:
        return None
    default = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    kind = jax.default_backend() if default is None else getattr(default, "platform", default)
    have = jax.devices(kind) if asked == "everywhere" else jax.local_devices(backend=kind)
    wanted = len(have) if isinstance(asked, str) else asked
    if wanted > len(have):
        raise ValueError(
            f"devices: {wanted} were asked for, JAX has {len(have)} here ({have[0].device_kind}); a processor is one "
            "device, of all its cores"
        )
    return Mesh(np.asarray(have[:wanted]), (_ROWS,)) if wanted > 1 else None


def count() -> int:
    """How many devices share the rows.

    >>> count()
    1
    """
    mesh = _mesh()
    return 1 if mesh is None else mesh.size


def whole(rows: int) -> int:
    """The number of rows, rounded up to what all devices have as many of.

    >>> whole(5)
    5
    """
    return -(-rows // count()) * count()


def copied(tree: Tree) -> Tree:
    """The tree with its arrays on every device."""
    return _placed(tree, PartitionSpec())


def shared(tree: Tree, *, axis: int = 0) -> Tree:
    """The tree with the rows of its arrays, along an axis, shared out among the devices."""
    return _placed(tree, PartitionSpec(*(None,) * axis, _ROWS))


def _placed(tree: Tree, how: PartitionSpec) -> Tree:
    mesh = _mesh()
    if mesh is None:
        return tree
    sharding = NamedSharding(mesh, how)

    def place(leaf: Any) -> Any:
        if isinstance(leaf, Tracer):
            return jax.lax.with_sharding_constraint(leaf, sharding)
        if not isinstance(leaf, jax.Array | np.ndarray):
            return leaf
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:  # placed before
            return leaf
        if mesh.is_multi_process:  # each process has the whole, and gives its devices their part
            return jax.make_array_from_callback(leaf.shape, sharding, lambda index: np.asarray(leaf)[index])
        return jax.device_put(leaf, sharding)

    return jax.tree.map(place, tree)
