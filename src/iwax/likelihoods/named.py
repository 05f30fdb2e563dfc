"""Likelihoods by the name of their family, with the network first: `Likelihood` of a network and that family."""

from typing import Any, ClassVar

from iwax import families
from iwax._typing import AnyArray
from iwax.distributions.integer_logistic import LARGEST
from iwax.likelihoods.likelihood import Likelihood

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "IntegerLogistic",
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
    "ZeroInflatedLogNormal",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
]


class Bernoulli(Likelihood):
    """Zeros and ones: `families.bernoulli`."""

    def __init__(self, network: Any) -> None:
        super().__init__(network, families.bernoulli())


class ContinuousBernoulli(Likelihood):
    """Numbers from 0 to 1: `families.continuous_bernoulli`."""

    def __init__(self, network: Any) -> None:
        super().__init__(network, families.continuous_bernoulli())


class Poisson(Likelihood):
    """Counts: `families.poisson`."""

    def __init__(self, network: Any) -> None:
        super().__init__(network, families.poisson())


class ZeroInflatedPoisson(Likelihood):
    """Counts with more zeros: `families.zero_inflated_poisson`."""

    def __init__(self, network: Any) -> None:
        super().__init__(network, families.zero_inflated_poisson())


class Categorical(Likelihood):
    """Classes, by their numbers: `families.categorical`."""

    def __init__(self, network: Any, classes: int) -> None:
        super().__init__(network, families.categorical(classes))


class IntegerLogistic(Likelihood):
    """Whole numbers: `families.integer_logistic`."""

    def __init__(
        self,
        network: Any,
        *,
        centre: float | AnyArray = 0.0,
        unit: float | AnyArray = 1.0,
        lower: int = -LARGEST,
        floor: float = 0.0,
    ) -> None:
        super().__init__(network, families.integer_logistic(centre=centre, unit=unit, lower=lower, floor=floor))


class DiscretizedLogisticMixture(Likelihood):
    """Numbers on a grid, with several modes: `families.discretized_logistic_mixture`."""

    def __init__(self, network: Any, components: int, bins: int = 256) -> None:
        super().__init__(network, families.discretized_logistic_mixture(components, bins))


class _WithScale(Likelihood):
    """A family whose scale is learned, one for all features (`scalar`) or one a `feature`, or given by the network."""

    _family: ClassVar[type[families.LocationScale]]

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0) -> Likelihood:
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, cls._family(scale))

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 1.0) -> Likelihood:
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, cls._family(scale, features=features))

    @classmethod
    def of_network(cls, network: Any, *, floor: float = 0.0) -> Likelihood:
        """The network gives location and log scale of every feature; no scale is below the floor."""
        return cls(network, cls._family(floor=floor))


class LogNormal(_WithScale):
    """Positive numbers: `families.lognormal`."""

    _family = families.lognormal


class ZeroInflatedLogNormal(_WithScale):
    """Numbers that are 0 or positive: `families.zero_inflated_lognormal`."""

    _family = families.zero_inflated_lognormal


class Gaussian(_WithScale):
    """Real numbers, and the conditional layers of a chain: `families.gaussian`."""

    _family = families.gaussian

    @classmethod
    def fixed(cls, network: Any, scale: float | AnyArray) -> Likelihood:
        """A scale that is not learned: a positive number, or one per feature."""
        return cls(network, families.gaussian(scale, learned=False))


class DiscretizedLogistic(Likelihood):
    """Numbers on a grid: `families.discretized_logistic`."""

    @classmethod
    def scalar(cls, network: Any, scale: float = 0.1, *, bins: int = 256) -> Likelihood:
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, families.discretized_logistic(scale, bins=bins))

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 0.1, *, bins: int = 256) -> Likelihood:
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, families.discretized_logistic(scale, features=features, bins=bins))

    @classmethod
    def of_network(cls, network: Any, *, bins: int = 256) -> Likelihood:
        """The network gives the location and the log scale of every feature."""
        return cls(network, families.discretized_logistic(bins=bins))


class _Overdispersed(Likelihood):
    """Counts whose concentration is learned, `scalar` or one a `feature`, or given by the network."""

    _family: ClassVar[type[families.negative_binomial] | type[families.zero_inflated_negative_binomial]]

    @classmethod
    def scalar(cls, network: Any, concentration: float = 1.0) -> Likelihood:
        """One learned concentration for all features."""
        return cls(network, cls._family(concentration))

    @classmethod
    def feature(cls, network: Any, features: int, concentration: float = 1.0) -> Likelihood:
        """A learned concentration for each of the features."""
        return cls(network, cls._family(concentration, features=features))

    @classmethod
    def of_network(cls, network: Any) -> Likelihood:
        """The network gives the logarithms of mean and concentration of every feature."""
        return cls(network, cls._family())


class NegativeBinomial(_Overdispersed):
    """Counts whose variance exceeds their mean: `families.negative_binomial`."""

    _family = families.negative_binomial


class ZeroInflatedNegativeBinomial(_Overdispersed):
    """The same with more zeros still: `families.zero_inflated_negative_binomial`."""

    _family = families.zero_inflated_negative_binomial


class StudentT(Likelihood):
    """Real numbers with outliers: `families.student_t`."""

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0, *, df: float | None = None, start_df: float = 4.0) -> Likelihood:
        """One learned scale for all features; df fixed or, without one, learned for all, from ``start_df`` > 2 on."""
        return cls(network, families.student_t(scale, df="learned" if df is None else df, start_df=start_df))

    @classmethod
    def feature(
        cls,
        network: Any,
        features: int,
        scale: float = 1.0,
        *,
        df: float | None = None,
        start_df: float = 4.0,
    ) -> Likelihood:
        """A learned scale for each of the features; df fixed or, without one, learned for each of them."""
        of_df = "learned" if df is None else df
        return cls(network, families.student_t(scale, features=features, df=of_df, start_df=start_df))

    @classmethod
    def of_network(
        cls, network: Any, *, df: float | None = None, features: int | None = None, start_df: float = 4.0
    ) -> Likelihood:
        """The network gives location and log scale of every feature and, without a fixed df, ``log(df - 2)``.

        With the number of ``features`` the degrees of freedom are learned, one per feature, from ``start_df`` > 2 on.
        """
        of_df = ("network" if features is None else "learned") if df is None else df
        return cls(network, families.student_t(features=features, df=of_df, start_df=start_df))
