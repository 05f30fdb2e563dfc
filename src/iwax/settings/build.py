"""From a configuration and data to a model, an optimiser and a plan.

Networks follow the configuration from the data up: layer l of the posterior goes through its hidden widths to a mean
and a log-scale, and the generative net of the same layer goes back through the same widths reversed.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Num

from iwax._typing import PRNGKey
from iwax.bfloat16 import has_units
from iwax.data import Dataset, ListedGraph, names
from iwax.data import info as registered
from iwax.data.binarization import binarize_once
from iwax.data.binarization_on_disk import drawn_once
from iwax.data.bits import permutation
from iwax.data.dataset import Kind
from iwax.data.on_disk import Reading, RowsOnDisk, spread
from iwax.data.survey import moments
from iwax.memory_limit import allow
from iwax.model import LatentVariableModel
from iwax.settings.config import Config, Training
from iwax.settings.model import LARGEST_WEIGHTS
from iwax.settings.parts import whole
from iwax.settings.parts.columns import table_start
from iwax.settings.parts.networks import FeatureStatistics, GraphStart
from iwax.streams import Bits
from iwax.training import Plan, rows_per_piece, schedules

__all__ = [
    "FeatureStatistics",
    "GraphStart",
    "build_model",
    "build_optimizer",
    "build_plan",
    "build_schedule",
    "canonical_name",
    "feature_statistics",
    "resolve",
    "to_model_scale",
    "values",
]

_LIKELIHOODS = {"real": "gaussian", "table": "columns", "graph": "graph"}  # of data that are neither binary nor grey
FINAL_SEED = 0  # of the one draw at which training rows binarised at every access are measured
COPIES = 3  # of every number: itself, and two moments of Adam
TABLE_ROWS = 100_000  # of a table on disk whose columns say where the untrained model starts
ROWS_ON_DISK = 10_000  # of data on disk that are measured, where nothing is said
SMALLEST_SCALE = 0.05  # of a constant feature, as a fraction of that of all: no density starts infinite


def resolve(config: Config, dataset: Dataset) -> Config:
    """The configuration with what was left to the data filled in: the likelihood, and a registered name in full.

    >>> from iwax import data
    >>> resolve(Config(), data.load("digits")).model.likelihood.kind
    'bernoulli'
    """
    model = config.model.with_likelihood(_LIKELIHOODS.get(dataset.kind, "bernoulli")).model_dump()
    if dataset.missing and model["mask"] is None and dataset.kind != "graph":
        model["mask"] = True
    named = config.data.model_dump() | {"name": canonical_name(config.data.name), "on_disk": dataset.on_disk or None}
    measured = config.evaluation.model_dump()
    if dataset.on_disk and measured["limit"] is None and len(dataset.split(measured["split"])) > ROWS_ON_DISK:
        measured["limit"] = ROWS_ON_DISK
    return Config.model_validate(config.model_dump() | {"data": named, "model": model, "evaluation": measured})


def canonical_name(name: str) -> str:
    """The registered name of data that has no nickname; the path of a file as it is.

    >>> canonical_name("digits")
    'digits'
    """
    return registered(name).name if name in names() else name


def feature_statistics(config: Config, dataset: Dataset) -> FeatureStatistics:
    """What the untrained model gives for every data point.

    >>> from iwax import data
    >>> feature_statistics(Config(), data.load("digits")).mean.shape
    (64,)
    """
    if dataset.graph is not None:
        return _of_graph(dataset.graph, dataset.shape)
    shown = values(config, dataset, "train")
    unit = 255.0 if dataset.binarize_training else 1.0
    if isinstance(shown, RowsOnDisk):
        mean, scale = (each / unit for each in moments(shown))
    elif dataset.missing:
        wide = shown.astype(np.float64)
        mean, scale = np.nanmean(wide, axis=0) / unit, np.nanstd(wide, axis=0) / unit
    else:
        mean = shown.mean(axis=0, dtype=np.float64) / unit
        scale = shown.std(axis=0, dtype=np.float64) / unit
    overall = float(np.sqrt(np.mean(scale**2))) or 1.0
    scale = np.maximum(scale, SMALLEST_SCALE * overall)
    table = None
    if config.model.likelihood.kind == "columns" and dataset.columns is not None:
        seen = shown.take(spread(len(shown), TABLE_ROWS)) if isinstance(shown, RowsOnDisk) else shown
        table = table_start(dataset.columns, seen, floor=config.model.scale_floor or 0.0, source=config.data.name)
    return FeatureStatistics(mean, scale, dataset.shape, _examples(config, shown, unit), table)


def _of_graph(graph: ListedGraph, shape: tuple[int, ...]) -> FeatureStatistics:
    """Pairs, nodes and the share of linked pairs in training; a row of pairs has no statistics of its own."""
    density = max(int((graph.part == 0).sum()), 1) / max(graph.graph.pair_count, 2)
    start = GraphStart(graph.pairs, graph.nodes, graph.graph.features, density)
    return FeatureStatistics(np.zeros(shape), np.ones(shape), shape, graph=start)


def _examples(config: Config, shown: Any, unit: float) -> np.ndarray | None:
    """Rows drawn without replacement, as a function of the run's seed; all there are, if they are too few."""
    count = config.model.prior.examples
    if not count:
        return None
    order = permutation(config.seed, Bits.EXAMPLES, len(shown))
    return shown[np.sort(order[:count])].astype(np.float32) / np.float32(unit)


def values(config: Config, dataset: Dataset, part: str, *, final: bool = False) -> Any:
    """The rows of a split [n, D], an array or `RowsOnDisk`, as training takes them or, ``final``, as a density does.

    They differ for training rows that are binarised again at every access: their final form is one fixed draw.
    Raises ValueError where the data have no such split.

    >>> from iwax import data
    >>> int(values(Config(), data.load("digits"), "train", final=True).max())
    1
    """
    rows = dataset.split(part).values
    if final and part == "train" and dataset.binarize_training:
        if isinstance(rows, RowsOnDisk):
            return drawn_once(rows, seed=FINAL_SEED, stream=Bits.SAMPLE)
        return binarize_once(rows, seed=FINAL_SEED, stream=Bits.SAMPLE)
    if not isinstance(rows, RowsOnDisk):
        return to_model_scale(config, dataset.kind, rows)
    grey = dataset.kind == "grey" and _fractions(config)
    return rows.mapped(Reading("fractions of 255", _as_fractions), np.float32) if grey else rows


def to_model_scale(
    config: Config, kind: Kind, rows: Num[np.ndarray, "rows features"]
) -> Num[np.ndarray, "rows features"]:
    """Rows as the likelihood takes them: grey values 0..255 as fractions of 255 where it is continuous, or has bins.

    >>> from iwax.settings.config import Model
    >>> to_model_scale(Config(model=Model(likelihood="gaussian")), "grey", np.array([[255]], np.uint8))
    array([[1.]], dtype=float32)
    """
    whole = rows.dtype == np.uint8 or np.isnan(rows).any()
    return _as_fractions(rows) if kind == "grey" and _fractions(config) and whole else rows


def _fractions(config: Config) -> bool:
    """Whether the likelihood takes grey values as fractions."""
    family = config.model.likelihood.family
    return family is not None and family.grey


def _as_fractions(rows: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
    return rows.astype(np.float32) / np.float32(255)


def build_model(config: Config, start: FeatureStatistics, *, key: PRNGKey) -> LatentVariableModel:
    """The untrained model of data with these feature statistics, which its output biases give for every data point.

    The configuration must be resolved. Raises ValueError where the nets would not fit in any memory, or the parts not
    the data; MemoryLimitError where training them would take more than is allowed. Nothing is allocated before.
    """
    sizes, features = config.model, len(start.mean)
    weights = sizes.weights(features)
    if weights > LARGEST_WEIGHTS:
        raise ValueError(
            f"model.hidden and model.latent with rows of {features} values need to give at most "
            f"{LARGEST_WEIGHTS} weights, got {weights}"
        )
    allow(COPIES * whole.size(sizes, start), f"a model of rows of {features:,} values, with Adam's two moments,")
    prior, likelihood, posterior = whole.assemble(sizes, start, key=key)
    return LatentVariableModel(prior=prior, likelihood=likelihood, posterior=posterior)


def build_schedule(settings: Training, *, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate as a function of the step.

    >>> float(build_schedule(Training(epochs=10, schedule="constant"), steps_per_epoch=5)(3))
    0.001
    """
    rate, warmup = settings.learning_rate, settings.warmup * steps_per_epoch
    if settings.schedule == "burda":
        return schedules.burda_stages(rate, steps_per_epoch)
    if settings.schedule == "cosine":
        return schedules.cosine(rate, settings.epochs * steps_per_epoch, warmup=warmup)
    if settings.schedule == "late_decay":
        return schedules.late_decay(rate, settings.epochs * steps_per_epoch, steps_per_epoch)
    return schedules.constant(rate, warmup=warmup)


def build_optimizer(settings: Training, *, steps_per_epoch: int) -> optax.GradientTransformation:
    """Adam on the schedule, after clipping by the global norm, and normalising, where that is asked for.

    >>> build_optimizer(Training(), steps_per_epoch=5).init(jnp.zeros(2))[0].count
    Array(0, dtype=int32)
    """
    rate = build_schedule(settings, steps_per_epoch=steps_per_epoch)
    adam = optax.adam(rate, b1=settings.beta1, b2=settings.beta2, eps=settings.epsilon)
    before = [] if settings.clip is None else [optax.clip_by_global_norm(settings.clip)]
    before += [_normalised()] if settings.normalise else []
    return optax.chain(*before, adam) if before else adam


def _normalised() -> optax.GradientTransformation:
    """Every tensor's gradient over its Euclidean norm + 1e-7, as in the program of Tomczak and Welling (2018)."""
    return optax.stateless(
        lambda updates, _: jax.tree.map(lambda each: each / (jnp.linalg.norm(each.ravel()) + 1e-7), updates)
    )


def build_plan(config: Config, dataset: Dataset) -> Plan:
    """Epochs, batches and pieces of a run.

    >>> from iwax import data
    >>> build_plan(Config(), data.load("digits")).piece is None
    True
    """
    settings = config.training
    return Plan(
        epochs=settings.epochs,
        batch=settings.batch,
        seed=config.seed,
        beta_warmup=config.objective.beta_warmup,
        binarize=dataset.binarize_training,
        missing=bool(dataset.missing),
        reduction=settings.reduction,
        piece=None if config.objective.whole_batch else rows_per_piece(settings.batch, config.objective.k),
        validate_every=settings.validate_every,
        patience=settings.patience,
        precision="mixed" if settings.precision == "mixed" and has_units() else "full",
    )
