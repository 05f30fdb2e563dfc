"""What a step cannot do without, each in a compiled loop of its own with nothing else in it.

One number of every loop's inputs is set to the loop's counter, so that no product can be taken out of the loop, and
every result is carried out of it, so that none can be left away.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from network import DECODER, ENCODER, LATENT, pairs

Run = Callable[[int], Any]


def normals(shape: tuple[int, ...], number: int) -> jax.Array:
    """Fixed made-up numbers, small enough that products of several layers stay finite."""
    return 0.05 * jax.random.normal(jax.random.fold_in(jax.random.key(0), number), shape)


def matrices(widths: tuple[int, ...]) -> list[jax.Array]:
    """A weight for every layer, [in, out]."""
    return [normals(pair, number) for number, pair in enumerate(pairs(widths))]


def touched(tree: Any, counter: jax.Array) -> Any:
    """The same arrays, in place, with their first number set to the counter."""
    return jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(1e-6 * counter), tree)


def looped(body: Callable[[Any, Any, Any], Any], inputs: Any, constants: Any, first: Any) -> Run:
    """``run(steps)``: ``outputs = body(inputs, constants, outputs)`` in one compiled loop, waiting for its end."""

    @jax.jit
    def loop(inputs: Any, constants: Any, first: Any, steps: jax.Array) -> Any:
        def once(i: jax.Array, carried: Any) -> Any:
            inputs, outputs = touched(carried[0], i), carried[1]
            return inputs, body(inputs, constants, outputs)

        return jax.lax.fori_loop(0, steps, once, (inputs, first))[1]

    return lambda steps: jax.block_until_ready(loop(inputs, constants, first, jnp.int32(steps)))


def there_and_back(x: jax.Array, weights: list[jax.Array]) -> tuple[list[jax.Array], jax.Array]:
    """The products of a forward and a backward pass, the output being its own cotangent: dW of every layer, and dx."""
    inputs = [x]
    for weight in weights:
        inputs.append(inputs[-1] @ weight)
    cotangent = inputs.pop()
    gradients = []
    for x_of_layer, weight in zip(reversed(inputs), reversed(weights), strict=True):
        gradients.append(x_of_layer.T @ cotangent)
        cotangent = cotangent @ weight.T
    return gradients, cotangent


def training_products(batch: int, k: int) -> Run:
    """The step's own matrix products, forward and backward at its shapes: encoder on [batch], decoder on [batch k]."""

    def products(inputs: Any, weights: Any, _: Any) -> Any:
        (x, z), (encoder, decoder) = inputs, weights
        return there_and_back(x, encoder)[0], there_and_back(z, decoder)

    inputs = normals((batch, ENCODER[0]), 100), normals((batch * k, LATENT), 101)
    weights = matrices(ENCODER), matrices(DECODER)
    shapes = jax.eval_shape(products, inputs, weights, None)
    return looped(products, inputs, weights, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes))


def gated_products(rows: int, widths: tuple[int, ...]) -> Run:
    """The products of a gated net forward and back to its inputs, every layer but the last being two side by side."""
    *gated, last = [normals((before, 2 * after), i) for i, (before, after) in enumerate(pairs(widths))]
    weights = [*gated, last[:, : widths[-1]]]

    def products(inputs: jax.Array, weights: list[jax.Array], _: Any) -> Any:
        layers = [inputs]
        for weight in weights[:-1]:
            gates, values = jnp.split(layers[-1] @ weight, 2, axis=-1)
            layers.append(gates + values)
        cotangent, gradients = layers[-1] @ weights[-1], []
        for inputs_of_layer, weight in zip(reversed(layers), reversed(weights), strict=True):
            gradients.append(inputs_of_layer.T @ cotangent)
            cotangent = jnp.tile(cotangent @ weight.T, 2)  # to the gates, and to the values
        return gradients, cotangent

    inputs = normals((rows, widths[0]), 100)
    shapes = jax.eval_shape(products, inputs, weights, None)
    return looped(products, inputs, weights, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes))


def decoder_products(rows: int) -> Run:
    """The decoder's products forward, for so many rows of latents."""

    def products(z: jax.Array, weights: list[jax.Array], _: Any) -> jax.Array:
        for weight in weights:
            z = z @ weight
        return z

    return looped(products, normals((rows, LATENT), 101), matrices(DECODER), jnp.zeros((rows, DECODER[-1])))


def latent_gradient_products(rows: int) -> Run:
    """The decoder's products forward and back to the latents, for so many rows of them: those of a leapfrog step."""

    def products(z: jax.Array, weights: list[jax.Array], _: Any) -> jax.Array:
        for weight in weights:
            z = z @ weight
        for weight in reversed(weights):
            z = z @ weight.T
        return z

    return looped(products, normals((rows, LATENT), 101), matrices(DECODER), jnp.zeros((rows, LATENT)))


def adam_update() -> Run:
    """One Adam update of all weights and biases."""
    optimizer = optax.adam(1e-3)

    def update(gradients: Any, _: Any, state: Any) -> Any:
        parameters, moments = state
        updates, moments = optimizer.update(gradients, moments, parameters)
        return optax.apply_updates(parameters, updates), moments

    weights = matrices(ENCODER) + matrices(DECODER)
    parameters = weights, [jnp.zeros(weight.shape[1]) for weight in weights]
    gradients = jax.tree.map(lambda leaf: leaf + 1e-3, parameters)
    return looped(update, gradients, None, (parameters, optimizer.init(parameters)))


def random_numbers(batch: int, k: int) -> Run:
    """The step's standard normals, one for each unit, draw and data point."""

    def draw(counter: jax.Array, key: jax.Array, _: Any) -> jax.Array:
        step = jax.lax.bitcast_convert_type(counter[0], jnp.int32)
        return jax.random.normal(jax.random.fold_in(key, step), (batch * k, LATENT))

    return looped(draw, jnp.zeros(1), jax.random.key(1), jnp.zeros((batch * k, LATENT)))
