"""Dense networks and the parts around them as a list of steps and tensors that a short script can carry out."""

import re
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from iwax import batched
from iwax.distributions import Mixture, Normal
from iwax.families import Columns, Family, categorical
from iwax.likelihoods import Chain, Likelihood, Scaled
from iwax.nn import MLP, LayerNorm, Linear, MemoryMLP, StochasticLinear
from iwax.posteriors import Encoded
from iwax.posteriors import Gaussian as GaussianPosterior

__all__ = ["Program", "decoder", "encoder", "next_to_data", "prior"]

Tensors = dict[str, np.ndarray]


class Program(NamedTuple):
    """``steps``, each with a "kind" and the names of its tensors, and ``tensors`` in single precision."""

    steps: list[dict[str, Any]]
    tensors: Tensors

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(each.nbytes for each in self.tensors.values())


def next_to_data(likelihood: Any) -> Any:
    """p(x|z) of one layer of latents, and p(x|z_1) of several."""
    return likelihood.likelihood if isinstance(likelihood, Chain) else likelihood


def decoder(likelihood: Any) -> tuple[Program, dict[str, Any]]:
    """The network from z (of several layers: from z_1) to what the likelihood is made of, and how that is read.

    The latter is ``groups``, each a family by its name in likelihood.js with its columns, whose outputs follow each
    other, and the names of the tensors ``loc`` and ``scale`` that bring x to the units of the data, where there are
    such. TypeError says what is in the way, where a likelihood is of another family or the network not dense.
    """
    part: Any = next_to_data(likelihood)
    scaled, part = (part, part.likelihood) if isinstance(part, Scaled) else (None, part)
    if not isinstance(part, Likelihood):
        raise TypeError(f"its likelihood is of kind {_named(part)}, which the page cannot evaluate")
    groups = part.family.groups if isinstance(part.family, Columns) else (part.family,)
    for family in groups:
        if family.explorer is None or (isinstance(family, categorical) and family is part.family):
            raise TypeError(f"its likelihood is of kind {_named(family)}, which the page cannot evaluate")
    program = _network(part.network, "decoder")
    outputs = len(program.tensors[program.steps[-1]["bias"]])
    of_groups = (
        part.family.columns if isinstance(part.family, Columns) else [range(outputs // groups[0].outputs_per_feature)]
    )
    found: dict[str, Any] = {"groups": [_group(f, list(c), program) for f, c in zip(groups, of_groups, strict=True)]}
    if scaled is not None:
        found |= {"loc": "units.loc", "scale": "units.scale"}
        program.tensors.update({"units.loc": _single(scaled.loc), "units.scale": _single(scaled.scale)})
    return program, found


def _group(family: Family, columns: list[int], program: Program) -> dict[str, Any]:
    """One family and its columns, with its numbers by name; its arrays are added to the tensors, one per column."""
    found: dict[str, Any] = {"family": family.explorer, "columns": columns, "outputs": family.outputs_per_feature}
    for name, value in vars(family).items():
        if eqx.is_array(value):
            found[name] = f"{family.explorer}.{columns[0]}.{name}"
            program.tensors[found[name]] = _single(np.broadcast_to(np.asarray(value), len(columns)))
        elif isinstance(value, int | float):
            found[name] = value
    return found


def encoder(posterior: Any) -> Program:
    """The network from a row to (loc, log scale) of q(z|x). TypeError where q is another, or the network not dense."""
    encoding, part = None, posterior
    if isinstance(posterior, Encoded):
        encoding, part = posterior.encoding, posterior.posterior
    if not isinstance(part, GaussianPosterior):
        raise TypeError(f"q(z|x) is of kind {_named(part)}, and the page evaluates mean-field normal ones alone")
    program = _network(part.network, "encoder")
    if part.floor:
        program.steps.append({"kind": "floored", "floor": part.floor})
    if encoding is None:
        return program
    names = {"loc": "encoding.loc", "scale": "encoding.scale"}
    tensors = {names["loc"]: _single(encoding.loc), names["scale"]: _single(encoding.scale)}
    encodings = [reading if isinstance(reading, str) else reading[1] for reading in encoding.encodings]
    first = {"kind": "encoding", "encodings": encodings, "marks": encoding.mask, **names}
    return Program([first, *program.steps], tensors | program.tensors)


def prior(model: Any, key: jax.Array) -> Tensors | None:
    """p(z) as a mixture of normals: log-weights [C], loc and scale [C, latent]; None where it is no such thing."""
    found = batched.bound(model, key).prior(key=key)
    log_weights, normals = np.zeros(1), found
    if isinstance(found, Mixture):
        log_weights, normals = jax.nn.log_softmax(np.asarray(found.log_weights)), found.components
    if not isinstance(normals, Normal):
        return None
    loc, scale = (np.atleast_2d(np.asarray(each)) for each in (normals.loc, normals.scale))
    return {
        "prior.log_weights": _single(log_weights),
        "prior.loc": _single(loc),
        "prior.scale": _single(scale),
    }


def _named(part: Any) -> str:
    """The kind of a part in words.

    >>> _named(LayerNorm(2))
    'layer norm'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(part).__name__).lower()


def _single(values: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(values), np.float32)


def _network(network: Any, prefix: str) -> Program:
    steps: list[dict[str, Any]] = []
    tensors: Tensors = {}

    def affine(layer: Any) -> None:
        if not isinstance(layer, Linear):
            why = "has random weights" if isinstance(layer, StochasticLinear) else f"has layers of {_named(layer)}"
            raise TypeError(f"the {prefix} {why}, and the page evaluates dense layers of fixed weights alone")
        _add("affine", {"weight": layer.weight, "bias": layer.bias})

    def normed(layer: LayerNorm) -> None:
        _add("norm", {"gain": layer.gain, "shift": layer.shift})

    def _add(kind: str, arrays: dict[str, Any]) -> None:
        names = {name: f"{prefix}.{len(steps)}.{name}" for name in arrays}
        steps.append({"kind": kind, **names})
        tensors.update({names[name]: _single(array) for name, array in arrays.items()})

    if isinstance(network, Linear):
        affine(network)
    elif isinstance(network, MLP):
        for i, layer in enumerate(network.layers):
            affine(layer)
            if i < network.depth:
                if network.norms:
                    normed(network.norms[i])
                steps.append({"kind": network.activation.replace("gated", "gate")})
    elif isinstance(network, MemoryMLP):
        raise TypeError(f"the {prefix} reads a memory, and the page evaluates dense networks without one alone")
    else:
        raise TypeError(f"the {prefix} is a {_named(network)}, and the page evaluates dense networks alone")
    return Program(steps, tensors)
