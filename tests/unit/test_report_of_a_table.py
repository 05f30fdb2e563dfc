"""What the page of a report computes of a table, in headless Chromium, is what Python does."""

import base64
import json
from importlib import resources
from pathlib import Path

import chromium
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import likelihoods, nn, posteriors, priors
from iwax._typing import Datum
from iwax.model import LatentVariableModel
from iwax.report.page import dense
from iwax.training.tensors import encode

KINDS = ("gaussian", "bernoulli", ("categorical", 3), "lognormal", "negative_binomial", "gaussian")


@pytest.mark.skipif(chromium.program() is None, reason="needs chromium: apt-get install chromium")
def test_every_family_has_the_density_and_the_moments_of_python(tmp_path: Path):
    """With units, an encoder that reads all kinds of columns, and a cell that was not observed."""
    key, features = jax.random.key(5), len(KINDS)
    coding = nn.Coding(
        np.arange(6.0), 1 + np.arange(6.0), ("linear", "linear", ("classes", 3), "log", "log1p", "linear"), mask=True
    )
    inner = nn.MLP(3, (5,), likelihoods.Columns.of_kinds(None, KINDS).outputs, key=key)
    units = np.array([50.0, 0, 0, 0, 0, -3]), np.array([7.0, 1, 1, 20, 1, 0.1])
    model = LatentVariableModel(
        prior=priors.StandardNormal(3),
        likelihood=likelihoods.Scaled(likelihoods.Columns.of_kinds(inner, KINDS), *units),
        posterior=posteriors.Coded(posteriors.Gaussian(nn.MLP(coding.features, (5,), 6, key=key, heads=2)), coding),
    )
    (decoder, likelihood), encoder = dense.decoder(model.likelihood), dense.encoder(model.posterior)
    tensors = decoder.tensors | encoder.tensors | dense.prior(model, key)
    tensors |= {"means": np.zeros((1, 3), np.float32), "rows": np.zeros((1, features), np.float32)}
    spec = {"decoder": decoder.steps, "encoder": encoder.steps, "likelihood": likelihood, "mixture": True}
    x, seen, z = jnp.array([48.0, 1, 2, 30, 7, -2.9]), jnp.array([1, 1, 1, 1, 1, 0]), jnp.array([0.3, -1.2, 2.0])
    weights = base64.b64encode(encode(tensors)).decode()
    names = ("safetensors.js", "network.js", "likelihood.js", "model.js")
    scripts = "\n".join((resources.files("iwax.report.page") / "files" / name).read_text("utf-8") for name in names)
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
    normal, binary, classes, positive, counts = groups
    share, p, m = binary.mean[0], classes.probabilities[0], counts.mean[0]
    variance = [
        normal.parameters[1][0] ** 2,
        share * (1 - share),
        p @ (np.arange(3) - p @ np.arange(3)) ** 2,
        np.expm1(positive.scale[0] ** 2) * positive.mean[0] ** 2,
        m + m**2 / np.exp(counts.log_concentration[0]),
        normal.parameters[1][1] ** 2,
    ]
    np.testing.assert_allclose(found[:2], [float(log_p), float(log_q)], rtol=1e-5)
    np.testing.assert_allclose(found[2 : 2 + features], mean, rtol=1e-5)
    np.testing.assert_allclose(found[2 + features :], np.array(variance) * units[1] ** 2, rtol=1e-5)
