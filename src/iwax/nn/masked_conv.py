"""Masked convolutions: every pixel sees pixels before it, row by row."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.convolution import convolve
from iwax.nn.init import kernel
from iwax.nn.sizes import check_positive

__all__ = ["MaskedConv"]


class MaskedConv(eqx.Module):
    """``W * x + b`` of an image, W within a kernel x kernel window round the pixel, less what comes after it.

    ``stack="raster"``: the pixels before this one, row by row; "vertical": the rows above; "horizontal": those to the
    left in its row (van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759; van den Oord et al. 2016,
    arXiv:1606.05328). Kind "A" sees none of the pixel itself (vertical: of its row), as a first layer must; "B" sees
    it. W starts by one of the distributions of `nn.init.dense_weight` for the numbers that it sees, b at zero. Raises
    ValueError on an even kernel, or one below 3.

    >>> import jax
    >>> conv = MaskedConv(1, 8, 3, kind="A", key=jax.random.key(0))
    >>> conv(jnp.ones((1, 4, 4))).shape
    (8, 4, 4)
    >>> conv(jnp.ones((1, 4, 4)))[:, 0, 0].any()  # nothing comes before the first pixel
    Array(False, dtype=bool)
    """

    weight: Float[Array, "out in height width"]
    bias: Float[Array, " out"]
    kernel: int = eqx.field(static=True)
    kind: Literal["A", "B"] = eqx.field(static=True)
    stack: Literal["raster", "vertical", "horizontal"] = eqx.field(static=True)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        kind: Literal["A", "B"],
        stack: Literal["raster", "vertical", "horizontal"] = "raster",
        key: PRNGKey,
        heads: int = 1,
        initial: str = "glorot_uniform",
    ) -> None:
        check_positive({"in_channels": in_channels, "out_channels": out_channels})
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(f"the kernel of a masked convolution must be odd and at least 3, got {kernel_size}")
        self.kernel, self.kind, self.stack = kernel_size, kind, stack
        seen = self._seen()
        self.weight = kernel(
            in_channels,
            out_channels,
            *seen.shape,
            key=key,
            heads=heads,
            dilution=float(seen.size / seen.sum()),
            initial=initial,
        )
        self.bias = jnp.zeros(out_channels)

    def __call__(
        self, x: Float[AnyArray, "in height width"], *, key: PRNGKey | None = None
    ) -> Float[Array, "out height width"]:
        """The output at an image; ``key`` is ignored."""
        weight, half = jnp.where(self._seen(), self.weight, 0), self.kernel // 2
        image = jnp.asarray(x).astype(weight.dtype)
        above = 0 if self.stack == "horizontal" else weight.shape[-2] - 1
        left, right = (weight.shape[-1] - 1, 0) if self.stack == "horizontal" else (half, half)
        down, back = (int(self.kind == "A" and self.stack == stack) for stack in ("vertical", "horizontal"))
        edges = ((above + down, -down), (left + back, right - back))  # moved by a pixel, not to see its own
        return convolve(image, weight, edges=edges) + self.bias[:, None, None]

    def within(self, window: Float[Array, "in rows columns"]) -> Float[Array, "out out_rows out_columns"]:
        """The outputs whose whole windows, of the size of the weight, lie in a piece of an image: nothing is added."""
        weight = jnp.where(self._seen(), self.weight, 0)
        return convolve(window, weight) + self.bias[:, None, None]

    def _seen(self) -> np.ndarray:
        """Which positions of the window count. Rows and columns that none does are not in it."""
        half, here = self.kernel // 2, int(self.kind == "B")
        if self.stack == "vertical":
            return np.ones((half + here, self.kernel), bool)
        if self.stack == "horizontal":
            return np.ones((1, half + here), bool)
        seen = np.ones((half + 1, self.kernel), bool)
        seen[-1, half + here :] = False
        return seen
