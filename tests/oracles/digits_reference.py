"""Published-type numbers of a small kind: IWAE and VAE on the digits, five seeds each, kept beside this file.

    python tests/oracles/digits_reference.py        trains seeds 0 to 4 and writes digits_reference.json

A check of the scorecard trains five other seeds and asks whether they are worse.
"""

import json
import sys
import tempfile
from pathlib import Path

from iwax import runs
from iwax.runs.reporter import Silent

FILE = Path(__file__).with_suffix(".json")
PRESETS = ("vae-1", "iwae-1-k5")
SETTINGS = ["model.hidden=[64]", "model.latent=8"]
K, EPOCHS = 500, 30


def measured(preset: str, seed: int, folder: Path) -> float:
    """The mean log p(x) of the test digits, nats, after a short training."""
    flags = {"training.epochs": EPOCHS, "seed": seed}
    config = runs.from_sources(preset=preset, sets=SETTINGS, flags=flags)
    run = runs.train(config, folder / f"{preset}-{seed}", reporter=Silent()).path
    return float(runs.evaluate(run, k=K, reporter=Silent())["log_evidence"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {preset: [round(measured(preset, seed, Path(folder)), 4) for seed in range(5)] for preset in PRESETS}
    FILE.write_text(json.dumps({"k": K, "epochs": EPOCHS, "log_evidence": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
