"""What the latent units are used for: their activity and their share of the KL divergence."""

from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched
from iwax._typing import PRNGKey
from iwax.distributions import Bernoulli, Normal
from iwax.evaluation.rows import DataPoints, at_least, by_row, checked
from iwax.evaluation.tables import numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum, layers_of

__all__ = ["active_units", "kl_by_row", "kl_per_unit", "posterior_means", "unit_activity"]

_ROWS = 100  # taken at once
Rows: TypeAlias = np.ndarray | None


def unit_activity(
    model: LatentVariableModel, x: DataPoints, *, key: PRNGKey, draws: int = 1, rows: Rows = None, missing: bool = False
) -> list[np.ndarray]:
    """``A_u = Var_x(E_{q(u|x)}[u])`` for every unit of every stochastic layer, from the data upwards.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519), who call a unit active where A_u > 0.01. The means of the
    layers above the first are averaged over ``draws`` ancestral draws (the paper's code takes one). With ``missing`` a
    NaN marks a value that was not observed. Raises ValueError where x is not a table of finite numbers of the model's
    width.
    """
    return [means.var(axis=0) for means in posterior_means(model, x, key=key, draws=draws, rows=rows, missing=missing)]


def active_units(activity: list[np.ndarray], *, threshold: float = 0.01) -> list[int]:
    """How many units of each layer have ``A_u > threshold``.

    >>> active_units([np.array([0.5, 0.001]), np.array([0.2])])
    [1, 1]
    """
    return [int(np.sum(numeric("activity", layer) > threshold)) for layer in activity]


def posterior_means(
    model: LatentVariableModel, x: DataPoints, *, key: PRNGKey, draws: int = 1, rows: Rows = None, missing: bool = False
) -> list[np.ndarray]:
    """``E_{q(z_l|x)}[z_l]`` for every stochastic layer l, [n, units of l] each, float64; rows as `unit_activity`."""
    return _over_rows(_means, model, x, key, draws, rows, missing)


def _means(model: LatentVariableModel, key: PRNGKey, datum: Datum) -> Any:
    proposal = model.propose(datum, key)
    return [layer.mean for layer in proposal.distribution.layers(proposal.z)]


def kl_per_unit(
    model: LatentVariableModel, x: DataPoints, *, key: PRNGKey, draws: int = 1, rows: Rows = None, missing: bool = False
) -> list[np.ndarray]:
    """The mean over the data of ``E_q(z|x)[log q(u|.) - log p(u|.)]`` for every unit u of every layer, nats.

    The units of all layers add up to ``E log p(x|z) - ELBO``; `kl_by_row` has what each row adds. Rows as
    `unit_activity` takes them.
    """
    return [each.mean(axis=0) for each in kl_by_row(model, x, key=key, draws=draws, rows=rows, missing=missing)]


def kl_by_row(
    model: LatentVariableModel, x: DataPoints, *, key: PRNGKey, draws: int = 1, rows: Rows = None, missing: bool = False
) -> list[np.ndarray]:
    """``E_q(z|x)[log q(u|.) - log p(u|.)]`` of every row and every unit u of every layer, [n, units of l] each, nats.

    Of a posterior drawn from the data upwards the topmost layer is taken in closed form given the one below it; in the
    others p(u|.) is conditioned on a layer that was drawn from u, so that the ratio is taken at the draw itself. Of one
    drawn from the top every layer is closed given those above. Averaged over ``draws`` ancestral draws of q.
    A layer whose posterior or prior is no product over units has one number, that of the layer as a whole, [n, 1].
    """
    return _over_rows(_divergences, model, x, key, draws, rows, missing)


def _divergences(model: LatentVariableModel, key: PRNGKey, datum: Datum) -> Any:
    proposal, log_posterior = model.propose_with_log_prob(datum, key)
    z = layers_of(proposal.z)
    q, p = proposal.distribution.layers(proposal.z), model.prior(datum.given, key=proposal.keys[0]).layers(proposal.z)
    layers: list[Any] = list(zip(q, p, z, strict=True))
    if len(layers) == 1 and not _factorised(*layers[0][:2]):
        return [(log_posterior - p[0].log_prob(z[0]))[None]]
    from_the_top = proposal.distribution.from_the_top  # p(u|.) is then given what u was drawn after
    return [_of_layer(*layer, closed=from_the_top or i == len(layers) - 1) for i, layer in enumerate(layers)]


def _factorised(q: Any, p: Any) -> bool:
    return type(q) is type(p) and isinstance(q, Normal | Bernoulli)


def _of_layer(q: Any, p: Any, z: Any, *, closed: bool) -> Array:
    if not _factorised(q, p):
        return (q.log_prob(z) - p.log_prob(z))[None]
    return q.kl(p) if closed else q.each(z) - p.each(z)


def _over_rows(
    function: Callable[[LatentVariableModel, PRNGKey, Datum], Any],
    model: LatentVariableModel,
    x: DataPoints,
    key: PRNGKey,
    draws: int,
    rows: Rows,
    missing: bool,
) -> list[np.ndarray]:
    """The mean over draws of a list of arrays per row, for all rows of x, [n, ...] each, some at a time."""
    x = checked(model, x, rows, key, missing=missing)
    at_least(1, {"draws": draws})
    model = batched.ready(model, key)
    found = by_row(lambda block: _call(function, model, key, block.x, draws), x, _ROWS)
    return [np.asarray(layer, np.float64) for layer in found]


@eqx.filter_jit
def _call(function: Callable[..., Any], model: LatentVariableModel, key: PRNGKey, x: Datum, draws: int) -> Any:
    """A function of the module, so that a second call with one function and one shape does not compile again."""
    model = batched.bound(model, key)

    def one(key: PRNGKey, datum: Datum) -> Any:
        drawn = batched.over_draws(lambda key: function(model, key, datum), key, draws)
        return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), drawn)

    return batched.over_data(one, key, x)
