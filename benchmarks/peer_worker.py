"""A peer's training step, run by the peers' own Python: reads one JSON line for each order, answers with one.

    python peer_worker.py eager|autocast|compiled|pythae|conv|pixelcnn THREADS
    {"batch": 20, "k": 5, "steps": 100}    ->    {"seconds": 0.0015}    seconds a step

A first order of a (batch, k) builds the model and warms it up, untimed.
"""

import json
import math
import sys
import time
from collections.abc import Callable

import torch
from network import DECODER, ENCODER, LATENT, PIXELS, binary_images, pairs
from torch import nn
from torch.nn import functional

ROWS = 10_000  # of training data; shuffled once, then read in turn


def layers(widths: tuple[int, ...]) -> nn.Sequential:
    """Affine layers with tanh between them."""
    affine = [nn.Linear(inputs, outputs) for inputs, outputs in pairs(widths)]
    return nn.Sequential(*(module for layer in affine[:-1] for module in (layer, nn.Tanh())), affine[-1])


class Eager(nn.Module):
    """An IWAE as one writes it by hand in PyTorch: the encoder once per data point, the k draws on their own axis."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.encoder = layers(ENCODER)
        self.decoder = layers(DECODER)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Minus the bound, its constants included, averaged over the rows."""
        loc, log_scale = self.encoder(x).chunk(2, dim=-1)
        noise = torch.randn(self.k, *loc.shape)
        z = loc + log_scale.exp() * noise
        log_prior_over_posterior = (log_scale + 0.5 * (noise.square() - z.square())).sum(-1)
        logits = self.decoder(z)
        cost = functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)
        log_w = log_prior_over_posterior - cost
        return -(torch.logsumexp(log_w, dim=0) - math.log(self.k)).mean()


def eager(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """The hand-written model, and its loss."""
    model = Eager(k)
    return model, model


def autocast(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """The hand-written model, its forward pass under bfloat16 autocast, as PyTorch advises."""
    model = Eager(k)

    def loss(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(x)

    return model, loss


def compiled(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """The hand-written model, compiled by ``torch.compile``, which needs a C++ compiler on a processor."""
    model = Eager(k)
    return model, torch.compile(model)


class Reshaped(nn.Module):
    """The last axis as an image; draws and rows together as the first."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The images [n, channels, height, width]."""
        return x.reshape(-1, *self.shape)


def conv(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """The hand-written model with two convolutions of stride 2 before the dense layers, and their transposes."""

    class Decoder(nn.Sequential):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return super().forward(z).reshape(*z.shape[:-1], PIXELS)

    model = Eager(k)
    down = (nn.Conv2d(1, 16, 3, 2, 1), nn.Tanh(), nn.Conv2d(16, 32, 3, 2, 1), nn.Tanh(), nn.Flatten())
    model.encoder = nn.Sequential(Reshaped(1, 28, 28), *down, layers((1568, 200, 200, 2 * LATENT)))
    up = (nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.Tanh(), nn.ConvTranspose2d(16, 1, 3, 2, 1, 1))
    model.decoder = Decoder(layers((LATENT, 200, 200, 1568)), nn.Tanh(), Reshaped(32, 7, 7), *up)
    return model, model


class MaskedConv(nn.Conv2d):
    """A convolution that sees the pixels before this one, row by row, and itself where it is ``open``."""

    def __init__(self, inputs: int, outputs: int, *, seen: bool) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        mask = torch.tensor([[1, 1, 1], [1, int(seen), 0], [0, 0, 0]]).float()
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs."""
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=1)


class PixelCNN(nn.Module):
    """A VAE whose decoder is eight masked convolutions of 64 channels, given a map of the latents."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.maps = layers(ENCODER), layers(DECODER)
        self.first, self.of_maps = MaskedConv(1, 64, seen=False), nn.Conv2d(1, 64, 3, padding=1, bias=False)
        self.layers = nn.ModuleList(MaskedConv(64, 64, seen=True) for _ in range(7))
        self.norms = nn.ModuleList(nn.LayerNorm(64, eps=0.01) for _ in range(8))
        self.output = nn.Conv2d(64, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Minus the bound, averaged over the rows."""
        loc, log_scale = self.encoder(x).chunk(2, dim=-1)
        noise = torch.randn_like(loc)
        z = loc + log_scale.exp() * noise
        images = x.reshape(-1, 1, 28, 28)
        h = self.first(images) + self.of_maps(self.maps(z).reshape(-1, 1, 28, 28))
        for layer, norm in zip((None, *self.layers), self.norms, strict=True):
            h = h if layer is None else layer(h)
            h = functional.relu(norm(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        cost = functional.binary_cross_entropy_with_logits(self.output(h), images, reduction="none").sum((1, 2, 3))
        return (cost - (log_scale + 0.5 * (noise.square() - z.square())).sum(-1)).mean()


def pixelcnn(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """The hand-written PixelCNN decoder, of one draw, and its loss."""
    if k != 1:
        raise ValueError(f"the peer pixelcnn takes one draw, got k={k}")
    model = PixelCNN()
    return model, model


def pythae(k: int) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """pythae's IWAE with the same network, and its loss."""
    from pythae.models import IWAE, IWAEConfig  # the other peer needs no pythae
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = layers(ENCODER)

        def forward(self, x: torch.Tensor) -> ModelOutput:
            loc, log_variance = self.network(x).chunk(2, dim=-1)
            return ModelOutput(embedding=loc, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = layers(DECODER)

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))

    settings = IWAEConfig(input_dim=(ENCODER[0],), latent_dim=LATENT, reconstruction_loss="bce", number_samples=k)
    model = IWAE(settings, encoder=Encoder(), decoder=Decoder())
    return model, lambda x: model({"data": x}).loss


MODELS = {
    "eager": eager,
    "autocast": autocast,
    "compiled": compiled,
    "pythae": pythae,
    "conv": conv,
    "pixelcnn": pixelcnn,
}


def training(peer: str, batch: int, k: int) -> Callable[[int], float]:
    """``seconds_a_step(steps)`` of a peer, whose training goes on from call to call."""
    model, loss_of = MODELS[peer](k)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = torch.from_numpy(binary_images(ROWS, seed=0)).float().split(batch)
    done = 0

    def seconds_a_step(steps: int) -> float:
        nonlocal done
        start = time.perf_counter()
        for step in range(done, done + steps):
            optimizer.zero_grad()
            loss = loss_of(batches[step % len(batches)])
            loss.backward()
            optimizer.step()
        elapsed = time.perf_counter() - start
        done += steps
        if not torch.isfinite(loss):
            raise FloatingPointError(f"{peer}'s loss is {loss.item()} after {done} steps")
        return elapsed / steps

    return seconds_a_step


def main() -> None:
    """Answer orders until the input ends."""
    peer, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    prepared = {}
    for line in sys.stdin:
        order = json.loads(line)
        cell = order["batch"], order["k"]
        if cell not in prepared:
            prepared = {cell: training(peer, *cell)}
            prepared[cell](3)
        print(json.dumps({"seconds": prepared[cell](order["steps"])}), flush=True)


if __name__ == "__main__":
    main()
