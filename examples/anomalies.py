"""Which score finds what a model was not trained on: log p(x), typicality, likelihood ratio, and others.

    python examples/anomalies.py images      # Fashion-MNIST against MNIST and the reverse, grey and binary
    python examples/anomalies.py digits      # scikit-learn's digits, one class left out, ten times
    python examples/anomalies.py figure      # log p(x) and the ratio under the model of Fashion-MNIST, drawn

All settings were fixed beforehand and none was chosen by an AUROC: the share of values perturbed for the background
model is 0.2, the middle of those that Ren et al. (2019, arXiv:1906.02845) try, with 0.1 and 0.3 also on the first
pair; no L2 penalty. What was measured is stored in the files of numbers; a second call goes on from there.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split

from iwax import bounds, data, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel
from iwax.report.figures.canvas import PALETTE, Picture, gridded, sheet
from iwax.runs import Run, Silent, from_sources, open_run, train
from iwax.runs.environment import environment
from iwax.settings import build

SHARE, SHARES = 0.2, (0.1, 0.2, 0.3)
K, LEVELS = 100, 17
KEPT = "fashion-against-mnist.npz"
LIKELIHOODS = {"grey": "discretized_logistic", "binary": "bernoulli"}
SETS = {
    "grey": {"Fashion-MNIST": "fashion-mnist-grey", "MNIST": "mnist-grey"},
    "binary": {"Fashion-MNIST": "fashion-mnist", "MNIST": "mnist-dynamic-50k"},
}
PAIRS = (
    ("grey", "Fashion-MNIST", "MNIST", SHARES),
    ("grey", "MNIST", "Fashion-MNIST", (SHARE,)),
    ("binary", "Fashion-MNIST", "MNIST", (SHARE,)),
    ("binary", "MNIST", "Fashion-MNIST", (SHARE,)),
)
Scores = dict[str, tuple[np.ndarray, np.ndarray]]


class Pair(NamedTuple):
    """Rows to be distinguished, as the model takes them, and rows that are typical."""

    inliers: np.ndarray
    outliers: np.ndarray
    reference: np.ndarray


def log_prob(model: LatentVariableModel, x: np.ndarray, seed: int) -> np.ndarray:
    """log p(x) of rows by K draws."""
    return evaluation.log_evidence(model, x, k=K, key=jax.random.key(seed)).log_evidence


def scores_of(model: LatentVariableModel, backgrounds: dict[str, LatentVariableModel], pair: Pair, seed: int) -> Scores:
    """log p(x), typicality, and a ratio for each background model, of inliers and outliers."""
    both = (pair.inliers, pair.outliers)
    plain = [log_prob(model, x, seed) for x in both]
    reference = log_prob(model, pair.reference, seed + 1)
    found = {
        "log p(x)": (plain[0], plain[1]),
        "typicality": (inference.typicality(plain[0], reference), inference.typicality(plain[1], reference)),
    }
    for name, background in backgrounds.items():
        below = [log_prob(background, x, seed + 2) for x in both]
        found[name] = (plain[0] - below[0], plain[1] - below[1])
    return found


def regret(model: LatentVariableModel, x: np.ndarray, seed: int) -> np.ndarray:
    """Minus what 100 steps of optimisation gain over q(z|x) at each row: minus the likelihood regret of Xiao et al."""
    return -evaluation.inference_gap(model, x, k=K, key=jax.random.key(seed), steps=100).amortisation


def trained(values: str, name: str, share: float | None, asked: argparse.Namespace) -> Run:
    """The run of a model, or of a background model, trained now if it is not there."""
    folder = asked.runs / f"{SETS[values][name]}-{share or 'plain'}-seed{asked.seed}"
    if not folder.exists():
        flags = {
            "data.name": SETS[values][name],
            "data.perturb": share,
            "model.likelihood": LIKELIHOODS[values],
            "model.activation": "relu",
            "training.epochs": asked.epochs,
            "seed": asked.seed,
        }
        half = folder.with_name(f"{folder.name}-half")  # a run that was cut is not taken for a whole one
        shutil.rmtree(half, ignore_errors=True)
        train(from_sources(flags=flags), half, reporter=Silent()).path.rename(folder)
        sys.stderr.write(f"trained {folder}\n")
    return open_run(folder)


def keep(path: Path, scores: Scores) -> None:
    """The scores of every row in a file, for the figure."""
    kinds = {f"{name}/{i}": each.astype(np.float32) for name, both in scores.items() for i, each in enumerate(both)}
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **kinds)


def images(values: str, name: str, other: str, shares: tuple[float, ...], asked: argparse.Namespace) -> dict[str, Any]:
    """A row of the table of images: AUROC of every score, in which of them what was perturbed how much."""
    found = trained(values, name, None, asked)
    own, apart = data.load(SETS[values][name]), data.load(SETS[values][other])
    grey = [each.test.values[: asked.rows] for each in (own, apart)]
    reference = build.values(found.config, own, "valid")[: asked.rows]
    taken = [found.to_model_scale(each, source="the test rows") for each in grey]
    pair = Pair(taken[0], taken[1], reference)
    backgrounds = {f"ratio {share}": trained(values, name, share, asked).model for share in shares}
    scores = scores_of(found.model, backgrounds, pair, asked.seed)
    if values == "grey":
        lengths = [inference.code_length(each, (28, 28)) for each in grey]
        plain = scores["log p(x)"]
        scores["complexity"] = (plain[0] + lengths[0], plain[1] + lengths[1])
    few = asked.rows // 4
    scores["regret"] = (
        regret(found.model, pair.inliers[:few], asked.seed),
        regret(found.model, pair.outliers[:few], asked.seed),
    )
    if (values, name) == ("grey", "Fashion-MNIST"):
        keep(asked.output / KEPT, scores)
    return {
        "values": values,
        "trained_on": name,
        "against": other,
        "likelihood": LIKELIHOODS[values],
        "rows": asked.rows,
        "log_prob": {"inliers": float(scores["log p(x)"][0].mean()), "outliers": float(scores["log p(x)"][1].mean())},
        "auroc": {score: evaluation.auroc(*both)._asdict() for score, both in scores.items()},
    }


def digit_model(x: np.ndarray, seed: int) -> LatentVariableModel:
    """64-128-128-16 and back, 17 levels of grey."""
    of_decoder, of_encoder = jax.random.split(jax.random.key(seed))
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 0.05)
    bias = np.concatenate([mean, np.log(scale)])
    decoder = nn.MLP(16, (128, 128), 128, key=of_decoder, heads=2, output_bias=bias, activation="relu")
    encoder = nn.MLP(64, (128, 128), 32, key=of_encoder, heads=2, activation="relu")
    return LatentVariableModel(
        prior=priors.StandardNormal(16),
        likelihood=likelihoods.DiscretizedLogistic.of_network(decoder, bins=LEVELS),
        posterior=posteriors.Gaussian(encoder),
    )


def fitted(x: np.ndarray, seed: int, epochs: int) -> LatentVariableModel:
    """An IWAE of rows of fractions k/16."""
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=5)
    steps = epochs * training.steps_per_epoch(len(x), 50)
    adam = optax.adam(optax.cosine_decay_schedule(1e-3, steps))
    key = jax.random.key(seed)
    return training.fit(digit_model(x, seed), objective, x, optimizer=adam, epochs=epochs, key=key, batch=50).model


def digits(left_out: int, epochs: int) -> dict[str, Any]:
    """AUROC of every score with one class left out of training: a fifth of the others against it."""
    values, labels = map(np.asarray, load_digits(return_X_y=True))
    inside, outliers = values[labels != left_out], values[labels == left_out]
    train_rows, held_out = (
        np.asarray(part)
        for part in train_test_split(inside, test_size=0.2, random_state=left_out, stratify=labels[labels != left_out])
    )
    x, *tested = (each.astype(np.float32) / (LEVELS - 1) for each in (train_rows, held_out, outliers))
    pair = Pair(tested[0], tested[1], x)
    # ten draws of the perturbation, each seen a tenth as often
    noisy = data.perturb(np.tile(train_rows, (10, 1)), SHARE, levels=LEVELS, seed=left_out)
    noisy = noisy.astype(np.float32) / (LEVELS - 1)
    model = fitted(x, left_out, epochs)
    backgrounds = {f"ratio {SHARE}": fitted(noisy, left_out, max(1, epochs // 10))}
    scores = scores_of(model, backgrounds, pair, left_out)
    scores["regret"] = (regret(model, pair.inliers, left_out), regret(model, pair.outliers, left_out))
    forest = IsolationForest(random_state=left_out).fit(x)
    mixture = GaussianMixture(10, reg_covar=1e-2, random_state=left_out).fit(x)
    for name, other in (("isolation forest", forest), ("Gaussian mixture", mixture)):
        scores[name] = (other.score_samples(pair.inliers), other.score_samples(pair.outliers))
    return {
        "left_out": left_out,
        "rows": {"training": len(x), "inliers": len(held_out), "outliers": len(outliers)},
        "log_prob": {"inliers": float(scores["log p(x)"][0].mean()), "outliers": float(scores["log p(x)"][1].mean())},
        "auroc": {score: evaluation.auroc(*both)._asdict() for score, both in scores.items()},
    }


def over_classes(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every AUROC over the classes, its standard error, their spread, and how far it is above log p(x)."""
    found = {}
    for score in rows[0]["auroc"]:
        values = np.array([row["auroc"][score]["value"] for row in rows])
        above = values - np.array([row["auroc"]["log p(x)"]["value"] for row in rows])
        found[score] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)),
            "standard_error": float(values.std(ddof=1) / np.sqrt(len(values))),
            "above_log_prob": float(above.mean()),
            "above_log_prob_error": float(above.std(ddof=1) / np.sqrt(len(values))),
        }
    return found


def draw(scores: dict[str, np.ndarray], path: Path) -> Path:
    """Histograms of log p(x) and of the ratio, of both kinds of rows."""
    figure, captions = sheet(9.0, 3.4), []
    titles = {"log p(x)": "log p(x), nats", f"ratio {SHARE}": "log p(x) less that of the background model, nats"}
    for axes, (score, words) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        both = [scores[f"{score}/{kind}"] for kind in (0, 1)]
        low, high = np.percentile(np.concatenate(both), [0.2, 99.8])
        for values, colour, kind in zip(both, PALETTE, ("Fashion-MNIST", "MNIST"), strict=False):
            axes.hist(values, np.linspace(low, high, 61), color=colour, alpha=0.65, label=f"{kind}, test")
            captions.append(f"{words}, {kind}: mean {values.mean():.0f}")
        gridded(axes).set_xlabel(words)
        axes.set_ylabel("images")
        axes.locator_params(axis="x", nbins=6)
        axes.legend(frameon=False, fontsize=9)
    words = f"Histograms of two scores of test images under the model of Fashion-MNIST. {'; '.join(captions)}"
    return Picture(figure, "Anomaly scores", words).write(path)


def stored_rows(path: Path, names: list[str], measured: Callable[[str], Any], about: dict[str, Any]) -> list[Any]:
    """What is measured under each name, from the file where it is there, and written after each."""
    numbers: dict[str, Any] = {**about, "rows": {}}
    if path.is_file():
        numbers = json.loads(path.read_text(encoding="utf-8"))
        if {name: numbers[name] for name in about} != about:
            raise SystemExit(f"{path} holds what was measured with other options: name another folder with --output")
    for name in names:
        if name not in numbers["rows"]:
            numbers["rows"][name] = measured(name)
            numbers["environment"] = environment(about["command"].split())
            if len(numbers["rows"]) > 1 and "left_out" in numbers["rows"][name]:
                numbers["over_classes"] = over_classes(list(numbers["rows"].values()))
            path.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
            sys.stderr.write(f"{name}: {numbers['rows'][name]}\n")
    return [numbers["rows"][name] for name in names]


def shown(value: float, error: float) -> str:
    """A number with its error."""
    return f"{value:.3f} +/- {error:.3f}"


def table(rows: list[tuple[str, dict[str, str]]]) -> str:
    """A Markdown table of cells by column, in the order in which columns turn up."""
    columns = list(dict.fromkeys(name for _, cells in rows for name in cells))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[head, *(cells.get(name, "") for name in columns)] for head, cells in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, print, write."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("what", choices=["images", "digits", "figure"])
    words.add_argument("--epochs", type=int, help="of a training: 5 (images), 100 (digits)")
    words.add_argument("--rows", type=int, default=2000, help="test images of either kind")
    words.add_argument("--classes", type=int, choices=range(2, 11), default=10, help="how many are left out in turn")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--runs", type=Path, default=Path("runs/anomalies"))
    words.add_argument("--output", type=Path, default=Path("results/anomaly"))
    words.add_argument("--figure", type=Path, default=Path("docs/figures/anomalies.png"))
    asked = words.parse_args()
    asked.epochs = asked.epochs or {"digits": 100}.get(asked.what, 5)
    asked.output.mkdir(parents=True, exist_ok=True)
    about = {"command": f"python examples/anomalies.py {asked.what}", "epochs": asked.epochs, "k": K}
    if asked.what == "figure":
        with np.load(asked.output / KEPT) as scores:
            sys.stdout.write(f"{draw(dict(scores), asked.figure)}\n")
    elif asked.what == "images":
        about |= {"seed": asked.seed, "test_images": asked.rows}
        of = {f"{pair[0]}, {pair[1]} against {pair[2]}": pair for pair in PAIRS}
        rows = stored_rows(asked.output / "images.json", list(of), lambda each: images(*of[each], asked), about)
        cells = [{s: shown(a["value"], a["standard_error"]) for s, a in row["auroc"].items()} for row in rows]
        sys.stdout.write(table(list(zip(of, cells, strict=True))) + "\n")
    else:
        names = [str(each) for each in range(asked.classes)]
        rows = stored_rows(asked.output / "digits.json", names, lambda each: digits(int(each), asked.epochs), about)
        cells = [{s: f"{a['value']:.3f}" for s, a in row["auroc"].items()} for row in rows]
        means = {s: shown(a["mean"], a["standard_error"]) for s, a in over_classes(rows).items()}
        sys.stdout.write(table([*zip(names, cells, strict=True), ("mean", means)]) + "\n")


if __name__ == "__main__":
    main()
