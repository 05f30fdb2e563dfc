"""What a run ascends: its settings, and the objective they stand for."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from iwax import gradients, weights
from iwax._typing import PRNGKey
from iwax.settings.fields import LARGEST_K, integer, number
from iwax.settings.parted import Parted, kind_of
from iwax.settings.parts.bounds import Bound, Miwae, Plain
from iwax.settings.parts.gradients import ClosedFormKL, Gradient, Rule

__all__ = ["Objective", "build_objective"]


class Objective(Parted):
    """The bound that is ascended, its number of samples, and the estimator of its gradient.

    >>> Objective(bound="miwae", m=5) == Objective(bound={"kind": "miwae", "m": 5})
    True
    """

    exact: ClassVar[bool] = True

    bound: Bound = Field(default=Plain(), description=kind_of(Bound))
    k: int = integer(5, 1, LARGEST_K, "importance samples per data point")
    posterior_bound: Bound | None = Field(
        default=None, description=f"what the posterior ascends: {kind_of(Bound, 'the same')}"
    )
    gradient: Gradient = Field(default=Rule(), description=kind_of(Gradient))
    backward: int | None = integer(None, 1, LARGEST_K, "draws differentiated, of the k")
    beta: float | None = number(
        None,
        "weight of log p(z) - log q(z|x) in the objective, from 0 (an autoencoder) to 1000 (above 1, the beta-VAE), or "
        "null (1: a bound)",
        ge=0.0,
        le=1e3,
    )
    beta_warmup: int = integer(0, 0, 1_000_000, "epochs in which beta rises to 1")
    denominator: Literal["own", "mixture"] | None = Field(
        default=None,
        description="density q in the weight of a draw where the encoder's weights are random: own (its posterior), "
        "mixture (the mean of the k posteriors), or null (own)",
    )
    weight_draws: Literal["every_sample", "shared"] | None = Field(
        default=None,
        description="random weights are drawn for every_sample of every data point (a part of the model), once for a "
        "whole step (shared: a bound on log p(D)), or null (every_sample)",
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

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        """What the bound and its estimator cannot do they say themselves; here, what they do not see."""
        self.gradient.check(self)
        if self.denominator == "mixture" and self.weight_draws == "shared":
            raise ValueError(
                "objective.denominator=mixture needs every draw to have a posterior of its own, got weight_draws=shared"
            )
        if self.weight_prior is not None and not self.kl_of_weights:
            raise ValueError(
                f"objective.weight_prior={self.weight_prior:g} needs objective.weight_kl above 0, got {self.weight_kl}"
            )
        try:
            self.gradient.build(self, None, key=None)
        except ValueError as error:
            asked = f"objective.bound={self.bounds}, objective.gradient={self.gradient} and objective.k={self.k}"
            raise ValueError(f"{asked} do not go together: {error}") from error
        return self

    @property
    def bounds(self) -> str:
        """The bound and, where it is another, that of the posterior.

        >>> Objective(k=6, posterior_bound={"kind": "miwae", "m": 2}).bounds
        'iwae with posterior_bound=miwae m=2'
        """
        return str(self.bound) + (f" with posterior_bound={self.posterior_bound}" if self.posterior_bound else "")

    @property
    def of_posterior(self) -> Bound:
        """The bound that the posterior ascends."""
        return self.posterior_bound or self.bound

    @property
    def whole_batch(self) -> bool:
        """Whether free bits look at the mean over a whole batch."""
        return isinstance(self.gradient, ClosedFormKL) and self.gradient.free_bits > 0

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
        return tuple(name for name in names if dict(self)[name] is not None)

    @property
    def ascends_a_lower_bound(self) -> bool:
        """Whether what training reports is at most log p(x) on average."""
        return self.bound.build().kind == "lower"

    def warnings(self) -> list[str]:
        """Settings that run but do not mean what they may seem to.

        >>> Objective(bound={"kind": "cubo", "n": 2.0}).warnings()[0]
        'objective.bound=cubo is an estimate, no lower bound: what training reports may lie above log p(x)'
        """
        found, ascended = [], self.of_posterior
        linear = ascended.kind == "elbo" or self.k == 1 or (isinstance(ascended, Miwae) and ascended.m == self.k)
        if self.gradient.kind == "sticking_the_landing" and not linear:
            found.append(
                f"objective.gradient=sticking_the_landing is biased for objective.bound={ascended.kind}; "
                "doubly_reparameterized is the unbiased rule of its kind"
            )
        if not self.ascends_a_lower_bound:
            found.append(
                f"objective.bound={self.bound.kind} is an estimate, no lower bound: "
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
    objective = settings.gradient.build(settings, features, key=key)
    if settings.beta is not None:
        objective = gradients.Tempered(objective, settings.beta)
    if settings.local_reconstruction is not None:
        weight = settings.local_reconstruction
        objective = gradients.with_local_reconstruction(objective, weight=weight, draws=settings.k)
    prior, scale = weights.Normal(settings.weight_prior or 1.0), settings.kl_of_weights
    if settings.weight_draws == "shared":
        return gradients.bayesian(objective, prior=prior, rows=rows, scale=scale)
    return gradients.with_weight_kl(objective, prior=prior, rows=rows, scale=scale) if scale else objective
