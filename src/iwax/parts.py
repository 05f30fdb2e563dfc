"""What a model is made of: data, distributions, and the three kinds of part that give distributions.

A prior, a likelihood and a posterior are Equinox modules that derive from `Prior`, `Likelihood` and `Posterior`, are
written for one data point and one draw, and are called with a key: the same key gives the same noise.

    prior(given, key=key)              p(z | c)
    likelihood(z, given, key=key)      p(x | z, c)
    posterior(x, key=key)              q(z | x, c)

c are the covariates of the data point, ``Datum.given``: a mapping of names to arrays (or trees of arrays), or None.
"""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Int, Num, PyTree

from iwax import former_names, supports
from iwax._typing import AnyArray, PRNGKey, Scalar

__all__ = [
    "Datum",
    "Distribution",
    "Latent",
    "Likelihood",
    "Part",
    "Posterior",
    "Prior",
    "Trace",
    "as_datum",
    "bound_to",
    "latent_of",
    "layers_of",
    "needs_of",
    "values_of",
]

Latent: TypeAlias = PyTree[Num[Array, "..."]]
Trace: TypeAlias = Any  # None, or what a flow passed through on its way


class Datum(eqx.Module):
    """One data point, or a batch of them with one leading axis on every array.

    ``values`` are the features, missing ones filled with 0: an array of any shape, or a tree of arrays; ``observed``
    marks those that are not missing (None: all). ``given`` are covariates by name, such as a label, a length or edges,
    which are handed to prior, likelihood and posterior. ``index`` is the row's number, from which its noise is keyed.
    ``inputs`` are what an encoder reads where that is not the values themselves: a row filled in, or what
    `posteriors.Encoded` makes of it. An array of rows serves wherever a Datum of complete rows without covariates does;
    `Datum.of` makes one of rows with missing values.

    >>> Datum(jnp.zeros((3, 2)), given={"label": jnp.array([0, 1, 1])}).given["label"].shape
    (3,)
    """

    values: PyTree[Num[AnyArray, "..."]]
    observed: PyTree[Bool[AnyArray, "..."]] | None = None
    given: Mapping[str, Any] | None = None
    index: Int[AnyArray, "*batch"] | None = None
    inputs: Num[AnyArray, "*batch inputs"] | None = None

    @classmethod
    def of(
        cls,
        values: Num[AnyArray, "*batch features"],
        *,
        missing: bool = False,
        index: AnyArray | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> "Datum":
        """Return rows as a datum; with ``missing`` a NaN is a value that was not observed, and 0 takes its place.

        It does so here, before anything is differentiated: a NaN behind a mask has a right value and a NaN gradient.

        ``index`` numbers the rows, whose noise is then the same in any batch (None: their places in this one).
        ``given`` are the covariates of the rows, by name, each with one leading axis.

        >>> Datum.of(np.array([[1.0, np.nan]]), missing=True).observed.tolist()
        [[True, False]]
        """
        values = jnp.asarray(values)
        values = values if jnp.issubdtype(values.dtype, jnp.inexact) else values.astype(float)
        index = None if index is None else jnp.asarray(index)
        given = None if given is None else jax.tree.map(jnp.asarray, dict(given))
        if not missing:
            return cls(values, given=given, index=index)
        observed = ~jnp.isnan(values)
        return cls(jnp.where(observed, values, 0), observed, given, index)

    def __len__(self) -> int:
        """The number of rows of a batch: the length of the leading axis of the values."""
        return jax.tree.leaves(self.values)[0].shape[0]


class Distribution(eqx.Module):
    """A random variable; every array that it depends on is a leaf of it.

    A subclass gives ``mean``, `draw` and `log_prob`; the rest has a default. ``reparameterized`` says whether a draw
    has a derivative in the arrays of the distribution, ``has_density`` whether `log_prob` is to be had at any value,
    ``from_the_top`` whether its layers are drawn from the last one.
    """

    reparameterized: ClassVar[bool] = True
    has_density: ClassVar[bool] = True
    from_the_top: ClassVar[bool] = False

    @property
    @abstractmethod
    def mean(self) -> Latent:
        """The expectation, or what stands for it."""

    @abstractmethod
    def draw(self, key: PRNGKey) -> tuple[Latent, Trace]:
        """A value, and its trace: None, or what spares `log_prob` of the same value a search."""

    @abstractmethod
    def log_prob(self, value: Latent, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """The log-density of a value, nats; with ``where``, that of the marked features."""

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Latent, Scalar]:
        """A value and its log-density, with the total derivative where a draw has one."""
        value, trace = self.draw(key)
        return value, self.log_prob(value, trace)

    def layers(self, value: Latent) -> tuple["Distribution", ...]:
        """The conditional distribution of every stochastic layer at a value, from the data upwards."""
        return (self,)

    @property
    def classes(self) -> Array | None:
        """``P(x_j = c)`` [features, classes] of features that are classes; None where there are none."""
        return None

    @property
    def states(self) -> np.ndarray | None:
        """Every value that a draw can have, [states, *shape of a value]; None where that is not a short list."""
        return None

    def clean(self, value: AnyArray, where: AnyArray | None = None) -> "Distribution":
        """The distribution of a row given what is seen of it: itself, unless values are seen through noise."""
        return self


class Part(eqx.Module):
    """A prior, likelihood or posterior. A part never stores another part of its model: `bind` hands them over."""

    @property
    def needs(self) -> Mapping[str, Any]:
        """The covariates that the part reads: shapes and dtypes (`jax.ShapeDtypeStruct`) of one data point, by name."""
        return {}

    def bind(self, model: Any, *, key: PRNGKey) -> Any:
        """The part as it is used within a model: once a step or an evaluation, for all data and draws.

        ``model`` has the other parts. The prior is bound first, then the likelihood, then the posterior, each to a
        model whose parts before it are bound. A bound part binds as itself; so does a part that needs no other.
        """
        return self

    def hidden_layers(self, context: Any, *, key: PRNGKey) -> list[Array] | None:
        """The hidden layers of the part's network at what the part is called with; None where it has none to give."""
        return None


def bound_to(model: Any, parts: tuple[Any, ...], *, key: PRNGKey) -> tuple[Any, ...]:
    """The parts of a chain, each bound to the model; what is no `Part`, as it is."""
    keys = (jax.random.fold_in(key, i) for i in range(len(parts)))
    return tuple(
        part.bind(model, key=own) if isinstance(part, Part) else part for part, own in zip(parts, keys, strict=True)
    )


class Prior(Part):
    """``p(z | c)``; called with the covariates, or None."""

    @abstractmethod
    def __call__(self, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of the latents."""

    @property
    def topmost(self) -> "Prior":
        """The prior of the topmost layer: itself where there is one layer."""
        return self

    @property
    def below(self) -> tuple[Callable[..., Distribution], ...]:
        """``p(z_{L-1} | z_L), ..., p(z_1 | z_2)`` in the order in which they are drawn; none for one layer."""
        return ()


class Likelihood(Part):
    """``p(x | z, c)``; called with a latent (a tuple of them for several layers) and the covariates, or None."""

    @abstractmethod
    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x."""

    @property
    def support(self) -> supports.Support:
        """The values that have a density, which data are checked against."""
        return supports.anything


class Posterior(Part):
    """``q(z | x, c)``; called with a `Datum`, or an array of complete features."""

    @abstractmethod
    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """The distribution of the latents at a data point."""

    @property
    def topmost(self) -> "Posterior | None":
        """``q(z_L | x)`` of the topmost layer as a part that needs no other; None where it has no such density."""
        return self


def needs_of(part: Any) -> Mapping[str, Any]:
    """The covariates that a part and all parts within it need, by name."""
    return {name: shape for each in _parts_within(part) for name, shape in each.needs.items()}


def _parts_within(node: Any) -> Iterator[Part]:
    if isinstance(node, Part):
        yield node
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        for field in dataclasses.fields(node):
            yield from _parts_within(vars(node).get(field.name))
    elif isinstance(node, tuple | list):
        for each in node:
            yield from _parts_within(each)


def layers_of(z: Latent) -> tuple[Latent, ...]:
    """The latents of every layer, from the data upwards: of one layer, a tuple of one.

    >>> layers_of(1.0), layers_of((1.0, 2.0))
    ((1.0,), (1.0, 2.0))
    """
    return z if isinstance(z, tuple) else (z,)


def latent_of(layers: tuple[Latent, ...]) -> Latent:
    """The latents of a model from those of its layers: `layers_of` the other way round.

    >>> latent_of((1.0,)), latent_of((1.0, 2.0))
    (1.0, (1.0, 2.0))
    """
    return layers[0] if len(layers) == 1 else layers


def as_datum(x: Datum | AnyArray, *, event: tuple[int, ...] | None = None, batch: bool = True) -> Datum:
    """Return complete rows ``[n, *event]`` as a datum, or one ``[*event]`` without ``batch``; a datum as it is.

    Raises TypeError for anything else, and ValueError for another number of axes (where ``event`` is None a batch needs
    2 or more) or, where that can be seen (not under `jax.jit`), for NaN.

    >>> as_datum(np.zeros((3, 2), np.uint8)).values.dtype
    dtype('float32')
    """
    if isinstance(x, Datum):
        return x
    if not isinstance(x, Array | np.ndarray):
        raise TypeError(f"x must be an array of rows [n, features] or an iwax.Datum, got {type(x).__name__}")
    if x.ndim != batch + len(event) if event is not None else x.ndim < 1 + batch:
        row = "features" if event is None or len(event) == 1 else ", ".join(map(str, event))
        shape = f"[n, {row}], such as x.reshape(len(x), -1)" if batch else f"[{row}], one row"
        raise ValueError(f"x must be an array of shape {shape}, or an iwax.Datum; got shape {x.shape}")
    if not isinstance(x, Tracer) and jnp.issubdtype(x.dtype, jnp.inexact):
        with jax.ensure_compile_time_eval():  # under `jax.jit` too, where x is a constant of the function
            if jnp.isnan(x).any():
                raise ValueError("x has missing values (NaN): give iwax.Datum.of(x, missing=True) in its place")
    return Datum.of(x)


def values_of(context: Any) -> Any:
    """The array that a network reads: a datum's inputs, or else its values, or the context itself.

    >>> values_of(Datum(values=1.0)), values_of(2.0)
    (1.0, 2.0)
    """
    if not isinstance(context, Datum):
        return context
    return context.values if context.inputs is None else context.inputs


__getattr__ = former_names.of(__name__)
