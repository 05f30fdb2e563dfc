"""Memory against its equation, its plain twin, and the local reconstruction of hidden layers by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax

from iwax import bounds, distributions, gradients, inference, likelihoods, parts, posteriors, priors, streams
from iwax.model import LatentVariableModel
from iwax.nn import MLP, Memory, MemoryMLP
from iwax.parts import Datum

KEY = jax.random.key(1)
H = np.array([0.0, 0.4, 1.3, 2.0])


def numbers(shape, seed: int):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def anywhere(memory: Memory) -> Memory:
    new = (numbers((4, 4), 1), numbers(4, 2), numbers((4, 4), 3))
    return eqx.tree_at(lambda each: (each.a, each.b, each.c), memory, new)


@pytest.mark.parametrize(("attention", "shares"), [("sigmoid", expit), ("softmax", softmax)])
def test_the_composition_is_the_papers(attention, shares):
    memory = anywhere(Memory(4, 3, key=KEY, attention=attention))
    weight, bias, slots = (
        np.asarray(each, float) for each in (memory.address.weight, memory.address.bias, memory.slots)
    )
    a, b, c = (np.asarray(each, float) for each in (memory.a, memory.b, memory.c))
    read = shares(H @ weight + bias) @ slots
    inner = c[0] + c[1] * H + c[2] * read + c[3] * H * read
    out = a[0] + a[1] * H + b * expit(inner) + a[2] * read + a[3] * H * read
    np.testing.assert_allclose(memory(H), np.maximum(out, 0), rtol=1e-5, atol=1e-6)
    summed = Memory(4, 3, key=KEY, attention=attention, composition="sum")
    np.testing.assert_allclose(summed(H), np.maximum(H + shares(H @ weight + bias) @ slots, 0), rtol=1e-5, atol=1e-6)


def test_it_starts_as_the_layer_without_it():
    assert (Memory(4, 3, key=KEY)(H) == jax.nn.relu(H)).all()


@pytest.mark.parametrize("norm", [False, True])
def test_without_slots_it_is_the_plain_network_bit_for_bit(norm):
    x, how = numbers((3, 2), 4), {"key": KEY, "norm": norm, "heads": 2}
    plain = MLP(2, (5, 4), 6, activation="relu", **how)
    without = MemoryMLP(2, (5, 4), 6, slots=(0, 0), **how)
    assert (plain(x) == without(x)).all()
    assert jax.tree.structure(without.network) == jax.tree.structure(plain)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(without), strict=True):
        assert (a == b).all()


def model(decoder, hidden=(5, 4)) -> LatentVariableModel:
    encoder = MLP(3, hidden, 4, key=jax.random.key(2), heads=2, activation="relu", norm=True)
    return LatentVariableModel(priors.StandardNormal(2), likelihoods.Bernoulli(decoder), posteriors.Gaussian(encoder))


def test_local_reconstruction_is_the_distance_of_hidden_layers():
    decoder = MemoryMLP(2, (4, 5), 3, slots=(2, 3), key=KEY, norm=True)
    made, x = model(decoder), Datum(values=jnp.array([[1.0, 0.0, 1.0]]), index=jnp.arange(1))
    plain = gradients.Objective(gradients.pathwise(bounds.iwae), k=2)

    @eqx.filter_jit
    def run(made):
        first, second = (
            gradients.with_local_reconstruction(plain, weight=w, draws=3)(made, KEY, x) for w in (0.0, 2.0)
        )
        of_draws = jax.random.fold_in(jax.random.fold_in(KEY, streams.Step.RECONSTRUCTION), 0)
        z = jnp.stack(
            [made.propose(jax.tree.map(lambda leaf: leaf[0], x), jax.random.fold_in(of_draws, i)).z for i in range(3)]
        )
        states = made.posterior.network.states(x.values[0]), [h.mean(axis=0) for h in decoder.states(z)][::-1]
        return first.value - second.value, first.bound - second.bound, states

    difference, same, (up, down) = run(made)
    expected = 2.0 * sum(np.mean((np.asarray(a) - np.asarray(b)) ** 2) for a, b in zip(up, down, strict=True))
    np.testing.assert_allclose(difference, expected, rtol=1e-3)
    assert (same == 0).all()
    assert [h.shape for h in up] == [(5,), (4,)]
    for h in up:
        assert float(h.mean()) == pytest.approx(0, abs=1e-5)


def test_attention_is_read_layer_by_layer():
    net = MemoryMLP(2, (4, 5), 3, slots=(0, 3), key=KEY, attention="softmax")
    (shares,) = net.attention(numbers((6, 2), 5))
    assert shares.shape == (6, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


def test_preferences_are_mean_attention_and_pictures_what_a_slot_adds():
    net = MemoryMLP(2, (4, 5), 3, slots=(0, 3), key=KEY, attention="softmax", composition="sum")
    made, x, labels = model(net), np.array([[1.0, 0, 1], [0, 0, 1], [1, 1, 1]]), np.array([7, 2, 7])
    (found,) = inference.slot_preferences(made, x, labels, key=KEY, batch=2)
    assert found.classes.tolist() == [2, 7]
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, rtol=1e-5)
    assert found.largest(2).shape == (2, 2)
    z = [made.propose(Datum(jnp.asarray(row)), jax.random.fold_in(KEY, i)).z for i, row in enumerate(x)]
    np.testing.assert_allclose(found.mean[0], net.attention(z[1])[0], rtol=1e-4)
    h = [
        net.network.activated(1, net.network.layers[1](net.network.activated(0, net.network.layers[0](each))))
        for each in z
    ]
    memory, last = net.memories[1], net.network.layers[-1]
    pictures = [expit(last(memory.composed(each, memory.slots[2]))) - expit(last(jax.nn.relu(each))) for each in h]
    (added,) = inference.slot_pictures(made, x, key=KEY)
    np.testing.assert_allclose(added[2], np.mean(pictures, axis=0), rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match=r"one label per row was needed, shape \(3,\), got \(2,\)"):
        inference.slot_preferences(made, x, labels[:2], key=KEY)
    with pytest.raises(ValueError, match="decoder with memory"):
        inference.slot_pictures(model(MLP(2, (4,), 3, key=KEY)), x, key=KEY)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MemoryMLP(2, (4, 5), 3, slots=(1,), key=KEY), "one number for each of the 2 hidden layers"),
        (lambda: MemoryMLP(2, (4,), 3, slots=(-1,), key=KEY), "must not be negative"),
        (lambda: Memory(4, 0, key=KEY), "slots must be at least 1"),
        (lambda: Memory(4, 2, key=KEY, attention="soft"), "attention must be one of sigmoid, softmax"),
        (lambda: Memory(4, 2, key=KEY, composition="plus"), "composition must be one of full, sum"),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


class OwnPosterior(parts.Posterior):
    """A posterior of its own, with a network and hidden layers as it likes."""

    weight: jax.Array

    def __call__(self, context, *, key):
        return distributions.Normal(parts.values_of(context) @ self.weight, jnp.ones(2))

    def hidden_layers(self, context, *, key):
        return [parts.values_of(context)[:2] @ self.weight[:2]]


class OwnLikelihood(parts.Likelihood):
    """A likelihood whose hidden layer is the latent."""

    def __call__(self, z, given=None, *, key):
        return distributions.Bernoulli(jnp.concatenate([z, z[:1]]))

    def hidden_layers(self, context, *, key):
        return [context]


def test_parts_of_ones_own_declare_their_hidden_layers():
    made = LatentVariableModel(priors.StandardNormal(2), OwnLikelihood(), OwnPosterior(numbers((3, 2), 1)))
    x, plain = jnp.array([[1.0, 0.0, 1.0]]), gradients.Objective(gradients.pathwise(bounds.elbo), k=1)
    key = jax.random.fold_in(jax.random.fold_in(KEY, streams.Step.RECONSTRUCTION), 0)
    z = made.propose(x[0], jax.random.fold_in(key, 0)).z
    far = np.mean((np.asarray(made.posterior.hidden_layers(x[0], key=KEY)[0]) - np.asarray(z)) ** 2)
    with_penalty = gradients.with_local_reconstruction(plain, weight=2.0)
    difference = plain(made, KEY, x).value - with_penalty(made, KEY, x).value
    np.testing.assert_allclose(difference, 2.0 * far, rtol=1e-4)


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        (lambda: MLP(2, (4, 5), 3, key=KEY, activation="gated"), "a gated network has pairs"),
        (lambda: MLP(2, (5, 4), 3, key=KEY), r"got widths \[5, 4\] and, from the data on, \[4, 5\]"),
    ],
)
def test_other_networks_have_no_local_reconstruction(decoder, words):
    plain = gradients.Objective(gradients.pathwise(bounds.elbo), k=1)
    objective, x = gradients.with_local_reconstruction(plain, weight=0.1), Datum(values=jnp.zeros((1, 3)))
    with pytest.raises(ValueError, match=words):
        eqx.filter_eval_shape(lambda: objective(model(decoder()), KEY, x))
