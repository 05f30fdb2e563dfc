"""The families of likelihoods by name, and the words of other settings of a model."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from iwax import supports
from iwax.families import FAMILIES, Family
from iwax.supports import Support

__all__ = ["IMAGE_LIKELIHOODS", "Activation", "Likelihood", "Order", "of_features", "support"]

Activation = Literal["tanh", "relu", "softplus", "gelu", "silu", "leaky_relu"]
IMAGE_LIKELIHOODS = ("pixelcnn", "gated_pixelcnn")
if TYPE_CHECKING:
    Likelihood: TypeAlias = str
else:
    Likelihood = Literal[(*FAMILIES, *IMAGE_LIKELIHOODS, "columns")]
Order = Literal["bottom_up", "top_down", "ladder"]


def of_features(name: str) -> Family | None:
    """The family of the likelihood of that name, whose features are all alike and independent given z; else None.

    >>> str(of_features("bernoulli").support), of_features("columns")
    ('0 or 1', None)
    """
    return FAMILIES[name]() if name in FAMILIES else None


def support(name: str) -> Support:
    """The values that have a density under the likelihood of that name; those of a table are known by its columns.

    >>> str(support("pixelcnn"))
    '0 or 1'
    """
    family = of_features(name)
    return supports.anything if name == "columns" else supports.binary if family is None else family.support
