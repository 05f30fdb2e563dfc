"""Binary images whose pixels depend on those before them."""

import math
from typing import Any

import jax

from iwax import distributions, supports
from iwax._typing import PRNGKey
from iwax.parts import Latent, Likelihood
from iwax.supports import Support

__all__ = ["Autoregressive"]


class Autoregressive(Likelihood):
    """``p(x|z) = prod_i Bernoulli(x_i; sigmoid(m_i(x_<i, maps(z))))``, pixel by pixel, row by row.

    ``network`` gives the logits m: `nn.PixelCNN`, as in Tomczak and Welling's PixelHVAE (2018, arXiv:1705.07120), or
    `nn.GatedPixelCNN` (van den Oord et al. 2016, arXiv:1606.05328; as a decoder, Gulrajani et al. 2017,
    arXiv:1611.05013). ``maps`` takes a latent to its conditioning maps, flat. Raises ValueError where their sizes do
    not fit. It takes no missing values, and there is no mean in closed form: see `distributions.Autoregressive.mean`.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP, PixelCNN
    >>> network = PixelCNN((4, 4), channels=8, layers=2, map_channels=2, key=jax.random.key(0))
    >>> p = Autoregressive(MLP(3, (), 2 * 16, key=jax.random.key(1)), network)(jnp.zeros(3), key=jax.random.key(2))
    >>> p.mean.shape
    (16,)
    """

    maps: Any
    network: Any

    def __check_init__(self) -> None:
        needed = self.network.map_channels * math.prod(self.network.size)
        if self.maps.out_features != needed:
            height, width = self.network.size
            raise ValueError(
                f"an autoregressive likelihood needs maps of {needed} features for its network, which takes "
                f"{self.network.map_channels} conditioning maps of {height} x {width}; got a network of "
                f"{self.maps.out_features}"
            )

    @property
    def support(self) -> Support:
        """Zeros and ones."""
        return supports.binary

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> distributions.Autoregressive:
        """The distribution of x at a latent; its mean follows a path drawn with this key."""
        maps = self.maps(z, key=jax.random.fold_in(key, 0))
        maps = maps.reshape(self.network.map_channels, *self.network.size)
        return distributions.Autoregressive(self.network, maps, jax.random.fold_in(key, 1))
