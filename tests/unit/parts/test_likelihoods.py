"""What a likelihood reads from its network, refuses, and says about data that it gives no density to."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from iwax import distributions, families, likelihoods
from iwax.model import LatentVariableModel

KEY = jax.random.key(0)
FEATURES = 3
NAN, INF = float("nan"), float("inf")


def constant(outputs):
    """A network that gives these numbers, whatever it is given."""
    return lambda context, *, key: jnp.asarray(outputs, jnp.float32)


def at(likelihood):
    return likelihood(jnp.zeros(2), key=KEY)


# every likelihood without a network, and how many outputs a feature needs
NEEDED = {
    "bernoulli": (likelihoods.Bernoulli(None), 1),
    "gaussian, fixed": (likelihoods.Gaussian.fixed(None, 1.0), 1),
    "gaussian, of network": (likelihoods.Gaussian.of_network(None), 2),
    "continuous bernoulli": (likelihoods.ContinuousBernoulli(None), 1),
    "discretized logistic": (likelihoods.DiscretizedLogistic.scalar(None), 1),
    "discretized logistic, of network": (likelihoods.DiscretizedLogistic.of_network(None), 2),
    "mixed logistics": (likelihoods.DiscretizedLogisticMixture(None, 4), 12),
    "categorical": (likelihoods.Categorical(None, 5), 5),
    "student t, df fixed": (likelihoods.StudentT.scalar(None, df=3.0), 1),
    "student t, df learned": (likelihoods.StudentT.feature(None, FEATURES), 1),
    "student t, scale of network": (likelihoods.StudentT.of_network(None, df=3.0), 2),
    "student t, of network": (likelihoods.StudentT.of_network(None), 3),
    "student t, of network but for df": (likelihoods.StudentT.of_network(None, features=FEATURES), 2),
    "log normal": (likelihoods.LogNormal.feature(None, FEATURES), 1),
    "log normal, of network": (likelihoods.LogNormal.of_network(None), 2),
    "zero-inflated log normal": (likelihoods.ZeroInflatedLogNormal.scalar(None), 2),
    "zero-inflated log normal, of network": (likelihoods.ZeroInflatedLogNormal.of_network(None, floor=0.1), 3),
    "integer logistic": (likelihoods.IntegerLogistic(None, lower=0), 2),
    "poisson": (likelihoods.Poisson(None), 1),
    "negative binomial": (likelihoods.NegativeBinomial.feature(None, FEATURES), 1),
    "negative binomial, of network": (likelihoods.NegativeBinomial.of_network(None), 2),
    "zero-inflated poisson": (likelihoods.ZeroInflatedPoisson(None), 2),
    "zero-inflated negative binomial": (likelihoods.ZeroInflatedNegativeBinomial.scalar(None), 2),
    "zero-inflated negative binomial, a feature": (likelihoods.ZeroInflatedNegativeBinomial.feature(None, FEATURES), 2),
    "zero-inflated negative binomial, of network": (likelihoods.ZeroInflatedNegativeBinomial.of_network(None), 3),
}


@pytest.mark.parametrize(("likelihood", "needed"), NEEDED.values(), ids=NEEDED.keys())
def test_so_many_outputs_a_feature_are_needed(likelihood, needed: int):
    """They fit; and one more, where several are needed, is refused with both numbers."""
    assert likelihood.family.outputs_per_feature == needed
    outputs = jax.ShapeDtypeStruct((needed * FEATURES,), jnp.float32)
    value = jax.eval_shape(lambda outputs: likelihood.of_outputs(outputs).draw(KEY)[0], outputs)
    assert value.shape == (FEATURES,)
    if needed > 1:
        with pytest.raises(ValueError, match=rf"a multiple of {needed} is needed, got {needed * FEATURES + 1}$"):
            likelihood.of_outputs(jnp.zeros(needed * FEATURES + 1))


def test_outputs_stand_parameter_by_parameter():
    """All of the first, then all of the second: as in a Gaussian's (loc, log scale)."""
    outputs = np.arange(6.0)
    first, second = outputs[:3], outputs[3:]
    t = at(likelihoods.StudentT.of_network(constant([*outputs, 6.0, 7.0, 8.0])))
    np.testing.assert_allclose(t.loc, first)
    np.testing.assert_allclose(t.scale, np.exp(second), rtol=1e-6)
    np.testing.assert_allclose(t.df, 2 + np.exp([6.0, 7.0, 8.0]), rtol=1e-6)
    zinb = at(likelihoods.ZeroInflatedNegativeBinomial.of_network(constant([*outputs, 6.0, 7.0, 8.0])))
    np.testing.assert_array_equal(zinb.counts.log_mean, first)
    np.testing.assert_array_equal(zinb.counts.log_concentration, second)
    np.testing.assert_array_equal(zinb.gate, [6, 7, 8])
    zip_ = at(likelihoods.ZeroInflatedPoisson(constant(outputs)))
    np.testing.assert_array_equal(zip_.counts.log_rate, first)
    np.testing.assert_array_equal(zip_.gate, second)
    hurdle = at(likelihoods.ZeroInflatedLogNormal.of_network(constant([*outputs, 6.0, 7.0, 8.0])))
    np.testing.assert_array_equal(hurdle.positive.loc, first)
    np.testing.assert_allclose(hurdle.positive.scale, np.exp(second), rtol=1e-6)
    np.testing.assert_array_equal(hurdle.gate, [6, 7, 8])
    whole = at(likelihoods.IntegerLogistic(constant(outputs), centre=np.array([1.0, 2.0, 3.0]), unit=2.0))
    np.testing.assert_allclose(whole.loc, [1.0, 4.0, 7.0])
    np.testing.assert_allclose(whole.scale, 2 * np.exp(second), rtol=1e-6)
    classes = at(likelihoods.Categorical(constant(outputs), 2))
    np.testing.assert_array_equal(classes.logits, np.stack([first, second], axis=-1))
    mixed = at(likelihoods.DiscretizedLogisticMixture(constant(np.arange(12.0) / 4), 2, bins=16))
    np.testing.assert_array_equal(mixed.log_weights, [[0.0, 0.25], [0.5, 0.75]])
    np.testing.assert_array_equal(mixed.components.loc, [[1.0, 1.25], [1.5, 1.75]])
    np.testing.assert_allclose(mixed.components.scale, np.exp([[2.0, 2.25], [2.5, 2.75]]), rtol=1e-6)
    assert mixed.components.bins == 16


def test_what_is_learned_beside_the_network_starts_where_it_is_told():
    t = at(likelihoods.StudentT.feature(constant([0.0, 1.0, 2.0]), FEATURES, 0.7, start_df=5.0))
    np.testing.assert_allclose(t.scale, [0.7] * 3, rtol=1e-6)
    np.testing.assert_allclose(t.df, [5.0] * 3, rtol=1e-6)
    scaled = likelihoods.StudentT.of_network(constant([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), features=FEATURES, start_df=7.0)
    np.testing.assert_allclose(at(scaled).scale, np.exp([3.0, 4.0, 5.0]), rtol=1e-6)
    np.testing.assert_allclose(at(scaled).df, [7.0] * 3, rtol=1e-6)
    fixed = likelihoods.StudentT.scalar(constant([0.0, 1.0, 2.0]), df=1.5)
    np.testing.assert_array_equal(at(fixed).df, [1.5] * 3)
    assert len(jax.tree.leaves(fixed)) == 2, "network and log scale: a fixed df is not learned"
    counts = at(likelihoods.NegativeBinomial.scalar(constant([0.0, 1.0, 2.0]), 4.0))
    np.testing.assert_allclose(counts.log_concentration, np.log([4.0] * 3), rtol=1e-6)
    grey = at(likelihoods.DiscretizedLogistic.scalar(constant([0.0, 1.0, 2.0]), 0.2))
    np.testing.assert_allclose(grey.scale, [0.2] * 3, rtol=1e-6)
    np.testing.assert_allclose(at(likelihoods.LogNormal.scalar(constant([0.0]), 0.2)).scale, [0.2], rtol=1e-6)


def test_any_df_that_a_network_gives_is_finite():
    """From that of 2 degrees of freedom to that of a normal variable."""

    @jax.jit
    @jax.vmap
    @jax.value_and_grad
    def log_prob(raw):
        outputs = jnp.stack([jnp.float32(0.2), jnp.float32(0.1), raw])
        return likelihoods.StudentT.of_network(None).of_outputs(outputs).log_prob(jnp.array([1.3]))

    raw = np.array([-1e4, -100.0, 0.0, 3.0, 100.0, 1e4])
    values, slopes = log_prob(raw.astype(np.float32))
    assert np.isfinite(slopes).all()
    df = 2 + np.exp(np.minimum(raw, 20.0))
    np.testing.assert_allclose(values, scipy.stats.t.logpdf(1.3, df, 0.2, np.exp(0.1)), rtol=1e-5)


KINDS = (
    "poisson",
    "gaussian",
    ("categorical", 3),
    "bernoulli",
    "gaussian",
    "student_t",
    "lognormal",
    "negative_binomial",
    "zero_inflated_poisson",
    "zero_inflated_negative_binomial",
    "continuous_bernoulli",
    ("categorical", 2),
    "zero_inflated_lognormal",
    "integer_logistic",
    "nonnegative_integer_logistic",
)


def test_a_table_is_its_columns():
    """Each column's log-density is that of its own kind, from its own outputs, wherever the column stands."""
    table = likelihoods.Columns.of_kinds(None, KINDS)
    assert table.outputs == 1 + 2 * 2 + 3 + 1 + 3 + 2 + 2 + 2 + 3 + 1 + 2 + 3 + 2 + 2
    row = jnp.array([2.0, 0.3, 2.0, 1.0, -0.7, 1.1, 0.4, 3.0, 0.0, 1.0, 0.25, 1.0, 0.0, -2.0, 0.0])

    @jax.jit
    def run(o):
        alone = {
            0: distributions.Poisson(o[:1]),
            1: distributions.Normal(o[1:2], jnp.exp(o[3:4])),
            4: distributions.Normal(o[2:3], jnp.exp(o[4:5])),
            2: distributions.Categorical(o[None, 5:8]),
            3: distributions.Bernoulli(o[8:9]),
            5: distributions.StudentT(2 + jnp.exp(o[11:12]), o[9:10], jnp.exp(o[10:11])),
            6: distributions.LogNormal(o[12:13], jnp.exp(o[13:14])),
            7: distributions.NegativeBinomial(o[14:15], o[15:16]),
            8: distributions.ZeroInflated(distributions.Poisson(o[16:17]), o[17:18]),
            9: distributions.ZeroInflated(distributions.NegativeBinomial(o[18:19], o[19:20]), o[20:21]),
            10: distributions.ContinuousBernoulli(o[21:22]),
            11: distributions.Categorical(o[None, 22:24]),
            12: distributions.Hurdle(distributions.LogNormal(o[24:25], jnp.exp(o[25:26])), o[26:27]),
            13: distributions.IntegerLogistic(o[27:28], jnp.exp(o[28:29])),
            14: distributions.IntegerLogistic(o[29:30], jnp.exp(o[30:31]), 0),
        }
        expected = [alone[j].each(row[j : j + 1])[0] for j in range(len(KINDS))]
        return table.of_outputs(o).each(row), jnp.stack(expected)

    each, expected = run(jax.random.normal(KEY, (table.outputs,)))
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    assert len(np.unique(expected)) == len(KINDS)


def test_scales_of_a_table_have_the_floor_at_any_output():
    """Where exp(s) is 0 or infinite, densities and gradients are finite; without one they are as they were."""
    kinds = ("gaussian", "lognormal", "zero_inflated_lognormal", "integer_logistic", "nonnegative_integer_logistic")
    table = likelihoods.Columns.of_kinds(None, kinds, floor=0.01)
    row = jnp.array([0.3, 0.4, 2.0, -2.0, 3.0])

    @jax.jit
    @jax.vmap
    def at_size(size):
        outputs = size * jnp.where(jnp.arange(table.outputs) % 3 == 0, -1.0, 1.0)
        return jax.value_and_grad(lambda o: table.of_outputs(o).each(row).sum())(outputs)

    values, slopes = at_size(jnp.array([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4]))
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    scales = [
        likelihoods.Gaussian.of_network(None, floor=f).of_outputs(jnp.array([0.0, -50.0])).scale for f in (0.0, 0.01)
    ]
    np.testing.assert_allclose(scales, [[np.exp(-50.0)], [0.01]], rtol=1e-5)


def test_a_table_may_be_made_of_any_likelihoods():
    groups = (likelihoods.Gaussian.feature(None, 2, 0.5), likelihoods.DiscretizedLogistic.scalar(None))
    table = likelihoods.Columns(constant([1.0, 2.0, 0.5]), ((0, 2), (1,)), groups)
    assert table.outputs == 3
    np.testing.assert_allclose(at(table).mean, [1.0, 0.5, 2.0], atol=1e-3)
    assert len(jax.tree.leaves(table)) == 3, "the network and what the groups learn"


FEW = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, NAN, INF, -INF])
OUTSIDE = {
    "bernoulli": (likelihoods.Bernoulli(None), [1, 0, 1, 0, 1, 1, 1, 1, 1]),
    "gaussian": (likelihoods.Gaussian.of_network(None), [0, 0, 0, 0, 0, 0, 1, 1, 1]),
    "student t": (likelihoods.StudentT.of_network(None), [0, 0, 0, 0, 0, 0, 1, 1, 1]),
    "log normal": (likelihoods.LogNormal.of_network(None), [1, 1, 0, 0, 0, 0, 1, 1, 1]),
    "continuous bernoulli": (likelihoods.ContinuousBernoulli(None), [1, 0, 0, 0, 1, 1, 1, 1, 1]),
    "discretized logistic": (likelihoods.DiscretizedLogistic.of_network(None), [1, 0, 1, 0, 1, 1, 1, 1, 1]),
    "three bins": (likelihoods.DiscretizedLogistic.of_network(None, bins=3), [1, 0, 0, 0, 1, 1, 1, 1, 1]),
    "mixed logistics": (likelihoods.DiscretizedLogisticMixture(None, 2), [1, 0, 1, 0, 1, 1, 1, 1, 1]),
    "categorical": (likelihoods.Categorical(None, 3), [1, 0, 1, 0, 0, 1, 1, 1, 1]),
    "poisson": (likelihoods.Poisson(None), [1, 0, 1, 0, 0, 0, 1, 1, 1]),
    "negative binomial": (likelihoods.NegativeBinomial.of_network(None), [1, 0, 1, 0, 0, 0, 1, 1, 1]),
    "zero-inflated poisson": (likelihoods.ZeroInflatedPoisson(None), [1, 0, 1, 0, 0, 0, 1, 1, 1]),
    "zero-inflated negative binomial": (
        likelihoods.ZeroInflatedNegativeBinomial.of_network(None),
        [1, 0, 1, 0, 0, 0, 1, 1, 1],
    ),
    "zero-inflated log normal": (likelihoods.ZeroInflatedLogNormal.scalar(None), [1, 0, 0, 0, 0, 0, 1, 1, 1]),
    "integer logistic": (likelihoods.IntegerLogistic(None), [0, 0, 1, 0, 0, 0, 1, 1, 1]),
    "integer logistic from 0": (likelihoods.IntegerLogistic(None, lower=0), [1, 0, 1, 0, 0, 0, 1, 1, 1]),
    "chain": (likelihoods.Chain(likelihoods.Poisson(None)), [1, 0, 1, 0, 0, 0, 1, 1, 1]),
}


@pytest.mark.parametrize(("likelihood", "marked"), OUTSIDE.values(), ids=OUTSIDE.keys())
def test_data_outside_the_support_are_marked(likelihood, marked):
    for values in (FEW, FEW.astype(np.float32)):
        np.testing.assert_array_equal(likelihood.support.outside(values), np.array(marked, bool))


def test_grey_values_are_on_the_grid_as_fractions_alone():
    grey = np.arange(256, dtype=np.uint8)
    likelihood = likelihoods.DiscretizedLogistic.of_network(None)
    assert not likelihood.support.outside(grey.astype(np.float32) / np.float32(255)).any()
    assert not likelihood.support.outside(grey / 255).any()
    np.testing.assert_array_equal(likelihood.support.outside(grey), grey > 1)
    assert likelihood.support.outside(grey[3:-3] / 256).all()


def test_a_table_marks_each_column_by_its_kind():
    kinds = ("gaussian", "poisson", ("categorical", 3), "lognormal")
    rows = np.array([[-1.0, 2.0, 2.0, 0.5], [NAN, 0.5, 3.0, 0.0], [0.0, -1.0, -1.0, INF]])
    table = likelihoods.Columns.of_kinds(None, kinds)
    np.testing.assert_array_equal(table.support.outside(rows), [[False] * 4, [True] * 4, [False, True, True, True]])


REFUSED = {
    "bernoulli": (
        likelihoods.Bernoulli(None),
        r"no density to 0.5 in row 1, column 0: it needs 0 or 1; binarise grey values \(binarize=True redraws 0..255 "
        r"while training\), or use another likelihood",
    ),
    "poisson": (likelihoods.Poisson(None), "row 1, column 0: it needs whole numbers from 0; change"),
    "chain": (likelihoods.Chain(likelihoods.Poisson(None)), "needs whole numbers from 0; change such values"),
    "categorical": (likelihoods.Categorical(None, 3), "it needs whole numbers from 0 to 2"),
    "grey": (
        likelihoods.DiscretizedLogistic.of_network(None),
        "it needs fractions k/255 of whole numbers k from 0 to 255",
    ),
    "table": (
        likelihoods.Columns.of_kinds(None, ("poisson", "gaussian")),
        "it needs whole numbers from 0 in column 0; finite numbers in column 1",
    ),
}


@pytest.mark.parametrize(("likelihood", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_the_refusal_says_what_the_likelihood_needs(likelihood, said: str):
    model = SimpleNamespace(likelihood=likelihood)  # the data are judged by the likelihood alone
    LatentVariableModel.refuse_outside(model, np.array([[0.0, 1.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match=said):
        LatentVariableModel.refuse_outside(model, np.array([[0.0, 1.0], [0.5, 1.0]]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: likelihoods.Categorical(None, 1), "at least 2 classes, got 1"),
        (lambda: likelihoods.DiscretizedLogistic.of_network(None, bins=1), "at least 2 bins, got 1"),
        (lambda: likelihoods.DiscretizedLogisticMixture(None, 0), "at least 1 component, got 0"),
        (lambda: likelihoods.DiscretizedLogisticMixture(None, 1, bins=0), "at least 2 bins, got 0"),
        (lambda: likelihoods.DiscretizedLogistic.scalar(None, -1.0), "scale of a discretised .* positive, got -1.0"),
        (lambda: likelihoods.LogNormal.scalar(None, 0.0), "scale of a log-normal .* positive, got 0.0"),
        (lambda: likelihoods.ZeroInflatedLogNormal.scalar(None, 0.0), "scale of a zero-inflated .* positive, got 0.0"),
        (lambda: likelihoods.IntegerLogistic(None, unit=0.0), "units of a rounded .* positive, got 0.0"),
        (
            lambda: likelihoods.IntegerLogistic(None, lower=2**24),
            "lower < upper of size up to 16777216, got lower=1677",
        ),
        (lambda: likelihoods.Gaussian.of_network(None, floor=-1.0), "least scale of a Gaussian .* got floor=-1.0"),
        (lambda: likelihoods.NegativeBinomial.scalar(None, NAN), "concentration of .* positive, got nan"),
        (lambda: likelihoods.StudentT.scalar(None, df=1.0), "more than 1 degree of freedom, .* got df=1.0"),
        (lambda: likelihoods.StudentT.scalar(None, df=INF), "got df=inf"),
        (lambda: likelihoods.StudentT.scalar(None, start_df=2.0), "stay above 2: start_df=2.0 is not"),
        (lambda: families.student_t(df="fixed"), "or 'network'; got df=fixed"),
        (lambda: likelihoods.StudentT.of_network(None, df=3.0, features=2), "got 'network' and features=2"),
        (lambda: families.gaussian("given"), "must be 'network' or a positive number, .* got 'given'"),
        (
            lambda: likelihoods.StudentT.feature(constant(np.zeros(3)), 4)(jnp.zeros(2), key=KEY),
            r"of 3 features needs one scale, or one per feature; got scales of shape \(4,\)",
        ),
        (
            lambda: likelihoods.NegativeBinomial.feature(constant(np.zeros(3)), 4)(jnp.zeros(2), key=KEY),
            r"needs one concentration, or one per feature; got concentrations of shape \(4,\)",
        ),
        (lambda: likelihoods.Columns.of_kinds(None, ("gauss",)), "a column's kind must be one of .* got 'gauss'"),
        (lambda: likelihoods.Columns.of_kinds(None, ("categorical",)), "or a family; got 'categorical'"),
        (lambda: likelihoods.Columns.of_kinds(None, ()), "every column, from 0 to the last"),
        (lambda: likelihoods.Columns(None, ((0, 2),), (likelihoods.Bernoulli(None),)), r"got columns \(\(0, 2\),\)"),
        (
            lambda: likelihoods.Columns.of_kinds(constant(np.zeros(5)), ("gaussian", "gaussian"))(None, key=KEY),
            "2 columns of these kinds must give 4 outputs, got 5",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, said: str):
    with pytest.raises(ValueError, match=said):
        wrong()
