"""Train and resume: from a configuration to a run folder, and from a run folder to its end."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import equinox as eqx
import jax

from iwax import data
from iwax.bfloat16 import no_units
from iwax.runs import initial, run_data
from iwax.runs.environment import Environment, environment, placed, versions
from iwax.runs.folder import claimed, held, write_down
from iwax.runs.interrupt import Interrupted, Signals, watch
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.runs.session import Session
from iwax.runs.stored_model import load_model
from iwax.runs.work import Work, prepare
from iwax.settings import fits, naming
from iwax.settings.config import Config
from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import METRICS, TIMING, Sealed
from iwax.training import Progress, State, saved_state
from iwax.training.finite import NotFiniteError

__all__ = ["follow", "resume", "train"]

LEFT_OUT_SHOWN = 20

Stop = Callable[[], bool]


def train(config: Config, output: Path | None = None, *, reporter: Reporter, stop: Stop | None = None) -> Run:
    """Train a model in a new run folder, exactly `output` or a fresh one below runs/, and return the run.

    Of several processes that train together (`processes.joined`) the first one does, while the others `follow`.

    Everything that can be wrong with settings, data or folder is found before the first step. `stop` is called
    after every compiled segment of at most two seconds; if it returns True the run ends as if finished, and can be
    resumed. Raises ValueError or OSError for what is wrong, NumericalStop if the loss or a gradient is not finite (its
    last finite state is saved, and the error's `run` is the folder), Interrupted after SIGINT or SIGTERM (with a
    checkpoint written).
    """
    fits.check(config)
    with (
        claimed(output, name=naming.folder_name(config), data=config.data.name, seed=config.seed) as folder,
        placed(device=config.device, precision=config.precision),
    ):
        work = prepare(config, config.data.load())
        source = initial.source(config)
        state = _first_state(work, source)
        _write_down(folder, work, source, reporter)
        run = Run(folder.path, dataset=work.dataset)
        _go(run, work, state, reporter=reporter, stop=stop)
    return run


def resume(run: str | Path, *, data_path: Path | None = None, reporter: Reporter, stop: Stop | None = None) -> Run:
    """Continue a run from its newest sound checkpoint: bit for bit what a run never stopped would have given.

    Its data are those of ``data_path``, or looked for as `open_run` does. Raises as `train`, FileNotFoundError where
    they are nowhere, and ValueError where they are no longer those that the run began with.
    """
    opened = Run(run, data_path=data_path)
    folder, config = opened.folder, opened.config
    with held(folder), opened.placed():
        work = prepare(config, opened.dataset())
        _say_versions(opened.environment, reporter)
        folder.sweep()
        checkpoint.sweep(opened.path / "checkpoints")
        found = saved_state.load_state(opened.path / "checkpoints", work.start())
        for error in found.skipped if found else ():
            reporter.warning(f"passed over a damaged checkpoint: {error}")
        state = found.state if found else _first_state(work, initial.source(config, as_in=opened))
        step = int(state.step)
        for name in (METRICS, TIMING):
            folder.cut(name, step)
        if step >= config.training.epochs * work.steps:
            end = f"run {opened.path} is trained to its end, step {step}: nothing is left of its {work.epochs}"
            reporter.note(f"{end}; {initial.longer(opened.path)}")
        folder.log(f"resumed at step {step}")
        _go(opened, work, state, reporter=reporter, stop=stop, resumed=found)
    return opened


def follow(config: Config, dataset: data.Dataset) -> None:
    """Train along with the first process, from its state and to its end, in each of the others; nothing is written.

    Raises ValueError where their settings or data differ, LostProcessError where one of them ends before.
    """
    with placed(device=config.device, precision=config.precision), watch() as signals:
        work = prepare(config, dataset)
        work.ascended(work.start(), _Follower(signals))


def _first_state(work: Work, start: Path | None) -> State:
    if start is None:
        return work.start()
    source = start.parent.parent
    theirs, ours = Run(source).config.flat(), work.config.flat()
    for key in theirs | ours:
        if key.startswith("model.") and theirs.get(key) != ours.get(key):
            raise ValueError(
                f"--from {source}: {key} needs to be {theirs.get(key)!r} as in that run, got {ours.get(key)!r}"
            )
    checkpoint.verify(start)
    try:
        model = load_model(start, work.config, **run_data.record(work.dataset, work.config.data).form)
    except NotFiniteError:
        raise
    except CorruptCheckpointError as error:  # it verifies, so it is whole, and of other data
        raise ValueError(
            f"--from {source}: data of {work.dataset.features} values per row need weights of their size, "
            f"got {error.got} for {error.tensor} ({error.needed} was needed)"
        ) from error
    return work.start(model)


def _write_down(folder: Sealed, work: Work, source: Path | None, reporter: Reporter) -> None:
    """env.json and config.json, and what a reader of the log should know of both."""
    dataset, about = work.dataset, run_data.record(work.dataset, work.config.data)
    start = None if source is None else initial.recorded(source)
    write_down(
        folder, work.config, Environment(**environment(mixed=work.plan.precision == "mixed"), data=about, start=start)
    )
    size = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(work.model, eqx.is_inexact_array)))
    rows = f"{len(dataset.train)} training rows" if about.graph is None else f"a graph of {about.graph.nodes} nodes"
    text = f"{naming.display_name(work.config)} on {dataset.name}: {rows}, {size} parameters, "
    text += f"{work.epochs} of {work.steps} {'step' if work.steps == 1 else 'steps'}"
    if dataset.missing and about.graph is None:
        cells = sum(split.values.size for split in dataset.splits().values())
        text += f"; {dataset.missing:,} of {cells:,} cells are missing: the bound is that on the observed ones"
    folder.log(text)
    reporter.note(f"{text}; run folder {folder.path}")
    if work.config.data.name not in data.names():  # a file of one's own: what was read, split and left out
        _say_what_was_read(dataset, reporter)
    if source is not None:
        initial.announce(folder, dataset, source, reporter)
    if work.config.objective.ascends_a_lower_bound:
        per = "" if about.graph is not None else " per row"
        reporter.note(f"the bound is below log p(x) on average, in nats{per}: the higher, the better")
    for warning in work.config.warnings():
        folder.log(f"warning: {warning}")


def _say_what_was_read(dataset: data.Dataset, reporter: Reporter) -> None:
    """Of a file of one's own its protocol; of a table a line for each column, what is left out, what looks wrong."""
    reporter.note(dataset.protocol)
    if not dataset.columns:
        return
    for line in data.listing(dataset):
        reporter.note(f"  {line}")
    for left_out in dataset.left_out[:LEFT_OUT_SHOWN]:
        reporter.note(f"  left out: {left_out.words.typed}")
    if len(dataset.left_out) > LEFT_OUT_SHOWN:
        reporter.note(f"  left out: and {len(dataset.left_out) - LEFT_OUT_SHOWN:,} more columns")
    for warning in dataset.warnings:
        reporter.warning(warning.typed)


def _say_versions(before: Environment, reporter: Reporter) -> None:
    now = versions()
    changed = [name for name, version in before.versions.items() if now.get(name) != version]
    if changed:
        reporter.warning(f"other versions than the run began with ({', '.join(changed)}): the last bits may differ")


class _Follower:
    """The observer of a process that is not the first: it writes nothing, and stops where a signal asks for it."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def segment(self, state: State, progress: Progress) -> bool:
        """Whether a signal has arrived."""
        self.signals.begun()
        return self.signals() is not None

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        """The first process writes it."""

    def improved(self, state: State) -> None:
        """The first process saves it."""


def _end(folder: Sealed, state: State, reporter: Reporter, signum: int) -> None:
    """End the process: before the first step is done nothing is to be saved, and nobody waits for the compiler."""
    message = str(Interrupted(signum, int(state.step), folder.path))
    folder.log(message)
    reporter.warning(message)
    os._exit(128 + signum)


def _go(
    run: Run,
    work: Work,
    state: State,
    *,
    reporter: Reporter,
    stop: Stop | None,
    resumed: saved_state.Resumed | None = None,
) -> None:
    """Train from a state to the end of the plan, or to the first request to stop."""
    folder, settings = run.folder, work.config.training
    if settings.precision == "mixed" and work.plan.precision != "mixed":
        folder.log(no_units())
        reporter.warning(no_units())
    with watch(partial(_end, folder, state, reporter)) as signals:

        def asked() -> bool:
            return signals() is not None or (stop is not None and stop())

        session = Session(folder, settings, reporter=reporter, asked=asked, begun=signals.begun, resumed=resumed)
        with session:
            session.save(state)
            reporter.begun("training")
            state = work.ascended(state, session)
            session.save(state)
    if (signum := signals()) is not None:  # after the last segment too: whoever sent it wants what follows to end
        error = Interrupted(signum, int(state.step), folder.path)
        folder.log(str(error))
        folder.seal()
        raise error
    folder.log(f"{'stopped' if session.stopped else 'trained'} at step {int(state.step)}")
    if not session.stopped:
        _say_patience(folder, work, state, reporter)
    folder.seal()


def _say_patience(folder: Sealed, work: Work, state: State, reporter: Reporter) -> None:
    """That the training ended before its plan, where it did, and whose weights are the best."""
    steps, epochs = work.steps, work.config.training.epochs
    if int(state.step) < epochs * steps:
        message = (
            f"stopped after epoch {int(state.step) // steps} of {epochs}: no better validation bound since epoch "
            f"{int(state.best_step) // steps} ({float(state.best):.2f} nats), whose weights are the best checkpoint"
        )
        folder.log(message)
        reporter.note(message)
