"""What is fuzzed: ways in for bytes that somebody else made. Each is a function of a file's bytes and a scratch folder.

A target takes the bytes or refuses them: by ValueError or CorruptCheckpointError, by a raise statement of iwax, in
one line of words. Everything else is a fault (`enter` raises AssertionError): an error of Python or of a library that
came through, or one of another kind. Digests are made true on the way, so that what lies behind them is reached.
"""

import ast
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import iwax
from iwax import data, runs
from iwax.runs import sources, verify
from iwax.storage import checkpoint, manifest, strict_json
from iwax.storage.sealed import Sealed

__all__ = ["TARGETS", "enter"]

REFUSALS = (ValueError, checkpoint.CorruptCheckpointError)
SOURCE = str(Path(iwax.__file__).parent)
MODEL = {"w": np.zeros(4, np.float32), "b": np.zeros((), np.int64)}
FILES = ("model.safetensors", "state.json", "manifest.json")
CONFIG = b"{}\n"
UNSEALED = b"0" * 64  # stands in a model file of the corpus for the digest, as `iwax.save` takes it


def _data(name: str) -> Callable[[bytes, Path], Any]:
    """The reader of data files with this ending."""

    def read(contents: bytes, folder: Path) -> Any:
        path = folder / name
        path.write_bytes(contents)
        return data.load(str(path))

    return read


def _run_folder(folder: Path, **files: bytes) -> Path:
    run = folder / "run"
    run.mkdir(exist_ok=True)
    for name, contents in files.items():
        (run / f"{name}.json").write_bytes(contents)
    return run


def _config_json(contents: bytes, folder: Path) -> Any:
    """config.json as a run folder has it, without a seal, and as `iwax train -c` takes it."""
    run = _run_folder(folder, config=contents)
    try:
        sources.stored(run).warnings()
    finally:
        runs.from_sources(file=run / "config.json").warnings()


def _seal(contents: bytes, folder: Path) -> Any:
    """The seal of a run folder, its own digest made true where it is JSON."""
    try:
        content = {**strict_json.parse(contents), "sha256": ""}
        del content["sha256"]
        digest = hashlib.sha256(strict_json.canonical(content)).hexdigest()
        contents = strict_json.canonical(content | {"sha256": digest})
    except ValueError:
        pass
    run = _run_folder(folder, seal=contents, config=CONFIG)
    verify.verify(run)
    return Sealed(run).read("config.json")


def _config_toml(contents: bytes, folder: Path) -> Any:
    """Settings in TOML."""
    path = folder / "config.toml"
    path.write_bytes(contents)
    return runs.from_sources(file=path).warnings()


def _checkpoint(contents: bytes, folder: Path) -> Any:
    """A checkpoint, one file of which is replaced: the first byte says which, and the manifest is true of it."""
    path = checkpoint.save(folder / "checkpoints", 1, model=MODEL, train={}, state={"validation": -1.5})
    name, changed = FILES[contents[0] % len(FILES)] if contents else FILES[0], contents[1:]
    (path / name).write_bytes(changed)
    if name != "manifest.json":
        files = {each: (path / each).read_bytes() for each in ("model.safetensors", "state.json", "train.safetensors")}
        (path / "manifest.json").write_bytes(manifest.seal(1, files))
    checkpoint.search(folder / "checkpoints", order="best")
    return checkpoint.load(path, model=MODEL, train={})


def _model(contents: bytes, folder: Path) -> Any:
    """A file of `iwax.save`, whose digest is made true where it has the place for one."""
    path = folder / "model.safetensors"
    digest = hashlib.sha256(contents).hexdigest().encode()
    path.write_bytes(contents.replace(UNSEALED, digest, 1))
    return iwax.load(path)


TARGETS: dict[str, Callable[[bytes, Path], Any]] = {
    "checkpoint": _checkpoint,
    "config_json": _config_json,
    "config_toml": _config_toml,
    "csv": _data("table.csv"),
    "model": _model,
    "npy": _data("rows.npy"),
    "npz": _data("rows.npz"),
    "parquet": _data("table.parquet"),
    "pictures": _data("pictures.zip"),
    "seal": _seal,
}


def enter(target: str, contents: bytes, folder: Path) -> bool:
    """Whether the target took the bytes; False where it refused them as it should. AssertionError for a fault."""
    try:
        TARGETS[target](contents, folder)
    except REFUSALS as error:
        _check(error)
        return False
    return True


def _check(error: BaseException) -> None:
    """That a refusal is one of ours: raised by a line of ours, in one line."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = (at.tb_frame.f_code.co_filename, at.tb_lineno) if at else ("", 0)
    if not any(where[1] in lines for lines in _raises(where[0])):
        raise AssertionError(f"{type(error).__name__} came through at {where[0]}:{where[1]}: {error}") from error
    if "\n" in str(error) or not str(error):
        raise AssertionError(f"needed one line of words; got {str(error)!r}") from error


@functools.cache
def _raises(file: str) -> tuple[range, ...]:
    """The lines of the raise statements of a file of iwax; none of other files, whose errors have come through."""
    if not file.startswith(SOURCE):
        return ()
    nodes = ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
    return tuple(range(node.lineno, (node.end_lineno or 0) + 1) for node in nodes if isinstance(node, ast.Raise))
