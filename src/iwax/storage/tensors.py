"""Trees to safetensors and back: readable names, every byte as it was, nothing but arrays."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as write_safetensors

Tree = Any
_INTEGERS = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))
_DTYPES = ("bool", *_INTEGERS, "float16", "float32", "float64")
_GATED = re.compile(r"(.*?)(?:hidden\.(\d+)\.)?both\.(\w+)")
_LAST = re.compile(r"(.*?)output\.(\w+)")


class CorruptCheckpointError(Exception):
    """What is stored is not what is needed: `file`, `tensor` (or None), `needed`, `got`."""

    def __init__(
        self, file: Path | str, tensor: str | None, needed: str, got: str, *, remedy: str | None = None
    ) -> None:
        """One line: where, what was needed, what was got, what to do."""
        self.file, self.tensor, self.needed, self.got = Path(file), tensor, needed, got
        where = f"{file}, tensor {tensor!r}" if tensor is not None else f"{file}"
        remedy = remedy or (
            "restore it from a copy or use another checkpoint"
            if tensor is None
            else "build the model with the configuration it was saved with"
        )
        super().__init__(f"{where}: needed {needed}, got {got}; {remedy}")


def named_arrays(tree: Tree) -> dict[str, Any]:
    """The array leaves of a tree by name: attributes, keys and positions joined by dots; other leaves are left out.

    Raises ValueError where two leaves share a name or a leaf is a typed random key.

    >>> sorted(named_arrays({"network": [np.zeros(2), "tanh", np.ones(3)]}))
    ['network.0', 'network.2']
    """
    named: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if not _is_array(leaf):
            continue
        name = _name(path)
        if name in named or name == "__metadata__":
            raise ValueError(f"two arrays, or one and a reserved word, are named {name!r}: rename a dictionary key")
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ValueError(f"{name} is a typed random key, which cannot be stored: use jax.random.key_data({name})")
        named[name] = leaf
    return named


def encode(tree: Tree) -> bytes:
    """The array leaves of `tree` as one safetensors document; the same arrays give the same bytes.

    Raises ValueError for dtypes other than bool, integers and float16/32/64, and as `named_arrays`.

    >>> decode(encode([np.arange(3)]), [np.zeros(3, np.int64)], file="x.safetensors")
    [array([0, 1, 2])]
    """
    return write_safetensors(stored_arrays(tree))


def stored_arrays(tree: Tree) -> dict[str, np.ndarray]:
    """The array leaves of a tree by name, as they are stored: little-endian, in C order. Raises as `encode`.

    >>> stored_arrays({"w": np.ones((2, 3)).T})["w"].flags.c_contiguous
    True
    """
    return {name: _host(name, leaf) for name, leaf in named_arrays(tree).items()}


def size(tree: Tree) -> int:
    """Bytes in the array leaves of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in named_arrays(tree).values())


def decode(data: bytes, template: Tree, *, file: Path | str) -> Tree:
    """`template` with its array leaves replaced by those stored in `data`, bit for bit; other leaves stay.

    Leaves may be JAX arrays, NumPy arrays or `jax.ShapeDtypeStruct`. Raises CorruptCheckpointError(file, tensor,
    needed, got) for bytes that are no safetensors document and for a missing, extra, wrongly shaped or wrongly
    typed tensor.
    """
    wanted = named_arrays(template)
    stored = _renewed(_parse(data, file), wanted)
    for name, leaf in wanted.items():
        needed = _describe(leaf)
        if name not in stored:
            raise CorruptCheckpointError(file, name, needed, "no such tensor")
        if _describe(stored[name]) != needed:
            raise CorruptCheckpointError(file, name, needed, _describe(stored[name]))
    extra = sorted(stored.keys() - wanted.keys())
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        got = f"{_describe(stored[extra[0]])}{more}"
        raise CorruptCheckpointError(file, extra[0], "no such tensor in the model asked for", got)
    paths, structure = jax.tree_util.tree_flatten_with_path(template)
    leaves = [_like(leaf, stored[_name(path)], _name(path)) if _is_array(leaf) else leaf for path, leaf in paths]
    return jax.tree_util.tree_unflatten(structure, leaves)


def _parse(data: bytes, file: Path | str) -> dict[str, np.ndarray]:
    try:
        return parse_safetensors(data)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        got = " ".join(str(error).split())[:200]
        raise CorruptCheckpointError(file, None, "a safetensors document", got) from error


def _renewed(stored: dict[str, np.ndarray], wanted: dict[str, Any]) -> dict[str, np.ndarray]:
    """What is stored, by the names that are wanted of what version 0.2 named otherwise, and all else as it is.

    A gated network had ``hidden.0.both`` and ``output``, where an `MLP` has ``layers.0`` and ``layers.1``; a feature
    encoding was a coding.
    """
    depths = Counter(match[1] for match in map(_GATED.fullmatch, stored) if match and match[3] == "weight")

    def today(name: str) -> str:
        gated, last = _GATED.fullmatch(name), _LAST.fullmatch(name)
        if gated:
            return f"{gated[1]}layers.{gated[2] or 0}.{gated[3]}"
        if last:
            return f"{last[1]}layers.{depths[last[1]]}.{last[2]}"
        return re.sub(r"(^|\.)coding\.", r"\1encoding.", name)

    found = {name: today(name) for name in stored.keys() - wanted.keys()}
    return {found[name] if found.get(name) in wanted else name: array for name, array in stored.items()}


def _is_array(leaf: object) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)


def _name(path: tuple[Any, ...]) -> str:
    # An entry is an attribute (name), a position (idx) or a dictionary key (key). A bare array has no path. What the
    # family of a likelihood has goes by the likelihood's name, in which it stood before likelihoods had families.
    parts = [str(getattr(entry, kind)) for entry in path for kind in ("name", "idx", "key") if hasattr(entry, kind)]
    return ".".join(part for part in parts if part != "family") or "value"


def _host(name: str, leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        raise ValueError(f"{name} is a shape without values: only arrays can be stored")
    if leaf.dtype.name not in _DTYPES:
        raise ValueError(f"{name} has dtype {leaf.dtype.name}, which cannot be stored: use one of {', '.join(_DTYPES)}")
    array = np.asarray(leaf)
    # safetensors writes the memory of a transposed view as it lies, silently wrong; ascontiguousarray corrects that,
    # but makes one axis of none.
    flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return flat.reshape(array.shape)


def _describe(leaf: Any) -> str:
    return f"{leaf.dtype.name}[{','.join(map(str, leaf.shape))}]"


def _like(leaf: Any, value: np.ndarray, name: str) -> Any:
    if isinstance(leaf, np.generic):
        return value[()]
    if isinstance(leaf, np.ndarray):
        return value.copy()  # the bytes parsed are read-only
    # A copy: on a CPU JAX may otherwise share NumPy's memory, which its owner may write to.
    array = jnp.array(value, copy=True) if _fits(value) else None
    if array is None:
        raise ValueError(f"{name} needs {_describe(leaf)}: switch double precision on with jax.enable_x64(True)")
    return array


def _fits(value: np.ndarray) -> bool:
    return jax.dtypes.canonicalize_dtype(value.dtype) == value.dtype
