"""How good a model is: numbers with their errors."""

from iwax.evaluation.aggregate import AggregatePosterior, aggregate_posterior
from iwax.evaluation.annealed import AnnealedEvidence, annealed_evidence
from iwax.evaluation.auroc import Auroc, auroc
from iwax.evaluation.average_precision import average_precision
from iwax.evaluation.bidirectional import BidirectionalEvidence, bidirectional_evidence
from iwax.evaluation.calibration import (
    Calibration,
    posterior_sampler,
    resampling_sampler,
    simulation_based_calibration,
)
from iwax.evaluation.classification import brier_score, expected_calibration_error
from iwax.evaluation.convergence import Convergence, convergence_in_k
from iwax.evaluation.evidence import Evidence, log_evidence
from iwax.evaluation.gap import Family, inference_gap, mean_field_normal
from iwax.evaluation.gap_estimate import InferenceGap
from iwax.evaluation.importance_elbo import ImportancePosteriorElbo, importance_posterior_elbo
from iwax.evaluation.importance_posterior import DensityEstimate, importance_posterior_log_prob
from iwax.evaluation.jackknife import JackknifeEvidence, jackknife_evidence
from iwax.evaluation.latents import active_units, kl_by_row, kl_per_unit, posterior_means, unit_activity
from iwax.evaluation.marginals import MarginalMoments, marginal_moments
from iwax.evaluation.pareto import pareto_k, tail_size
from iwax.evaluation.plane import PosteriorPlane, posterior_plane
from iwax.evaluation.signal_to_noise import GroupSignal, SignalToNoise, gradient_signal_to_noise
from iwax.evaluation.statistics import error_of_mean, squared_error, squared_error_difference

__all__ = [
    "AggregatePosterior",
    "AnnealedEvidence",
    "Auroc",
    "BidirectionalEvidence",
    "Calibration",
    "Convergence",
    "DensityEstimate",
    "Evidence",
    "Family",
    "GroupSignal",
    "ImportancePosteriorElbo",
    "InferenceGap",
    "JackknifeEvidence",
    "MarginalMoments",
    "PosteriorPlane",
    "SignalToNoise",
    "active_units",
    "aggregate_posterior",
    "annealed_evidence",
    "auroc",
    "average_precision",
    "bidirectional_evidence",
    "brier_score",
    "convergence_in_k",
    "error_of_mean",
    "expected_calibration_error",
    "gradient_signal_to_noise",
    "importance_posterior_elbo",
    "importance_posterior_log_prob",
    "inference_gap",
    "jackknife_evidence",
    "kl_by_row",
    "kl_per_unit",
    "log_evidence",
    "marginal_moments",
    "mean_field_normal",
    "pareto_k",
    "posterior_means",
    "posterior_plane",
    "posterior_sampler",
    "resampling_sampler",
    "simulation_based_calibration",
    "squared_error",
    "squared_error_difference",
    "tail_size",
    "unit_activity",
]
