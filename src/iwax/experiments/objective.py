"""What a run ascends: its settings, and the objective they stand for."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from iwax import bounds, control_variates, gradients, nn, samplers, weights
from iwax._typing import PRNGKey
from iwax.experiments.fields import LARGEST_K, Section, integer, number
from iwax.training import draws_a_chunk

__all__ = ["DISCRETE", "PARAMETER", "BoundName", "GradientName", "Objective", "build_objective"]

BoundName = Literal["elbo", "iwae", "miwae", "ciwae", "renyi", "vr_max", "jackknife", "cubo", "thermodynamic", "sumo"]
GradientName = Literal[
    "pathwise",
    "doubly_reparameterized",
    "sticking_the_landing",
    "closed_form_kl",
    "score_function",
    "covariance",
    "wake",
    "doubly_reparameterized_wake",
]
ControlVariateName = Literal["none", "moving_average", "leave_one_out", "learned"]

PARAMETER: Mapping[str, str] = MappingProxyType(  # of a bound: the setting that it needs
    {
        "miwae": "m",
        "ciwae": "ciwae_beta",
        "renyi": "alpha",
        "jackknife": "order",
        "cubo": "n",
        "thermodynamic": "intervals",
        "sumo": "m",
    }
)
DISCRETE: tuple[GradientName, ...] = ("score_function", "covariance", "wake")  # need no derivative of a draw
_BASELINE_WIDTH = 100  # of the one hidden layer of a learned control variate


class Objective(Section):
    """The bound that is ascended, its number of samples, and the estimator of its gradient."""

    bound: BoundName = Field(default="iwae", description=f"one of {', '.join(get_args(BoundName))}")
    k: int = integer(5, 1, LARGEST_K, "importance samples a datum")
    m: int | None = integer(None, 1, LARGEST_K, "groups of a miwae bound, or the first draws of sumo")
    ciwae_beta: float | None = number(None, "a number from 0 (iwae) to 1 (elbo), or null", ge=0.0, le=1.0)
    alpha: float | None = number(None, "a number (of renyi: 1 is elbo, 0 iwae), or null", ge=-1e3, le=1e3)
    order: int | None = integer(None, 0, 8, "of the jackknife: 0 is iwae")
    n: float | None = number(None, "a number above 1 (of cubo), or null", gt=1.0, le=1e3)
    intervals: int | None = integer(None, 1, 1000, "of a thermodynamic sum: 1 is elbo")
    posterior_bound: BoundName | None = Field(
        default=None, description=f"what the posterior ascends, if not the same: {', '.join(get_args(BoundName))}"
    )
    gradient: GradientName = Field(default="pathwise", description=f"one of {', '.join(get_args(GradientName))}")
    control_variate: ControlVariateName | None = Field(
        default=None, description=f"of score_function: {', '.join(get_args(ControlVariateName))}, or null"
    )
    backward: int | None = integer(None, 1, LARGEST_K, "draws differentiated, of the k")
    beta_warmup: int = integer(0, 0, 1_000_000, "epochs in which beta rises to 1")
    denominator: Literal["own", "mixture"] | None = Field(
        default=None,
        description="what a draw is weighed against where the encoder's weights are random: own (its posterior), "
        "mixture (the mean of the k posteriors), or null (own)",
    )
    weight_draws: Literal["every_sample", "shared"] | None = Field(
        default=None,
        description="random weights are drawn for every_sample of every datum (a part of the model), once for a whole "
        "step (shared: a bound on log p(D)), or null (every_sample)",
    )
    weight_kl: float | None = number(
        None,
        "what KL(q(w) || N(0, weight_prior^2)) / rows of random weights costs, from 0 to 1000; null is 1 if they are "
        "shared, else 0",
        ge=0.0,
        le=1e3,
    )
    weight_prior: float | None = number(
        None, "standard deviation of random weights a priori, from 1e-6 to 1e6; null is 1", ge=1e-6, le=1e6
    )
    local_reconstruction: float | None = number(
        None, "weight of the distance between hidden layers of encoder and decoder, 0 to 1000, or null", ge=0.0, le=1e3
    )
    free_bits: float = number(0.0, "nats a latent unit, a number from 0 to 1000", ge=0.0, le=1000.0)

    @model_validator(mode="after")
    def _parameters_agree(self) -> Self:
        named = [name for name in (self.bound, self.posterior_bound) if name is not None]
        needed = {PARAMETER[name]: name for name in named if name in PARAMETER}
        for setting in dict.fromkeys(PARAMETER.values()):
            given = getattr(self, setting)
            if setting in needed and given is None:
                raise ValueError(f"objective.{setting} needs a value for bound={needed[setting]}, got null")
            if setting not in needed and given is not None:
                owners = " or ".join(name for name, its in PARAMETER.items() if its == setting)
                raise ValueError(
                    f"objective.{setting} needs objective.bound={owners}, got {self.bound} with {setting}={given}; "
                    f"take it away with --set objective.{setting}=null"
                )
        if "miwae" in named and self.m is not None and self.k % self.m:
            raise ValueError(f"objective.m needs to divide objective.k={self.k} for miwae, got {self.m}")
        for name in named:
            least = self._bound(name).least_k
            if self.k < least:
                raise ValueError(f"objective.k needs to be at least {least} for {self._bound(name).name}, got {self.k}")
        return self

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.gradient == "closed_form_kl":
            if self.bound != "elbo" or self.posterior_bound is not None:
                raise ValueError(f"objective.gradient=closed_form_kl needs bound=elbo, got bound={self.bound}")
            if self.backward is not None:
                raise ValueError(f"objective.backward needs another gradient than closed_form_kl, got {self.backward}")
        elif self.free_bits > 0.0:
            raise ValueError(
                "objective.free_bits needs objective.bound=elbo and objective.gradient=closed_form_kl "
                f"(the KL divergence unit by unit), got {self.bound} and {self.gradient}"
            )
        self._weights_agree()
        if self.control_variate is not None and self.gradient != "score_function":
            raise ValueError(f"objective.control_variate needs objective.gradient=score_function, got {self.gradient}")
        if self.gradient == "score_function" and self.k == 1 and self._variate_name == "leave_one_out":
            raise ValueError(
                "objective.control_variate=leave_one_out needs objective.k of at least 2, got 1: use moving_average"
            )
        if self.backward is not None and self.backward > self.k:
            raise ValueError(f"objective.backward needs to be at most objective.k={self.k}, got {self.backward}")
        if "wake" in self.gradient and (self.bound != "iwae" or self.posterior_bound is not None):
            raise ValueError(f"objective.gradient={self.gradient} needs bound=iwae and no other, got {self.bound}")
        if self.gradient != "closed_form_kl":
            self.estimator(None)  # refuses what the bound cannot serve
        return self

    def _weights_agree(self) -> None:
        if self.denominator == "mixture" and (self.gradient != "pathwise" or self.backward or self.posterior_bound):
            raise ValueError(
                "objective.denominator=mixture needs objective.gradient=pathwise, with posterior_bound and backward "
                f"null, got gradient={self.gradient}, posterior_bound={self.posterior_bound}, backward={self.backward}"
            )
        if self.denominator == "mixture" and draws_a_chunk(self.k) is not None:
            raise ValueError(
                f"objective.denominator=mixture needs all draws in memory at once: k of at most 1000, got {self.k}"
            )
        if self.denominator == "mixture" and self.weight_draws == "shared":
            raise ValueError(
                "objective.denominator=mixture needs every draw to have a posterior of its own, got weight_draws=shared"
            )
        if self.weight_prior is not None and not self.kl_of_weights:
            raise ValueError(
                f"objective.weight_prior={self.weight_prior:g} needs objective.weight_kl above 0, got {self.weight_kl}"
            )

    @property
    def kl_of_weights(self) -> float:
        """What the KL divergence of random weights costs, of 1 / rows.

        >>> Objective().kl_of_weights, Objective(weight_draws="shared").kl_of_weights
        (0.0, 1.0)
        """
        return (1.0 if self.weight_draws == "shared" else 0.0) if self.weight_kl is None else self.weight_kl

    @property
    def of_random_weights(self) -> tuple[str, ...]:
        """Settings that were given and mean nothing unless weights are random.

        >>> Objective(weight_kl=0.1).of_random_weights
        ('weight_kl',)
        """
        names = ("denominator", "weight_draws", "weight_kl", "weight_prior")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def _variate_name(self) -> str:
        return self.control_variate or "leave_one_out"

    def _bound(self, name: str) -> bounds.Bound:
        if name in ("elbo", "iwae"):
            return {"elbo": bounds.elbo, "iwae": bounds.iwae}[name]
        if name == "vr_max":
            return bounds.renyi(float("-inf"))
        makers: dict[str, Callable[..., bounds.Bound]] = {
            "miwae": bounds.miwae,
            "ciwae": bounds.ciwae,
            "renyi": bounds.renyi,
            "jackknife": bounds.jackknife,
            "cubo": bounds.cubo,
            "thermodynamic": bounds.thermodynamic,
            "sumo": bounds.sumo,
        }
        return makers[name](getattr(self, PARAMETER[name]))

    def estimator(self, control_variate: control_variates.ControlVariate | None) -> gradients.Estimator:
        """The estimator of the gradient; ``control_variate`` is for score_function (None: without a baseline).

        >>> Objective(k=6, m=2, posterior_bound="miwae").estimator(None).name
        'pathwise(iwae) | pathwise(miwae(2))'
        """
        if self.gradient in ("wake", "doubly_reparameterized_wake"):
            return gradients.wake() if self.gradient == "wake" else gradients.doubly_reparameterized_wake()
        makers: dict[str, Callable[[bounds.Bound], gradients.Estimator]] = {
            "pathwise": gradients.pathwise,
            "doubly_reparameterized": gradients.doubly_reparameterized,
            "sticking_the_landing": gradients.sticking_the_landing,
            "covariance": gradients.covariance,
            "score_function": lambda bound: gradients.score_function(bound, control_variate or control_variates.none),
        }
        make = makers[self.gradient]
        if self.posterior_bound is None:
            return make(self._bound(self.bound))
        model = gradients.pathwise(self._bound(self.bound))  # whose weights of the model are every estimator's
        return gradients.paired(model=model, posterior=make(self._bound(self.posterior_bound)))

    @property
    def ascends_a_lower_bound(self) -> bool:
        """Whether what training reports is at most log p(x) on average."""
        return self._bound(self.bound).kind == "lower"

    def warnings(self) -> list[str]:
        """Settings that run but do not mean what they may seem to.

        >>> Objective(bound="cubo", n=2.0).warnings()[0]
        'objective.bound=cubo is an estimate, no lower bound: what training reports may lie above log p(x)'
        """
        found, ascended = [], self.posterior_bound or self.bound
        linear = ascended == "elbo" or self.k == 1 or (ascended == "miwae" and self.m == self.k)
        if self.gradient == "sticking_the_landing" and not linear:
            found.append(
                f"objective.gradient=sticking_the_landing is biased for objective.bound={ascended}; "
                "doubly_reparameterized is the unbiased rule of its kind"
            )
        if not self.ascends_a_lower_bound:
            found.append(
                f"objective.bound={self.bound} is an estimate, no lower bound: "
                "what training reports may lie above log p(x)"
            )
        return found


def build_objective(settings: Objective, features: int, *, rows: int, key: PRNGKey) -> gradients.AbstractObjective:
    """The objective that training ascends, for this number of training rows and features.

    The key starts the network of a learned control variate.

    >>> import jax
    >>> build_objective(Objective(), 64, rows=1000, key=jax.random.key(0))
    Objective(pathwise(iwae), k=5)
    """
    objective = _of_the_bound(settings, features, key=key)
    if settings.local_reconstruction is not None:
        weight = settings.local_reconstruction
        objective = gradients.with_local_reconstruction(objective, weight=weight, draws=settings.k)
    prior, scale = weights.Normal(settings.weight_prior or 1.0), settings.kl_of_weights
    if settings.weight_draws == "shared":
        return gradients.bayesian(objective, prior=prior, rows=rows, scale=scale)
    return gradients.with_weight_kl(objective, prior=prior, rows=rows, scale=scale) if scale else objective


def _of_the_bound(settings: Objective, features: int, *, key: PRNGKey) -> gradients.AbstractObjective:
    if settings.gradient == "closed_form_kl":
        return gradients.closed_form_kl(k=settings.k, free_bits=settings.free_bits)
    variate = None
    if settings.gradient == "score_function":
        variate = {
            "none": lambda: control_variates.none,
            "moving_average": control_variates.moving_average,
            "leave_one_out": lambda: control_variates.leave_one_out,
            "learned": lambda: control_variates.Learned(nn.MLP(features, (_BASELINE_WIDTH,), 1, key=key)),
        }[settings.control_variate or "leave_one_out"]()
    return gradients.Objective(
        settings.estimator(variate),
        settings.k,
        sampler=samplers.mixture if settings.denominator == "mixture" else samplers.independent,
        backward=settings.backward,
        chunk=draws_a_chunk(settings.k),
    )
