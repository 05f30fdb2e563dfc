"""What all blocks of a table share: estimated once, and read by every worker."""

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from iwax.evaluation import MarginalMoments
from iwax.model import LatentVariableModel
from iwax.storage import durable

__all__ = ["Shared"]

_KNOWN = "known"


@dataclass(frozen=True)
class Shared:
    """The moments of sets of cells, the scores of typical rows, and a background model; None what is not needed."""

    moments: MarginalMoments | None = None
    known: np.ndarray | None = None
    background: LatentVariableModel | None = None

    def write(self, path: Path) -> None:
        """Write the numbers whole or not at all."""
        arrays = {} if self.known is None else {_KNOWN: self.known}
        if self.moments is not None:
            arrays |= {each.name: np.asarray(vars(self.moments)[each.name]) for each in fields(MarginalMoments)}
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        durable.replace(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Shared":
        """Read what was written."""
        with np.load(path, allow_pickle=False) as found:
            known = found.get(_KNOWN)
            if "sets" not in found:
                return cls(None, known)
            parts = {each.name: found[each.name] for each in fields(MarginalMoments)}
        counts = {name: int(parts.pop(name)) for name in ("rows", "k")}
        return cls(MarginalMoments(**counts, **parts), known)
