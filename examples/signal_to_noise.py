"""The signal-to-noise ratio of the encoder's gradient against k, on a model known exactly and on trained runs.

    iwax train mnist --preset iwae-1-k50 --set model.latent=2 --epochs 5 --output runs/plane
    iwax train mnist --preset iwae-1-k5 --epochs 100 --output runs/mnist
    python examples/signal_to_noise.py --panel linear-Gaussian --rows 16 --repeats 400
    python examples/signal_to_noise.py --panel "MNIST, 2 latents" --run runs/plane
    python examples/signal_to_noise.py --panel "MNIST, 50 latents" --run runs/mnist --rows 10 --ks 1,4,16,64,256

Every call measures one panel, keeps it in the file of numbers with those of earlier calls, and draws them all. The
first model is x = W z + b + noise, its posterior 1.3 times too wide and 0.4 standard deviations off.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.report.figures import diagnosis
from iwax.runs import Silent, open_run
from iwax.runs.environment import environment
from iwax.runs.signal import signal_curve, variants
from iwax.settings import build
from iwax.settings.objective import Objective

KEPT = ("name", "bound", "gradient", "k", "floor", "groups")


def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """x @ weight + bias."""
    layer = nn.Linear(*weight.shape, key=jax.random.key(0))
    arrays = (jnp.asarray(weight, jnp.float32), jnp.asarray(bias, jnp.float32))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, arrays)


def linear_gaussian(rows: int, *, scale: float = 1.3, shift: float = 0.4) -> tuple[LatentVariableModel, np.ndarray]:
    """Two latents and five features with a diagonal exact posterior; the model's is this much too wide and off."""
    rng = np.random.default_rng(1)
    variance = rng.uniform(0.3, 1.2, size=5)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    weight = np.sqrt(variance)[:, None] * orthogonal * rng.uniform(0.7, 1.8, size=2)
    bias = rng.normal(size=5)
    deviation = 1 / np.sqrt(1 + (weight**2 / variance[:, None]).sum(axis=0))  # of p(z|x)
    mean = weight / variance[:, None] * deviation**2
    outputs = np.concatenate([shift * deviation - bias @ mean, np.log(scale * deviation)])
    model = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Gaussian.fixed(linear(weight.T, bias), jnp.asarray(np.sqrt(variance), jnp.float32)),
        posterior=posteriors.Gaussian(linear(np.concatenate([mean, 0 * mean], axis=1), outputs)),
    )
    x = rng.normal(size=(rows, 2)) @ weight.T + bias + rng.normal(size=(rows, 5)) * np.sqrt(variance)
    return model, x.astype(np.float32)


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """One panel: a curve for the pathwise and one for the doubly reparameterised gradient of the IWAE bound."""
    if asked.run is None:
        model, x = linear_gaussian(asked.rows)
    else:
        trained = open_run(asked.run)
        model, x = trained.model, build.values(trained.config, trained.dataset(), "test", final=True)[: asked.rows]
    options = {"ks": [int(k) for k in asked.ks.split(",")], "repeats": asked.repeats, "reporter": Silent()}
    gradients = ["pathwise", "doubly_reparameterized"]
    curves = [
        signal_curve(model, x, each, key=jax.random.key(asked.seed), **options)
        for each in variants(Objective(), [], gradients, {})
    ]
    about = {"rows": asked.rows, "repeats": asked.repeats, "seed": asked.seed, "environment": environment()}
    return about | {"curves": [{name: curve[name] for name in KEPT} for curve in curves]}


def main() -> None:
    """Measure a panel, keep it, and draw what there is."""
    words = argparse.ArgumentParser(description="Signal-to-noise of the encoder's gradient against k.")
    words.add_argument("--panel", help="the name of what is measured; none: draw again what there is")
    words.add_argument("--run", type=Path, help="a run's folder (the linear-Gaussian model without one)")
    words.add_argument("--ks", default="1,4,16,64,256,1024", help="numbers of importance samples, with commas")
    words.add_argument("--rows", type=int, default=5, help="rows of data in the batch")
    words.add_argument("--repeats", type=int, default=100)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--numbers", type=Path, default=Path("signal_to_noise.json"))
    words.add_argument("-o", "--output", type=Path, default=Path("signal_to_noise.png"))
    asked = words.parse_args()
    panels = json.loads(asked.numbers.read_text(encoding="utf-8")) if asked.numbers.is_file() else {}
    if asked.panel is not None:
        panels[asked.panel] = measured(asked)
        asked.numbers.write_text(json.dumps(panels, indent=1) + "\n", encoding="utf-8")
    encoder = {
        f"{title}\n{panel['rows']} rows a batch, {panel['repeats']} repeats": [
            {"name": curve["name"], "k": curve["k"], **curve["groups"]["encoder"]} for curve in panel["curves"]
        ]
        for title, panel in panels.items()
    }
    note = "of the encoder's parameters; bars: one standard error; arrows: not distinguishable from zero"
    sys.stdout.write(f"{diagnosis.signal_to_noise(encoder, note=note).write(asked.output)}\n")


if __name__ == "__main__":
    main()
