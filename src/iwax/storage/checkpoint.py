"""Checkpoints: one folder per step, which is there whole or not at all, and is read only if every byte is right.

    step-<n>/model.safetensors  train.safetensors  state.json  manifest.json

The manifest holds size and SHA-256 of the other three and is written last. Everything is written under a hidden
sibling name, fsynced, and renamed, so that a crash at any moment leaves the earlier checkpoints as they were.
The same content gives the same bytes. Nothing here is ever unpickled.
"""

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from iwax.storage import durable, manifest, strict_json, tensors
from iwax.storage.enclosed import Enclosed, partial_name
from iwax.storage.tensors import CorruptCheckpointError, Tree

_STEP = re.compile(r"step-(0|[1-9][0-9]{0,17})")
_PARTIAL = re.compile(r"\.step-[0-9]+\.[0-9a-f]+\.partial")


class SearchResult(NamedTuple):
    """The checkpoint looked for, or None, and why each better candidate was passed over."""

    path: Path | None
    skipped: tuple[CorruptCheckpointError, ...]


def save(folder: Path, step: int, *, model: Tree, train: Tree, state: Mapping[str, object]) -> Path:
    """Write `folder`/step-<step> and return its path: once this returns, a crash cannot take it away.

    `model` and `train` are any trees (their arrays are stored); `state` holds plain scalars, to which `step` is
    added, NaN and infinities stored as null. A checkpoint of that step with the same content is left as it is;
    with other content FileExistsError is raised; one that does not verify is moved to `step-<n>.damaged-<i>`.
    OSError(ENOSPC) when the disk is full, with nothing lost and nothing left behind.

    >>> import tempfile, numpy as np; runs = tempfile.TemporaryDirectory(); folder = Path(runs.name)
    >>> path = save(folder, 7, model={"w": np.ones(2)}, train={}, state={"validation": -89.5})
    >>> load(path, model={"w": np.zeros(2)}, train={})
    ({'w': array([1., 1.])}, {}, {'step': 7, 'validation': -89.5})
    >>> steps(folder), best(folder) == latest(folder) == path
    ([7], True)
    >>> runs.cleanup()
    """
    contents, files, target = _contents(step, model, train, state), _files(folder), f"step-{step}"
    if files.kind(target) and _settled(folder / target, contents["manifest.json"]):
        return folder / target
    partial = partial_name(target)
    with durable.disk_full(folder / target, sum(map(len, contents.values()))):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.make(partial)
            for name, data in contents.items():
                files.create(f"{partial}/{name}", data)
            files.sync(partial)
            _set_aside(files, target)
            files.rename(partial, target)
        except BaseException:
            files.remove(partial)
            raise
        files.sync()
    return folder / target


def load(path: Path, *, model: Tree, train: Tree | None) -> tuple[Tree, Tree | None, dict[str, Any]]:
    """(model, train, state) of one checkpoint, with the structure of the templates given, bit for bit.

    Every SHA-256 is checked before anything is parsed. `train=None` leaves the training state out, unread. Raises
    CorruptCheckpointError naming file and tensor; FileNotFoundError where there is no checkpoint.
    """
    sealed = manifest.read(path)
    state = manifest.state(path, sealed)
    loaded = [
        None if template is None else _tree(path, sealed, name, template)
        for name, template in (("model.safetensors", model), ("train.safetensors", train))
    ]
    return loaded[0], loaded[1], state


def verify(path: Path) -> dict[str, Any]:
    """The state of a checkpoint, every file of which has the size and SHA-256 of its manifest; tensors stay unread.

    Raises CorruptCheckpointError naming the first file that has not, FileNotFoundError where there is no checkpoint.
    """
    sealed = manifest.read(path)
    for name in sealed["files"]:
        manifest.check(path, sealed, name)
    return manifest.state(path, sealed)


def steps(folder: Path) -> list[int]:
    """Steps of the complete checkpoints (those with a manifest), ascending; their bytes are not read."""
    return [step for step, _ in _complete(folder)]


def is_name(name: str) -> bool:
    """Whether a folder of this name is a checkpoint.

    >>> is_name("step-7"), is_name("step-7.damaged-1")
    (True, False)
    """
    return _STEP.fullmatch(name) is not None


def search(folder: Path, *, order: Literal["newest", "best"] = "newest") -> SearchResult:
    """The first checkpoint that verifies, from the newest down or from the best down, and what was passed over.

    Best means the greatest finite `state["validation"]`, the earliest on ties; checkpoints without one do not take
    part. Whoever must not fall back silently raises `skipped[0]`.
    """
    skipped: list[CorruptCheckpointError] = []
    candidates = [path for _, path in reversed(_numbered(folder))]
    if order == "best":
        candidates = _by_validation(candidates, skipped)
    for path in candidates:
        try:
            verify(path)
        except CorruptCheckpointError as error:
            skipped.append(error)
        else:
            return SearchResult(path, tuple(skipped))
    return SearchResult(None, tuple(skipped))


def latest(folder: Path) -> Path | None:
    """The newest checkpoint that verifies, or None."""
    return search(folder).path


def best(folder: Path) -> Path | None:
    """The checkpoint with the greatest finite `state["validation"]` among those that verify, or None."""
    return search(folder, order="best").path


def prune(folder: Path, keep: int = 3, *, protect: Collection[int] = ()) -> list[int]:
    """Remove all but the newest `keep`, the best and the steps in `protect`; returns the steps removed.

    Nothing is removed unless the newest verifies, and damaged ones are left for their owner to look at.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1, got {keep}")
    numbered = _complete(folder)
    if len(numbered) <= keep or search(folder).path != numbered[-1][1]:
        return []
    damaged: list[CorruptCheckpointError] = []
    ranked = _by_validation([path for _, path in numbered], damaged)
    spared = {error.file.parent for error in damaged} | set(ranked[:1])
    removed, files = [], _files(folder)
    for step, path in numbered[:-keep]:
        if path not in spared and step not in protect:
            # Renamed first: a crash while deleting must not leave half a checkpoint under a checkpoint's name.
            partial = partial_name(path.name)
            files.rename(path.name, partial)
            files.remove(partial)
            removed.append(step)
    return removed


def sweep(folder: Path) -> list[Path]:
    """Remove what saves cut short have left; call it when a run starts, holding the run folder alone."""
    files = _files(folder)
    left = [name for name in files.names() if _PARTIAL.fullmatch(name)]
    for name in left:
        files.remove(name)
    return [folder / name for name in left]


def _files(folder: Path) -> Enclosed:
    return Enclosed(folder, named=False)


def _tree(path: Path, sealed: dict[str, Any], name: str, template: Tree) -> Tree:
    # A file that claims terabytes must not be read into memory to find that it is not the model asked for.
    limit = max(1 << 26, 8 * tensors.size(template))
    return tensors.decode(manifest.content(path, sealed, name, limit=limit), template, file=path / name)


def _contents(step: int, model: Tree, train: Tree, state: Mapping[str, object]) -> dict[str, bytes]:
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 10**18:
        raise ValueError(f"step must be a whole number from 0, got {step!r}")
    if state.get("step", step) != step:
        raise ValueError(f"state['step'] must be the step of the checkpoint, {step}, got {state['step']!r}")
    contents = {
        "model.safetensors": tensors.encode(model),
        "train.safetensors": tensors.encode(train),
        "state.json": strict_json.canonical(strict_json.scalars({**state, "step": step})),
    }
    if len(contents["state.json"]) > manifest.JSON_LIMIT:
        raise ValueError(f"state must take at most {manifest.JSON_LIMIT} bytes of JSON: keep arrays in model or train")
    return {**contents, "manifest.json": manifest.seal(step, contents)}


def _settled(target: Path, sealed: bytes) -> bool:
    """True where `target` holds this very content, False where it does not verify; FileExistsError between."""
    try:
        verify(target)
    except CorruptCheckpointError:
        return False
    if _files(target).read("manifest.json") == sealed:
        return True
    raise FileExistsError(f"{target} already holds another checkpoint of this step: use another run folder or move it")


def _set_aside(files: Enclosed, target: str) -> None:
    # Reached only where `target` does not verify. It stays: what is damaged may be all that there is.
    if files.kind(target):
        index = 1
        while files.kind(aside := f"{target}.damaged-{index}"):
            index += 1
        files.rename(target, aside)


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    matches = ((_STEP.fullmatch(name), folder / name) for name in _files(folder).names())
    return sorted((int(match[1]), path) for match, path in matches if match)


def _complete(folder: Path) -> list[tuple[int, Path]]:
    files = _files(folder)
    return [
        (step, path)
        for step, path in _numbered(folder)
        if files.kind(path.name) == "folder" and files.kind(f"{path.name}/manifest.json") == "file"
    ]


def _by_validation(paths: list[Path], skipped: list[CorruptCheckpointError]) -> list[Path]:
    ranked = []
    for path in paths:
        try:
            state = manifest.state(path, manifest.read(path))
        except CorruptCheckpointError as error:
            skipped.append(error)
            continue
        value = state.get("validation")
        if isinstance(value, int | float) and math.isfinite(value):
            ranked.append((-value, state["step"], path))
    return [path for _, _, path in sorted(ranked)]
