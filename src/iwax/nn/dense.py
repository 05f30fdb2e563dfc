"""Dense networks by the name of their activation."""

from functools import partial

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
    norm: bool = False,
) -> MLP | GatedMLP:
    """A `GatedMLP` where the activation is "gated", an `MLP` with that activation otherwise.

    With ``sigma`` its weights are random (`UncertainLinear`); with ``norm`` hidden layers are normalised, which a gated
    network has none of: that is a ValueError.

    >>> import jax
    >>> type(dense_network(3, (4,), 2, key=jax.random.key(0), activation="gated")).__name__
    'GatedMLP'
    """
    gated = activation == "gated"
    if gated and norm:
        raise ValueError("a gated network has no normalised layers: leave norm out, or take another activation")
    make = GatedMLP if gated else partial(MLP, activation=activation, norm=norm)
    return make(
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
