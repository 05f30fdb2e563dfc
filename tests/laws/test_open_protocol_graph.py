"""A variational graph autoencoder (Kipf and Welling 2016, arXiv:1611.07308): one data point is a whole graph.

The adjacency matrix is the value, and the edges that the encoder passes messages along are given.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.scipy.stats import norm
from oracles.karate import LINKS as PAIRS
from oracles.karate import NODES, adjacency

from iwax import Datum, bounds, evaluation, gradients, inference, parts, supports, training
from iwax.model import LatentVariableModel

KEY = jax.random.key(0)
HIDDEN, LATENT = 8, 2


def graph(matrix: np.ndarray, features: np.ndarray) -> Datum:
    """The graph as a batch of one, with its normalised edges, of every node to itself too, and its features."""
    looped = matrix + np.eye(NODES)
    senders, receivers = np.nonzero(looped)
    degree = looped.sum(axis=1)
    weight = 1 / np.sqrt(degree[senders] * degree[receivers])
    edges = {"senders": senders[None], "receivers": receivers[None], "weight": weight[None].astype(np.float32)}
    return Datum.of(matrix[None], given={"edges": edges, "features": features[None].astype(np.float32)})


class Normals(parts.Distribution):
    """Independent normal latents [nodes, latent]."""

    loc: jax.Array
    scale: jax.Array

    @property
    def mean(self):
        return self.loc

    def draw(self, key):
        return self.loc + self.scale * jax.random.normal(key, self.loc.shape), None

    def log_prob(self, value, trace=None, where=None):
        return norm.logpdf(value, self.loc, self.scale).sum()


class Friendships(parts.Distribution):
    """An undirected graph: independent for every pair i < j, with symmetric logits [nodes, nodes]."""

    reparameterized = False

    logits: jax.Array

    @property
    def mean(self):
        return jax.nn.sigmoid(self.logits) * (1 - jnp.eye(NODES))

    def draw(self, key):
        upper = jnp.triu(jax.random.uniform(key, self.logits.shape) < self.mean, k=1)
        return (upper | upper.T).astype(self.logits.dtype), None

    def log_prob(self, value, trace=None, where=None):
        each = value * self.logits - jax.nn.softplus(self.logits)
        return 0.5 * jnp.sum(each, where=~jnp.eye(NODES, dtype=bool))


class Members(parts.Prior):
    def __call__(self, given=None, *, key):
        return Normals(jnp.zeros((NODES, LATENT)), jnp.ones((NODES, LATENT)))


class InnerProduct(parts.Likelihood):
    """P(i and j are friends|z) = sigmoid(z_i z_j + bias)."""

    bias: jax.Array

    @property
    def support(self):
        return supports.binary

    def __call__(self, z, given=None, *, key):
        return Friendships(z @ z.T + self.bias)


def convolved(h, edges):
    """The sum of every node's neighbours [nodes, features], with weights."""
    messages = edges["weight"][:, None] * h[edges["senders"]]
    return jax.ops.segment_sum(messages, edges["receivers"], NODES)


class Convolutional(parts.Posterior):
    """q(z|x): two graph convolutions, the second of the means and the log scales."""

    first: jax.Array
    second: jax.Array

    @property
    def needs(self):
        edges = len(PAIRS) * 2 + NODES
        numbers, weights = (jax.ShapeDtypeStruct((edges,), dtype) for dtype in (jnp.int32, jnp.float32))
        of_nodes = jax.ShapeDtypeStruct((NODES, NODES), jnp.float32)
        return {"edges": {"senders": numbers, "receivers": numbers, "weight": weights}, "features": of_nodes}

    def __call__(self, context, *, key):
        edges, features = context.given["edges"], context.given["features"]
        h = jax.nn.relu(convolved(features @ self.first, edges))
        loc, log_scale = jnp.split(convolved(h @ self.second, edges), 2, axis=1)
        return Normals(loc, jnp.exp(log_scale))


@pytest.fixture(scope="module")
def untrained() -> LatentVariableModel:
    first, second = (
        jax.random.normal(key, shape) / np.sqrt(HIDDEN)
        for key, shape in zip(jax.random.split(KEY), [(NODES, HIDDEN), (HIDDEN, 2 * LATENT)], strict=True)
    )
    return LatentVariableModel(Members(), InnerProduct(jnp.zeros(())), Convolutional(first, second))


def test_the_club():
    degree = adjacency().sum(axis=1)
    assert len(PAIRS) == 78
    assert (degree > 0).all()
    assert degree[[0, 32, 33]].tolist() == [16, 12, 17]


def test_a_graph_convolution_is_the_dense_product():
    rng = np.random.default_rng(0)
    features, weight = rng.normal(size=(NODES, 5)), rng.normal(size=(5, 3))
    looped = adjacency() + np.eye(NODES)
    root = np.diag(looped.sum(axis=1) ** -0.5)
    edges = jax.tree.map(lambda leaf: leaf[0], graph(adjacency(), np.eye(NODES)).given["edges"])
    found = convolved(jnp.float32(features) @ jnp.float32(weight), edges)
    np.testing.assert_allclose(found, root @ looped @ root @ features @ weight, rtol=1e-6, atol=2e-6)


def test_permuted_nodes_permute_the_latents_and_leave_the_density(untrained):
    order = np.random.default_rng(1).permutation(NODES)
    matrix = adjacency()
    moved = graph(matrix[order][:, order], np.eye(NODES)[order])
    z = inference.embed(untrained, graph(matrix, np.eye(NODES)), key=KEY)[0]
    np.testing.assert_allclose(inference.embed(untrained, moved, key=KEY)[0], z[order], rtol=1e-5, atol=1e-5)
    one, other = (untrained.likelihood(each, key=KEY) for each in (jnp.asarray(z), jnp.asarray(z[order])))
    expected = one.log_prob(jnp.float32(matrix))
    np.testing.assert_allclose(other.log_prob(moved.values[0]), expected, rtol=1e-5)


@pytest.mark.slow
def test_training_raises_the_bound(untrained):
    club = graph(adjacency(), np.eye(NODES))
    objective = gradients.Objective(gradients.pathwise(bounds.elbo), k=5)
    trained = training.fit(
        untrained, objective, club, optimizer=optax.adam(3e-2), epochs=60, key=KEY, progress=False
    ).model
    bound = [evaluation.log_evidence(each, club, k=200, key=KEY) for each in (untrained, trained)]
    assert bound[1].elbo[0] > bound[0].elbo[0] + 100 + 5 * np.hypot(bound[0].elbo_error[0], bound[1].elbo_error[0])
    drawn = inference.generate(trained, 3, key=KEY)  # without edges, which the encoder alone reads
    assert drawn.sample.shape == (3, NODES, NODES)
    assert (drawn.sample == np.swapaxes(drawn.sample, 1, 2)).all()
