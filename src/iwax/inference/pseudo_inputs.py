"""What the pseudo-inputs of a VampPrior stand for: themselves, and what is generated from each."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched
from iwax._typing import PRNGKey
from iwax.evaluation.rows import at_least, check_key
from iwax.model import LatentVariableModel
from iwax.printed import printed
from iwax.priors import Fixed, Vamp
from iwax.priors.vamp import components_of

__all__ = ["OfPseudoInputs", "generate_from_pseudo_inputs", "vamp_of"]


@printed()
class OfPseudoInputs(NamedTuple):
    """``pseudo_inputs`` [components, D], and ``mean`` [components, n, D] of p(x|z) at draws z of q(z|u_c)."""

    pseudo_inputs: np.ndarray
    mean: np.ndarray


def vamp_of(model: LatentVariableModel) -> Vamp | None:
    """The VampPrior of a model, on its topmost layer; None where it has another prior."""
    top = model.prior.topmost
    return top if isinstance(top, Vamp) else None


def generate_from_pseudo_inputs(model: LatentVariableModel, components: int, n: int, *, key: PRNGKey) -> OfPseudoInputs:
    """``z ~ q(z|u_c)`` for the first pseudo-inputs u_c, n draws each, and the means of p(x|z).

    Tomczak and Welling (2018, arXiv:1705.07120). Of several layers z_L is drawn from q(z_L|u_c) and the others from the
    prior below it. Raises ValueError where the model's prior is no `priors.Vamp`, or a count is below 1 or above the
    number of pseudo-inputs.
    """
    check_key(key)
    at_least(1, {"n": n, "components": components})
    vamp = vamp_of(model)
    if vamp is None:
        raise ValueError(f"pseudo-inputs are a VampPrior's, got a prior {type(model.prior).__name__}")
    if components > vamp.pseudo_inputs.shape[0]:
        raise ValueError(
            f"components must be at most the {vamp.pseudo_inputs.shape[0]} pseudo-inputs there are, got {components}"
        )
    means = [
        np.asarray(_generated(model, vamp, jax.random.fold_in(key, c), jnp.int32(c), n)) for c in range(components)
    ]
    return OfPseudoInputs(np.asarray(vamp.shown())[:components], np.stack(means))


@eqx.filter_jit
def _generated(model: LatentVariableModel, vamp: Vamp, key: PRNGKey, component: Array, n: int) -> Array:
    encoded = components_of(model.posterior, vamp.shown()[component][None], "a VampPrior", key=key)
    alone = Fixed(jax.tree.map(lambda leaf: leaf[0], encoded))
    of_one = eqx.tree_at(lambda m: m.prior.topmost, model, alone)
    return batched.generate(of_one, key, n)[1]
