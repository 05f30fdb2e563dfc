"""The ELBO with its KL divergence in closed form."""

from typing import Any

import jax
import jax.numpy as jnp

from iwax import batched
from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.distributions import Factorized
from iwax.gradients.objective import Surrogate
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["closed_form_kl"]


def closed_form_kl(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum | AnyArray,
    *,
    k: int,
    beta: Scalar | float = 1.0,
    free_bits: float = 0.0,
) -> Surrogate:
    """``(1/k) sum_i log p(x|z_i) - beta KL(q(z|x) || p(z))``: the ELBO by estimator B of Kingma and Welling (2014).

    With ``free_bits`` a unit whose KL, averaged over the rows of x, lies below that many nats costs exactly that much
    and is not pressed further (Kingma et al. 2016, arXiv:1606.04934). ``bound`` in the result is the ELBO itself.
    Needs a factorised posterior and prior of one family; raises TypeError where the KL has no closed form.
    """
    if k < 1:
        raise ValueError(f"k, the number of draws, must be at least 1, got {k}")
    model = batched.bound(model, key)

    def draw(datum: Datum, key: PRNGKey) -> tuple[Any, Any]:
        proposal = model.propose(datum, key)
        q, p = proposal.distribution, model.prior(datum.given, key=proposal.keys[0])
        if not (isinstance(q, Factorized) and isinstance(p, Factorized)):
            raise TypeError(
                "the closed-form KL needs a factorised posterior and prior, got "
                f"{type(q).__name__} and {type(p).__name__}: use surrogate(..., estimator=pathwise(elbo)) instead, "
                "or score_function where the latents are discrete"
            )
        p_x = model.likelihood(proposal.z, datum.given, key=proposal.keys[1])
        return p_x.log_prob(datum.values, where=datum.observed), q.kl(p)

    def one(key: PRNGKey, datum: Datum) -> tuple[Any, Any]:
        terms = batched.over_draws(lambda key: draw(datum, key), key, k)
        return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), terms)

    log_likelihood, kl = batched.over_data(one, key, x)
    free = jnp.mean(kl, axis=0) < free_bits
    cost = jnp.sum(jnp.where(free, free_bits, kl), axis=-1)
    elbo = jax.lax.stop_gradient(log_likelihood - jnp.sum(kl, axis=-1))
    return Surrogate(log_likelihood - beta * cost, elbo)
