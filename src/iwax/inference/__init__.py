"""What a trained model is used for: new data, reconstructions, embeddings, scores."""

from iwax.inference.embed import embed
from iwax.inference.generate import Generated, decode, generate
from iwax.inference.memory import SlotPreferences, slot_pictures, slot_preferences
from iwax.inference.pseudo_inputs import OfPseudoInputs, generate_from_pseudo_inputs, vamp_of
from iwax.inference.reconstruct import reconstruct, resample
from iwax.inference.score import score

__all__ = [
    "Generated",
    "OfPseudoInputs",
    "SlotPreferences",
    "decode",
    "embed",
    "generate",
    "generate_from_pseudo_inputs",
    "reconstruct",
    "resample",
    "score",
    "slot_pictures",
    "slot_preferences",
    "vamp_of",
]
