"""The folder of results: what they are results of, which blocks are whole, and what another call would not mix in.

    out/part-1.parquet ...           one file for each block, written whole or not at all
    out/manifest.json                verb, run and settings; in the end the files read and written, with their digests
    out/.blocks/NAME.json            of a block that is whole: what its values depend on, and its bytes and SHA-256
    out/.blocks/NAME.begun           how often a block was begun, until it is whole
    out/.blocks/files/NAME.json      what a first reading found of a file
    out/.blocks/shared.npz           what is estimated once for all blocks

Workers share nothing but this folder and the files that they read.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iwax import writable
from iwax.blocks.inputs import digest
from iwax.blocks.plan import Part
from iwax.storage import durable, lock, strict_json

__all__ = ["Folder"]

_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial")  # of storage.durable


class Folder:
    """A folder of results at a path."""

    def __init__(self, path: Path) -> None:
        self.path, self.manifest = path, path / "manifest.json"
        self.own, self.files = path / ".blocks", path / ".blocks" / "files"
        self.shared = self.own / "shared.npz"

    def check(self, settings: Mapping[str, Any], *, force: bool) -> None:
        """Refuse a folder before any work, unless it is new, empty, or has results of this run with these settings.

        Raises FileExistsError where it has others, unless they may be removed by ``force``, or holds anything else;
        NotADirectoryError for a file, and an OSError where it cannot be written.
        """
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise NotADirectoryError(f"-o {self.path}: a folder was needed, for a file of each block; got a file")
        writable.check(self.manifest, what="output")
        if self.manifest.is_file():
            found = _parsed(self.manifest)
            others = {name: (found.get(name), value) for name, value in settings.items() if found.get(name) != value}
            if others and not force:
                raise FileExistsError(
                    f"-o {self.path}: holds other results, {_difference(others)}; name another folder, or begin anew "
                    "with --force"
                )
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise FileExistsError(f"-o {self.path}: a new or an empty folder was needed, this one holds other files")

    @contextmanager
    def taken(self, settings: Mapping[str, Any], *, force: bool) -> Iterator[None]:
        """Hold the folder alone, begun anew with ``force``. BlockingIOError names the process that holds it."""
        self.files.mkdir(parents=True, exist_ok=True)
        with lock.held(self.own / "lock", what="output folder"):
            if force:
                self._clear()
            for path in self.own.glob("*.begun"):
                path.unlink()
            durable.replace(self.manifest, strict_json.canonical(dict(settings)))
            self.sweep()
            yield

    def sweep(self) -> None:
        """Remove what a process that was killed had not written to the end."""
        for folder in (self.path, self.own, self.files):
            for path in folder.iterdir():
                if _PARTIAL.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def refuse_others(self, parts: Sequence[Part]) -> None:
        """Raise FileExistsError where results of other files lie here."""
        wanted = {part.output for part in parts}
        others = sorted(set(self._outputs()) - wanted)
        if others:
            raise FileExistsError(
                f"-o {self.path}: holds results of files that are not among those given, {', '.join(others[:3])}"
                f"{f' and {len(others) - 3} more' if len(others) > 3 else ''}; name another folder, or begin anew with "
                "--force"
            )

    def whole(self, part: Part) -> dict[str, Any] | None:
        """What was said of a block whose results are whole, every byte of them; None where they are to be made."""
        record, output = self.own / f"{part.output}.json", self.path / part.output
        if not (record.is_file() and output.is_file()):
            return None
        found = _parsed(record)
        if found.get("part") != part.record or found.get("size") != output.stat().st_size:
            return None
        return found["said"] if found["sha256"] == digest(output)[1] else None

    def add(self, part: Part, said: Mapping[str, Any]) -> None:
        """Record that the results of a block are whole."""
        size, sha256 = digest(self.path / part.output)
        record = {"part": part.record, "size": size, "sha256": sha256, "said": dict(said)}
        durable.replace(self.own / f"{part.output}.json", strict_json.canonical(record))
        (self.own / f"{part.output}.begun").unlink(missing_ok=True)

    def begun(self, part: Part) -> int:
        """Note that a block is begun, and return how often it was begun before without an end."""
        path = self.own / f"{part.output}.begun"
        before = int(path.read_text() or 0) if path.is_file() else 0
        durable.replace(path, str(before + 1).encode())
        return before

    def seen(self, name: str) -> dict[str, Any] | None:
        """What a first reading found of a file, where it is known."""
        record = self.files / f"{name}.json"
        return _parsed(record) if record.is_file() else None

    def add_seen(self, name: str, found: Mapping[str, Any]) -> None:
        """Record what a first reading found of a file."""
        durable.replace(self.files / f"{name}.json", strict_json.canonical(dict(found)))

    def finish(self, settings: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]], parts: Sequence[Part]) -> None:
        """Write into the manifest what was read and what was written."""
        written = []
        for part in parts:
            found = _parsed(self.own / f"{part.output}.json")
            written.append({"file": part.output, "rows": part.rows, "sha256": found["sha256"], "of": part.file})
        whole = {**settings, "inputs": list(inputs), "outputs": written}
        durable.replace(self.manifest, strict_json.canonical(whole | {"rows": sum(part.rows for part in parts)}))
        self.sweep()

    def _outputs(self) -> list[str]:
        return [path.name.removesuffix(".json") for path in self.own.glob("*.json")]

    def _clear(self) -> None:
        """Remove what was written here, and nothing else."""
        for name in self._outputs():
            (self.path / name).unlink(missing_ok=True)
            (self.own / f"{name}.json").unlink()
        for path in [*self.files.glob("*.json"), self.shared]:
            path.unlink(missing_ok=True)


def _parsed(path: Path) -> dict[str, Any]:
    """What a record holds; nothing, which no block is, where it is damaged."""
    try:
        return strict_json.parse(path.read_bytes())
    except ValueError:
        return {}


def _difference(others: Mapping[str, tuple[Any, Any]]) -> str:
    """What differs, in words: of settings, each by its name."""
    told = []
    for name, (there, now) in others.items():
        if isinstance(there, dict) and isinstance(now, dict):
            told += [
                f"{key} {there.get(key)} there and {now.get(key)} now" for key in now if there.get(key) != now[key]
            ]
        else:
            told.append(f"{name} {str(there)[:16]} there and {str(now)[:16]} now")
    return ", ".join(told)
