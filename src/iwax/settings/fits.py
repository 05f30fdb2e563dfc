"""Whether the parts of a model and its objective go together: asked of the objects, by abstract evaluation."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax.data import Column
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.settings.config import Config
from iwax.settings.model import Model
from iwax.settings.objective import Objective, build_objective
from iwax.settings.parts.columns import table_start
from iwax.settings.parts.networks import FeatureStatistics, GraphStart
from iwax.settings.parts.whole import assemble

__all__ = ["check"]

_PICTURE = (11, 7)  # of a row that stands for the data's: sizes that no layer is likely to have
_FEW = 3  # latents, units, maps and components, where there are more: what fits does not depend on how many there are


def check(config: Config) -> None:
    """Raise ValueError, naming the settings, where the objects that they make do not go together.

    The model and its objective are built and traced for one row of made-up data: nothing is computed, or compiled, and
    no data are read.

    >>> check(Config(model=Model(posterior="householder")))
    """
    _check(_small(config.model).model_dump_json(), config.objective.model_dump_json())


def _small(model: Model) -> Model:
    """A model of as few numbers that fits where the model does."""
    needed = max(_FEW, dict(model.posterior).get("planes", 0))
    few: dict[str, Any] = {
        "latent": tuple(min(each, needed) for each in model.latents),
        "hidden": tuple(tuple(min(each, _FEW) for each in widths) for widths in model.hiddens),
    }
    for name, part in (("prior", model.prior), ("posterior", model.posterior)):
        many = {key: min(each, _FEW) for key, each in part if key in ("steps", "components")}
        few[name] = part.model_copy(update=many)
    usual = "graph" if model.network.kind == "graph" else "bernoulli"
    return model.with_likelihood(usual).model_copy(update=few)


@lru_cache(maxsize=256)
def _check(of_model: str, of_objective: str) -> None:
    """Both as JSON, so that what fitted once is remembered."""
    model, objective = Model.model_validate_json(of_model), Objective.model_validate_json(of_objective)
    features, start = _stand_in(model)

    def traced() -> Any:
        key = jax.random.key(0)
        parts = assemble(model, start, key=key)
        ascended = build_objective(objective, features, rows=1, key=key)
        state = ascended.init()
        control = {} if state is None else {"control": state}
        x = Datum(jnp.zeros((1, features)), index=jnp.arange(1))

        def value(made: LatentVariableModel) -> Any:
            return jnp.sum(ascended(made, key, x, **control).value)

        with _asked(model, objective):
            made = LatentVariableModel(*parts)
            backward = not made.infer(jnp.zeros(features), key=key).has_density  # what only a derivative may need
            return eqx.filter_grad(value)(made) if backward else value(made)

    eqx.filter_eval_shape(traced)


@contextmanager
def _asked(model: Model, objective: Objective) -> Iterator[None]:
    """What was asked for, before what the objects say of it."""
    several = f", model.order={model.order or 'bottom_up'}" if len(model.latents) > 1 else ""
    asked = f"model.prior={model.prior.kind}, model.posterior={model.posterior.kind}{several}"
    try:
        yield
    except (TypeError, ValueError) as error:
        asked += f", objective.bound={objective.bounds}, objective.gradient={objective.gradient}"
        raise ValueError(f"{asked} and objective.k={objective.k} do not go together: {error}") from error


def _stand_in(model: Model) -> tuple[int, FeatureStatistics]:
    """How many features a row has, and what the model is made to fit."""
    if "graph" in (model.network.kind, model.likelihood.kind):
        pairs = np.array([[0, 1], [1, 2], [0, 3]])
        graph = GraphStart(pairs, 4, np.ones((4, _FEW), np.float32), density=0.5)
        return len(pairs), FeatureStatistics(np.zeros(len(pairs)), np.ones(len(pairs)), (len(pairs),), graph=graph)
    columns = (Column("a", "continuous"), Column("b", "continuous"))
    table = table_start(columns, None, floor=0.0) if model.likelihood.kind == "columns" else None
    shape = _PICTURE if table is None else (len(columns),)
    features = int(np.prod(shape))
    rows = np.zeros((model.prior.examples, features), np.float32)
    return features, FeatureStatistics(np.full(features, 0.5), np.ones(features), shape, rows, table)
