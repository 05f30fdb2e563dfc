"""Memory: slots that a hidden layer reads by attention, and decoders of such layers."""

from typing import Literal, TypeAlias, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.layered import Layered
from iwax.nn.linear import Linear
from iwax.nn.mlp import MLP
from iwax.nn.normalisation import standardized
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs, check_positive

__all__ = ["Attention", "Composition", "Memory", "MemoryMLP"]

Attention: TypeAlias = Literal["sigmoid", "softmax"]
Composition: TypeAlias = Literal["full", "sum"]

_SMALL = 0.1  # standard deviation of slots at the start


class Memory(eqx.Module):
    """``h_m = attention(h C + c) M``, composed with h: a layer that adds detail from S learned slots M [S, features].

    Composition "full", elementwise with learned vectors a, b and c,

        ``relu(a1 + a2 h + b1 sigmoid(c1 + c2 h + c3 h_m + c4 h h_m) + a3 h_m + a4 h h_m)``,

    starts at a2 = c2 = 1 and all others 0, where it gives relu(h); "sum" is ``relu(h + h_m)``. Attention is "sigmoid"
    (every slot by itself) or "softmax" (shares of one). Li, Zhu and Zhang (2016, arXiv:1602.07416), section 3, and
    their program. Raises ValueError on sizes below 1 and on an unknown attention or composition.

    >>> memory = Memory(4, 3, key=jax.random.key(0))
    >>> memory(jnp.ones(4)).tolist(), memory.attend(jnp.ones(4)).shape
    ([1.0, 1.0, 1.0, 1.0], (3,))
    """

    address: Linear
    slots: Float[Array, "slots features"]
    a: Float[Array, "4 features"] | None
    b: Float[Array, " features"] | None
    c: Float[Array, "4 features"] | None
    attention: str = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        slots: int,
        *,
        key: PRNGKey,
        attention: str = "sigmoid",
        composition: str = "full",
    ) -> None:
        check_positive({"features": features, "slots": slots})
        for name, value, known in (
            ("attention", attention, get_args(Attention)),
            ("composition", composition, get_args(Composition)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        of_address, of_slots = jax.random.split(key)
        self.address = Linear(features, slots, key=of_address)
        self.slots = _SMALL * jax.random.normal(of_slots, (slots, features))
        self.a = self.b = self.c = None
        if composition == "full":
            second = jnp.zeros((4, features)).at[1].set(1.0)  # of h
            self.a, self.b, self.c = second, jnp.zeros(features), second.copy()
        self.attention = attention

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.slots.shape[-1]

    @property
    def out_features(self) -> int:
        """How many numbers it gives: as many as it takes."""
        return self.in_features

    def attend(self, h: Float[AnyArray, "*batch features"]) -> Float[Array, "*batch slots"]:
        """How much of every slot is read: numbers in 0..1, with softmax of sum 1."""
        scores = self.address(h)
        return jax.nn.softmax(scores) if self.attention == "softmax" else jax.nn.sigmoid(scores)

    def __call__(
        self, h: Float[AnyArray, "*batch features"], *, key: PRNGKey | None = None
    ) -> Float[Array, "*batch features"]:
        """The composed layer; ``key`` is ignored. Raises ValueError where h has another number of features."""
        check_inputs(h, self.in_features, "a memory")
        return self.composed(jnp.asarray(h), product(self.attend(h), self.slots))

    def composed(self, h: Array, read: Array) -> Array:
        """h composed with what is read."""
        if self.a is None or self.b is None or self.c is None:
            return jax.nn.relu(h + read)
        both = h * read
        (a1, a2, a3, a4), (c1, c2, c3, c4) = self.a, self.c
        detail = jax.nn.sigmoid(c1 + c2 * h + c3 * read + c4 * both)
        return jax.nn.relu(a1 + a2 * h + self.b * detail + a3 * read + a4 * both)


class MemoryMLP(Layered):
    """An `MLP` whose hidden layer l reads a memory of ``slots[l]`` slots behind its activation; 0: no memory there.

    The decoder of Li, Zhu and Zhang (2016, arXiv:1602.07416): widths (500, 500) from z on, with 30 and 70 slots. They
    normalise over a batch; here, with ``norm``, over the features of one data point. The activation is ReLU, as the
    memory's composition. Without slots it is the `MLP` of the same key, bit for bit. Raises ValueError as `MLP` and
    `Memory`, and unless there is one number of slots per hidden layer.

    >>> net = MemoryMLP(5, (8, 8), 6, slots=(3, 4), key=jax.random.key(0), norm=True)
    >>> net(jnp.zeros(5)).shape
    (6,)
    """

    network: MLP
    memories: tuple[Memory | None, ...]

    def __init__(
        self,
        in_features: int,
        hidden: tuple[int, ...],
        out_features: int | None,
        *,
        slots: tuple[int, ...],
        key: PRNGKey,
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "glorot_uniform",
        norm: bool = False,
        attention: str = "sigmoid",
        composition: str = "full",
    ) -> None:
        _check_slots(slots, hidden)
        self.network = MLP(
            in_features,
            hidden,
            out_features,
            key=key,
            activation="relu",
            heads=heads,
            output_bias=output_bias,
            initial=initial,
            norm=norm,
        )
        how = {"attention": attention, "composition": composition}
        self.memories = tuple(
            Memory(width, count, key=jax.random.fold_in(key, len(hidden) + 1 + i), **how) if count else None
            for i, (width, count) in enumerate(zip(hidden, slots, strict=True))
        )

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.network.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.network.out_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x; ``key`` is ignored. Raises ValueError where x has another number of features."""
        *_, h = self._layers(x)
        return h if self.network.trunk else self.network.layers[-1](h)

    def states(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> list[Array]:
        """Every hidden layer's outputs, to mean 0 and variance 1 over its features; from the input on."""
        return [standardized(h) for h in self._layers(x)[1:]]

    def attention(self, x: Float[AnyArray, "*batch in"]) -> list[Array]:
        """How much every memory's slots are read at x, [*batch, slots] each; from the input on."""
        layers = self._layers(x)
        return [
            memory.attend(self._before(i, layers[i])) for i, memory in enumerate(self.memories) if memory is not None
        ]

    def reading(
        self, layer: int, read: Float[AnyArray, " features"], x: Float[AnyArray, " in"]
    ) -> Float[Array, " out"]:
        """The output at x where the memory of hidden layer ``layer`` reads this instead, ``attention @ slots``."""
        h = jnp.asarray(x)
        for i, memory in enumerate(self.memories):
            h = self._before(i, h)
            if memory is not None:
                h = memory.composed(h, jnp.asarray(read)) if i == layer else memory(h)
        return h if self.network.trunk else self.network.layers[-1](h)

    def _layers(self, x: AnyArray) -> list[Array]:
        """The input, and the outputs of every hidden layer."""
        found = [jnp.asarray(x)]
        for i, memory in enumerate(self.memories):
            h = self._before(i, found[-1])
            found.append(h if memory is None else memory(h))
        return found

    def _before(self, i: int, x: AnyArray) -> Array:
        """Hidden layer i before its memory."""
        return self.network.activated(i, self.network.layers[i](x))


def _check_slots(slots: tuple[int, ...], hidden: tuple[int, ...]) -> None:
    if len(slots) != len(hidden):
        raise ValueError(f"slots needs one number for each of the {len(hidden)} hidden layers, 0 for none, got {slots}")
    if any(count < 0 for count in slots):
        raise ValueError(f"numbers of slots must not be negative, got {slots}")
