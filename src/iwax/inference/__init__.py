"""What a trained model is used for: new data, reconstructions, embeddings, scores."""

from iwax.inference.embed import embed
from iwax.inference.generate import Generated, decode, generate
from iwax.inference.pseudo_inputs import OfPseudoInputs, generate_from_pseudo_inputs, vamp_of
from iwax.inference.reconstruct import reconstruct, resample
from iwax.inference.score import score

__all__ = [
    "Generated",
    "OfPseudoInputs",
    "decode",
    "embed",
    "generate",
    "generate_from_pseudo_inputs",
    "reconstruct",
    "resample",
    "score",
    "vamp_of",
]
