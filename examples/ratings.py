"""Ratings that were held out, predicted by graph convolutions and by baselines, and by a variational form of them.

    python examples/ratings.py movielens_100k.npz --fold 1

The file holds ``user``, ``item``, ``rating`` [n], and ``fold`` [n] or ``test`` [n]. GC-MC of van den Berg, Kipf
and Welling (2017, arXiv:1706.02263): an autoencoder with a categorical likelihood, 1,000 steps of Adam at 0.01, node
dropout 0.7, measured at the Polyak average of its weights (decay 0.995). Next to it: ordinal levels, which need one
output a pair; a variational posterior, with the ELBO and with IWAE; and, as baselines, the training mean, biases of
users and items, and biased matrix factorisation. Root mean square errors are those of expected ratings.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import bounds, families, gradients, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

WIDTH, LATENT, DECAY = 500, 75, 0.995


@dataclass(frozen=True)
class System:
    """A model of all ratings as a combination of parts."""

    family: str = "categorical"
    posterior: str = "point"
    k: int = 1
    bound: str = "elbo"
    beta: float = 0.0
    latent: int = LATENT
    biases: bool = False


SYSTEMS = {
    "GC-MC": System(),
    "ordinal": System(family="ordinal", biases=True),
    "variational": System(family="ordinal", posterior="gaussian", beta=1.0, latent=8, biases=True),
    "importance-weighted, k = 5": System(
        family="ordinal", posterior="gaussian", bound="iwae", k=5, beta=1.0, latent=8, biases=True
    ),
}


@dataclass(frozen=True)
class Ratings:
    """Training and test ratings as levels, and the value of each level."""

    users: int
    items: int
    values: np.ndarray
    train: tuple[np.ndarray, np.ndarray]  # pairs [n, 2], levels [n]
    test: tuple[np.ndarray, np.ndarray]  # pairs [m, 2], ratings [m]


def read(path: Path, fold: int) -> Ratings:
    """The ratings of a file, those of a fold or those marked for testing held out."""
    with np.load(path, allow_pickle=False) as file:
        pairs = np.stack([file["user"], file["item"]], axis=1).astype(np.int32)
        rating = file["rating"].astype(float)
        held = file["fold"] == fold if "fold" in file.files else file["test"]
        shape = file["shape"] if "shape" in file.files else pairs.max(axis=0) + 1
    values = np.unique(rating[~held])
    levels = np.searchsorted(values, rating[~held])
    return Ratings(int(shape[0]), int(shape[1]), values, (pairs[~held], levels), (pairs[held], rating[held]))


def model_of(system: System, ratings: Ratings, *, dropout: float, key: jax.Array) -> LatentVariableModel:
    """The untrained model."""
    pairs, levels = ratings.train[0], len(ratings.values)
    keys = jax.random.split(key, 2)
    heads = 1 if system.posterior == "point" else 2
    sizes: Any = (pairs, ratings.users, ratings.items)
    encoder = nn.RatingConvolution(
        *sizes,
        levels=levels,
        width=WIDTH // levels,
        out=heads * system.latent,
        heads=heads,
        dropout=dropout,
        key=keys[0],
    )
    ordinal = system.family == "ordinal"
    decoder = nn.RatingDecoder(
        *sizes, latent=system.latent, outputs=1 if ordinal else levels, biases=system.biases, key=keys[1]
    )
    family = families.ordinal(levels) if ordinal else families.categorical(levels)
    return LatentVariableModel(
        prior=priors.StandardNormal((ratings.users + ratings.items) * system.latent),
        likelihood=likelihoods.Likelihood(decoder, family),
        posterior=posteriors.Point(encoder) if system.posterior == "point" else posteriors.Gaussian(encoder),
    )


def trained(system: System, ratings: Ratings, *, steps: int, dropout: float, seed: int) -> LatentVariableModel:
    """The model at the Polyak average of its weights, without dropout."""
    model = model_of(system, ratings, dropout=dropout, key=jax.random.key(seed))
    bound = {"elbo": bounds.elbo, "iwae": bounds.iwae}[system.bound]
    objective = gradients.Tempered(gradients.Objective(gradients.pathwise(bound), k=system.k), system.beta)
    adam, x = optax.adam(0.01), jnp.asarray(ratings.train[1], jnp.float32)[None]
    weights, rest = eqx.partition(model, eqx.is_inexact_array)

    def loss(weights: Any, key: jax.Array) -> jax.Array:
        return -jnp.mean(objective(eqx.combine(weights, rest), key, x).value) / x.size

    @jax.jit
    def step(carried: Any, number: jax.Array) -> Any:
        weights, moments, average = carried
        slope = jax.grad(loss)(weights, jax.random.fold_in(jax.random.key(seed), number))
        change, moments = adam.update(slope, moments, weights)
        weights = optax.apply_updates(weights, change)
        average = jax.tree.map(lambda a, w: DECAY * a + (1 - DECAY) * w, average, weights)
        return weights, moments, average

    carried = weights, adam.init(weights), jax.tree.map(jnp.zeros_like, weights)
    for number in range(steps):
        carried = step(carried, jnp.int32(number))
    average = jax.tree.map(lambda a: a / (1 - DECAY**steps), carried[2])
    found = eqx.combine(average, rest)
    return eqx.tree_at(lambda m: m.posterior.network, found, found.posterior.network.at_rest())


def predicted(model: Any, ratings: Ratings, *, k: int, seed: int) -> np.ndarray:
    """The expected ratings of the test pairs: means over k draws of q."""
    x = jnp.asarray(ratings.train[1], jnp.float32)
    decoder = model.likelihood.network.listing(ratings.test[0])
    values = jnp.asarray(ratings.values)

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        z = model.infer(x, key=key).draw(key)[0]
        return model.likelihood.of_outputs(decoder(z)).probabilities @ values

    return np.mean([np.asarray(one(key)) for key in jax.random.split(jax.random.key(seed), k)], axis=0)


def baselines(ratings: Ratings) -> dict[str, float]:
    """The training mean; biases by ridge regression; biased matrix factorisation by alternating ridge regressions."""
    (pairs, levels), (asked, truth) = ratings.train, ratings.test
    rating = ratings.values[levels]
    mean = rating.mean()
    found = {"training mean": rmse(np.full(len(truth), mean), truth)}
    sizes = (ratings.users, ratings.items)
    bias = [np.zeros(size) for size in sizes]
    for _ in range(20):
        for side, other in ((0, 1), (1, 0)):
            left = rating - mean - bias[other][pairs[:, other]]
            count = np.bincount(pairs[:, side], minlength=sizes[side])
            bias[side] = np.bincount(pairs[:, side], left, minlength=sizes[side]) / (count + 5)
    plain = mean + bias[0][asked[:, 0]] + bias[1][asked[:, 1]]
    found["biases"] = rmse(plain, truth)
    left = rating - mean - bias[0][pairs[:, 0]] - bias[1][pairs[:, 1]]
    factors = factorised(pairs, left, sizes)
    found["factorisation"] = rmse(plain + (factors[0][asked[:, 0]] * factors[1][asked[:, 1]]).sum(axis=1), truth)
    return {name: float(value) for name, value in found.items()}


def factorised(
    pairs: np.ndarray, left: np.ndarray, sizes: tuple[int, int], *, rank: int = 5, ridge: float = 15.0
) -> list[np.ndarray]:
    """Factors of users and of items whose products fit what is left, by alternating ridge regressions."""
    random = np.random.default_rng(0)
    factors = [0.1 * random.normal(size=(size, rank)) for size in sizes]
    for _ in range(15):
        for side, other in ((0, 1), (1, 0)):
            order = np.argsort(pairs[:, side], kind="stable")
            ends = np.searchsorted(pairs[order, side], np.arange(sizes[side] + 1))
            for node in range(sizes[side]):
                rows = order[ends[node] : ends[node + 1]]
                a = factors[other][pairs[rows, other]]
                factors[side][node] = np.linalg.solve(a.T @ a + ridge * np.eye(rank), a.T @ left[rows])
    return factors


def rmse(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def main() -> None:
    words = argparse.ArgumentParser(description="Ratings that were held out, predicted.")
    words.add_argument("ratings", type=Path)
    words.add_argument("--fold", type=int, default=1)
    words.add_argument("--systems", nargs="*", choices=SYSTEMS, default=[*SYSTEMS])
    words.add_argument("--steps", type=int, default=1000)
    words.add_argument("--dropout", type=float, default=0.7)
    words.add_argument("--seeds", type=int, default=1)
    words.add_argument("--numbers", type=Path, default=Path("ratings.json"))
    asked = words.parse_args()
    ratings = read(asked.ratings, asked.fold)
    about = {name: getattr(asked, name) for name in ("fold", "steps", "dropout")} | {"file": asked.ratings.name}
    numbers: dict[str, Any] = {"command": "python examples/ratings.py", **about, "systems": {}}
    if asked.numbers.is_file():
        numbers = json.loads(asked.numbers.read_text(encoding="utf-8"))
        if {name: numbers[name] for name in about} != about:
            raise SystemExit(f"{asked.numbers} holds what was measured with other options: name another with --numbers")
    numbers.setdefault("baselines", baselines(ratings))
    for name in asked.systems:
        for seed in range(asked.seeds):
            of_seeds = numbers["systems"].setdefault(name, {})
            if str(seed) not in of_seeds:
                begun = time.perf_counter()
                system = SYSTEMS[name]
                model = trained(system, ratings, steps=asked.steps, dropout=asked.dropout, seed=seed)
                found = predicted(model, ratings, k=1 if system.posterior == "point" else 20, seed=seed)
                of_seeds[str(seed)] = {
                    "rmse": rmse(found, ratings.test[1]),
                    "seconds": time.perf_counter() - begun,
                }
                asked.numbers.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
                sys.stderr.write(f"{name}, seed {seed}: {of_seeds[str(seed)]}\n")
    for name, value in numbers["baselines"].items():
        sys.stdout.write(f"{name:28}{value:.4f}\n")
    for name, of_seeds in numbers["systems"].items():
        each = [row["rmse"] for row in of_seeds.values()]
        sys.stdout.write(f"{name:28}{np.mean(each):.4f}  ({len(each)} seeds)\n")


if __name__ == "__main__":
    main()
