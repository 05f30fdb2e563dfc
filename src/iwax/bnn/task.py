"""What is learned: inputs, targets, and the likelihood of a target given a network's outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import data

__all__ = ["Part", "Task", "task_named", "task_names"]

_SCALE = 126.0  # by which grey values are divided (Blundell et al. 2015)
_CURVE_ROWS, _CURVE_NOISE, _CURVE_SEED = 1000, 0.02, 0
_IMAGES = ("digits-grey", "mnist-grey")


@dataclass(frozen=True)
class Part:
    """Inputs [n, d] and targets [n]."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Task:
    """Data in three parts, how many outputs a network needs, and log p(target | outputs), row by row."""

    name: str
    protocol: str
    train: Part
    valid: Part
    test: Part
    outputs: int
    log_likelihood: Callable[[Array, Array], Array]

    @property
    def classes(self) -> int | None:
        """How many classes there are; None of a regression."""
        return None if self.log_likelihood is located else self.outputs


def of_classes(outputs: Array, target: Array) -> Array:
    """``log softmax(outputs)[target]``, nats.

    >>> float(of_classes(jnp.zeros((1, 10)), jnp.array([3]))[0])
    -2.3026
    """
    return jnp.take_along_axis(jax.nn.log_softmax(outputs), target[:, None], axis=-1)[:, 0]


def located(outputs: Array, target: Array) -> Array:
    """``log N(target; m, s^2)`` of outputs (m, log s), nats.

    >>> float(located(jnp.zeros((1, 2)), jnp.array([0.0]))[0])
    -0.9189
    """
    loc, log_scale = outputs[:, 0], outputs[:, 1]
    return -0.5 * ((target - loc) * jnp.exp(-log_scale)) ** 2 - log_scale - 0.5 * jnp.log(2 * jnp.pi)


def task_names() -> list[str]:
    """The tasks there are.

    >>> task_names()
    ['digits-grey', 'mnist-grey', 'curve']
    """
    return [*_IMAGES, "curve"]


def task_named(name: str) -> Task:
    """A task by its name. Raises ValueError for another name, FileNotFoundError where the data are not there.

    >>> task_named("digits-grey").outputs
    10
    """
    if name == "curve":
        return _curve()
    if name not in _IMAGES:
        raise ValueError(f"needed one of the tasks {', '.join(task_names())}, got {name!r}")
    dataset = data.load(name)
    parts = {part: dataset.split(part) for part in ("train", "valid", "test")}
    labelled = {
        part: Part(split.array.astype(np.float32) / np.float32(_SCALE), np.asarray(split.labels, np.int32))
        for part, split in parts.items()
    }
    protocol = f"{dataset.protocol} Inputs: grey / 126."
    return Task(name, protocol, **labelled, outputs=10, log_likelihood=of_classes)


def _curve() -> Task:
    """``y = x + 0.3 sin(2 pi (x + e)) + 0.3 sin(4 pi (x + e)) + e``, e ~ N(0, 0.02^2), x ~ U(0, 0.5)."""
    rng = np.random.Generator(np.random.Philox(key=_CURVE_SEED))

    def part() -> Part:
        x = rng.uniform(0, 0.5, _CURVE_ROWS)
        e = rng.normal(0, _CURVE_NOISE, _CURVE_ROWS)
        y = x + 0.3 * np.sin(2 * np.pi * (x + e)) + 0.3 * np.sin(4 * np.pi * (x + e)) + e
        return Part(x[:, None].astype(np.float32), y.astype(np.float32))

    protocol = (
        "the regression of Blundell et al. (2015), section 5.2: y = x + 0.3 sin(2 pi (x + e)) + 0.3 sin(4 pi (x + e)) "
        f"+ e with e ~ N(0, 0.02^2), x uniform on 0..0.5; {_CURVE_ROWS:,} rows each for training, validation and test"
    )
    return Task("curve", protocol, part(), part(), part(), outputs=2, log_likelihood=located)
