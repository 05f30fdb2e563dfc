"""The number of a class as an array of zeros and a one."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.sizes import check_inputs

__all__ = ["OneHot"]


class OneHot(eqx.Module):
    """``e_c`` [classes] of the number c of a class, [1]: how a network reads a latent that is a class.

    >>> OneHot(3)(jnp.array([1.0])).tolist()
    [0.0, 1.0, 0.0]
    """

    classes: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.classes < 1:
            raise ValueError(f"a class is one of at least 1, got {self.classes}")

    @property
    def in_features(self) -> int:
        """1, the number of the class."""
        return 1

    @property
    def out_features(self) -> int:
        """How many classes there are."""
        return self.classes

    def __call__(self, x: Float[AnyArray, "*batch 1"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The array; ``key`` is ignored. Raises ValueError where x is not one number."""
        check_inputs(x, 1, "a one-hot code")
        x = jnp.asarray(x)
        return (x == jnp.arange(self.classes)).astype(jnp.result_type(x, float))
