"""How well trained models fill in pixels that are hidden, for four masks, with errors; a table, numbers, a picture.

    python examples/image_imputation.py RUN [RUN ...] -o imputation.json --picture imputation.png

The protocol of Li, Zhu and Zhang (2016, arXiv:1602.07416): test images in grey, as they are; hidden pixels start as
uniform noise; 100 pseudo-Gibbs iterations of encoding (one z) and decoding (its mean) overwrite them; the mean squared
error is over the hidden pixels of all test images. Differences are from the first RUN, image by image.

On the first --weighted images the same is done by importance weights (`inference.impute`), which has an error of its
own: the encoder reads zeros for what is hidden, or what the iterations have made of it. A density is evaluated there,
so a Bernoulli likelihood is given binary pixels: grey ones drawn once, pixel ~ Bernoulli(grey). The squared error is
from the grey values still. "sweeps, same pixels" are the iterations given these, "less" is the difference from them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import data, inference, supports
from iwax.data import masks
from iwax.data.binarization import as_grey, binarize_once
from iwax.evaluation import squared_error, squared_error_difference
from iwax.report import figures
from iwax.runs import Run, open_run
from iwax.streams import Bits

MASKS = ("rectangle", "random:0.6", "random:0.8", "half")


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    found.add_argument("--data", default="mnist-grey", help="whose test images, in grey or real (mnist-grey)")
    found.add_argument("--masks", nargs="+", default=MASKS, metavar="MASK")
    found.add_argument("--iterations", "--sweeps", dest="iterations", type=int, default=100)
    found.add_argument("--limit", type=int, help="the first so many images alone")
    found.add_argument("--weighted", type=int, default=200, help="images that are filled in by weights too (200)")
    found.add_argument("--k", type=int, default=1000, help="weighted draws per image (1000)")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("-o", "--output", type=Path, default=Path("imputation.json"))
    found.add_argument("--picture", type=Path, default=Path("imputation.png"))
    return found.parse_args()


def images(name: str, limit: int | None) -> tuple[np.ndarray, tuple[int, ...]]:
    """Test images [n, D] with values from 0 to 1, and the shape of one."""
    dataset = data.load(name)
    values = dataset.test.values[:limit]
    return values / np.float32(255) if dataset.kind == "grey" else values, dataset.shape


def by_weights(trained: Run, x: np.ndarray, hidden: np.ndarray, given: argparse.Namespace) -> dict[str, Any]:
    """The squared errors of `inference.impute`, and of pseudo-Gibbs given the same pixels; effective sample sizes."""
    pixels, key = x, jax.random.key(given.seed)
    if trained.model.likelihood.support == supports.binary:
        pixels = binarize_once(as_grey(x), seed=given.seed, stream=Bits.TEST).astype(np.float32)
    holed = np.where(hidden, np.nan, pixels)
    swept = inference.impute_gibbs(trained.model, holed, key=key, iterations=given.iterations)
    found: dict[str, Any] = {
        "sweeps, same pixels": dict(zip(("mse", "error"), squared_error(swept, x, hidden), strict=True))
    }
    for name, sweeps in (("weights, reading zeros", 0), ("weights, reading sweeps", given.iterations)):
        each = inference.impute(trained.model, holed, k=given.k, key=key, iterations=sweeps)
        mse, error = squared_error(each.values, x, hidden)
        noise = float(np.sum(each.error[hidden] ** 2) / hidden.sum())  # what the draws add to the squared error
        less, less_error = squared_error_difference(each.values, swept, x, hidden)
        found[name] = {"mse": mse, "error": error, "less_sweeps": less, "less_sweeps_error": less_error}
        found[name] |= {"monte_carlo": noise, "ess_median": each.ess_median}
    return found


def measured(trained: dict[str, Run], x: np.ndarray, hidden: np.ndarray, given: argparse.Namespace) -> Any:
    """Of one mask, the figures of every run, and its filled images."""
    figures_of: dict[str, Any] = {}
    filled: dict[str, np.ndarray] = {}
    for name, run in trained.items():
        key = jax.random.key(given.seed)
        filled[name] = inference.impute_gibbs(
            run.model, np.where(hidden, np.nan, x), key=key, iterations=given.iterations
        ).astype(np.float32)
        mse, error = squared_error(filled[name], x, hidden)
        less, less_error = squared_error_difference(filled[name], next(iter(filled.values())), x, hidden)
        figures_of[name] = {"mse": mse, "error": error, "less_first": less, "less_first_error": less_error}
        first = slice(0, given.weighted)
        weighted = by_weights(run, x[first], hidden[first], given) if given.weighted else {}
        figures_of[name]["first images"] = weighted
        sys.stdout.write(f"  {name}: {mse:.5f} +/- {error:.5f}, less {less:.5f} +/- {less_error:.5f}\n")
        for how, each in weighted.items():
            sys.stdout.write(f"    {given.weighted} images, {how}: {each['mse']:.5f} +/- {each['error']:.5f}")
            if "ess_median" in each:
                less = f"{each['less_sweeps']:.5f} +/- {each['less_sweeps_error']:.5f}"
                sys.stdout.write(f", less {less}, ESS median {each['ess_median']:.1f}")
            sys.stdout.write("\n")
        sys.stdout.flush()
    return figures_of, filled


def main() -> None:
    """Measure, print, write, draw."""
    given = asked()
    runs = [open_run(run) for run in given.runs]
    presets = [run.config.preset for run in runs]
    names = presets if len({*presets}) == len(runs) and all(presets) else [run.path.name for run in runs]
    trained = {str(name): run for name, run in zip(names, runs, strict=True)}
    x, shape = images(given.data, given.limit)
    found: dict[str, Any] = {"data": given.data, "images": len(x), "weighted": given.weighted, "k": given.k}
    found |= {"sweeps": given.iterations, "seed": given.seed, "masks": {}}
    shown: dict[str, list[np.ndarray]] = {"data": [], "given": [], **{name: [] for name in trained}}
    for name in given.masks:
        hidden = masks.mask(name, shape, n=len(x), seed=given.seed)
        sys.stdout.write(f"{name}, {given.data}, {len(x):,} images, mean squared error of hidden pixels\n")
        found["masks"][name], filled = measured(trained, x, hidden, given)
        given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        for row, values in {"data": x, "given": np.where(hidden, np.nan, x), **filled}.items():
            shown[row].append(values[:10])
    rows = {name: np.concatenate(each) for name, each in shown.items()}
    originals, seen = rows.pop("data"), rows.pop("given")
    figures.imputations(originals, seen, rows, shape).write(given.picture)


if __name__ == "__main__":
    main()
