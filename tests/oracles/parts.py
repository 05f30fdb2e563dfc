"""Every prior and posterior by one line, on data of FEATURES and LATENT latents: what the contracts go through."""

from collections.abc import Callable
from functools import cache, partial
from itertools import combinations
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import bijections, likelihoods, posteriors, priors
from iwax.nn import MLP, FeatureEncoding, Joined, Linear
from iwax.parts import Datum

FEATURES, LATENT, TRUNK = 5, 2, 3
X = Datum(values=jnp.array([1.0, 0.0, 1.0, 1.0, 0.0]))
KEY = jax.random.key(17)


@cache
def network(inputs: int, outputs: int, seed: int, heads: int = 1) -> MLP:
    with jax.ensure_compile_time_eval():  # the first to ask may be tracing, and the network outlives that
        return MLP(inputs, (4,), outputs, key=jax.random.key(seed), heads=heads)


def conditional(seed: int, latent: int = LATENT) -> likelihoods.Gaussian:
    return likelihoods.Gaussian.of_network(network(latent, 2 * latent, seed, heads=2))


def trunk(seed: int) -> MLP:
    return network(FEATURES, TRUNK, seed)


def rung(inputs: int, latent: int, seed: int) -> posteriors.Rung:
    head = Linear(TRUNK, 2 * latent, key=jax.random.key(seed), heads=2)
    return posteriors.Rung(network(inputs, TRUNK, seed), head)


def top_down(latent: int = LATENT) -> posteriors.TopDown:
    """The lower layer has a network of (x, the latent above)."""
    each = (network(FEATURES, TRUNK, 31), network(latent, TRUNK, 32))
    lower = posteriors.Gaussian(Joined(each, network(2 * TRUNK, 2 * latent, 33, heads=2)))
    return posteriors.TopDown(posteriors.Gaussian(network(FEATURES, 2 * latent, 30, heads=2)), (lower,))


def ladder(latent: int = LATENT) -> eqx.Module:
    prior = priors.Chain(priors.StandardNormal(latent), (conditional(39, latent),))
    rungs = posteriors.Ladder((rung(FEATURES, latent, 34), rung(TRUNK, latent, 35)))
    return rungs.bind(SimpleNamespace(prior=prior), key=KEY)


def vamp_on_top(latent: int = LATENT) -> priors.Chain:
    return priors.Chain(priors.Vamp(inputs(3, 42)), (conditional(43, latent),))


def hamiltonian() -> posteriors.Hamiltonian:
    reverse = network(TRUNK + LATENT, 2 * LATENT, 37)
    return posteriors.hamiltonian(trunk(36), LATENT, steps=2, reverse=reverse, key=KEY)


def inputs(count: int, seed: int) -> jax.Array:
    return jax.random.uniform(jax.random.key(seed), (count, FEATURES))


PRIORS: dict[str, Callable] = {
    "standard normal": lambda: priors.StandardNormal(LATENT),
    "bernoulli": lambda: priors.Bernoulli(LATENT),
    "chain": lambda: priors.Chain(priors.StandardNormal(LATENT), (conditional(1), conditional(2))),
    "mixture": lambda: priors.Mixture(LATENT, components=3, key=KEY),
    "real nvp": lambda: priors.Flow(
        LATENT, posteriors.coupling_layers(LATENT, steps=1, hidden=(4,), scaled=True, key=KEY)
    ),
    "masked autoregressive": lambda: priors.Flow(
        LATENT, bijections.Inverted(posteriors.autoregressive_layers(LATENT, steps=1, hidden=(4,), key=KEY))
    ),
    "vamp": lambda: priors.Vamp(inputs(3, 40)),
    "exemplar": lambda: priors.Exemplar(inputs(3, 41), scale=0.6),
    "vamp on top": partial(vamp_on_top, 1),
}


def encoded() -> posteriors.Encoded:
    """Reads four numbers and the class of the last feature, which has two, and the marks of what was observed."""
    encoding = FeatureEncoding(
        jnp.array([0.5, 0.1, 0.2, -0.3, 0.0]),
        jnp.array([0.5, 2.0, 0.7, 1.5, 1.0]),
        ("linear", "log1p", "linear", "log", ("classes", 2)),
        mask=True,
    )
    return posteriors.Encoded(posteriors.Gaussian(network(encoding.features, 2 * LATENT, 39, heads=2)), encoding)


POSTERIORS: dict[str, Callable] = {
    "bernoulli": lambda: posteriors.Bernoulli(network(FEATURES, LATENT, 13)),
    "gaussian": lambda: posteriors.Gaussian(network(FEATURES, 2 * LATENT, 9, heads=2)),
    "chain": lambda: posteriors.Chain(
        posteriors.Gaussian(network(FEATURES, 2 * LATENT, 10, heads=2)),
        tuple(posteriors.Gaussian(network(LATENT, 2 * LATENT, seed, heads=2)) for seed in (11, 12)),
    ),
    "full gaussian": lambda: posteriors.FullGaussian(
        network(FEATURES, posteriors.FullGaussian.outputs(LATENT), 14), LATENT
    ),
    "mixture": lambda: posteriors.Mixture(
        network(FEATURES, posteriors.Mixture.outputs(LATENT, components=2), 15), LATENT, components=2
    ),
    "householder": lambda: posteriors.householder(trunk(16), LATENT, reflections=2, key=KEY),
    "linear iaf": lambda: posteriors.linear_iaf(trunk(17), LATENT, key=KEY),
    "convex linear iaf": lambda: posteriors.convex_linear_iaf(trunk(18), LATENT, components=2, key=KEY),
    "planar": lambda: posteriors.planar(trunk(19), LATENT, steps=2, key=KEY),
    "planar, shared": lambda: posteriors.planar(trunk(20), LATENT, steps=1, amortised=False, key=KEY),
    "radial": lambda: posteriors.radial(trunk(21), LATENT, steps=1, key=KEY),
    "nice": lambda: posteriors.nice(trunk(22), LATENT, steps=2, hidden=(4,), key=KEY),
    "real nvp": lambda: posteriors.real_nvp(trunk(23), LATENT, steps=1, hidden=(4,), key=KEY),
    "iaf": lambda: posteriors.iaf(trunk(24), LATENT, steps=1, hidden=(4,), key=KEY),
    "sylvester": lambda: posteriors.sylvester(trunk(25), LATENT, steps=1, planes=1, key=KEY),
    "hamiltonian": lambda: hamiltonian().bind(
        SimpleNamespace(
            prior=priors.StandardNormal(LATENT), likelihood=likelihoods.Bernoulli(network(LATENT, FEATURES, 38))
        ),
        key=KEY,
    ),
    "encoded": encoded,
    "top down": partial(top_down, 1),  # layers of one latent: two in all
    "ladder": partial(ladder, 1),
}
ENCODERS: dict[str, Callable] = {  # what a prior is bound to, where it needs anything
    "vamp": POSTERIORS["gaussian"],
    "exemplar": POSTERIORS["gaussian"],
    "vamp on top": partial(top_down, 1),
}


def stored_twice(tree) -> list[tuple[str, str]]:
    """Paths of arrays that are one object, or that hold the same numbers and not one number throughout."""
    leaves = [
        (jax.tree_util.keystr(path), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if eqx.is_array(leaf)
    ]
    return [
        (name, other)
        for (name, a), (other, b) in combinations(leaves, 2)
        if a is b or (a.shape == b.shape and a.size > 1 and np.ptp(a) > 0 and np.array_equal(a, b))
    ]
