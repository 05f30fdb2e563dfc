"""Digits from a hundred labels: M1+M2 of Kingma, Rezende, Mohamed and Welling (2014, arXiv:1406.5298).

    python examples/few_labels.py --labels 100 --epochs 300

M1 is a VAE of all training images, 784-500-500-50; M2 is trained on its codes, of which those units are kept whose
means vary. A code is drawn anew from q(z1|x) whenever its row is seen, and is the mean at test. In M2 the class is a
latent of ten states, summed over where it is not known, and log q(y|x) of labelled rows counts a tenth of the rows per
labelled row. The error is that of the likeliest class by q(y|x), as printed, and by p(y|x) from importance samples,
with the calibration of both. Labels are equally many of each class. What was measured is stored in the file of numbers
after every tenth part of the epochs; validation labels are not used.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import (
    Datum,
    bounds,
    data,
    evaluation,
    gradients,
    inference,
    likelihoods,
    nn,
    posteriors,
    priors,
    samplers,
    training,
)
from iwax.model import LatentVariableModel

CODES, CLASSES, ACTIVE = 50, 10, 0.1


def m1(features: int, *, key: jax.Array) -> LatentVariableModel:
    """The VAE whose codes are the data of M2."""
    of_likelihood, of_posterior = jax.random.split(key)
    nets: Any = {"hidden": (500, 500), "activation": "softplus"}
    return LatentVariableModel(
        prior=priors.StandardNormal(CODES),
        likelihood=likelihoods.Bernoulli(_net(CODES, features, of_likelihood, **nets)),
        posterior=posteriors.Gaussian(_net(features, 2 * CODES, of_posterior, heads=2, **nets)),
    )


def m2(features: int, *, hidden: int, latent: int, key: jax.Array) -> LatentVariableModel:
    """p(y) p(z) p(x|y, z) with q(y|x) q(z|x, y), one hidden layer each."""
    keys = jax.random.split(key, 3)
    code = nn.OneHot(CLASSES)
    decoder = nn.Joined((_identity(latent), code), _net(latent + CLASSES, 2 * features, keys[0], (hidden,), heads=2))
    encoder = nn.Joined((_identity(features), code), _net(features + CLASSES, 2 * latent, keys[1], (hidden,), heads=2))
    classifier = posteriors.Categorical(_net(features, CLASSES, keys[2], (hidden,)))
    return LatentVariableModel(
        prior=priors.Chain(priors.Categorical(CLASSES), (likelihoods.Unconditional(priors.StandardNormal(latent)),)),
        likelihood=likelihoods.Gaussian.of_network(decoder, floor=1e-2),
        posterior=posteriors.TopDown(classifier, (posteriors.Gaussian(encoder),)),
    )


class Identity(eqx.Module):
    """x itself, as a branch of a joined network."""

    in_features: int = eqx.field(static=True)

    @property
    def out_features(self) -> int:
        return self.in_features

    def __call__(self, x: jax.Array, *, key: Any = None) -> jax.Array:
        return x


def _identity(features: int) -> Identity:
    return Identity(features)


def _net(
    inputs: int, outputs: int, key: jax.Array, hidden: tuple[int, ...], *, activation: str = "softplus", heads: int = 1
) -> nn.MLP:
    return nn.MLP(inputs, hidden, outputs, activation=activation, heads=heads, key=key)


def codes(model: LatentVariableModel, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of q(z1|x), [rows, codes]."""

    @jax.jit
    def of(rows: jax.Array) -> Any:
        q: Any = jax.vmap(lambda x: model.infer(x, key=jax.random.key(0)))(rows)
        return q.loc, q.scale

    found = [of(jnp.asarray(part, jnp.float32) / 255) for part in np.array_split(images, 50)]
    return tuple(np.concatenate([np.asarray(each[i]) for each in found]) for i in (0, 1))  # type: ignore[return-value]


def chosen(labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """The labels of as many rows of each class, -1 elsewhere."""
    known = np.full(len(labels), -1)
    for c in range(CLASSES):
        rows = np.random.default_rng([seed, c]).permutation(np.flatnonzero(labels == c))[: count // CLASSES]
        known[rows] = c
    return known


def parsed() -> argparse.Namespace:
    """The command line."""
    words = argparse.ArgumentParser(description="Digits from a hundred labels.")
    words.add_argument("--labels", type=int, default=100)
    words.add_argument("--epochs", type=int, default=300)
    words.add_argument("--m1-epochs", type=int, default=100)
    words.add_argument("--batch", type=int, default=500)
    words.add_argument("--alpha", type=float, default=0.1, help="times rows per labelled row; 0 for the control")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--k", type=int, default=100, help="importance samples a class, at the end")
    words.add_argument("--folder", type=Path, default=Path("few_labels"))
    return words.parse_args()


def first(images: np.ndarray, asked: argparse.Namespace) -> LatentVariableModel:
    """M1, trained, or as it was trained before."""
    return training.fit(
        m1(images.shape[1], key=jax.random.key(0)),
        gradients.closed_form_kl(k=1),
        images,
        optimizer=optax.adam(3e-4),
        epochs=asked.m1_epochs,
        batch=1000,
        binarize=True,
        key=jax.random.key(0),
        checkpoint=asked.folder / "m1",
    ).model


def objective(weight: float) -> gradients.Objective:
    """Kingma's bound, and the labels' share of it."""
    return gradients.Objective(
        gradients.pathwise(bounds.elbo),
        k=1,
        sampler=samplers.Enumerated(observed="label"),
        penalties=(gradients.Classification(weight),) if weight else (),
    )


def scores(p: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The error of the likeliest class, %, and how far the probabilities can be believed."""
    return {
        "error": 100 * float(np.mean(p.argmax(axis=1) != labels)),
        "calibration": evaluation.expected_calibration_error(p, labels),
        "brier": evaluation.brier_score(p, labels),
    }


def main() -> None:
    asked = parsed()
    asked.folder.mkdir(exist_ok=True)
    dataset = data.load("mnist-grey")
    images, test = np.asarray(dataset.train.values), np.asarray(dataset.test.values)
    truth, wanted = np.asarray(dataset.train.labels), np.asarray(dataset.test.labels)
    of_images = first(images, asked)
    (mean, scale), (at_test, _) = codes(of_images, images), codes(of_images, test)
    kept = mean.std(axis=0) > ACTIVE
    known = chosen(truth, asked.labels, seed=asked.seed)
    key, weight = jax.random.key(asked.seed), asked.alpha * len(known) / asked.labels
    model = m2(int(kept.sum()), hidden=300 if asked.labels <= 100 else 500, latent=50, key=key)
    numbers: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), "kept": int(kept.sum()), "course": []}
    file = asked.folder / f"labels{asked.labels}-seed{asked.seed}{'' if weight else '-without'}.json"
    trained, rows = model, (jnp.asarray(mean[:, kept]), jnp.asarray(scale[:, kept]), jnp.asarray(known))
    for epoch, trained in epochs(model, objective(weight), rows, asked):
        if epoch % max(asked.epochs // 10, 1) == 0:
            numbers["course"].append([epoch, error(trained, at_test[:, kept], wanted)])
            file.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
            sys.stderr.write(f"epoch {epoch}: {numbers['course'][-1][1]:.2f} % of test digits called wrong\n")
    found = inference.label_probabilities(trained, at_test[:, kept], k=asked.k, key=key, batch=100)
    for which, p in (("q(y|x)", found.classifier), ("p(y|x)", found.probabilities)):
        numbers[which] = scores(p, wanted)
        sys.stdout.write(f"{which}: {numbers[which]}\n")
    file.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def epochs(model: LatentVariableModel, objective: Any, rows: Any, asked: argparse.Namespace) -> Any:
    """Epoch after epoch of M2 on codes that are drawn anew; labelled rows are dealt evenly to the batches."""
    mean, scale, known = rows
    adam, root = optax.adam(3e-4), jax.random.key(asked.seed + 1)
    weights, rest = eqx.partition(model, eqx.is_inexact_array)
    steps = len(mean) // asked.batch

    @jax.jit
    def epoch(weights: Any, moments: Any, order: jax.Array, number: jax.Array) -> Any:
        def step(carried: Any, i: jax.Array) -> Any:
            weights, moments = carried
            of_codes, of_step = jax.random.split(jax.random.fold_in(jax.random.fold_in(root, number), i))
            places = jax.lax.dynamic_slice(order, (i * asked.batch,), (asked.batch,))
            x = mean[places] + scale[places] * jax.random.normal(of_codes, (asked.batch, mean.shape[1]))
            datum = Datum.of(x, given={"label": known[places]}, index=places)

            def loss(weights: Any) -> jax.Array:
                return -jnp.mean(objective(eqx.combine(weights, rest), of_step, datum).value)

            change, moments = adam.update(jax.grad(loss)(weights), moments, weights)
            return (optax.apply_updates(weights, change), moments), None

        return jax.lax.scan(step, (weights, moments), jnp.arange(steps))[0]

    moments, begun = adam.init(weights), time.perf_counter()
    marked = np.asarray(known) >= 0
    for number in range(1, asked.epochs + 1):
        order = dealt(marked, seed=asked.seed, epoch=number)
        weights, moments = epoch(weights, moments, jnp.asarray(order), jnp.int32(number))
        if number == 2:
            sys.stderr.write(f"{time.perf_counter() - begun:.0f} s for two epochs and compilation\n")
        yield number, eqx.combine(weights, rest)


def dealt(marked: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """All rows in random order, those that are marked at equal distances."""
    random = np.random.default_rng([seed, epoch])
    places = np.empty(len(marked))
    for of in (marked, ~marked):
        rows = random.permutation(np.flatnonzero(of))
        places[rows] = (np.arange(len(rows)) + random.random()) / max(len(rows), 1)
    return np.argsort(places, kind="stable").astype(np.int32)


def error(model: Any, x: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows whose likeliest class by q(y|x) is wrong, %."""
    logits = jax.vmap(lambda row: model.posterior.top.network(row))(jnp.asarray(x))
    return 100 * float(np.mean(np.asarray(logits).argmax(axis=1) != labels))


if __name__ == "__main__":
    main()
