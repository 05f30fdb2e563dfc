"""Dense networks and the parts around them as a list of steps and tensors that a short script can carry out."""

from typing import Any, NamedTuple

import jax
import numpy as np

from iwax import batched
from iwax.distributions import Factorized, Mixture
from iwax.likelihoods import Bernoulli, Chain, Gaussian
from iwax.nn import MLP, GatedMLP, LayerNorm, Linear
from iwax.posteriors import Coded
from iwax.posteriors import Gaussian as GaussianPosterior

__all__ = ["Program", "decoder", "encoder", "prior"]

Tensors = dict[str, np.ndarray]


class Program(NamedTuple):
    """``steps``, each with a "kind" and the names of its tensors, and ``tensors`` in single precision."""

    steps: list[dict[str, str]]
    tensors: Tensors

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(each.nbytes for each in self.tensors.values())


def decoder(likelihood: Any) -> tuple[Program, str]:
    """The network from z (of several layers: from z_1) to what the likelihood is made of, and the likelihood's name.

    TypeError says what is in the way, where the likelihood is neither Bernoulli nor Gaussian or the network not dense.
    """
    part = likelihood.likelihood if isinstance(likelihood, Chain) else likelihood
    if not isinstance(part, Bernoulli | Gaussian):
        raise TypeError(f"the likelihood is {type(part).__name__}, and the page knows Bernoulli and Gaussian ones")
    program = _network(part.network, "decoder")
    if isinstance(part, Bernoulli):
        return program, "bernoulli"
    if part.log_scale is not None:
        features = np.shape(program.tensors[program.steps[-1]["bias"]])
        program.tensors["log_scale"] = _single(np.broadcast_to(np.asarray(part.log_scale), features))
    return program, "gaussian"


def encoder(posterior: Any) -> Program:
    """The network from a row to (loc, log scale) of q(z|x). TypeError where q is another, or the network not dense."""
    coding, part = None, posterior
    if isinstance(posterior, Coded):
        coding, part = posterior.coding, posterior.posterior
    if not isinstance(part, GaussianPosterior):
        raise TypeError(f"the posterior is {type(part).__name__}, and the page knows mean-field Gaussian ones")
    program = _network(part.network, "encoder")
    if coding is None:
        return program
    if any(reading != "linear" for reading in coding.readings):
        raise TypeError("the encoder reads columns of several kinds, and the page knows numbers as they are")
    names = {"loc": "coding.loc", "scale": "coding.scale"}
    tensors = {names["loc"]: _single(coding.loc), names["scale"]: _single(coding.scale)}
    first = {"kind": "coding with marks" if coding.mask else "coding", **names}
    return Program([first, *program.steps], tensors | program.tensors)


def prior(model: Any, key: jax.Array) -> Tensors | None:
    """p(z) as a mixture of normals: log-weights [C], loc and scale [C, latent]; None where it is no such thing."""
    found = batched.prepared(model, key)(None, key=key)
    log_weights, normals = np.zeros(1), found
    if isinstance(found, Mixture):
        log_weights, normals = jax.nn.log_softmax(np.asarray(found.log_weights)), found.components
    if not isinstance(normals, Factorized) or normals.family != "normal":
        return None
    loc, scale = (np.atleast_2d(np.asarray(each)) for each in normals.parameters)
    return {
        "prior.log_weights": _single(log_weights),
        "prior.loc": _single(loc),
        "prior.scale": _single(scale),
    }


def _single(values: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(values), np.float32)


def _network(network: Any, prefix: str) -> Program:
    steps: list[dict[str, str]] = []
    tensors: Tensors = {}

    def affine(layer: Any) -> None:
        if not isinstance(layer, Linear):
            raise TypeError(f"a layer is {type(layer).__name__}, and the page knows layers whose weights are numbers")
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
                steps.append({"kind": network.activation})
    elif isinstance(network, GatedMLP):
        for layer in network.hidden:
            affine(layer.both)
            steps.append({"kind": "gate"})
        if network.output is not None:
            affine(network.output)
    else:
        raise TypeError(f"the network is {type(network).__name__}, and the page knows dense ones")
    return Program(steps, tensors)
