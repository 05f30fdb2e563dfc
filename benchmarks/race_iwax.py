"""A contestant of race.py: what `iwax train mnist` does, with the quick recipe or with that of the peers."""

from collections.abc import Mapping
from typing import Any

import machine
import numpy as np
import race_clock

from iwax import data, runs
from iwax.runs.work import prepare
from iwax.training import Progress, State

RECIPES: dict[str, dict[str, Any]] = {  # beside the preset iwae-1-k5 and the quick recipe: cosine from 3e-3
    "quick": {},
    "mixed": {"training.precision": "mixed"},
    "peers": {
        "objective.gradient": "pathwise",
        "training.learning_rate": 1e-3,
        "training.schedule": "constant",
    },
}


class Marks:
    """An observer of training that keeps the networks after some epochs."""

    def __init__(self, clock: race_clock.Clock) -> None:
        self.clock = clock

    def segment(self, state: State, progress: Progress) -> bool:
        """Never ask to stop."""
        return False

    def epoch(self, state: State, row: Mapping[str, int | float]) -> None:
        """Keep the networks, where this is a mark."""
        epoch = int(row["epoch"])
        if self.clock.wants(epoch):
            networks = state.model.posterior.network, state.model.likelihood.network
            self.clock.epoch(epoch, *([(np.array(x.weight), np.array(x.bias)) for x in net.layers] for net in networks))

    def improved(self, state: State) -> None:
        """There are no validation data."""


def main() -> None:
    """Train as ordered."""
    order = race_clock.orders((__doc__ or "").partition("\n")[0])
    machine.use_processors(order.threads)
    sets = {"objective.k": order.k, "training.batch": order.batch, "training.epochs": order.epochs, "seed": order.seed}
    sets |= RECIPES[order.recipe]
    written = [f"{key}={value}" for key, value in sets.items()]
    work = prepare(
        runs.from_sources(preset="iwae-1-k5", recipe="quick", data="mnist", sets=written), data.load("mnist")
    )
    work.ascended(work.start(), Marks(race_clock.Clock(order)))


if __name__ == "__main__":
    main()
