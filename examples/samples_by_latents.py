"""Samples of several runs side by side, above each the number of its latents and its log p(x).

    python examples/samples_by_latents.py runs/latent-2 runs/latent-5 runs/latent-10 runs/latent-20

The runs are of one data set of pictures and differ in `model.latent`. What is drawn are means of p(x|z) at z ~ p(z), as
in Kingma and Welling (2014, arXiv:1312.6114, figure 5); log p(x) is of test images, with its standard error over them.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from iwax import inference
from iwax.report.figures.canvas import DPI, INK, Picture, number, sheet
from iwax.report.figures.images import limits, pixels, tile
from iwax.runs import open_run
from iwax.runs.comparison import compare

LEVEL = 8  # of 256, between one grey that is drawn and the next
SCALE, MARGIN, GAP, HEAD = 2, 16, 24, 56  # of a pixel; in pixels around the panels, between them and above them


def panel(run: Path, across: int, key: jax.Array) -> tuple[str, np.ndarray]:
    """How many latents a run has, and its samples in a square, [H, W, 3] uint8."""
    trained = open_run(run)
    if len(trained.shape) < 2:
        raise SystemExit(f"{run}: pictures were needed, and its data have the shape {trained.shape}")
    mean = inference.generate(trained.model, across**2, key=key).mean
    coarse = pixels(mean, trained.shape, span=limits(mean)) // LEVEL * LEVEL  # blacks stay black; a smaller file
    page = tile(coarse, across, gutter=1)
    latent = "+".join(str(size) for size in np.ravel(trained.config.model.latent))
    return "1 latent" if latent == "1" else f"{latent} latents", page.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def draw(path: Path, panels: list[tuple[str, str, np.ndarray]], *, columns: int) -> Path:
    """Panels row by row, each with two lines of words above it."""
    height, width = (max(page.shape[axis] for *_, page in panels) for axis in (0, 1))
    rows = -(-len(panels) // columns)
    wide = 2 * MARGIN + columns * (width + GAP) - GAP
    tall = 2 * MARGIN + rows * (height + HEAD + GAP) - GAP
    figure = sheet(wide / DPI, tall / DPI, fitted=False)
    for i, (first, second, page) in enumerate(panels):
        left = MARGIN + (i % columns) * (width + GAP)
        top = MARGIN + (i // columns) * (height + HEAD + GAP)
        figure.figimage(page, xo=left, yo=tall - top - HEAD - page.shape[0], origin="upper")
        for words, down, size in ((first, 14, 11), (second, 38, 9)):
            place = {"x": left / wide, "y": 1 - (top + down) / tall, "va": "center", "ha": "left"}
            figure.text(**place, s=words, fontsize=size, color=INK, parse_math=False)
    described = "; ".join(f"{first}, {second}" for first, second, _ in panels)
    return Picture(figure, "Samples by number of latents", f"Samples of models with {described}.").write(path)


def main() -> None:
    words = argparse.ArgumentParser(description="Samples of runs with different numbers of latents.")
    words.add_argument("runs", type=Path, nargs="+", help="two run folders or more, in the order of the panels")
    words.add_argument("-o", "--output", type=Path, default=Path("samples_by_latents.png"))
    words.add_argument("--across", type=int, default=10, help="samples in a row of a panel, and rows")
    words.add_argument("--columns", type=int, default=2, help="panels next to each other")
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args()
    panels = []
    for run, found in zip(asked.runs, compare(asked.runs)["runs"], strict=True):
        latents, page = panel(run, asked.across, jax.random.key(asked.seed))
        evidence = f"{number(found['log_evidence'], 1)} ± {found['standard_error']:.1f} nats"
        panels.append((latents, f"log p(x) = {evidence}", page))
    sys.stdout.write(f"{draw(asked.output, panels, columns=asked.columns)}\n")


if __name__ == "__main__":
    main()
