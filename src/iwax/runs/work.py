"""What a run needs besides its state: settings and data, checked, and what is built from them."""

from dataclasses import dataclass

import jax
import optax

from iwax import data, processes, streams
from iwax.gradients import AbstractObjective
from iwax.model import LatentVariableModel
from iwax.runs import support
from iwax.settings import build
from iwax.settings.config import Config
from iwax.settings.objective import build_objective
from iwax.training import Observer, Plan, State, initial_state, steps_per_epoch
from iwax.training import train as ascend

__all__ = ["Work", "prepare"]


@dataclass(frozen=True)
class Work:
    """What a run needs besides its state: settings, data, and what is built from them."""

    config: Config
    dataset: data.Dataset
    model: LatentVariableModel
    objective: AbstractObjective
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule

    @property
    def plan(self) -> Plan:
        """Epochs, batches and pieces, and the precision that this device has."""
        return build.build_plan(self.config, self.dataset)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return steps_per_epoch(len(self.dataset.train), self.config.training.batch)

    @property
    def epochs(self) -> str:
        """The planned epochs in words."""
        return f"{self.config.training.epochs} {'epoch' if self.config.training.epochs == 1 else 'epochs'}"

    def start(self, model: LatentVariableModel | None = None) -> State:
        """The state before the first step, of the untrained model or of another."""
        control = self.objective.init()
        return initial_state(self.model if model is None else model, self.optimizer, control=control)

    def ascended(self, state: State, observer: Observer) -> State:
        """The state at the end of the plan, or where the observer stopped it, of several processes where they are."""
        with processes.watched("iwax resume goes on from the last checkpoint, with any number of processes"):
            processes.same(self.config.model_dump_json(), "the settings")
            processes.same(self.dataset.digest(), "the data")
            state = self._ascended(processes.of_first(state), observer)
            processes.leave()
        return state

    def _ascended(self, state: State, observer: Observer) -> State:
        return ascend(
            state,
            self.objective,
            build.values(self.config, self.dataset, "train"),
            optimizer=self.optimizer,
            plan=self.plan,
            valid=build.values(self.config, self.dataset, "valid") if self.config.training.validate_every else None,
            observer=observer,
            learning_rate=self.schedule,
        )


def prepare(config: Config, dataset: data.Dataset) -> Work:
    """Check and build; everything that could be refused is refused here."""
    config = build.resolve(config, dataset)
    support.check(config.model.likelihood, dataset, source=config.data.name)
    if config.training.validate_every and dataset.valid is None:
        raise ValueError(
            f"training.validate_every needs data with a validation split, {dataset.name} has none; set it to 0"
        )
    dataset.split(config.evaluation.split)
    steps = steps_per_epoch(len(dataset.train), config.training.batch)
    key = jax.random.fold_in(jax.random.key(config.seed), streams.Run.INITIALISATION)
    baseline = jax.random.fold_in(key, streams.Initialisation.BASELINE)
    return Work(
        config,
        dataset,
        build.build_model(config, build.feature_statistics(config, dataset), key=key),
        build_objective(config.objective, dataset.features, rows=len(dataset.train), key=baseline),
        build.build_optimizer(config.training, steps_per_epoch=steps),
        build.build_schedule(config.training, steps_per_epoch=steps),
    )
