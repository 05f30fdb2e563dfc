"""A family is one file: what it says of itself is true, a new one goes everywhere, and files of before are read."""

import ast
import json
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

import iwax
from iwax import bounds, evaluation, families, gradients, likelihoods, nn, posteriors, priors, supports, training
from iwax.data import Column
from iwax.distributions import AbstractIndependent
from iwax.model import LatentVariableModel
from iwax.settings.parts.columns import feature_encoding, output_bias, table_start

KEY = jax.random.key(0)
ROOT = Path(__file__).parents[3]
EARLIER = ROOT / "tests" / "golden" / "likelihoods"
FEATURES = 3
NAMES = list(families.FAMILIES)


# -- a density of somebody's own, as docs/how_to/add_a_part.md says ----------------------------------------------------


class Laplace(AbstractIndependent):
    """``p(x_j) = exp(-|x_j - loc_j| / scale_j) / (2 scale_j)``."""

    reparameterized: ClassVar[bool] = True

    loc: jax.Array
    log_scale: jax.Array

    @property
    def mean(self):
        return self.loc

    def draw(self, key):
        return self.loc + jnp.exp(self.log_scale) * jax.random.laplace(key, self.loc.shape), None

    def each(self, value):
        return -jnp.abs(value - self.loc) / jnp.exp(self.log_scale) - self.log_scale - jnp.log(2.0)


class OfLaplace(families.Family):
    """The network gives loc, then the logarithm of the scale."""

    name = "laplace"
    outputs = 2

    def of_outputs(self, outputs):
        return Laplace(*families.split(outputs, 2, self.who))

    def start(self, mean, scale):
        return mean, jnp.log(scale / jnp.sqrt(2.0))


def test_a_density_of_ones_own_is_trained_as_a_likelihood():
    x = np.asarray(0.5 + 2 * jax.random.laplace(KEY, (400, FEATURES)), np.float32)
    family = OfLaplace()
    bias = jnp.concatenate(family.start(jnp.asarray(x.mean(axis=0)), jnp.asarray(x.std(axis=0))))
    decoder = nn.MLP(1, (), 2 * FEATURES, key=KEY, output_bias=bias)
    model = LatentVariableModel(
        priors.StandardNormal(1),
        likelihoods.Likelihood(decoder, family),
        posteriors.Gaussian(nn.MLP(FEATURES, (4,), 2, key=KEY)),
    )

    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=2)

    before = evaluation.log_evidence(model, x, k=10, key=KEY).mean
    found = training.fit(model, objective, x, optimizer=optax.adam(1e-2), epochs=4, batch=100, key=KEY)
    trained = evaluation.log_evidence(found.model, x, k=10, key=KEY).mean
    exact = scipy.stats.laplace.logpdf(x, 0.5, 2).sum(axis=1).mean()
    assert before < trained < exact + 0.1
    with pytest.raises(ValueError, match=r"no density to nan in row 1, column 0: it needs finite numbers"):
        model.refuse_outside(np.array([[0.0] * 3, [np.nan] * 3], np.float32))
    with pytest.raises(ValueError, match="network of a laplace likelihood must give 2 outputs for each feature"):
        family.of_outputs(jnp.zeros(5))


def test_a_density_of_ones_own_is_a_column_beside_others():
    kinds = ("poisson", OfLaplace(), ("categorical", 2))
    table = likelihoods.columns_of(kinds)
    assert table.outputs == 1 + 2 + 2
    outputs, row = jnp.array([0.3, 0.5, -0.2, 0.1, 0.4]), jnp.array([2.0, 1.5, 1.0])
    each = table.of_outputs(outputs).each(row)
    assert float(each[1]) == pytest.approx(scipy.stats.laplace.logpdf(1.5, 0.5, np.exp(-0.2)), rel=1e-5)
    assert str(table.support) == "whole numbers from 0 in column 0; finite numbers in column 1; 0 or 1 in column 2"
    start = OfLaplace().column(np.array([1.0, 3.0, 5.0]))
    assert start.units == start.read == pytest.approx((3.0, np.sqrt(8 / 3)))
    assert start.outputs == pytest.approx((0.0, -np.log(2) / 2))


# -- one file for each ------------------------------------------------------------------------------------------------


def places(family: type) -> list[str]:
    """The files of the source that name a family, its distribution apart, by class or by name in settings."""
    words = {family.__name__, family.name}
    found = []
    for path in sorted((ROOT / "src" / "iwax").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        named |= {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if words & named:
            found.append(str(path.relative_to(ROOT / "src" / "iwax")))
    return found


def test_a_density_stands_in_one_file_and_in_the_list():
    """Its distribution apart; `likelihoods.named` has names of before. A new one needs a file, and a line there."""
    found = places(families.continuous_bernoulli)
    print(found)  # noqa: T201
    assert set(found) - {"likelihoods/named.py", "likelihoods/__init__.py"} == {
        "distributions/__init__.py",
        "distributions/continuous_bernoulli.py",
        "families/__init__.py",
        "families/continuous_bernoulli.py",
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_a_family_says_of_itself_is_true(name: str):
    """Draws lie in the support; the outputs fit; of the two that a start says, the mean is that of the data."""
    family = families.FAMILIES[name](floor=0.0)
    mean, scale = jnp.array([0.3, 0.5, 0.6]), jnp.array([0.2, 0.1, 0.3])
    first = family.start(mean, scale)
    outputs = jnp.concatenate([*first, *[jnp.zeros(FEATURES)] * (family.outputs_per_feature - len(first))])
    p = family.of_outputs(outputs)
    drawn = np.asarray(jax.vmap(lambda key: p.draw(key)[0])(jax.random.split(KEY, 50)))
    assert not family.support.outside(drawn).any()
    assert np.isfinite(p.log_prob(drawn[0]))
    assert family.who.startswith("a ")
    if name in ("bernoulli", "gaussian", "student_t", "poisson", "negative_binomial", "lognormal"):
        np.testing.assert_allclose(p.mean, mean, rtol=1e-4)
    start = family.column(drawn[:, 0].astype(float) if drawn[:, 0].std() else np.array([0.0, 1.0, 3.0]))
    assert len(start.outputs) == family.outputs_per_feature
    assert np.isfinite([*start.outputs, *start.read, *start.units]).all()


def test_supports_are_equal_as_values():
    assert likelihoods.Bernoulli(None).support == supports.binary != families.categorical(2).support
    assert families.poisson().support == families.negative_binomial().support == supports.Whole(0)
    assert families.integer_logistic(lower=0).support != families.integer_logistic().support
    inner, loc = likelihoods.Poisson(None), jnp.zeros(2)
    scaled = [likelihoods.Scaled(inner, loc, jnp.full(2, s)).support for s in (1.0, 1.0, 2.0)]
    assert scaled[0] == scaled[1] != scaled[2]
    assert str(scaled[2]) == "whole numbers from 0"


def test_a_table_starts_at_its_columns():
    """The untrained likelihood has each column's own mean; classes have their shares."""
    columns = [Column("a", "continuous"), Column("b", "count"), Column("c", "categorical", ("x", "y", "z"))]
    rows = np.array([[1.0, 0, 0], [3.0, 2, 1], [5.0, 7, 1], [np.nan, 3, 2]])
    start = table_start(columns, rows, floor=0.0)
    p = start.families.of_outputs(jnp.asarray(output_bias(start), float))
    np.testing.assert_allclose(start.loc + start.scale * np.asarray(p.mean), [3.0, 3.0, 1.0], rtol=1e-5)
    read = feature_encoding(start, mask=False)
    assert read.encodings == ("linear", "log1p", ("classes", 3))
    assert read(jnp.array([3.0, 0.0, 2.0]), None).shape == (5,)


# -- files of before -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in EARLIER.glob("*.safetensors")))
def test_a_likelihood_saved_before_it_had_a_family_is_read(name: str):
    """Saved by iwax 0.2.0.dev, when a log scale stood in the likelihood; log p(x|z) at z = 0.3 as it was."""
    known = json.loads((EARLIER / "log_p.json").read_text())[name]
    part = iwax.load(EARLIER / f"{name}.safetensors")
    found = part(jnp.full(2, 0.3), key=KEY).log_prob(jnp.array(known["x"]))
    assert float(found) == pytest.approx(known["log_p"], rel=1e-6)


def test_names_of_before_warn():
    with pytest.warns(DeprecationWarning, match=r"support\.outside"):
        assert likelihoods.Poisson(None).outside(np.array([0.5])).tolist() == [True]
    with pytest.warns(DeprecationWarning, match="outputs_per_feature"):
        assert likelihoods.StudentT.of_network(None).outputs_a_feature == 3
    with pytest.raises(TypeError, match=r"a likelihood needs a family|families\.family\.Family"):
        likelihoods.Likelihood(None, jnp.zeros(3))
