"""The report of a run: its numbers, what it refuses, and, in headless Chromium, what its explorer does."""

import base64
import json
import re
import shutil
from io import BytesIO
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import chromium
from PIL import Image

from iwax import inference, likelihoods, nn, posteriors, priors, report, runs
from iwax.cli import main
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.report.explorer import dense
from iwax.runs.reporter import Silent
from iwax.storage.tensors import encode

in_a_browser = pytest.mark.skipif(chromium.program() is None, reason="needs chromium: apt-get install chromium")

TINY = ["model.latent=2", "model.hidden=[8]", "objective.k=2", "training.epochs=1", "evaluation.k=10"]
EXPLORER = "window.iwax.explorers[0]"
LATENT, FEATURES = 3, 6


def called(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["--quiet", *(str(word) for word in words)])
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of two latents, measured, with its report."""
    config = runs.from_sources(data="digits", sets=TINY, flags={})
    path = runs.train(config, tmp_path_factory.mktemp("runs") / "plane", reporter=Silent()).path
    runs.evaluate(path, limit=60, reporter=Silent())
    assert called("report", path) == 0
    return path


def test_a_report_is_one_page_with_the_numbers_of_the_evaluation(run: Path, capsys):
    report = run / "report.html"
    page = report.read_text(encoding="utf-8")
    (values,) = (run / "evaluation").glob("test-*.npz")
    log_evidence = np.load(values)["log_evidence"]
    mean = log_evidence.mean()
    shown = f"{mean:.2f}".replace("-", "\N{MINUS SIGN}")
    assert f'<data value="{float(mean)!r}">{shown}</data>' in page
    assert report.stat().st_size < 8_000_000
    assert not re.search(r"""(?:src|href|action|url\()\s*=?\s*["'(]?\s*(?:https?:)?//""", page)
    assert page.count("<img ") == page.count('" alt="') > 9
    assert page.count("<svg ") == page.count('<svg class="chart" viewBox=') > 4
    assert "Left out" not in page
    assert f"(row {log_evidence.argmin() + 1}). Rows of the test data are counted from 1." in page
    for words in ("New images", "Hidden pixels filled in", "The plane of the two latents", "iwax train -c"):
        assert words in page
    assert called("report", run) == 2
    assert "--force" in capsys.readouterr().err
    assert report.read_text(encoding="utf-8") == page


def test_before_any_script_runs_the_explorer_shows_where_it_begins(run: Path):
    """The picture at the posterior mean of the first row, and sliders there."""
    page, opened = (run / "report.html").read_text(encoding="utf-8"), runs.Run(run)
    x, key = opened.rows("test")[:2], jax.random.key(0)
    z = inference.embed(opened.model, x, key=key)
    (decoded, middle) = inference.decode(opened.model, np.stack([z[0], z.mean(axis=0)]), key=key)
    for name, wanted in (("decoded", decoded), ("middle", middle), ("given", x[0]), ("last", x[1])):
        (address,) = re.findall(rf'<canvas class="picture {name}"[^>]*url\(data:image/png;base64,([^)]+)\)', page)
        found = np.asarray(Image.open(BytesIO(base64.b64decode(address))).convert("L"))
        np.testing.assert_allclose(found.ravel(), 255.0 * wanted, atol=0.5 + 0.03)
    sliders = re.findall(r'step="0.01" value="([^"]+)"><span>', page)
    assert sorted(map(float, sliders)) == pytest.approx(sorted(z[0].tolist()), abs=1e-5)
    label = opened.dataset().test.labels[0]
    assert f'<select class="start"><option>test image 1 ({label})</option>' in page


@pytest.mark.parametrize(
    ("ending", "contents"), [("json", b"{"), ("npz", b"PK"), ("json", b'{"method": "importance"}')]
)
def test_no_report_of_a_damaged_evaluation(run: Path, tmp_path: Path, ending: str, contents: bytes, capsys):
    copy = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html")))
    (damaged,) = (copy / "evaluation").glob(f"test-*.{ending}")
    damaged.write_bytes(contents)
    assert called("report", copy) == 3
    assert damaged.name in capsys.readouterr().err
    assert not (copy / "report.html").exists()


def test_a_report_of_what_was_not_measured_says_what_to_run(run: Path, tmp_path: Path):
    copy = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation", "report.html")))
    assert called("report", copy) == 0
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert "Not measured." in page
    assert f"iwax evaluate {copy}" in page
    assert "New images" in page


def test_python_writes_what_the_command_line_does(run: Path, tmp_path: Path):
    path = report.write(runs.Run(run), tmp_path / "a.html")
    assert path == tmp_path / "a.html"
    assert path.read_bytes() == (run / "report.html").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        report.write(run)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        report.write(tmp_path / "nowhere")


def test_the_pictures_of_a_run_are_values(run: Path, tmp_path: Path):
    pictures = report.figures.of_run(runs.Run(run))
    assert set(pictures) == {"samples", "reconstructions", "training", "latents", "manifold"}
    for name, picture in pictures.items():
        assert picture.write(tmp_path / f"{name}.svg").read_text("utf-8").startswith("<svg ")
        assert picture.description


def test_two_runs_stand_side_by_side(run: Path, tmp_path: Path):
    copy = Path(shutil.copytree(run, tmp_path / "twin", ignore=shutil.ignore_patterns("report.html")))
    assert called("report", run, copy, "-o", tmp_path / "both.html") == 0
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "+0.000 ± 0.000" in page
    assert page.count('class="explorer"') == 2


@pytest.fixture(scope="module")
def page(run: Path):
    with chromium.Page((run / "report.html").as_uri()) as opened:
        opened.until(f"{EXPLORER}?.eraser?.values?.length")
        yield opened


def pixels(page: chromium.Page, name: str) -> list[int]:
    """The red channel of a canvas, after the browser has drawn."""
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = page.value(
        f"(() => {{const c = document.querySelector('.{name}');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]})()"
    )
    return found[::4]


@in_a_browser
def test_pixels_are_those_of_python(run: Path, page: chromium.Page):
    model = runs.load(run)
    for z in ([0.0, 0.0], [1.5, -2.0], [-0.3, 0.7]):
        (wanted,) = inference.decode(model, np.array([z]), key=jax.random.key(0))
        found = page.value(f"[...{EXPLORER}.model.decode({z}).mean]")
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        page.value(f"({EXPLORER}.latent.set({z}), {EXPLORER}.show())")
        np.testing.assert_allclose(pixels(page, "decoded"), 255 * wanted, atol=0.5 + 0.03)


@in_a_browser
def test_a_slider_moves_the_picture(page: chromium.Page):
    before = pixels(page, "decoded")
    page.value("document.querySelector('.sliders input').focus()")
    for _ in range(40):
        page.press("ArrowRight")
    assert pixels(page, "decoded") != before
    assert page.value("document.querySelector('.where').textContent").startswith("z1 = ")


@in_a_browser
def test_the_pad_is_stretched_by_the_inverse_normal_distribution_function(page: chromium.Page):
    page.drag(".pad", [(0.5, 0.5), (0.6, 0.4), (0.8413447, 0.1586553)])
    before = pixels(page, "decoded")
    np.testing.assert_allclose(page.value(f"[...{EXPLORER}.latent]"), [1.0, 1.0], atol=0.02)  # a pixel of 240
    page.press("ArrowLeft")
    assert pixels(page, "decoded") != before
    assert page.value(f"{EXPLORER}.latent[0]") < 0.97
    assert page.value("normalQuantile(0.975)") == pytest.approx(1.959963984540054, abs=1e-9)


@in_a_browser
def test_what_is_erased_is_filled_in(page: chromium.Page):
    page.value("document.querySelector('.whole').click()")
    whole = pixels(page, "filled")
    assert set(whole) <= {0, 255}
    page.drag(".given", [(0.1, 0.1), (0.3, 0.1), (0.6, 0.1)])
    page.until(f"{EXPLORER}.eraser.observed.some(seen => !seen)")
    after = pixels(page, "filled")
    hidden = [not seen for seen in page.value(f"[...{EXPLORER}.eraser.observed]")]
    assert 3 <= sum(hidden) <= 8
    assert all(a == b for a, b, missing in zip(whole, after, hidden, strict=True) if not missing)
    assert any(0 < a < 255 for a, missing in zip(after, hidden, strict=True) if missing)
    before = sum(hidden)
    page.press("ArrowDown")
    page.press(" ")
    assert page.value(f"{EXPLORER}.eraser.observed.filter(seen => !seen).length") == before + 1


@in_a_browser
def test_new_images_are_drawn_and_images_mixed(page: chromium.Page):
    for name, change in (
        ("sheet", "document.querySelector('.draw').click()"),
        ("middle", "(() => {const e = document.querySelector('.along'); e.value = 0.9; e.oninput?.();"
         "e.dispatchEvent(new Event('input'))})()"),
    ):  # fmt: skip
        before = pixels(page, name)
        page.value(change)
        assert pixels(page, name) != before


@in_a_browser
def test_imputation_is_the_conditional_mean(run: Path, page: chromium.Page):
    """Against the integral over the plane of latents, by the trapezoid rule."""
    model = runs.load(run)
    along = np.linspace(-5, 5, 121)
    z = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2).astype(np.float32)
    p = inference.decode(model, z, key=jax.random.key(0)).astype(np.float64)
    x = np.array(page.value(f"[...{EXPLORER}.model.row('rows', 2)]"))
    observed = np.arange(64) < 32
    log_w = (x * np.log(p) + (1 - x) * np.log1p(-p))[:, observed].sum(axis=1) - 0.5 * (z**2).sum(axis=1)
    w = np.exp(log_w - log_w.max())
    wanted = (w[:, None] * p).sum(axis=0) / w.sum()
    found = page.value(
        f"Array.from({{length: 20}}, (_, seed) => [...{EXPLORER}.model.impute({x.tolist()},"
        f" {observed.astype(int).tolist()}, {{chains: 10, iterations: 8, seed}}).values])"
    )
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(20)
    assert np.array_equal(mean[observed], x[observed])
    assert (np.abs(mean - wanted) <= 5 * error + 1e-3)[~observed].all()


def networks():
    key = jax.random.key(3)
    for name in ("tanh", "relu", "softplus", "gelu", "silu", "leaky_relu"):
        yield nn.MLP(LATENT, (5,), 2 * FEATURES, key=key, activation=name, norm=name == "silu")
    yield nn.MLP(LATENT, (5, 4), 2 * FEATURES, key=key, activation="gated")
    yield nn.Linear(LATENT, 2 * FEATURES, key=key)


@in_a_browser
def test_every_dense_network_gives_what_python_gives(page: chromium.Page):
    z = jnp.array([0.3, -1.2, 2.0])
    for network in networks():
        program, likelihood = dense.decoder(likelihoods.Gaussian.of_network(network))
        spec = {"decoder": program.steps, "likelihood": likelihood}
        tensors = program.tensors | {"means": np.zeros((1, LATENT)), "rows": np.zeros((1, FEATURES))}
        weights = base64.b64encode(encode({name: np.float32(each) for name, each in tensors.items()})).decode()
        found = page.value(
            f"(() => {{const m = new Model({json.dumps(spec)}, parseSafetensors({weights!r}));"
            f"return [...m.decode({z.tolist()}).outputs]}})()"
        )
        np.testing.assert_allclose(found, eqx.filter_jit(network)(z), atol=1e-5)


@in_a_browser
def test_log_weights_are_those_of_python(page: chromium.Page):
    """Of a Gaussian likelihood, a mixture as the prior, and an encoder that reads what was observed."""
    key = jax.random.key(5)
    encoder = posteriors.Gaussian(nn.MLP(2 * FEATURES, (5,), 2 * LATENT, key=key, heads=2))
    model = LatentVariableModel(
        prior=priors.Mixture(LATENT, components=4, key=key),
        likelihood=likelihoods.Gaussian.of_network(nn.MLP(LATENT, (5,), 2 * FEATURES, key=key)),
        posterior=posteriors.Encoded(encoder, nn.FeatureEncoding(np.arange(6.0), 1 + np.arange(6.0), mask=True)),
    )
    decoder, likelihood = dense.decoder(model.likelihood)
    encoder = dense.encoder(model.posterior)
    tensors = decoder.tensors | encoder.tensors | dense.prior(model, key)
    tensors |= {"means": np.zeros((1, LATENT), np.float32), "rows": np.zeros((1, FEATURES), np.float32)}
    spec = {"decoder": decoder.steps, "encoder": encoder.steps, "likelihood": likelihood, "mixture": True}
    x, seen, z = jnp.array([0.5, 1.0, -1.0, 2.0, 0.0, 3.0]), jnp.array([1, 1, 0, 1, 0, 1]), jnp.array([0.3, -1.2, 2.0])
    weights = base64.b64encode(encode(tensors)).decode()
    found = page.value(
        f"(() => {{const m = new Model({json.dumps(spec)}, parseSafetensors({weights!r}));"
        f"const [x, seen, z] = {json.dumps([x.tolist(), seen.tolist(), z.tolist()])};"
        "const q = m.posterior(x, seen);"
        "return [m.likelihood.logProb(m.decode(z).outputs, x, seen), m.logPrior(z), logNormal(z, q.loc, q.scale)]})()"
    )

    @eqx.filter_jit
    def wanted(model):
        datum = Datum(jnp.where(seen == 1, x, 0), observed=seen == 1)
        return (
            model.likelihood(z, key=key).log_prob(x, where=seen == 1),
            model.prior(None, key=key).log_prob(z),
            model.posterior(datum, key=key).log_prob(z),
        )

    np.testing.assert_allclose(found, [float(each) for each in wanted(model)], rtol=1e-5)


@in_a_browser
def test_nothing_is_asked_for_and_nothing_complains(page: chromium.Page):
    assert [each for each in page.requests if not each.startswith(("data:", "file:"))] == []
    assert len([each for each in page.requests if each.startswith("file:")]) == 1
    assert page.complaints == []


@in_a_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page: chromium.Page, width: int):
    page.resize(width, 800)
    assert page.value("document.documentElement.scrollWidth") <= width
