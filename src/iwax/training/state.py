"""What a training run is at a moment: everything that the next step depends on."""

from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from iwax import former_names
from iwax._typing import PRNGKey

__all__ = ["Plan", "State", "Tally", "initial_state", "steps_per_epoch"]


@dataclass(frozen=True)
class Plan:
    """How a model is trained: what neither the objective nor the optimiser says.

    ``binarize`` redraws grey values 0..255 as 0 or 1 at every access; with ``missing`` a NaN is a value that was not
    observed. ``reduction`` is how a batch's loss is taken.
    ``beta_warmup`` is the number of epochs over which the KL temperature rises linearly to 1. ``piece`` splits a batch
    into pieces of that many rows whose gradients are added up (None: the whole at once); it must divide the batch.
    ``validate_every`` epochs (0: never) the bound is taken on validation data; ``patience`` validations without a new
    best end the training. Segments of compiled steps last about ``segment_seconds``. In the ``precision`` "mixed"
    losses and gradients are taken inside `nn.mixed_precision`. Raises ValueError on what cannot be.
    """

    epochs: int
    batch: int
    seed: int
    beta_warmup: int = 0
    binarize: bool = False
    missing: bool = False
    reduction: Literal["mean", "sum"] = "mean"
    piece: int | None = None
    validate_every: int = 0
    patience: int | None = None
    segment_seconds: float = 1.0
    precision: Literal["full", "mixed"] = "full"

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch", 1), ("beta_warmup", 0), ("validate_every", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must lie in 0 <= seed < 2**64, got {self.seed}")
        if self.piece is not None and (self.piece < 1 or self.batch % self.piece):
            raise ValueError(f"piece must divide the batch of {self.batch} rows, got {self.piece}")
        if self.patience is not None and (self.patience < 1 or self.validate_every < 1):
            raise ValueError(
                "patience must be at least 1 and needs validate_every of at least 1, "
                f"got {self.patience} and {self.validate_every}"
            )

    @property
    def key(self) -> PRNGKey:
        """The key of all that training draws: its 64 bits are the seed, `jax.random.key(seed)` for one below 2^32.

        >>> bool(Plan(epochs=1, batch=1, seed=5).key == jax.random.key(5))
        True
        """
        if self.seed < 2**32:
            return jax.random.key(self.seed)
        return jax.random.wrap_key_data(
            jnp.array([self.seed >> 32, self.seed % 2**32], jnp.uint32), impl="threefry2x32"
        )


Plan.__init__ = former_names.argument("stretch_seconds", "segment_seconds")(Plan.__init__)


class Tally(eqx.Module):
    """The epoch so far: its batches, a short one counting for its share, and the sum of their mean bounds (nats)."""

    bound: Float[Array, ""]
    batches: Float[Array, ""]

    @classmethod
    def zero(cls) -> "Tally":
        """Nothing counted yet."""
        return cls(jnp.zeros(()), jnp.zeros(()))

    @property
    def mean(self) -> float:
        """The mean bound over the rows seen, nats; nan before the first."""
        return float(self.bound) / float(self.batches) if float(self.batches) else float("nan")


class State(eqx.Module):
    """Everything a resumed run needs: model, optimiser, steps done, the epoch's tally, the best validation so far."""

    model: Any
    optimizer: Any
    step: Int[Array, ""]
    tally: Tally
    best: Float[Array, ""]
    best_step: Int[Array, ""]
    stale: Int[Array, ""]  # validations since the best
    control: Any = None  # of the objective's control variate


def initial_state(model: Any, optimizer: optax.GradientTransformation, *, control: Any = None) -> State:
    """The state before the first step; ``control`` is that of the objective, ``objective.init()``.

    >>> int(initial_state(jnp.zeros(2), optax.sgd(0.1)).step)
    0
    """
    zero = jnp.zeros((), jnp.int32)
    return State(
        model=model,
        optimizer=optimizer.init(eqx.filter(model, eqx.is_inexact_array)),
        step=zero,
        tally=Tally.zero(),
        best=jnp.full((), -jnp.inf, float),
        best_step=zero,
        stale=zero,
        control=control,
    )


def steps_per_epoch(rows: int, batch: int) -> int:
    """``ceil(rows / batch)``: every row once an epoch; the last batch may be short.

    >>> steps_per_epoch(101, 20)
    6
    """
    return -(-rows // batch)
