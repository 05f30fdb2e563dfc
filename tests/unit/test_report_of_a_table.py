"""The explorer of a report on a table, in headless Chromium: what it decodes and fills in is what Python does."""

import base64
import json
from pathlib import Path

import chromium
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import experiments, inference, likelihoods, nn, posteriors, priors
from iwax._typing import Datum
from iwax.experiments.reporter import Silent
from iwax.model import LatentVariableModel
from iwax.report.page import compose, dense
from iwax.training.tensors import encode

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="needs chromium: apt-get install chromium")

ROWS = 90
SETS = ["model.hidden=[6]", "model.latent=2", "training.epochs=2", "evaluation.k=7", "objective.k=2"]
EXPLORER = "window.iwax.explorers[0]"
KINDS = ("gaussian", "bernoulli", ("categorical", 3), "lognormal", "negative_binomial", "gaussian")


def table() -> str:
    """A column of each kind, in units far from 1; a tenth of the cells are missing."""
    rng = np.random.default_rng(0)
    lines = ["height,income,visits,smoker,colour"]
    for i in range(ROWS):
        z = rng.normal()
        cells = [
            f"{1700 + 80 * z:.0f}.5",
            f"{np.exp(6 + z):.3f}",
            str(rng.poisson(np.exp(2 + z))),
            "no" if z < 0 else "yes",
        ]
        cells.append(("blue", "green", "red")[int(z > -0.5) + int(z > 0.5)])
        lines.append(",".join("" if i and rng.random() < 0.1 and j else cell for j, cell in enumerate(cells)))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    (folder / "mine.csv").write_text(table())
    config = experiments.from_sources(
        data=str(folder / "mine.csv"), sets=SETS, flags={"data.kinds": {"visits": "count"}}
    )
    path = experiments.train(config, folder / "run", reporter=Silent())
    html = compose([path], note=lambda _: None, warn=lambda _: None)
    (path / "report.html").write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(run: Path):
    with chromium.Page((run / "report.html").as_uri(), width=390) as opened:
        opened.until(f"{EXPLORER}?.spreads?.length")
        yield opened


def scales(run: Path) -> np.ndarray:
    return np.nanstd(experiments.open_run(run).dataset().train.values.astype(np.float64), axis=0)


def law(model: LatentVariableModel, z: np.ndarray):
    """Means, variances by a finite formula, and probabilities of p(x|z) at latents [n, 2]."""
    decoded = eqx.filter_jit(
        jax.vmap(lambda at: (lambda p: (p.mean, p.classes))(model.likelihood(at, key=jax.random.key(0))))
    )
    return [np.asarray(each, np.float64) for each in decoded(jnp.asarray(z, jnp.float32))]


def test_a_decoded_row_is_that_of_python(run: Path, page: chromium.Page):
    model = experiments.load(run)
    for z in ([0.0, 0.0], [1.5, -2.0], [-0.3, 0.7]):
        (wanted,), (classes,) = law(model, np.array([z]))
        np.testing.assert_allclose(wanted, inference.decode(model, np.array([z]), key=jax.random.key(0))[0], rtol=1e-6)
        found = np.array(page.value(f"[...{EXPLORER}.model.decode({z}).mean]"))
        assert (np.abs(found - wanted) <= 1e-4 * scales(run)).all()
        for j, levels in ((3, 2), (4, 3)):
            found = page.value(f"[...{EXPLORER}.model.likelihood.chances({EXPLORER}.model.decode({z}).outputs, {j})]")
            np.testing.assert_allclose(found, classes[j][:levels], atol=1e-4)


def test_a_slider_changes_the_decoded_row(page: chromium.Page):
    shown = "[...document.querySelectorAll('.decoded-row .value')].map(cell => cell.textContent)"
    before = page.value(shown)
    page.value("document.querySelector('.sliders input').focus()")
    for _ in range(60):
        page.press("ArrowRight")
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    after = page.value(shown)
    assert after[0] != before[0]
    assert " \N{PLUS-MINUS SIGN} " in after[0]
    assert after[3] in ("no", "yes")
    assert after[4] in ("red", "green", "blue")


def test_a_blank_cell_gets_the_conditional_mean(run: Path, page: chromium.Page):
    """Against the integral over the plane of latents, by the trapezoid rule."""
    model = experiments.load(run)
    along = np.linspace(-6, 6, 151)
    z = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2).astype(np.float32)
    mean, classes = law(model, z)
    x = np.array([np.nan, 400.0, 9.0, 1.0, np.nan])
    observed = jnp.array(~np.isnan(x))
    each = eqx.filter_jit(
        jax.vmap(lambda at: model.likelihood(at, key=jax.random.key(0)).log_prob(jnp.nan_to_num(x), where=observed))
    )
    log_w = np.asarray(each(z), np.float64) - 0.5 * (z.astype(np.float64) ** 2).sum(axis=1)
    w = np.exp(log_w - log_w.max()) / np.exp(log_w - log_w.max()).sum()
    wanted = np.concatenate([[w @ mean[:, 0]], w @ classes[:, 4, :3]])
    cells, seen = json.dumps(np.nan_to_num(x).tolist()), observed.astype(int).tolist()
    found = np.array(
        page.value(
            f"Array.from({{length: 20}}, (_, seed) => {{const m = {EXPLORER}.model;"
            f"const f = m.impute({cells}, {seen}, {{chains: 200, sweeps: 1, seed}});"
            "return [f.values[0], ...f.average(d => m.likelihood.chances(d.outputs, 4))]})"
        )
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(20)
    assert (np.abs(found.mean(axis=0) - wanted) <= 5 * error + 1e-3 * np.abs(wanted)).all()


def test_a_box_blanks_a_cell_and_restores_it(page: chromium.Page):
    page.value("document.querySelector('.restore').click()")
    values = "[...document.querySelectorAll('.given-row tr')].map(row => [row.className, row.children[1].textContent])"
    before = page.value(values)
    assert before[0] == ["", page.value(f"figures({EXPLORER}.x[0])")]
    page.value("document.querySelector('.given-row input').click()")
    blank = page.value(values)
    assert blank[0][0] == "blank"
    assert "\N{PLUS-MINUS SIGN}" in blank[0][1]
    assert page.value("document.querySelector('.said').textContent").endswith("count")
    page.value("document.querySelector('.given-row input').click()")
    assert page.value(values) == before


def test_every_family_has_the_density_and_the_moments_of_python(page: chromium.Page):
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
    found = page.value(
        f"(() => {{const m = new Model({json.dumps(spec)}, parseSafetensors({weights!r}));"
        f"const [x, seen, z] = {json.dumps([x.tolist(), seen.tolist(), z.tolist()])};"
        "const q = m.posterior(x, seen), {mean, outputs} = m.decode(z);"
        "return [m.likelihood.logProb(outputs, x, seen), logNormal(z, q.loc, q.scale), ...mean,"
        " ...m.likelihood.variance(outputs)]})()"
    )

    @eqx.filter_jit
    def wanted(model: LatentVariableModel):
        p = model.likelihood(z, key=key)
        q = model.posterior(Datum(x, observed=seen == 1), key=key)
        draws = jax.vmap(lambda key: p.draw(key)[0])(jax.random.split(key, 200_000))
        return p.log_prob(x, where=seen == 1), q.log_prob(z), p.mean, draws.std(axis=0)

    log_p, log_q, mean, spread = wanted(model)
    np.testing.assert_allclose(found[:2], [float(log_p), float(log_q)], rtol=1e-5)
    np.testing.assert_allclose(found[2 : 2 + features], mean, rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(found[2 + features :]), spread, rtol=0.03)


def test_the_page_is_as_wide_as_a_phone_and_asks_for_nothing(page: chromium.Page):
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert [each for each in page.requests if not each.startswith(("data:", "file:"))] == []
    assert page.complaints == []
