"""Training: the only place with a loss."""

from iwax import former_names
from iwax.data.bits import epoch_order as permutation
from iwax.training import saved_state, schedules
from iwax.training.fault import NumericalStop
from iwax.training.fit import Result, fit
from iwax.training.loop import Observer, Progress, train
from iwax.training.objective import Objective, draws_per_chunk, initial_control, piece_of, rows_per_piece
from iwax.training.state import Plan, State, Tally, initial_state, steps_per_epoch
from iwax.training.step import compile_segment, updates

__all__ = [
    "NumericalStop",
    "Objective",
    "Observer",
    "Plan",
    "Progress",
    "Result",
    "State",
    "Tally",
    "compile_segment",
    "draws_per_chunk",
    "fit",
    "initial_control",
    "initial_state",
    "permutation",
    "piece_of",
    "rows_per_piece",
    "saved_state",
    "schedules",
    "steps_per_epoch",
    "train",
    "updates",
]

__getattr__ = former_names.of(__name__)
