"""The file of a model: written whole or not at all, and read only where every byte is right."""

import hashlib
import os
from pathlib import Path
from typing import Any

import equinox as eqx
from safetensors.numpy import save as write_safetensors

from iwax.model import LatentVariableModel
from iwax.model_files.description import Unreadable, arrays, build, describe, difference, owned
from iwax.model_files.earlier import renewed
from iwax.storage import durable, strict_json, tensors

__all__ = ["ModelFileError", "load", "save"]

FORMAT = "iwax model 1"
HEADER_LIMIT = 1 << 24  # bytes: a description holds no arrays
_UNSEALED = "0" * 64  # stands for the SHA-256 while it is taken


class ModelFileError(ValueError):
    """A file that is no model, or not the model asked for."""


def save(path: str | Path, model: Any) -> Path:
    """Write a model (any tree of parts, containers, arrays and plain values) to one file, and return its path.

    A crash at any moment leaves the old file or the new one, never half of one. The same model gives the same bytes,
    and `load` the same arrays, bit for bit. Parts that are not iwax's are named in the file, and need ``like=`` to be
    loaded. Raises ValueError for what cannot be stored: an array in a static field, a random key, a complex number;
    OSError(ENOSPC) where the disk is full.

    >>> import tempfile, jax; from iwax import nn; folder = tempfile.TemporaryDirectory()
    >>> path = save(Path(folder.name) / "net.safetensors", nn.MLP(3, (4,), 2, key=jax.random.key(0)))
    >>> load(path).layers[0].weight.shape
    (3, 4)
    >>> folder.cleanup()
    """
    path = Path(path)
    named, description = tensors.stored_arrays(model), describe(model)
    lost = sorted(set(arrays(description)) - set(named))
    if lost:
        raise ValueError(f"{lost[0]} is an array in a static field, which is no part of the tree: make it a field")
    # the digest first, so that no word of the model can be taken for its place
    text = strict_json.compact({"sha256": _UNSEALED, "format": FORMAT, "model": description})
    content = write_safetensors(named, metadata={"iwax": text})
    digest = hashlib.sha256(content).hexdigest()
    durable.replace(path, content.replace(_UNSEALED.encode(), digest.encode(), 1))
    return path


def load(path: str | Path, *, like: Any = None) -> Any:
    """Load the model of a file that `save` wrote, with the same arrays, bit for bit.

    ``like`` is needed if the model has parts that are not iwax's: a model of the same structure, or a function
    without arguments that makes one, such as the one that made the model before it was trained. It is compared with
    the file part by part, field by field, in names, shapes and types. Raises ModelFileError naming the file and the
    first difference; FileNotFoundError if there is no file.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder: iwax.open_run({str(path)!r}).model loads the model of a run")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: a file written by iwax.save was needed, there is none")
    try:
        return _load(path, like() if callable(like) and not isinstance(like, eqx.Module) else like)
    except (Unreadable, RecursionError) as error:
        raise ModelFileError(f"{path}: needed a model that iwax.save wrote; {error}") from error
    except tensors.CorruptCheckpointError as error:
        raise ModelFileError(f"{error.file}, {error.tensor}: needed {error.needed}, got {error.got}") from error


def _load(path: Path, like: Any) -> Any:
    with open(path, "rb") as file:
        head, sealed = _header(path, file)
        template = _template(path, renewed(sealed["model"]), like)
        needed, got = tensors.size(template), os.fstat(file.fileno()).st_size - len(head)
        if needed != got:
            raise ModelFileError(f"{path}: needed {needed} bytes of arrays, got {got}; restore it from a copy")
        body = file.read(needed)
    unsealed = head.replace(sealed["sha256"].encode(), _UNSEALED.encode(), 1)
    digest = hashlib.sha256(unsealed)
    digest.update(body)
    if digest.hexdigest() != sealed["sha256"]:
        raise ModelFileError(
            f"{path}: needed the SHA-256 {sealed['sha256']:.64}, got {digest.hexdigest()}: the file was changed or "
            "damaged; restore it from a copy"
        )
    model = tensors.decode(head + body, template, file=path)
    if isinstance(model, LatentVariableModel):
        _check(path, model)
    return model


def _header(path: Path, file: Any) -> tuple[bytes, dict[str, Any]]:
    """The bytes before the arrays, and what was sealed in them."""
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 0 < length <= HEADER_LIMIT:
        raise ModelFileError(f"{path}: needed a file that iwax.save wrote, got something else")
    text = file.read(length)
    try:
        metadata = strict_json.parse(text).get("__metadata__")
        inner = metadata["iwax"] if isinstance(metadata, dict) and set(metadata) == {"iwax"} else None
        if not isinstance(inner, str):
            raise ValueError("no description of a model in its metadata")
        sealed = strict_json.parse(inner.encode())
        if set(sealed) != {"format", "model", "sha256"} or not isinstance(sealed["sha256"], str):
            raise ValueError("another description")
        if sealed["format"] != FORMAT:
            raise ValueError(f"the format {sealed['format']!r:.40}, where this version of iwax reads {FORMAT!r}")
        if len(sealed["sha256"]) != len(_UNSEALED):
            raise ValueError("a digest that is none")
    except ValueError as error:
        got = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{path}: needed a file that iwax.save wrote, got {got}") from error
    return first + text, sealed


def _template(path: Path, stored: Any, like: Any) -> Any:
    """What the arrays are put into: the model given, if it is of the structure stored, or one of the description."""
    if like is not None:
        found = difference(stored, describe(like))
        if found is not None:
            place, saved, given = found
            raise ModelFileError(f"{path}: {place} was saved as {saved}, like= has {given}; give the model that it was")
        return like
    foreign = owned(stored)
    if foreign is not None:
        place, name = foreign
        raise ModelFileError(
            f"{path}: {place} is {name}, which is no part of iwax: give iwax.load(path, like=model), a model of the "
            "same parts, or the function that makes one"
        )
    return build(stored)


def _check(path: Path, model: LatentVariableModel) -> None:
    """Raise ModelFileError where the parts do not fit: a description may be true to its digest and still be none."""
    try:
        model.__check_init__()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        got = " ".join(str(error).split())[:300]
        raise ModelFileError(f"{path}: needed a model whose parts fit, got {got}") from error
