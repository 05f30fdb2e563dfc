"""Where every block stands in the whole table, from what a first reading found of each file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from iwax.data.tables import Span
from iwax.inference.place import Place

__all__ = ["Part", "Seen", "SeenFile", "observed_sets", "parts_of"]

_LARGEST = 2**31 - 1  # of row numbers, which key noise
_SETS = 50_000  # sets of cells whose moments fit into memory


@dataclass(frozen=True)
class Seen:
    """What a first reading found of a block: its rows, how many of each group, whether a value of any is missing.

    ``sets`` are the sets of cells that are not missing in a row, as the hexadecimal digits of their bits.
    """

    span: Span | None
    output: str
    rows: int
    groups: Mapping[str, int]
    missing: Mapping[str, bool]
    cells: int
    sets: Sequence[str]
    features: int


@dataclass(frozen=True)
class Part:
    """A block, what is written of it, and its places in the table, group by group: all that its values depend on.

    ``bytes`` is the size of its file, and ``sets`` the digest of the sets of cells among which its rows are compared.
    """

    file: str
    bytes: int
    sha256: str
    span: Span | None
    output: str
    rows: int
    places: Mapping[str, Place]
    sets: str

    @property
    def record(self) -> dict[str, Any]:
        """It as plain values."""
        return asdict(self) | {"span": None if self.span is None else list(self.span)}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Part":
        """The part of a record."""
        places = {name: Place(**place) for name, place in record["places"].items()}
        span = None if record["span"] is None else (record["span"][0], record["span"][1])
        return cls(**{**record, "span": span, "places": places})


@dataclass(frozen=True)
class SeenFile:
    """What a first reading found of a file."""

    file: str
    bytes: int
    sha256: str
    blocks: Sequence[Seen]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "SeenFile":
        """The file of a record."""
        blocks = [Seen(**{**each, "span": each["span"] and tuple(each["span"])}) for each in record["blocks"]]
        return cls(record["file"], record["bytes"], record["sha256"], blocks)


def parts_of(files: Sequence[SeenFile], batches: Mapping[str, int]) -> list[Part]:
    """The parts of a table of files, whose rows are numbered file by file.

    A place holds how many rows of its group come before only as far as they matter: the row's place in a batch.
    Raises ValueError where there is no row, or there are too many to number.
    """
    blocks, sets = [block for file in files for block in file.blocks], observed_sets(files)
    if not blocks:
        raise ValueError(f"needed at least one row, got none in {len(files):,} files")
    if (rows := sum(block.rows for block in blocks)) > _LARGEST:
        raise ValueError(f"needed at most {_LARGEST:,} rows, as many as have numbers of their own; got {rows:,}")
    totals = {name: sum(block.groups[name] for block in blocks) for name in batches}
    sizes = {name: max(1, min(size, totals[name])) for name, size in batches.items()}
    missing = {name: any(block.missing[name] for block in blocks) for name in batches}
    own = "" if sets is None else hashlib.sha256(np.packbits(sets).tobytes()).hexdigest()
    parts, first, before = [], 0, dict.fromkeys(batches, 0)
    for file in files:
        for block in file.blocks:
            places = {name: Place(first, before[name] % sizes[name], sizes[name], missing[name]) for name in batches}
            of_file = (file.file, file.bytes, file.sha256)
            parts.append(Part(*of_file, block.span, block.output, block.rows, places, own))
            first += block.rows
            before = {name: before[name] + block.groups[name] for name in batches}
    return parts


def observed_sets(files: Sequence[SeenFile]) -> np.ndarray | None:
    """The sets of cells [P, D] that are not missing in any row, sorted; None where no task asks for them.

    Raises ValueError where they are too many for their moments to be held.
    """
    blocks = [block for file in files for block in file.blocks]
    digits = sorted({text for block in blocks for text in block.sets})
    if len(digits) > _SETS:
        raise ValueError(
            f"rows with at most {_SETS:,} different sets of missing cells can be compared, got {len(digits):,}; fill "
            "the cells first with iwax impute, or score fewer files at once"
        )
    if not digits:
        return None
    packed = np.array([np.frombuffer(bytes.fromhex(text), np.uint8) for text in digits])
    return np.unique(np.unpackbits(packed, axis=1, count=blocks[0].features).astype(bool), axis=0)
