"""Dense networks by the name of their activation."""

from jaxtyping import Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.gated import GatedMLP
from iwax.nn.mlp import MLP

__all__ = ["dense_network"]


def dense_network(
    in_features: int,
    hidden: tuple[int, ...],
    out_features: int | None,
    *,
    key: PRNGKey,
    activation: str = "tanh",
    heads: int = 1,
    output_bias: Float[AnyArray, " out"] | None = None,
    initial: str = "glorot_uniform",
    sigma: float | None = None,
    floor: float = 0.0,
) -> MLP | GatedMLP:
    """A `GatedMLP` where the activation is "gated", an `MLP` with that activation otherwise.

    With ``sigma`` its weights are random (`UncertainLinear`).

    >>> import jax
    >>> type(dense_network(3, (4,), 2, key=jax.random.key(0), activation="gated")).__name__
    'GatedMLP'
    """
    if activation == "gated":
        return GatedMLP(
            in_features,
            hidden,
            out_features,
            key=key,
            heads=heads,
            output_bias=output_bias,
            initial=initial,
            sigma=sigma,
            floor=floor,
        )
    return MLP(
        in_features,
        hidden,
        out_features,
        key=key,
        activation=activation,
        heads=heads,
        output_bias=output_bias,
        initial=initial,
        sigma=sigma,
        floor=floor,
    )
