"""From a configuration and data to a model, an optimiser and a plan.

Networks follow the configuration from the data up: layer l of the posterior goes through its hidden widths to a mean
and a log-scale, and the generative net of the same layer goes back through the same widths reversed.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Num

from iwax import likelihoods, nn, posteriors, priors
from iwax._typing import Part, PRNGKey
from iwax.data import Dataset, names
from iwax.data import info as registered
from iwax.data.binarization import binarize_once
from iwax.data.bits import Purpose
from iwax.data.dataset import Kind
from iwax.experiments.config import LARGEST_WEIGHTS, Config, Training
from iwax.experiments.config import Model as ModelConfig
from iwax.model import LatentVariableModel
from iwax.training import Plan, rows_a_piece, schedules

__all__ = [
    "Moments",
    "as_taken",
    "build_model",
    "build_optimizer",
    "build_plan",
    "build_schedule",
    "moments",
    "resolve",
    "spelt_out",
    "values",
]

FINAL_SEED = 0  # of the one draw at which training rows binarised at every access are measured
SMALLEST_SCALE = 0.05  # of a constant feature, as a fraction of that of all: no density starts infinite


def resolve(config: Config, dataset: Dataset) -> Config:
    """The configuration with what was left to the data filled in: the likelihood, and a registered name spelt out.

    >>> from iwax import data
    >>> resolve(Config(), data.load("digits")).model.likelihood
    'bernoulli'
    """
    chosen = config.model.likelihood or ("gaussian" if dataset.kind == "real" else "bernoulli")
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"name": spelt_out(config.data.name)}),
            "model": config.model.model_copy(update={"likelihood": chosen}),
        }
    )


def spelt_out(name: str) -> str:
    """The registered name of data that has no nickname; the path of a file as it is.

    >>> spelt_out("digits")
    'digits'
    """
    return registered(name).name if name in names() else name


class Moments(NamedTuple):
    """Mean and standard deviation of every feature of the training data, as the model sees them."""

    mean: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]


def moments(config: Config, dataset: Dataset) -> Moments:
    """What the untrained model gives for every datum.

    >>> from iwax import data
    >>> moments(Config(), data.load("digits")).mean.shape
    (64,)
    """
    shown = values(config, dataset, "train")
    unit = 255.0 if dataset.binarize_training else 1.0
    mean = shown.mean(axis=0, dtype=np.float64) / unit
    scale = shown.std(axis=0, dtype=np.float64) / unit
    overall = float(np.sqrt(np.mean(scale**2))) or 1.0
    return Moments(mean, np.maximum(scale, SMALLEST_SCALE * overall))


def values(config: Config, dataset: Dataset, part: str, *, final: bool = False) -> Num[np.ndarray, "rows features"]:
    """The rows of a split as training takes them or, ``final``, as a density is evaluated at them.

    They differ for training rows that are binarised anew at every access: their final form is one fixed draw.
    Raises ValueError where the data have no such split.

    >>> from iwax import data
    >>> int(values(Config(), data.load("digits"), "train", final=True).max())
    1
    """
    rows = dataset.split(part).values
    if final and part == "train" and dataset.binarize_training:
        return binarize_once(rows, seed=FINAL_SEED, purpose=Purpose.SAMPLE)
    return as_taken(config, dataset.kind, rows)


def as_taken(config: Config, kind: Kind, rows: Num[np.ndarray, "rows features"]) -> Num[np.ndarray, "rows features"]:
    """Rows as the likelihood takes them: grey values 0..255 go to a Gaussian as fractions of 255.

    >>> from iwax.experiments.config import Model
    >>> as_taken(Config(model=Model(likelihood="gaussian")), "grey", np.array([[255]], np.uint8))
    array([[1.]], dtype=float32)
    """
    if kind == "grey" and config.model.likelihood == "gaussian" and rows.dtype == np.uint8:
        return rows.astype(np.float32) / np.float32(255)
    return rows


def build_model(config: Config, start: Moments, *, key: PRNGKey) -> LatentVariableModel:
    """The untrained model of data with these moments, which its output biases give for every datum.

    The configuration must be resolved. Raises ValueError where the nets would not fit in any memory.
    """
    sizes, features = config.model, len(start.mean)
    weights = sizes.weights(features)
    if weights > LARGEST_WEIGHTS:
        raise ValueError(
            f"model.hidden and model.latent with rows of {features} values need to give at most "
            f"{LARGEST_WEIGHTS} weights, got {weights}"
        )
    keys = iter(jax.random.split(key, 2 * len(sizes.latents)))
    inputs = (features, *sizes.latents[:-1])
    upwards = tuple(
        _posterior(sizes, below, hidden, latent, key=next(keys))
        for below, hidden, latent in zip(inputs, sizes.hiddens, sizes.latents, strict=True)
    )
    likelihood = _likelihood(sizes, start, key=next(keys))
    downwards = tuple(  # p(z_1 | z_2), p(z_2 | z_3), ...
        _conditional(sizes, above, tuple(reversed(hidden)), latent, key=next(keys))
        for latent, hidden, above in zip(sizes.latents, sizes.hiddens[1:], sizes.latents[1:], strict=False)
    )
    top = (priors.Bernoulli if sizes.prior == "bernoulli" else priors.StandardNormal)(sizes.latents[-1])
    if not downwards:
        return LatentVariableModel(prior=top, likelihood=likelihood, posterior=upwards[0])
    return LatentVariableModel(
        prior=priors.Chain(top, tuple(reversed(downwards))),
        likelihood=likelihoods.Chain(likelihood),
        posterior=posteriors.Chain(upwards[0], upwards[1:]),
    )


def _posterior(sizes: ModelConfig, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey) -> Part:
    if sizes.posterior == "bernoulli":
        return posteriors.Bernoulli(_network(sizes, inputs, hidden, latent, key=key))
    return posteriors.Gaussian(_network(sizes, inputs, hidden, latent, key=key, heads=2))


def _conditional(sizes: ModelConfig, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey) -> Part:
    """p(z_l | z_{l+1})"""
    if sizes.prior == "bernoulli":
        return likelihoods.Bernoulli(_network(sizes, inputs, hidden, latent, key=key))
    return likelihoods.Gaussian.of_network(_network(sizes, inputs, hidden, latent, key=key, heads=2))


def _network(
    sizes: ModelConfig,
    inputs: int,
    hidden: tuple[int, ...],
    outputs: int,
    *,
    key: PRNGKey,
    heads: int = 1,
    bias: Float[jax.Array, " out"] | None = None,
) -> nn.MLP:
    return nn.MLP(inputs, hidden, heads * outputs, key=key, activation=sizes.activation, heads=heads, output_bias=bias)


def _likelihood(sizes: ModelConfig, start: Moments, *, key: PRNGKey) -> Part:
    """p(x|z_1), its untrained output the mean of the training data (and their scale, where a network gives it)."""
    mean, features = jnp.asarray(start.mean), len(start.mean)
    net = partial(_network, sizes, sizes.latents[0], tuple(reversed(sizes.hiddens[0])), features, key=key)
    if sizes.likelihood == "bernoulli":
        return likelihoods.Bernoulli(net(bias=nn.mean_logits(mean)))
    if sizes.variance == "network":
        return likelihoods.Gaussian.of_network(net(heads=2, bias=jnp.concatenate([mean, jnp.log(start.scale)])))
    located = net(bias=mean)
    if sizes.variance == "fixed":
        return likelihoods.Gaussian.fixed(located, sizes.scale)
    if sizes.variance == "scalar":
        return likelihoods.Gaussian.scalar(located, sizes.scale)
    return likelihoods.Gaussian.feature(located, features, sizes.scale)


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
    return schedules.constant(rate, warmup=warmup)


def build_optimizer(settings: Training, *, steps_per_epoch: int) -> optax.GradientTransformation:
    """Adam on the schedule, after clipping by the global norm where that is asked for.

    >>> build_optimizer(Training(), steps_per_epoch=5).init(jnp.zeros(2))[0].count
    Array(0, dtype=int32)
    """
    rate = build_schedule(settings, steps_per_epoch=steps_per_epoch)
    adam = optax.adam(rate, b1=settings.beta1, b2=settings.beta2, eps=settings.epsilon)
    if settings.clip is None:
        return adam
    return optax.chain(optax.clip_by_global_norm(settings.clip), adam)


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
        reduction=settings.reduction,
        # free bits look at the mean over a whole batch
        piece=None if config.objective.free_bits else rows_a_piece(settings.batch, config.objective.k),
        validate_every=settings.validate_every,
        patience=settings.patience,
    )
