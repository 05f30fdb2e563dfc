"""Densities of features far out, in float32, against mpmath: right, finite, and with finite gradients."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.stats

from iwax import distributions as d
from iwax import likelihoods
from iwax.nn import MLP


def values_and_slopes(constructor, grid):
    """log p and its gradients at every row of parameters and value: numbers as float32 holds them."""
    rows = np.array(list(grid), np.float32)

    def log_prob(row):
        *parameters, x = row
        return constructor(*(parameter[None] for parameter in parameters)).log_prob(x[None])

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(log_prob)))(rows)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    return rows.astype(float), np.asarray(values, float), np.asarray(slopes, float)


def check(exact, rows, values, slopes, *, of=(), rtol=2e-6, atol=2e-6, size=0.0):
    """Against an exact log-density, and its derivatives in the parameters numbered in ``of``, to a part of ``size``."""
    with mpmath.workdps(60):
        for row, value, slope in zip(rows, values, slopes, strict=True):
            numbers = [mpmath.mpf(number) for number in row]
            expected = float(exact(*numbers))
            assert abs(value - expected) <= rtol * abs(expected) + atol, row
            for i in of:
                expected = float(mpmath.diff(lambda t, i=i, n=numbers: exact(*n[:i], t, *n[i + 1 :]), numbers[i]))
                assert abs(slope[i] - expected) <= rtol * (abs(expected) + size * row[-1]) + atol, (row, i)


def test_continuous_bernoulli_at_any_logit():
    logits = [0.0, *(sign * size for sign in (-1, 1) for size in (1e-30, 1e-6, 0.01, 0.499, 0.501, 5, 80, 104, 1e4))]
    rows, values, slopes = values_and_slopes(d.ContinuousBernoulli, itertools.product(logits, [0.0, 0.3, 1.0]))

    def exact(m, x):
        return m * x - (mpmath.log(mpmath.expm1(m) / m) if m else 0)

    check(exact, rows, values, slopes)
    assert (slopes[:, 1] == rows[:, 0].astype(np.float32)).all()  # m itself
    moved = rows[:, 0] != 0
    check(exact, rows[moved], values[moved], slopes[moved], of=(0,))
    np.testing.assert_allclose(slopes[~moved, 0], rows[~moved, 1] - 0.5, atol=1e-7)


LONG = [pytest.param(logit, marks=pytest.mark.slow) for logit in (-104.0, -0.501, 1e-6, 0.499, 30.0)]


@pytest.mark.parametrize("logit", [-1e4, -0.499, 0.0, 0.501, 1e4, *LONG])
def test_continuous_bernoulli_draws_at_any_logit(logit: float):
    """In the support, and moving as the inverse of the distribution function does."""
    keys = jax.random.split(jax.random.key(0), 30)

    def draw(logit, key):
        return d.ContinuousBernoulli(logit[None]).draw(key)[0][0]

    x, slope = jax.jit(jax.vmap(jax.value_and_grad(draw), in_axes=(None, 0)))(jnp.float32(logit), keys)
    u = jax.vmap(lambda key: jax.random.uniform(key, (1,))[0])(keys)
    assert (x >= 0).all()
    assert (x <= 1).all()
    with mpmath.workdps(60):
        m = mpmath.mpf(np.float32(logit).item())

        def quantile(u, m):
            return mpmath.log1p(u * mpmath.expm1(m)) / m if m else u

        expected = [float(quantile(mpmath.mpf(float(each)), m)) for each in u]
        near = m or mpmath.mpf("1e-20")
        moving = [float(mpmath.diff(lambda m, u=float(each): quantile(mpmath.mpf(u), m), near)) for each in u]
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=2e-7)
    np.testing.assert_allclose(slope, moving, rtol=1e-3, atol=2e-7)


def test_discretized_logistic_ten_thousand_scales_away():
    scales = [1e-8, 1e-5, 1e-4, 0.01, 1.0, 100.0, 1e6]
    places = [0, 1, 128, 254, 255]
    grid = [(loc, scale, k / 255) for scale in scales for loc in (-1.0, 0.0, 0.5, 2.0) for k in places]
    grid += [(0.5 + away * 1e-3, 1e-3, 0.5) for away in (-1e4, 1e4)]
    rows, values, slopes = values_and_slopes(d.DiscretizedLogistic, grid)

    def exact(loc, scale, x):
        k = mpmath.nint(x * 255)
        a, b = (k / 256 - loc) / scale, ((k + 1) / 256 - loc) / scale
        below = mpmath.mpf(0) if k == 0 else 1 / (1 + mpmath.exp(-a))
        above = mpmath.mpf(1) if k == 255 else 1 / (1 + mpmath.exp(-b))
        turned = (0 if k == 255 else 1 / (1 + mpmath.exp(b))), (1 if k == 0 else 1 / (1 + mpmath.exp(a)))
        return mpmath.log(above - below if a < 0 else turned[1] - turned[0])

    k = np.round(rows[:, 2] * 255)
    below = np.where(k > 0, k / 256 - rows[:, 0], 0) / rows[:, 1]  # how far loc lies below the bin, in scales
    above = np.where(k < 255, rows[:, 0] - (k + 1) / 256, 0) / rows[:, 1]
    close = np.maximum(below, above) < 100
    check(exact, rows[close], values[close], slopes[close], rtol=2e-5, atol=2e-5)
    far = np.maximum(below, above) >= 9.9e3
    assert (far & (below > above)).sum() > 5
    assert (far & (below < above)).sum() > 5
    np.testing.assert_allclose(values[far], -np.maximum(below, above)[far], rtol=1e-3)
    np.testing.assert_allclose(slopes[far, 0], (np.where(below > above, 1, -1) / rows[:, 1])[far], rtol=1e-5)


def test_integer_logistic_far_out():
    """Ten thousand scales away, at the ends of the whole numbers of float32, and at scales that are none there."""
    scales, ends = [1e-8, 1e-3, 0.3, 1.0, 300.0, 1e6, 1e30], (-(2.0**24), -3.0, 0.0, 7.0, 2.0**24)
    grid = [(loc, scale, k) for scale in scales for loc in (-300.0, 0.25, 40.5) for k in ends]
    for lower in (-(2**24), 0):
        within = [row for row in grid if row[2] >= lower]
        rows, values, slopes = values_and_slopes(
            lambda loc, scale, lower=lower: d.IntegerLogistic(loc, scale, lower), within
        )

        def exact(loc, scale, k, lower=lower):
            a, b = (k - 0.5 - loc) / scale, (k + 0.5 - loc) / scale
            below = mpmath.mpf(0) if k <= lower else 1 / (1 + mpmath.exp(-a))
            above = mpmath.mpf(1) if k >= 2**24 else 1 / (1 + mpmath.exp(-b))
            turned = (0 if k >= 2**24 else 1 / (1 + mpmath.exp(b))), (1 if k <= lower else 1 / (1 + mpmath.exp(a)))
            return mpmath.log(above - below if a < 0 else turned[1] - turned[0])

        away = np.abs(rows[:, 2] - rows[:, 0]) / rows[:, 1]
        check(exact, rows[away < 60], values[away < 60], slopes[away < 60], rtol=2e-5, atol=2e-5)
        out = (away >= 1e4) & (rows[:, 2] > lower) & (rows[:, 2] < 2**24)
        assert out.sum() >= 5
        np.testing.assert_allclose(values[out], -np.maximum(away - 0.5 / rows[:, 1], 0)[out], rtol=1e-3)


@pytest.mark.parametrize(("loc", "scale"), [(-1e30, 1e-8), (1e30, 1e30), (0.0, 1e-30), (3e7, 1.0), (0.0, 1e38)])
def test_whole_draws_and_means_stay_among_the_whole_numbers_there_are(loc: float, scale: float):
    for lower in (-(2**24), 0):
        p = d.IntegerLogistic(np.full(50, loc, np.float32), np.full(50, scale, np.float32), lower)
        drawn, mean = map(np.asarray, jax.jit(lambda key, p=p: (p.draw(key)[0], p.mean))(jax.random.key(0)))
        for x in (drawn, mean):
            assert ((x >= lower) & (x <= 2**24)).all()
        assert (np.floor(drawn) == drawn).all()


def test_a_hurdle_at_any_gate():
    grid = itertools.product([-1e4, -104.0, 0.0, 104.0, 1e4], [-30.0, 0.0, 30.0], [0.0, 1e-30, 1.0, 1e30])

    def hurdle(gate, loc):
        return d.Hurdle(d.LogNormal(loc, jnp.ones(1)), gate)

    rows, values, slopes = values_and_slopes(hurdle, grid)

    def exact(gate, loc, x):
        if x == 0:
            return -mpmath.log1p(mpmath.exp(-gate))
        of_log = -((mpmath.log(x) - loc) ** 2) / 2 - mpmath.log(2 * mpmath.pi) / 2 - mpmath.log(x)
        return of_log - mpmath.log1p(mpmath.exp(gate))

    check(exact, rows, values, slopes, of=(0, 1), rtol=2e-6, atol=2e-5)
    for loc in (-200.0, 200.0):  # logarithms of numbers that float32 does not hold
        p = hurdle(jnp.zeros(200), jnp.full(200, loc))
        x = np.asarray(p.draw(jax.random.key(1))[0])
        assert 50 < (x == 0).sum() < 150
        assert ((x == 0) | ((x >= np.finfo(np.float32).tiny) & np.isfinite(x))).all()


def test_student_t_with_any_tail():
    dfs, aways = [0.5, 2.1, 15.9, 31.9, 32.1, 1e3, 1e5, 1e8], [0.0, 0.5, 3.0, 1e4, 1e18, 1e30]
    grid = [(df, 0.1, scale, 0.1 + away * scale) for df in dfs for away in aways for scale in (1e-8, 1.0, 1e8)]
    rows, values, slopes = values_and_slopes(d.StudentT, grid)

    def exact(df, loc, scale, x):
        tail = (df + 1) / 2 * mpmath.log1p(((x - loc) / scale) ** 2 / df)
        of_df = mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2) - mpmath.log(mpmath.pi * df) / 2
        return of_df - mpmath.log(scale) - tail

    seen = np.abs(rows[:, 3] - rows[:, 1]) * 1e-7 < rows[:, 2]  # x - loc as float32 has it, not cancelled
    check(exact, rows[seen], values[seen], slopes[seen], rtol=1e-5, atol=1e-5)
    ordinary = seen & (rows[:, 2] == 1)
    check(exact, rows[ordinary], values[ordinary], slopes[ordinary], of=(0, 1, 2), rtol=2e-5, atol=5e-6)


def test_poisson_at_any_rate():
    rates, counts = [-80.0, -20.0, 0.0, 1.0, 2.3, 5.0, 9.0, 14.0], [0, 1, 3, 9, 10, 11, 100, 8103, 1e6, 1.6e7]
    rows, values, slopes = values_and_slopes(d.Poisson, itertools.product(rates, counts))

    def exact(log_rate, x):
        return x * log_rate - mpmath.loggamma(x + 1) - mpmath.exp(log_rate)

    # a rate is known to as many digits as its float32 logarithm: 1e-6 of exp(14) is 1
    check(exact, rows, values, slopes, of=(0, 1), rtol=3e-6, atol=3e-6, size=1.0)


@pytest.mark.parametrize(
    "log_rate", [-1e4, pytest.param(80.0, marks=pytest.mark.slow), pytest.param(104.0, marks=pytest.mark.slow), 1e4]
)
def test_a_rate_beyond_the_number_type_is_finite(log_rate: float):
    rows, values, slopes = values_and_slopes(d.Poisson, [(log_rate, x) for x in (0.0, 1.0, 1e7)])
    assert (values <= 0).all()
    assert (np.sign(slopes[:, 0]) == (np.where(rows[:, 1] > 0, 1, 0) if log_rate < 0 else -1)).all()
    for other in (-1e4, 0.0, 1e4):
        values_and_slopes(
            d.NegativeBinomial, [(a, b, x) for x in (0, 1, 1e7) for a, b in ((log_rate, other), (other, log_rate))]
        )


def test_the_gradient_of_a_network_of_rates_beyond_the_number_type_is_finite():
    network = eqx.filter_jit(MLP)(2, (8, 8), 5, key=jax.random.key(0))
    large = jax.tree.map(lambda leaf: 1e4 * leaf if eqx.is_inexact_array(leaf) else leaf, network)
    x = jnp.array([0.0, 1.0, 3.0, 100.0, 1e7])

    def value(likelihood):
        return likelihood(jnp.array([1.5, -0.7]), key=jax.random.key(1)).log_prob(x)

    found, gradient = eqx.filter_jit(eqx.filter_value_and_grad(value))(likelihoods.Poisson(large))
    assert found < -1e30
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(gradient, eqx.is_inexact_array))]
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert max(np.abs(leaf).max() for leaf in leaves) > 1e18  # and leads back


def test_negative_binomial_at_any_size():
    """Means and concentrations from 1e-9 to 1e6 and beyond, where it is a Poisson variable."""
    grid = itertools.product(
        [-20.0, 0.0, 2.0, 8.0, 14.0], [-20.0, -3.0, 1.0, 2.3, 7.0, 14.0, 30.0], [0, 1, 3, 30, 1e3, 1e6]
    )
    rows, values, slopes = values_and_slopes(d.NegativeBinomial, grid)

    def exact(log_mean, log_r, x):
        mean, r = mpmath.exp(log_mean), mpmath.exp(log_r)
        of_counts = mpmath.loggamma(x + r) - mpmath.loggamma(r) - mpmath.loggamma(x + 1)
        return of_counts - r * mpmath.log1p(mean / r) - (x * mpmath.log1p(r / mean))

    check(exact, rows, values, slopes, of=(0, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rate", [63.0, 65.0, 1e5, 1e7])
def test_poisson_draws_at_large_rates(rate: float):
    """Where summation hands over to an expansion, and where JAX's own draws in float32 are too wide."""
    log_rate = jnp.full(10_000, jnp.log(rate))
    x = np.asarray(d.Poisson(log_rate).draw(jax.random.key(4))[0], np.float64)
    held = float(jnp.exp(log_rate[0]))
    below, mass = scipy.stats.poisson.cdf(x - 1, held), scipy.stats.poisson.pmf(x, held)
    uniform = below + np.random.default_rng(0).random(len(x)) * mass
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 2e-5


@pytest.mark.parametrize(
    ("log_mean", "log_concentration"),
    [
        (-1e4, 0.0),
        pytest.param(0.0, -1e4, marks=pytest.mark.slow),
        pytest.param(80.0, 1.0, marks=pytest.mark.slow),
        (1e4, 1e4),
    ],
)
def test_draws_of_any_size_are_finite(log_mean: float, log_concentration: float):
    p = d.NegativeBinomial(jnp.full(20, log_mean), jnp.full(20, log_concentration))
    x, _ = p.draw(jax.random.key(0))
    assert np.isfinite(x).all()
    assert (x >= 0).all()
    assert (np.floor(x) == x).all()


def test_zero_inflation_at_any_gate():
    grid = itertools.product([-1e4, -104.0, 0.0, 104.0, 1e4], [-1e4, 0.0, 5.0, 1e4], [0.0, 3.0])
    rows, values, slopes = values_and_slopes(lambda gate, rate: d.ZeroInflated(d.Poisson(rate), gate), grid)

    def exact(gate, log_rate, x):
        counted = x * log_rate - mpmath.loggamma(x + 1) - mpmath.exp(log_rate) - mpmath.log1p(mpmath.exp(gate))
        return mpmath.log(mpmath.exp(counted) + 1 / (1 + mpmath.exp(-gate))) if x == 0 else counted

    held = rows[:, 1] < 80
    check(exact, rows[held], values[held], slopes[held], rtol=2e-6, atol=2e-6)
    assert (values[~held & (rows[:, 2] > 0)] < -1e30).all()


def test_categorical_and_log_normal_far_out():
    logits = jnp.array([[-1e4, 0.0, 1e4], [1e4, 1e4, -1e4]])
    value, slope = jax.value_and_grad(lambda m: d.Categorical(m).log_prob(jnp.array([0.0, 1.0])))(logits)
    assert float(value) == pytest.approx(-2e4 - np.log(2))
    np.testing.assert_allclose(slope, [[1, 0, -1], [-0.5, 0.5, 0]], atol=1e-7)
    grid = [(loc, 1.0, x) for loc in (-30.0, 0.0, 30.0) for x in (1e-30, 1e-10, 1.0, 1e30)]
    rows, values, _ = values_and_slopes(d.LogNormal, grid)
    expected = scipy.stats.lognorm.logpdf(rows[:, 2], 1.0, scale=np.exp(rows[:, 0]))
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-5)


def test_bins_and_columns_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="at least 2 bins, got 1"):
        d.DiscretizedLogistic(jnp.zeros(1), jnp.ones(1), 1)
    for lower in (2**24, -(2**25)):
        with pytest.raises(ValueError, match=f"lower < upper of size up to 16777216, got lower={lower}"):
            d.IntegerLogistic(jnp.zeros(1), jnp.ones(1), lower)
    one = d.Bernoulli(jnp.zeros(1))
    for columns, groups in ((((0,), (0,)), (one, one)), (((0,), (2,)), (one, one)), (((0,),), (one, one)), ((), ())):
        with pytest.raises(ValueError, match="every column, from 0 to the last, must belong to one group"):
            d.Columns(columns, groups)
