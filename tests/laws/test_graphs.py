"""Graphs as parts: scores, the likelihood of all pairs, graph convolutions, and a variational graph autoencoder.

Against the sum over all pairs of a dense table, enumeration of all graphs of four nodes, and the dense formula of
Kipf and Welling (2016, arXiv:1611.07308) on the karate club.
"""

from itertools import combinations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import karate
from scipy.special import expit

from iwax import bounds, distributions, evaluation, gradients, inference, likelihoods, nn, posteriors, priors
from iwax.distributions.all_pairs import log_no_links
from iwax.model import LatentVariableModel

KEY = jax.random.key(3)
SCORES = {
    "inner product": nn.InnerProduct(),
    "scaled": nn.ScaledInnerProduct(0.7, -0.4),
    "degree corrected": nn.DegreeCorrected(-0.3),
    "distance": nn.Distance(0.5),
    "bilinear": nn.Bilinear(3, key=KEY, bias=-0.2),
}
EXPECTED = {
    "inner product": lambda a, b: a @ b,
    "scaled": lambda a, b: 0.7 * a @ b - 0.4,
    "degree corrected": lambda a, b: a[:2] @ b[:2] + a[2] + b[2] - 0.3,
    "distance": lambda a, b: 0.5 - np.sum((a - b) ** 2),
    "bilinear": lambda a, b: (
        a @ np.asarray(SCORES["bilinear"].weight) @ b / 2 + b @ np.asarray(SCORES["bilinear"].weight) @ a / 2 - 0.2
    ),
}
FOUR = np.array(list(combinations(range(4), 2)))


def latents(nodes: int, seed: int = 0, latent: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(nodes, latent))


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_its_formula_and_has_no_direction(name):
    z = latents(5)
    left, right = SCORES[name].factors(jnp.asarray(z))
    expected = [[EXPECTED[name](a, b) for b in z] for a in z]
    np.testing.assert_allclose(left @ right.T, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(expected, np.transpose(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "listed"),
    [("scaled", 3), pytest.param("scaled", 0, marks=pytest.mark.slow), *((name, 6) for name in SCORES)],
)
def test_the_probabilities_of_all_graphs_of_four_nodes_add_up_to_1(name, listed):
    """Of the pairs that are not listed none is linked: their graphs are those with the rest listed too."""
    z, total = jnp.asarray(latents(4).ravel()), 0.0
    for others in product((0, 1), repeat=len(FOUR) - listed):
        links = FOUR[listed:][np.array(others, bool)]
        p = likelihoods.Graph(SCORES[name], np.concatenate([FOUR[:listed], links]), 4)(z, key=KEY)
        ones = jnp.ones(len(links))
        total += sum(
            float(jnp.exp(p.log_prob(jnp.concatenate([jnp.asarray(graph, float), ones]))))
            for graph in product((0, 1), repeat=listed)
        )
    assert total == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize(("nodes", "tile"), [(2, 1), (13, 4), (16, 8), (33, 50), (40, 7)])
def test_tiles_of_any_size_give_the_sum_over_all_pairs_and_its_derivative(nodes, tile):
    z = jnp.asarray(latents(nodes, nodes))

    def of_tiles(z):
        return log_no_links(*nn.ScaledInnerProduct(3.0, -1.0).factors(z), tile)

    def dense(z):
        left, right = nn.ScaledInnerProduct(3.0, -1.0).factors(z)
        return -jnp.sum(jnp.triu(jax.nn.softplus(left @ right.T), 1))

    (found, slope), (expected, expected_slope) = (jax.jit(jax.value_and_grad(each))(z) for each in (of_tiles, dense))
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(slope, expected_slope, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(jax.jit(of_tiles)(z), found, rtol=1e-6)  # with and without the derivative


def test_a_sum_over_pairs_is_finite_at_extreme_scores():
    z = jnp.array([[1e3], [1e3], [-1e3]])
    value, slope = jax.value_and_grad(lambda z: log_no_links(z, z))(z)
    assert float(value) == -1e6
    assert np.isfinite(slope).all()


def test_what_is_unknown_has_no_part_in_the_likelihood_nor_in_its_gradient():
    """The likelihood of the known pairs is the sum over the graphs that the unknown pairs can complete."""
    z, unknown = jnp.asarray(latents(4).ravel()), FOUR[4:]
    known = likelihoods.Graph(nn.InnerProduct(), FOUR[:2], 4, unknown=unknown)
    whole = likelihoods.Graph(nn.InnerProduct(), np.concatenate([FOUR[:2], unknown]), 4)

    def completed(z):
        graphs = jnp.array([(1.0, 0.0, *rest) for rest in product((0, 1), repeat=2)])
        return jax.nn.logsumexp(jax.vmap(whole(z, key=KEY).log_prob)(graphs))

    def of_known(z):
        return known(z, key=KEY).log_prob(jnp.array([1.0, 0.0]))

    for found, expected in zip(*(jax.value_and_grad(each)(z) for each in (of_known, completed)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    where = jnp.array([True, True, False, False])
    masked = whole(z, key=KEY).log_prob(jnp.array([1.0, 0.0, 1.0, 0.0]), where=where)
    np.testing.assert_allclose(masked, of_known(z), rtol=1e-6)


def test_nodes_far_from_all_others_have_a_finite_gradient():
    z = jnp.concatenate([jnp.asarray(latents(3)), jnp.full((1, 3), 50.0)]).ravel()
    p = likelihoods.Graph(nn.Distance(0.0), FOUR[:1], 4)
    value, slope = jax.value_and_grad(lambda z: p(z, key=KEY).log_prob(jnp.ones(1)))(z)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_poisson_links_are_one_minus_exp_of_the_rate_over_all_pairs():
    z = latents(4)
    strength = np.log1p(np.exp(z))
    rate = 0.5 * strength @ strength.T
    p = likelihoods.Graph(nn.Rates(3, rate=0.5), FOUR[:3], 4, link="poisson")(jnp.asarray(z.ravel()), key=KEY)
    linked = np.array([1.0, 0.0, 1.0])
    each = [rate[i, j] for i, j in FOUR]
    expected = sum(np.log(-np.expm1(-r)) if on else -r for r, on in zip(each, [*linked, 0, 0, 0], strict=True))
    np.testing.assert_allclose(p.log_prob(jnp.asarray(linked)), expected, rtol=1e-5)
    np.testing.assert_allclose(p.mean, -np.expm1(-np.array(each[:3])), rtol=1e-5)


def printed_cost(logits: np.ndarray, matrix: np.ndarray) -> float:
    """The cost of Kipf and Welling's program, of one graph, without its KL divergence: minimised."""
    nodes, edges = len(matrix), matrix.sum()
    weight, norm = (nodes**2 - edges) / edges, nodes**2 / (2 * (nodes**2 - edges))
    target, p = matrix + np.eye(nodes), expit(logits)
    return norm * np.mean(-weight * target * np.log(p) - (1 - target) * np.log1p(-p))


def test_the_printed_objective_is_a_weighted_likelihood_with_loops():
    z = 0.3 * latents(karate.NODES)
    edges = 2 * len(karate.LINKS)
    weight = (karate.NODES**2 - edges) / edges
    p = likelihoods.Graph(nn.InnerProduct(), karate.LINKS, karate.NODES, edge_weight=weight, loops=True)
    found = p(jnp.asarray(z.ravel()), key=KEY).log_prob(jnp.ones(len(karate.LINKS)))
    norm = karate.NODES**2 / (2 * (karate.NODES**2 - edges))
    expected = -printed_cost(z @ z.T, karate.adjacency()) / norm * karate.NODES**2 / 2
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_graph_convolution_is_the_dense_formula():
    features = np.random.default_rng(0).normal(size=(karate.NODES, 5))
    net = nn.GraphConvolution(
        karate.LINKS, karate.NODES, hidden=(6,), out=4, features=jnp.asarray(features), heads=2, key=KEY
    )
    looped = karate.adjacency() + np.eye(karate.NODES)
    root = np.diag(looped.sum(axis=1) ** -0.5)
    first, second = map(np.asarray, net.weights)
    propagation = root @ looped @ root
    expected = propagation @ np.maximum(propagation @ features @ first, 0) @ second
    found = np.asarray(net(jnp.ones(len(karate.LINKS))))
    loc, log_scale = found.reshape(2, karate.NODES, 2)
    np.testing.assert_allclose(np.concatenate([loc, log_scale], axis=1), expected, rtol=2e-5, atol=2e-6)


def test_permuted_nodes_permute_the_output():
    features = np.random.default_rng(0).normal(size=(karate.NODES, 5))
    order = np.random.default_rng(1).permutation(karate.NODES)  # node i becomes order[i]
    moved = np.empty_like(features)
    moved[order] = features
    links = order[karate.LINKS]
    given = [(karate.LINKS, features), (links, moved)]
    one, other = (
        nn.GraphConvolution(pairs, karate.NODES, hidden=(6,), out=2, features=jnp.asarray(x), key=KEY)(
            jnp.ones(len(pairs))
        ).reshape(karate.NODES, 2)
        for pairs, x in given
    )
    np.testing.assert_allclose(other[order], one, rtol=1e-5, atol=1e-6)


def test_a_pair_that_is_not_linked_sends_no_message():
    pairs = np.array([[0, 1], [1, 2]])
    net, less = (nn.GraphConvolution(each, 3, hidden=(4,), out=2, key=KEY) for each in (pairs, pairs[:1]))
    np.testing.assert_allclose(net(jnp.array([1.0, 0.0])), less(jnp.ones(1)), rtol=1e-6)
    assert np.abs(net(jnp.ones(2)) - less(jnp.ones(1))).max() > 1e-3


def test_an_isolated_node_without_features_is_its_own_weights():
    net = nn.GraphConvolution(np.array([[0, 1]]), 3, hidden=(4,), out=2, key=KEY)
    alone = jax.nn.relu(net.weights[0][2]) @ net.weights[1]
    np.testing.assert_allclose(net(jnp.ones(1)).reshape(3, 2)[2], alone, rtol=1e-6)


def vgae(links: np.ndarray, nodes: int, latent: int = 1, score: nn.AbstractPairScore | None = None):
    net = nn.GraphConvolution(links, nodes, hidden=(4,), out=2 * latent, heads=2, key=KEY)
    return LatentVariableModel(
        prior=priors.StandardNormal(nodes * latent),
        likelihood=likelihoods.Graph(score or nn.ScaledInnerProduct(1.5, -0.5), links, nodes),
        posterior=posteriors.Gaussian(net),
    )


def test_log_p_of_two_nodes_and_their_link_by_quadrature():
    """z is two numbers: log p(A) and P(A_01 = 1 | A without it) on a grid."""
    model = vgae(np.array([[0, 1]]), 3)
    grid = np.linspace(-8, 8, 161)
    weight = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    score = 1.5 * grid[:, None] * grid - 0.5
    on, off = expit(score), expit(-score)
    shared = np.einsum("ij,ik,jk,i,j,k", on, off, off, weight, weight, weight)  # 0-1 linked, 2 with neither
    found = evaluation.log_evidence(model, np.ones((1, 1)), k=20_000, key=KEY)
    assert found.log_evidence[0] == pytest.approx(np.log(shared), abs=5 * found.monte_carlo_error[0])
    assert found.monte_carlo_error[0] < 0.02
    second = np.einsum("ij,ik,jk,i,j,k", on, on, off, weight, weight, weight)  # and 0-2 linked too
    free = LatentVariableModel(
        model.prior, likelihoods.Graph(model.likelihood.score, [[0, 1]], 3, unknown=[[0, 2]]), model.posterior
    )
    link = inference.link_probabilities(free, np.ones((1, 1)), [[0, 2]], k=20_000, key=KEY)
    assert link.probability[0] == pytest.approx(second / (second + shared), abs=5 * link.error[0])
    assert link.error[0] < 0.01


def test_the_likeliest_links_are_those_of_the_whole_table():
    model = vgae(karate.LINKS, karate.NODES, latent=2)
    x = np.ones((1, len(karate.LINKS)))
    found = inference.likeliest_links(model, x, top=7, k=20, key=KEY, known=karate.LINKS)
    others = np.argwhere(np.triu(1 - karate.adjacency(), 1))
    table = inference.link_probabilities(model, x, others, k=20, key=KEY, weighted=False)
    expected = np.sort(table.probability)[::-1][:7]
    np.testing.assert_allclose(found.probability, expected, rtol=1e-5)
    assert not {tuple(pair) for pair in found.pairs.tolist()} & {tuple(pair) for pair in karate.LINKS.tolist()}
    assert len({tuple(pair) for pair in found.pairs.tolist()}) == 7


def test_a_graph_autoencoder_has_no_kl_and_gives_the_same_latents_for_any_noise():
    net = nn.GraphConvolution(karate.LINKS, karate.NODES, hidden=(4,), out=2, key=KEY)
    model = LatentVariableModel(
        prior=priors.StandardNormal(karate.NODES * 2),
        likelihood=likelihoods.Graph(nn.InnerProduct(), karate.LINKS, karate.NODES),
        posterior=posteriors.Point(net),
    )
    objective = gradients.Tempered(gradients.Objective(gradients.pathwise(bounds.elbo), k=1), 0.0)
    x = jnp.ones((1, len(karate.LINKS)))
    expected = model.likelihood(net(x[0]), key=KEY).log_prob(x[0])
    for seed in (0, 1):
        np.testing.assert_allclose(objective(model, jax.random.key(seed), x).value, expected, rtol=1e-6)


def test_pairs_that_are_none_are_refused_by_their_place():
    for pairs, message in (
        ([[0, 3]], "nodes from 0 to 2, got 0 to 3"),
        ([[1, 1]], r"two different nodes, got \[1, 1\] in row 0"),
        ([[0, 1], [1, 0]], "listed once, got"),
    ):
        with pytest.raises(ValueError, match=message):
            likelihoods.Graph(nn.InnerProduct(), pairs, 3)
    with pytest.raises(ValueError, match=r"score from 0, as nn\.Rates"):
        likelihoods.Graph(nn.InnerProduct(), [[0, 1]], 3, link="poisson")


def test_a_point_has_no_density_and_no_noise():
    q = distributions.Point(jnp.arange(3.0))
    assert not q.has_density
    assert float(q.log_prob(jnp.zeros(3))) == 0
