"""Labels as parts: p(x|z, y) with y given, and M2 with y observed in half of the rows, against quadrature over (y, z).

q(z|x, y) is the exact posterior, read from the likelihood by `bind`: every log-weight is log p(x|y) whatever is drawn,
and value and gradient are those of the quadrature, to rounding.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import Datum, bounds, distributions, evaluation, gradients, parts, posteriors, priors, samplers
from iwax.model import LatentVariableModel

KEY = jax.random.key(5)
CLASSES, FEATURES = 2, 3
LABELS = np.array([1, -1, 0, -1])  # -1: not observed
X = np.random.default_rng(0).normal(size=(4, FEATURES))
LABEL = {"label": jax.ShapeDtypeStruct((), jnp.int32)}
GRID = np.linspace(-14, 14, 1401)  # z, at which the trapezoidal rule is exact to rounding


class Affine(eqx.Module):
    """p(x|z, y) = N(slope_y z + offset_y, scale^2), z a number."""

    slope: jax.Array
    offset: jax.Array
    log_scale: jax.Array

    def at(self, z, y):
        loc = self.slope[y] * z + self.offset[y]
        return distributions.Normal(loc, jnp.full(FEATURES, jnp.exp(self.log_scale)))

    def inverse(self, x, y):
        """p(z|x, y), by Bayes."""
        slope, precision = self.slope[y], jnp.exp(-2 * self.log_scale)
        variance = 1 / (1 + precision * slope @ slope)
        loc = variance * precision * slope @ (x - self.offset[y])
        return distributions.Normal(loc[None], jnp.sqrt(variance)[None])


def affine() -> Affine:
    rng = np.random.default_rng(1)
    draw = [rng.normal(size=(CLASSES, FEATURES)) for _ in range(2)]
    return Affine(*map(jnp.asarray, draw), jnp.asarray(-0.3))


class Decoder(parts.Likelihood):
    """p(x|z, y) of a label that is given."""

    affine: Affine

    @property
    def needs(self):
        return LABEL

    def __call__(self, z, given=None, *, key):
        return self.affine.at(z, given["label"])


class Exact(parts.Posterior):
    """p(z|x, y) of the likelihood of its model."""

    def bind(self, model, *, key):
        return ExactOf(model.likelihood.affine)

    def __call__(self, context, *, key):
        raise ValueError("bind it")


class ExactOf(parts.Posterior):
    affine: Affine

    @property
    def needs(self):
        return LABEL

    def __call__(self, context, *, key):
        return self.affine.inverse(context.values, context.given["label"])


def log_normal(x, loc, scale):
    return jnp.sum(-0.5 * ((x - loc) / scale) ** 2 - jnp.log(scale) - 0.5 * jnp.log(2 * jnp.pi), axis=-1)


def log_evidence(affine: Affine, x, y: int):
    """log p(x|y) by the trapezoidal rule."""
    loc = affine.slope[y] * GRID[:, None] + affine.offset[y]
    log_joint = log_normal(GRID[:, None], 0.0, 1.0) + log_normal(x, loc, jnp.exp(affine.log_scale))
    return jax.nn.logsumexp(log_joint) + jnp.log(GRID[1] - GRID[0])


def close(found, expected) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def compare(objective, make, parameters, x, exact) -> None:
    """The bounds of all rows, and the gradient of their sum in what the model is made of, against the exact ones."""

    @jax.jit
    def run(parameters):
        def total(parameters):
            found = objective(make(parameters), KEY, x)
            return found.value.sum(), found.bound

        def expected(parameters):
            return exact(parameters).sum(), exact(parameters)

        return [jax.value_and_grad(each, has_aux=True)(parameters) for each in (total, expected)]

    ((_, found), slope), ((_, expected), expected_slope) = run(parameters)
    close(found, expected)
    close(slope, expected_slope)


# -- the label is given ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("bound", [pytest.param(bounds.elbo, marks=pytest.mark.slow), bounds.iwae], ids=str)
def test_a_class_conditional_model_is_its_quadrature(bound):
    labels = jnp.array([0, 1, 1, 0])
    x = Datum.of(X, given={"label": labels})
    objective = gradients.Objective(gradients.pathwise(bound), k=3)

    def make(p):
        return LatentVariableModel(priors.StandardNormal(1), Decoder(p), Exact())

    def exact(p):
        return jnp.stack([log_evidence(p, row, label) for row, label in zip(X, labels.tolist(), strict=True)])

    compare(objective, make, affine(), x, exact)


# -- the label is a latent, observed in half of the rows: M2 -----------------------------------------------------------


class Parameters(eqx.Module):
    """p(y) = softmax(classes), q(y|x) = softmax(x guess), p(x|z, y)."""

    classes: jax.Array
    guess: jax.Array
    affine: Affine


class Classes(parts.Prior):
    logits: jax.Array

    def __call__(self, given=None, *, key):
        return distributions.Categorical(self.logits[None])


class Normal(eqx.Module):
    """p(z|y) = N(0, 1)."""

    def __call__(self, y, given=None, *, key):
        return distributions.Normal(jnp.zeros(1), jnp.ones(1))


class OfLatent(parts.Likelihood):
    """p(x|z, y) of a label that is a latent."""

    affine: Affine

    def __call__(self, z, given=None, *, key):
        return self.affine.at(z[0], z[1][0].astype(int))


class Guess(parts.Posterior):
    weight: jax.Array

    def __call__(self, context, *, key):
        return distributions.Categorical((parts.values_of(context) @ self.weight)[None])


class Below(eqx.Module):
    """q(z|x, y), the exact one."""

    affine: Affine

    def __call__(self, context, *, key):
        x, y = parts.values_of(context)
        return self.affine.inverse(x, y[0].astype(int))


class GuessAndExact(parts.Posterior):
    """q(y|x) p(z|x, y)."""

    guess: Guess

    def bind(self, model, *, key):
        return posteriors.TopDown(self.guess, (Below(model.likelihood.affine),))

    def __call__(self, context, *, key):
        raise ValueError("bind it")


def m2(p: Parameters) -> LatentVariableModel:
    prior = priors.Chain(Classes(p.classes), (Normal(),))
    return LatentVariableModel(prior, OfLatent(p.affine), GuessAndExact(Guess(p.guess)))


def parameters() -> Parameters:
    guess = np.random.default_rng(2).normal(size=(FEATURES, CLASSES))
    return Parameters(jnp.array([0.4, -0.3]), jnp.asarray(guess), affine())


def log_joint(p: Parameters, x):
    """log p(x, y) [classes] by quadrature."""
    return jax.nn.log_softmax(p.classes) + jnp.stack([log_evidence(p.affine, x, y) for y in range(CLASSES)])


def half_labelled() -> Datum:
    return Datum.of(X, given={"label": jnp.asarray(LABELS)})


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("bound", [bounds.elbo, pytest.param(bounds.iwae, marks=pytest.mark.slow)], ids=str)
def test_m2_is_its_quadrature_over_label_and_latent(bound):
    """IWAE is log p(x, y) or log p(x), for any q(y|x); the ELBO of an unlabelled row the sum over q(y|x)."""

    def exact(p):
        found = []
        for x, label in zip(X, LABELS, strict=True):
            joint, log_q = log_joint(p, x), jax.nn.log_softmax(x @ p.guess)
            elbo = jnp.exp(log_q) @ (joint - log_q)
            unseen = elbo if bound is bounds.elbo else jax.nn.logsumexp(joint)
            found.append(joint[label] if label >= 0 else unseen)
        return jnp.stack(found)

    objective = gradients.Objective(gradients.pathwise(bound), k=2, sampler=samplers.Enumerated(observed="label"))
    compare(objective, m2, parameters(), half_labelled(), exact)


@pytest.mark.usefixtures("float64")
def test_the_evidence_of_m2_and_the_label_given_x_are_exact():
    p, sampler = parameters(), samplers.Enumerated(observed="label")
    joint = np.asarray(jax.jit(jax.vmap(lambda x: log_joint(p, x)))(X))
    evidence = np.logaddexp.reduce(joint, axis=1)
    found = evaluation.log_evidence(m2(p), half_labelled(), k=2, key=KEY, sampler=sampler)
    close(found.log_evidence, np.where(LABELS >= 0, joint[np.arange(4), LABELS], evidence))
    close(found.known_error[np.isfinite(found.known_error)], 0.0 * found.ess[np.isfinite(found.known_error)])

    @jax.jit
    def label_given_x(p):
        found = samplers.Enumerated().terms(m2(p), KEY, X, k=1)
        return jax.nn.softmax((found.log_w() + found.log_mass)[0], axis=0).T  # [rows, classes]

    close(label_given_x(p), np.exp(joint - evidence[:, None]))
