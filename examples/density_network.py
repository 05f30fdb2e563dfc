"""Why a density network works only in few dimensions: prior Monte Carlo against an encoder, by number of latents.

    python examples/density_network.py --epochs 300

For each number of latents two models with the same decoder are trained on the digits, both by the bound of k = 100
draws: a density network (MacKay and Gibbs 1999), which draws from the prior, and an IWAE, which draws from its encoder.
Of test digits then: how many of 10,000 draws count, as the effective sample size of their weights, and log p(x) by
annealed importance sampling from the prior, one evaluator for both models. What was measured is stored
in the file of numbers, one latent size after the other, and a second call goes on from there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from iwax import evaluation, posteriors
from iwax.model import LatentVariableModel
from iwax.report.figures.canvas import MUTED, PALETTE, Picture, gridded, sheet
from iwax.runs import Silent, from_sources, train
from iwax.runs.environment import environment
from iwax.settings import build

DRAWS = 10_000
MODELS = {"density network": "prior", "IWAE": "gaussian"}  # the posterior of each


def trained(posterior: str, latent: int, asked: argparse.Namespace, folder: Path) -> tuple[LatentVariableModel, Any]:
    """A model with this posterior, and test rows as it takes them."""
    flags = {
        "data.name": "digits",
        "model.latent": latent,
        "model.posterior": posterior,
        "training.epochs": asked.epochs,
        "objective.gradient": "pathwise",
        "seed": asked.seed,
    }
    found = train(from_sources(preset="density-network", flags=flags), folder, reporter=Silent())
    return found.model, build.values(found.config, found.dataset(), "test", final=True)[: asked.rows]


def measured(latent: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Effective sample sizes, and log p(x) with its standard error over the rows, of both models."""
    found: dict[str, Any] = {}
    key = jax.random.key(asked.seed)
    for name, posterior in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            model, x = trained(posterior, latent, asked, Path(folder) / "run")
        blind = eqx.tree_at(lambda model: model.posterior, model, posteriors.Prior())
        draws = {"prior": evaluation.log_evidence(blind, x, k=DRAWS, key=key)}
        if posterior != "prior":
            draws["encoder"] = evaluation.log_evidence(model, x, k=DRAWS, key=key)
        exact = evaluation.annealed_evidence(model, x, chains=16, temperatures=asked.temperatures, key=key)
        found[name] = {
            "ess": {draw: float(np.median(each.ess)) for draw, each in draws.items()},
            "log_evidence": exact.mean,
            "standard_error": exact.standard_error,
            "short": {draw: exact.mean - each.mean for draw, each in draws.items()},
        }
        sys.stderr.write(f"{latent} latents, {name}: {found[name]}\n")
    return found


def draw(path: Path, numbers: dict[str, Any]) -> Path:
    """Effective sample size and log p(x) against the number of latents."""
    latents = [int(each) for each in numbers["latents"]]
    found = list(numbers["latents"].values())
    figure = sheet(9.0, 3.9)
    left, right = (gridded(axes) for axes in figure.subplots(1, 2))
    for model, draws, words, colour, marker in (
        ("IWAE", "encoder", "IWAE, draws of its encoder", PALETTE[0], "o"),
        ("density network", "prior", "density network, draws of the prior", PALETTE[6], "s"),
        ("IWAE", "prior", "IWAE, draws of the prior", PALETTE[4], "^"),
    ):
        left.plot(latents, [each[model]["ess"][draws] for each in found], marker=marker, color=colour, label=words)
    left.set_yscale("log")
    left.set_ylim(0.7, DRAWS)
    left.axhline(1, color=MUTED, linewidth=0.8, linestyle=":")
    left.set_ylabel(f"effective sample size of {DRAWS:,} draws")
    for model, colour, marker in (("IWAE", PALETTE[0], "o"), ("density network", PALETTE[6], "s")):
        heights, errors = ([each[model][name] for each in found] for name in ("log_evidence", "standard_error"))
        right.errorbar(latents, heights, yerr=errors, marker=marker, color=colour, label=model, capsize=2.5)
    right.set_ylabel("test log p(x), nats")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(latents, [str(each) for each in latents])
        axes.minorticks_off()
        axes.set_xlabel("latents")
        axes.legend(frameon=False, fontsize=8.5)
    described = "; ".join(
        f"{latent} latents: {each['density network']['log_evidence']:.1f} and {each['IWAE']['log_evidence']:.1f}"
        for latent, each in zip(latents, found, strict=True)
    )
    words = f"log p(x) of a density network and an IWAE: {described}"
    return Picture(figure, "Density network", words).write(path)


def main() -> None:
    words = argparse.ArgumentParser(description="A density network against an IWAE, by number of latents.")
    words.add_argument("--latents", default="1,2,4,8,16,32", help="numbers of latents, with commas")
    words.add_argument("--epochs", type=int, default=300)
    words.add_argument("--rows", type=int, default=100, help="test rows that are measured")
    words.add_argument("--temperatures", type=int, default=500)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--numbers", type=Path, default=Path("density_network.json"))
    words.add_argument("-o", "--output", type=Path, default=Path("density_network.png"))
    asked = words.parse_args()
    about = {name: getattr(asked, name) for name in ("epochs", "rows", "temperatures", "seed")}
    numbers: dict[str, Any] = {"command": "python examples/density_network.py", **about, "latents": {}}
    if asked.numbers.is_file():
        numbers = json.loads(asked.numbers.read_text(encoding="utf-8"))
        if {name: numbers[name] for name in about} != about:
            raise SystemExit(f"{asked.numbers} holds what was measured with other options: name another with --numbers")
    for latent in asked.latents.split(","):
        if latent not in numbers["latents"]:
            numbers["latents"][latent] = measured(int(latent), asked)
            numbers["environment"] = environment()
            asked.numbers.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    numbers["latents"] = {each: numbers["latents"][each] for each in sorted(numbers["latents"], key=int)}
    sys.stdout.write(f"{draw(asked.output, numbers)}\n")


if __name__ == "__main__":
    main()
