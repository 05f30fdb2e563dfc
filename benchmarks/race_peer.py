"""A contestant of race.py in the peers' own Python: eager PyTorch written by hand, or pythae's model in the same loop.

Adam at 1e-3, the rows in another order every epoch, pixels drawn as 0 or 1 from their grey values at every access.
"""

from collections.abc import Iterator

import numpy as np
import race_clock
import torch
from peer_worker import MODELS
from torch import nn


def layers(network: nn.Module, halved: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(W, b) of every affine layer; the last outputs halved where they are log variances: iwax has log scales."""
    affine = [module for module in network.modules() if isinstance(module, nn.Linear)]
    for layer in affine:
        weight, bias = layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()
        if halved and layer is affine[-1]:
            weight[:, bias.size // 2 :] /= 2
            bias[bias.size // 2 :] /= 2
        yield weight, bias


def main() -> None:
    """Train as ordered."""
    order = race_clock.orders((__doc__ or "").partition("\n")[0])
    clock = race_clock.Clock(order)
    torch.set_num_threads(order.threads)
    torch.manual_seed(order.seed)
    model, loss_of = MODELS[order.recipe](order.k)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    grey = torch.from_numpy(np.load(order.images))
    for epoch in range(1, order.epochs + 1):
        for rows in torch.randperm(len(grey)).split(order.batch):
            x = torch.bernoulli(grey[rows].float() / 255)
            optimizer.zero_grad()
            loss = loss_of(x)
            loss.backward()
            optimizer.step()
        if clock.wants(epoch):
            halved = order.recipe == "pythae"
            clock.epoch(epoch, list(layers(model.encoder, halved)), list(layers(model.decoder, False)))


if __name__ == "__main__":
    main()
