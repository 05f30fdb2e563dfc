"""What a trained model is used for: new data, reconstructions, embeddings, scores."""

from iwax.inference.embed import embed
from iwax.inference.generate import Generated, decode, generate
from iwax.inference.reconstruct import reconstruct, resample
from iwax.inference.score import score

__all__ = ["Generated", "decode", "embed", "generate", "reconstruct", "resample", "score"]
