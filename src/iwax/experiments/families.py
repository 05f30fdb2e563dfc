"""The families of priors, likelihoods and posteriors by name, and which settings each of them uses."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from iwax.families import FAMILIES

__all__ = [
    "CONVOLUTIONAL",
    "DEFAULTS",
    "IMAGE_LIKELIHOODS",
    "OF_POSTERIOR",
    "OF_PRIOR",
    "WITHOUT_DENSITY",
    "Activation",
    "Attention",
    "Composition",
    "Likelihood",
    "Order",
    "Posterior",
    "Prior",
]

Activation = Literal["tanh", "relu", "softplus", "gelu", "silu", "leaky_relu"]
IMAGE_LIKELIHOODS = ("pixelcnn", "gated_pixelcnn")
if TYPE_CHECKING:
    Likelihood: TypeAlias = str
else:
    Likelihood = Literal[(*FAMILIES, *IMAGE_LIKELIHOODS, "columns")]
Prior = Literal["standard_normal", "bernoulli", "mixture", "vamp", "exemplar", "flow", "autoregressive"]
Posterior = Literal[
    "gaussian",
    "bernoulli",
    "full_gaussian",
    "mixture",
    "householder",
    "linear_iaf",
    "convex_linear_iaf",
    "planar",
    "radial",
    "nice",
    "real_nvp",
    "iaf",
    "sylvester",
    "hamiltonian",
    "prior",
]
Attention = Literal["sigmoid", "softmax"]
Composition = Literal["full", "sum"]
Order = Literal["bottom_up", "top_down", "ladder"]

CONVOLUTIONAL = ("conv", "conv_hvae")  # networks
WITHOUT_DENSITY = ("hamiltonian",)  # posteriors that cannot be evaluated at a given z

# Which of the settings of a model a part uses; all others leave it as it is.
OF_POSTERIOR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mixture": ("posterior_components",),
        "householder": ("posterior_steps",),
        "convex_linear_iaf": ("posterior_components",),
        "planar": ("posterior_steps",),
        "radial": ("posterior_steps",),
        "nice": ("posterior_steps", "flow_hidden"),
        "real_nvp": ("posterior_steps", "flow_hidden"),
        "iaf": ("posterior_steps", "flow_hidden"),
        "sylvester": ("posterior_steps", "posterior_components"),
        "hamiltonian": ("posterior_steps", "flow_hidden"),
    }
)
OF_PRIOR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mixture": ("prior_components",),
        "vamp": ("prior_components", "pseudo_inputs"),
        "exemplar": ("prior_components",),
        "flow": ("prior_steps", "flow_hidden"),
        "autoregressive": ("prior_steps", "flow_hidden"),
    }
)
# What null stands for.
DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "posterior_steps": 4,
        "posterior_components": 5,
        "prior_components": 500,
        "prior_steps": 4,
        "kernel": 3,
        "stride": 2,
    }
)
