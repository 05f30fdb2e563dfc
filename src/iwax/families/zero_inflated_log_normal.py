"""Numbers that are 0 or positive."""

import jax.numpy as jnp
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.log_normal import LogNormal
from iwax.families.outputs import split
from iwax.families.start import Cells, Start, encoded, logit, output_of, share

__all__ = ["ZeroInflatedLogNormal"]


class ZeroInflatedLogNormal(LogNormal):
    """``P(x_j = 0) = g_j``, else ``log x_j ~ N(loc_j, scale_j^2)``: a hurdle, as of rain or of money spent.

    Wang, Liu and Miao (2019, arXiv:1912.07753). The network gives the logits of all g last.
    """

    name = "zero_inflated_lognormal"
    title = "zero-inflated log-normal"
    support = supports.nonnegative
    encoding = "log_or_zero"
    explorer = "zero-inflated lognormal"

    @property
    def outputs_per_feature(self) -> int:
        """Those of a log-normal, and g."""
        return super().outputs_per_feature + 1

    def of_outputs(self, outputs: Array) -> distributions.Hurdle:
        """At loc, perhaps log scale, and gate."""
        *positive, gate = split(outputs, self.outputs_per_feature, self.who)
        return distributions.Hurdle(distributions.LogNormal(*self.located(jnp.concatenate(positive, axis=-1))), gate)

    def column(self, cells: Cells) -> Start:
        """Those of the logarithms of cells above 0, and the share of zeros."""
        centre, spread = encoded(self.encoding, cells)
        return Start((centre, output_of(spread, self.floor), logit(share(cells == 0))), (centre, spread))
