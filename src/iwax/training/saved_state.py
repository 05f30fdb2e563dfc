"""A training state as a checkpoint, and the newest one of a folder: what runs and `fit` resume from."""

from pathlib import Path
from typing import NamedTuple

import equinox as eqx

from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.training.finite import check_finite
from iwax.training.state import State

__all__ = ["Resumed", "load_state", "save_state"]


class Resumed(NamedTuple):
    """A state read back: the state, the validation bound taken at its very step (or None), what was passed over."""

    state: State
    validation: float | None
    skipped: tuple[CorruptCheckpointError, ...]


def save_state(folder: Path, state: State, *, validation: float | None = None, keep: int = 3) -> Path:
    """Write the checkpoint of a state's step, unless it is there, and remove all but the newest ``keep`` and the best.

    ``validation`` is the bound on validation data at this very step. Raises as `checkpoint.save`.
    """
    known = {} if validation is None else {"validation": validation}
    path = checkpoint.save(folder, int(state.step), model=state.model, train=_without_model(state), state=known)
    checkpoint.prune(folder, keep, protect=(int(state.best_step),))
    return path


def load_state(folder: Path, template: State) -> Resumed | None:
    """The state of the newest checkpoint that verifies, of the template's structure; None where none was saved.

    Raises CorruptCheckpointError where there are checkpoints and all of them are damaged, or the model is not finite.
    """
    found = checkpoint.search(folder)
    if found.path is None:
        if found.skipped:
            raise found.skipped[0]
        return None
    model, rest, known = checkpoint.load(found.path, model=template.model, train=_without_model(template))
    check_finite(model, template.model, file=found.path / "model.safetensors")
    state = eqx.tree_at(lambda s: s.model, rest, model, is_leaf=lambda leaf: leaf is None)
    return Resumed(state, known.get("validation"), found.skipped)


def _without_model(state: State) -> State:
    return eqx.tree_at(lambda s: s.model, state, None)
