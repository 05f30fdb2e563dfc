"""Training a network with a variational posterior over its weights, or without."""

import time
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from iwax import streams, weights
from iwax._typing import PRNGKey, Scalar
from iwax.bnn.settings import Settings
from iwax.bnn.task import Task
from iwax.memory_limit import allow
from iwax.nn import MLP
from iwax.printed import printed
from iwax.runs.reporter import Reporter
from iwax.training import NumericalStop, Progress, permutation

__all__ = ["Fit", "fit"]

COPIES = 3  # of every number: itself, and two moments of Adam


@printed()
class Fit(NamedTuple):
    """A trained network, the free energy per data point in every epoch (nats), and the seconds it took."""

    network: MLP
    free_energy: list[float]
    seconds: float


def fit(settings: Settings, task: Task, *, reporter: Reporter) -> Fit:
    """Train; an epoch takes every row once, in an order of its own, a last short minibatch left out.

    Raises ValueError where the batch is larger than the data, NumericalStop where the loss is not finite.
    """
    rows = len(task.train.targets)
    batches = rows // settings.batch
    if not batches:
        raise ValueError(f"batch: at most the {rows} training rows were needed, got {settings.batch}")
    root = jax.random.key(settings.seed)
    network = _network(settings, task, key=jax.random.fold_in(root, streams.Classifier.INITIALISATION))
    optimizer = _optimizer(settings, steps=settings.epochs * batches)
    epoch = _epoch(settings, task, network, optimizer, batches)
    state: tuple[Any, Any] = (eqx.filter(network, eqx.is_array), optimizer.init(eqx.filter(network, eqx.is_array)))
    history: list[float] = []
    begun = time.monotonic()
    reporter.begun("training")
    for number in range(settings.epochs):
        order = permutation(settings.seed, number, rows)[: batches * settings.batch].reshape(batches, -1)
        key = jax.random.fold_in(jax.random.fold_in(root, streams.Classifier.NOISE), number)
        state, mean = epoch(state, jnp.asarray(order), key)
        history.append(float(mean))
        if not jnp.isfinite(mean):
            raise NumericalStop((number + 1) * batches, f"the free energy of epoch {number + 1}")
        reporter.training(_progress(settings, history, batches, rows, time.monotonic() - begun))
    return Fit(
        eqx.combine(state[0], eqx.filter(network, eqx.is_array, inverse=True)), history, time.monotonic() - begun
    )


def _network(settings: Settings, task: Task, *, key: PRNGKey) -> MLP:
    """ReLU layers, with the initial weights of He et al., with random weights for the one method.

    Raises MemoryLimitError, before they are made, where they would take more than is allowed.
    """
    make = partial(
        MLP,
        task.train.inputs.shape[1],
        settings.hidden,
        task.outputs,
        activation="relu",
        initial="he_normal",
        sigma=settings.sigma if settings.method == "bayes" else None,
    )
    needed = sum(each.size * each.dtype.itemsize for each in jax.tree.leaves(eqx.filter_eval_shape(make, key=key)))
    allow(COPIES * needed, "a network of such hidden layers, with Adam's two moments,")
    return make(key=key)


def _optimizer(settings: Settings, *, steps: int) -> optax.GradientTransformation:
    if settings.optimizer == "sgd":
        return optax.sgd(settings.learning_rate)
    return optax.adam(optax.cosine_decay_schedule(settings.learning_rate, steps))


def _epoch(settings: Settings, task: Task, network: MLP, optimizer: optax.GradientTransformation, batches: int) -> Any:
    """``epoch(state, order, key) -> (state, free energy per data point)``, compiled."""
    inputs, targets = jnp.asarray(task.train.inputs), jnp.asarray(task.train.targets)
    parts = jnp.asarray(weights.shares(batches, settings.shares), jnp.float32)
    static = eqx.filter(network, eqx.is_array, inverse=True)

    def step(state: tuple[Any, Any], given: tuple[Array, Array, PRNGKey]) -> tuple[tuple[Any, Any], Scalar]:
        (parameters, memory), (chosen, share, key) = state, given

        def loss(parameters: Any) -> Scalar:
            net = eqx.combine(parameters, static)
            return _loss(settings, task, net, inputs[chosen], targets[chosen], share, key)

        value, gradient = jax.value_and_grad(loss)(parameters)
        change, memory = optimizer.update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, change), memory), value

    @jax.jit
    def epoch(state: tuple[Any, Any], order: Array, key: PRNGKey) -> tuple[Any, Scalar]:
        keys = jax.random.split(key, batches)
        state, values = jax.lax.scan(step, state, (order, parts, keys))
        return state, jnp.sum(values) / order.size

    return epoch


def _loss(
    settings: Settings, task: Task, network: MLP, inputs: Array, targets: Array, share: Array, key: PRNGKey
) -> Scalar:
    """The free energy of a minibatch, or minus its log-likelihood."""

    def log_likelihood(network: MLP, key: PRNGKey) -> Scalar:
        return jnp.sum(task.log_likelihood(network(inputs, key=key), targets))

    if settings.method == "bayes":
        return weights.free_energy(
            network,
            log_likelihood,
            settings.prior_of_weights(),
            share=share,
            samples=settings.samples,
            local=settings.sampling == "local",
            key=key,
        )
    if settings.method == "dropout":
        return -jnp.sum(task.log_likelihood(_dropped(network, inputs, settings.dropout, key), targets))
    return -log_likelihood(network, key)


def _dropped(network: MLP, h: Array, rate: float, key: PRNGKey) -> Array:
    """The outputs with every hidden unit retained with probability 1 - rate, and then scaled by its inverse."""
    for i in range(network.depth):
        h = network.activated(i, network.layers[i](h))
        retained = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - rate, h.shape)
        h = jnp.where(retained, h / (1 - rate), 0)
    return network.layers[-1](h)


def _progress(settings: Settings, history: list[float], batches: int, rows: int, seconds: float) -> Progress:
    done = len(history)
    return Progress(
        step=done * batches,
        epoch=done - 1,
        steps=batches,
        epochs=settings.epochs,
        bound=-history[-1],
        images_per_second=done * rows / seconds,
        seconds_left=seconds / done * (settings.epochs - done),
    )
