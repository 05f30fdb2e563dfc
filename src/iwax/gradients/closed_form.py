"""The ELBO with its KL divergence in closed form."""

import warnings
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from iwax import batched
from iwax._typing import PRNGKey, Scalar
from iwax.distributions import Normal
from iwax.gradients.protocol import AbstractObjective, Beta, Rows, Surrogate
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["ClosedFormKL", "closed_form_kl"]


@dataclass(frozen=True)
class ClosedFormKL(AbstractObjective):
    """``(1/k) sum_i log p(x|z_i) - beta KL(q(z|x) || p(z))``: the ELBO by estimator B of Kingma and Welling (2014).

    With ``free_bits`` a unit whose KL, averaged over the rows of x, lies below that many nats costs exactly that much
    and is not pressed further (Kingma et al. 2016, arXiv:1606.04934): a batch is then taken whole. ``bound`` in the
    result is the ELBO itself. Needs a factorised posterior and prior of one family; raises TypeError where the KL has
    no closed form, and ValueError where k is below 1 or free_bits negative.
    """

    k: int = 1  # pyright: ignore[reportIncompatibleVariableOverride]
    free_bits: float = 0.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k, the number of draws, must be at least 1, got {self.k}")
        if not self.free_bits >= 0:
            raise ValueError(f"free_bits must not be negative, got {self.free_bits}")

    @property
    def whole_batch(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the KL of a unit is averaged over the rows, so that a row's value depends on the others."""
        return self.free_bits > 0

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        model = batched.bound(model, key)

        def draw(datum: Datum, key: PRNGKey) -> tuple[Any, Any]:
            proposal = model.propose(datum, key)
            q, p = proposal.distribution, model.prior(datum.given, key=proposal.keys[0])
            if not (isinstance(q, Normal) and isinstance(p, Normal)):
                raise TypeError(
                    "the closed-form KL needs a factorised posterior and prior, got "
                    f"{type(q).__name__} and {type(p).__name__}: use gradients.Objective(gradients.pathwise("
                    "bounds.elbo), k) instead, or score_function where the latents are discrete"
                )
            p_x = model.likelihood(proposal.z, datum.given, key=proposal.keys[1])
            return p_x.log_prob(datum.values, where=datum.observed), q.kl(p)

        def one(key: PRNGKey, datum: Datum) -> tuple[Any, Any]:
            terms = batched.over_draws(lambda key: draw(datum, key), key, self.k)
            return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), terms)

        log_likelihood, kl = batched.over_data(one, key, x)
        free = jnp.mean(kl, axis=0) < self.free_bits
        cost = jnp.sum(jnp.where(free, self.free_bits, kl), axis=-1)
        elbo = jax.lax.stop_gradient(log_likelihood - jnp.sum(kl, axis=-1))
        return Surrogate(log_likelihood - beta * cost, elbo)


def closed_form_kl(
    model: Any = None,
    key: Any = None,
    x: Any = None,
    *,
    k: int,
    free_bits: float = 0.0,
    beta: Scalar | float = 1.0,
) -> Any:
    """``(1/k) sum_i log p(x|z_i) - beta KL(q(z|x) || p(z))`` as an objective: see `ClosedFormKL`.

    Given a model, a key and x it is called at once, which is deprecated: ``closed_form_kl(k=k)(model, key, x)``.

    >>> closed_form_kl(k=5, free_bits=0.5)
    ClosedFormKL(k=5, free_bits=0.5)
    """
    objective = ClosedFormKL(k, free_bits)
    if model is None:
        return objective
    warnings.warn(
        "closed_form_kl(model, key, x, k=k) is deprecated: write closed_form_kl(k=k)(model, key, x)",
        DeprecationWarning,
        stacklevel=2,
    )
    return objective(model, key, x, beta=beta)
