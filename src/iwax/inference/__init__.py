"""What a trained model is used for: new data, reconstructions, imputations, embeddings, scores."""

from iwax import former_names
from iwax.inference.anomaly import LikelihoodRatio, code_length, likelihood_ratio, score, typicality
from iwax.inference.comparable import comparable_scores
from iwax.inference.denoise import Denoised, denoise
from iwax.inference.embed import embed
from iwax.inference.generate import Generated, decode, generate
from iwax.inference.gibbs import impute_gibbs
from iwax.inference.impute import Imputation, impute
from iwax.inference.labels import LabelProbabilities, label_probabilities
from iwax.inference.links import LinkProbabilities, graph_of, likeliest_links, link_probabilities
from iwax.inference.memory import SlotPreferences, slot_pictures, slot_preferences
from iwax.inference.pseudo_inputs import OfPseudoInputs, generate_from_pseudo_inputs, vamp_of
from iwax.inference.reconstruct import ResamplingWeights, reconstruct, resample, resampling_weights
from iwax.inference.score_table import ScoreTable, score_table

__all__ = [
    "Denoised",
    "Generated",
    "Imputation",
    "LabelProbabilities",
    "LikelihoodRatio",
    "LinkProbabilities",
    "OfPseudoInputs",
    "ResamplingWeights",
    "ScoreTable",
    "SlotPreferences",
    "code_length",
    "comparable_scores",
    "decode",
    "denoise",
    "embed",
    "generate",
    "generate_from_pseudo_inputs",
    "graph_of",
    "impute",
    "impute_gibbs",
    "label_probabilities",
    "likeliest_links",
    "likelihood_ratio",
    "link_probabilities",
    "reconstruct",
    "resample",
    "resampling_weights",
    "score",
    "score_table",
    "slot_pictures",
    "slot_preferences",
    "typicality",
    "vamp_of",
]

__getattr__ = former_names.of(__name__)
