"""Gradient estimators: three weights per draw, computed from the log-weights alone.

With L' and L'' the first and the diagonal second derivative of the bound in each log w_i, z̄ the draw held constant and
beta the temperature in ``log w = log p(x|z) + beta (log p(z) - log q(z|x))``, every update ascends

    sum_i a_i d_theta log w_i  +  sum_i b_i d_z log w_i d_phi z_i  +  sum_i c_i d_phi log q(z̄_i|x).

===========================  ====  ==============  =====================  ==============================================
estimator                    a     b               c                      unbiased for the gradient of the bound
===========================  ====  ==============  =====================  ==============================================
pathwise                     L'    L'              -beta L'               yes
sticking_the_landing         L'    L'              0                      only where L'' = 0, as for the ELBO
doubly_reparameterized       L'    L' - beta L''   0                      yes, for smooth bounds
score_function               L'    0               L - baseline -beta L'  yes; needs no derivative of z
covariance                   L'    0               the bound's own        in the limit of large k (thermodynamic bounds)
wake                         w̃     0               w̃                      another target: -d_phi KL(p || q), as k grows
doubly_reparameterized_wake  w̃     w̃ - w̃^2         0                      the same target as wake
===========================  ====  ==============  =====================  ==============================================

`paired` takes a from one and b, c from another. All of them raise TypeError for what is no bound.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from iwax._typing import LogWeights, PRNGKey, Scalar
from iwax.batched import Hold
from iwax.bounds import Bound, iwae
from iwax.control_variates import ControlVariate
from iwax.printed import printed

__all__ = [
    "Estimator",
    "Weights",
    "covariance",
    "doubly_reparameterized",
    "doubly_reparameterized_wake",
    "paired",
    "pathwise",
    "score_function",
    "sticking_the_landing",
    "wake",
]


@printed()
class Weights(NamedTuple):
    """The weights of model (a), path (b) and score (c), each [k, *batch]; None where they are zero."""

    a: LogWeights
    b: LogWeights | None
    c: LogWeights | None


@dataclass(frozen=True)
class Estimator:
    """A bound and the weights with which its gradient is estimated.

    ``weights`` is a function of (log-weights, beta, key, baseline). ``path`` and ``score`` say whether there are
    weights b and c at all; ``total`` that b = a and c = -beta a: plain automatic differentiation of the bound.
    ``hold`` is what of q is constant where the gradient is a plain derivative, as it is for draws that are not
    independent (`samplers`): "densities" or "draws"; None where it is none.
    ``posterior_bound`` is the bound that the posterior ascends, if it is another than the model's.
    """

    name: str
    bound: Bound
    weights: Callable[..., Weights] = field(repr=False)
    total: bool = False
    path: bool = True
    score: bool = False
    control_variate: ControlVariate | None = field(default=None, hash=False)  # may hold arrays
    posterior_bound: Bound | None = field(default=None, repr=False)
    hold: Hold | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _refuse_another(self.name, self.bound)

    def __str__(self) -> str:
        """The rule and the bound, and the control variate if there is one.

        >>> from iwax import control_variates
        >>> print(score_function(iwae, control_variates.leave_one_out))
        score_function(iwae, leave_one_out)
        """
        bounds = () if self.posterior_bound is not None else (self.bound.name,)  # a pair names its bounds by itself
        variate = () if self.control_variate is None else (repr(self.control_variate),)
        return f"{self.name}({', '.join(bounds + variate)})" if bounds + variate else self.name


def pathwise(bound: Bound) -> Estimator:
    """``a = b = L', c = -beta L'``: the gradient of the bound through the draws (Kingma and Welling 2014).

    >>> import jax.numpy as jnp
    >>> pathwise(iwae).weights(jnp.zeros(2), 1.0).c
    Array([-0.5, -0.5], dtype=float32)
    """

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        first, _ = bound.derivatives(log_w, key)
        return Weights(first, first, -beta * first)

    return Estimator("pathwise", bound, weights, total=True, score=True)


def sticking_the_landing(bound: Bound) -> Estimator:
    """``a = b = L', c = 0``: the score of q left out (Roeder, Wu and Duvenaud 2017, arXiv:1703.09194).

    Unbiased for the ELBO, and biased for every bound that is not linear in the log-weights. Raises ValueError where the
    bound has a kink.
    """
    _refuse_kink("sticking_the_landing", bound)

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        first, _ = bound.derivatives(log_w, key)
        return Weights(first, first, None)

    return Estimator("sticking_the_landing", bound, weights, hold="densities")


def doubly_reparameterized(bound: Bound) -> Estimator:
    """``a = L', b = L' - beta L'', c = 0`` (Tucker et al. 2019, arXiv:1810.04152); b = w̃^2 for the IWAE bound.

    Raises ValueError where the bound has a kink.

    >>> import jax.numpy as jnp
    >>> doubly_reparameterized(iwae).weights(jnp.zeros(2), 1.0).b
    Array([0.25, 0.25], dtype=float32)
    """
    _refuse_kink("doubly_reparameterized", bound)

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        first, second = bound.derivatives(log_w, key)
        return Weights(first, first - beta * second, None)

    return Estimator("doubly_reparameterized", bound, weights)


def score_function(bound: Bound, control_variate: ControlVariate) -> Estimator:
    """``a = L', b = 0, c = L - baseline - beta L'``: REINFORCE (Williams 1992), for any posterior, discrete ones too.

    With `control_variates.leave_one_out` and the IWAE bound it is VIMCO (Mnih and Rezende 2016, arXiv:1602.06725).

    >>> import jax.numpy as jnp
    >>> from iwax import control_variates
    >>> score_function(iwae, control_variates.none).weights(jnp.zeros(2), 1.0).c
    Array([-0.5, -0.5], dtype=float32)
    """
    if not isinstance(control_variate, ControlVariate):
        raise TypeError(
            "score_function needs a control variate, such as control_variates.leave_one_out or "
            f"control_variates.moving_average(), got {control_variate!r}"
        )

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        first, _ = bound.derivatives(log_w, key)
        return Weights(first, None, bound.value(log_w, key) - baseline - beta * first)

    return Estimator("score_function", bound, weights, path=False, score=True, control_variate=control_variate)


def covariance(bound: Bound) -> Estimator:
    """``a = L', b = 0, c`` the bound's own: the gradient of E_{pi_b} log w as a covariance under pi_b.

    Masrani, Le and Wood (2019, arXiv:1907.00031); the expectations are over the same k draws, so that the weights c are
    right in the limit of large k. Raises ValueError for bounds other than thermodynamic ones.
    """
    _refuse_another("covariance", bound)
    own = bound.covariance
    if own is None:
        raise ValueError(
            f"the covariance gradient needs a thermodynamic bound, got {bound.name}: "
            "use score_function, which serves every bound"
        )

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        first, _ = bound.derivatives(log_w, key)
        return Weights(first, None, own(log_w, beta))

    return Estimator("covariance", bound, weights, path=False, score=True)


def wake() -> Estimator:
    """``a = c = w̃, b = 0``: the model ascends `iwae`, the posterior descends KL(p(z|x) || q(z|x)).

    Reweighted wake-sleep (Bornschein and Bengio 2015, arXiv:1406.2751); the expectation under p(z|x) is taken by the
    normalised weights, right in the limit of large k.
    """

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        share = jax.nn.softmax(log_w, axis=0)
        return Weights(share, None, share)

    return Estimator("wake", iwae, weights, path=False, score=True, hold="draws")


def doubly_reparameterized_wake() -> Estimator:
    """``a = w̃, b = w̃ - w̃^2, c = 0``: `wake` with its score turned into a path (Tucker et al. 2019, section 6).

    >>> import jax.numpy as jnp
    >>> doubly_reparameterized_wake().weights(jnp.zeros(2), 1.0).b
    Array([0.25, 0.25], dtype=float32)
    """

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        share = jax.nn.softmax(log_w, axis=0)
        return Weights(share, share * (1 - share), None)

    return Estimator("doubly_reparameterized_wake", iwae, weights)


def paired(*, model: Estimator, posterior: Estimator) -> Estimator:
    """a from ``model``, b and c from ``posterior``: two targets on the same draws, the bound reported the model's.

    PIWAE is IWAE for the model and MIWAE for the posterior (Rainforth et al. 2018, arXiv:1802.04537). Raises ValueError
    where the model's estimator has a control variate, which would do nothing.

    >>> from iwax.bounds import miwae
    >>> piwae = paired(model=pathwise(iwae), posterior=pathwise(miwae(2)))
    >>> piwae.name, piwae.bound.name
    ('pathwise(iwae) | pathwise(miwae(2))', 'iwae')
    """
    if model.control_variate is not None:
        raise ValueError(
            f"paired needs a model estimator without a control variate, got {model.name}: use pathwise, "
            "whose weights for the model are the same"
        )

    def weights(log_w: LogWeights, beta: Scalar | float, key: PRNGKey | None = None, baseline: Any = 0.0) -> Weights:
        _, b, c = posterior.weights(log_w, beta, key, baseline)
        return Weights(model.weights(log_w, beta, key).a, b, c)

    return Estimator(
        f"{model.name}({model.bound.name}) | {posterior.name}({posterior.bound.name})",
        model.bound,
        weights,
        path=posterior.path,
        score=posterior.score,
        control_variate=posterior.control_variate,
        posterior_bound=posterior.bound,
    )


def _refuse_another(estimator: str, bound: Any) -> None:
    """What is no bound, such as a maker of bounds that was not called."""
    if not isinstance(bound, Bound):
        got = f"{getattr(bound, '__name__', bound)}, which makes one: call it" if callable(bound) else repr(bound)
        raise TypeError(f"{estimator} needs a bound, such as bounds.iwae or bounds.ciwae(0.1), got {got}")


def _refuse_kink(estimator: str, bound: Bound) -> None:
    _refuse_another(estimator, bound)
    if not bound.smooth:
        raise ValueError(
            f"{estimator} needs a bound with second derivatives, got {bound.name}, which has a kink: "
            "use pathwise or score_function"
        )
