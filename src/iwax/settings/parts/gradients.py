"""How the gradient of a bound is estimated: the settings of every estimator, each with the objective that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from iwax import bounds, control_variates, gradients, nn, samplers
from iwax._typing import PRNGKey
from iwax.settings.fields import number
from iwax.settings.parted import Kind
from iwax.training import draws_per_chunk

if TYPE_CHECKING:
    from iwax.settings.objective import Objective

__all__ = ["ClosedFormKL", "Gradient", "Rule"]

_BASELINE_WIDTH = 100  # of the one hidden layer of a learned control variate
_RULES: Mapping[str, Callable[[bounds.Bound], gradients.Estimator]] = MappingProxyType(
    {
        "pathwise": gradients.pathwise,
        "doubly_reparameterized": gradients.doubly_reparameterized,
        "sticking_the_landing": gradients.sticking_the_landing,
        "covariance": gradients.covariance,
        "wake": lambda bound: gradients.wake(),
        "doubly_reparameterized_wake": lambda bound: gradients.doubly_reparameterized_wake(),
    }
)


class Rule(Kind):
    """An estimator without settings of its own, of a bound and of the one that the posterior ascends, if another."""

    kind: Literal["pathwise", "doubly_reparameterized", "sticking_the_landing", "covariance"] = "pathwise"

    def estimator(self, bound: bounds.Bound, features: int | None, *, key: PRNGKey | None) -> gradients.Estimator:
        """The estimator of the gradient of a bound, of data with that many ``features``."""
        return _RULES[self.kind](bound)

    def build(self, chosen: Objective, features: int | None, *, key: PRNGKey | None) -> gradients.AbstractObjective:
        """What is ascended; without ``features`` to look what goes together, and not to be called."""
        bound, other = chosen.bound.build(), chosen.posterior_bound
        if other is None:
            estimator = self.estimator(bound, features, key=key)
        else:  # pathwise, whose weights of the model are every estimator's
            posterior = self.estimator(other.build(), features, key=key)
            estimator = gradients.paired(model=gradients.pathwise(bound), posterior=posterior)
        return gradients.Objective(
            estimator,
            chosen.k,
            sampler=samplers.mixture if chosen.denominator == "mixture" else samplers.independent,
            backward=chosen.backward,
            chunk=draws_per_chunk(chosen.k),
        )


class Wake(Rule):
    """Reweighted wake-sleep, whose bound is the IWAE bound."""

    kind: Literal["wake", "doubly_reparameterized_wake"] = "wake"  # pyright: ignore[reportIncompatibleVariableOverride]

    def check(self, settings: Objective) -> None:
        if settings.bound.kind != "iwae" or settings.posterior_bound is not None:
            raise ValueError(f"objective.gradient={self} needs bound=iwae and no other, got {settings.bounds}")


class ScoreFunction(Rule):
    """REINFORCE, which needs no derivative of a draw, with a baseline."""

    kind: Literal["score_function"] = "score_function"  # pyright: ignore[reportIncompatibleVariableOverride]
    control_variate: Literal["none", "moving_average", "leave_one_out", "learned"] = Field(
        default="leave_one_out", description="one of none, moving_average, leave_one_out, learned"
    )

    def estimator(self, bound: bounds.Bound, features: int | None, *, key: PRNGKey | None) -> gradients.Estimator:
        return gradients.score_function(bound, self._variate(features, key))

    def _variate(self, features: int | None, key: PRNGKey | None) -> control_variates.ControlVariate:
        if self.control_variate == "moving_average":
            return control_variates.moving_average()
        if self.control_variate == "leave_one_out":
            return control_variates.leave_one_out
        if self.control_variate == "none" or features is None or key is None:
            return control_variates.none
        return control_variates.Learned(nn.MLP(features, (_BASELINE_WIDTH,), 1, key=key))


class ClosedFormKL(Kind):
    """The ELBO with its KL divergence in closed form."""

    kind: Literal["closed_form_kl"] = "closed_form_kl"
    free_bits: float = number(0.0, "nats a latent unit, a number from 0 to 1000", ge=0.0, le=1000.0)

    def check(self, settings: Objective) -> None:
        if settings.bounds != "elbo":
            raise ValueError(f"objective.gradient=closed_form_kl needs bound=elbo, got bound={settings.bounds}")
        if settings.backward is not None or settings.denominator == "mixture":
            raise ValueError(
                "objective.gradient=closed_form_kl needs backward=null and another denominator than mixture, got "
                f"backward={settings.backward} and denominator={settings.denominator}"
            )

    def build(self, chosen: Objective, features: int | None, *, key: PRNGKey | None) -> gradients.AbstractObjective:
        return gradients.closed_form_kl(k=chosen.k, free_bits=self.free_bits)


Gradient: TypeAlias = Annotated[Rule | Wake | ScoreFunction | ClosedFormKL, Field(discriminator="kind")]
