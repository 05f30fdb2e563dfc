"""What the page of a report computes of a table, in headless Chromium, is what Python does."""

import base64
import json
from importlib import resources
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from oracles import chromium

from iwax import families, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.report.explorer import dense
from iwax.storage.tensors import encode

KINDS = (
    *("gaussian", "bernoulli", ("categorical", 3), "lognormal", "negative_binomial", "gaussian"),
    *("zero_inflated_lognormal", "zero_inflated_lognormal", "nonnegative_integer_logistic", "integer_logistic"),
)


@pytest.mark.skipif(chromium.program() is None, reason="needs chromium: apt-get install chromium")
def test_every_family_has_the_density_and_the_moments_of_python(tmp_path: Path):
    """With units, floors, an encoder that reads all kinds of columns, and a cell that was not observed."""
    key, features = jax.random.key(5), len(KINDS)
    encodings = ("linear", "linear", ("classes", 3), "log", "log1p", "linear", *["log_or_zero"] * 2, *["linear"] * 2)
    encoding = nn.FeatureEncoding(np.arange(10.0), 1 + np.arange(10.0), encodings, mask=True)
    columns = likelihoods.columns_of(KINDS, floor=0.2)
    inner = nn.MLP(3, (5,), columns.outputs, key=key)
    signed = families.integer_logistic(centre=-4e5, unit=jnp.array([1e4]), floor=0.2)
    units = np.array([50.0, 0, 0, 0, 0, -3, 0, 0, 0, 0]), np.array([7.0, 1, 1, 20, 1, 0.1, 1, 1, 1, 1])
    encoder = posteriors.Gaussian(nn.MLP(encoding.features, (5,), 6, key=key, heads=2), floor=0.1)
    model = LatentVariableModel(
        prior=priors.StandardNormal(3),
        likelihood=likelihoods.Scaled(
            likelihoods.Columns(inner, columns.columns, (*columns.groups[:-1], signed)), *units
        ),
        posterior=posteriors.Encoded(encoder, encoding),
    )
    (decoder, likelihood), encoder = dense.decoder(model.likelihood), dense.encoder(model.posterior)
    tensors = decoder.tensors | encoder.tensors | dense.prior(model, key)
    tensors |= {"means": np.zeros((1, 3), np.float32), "rows": np.zeros((1, features), np.float32)}
    spec = {"decoder": decoder.steps, "encoder": encoder.steps, "likelihood": likelihood, "mixture": True}
    x = jnp.array([48.0, 1, 2, 30, 7, -2.9, 0, 3.5, 2, -390_000])
    seen, z = jnp.array([1, 1, 1, 1, 1, 0, 1, 1, 1, 1]), jnp.array([0.3, -1.2, 2.0])
    weights = base64.b64encode(encode(tensors)).decode()
    names = ("safetensors.js", "network.js", "likelihood.js", "model.js")
    scripts = "\n".join((resources.files("iwax.report.explorer") / name).read_text("utf-8") for name in names)
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8><script>{scripts}</script>", encoding="utf-8")
    program = (
        f"(() => {{const m = new Model({json.dumps(spec)}, parseSafetensors({weights!r}));"
        f"const [x, seen, z] = {json.dumps([x.tolist(), seen.tolist(), z.tolist()])};"
        "const q = m.posterior(x, seen), {mean, outputs} = m.decode(z);"
        "return [m.likelihood.logProb(outputs, x, seen), logNormal(z, q.loc, q.scale), ...mean,"
        " ...m.likelihood.variance(outputs)]})()"
    )
    with chromium.Page((tmp_path / "page.html").as_uri()) as page:
        found = page.value(program)

    @eqx.filter_jit
    def wanted(model: LatentVariableModel):
        p = model.likelihood(z, key=key)
        q = model.posterior(Datum(x, observed=seen == 1), key=key)
        return p.log_prob(x, where=seen == 1), q.log_prob(z), p.mean, p.base.groups

    log_p, log_q, mean, groups = wanted(model)
    normal, binary, classes, positive, counts, hurdle, rounded, wide = groups
    share, p, m = binary.mean[0], classes.probabilities[0], counts.mean[0]
    variance = [
        normal.scale[0] ** 2,
        share * (1 - share),
        p @ (np.arange(3) - p @ np.arange(3)) ** 2,
        np.expm1(positive.scale[0] ** 2) * positive.mean[0] ** 2,
        m + m**2 / np.exp(counts.log_concentration[0]),
        normal.scale[1] ** 2,
        *_variance_of(hurdle),
        _rounded_variance(float(rounded.loc[0]), float(rounded.scale[0])),
        (wide.scale[0] * np.pi) ** 2 / 3 + 1 / 12,
    ]
    np.testing.assert_allclose(found[:2], [float(log_p), float(log_q)], rtol=1e-5)
    np.testing.assert_allclose(found[2 : 2 + features], mean, rtol=1e-5)
    of_page, variance = np.array(found[2 + features :]), np.array(variance, float)
    np.testing.assert_allclose(of_page[:-1], variance[:-1] * units[1][:-1] ** 2, rtol=1e-5)
    assert of_page[-1] == pytest.approx(variance[-1], rel=3e-4)  # summed over blocks of whole numbers


def _variance_of(hurdle) -> np.ndarray:
    """``g (E y^2) - (g E y)^2`` of 0 or a log-normal y."""
    share, mean = 1 / (1 + np.exp(hurdle.gate)), hurdle.positive.mean
    return share * mean**2 * np.exp(hurdle.positive.scale**2) - (share * mean) ** 2


def _rounded_variance(loc: float, scale: float) -> float:
    """Summed over the whole numbers from 0."""
    k = np.arange(2000.0)
    above = scipy.special.expit((loc - k - 0.5) / scale)
    p = np.append(1, above[:-1]) - above
    return float(p @ k**2 - (p @ k) ** 2)
