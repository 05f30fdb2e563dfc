"""Estimates of the gradient of a bound, and what is differentiated to get them."""

from iwax.gradients.classification import Classification
from iwax.gradients.closed_form import ClosedFormKL, closed_form_kl
from iwax.gradients.estimators import (
    Estimator,
    Weights,
    covariance,
    doubly_reparameterized,
    doubly_reparameterized_wake,
    paired,
    pathwise,
    score_function,
    sticking_the_landing,
    wake,
)
from iwax.gradients.functions import AnyObjective, as_objective, surrogate
from iwax.gradients.local_reconstruction import with_local_reconstruction
from iwax.gradients.objective import Objective
from iwax.gradients.protocol import AbstractObjective, Penalty, Surrogate
from iwax.gradients.tempered import Tempered
from iwax.gradients.uncertain_weights import bayesian, with_weight_kl

__all__ = [
    "AbstractObjective",
    "AnyObjective",
    "Classification",
    "ClosedFormKL",
    "Estimator",
    "Objective",
    "Penalty",
    "Surrogate",
    "Tempered",
    "Weights",
    "as_objective",
    "bayesian",
    "closed_form_kl",
    "covariance",
    "doubly_reparameterized",
    "doubly_reparameterized_wake",
    "paired",
    "pathwise",
    "score_function",
    "sticking_the_landing",
    "surrogate",
    "wake",
    "with_local_reconstruction",
    "with_weight_kl",
]
