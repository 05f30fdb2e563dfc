"""Which parts of a model go together, as settings: what is refused before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iwax.experiments.families import CONVOLUTIONAL, IMAGE_LIKELIHOODS

if TYPE_CHECKING:
    from iwax.experiments.model import Model

__all__ = ["SIGMA", "parts_agree"]

SIGMA = 0.01  # of random weights at the start


def parts_agree(model: Model) -> None:
    """Raise ValueError, naming the settings, where prior, likelihood, posterior and networks do not go together."""
    several = len(model.latents) > 1
    if model.order is not None and not several:
        raise ValueError(f"model.order={model.order} needs several stochastic layers, got model.latent={model.latent}")
    encodes = model.prior in ("vamp", "exemplar")
    if encodes and (model.posterior in ("hamiltonian", "prior") or (several and model.order in (None, "bottom_up"))):
        got = f"order={model.order or 'bottom_up'}" if several else f"posterior={model.posterior}"
        raise ValueError(
            f"model.prior={model.prior} needs q(z|x) of the topmost layer as a density, which {got} has not: use "
            "another posterior, or model.order=top_down or ladder for several layers"
        )
    if several and model.posterior not in ("gaussian", "bernoulli"):
        raise ValueError(
            f"model.posterior={model.posterior} needs one stochastic layer, got model.latent={list(model.latents)}; "
            "several take gaussian, with model.order"
        )
    if model.posterior == "bernoulli" and model.order in ("top_down", "ladder"):
        raise ValueError(f"model.order={model.order} needs Gaussian latents, got posterior=bernoulli")
    if model.posterior == "sylvester" and model.number("posterior_components") > model.latents[0]:
        raise ValueError(
            f"model.posterior_components of a Sylvester flow needs to be at most model.latent={model.latents[0]}, "
            f"got {model.number('posterior_components')}"
        )
    mixing = ("linear_iaf", "convex_linear_iaf", "nice", "real_nvp")
    if model.latents[-1] < 2 and (model.posterior in mixing or model.prior == "flow"):
        part = f"posterior={model.posterior}" if model.posterior in mixing else "prior=flow"
        raise ValueError(f"model.{part} mixes latents and needs at least 2, got model.latent={model.latents[-1]}")
    _uncertainty_agrees(model)
    _memory_agrees(model)
    _convolutions_agree(model)
    trunk = model.posterior not in ("gaussian", "bernoulli", "full_gaussian", "mixture", "prior")
    if (trunk or model.order in ("top_down", "ladder")) and not all(model.hiddens):
        raise ValueError("model.hidden needs at least one layer here, off whose output the parameters are read, got []")


def _uncertainty_agrees(model: Model) -> None:
    if model.uncertain is None:
        return
    if model.network in CONVOLUTIONAL:
        raise ValueError(
            f"model.uncertain={model.uncertain} needs dense networks, got model.network={model.network}: use mlp or "
            "gated"
        )
    if model.likelihood in IMAGE_LIKELIHOODS and model.uncertain != "encoder":
        raise ValueError(
            f"model.uncertain={model.uncertain} needs a decoder that is dense, got model.likelihood="
            f"{model.likelihood}: use uncertain=encoder, or another likelihood"
        )
    start, floor = (SIGMA if model.sigma is None else model.sigma), model.sigma_floor or 0.0
    if floor > start:
        raise ValueError(f"model.sigma_floor needs to be at most model.sigma={start:g}, where it starts, got {floor:g}")
    if model.posterior == "prior" and model.uncertain != "decoder":
        raise ValueError(
            f"model.uncertain={model.uncertain} needs an encoder, got model.posterior=prior: use uncertain=decoder"
        )
    if model.prior in ("vamp", "exemplar") and model.uncertain != "decoder":
        raise ValueError(
            f"model.uncertain={model.uncertain} has no density q(z|x) that model.prior={model.prior} could be a "
            "mixture of: use uncertain=decoder, or another prior"
        )


def _memory_agrees(model: Model) -> None:
    if model.layer_norm and model.network in ("gated", *CONVOLUTIONAL):
        raise ValueError(f"model.layer_norm=true needs model.network=mlp, got {model.network}")
    if model.memory is None:
        return
    if len(model.latents) > 1 or model.likelihood in IMAGE_LIKELIHOODS or model.network in ("gated", *CONVOLUTIONAL):
        raise ValueError(
            "model.memory needs one stochastic layer and a dense decoder (network=mlp), got "
            f"latent={model.latent}, likelihood={model.likelihood} and network={model.network}"
        )
    if model.activation != "relu" or model.uncertain in ("decoder", "both"):
        raise ValueError(
            "model.memory needs model.activation=relu and a decoder whose weights are not random, got "
            f"activation={model.activation} and uncertain={model.uncertain}"
        )
    if len(model.memory) != len(model.hiddens[0]):
        raise ValueError(
            f"model.memory needs one number of slots for each of the {len(model.hiddens[0])} widths of "
            f"model.hidden, got {list(model.memory)}"
        )


def _convolutions_agree(model: Model) -> None:
    if model.network == "conv" and model.number("kernel") % 2 == 0:
        raise ValueError(f"model.kernel needs to be odd, so that a pixel is in its middle, got {model.kernel}")
