"""Ancestral products: one random variable conditioned on the one before."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from iwax._typing import PRNGKey, Scalar
from iwax.parts import Distribution, Latent, Trace

__all__ = ["Chain"]


class Chain(Distribution):
    """``p(z_1) p(z_2 | z_1) ... p(z_L | z_{L-1})`` drawn in that order; ``downwards``, ``p(z_L) ... p(z_1 | z_2)``.

    The value is always the tuple ``(z_1, ..., z_L)`` ordered from the data upwards. The conditional parts and their
    keys are leaves, so that a chain whose leaves are held constant is constant in its networks and live in its inputs.
    """

    first: Distribution
    conditionals: tuple[Callable[..., Distribution], ...]
    keys: Any  # one key a conditional part: the noise of its network, if it has any
    downwards: bool = eqx.field(static=True)

    @property
    def from_the_top(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the topmost layer is drawn first."""
        return self.downwards

    def _conditional(self, i: int, given: Latent) -> Distribution:
        return self.conditionals[i](given, key=self.keys[i])

    def _in_order(self, values: tuple) -> tuple:
        return tuple(reversed(values)) if self.downwards else tuple(values)

    @property
    def mean(self) -> Latent:
        """The means passed on from layer to layer: ``E[z_l | z_{l-1} = its mean]``."""
        means = [self.first.mean]
        for i in range(len(self.conditionals)):
            means.append(self._conditional(i, means[-1]).mean)
        return self._in_order(tuple(means))

    def draw(self, key: PRNGKey) -> tuple[Latent, Trace]:
        """One ancestral draw; the trace is the tuple of the layers' traces."""
        z, trace = self.first.draw(jax.random.fold_in(key, 0))
        values, traces = [z], [trace]
        for i in range(len(self.conditionals)):
            z, trace = self._conditional(i, z).draw(jax.random.fold_in(key, i + 1))
            values.append(z)
            traces.append(trace)
        return self._in_order(tuple(values)), tuple(traces)

    def log_prob(self, value: Latent, trace: Trace = None, where: Any = None) -> Scalar:
        """The sum of the layers' log-densities, nats."""
        if where is not None:
            raise ValueError("a chain of latents has no observed mask: where must be None")
        traces = trace if trace is not None else (None,) * (len(self.conditionals) + 1)
        values = self._in_order(value)
        layers = self._layers_as_drawn(values)
        terms = [layer.log_prob(z, t) for layer, z, t in zip(layers, values, traces, strict=True)]
        return sum(terms[1:], start=terms[0])

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Latent, Scalar]:
        """One ancestral draw and its log-density, with the total derivative."""
        z, total = self.first.sample_and_log_prob(jax.random.fold_in(key, 0))
        values = [z]
        for i in range(len(self.conditionals)):
            z, log_prob = self._conditional(i, z).sample_and_log_prob(jax.random.fold_in(key, i + 1))
            values.append(z)
            total = total + log_prob
        return self._in_order(tuple(values)), total

    def layers(self, value: Latent) -> tuple[Distribution, ...]:
        """The conditional distribution of every layer at this value, from the data upwards, as the values are."""
        return self._in_order(self._layers_as_drawn(self._in_order(value)))

    def _layers_as_drawn(self, values: tuple) -> tuple[Distribution, ...]:
        return (self.first, *(self._conditional(i, values[i]) for i in range(len(self.conditionals))))
