"""The measurements in the evaluation/ folder of a run: a summary, and values per row of the data."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iwax.formats.npy import read_npz
from iwax.printed import printed
from iwax.storage import strict_json
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import Sealed

__all__ = ["Measurement", "parse", "read", "summaries", "write"]

ROW, REST = 4096, 1 << 20  # bytes of the values of a row, and of all else in their file, at most
_TYPES = {"a number": (int, float), "a whole number": (int,), "a text": (str,), "null": (type(None),)}
_NAMES = {  # what is needed, under which names
    "a number or null": (
        *("log_evidence", "standard_error", "elbo", "elbo_standard_error", "monte_carlo_error", "bits_per_dim"),
        *("ess_median", "pareto_k_over_0_7", "missing", "seconds"),
    ),
    "a whole number": ("n", "seed", "evaluation_seed"),
    "a whole number or null": ("k",),
    "a text": ("method", "dataset", "checkpoint", "origin"),
    "a text or null": ("split", "preset", "name", "start", "data_sha256", "precision", "training_products"),
    "a list of texts": ("warnings",),
    "a list of whole numbers": ("shape",),
    "a list of whole numbers or null": ("active_units", "units"),
}
_NEEDED = {name: needed for needed, names in _NAMES.items() for name in names}


@printed()
@dataclass(frozen=True)
class Measurement:
    """A stored measurement: its summary, and its values per row of the data, [n] for every column, from a file."""

    file: Path
    summary: dict[str, Any]
    columns: dict[str, np.ndarray]


def write(folder: Sealed, name: str, summary: Mapping[str, Any], columns: Mapping[str, np.ndarray]) -> None:
    """Store a measurement, each file whole or not at all; the same measurement again replaces it."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **columns)
    about = strict_json.canonical(strict_json.finite(dict(summary)))
    folder.write({f"evaluation/{name}.npz": stream.getvalue(), f"evaluation/{name}.json": about})


def summaries(folder: Sealed, needed: Sequence[str], *, prefix: str = "") -> list[tuple[Path, dict[str, Any]]]:
    """Summaries whose name begins so, oldest first, each with all keys ``needed``.

    Raises CorruptCheckpointError naming a file that is none, or is not as it was sealed.
    """
    names = [name for name in folder.files.names("evaluation") if name.startswith(prefix) and name.endswith(".json")]
    times = {name: folder.files.stat(f"evaluation/{name}") for name in names}
    there = sorted((status.st_mtime, name) for name, status in times.items() if status is not None)
    return [(folder.path / "evaluation" / name, _summary(folder, name, needed)) for _, name in there]


def _summary(folder: Sealed, name: str, needed: Sequence[str]) -> dict[str, Any]:
    path = folder.path / "evaluation" / name
    summary = parse(folder.read(f"evaluation/{name}"), path=path)
    missing = [key for key in needed if key not in summary]
    if missing:
        raise CorruptCheckpointError(path, None, "the summary of a measurement", f"one without {', '.join(missing)}")
    if "n" in needed and (type(summary["n"]) is not int or summary["n"] < 0):
        raise CorruptCheckpointError(path, None, "a whole number of rows as n", f"{summary['n']!r:.100}")
    return summary


def parse(data: bytes, *, path: Path) -> dict[str, Any]:
    """The summary in the bytes of a file. CorruptCheckpointError names file and line of what is wrong.

    >>> parse(b'{"n": 3}', path=Path("a.json"))
    {'n': 3}
    """
    try:
        summary = strict_json.parse(data)
    except ValueError as error:
        raise CorruptCheckpointError(path, None, "the summary of a measurement", str(error)) from error
    counts = summary.get("method", "importance") == "importance"  # units, as no other method does
    for name, value in summary.items():
        needed = _NEEDED.get(name)
        if counts and needed and needed == _NEEDED["units"]:
            needed = needed.removesuffix(" or null")
        if needed and not any(_is(value, each) for each in needed.split(" or ")):
            place = f"{path}:{_line(data, name)}"
            raise CorruptCheckpointError(place, None, f"{needed} under {name!r}", f"{value!r:.60}")
    return summary


def _line(data: bytes, name: str) -> int:
    """The number of the line, from 1, on which a key of the outermost object stands."""
    lines = data.decode().splitlines()
    return next((i for i, line in enumerate(lines, start=1) if line.startswith(f'  "{name}":')), 1)


def _is(value: object, needed: str) -> bool:
    if needed.startswith("a list of "):
        return isinstance(value, list) and all(_is(each, f"a {needed[10:-1]}") for each in value)
    return type(value) in _TYPES[needed]


def read(folder: Sealed, path: Path, summary: dict[str, Any], columns: Sequence[str]) -> Measurement:
    """The measurement whose summary is at ``path``, with values per row, [n] for every one of the ``columns``.

    Their sizes are compared with the summary's n and with the bytes that are there before anything is decoded. Raises
    CorruptCheckpointError where they cannot be read or are of another number of rows.
    """
    file, limit = path.with_suffix(".npz"), ROW * summary["n"] + REST
    try:
        packed = folder.read(f"evaluation/{file.name}", limit=limit)
        _refuse_packing(packed)
        found = read_npz(packed, name=path.stem)
        wrong = [name for name in columns if found[name].shape != (summary["n"],)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptCheckpointError(file, None, "the values per row of a measurement", str(error)) from error
    odd = next((name for name in columns if found[name].dtype.kind not in "fiu"), None)
    if odd is not None:
        raise CorruptCheckpointError(file, odd, "a number per row", f"{found[odd].dtype}")
    if wrong:
        needed = f"{summary['n']} values per column, as {path.name} says"
        raise CorruptCheckpointError(file, None, needed, f"shape {found[wrong[0]].shape} of {wrong[0]}")
    return Measurement(file, summary, found)


def _refuse_packing(data: bytes) -> None:
    """A measurement is stored as it is: what claims more bytes than its file has was not made by iwax."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        declared = sum(member.file_size for member in archive.infolist())
    if declared > len(data):
        raise ValueError(f"arrays stored as they are were needed, got {declared} bytes packed into {len(data)}")
