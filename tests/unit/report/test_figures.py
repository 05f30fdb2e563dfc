"""Every pixel of the data is where it should be, the same input gives the same bytes, with a text alternative."""

import json
import re
import warnings
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import norm
from sklearn.datasets import load_digits, load_wine

from iwax.data import Column
from iwax.report import figures
from iwax.report.figures import canvas, curves, images, marginals, palette
from iwax.report.figures.curves import visible_range
from iwax.report.figures.differences import differences
from iwax.report.figures.histograms import Mark, histogram

DIGITS = load_digits().data / 16.0
WINE = load_wine().data
RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(50, 2))
ROWS = [{"epoch": e, "step": 10 * e, "bound": -90.0 - 200.0 / e**2, "beta": 1.0} for e in range(1, 41)]
FULL_ROWS = [row | {"validation": row["bound"] - 1.0, "learning_rate": 1 / row["epoch"]} for row in ROWS]
PIXELS_MISSING = np.where(DIGITS[:3] > 0.5, np.nan, DIGITS[:3])
ONE_MISSING = np.where(np.arange(8) == 5, np.nan, 0.0)

NAMES = ["iwae-1-k5", "iwae-1-k5 with k=50"]
COMPARED = {
    "n": 300,
    "k": 5000,
    "split": "test",
    "runs": [
        {
            "run": f"runs/{'long-' * 20 * i}{i}",
            "name": NAMES[i // 2],
            "seed": i % 2,
            "log_evidence": -90.0 + i,
            "standard_error": [0.2, np.nan][i // 3],
            "difference": float(i),
            "difference_error": 0.1 * i or np.nan,
        }
        for i in range(4)
    ],
    "seeds": [{"name": name, "seeds": [0, 1]} for name in NAMES],
    "seed_differences": [{"group": 1, "difference": 2.0, "error": 0.3}],
}
COLUMNS = [Column("$a", "nonnegative_integer"), Column("b", "nonnegative"), Column("c", "integer")]

CALLS = {
    "grid": lambda: figures.samples(DIGITS[:7], (8, 8), title="Samples of $a_model"),
    "colour": lambda: figures.samples(RNG.random((3, 4 * 5 * 3)), (4, 5, 3)),
    "one channel": lambda: figures.samples(np.eye(16, dtype=np.uint8)[:2], (4, 4, 1)),
    "five channels": lambda: figures.samples(np.zeros((2, 4, 4, 5)), (4, 4, 5)),
    "constant reals": lambda: figures.samples(np.full((1, 4), 7.0), (2, 2)),
    "points": lambda: figures.samples(POINTS, (2,)),
    "one point": lambda: figures.samples(POINTS[:1], (2,)),
    "table": lambda: figures.samples(WINE[:70], (13,)),
    "one feature": lambda: figures.samples(WINE[:5, :1], (1,)),
    "pairs": lambda: figures.reconstructions(DIGITS[:13], DIGITS[1:14], (8, 8)),
    "bands": lambda: figures.reconstructions(DIGITS[:3], {"one": DIGITS[1:4], "two $": DIGITS[2:5]}, (8, 8)),
    "missing pixels": lambda: figures.imputations(DIGITS[:3], PIXELS_MISSING, {"made": DIGITS[1:4]}, (8, 8)),
    "moved points": lambda: figures.reconstructions(POINTS, 0.5 * POINTS, (2,)),
    "moved twice": lambda: figures.reconstructions(POINTS, {"a": 0.5 * POINTS, "b": 2.0 * POINTS}, (2,)),
    "two tables": lambda: figures.reconstructions(WINE[:9], WINE[1:10], (13,)),
    "scatter": lambda: figures.scatter(POINTS, 2.0 * POINTS[:7]),
    "classes": lambda: figures.latents(POINTS, np.arange(50) % 10),
    "named classes": lambda: figures.latents(POINTS, np.array(["$a", "β", "猫", "d", "e"] * 10)),
    "forty classes": lambda: figures.latents(POINTS, np.arange(50) % 40),
    "values": lambda: figures.latents(POINTS, POINTS[:, 0]),
    "many names": lambda: figures.latents(POINTS, np.arange(50).astype(str)),
    "no labels": lambda: figures.latents(np.zeros((4, 2)), None),
    "far away": lambda: figures.latents(np.concatenate([np.tile(POINTS, (20, 1)), [[1e3, 1e3]]]), None),
    "manifold": lambda: figures.manifold(DIGITS[:25], 5, (8, 8)),
    "net": lambda: figures.manifold(figures.manifold_grid(5), 5, (2,)),
    "maps": lambda: figures.manifold(WINE[:25], 5, (13,)),
    "columns": lambda: marginals.marginals(COLUMNS[:3], WINE[:9, :3].round(), np.abs(WINE[:, :3])),
    "many columns": lambda: marginals.marginals(COLUMNS * 30, np.tile(WINE[:9, :3], 30), np.tile(WINE[:, :3], 30)),
    "training": lambda: figures.training(FULL_ROWS),
    "one epoch": lambda: figures.training(ROWS[:1]),
    "differences": lambda: differences(COMPARED),
    "differences without seeds": lambda: differences(COMPARED | {"seeds": [], "seed_differences": []}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_every_picture_is_white_worded_and_small(name: str, tmp_path: Path):
    path = CALLS[name]().write(tmp_path / "picture.png")
    with Image.open(path) as picture:
        words = picture.info
        corners = np.asarray(picture.convert("RGB"))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert path == tmp_path / "picture.png"
    assert (corners == 255).all()
    assert len(words["Description"]) > 30
    assert set(words) == {"Title", "Description", "dpi"}, "nothing that depends on the clock or on versions"
    assert path.stat().st_size < 300_000


@pytest.mark.parametrize("name", ["grid", "pairs", "classes", "training", "manifold"])
def test_same_input_same_bytes(name: str, tmp_path: Path):
    assert CALLS[name]().write(tmp_path / "a.png").read_bytes() == CALLS[name]().write(tmp_path / "b.png").read_bytes()


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 (of our own)


@pytest.mark.parametrize("name", CALLS)
def test_every_picture_is_an_element_of_a_page_in_its_colours(name: str):
    text = CALLS[name]().__html__()
    root = parsed(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    title, description = root.find("title").text, root.find("desc").text
    assert root.attrib["role"] == "img"
    assert title
    assert len(description) > 30
    assert "nan" not in re.sub("<[td].*?</[^>]+>|<image.*?>", "", text)
    assert all("id" not in each.attrib for each in root.iter()), "ids clash where one page has many pictures"
    assert not set(re.findall("#[0-9a-f]{6}", text)) & set(palette.VARIABLES)
    places = np.array([(float(t.attrib["x"]), float(t.attrib["y"])) for t in root.iter("text")]).reshape(-1, 2)
    assert (places >= 0).all()
    assert (places <= (width, height)).all()
    assert len(text) < 120_000


@pytest.mark.parametrize("name", ["grid", "classes", "training"])
def test_an_svg_file_stands_alone(name: str, tmp_path: Path):
    text = CALLS[name]().write(tmp_path / "a.svg").read_text("utf-8")
    assert text == CALLS[name]().write(tmp_path / "b.svg").read_text("utf-8")
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg" ')
    assert "var(--p" not in text
    assert "var(--ink" not in text


def test_what_stands_in_a_picture_is_escaped():
    text = figures.latents(POINTS, np.array(["<script>", "{0}"] * 25)).__html__()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count(">{0}</text>") == 2
    assert parsed(text) is not None


def test_lines_are_cut_at_the_edge_of_their_axes():
    picture = figures.training([row | {"bound": -1e6 if row["epoch"] == 1 else row["bound"]} for row in ROWS])
    text = picture.__html__()
    height = float(re.search(r'viewBox="0 0 [0-9.]+ ([0-9.]+)"', text)[1])
    assert max(float(y) for y in re.findall(r"[ML][0-9.-]+,([0-9.-]+)", text)) <= height + 0.1


def test_the_palette_is_that_of_the_pages():
    css = (resources.files("iwax.report.page") / "files" / "style.css").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", each)) for each in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    for colour, name in palette.VARIABLES.items():
        assert light[name] == colour
        assert name in dark
    assert len(set(palette.PALETTE)) == 10


def test_a_path_before_all_else_still_writes_and_warns(tmp_path: Path):
    with pytest.warns(DeprecationWarning, match=r"scatter\(\.\.\.\)\.write\(path\)"):
        path = figures.scatter(tmp_path / "a.png", POINTS, POINTS)
    assert path.read_bytes() == figures.scatter(POINTS, POINTS).write(tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("values", [np.zeros(3), np.array([np.nan, 1.0]), np.arange(9.0), np.array([1e-30, 1e30])])
@pytest.mark.parametrize("on_log_axis", [False, True])
def test_a_histogram_takes_any_numbers(values, on_log_axis):
    if on_log_axis and not (values > 0).any():
        with pytest.raises(ValueError, match="a finite value above zero: got none"):
            histogram({"a": values}, name="x", description="w", on_log_axis=True)
        return
    text = histogram({"a": values}, name="x", description="w", on_log_axis=on_log_axis, mark=Mark(0.7, "m")).__html__()
    assert "nan" not in text
    assert ">m</text>" in text


@settings(max_examples=8, deadline=None)
@given(names=st.lists(st.text("abcdefgh-0123456789_", min_size=1, max_size=90), min_size=1, max_size=24, unique=True))
def test_a_legend_names_all_inside_the_sheet(names):
    figure = canvas.sheet()
    axes = figure.subplots()
    canvas.legend(figure, {name: axes.plot([0, 1], [i, i])[0] for i, name in enumerate(names)})
    root = parsed(canvas.Picture(figure, "t", "d").__html__())
    made = figure.legends[0].get_window_extent()
    assert [text.get_text()[:3] for text in figure.legends[0].get_texts()] == [name[:3] for name in names]
    assert made.x1 <= figure.bbox.x1
    assert made.y1 <= figure.bbox.y1
    assert axes.get_window_extent().height > 100
    assert root.find("title").text == "t"


def pieces(path: Path, *, side: int, left: int, top: int, gutter: int, across: int, n: int) -> np.ndarray:
    with Image.open(path) as picture:
        page = np.asarray(picture.convert("L"))
    places = [(top + (i // across) * (side + gutter), left + (i % across) * (side + gutter)) for i in range(n)]
    return np.stack([page[y : y + side, x : x + side] for y, x in places])


def test_samples_are_read_row_by_row_with_every_pixel_a_square(tmp_path: Path):
    path = figures.samples(DIGITS[:6], (8, 8)).write(tmp_path / "s.png")
    scale = 24
    seen = pieces(path, side=8 * scale, left=16, top=16, gutter=4, across=3, n=6)
    expected = np.rint(DIGITS[:6].reshape(6, 8, 8) * 255).astype(np.uint8)
    np.testing.assert_array_equal(seen, expected.repeat(scale, 1).repeat(scale, 2))


@pytest.mark.parametrize(
    ("rates", "scale"),
    [
        (3e-3 * 0.5 * (1 + np.cos(np.pi * np.arange(1, 101) / 100.1)), "linear"),  # far from 0 for most of its epochs
        (np.repeat([1e-3, 1e-4, 1e-5], 40), "log"),
        (np.linspace(0.01, 1.0, 50), "linear"),
        (np.full(10, 1e-3) - 1e-5 * np.arange(10), "linear"),
    ],
)
def test_a_learning_rate_is_shown_on_the_axis_that_shows_it(rates: np.ndarray, scale: str):
    axes = Figure().subplots()
    curves._changed(axes, np.arange(len(rates)), rates, "learning rate")
    low, high = axes.get_ylim()
    heights = axes.transAxes.inverted().transform(axes.transData.transform(np.stack([rates, rates], axis=1)))[:, 1]
    assert axes.get_yscale() == scale
    assert low <= rates.min() <= rates.max() <= high
    assert np.median(heights) > 0.2, "the middle of the training does not lie on the axis"
    assert all(len(label.get_text()) <= 7 for label in axes.get_yticklabels())
    assert axes.get_title("left").startswith(f"learning rate, {curves.rounded(rates[0])} to ")


def test_a_comparison_says_what_is_unknown(tmp_path: Path):
    with Image.open(differences(COMPARED).write(tmp_path / "d.png")) as picture:
        words = picture.info["Description"]
    assert "0: +0.000 ± unknown" in words
    assert "2: +2.000 ± 0.200" in words


def test_of_many_columns_the_first_are_drawn_and_the_others_counted(tmp_path: Path):
    path = CALLS["many columns"]().write(tmp_path / "p.png")
    with Image.open(path) as picture:
        assert "Histograms of the first 24 of 90 columns: 9 test rows next to 178 draws" in picture.info["Description"]
        many = picture.size
    path = marginals.marginals(COLUMNS * 8, np.tile(WINE[:9, :3], 8), np.tile(WINE[:, :3], 8)).write(tmp_path / "q.png")
    with Image.open(path) as picture:
        assert "Histograms of 24 columns" in picture.info["Description"]
        assert picture.size == many


def test_reconstructions_are_named_in_the_picture(tmp_path: Path):
    path = figures.reconstructions(DIGITS[:3], {"mean of q": DIGITS[:3], "k = 9": DIGITS[:3]}, (8, 8)).write(
        tmp_path / "r.png"
    )
    with Image.open(path) as picture:
        assert "stands: mean of q, k = 9." in picture.info["Description"]


def test_a_reconstruction_stands_under_its_datum(tmp_path: Path):
    path = figures.reconstructions(DIGITS[:12], DIGITS[12:24], (8, 8)).write(tmp_path / "r.png")
    with Image.open(path) as picture:
        page = np.asarray(picture.convert("L"))
    scale, left = 12, 16 + 188
    for i in (0, 9, 10, 11):
        x = left + (i % 10) * (8 * scale + 4)
        y = 16 + (i // 10) * (2 * 8 * scale + 4 + 20)
        for row, values in enumerate((DIGITS[i], DIGITS[12 + i])):
            top = y + row * (8 * scale + 4)
            seen = page[top : top + 8 * scale : scale, x : x + 8 * scale : scale]
            np.testing.assert_array_equal(seen, np.rint(values.reshape(8, 8) * 255))


def test_manifold_grid_has_equal_probabilities_and_the_orientation_of_the_picture():
    side = 7
    grid = figures.manifold_grid(side).reshape(side, side, 2)
    np.testing.assert_allclose(norm.cdf(grid[0, :, 0]), (np.arange(side) + 0.5) / side)
    assert (np.diff(grid[:, :, 0], axis=1) > 0).all(), "z1 to the right"
    assert (np.diff(grid[:, :, 1], axis=0) < 0).all(), "z2 upwards: the first row is the highest"
    assert np.ptp(grid[:, :, 0], axis=0).max() == 0
    with pytest.raises(ValueError, match="side=0"):
        figures.manifold_grid(0)


def test_manifold_puts_high_z2_at_the_top(tmp_path: Path):
    side = 4
    bright = (figures.manifold_grid(side)[:, 1] > 0).astype(float)  # an image of one grey a latent
    path = figures.manifold(np.repeat(bright[:, None], 16, axis=1), side, (4, 4)).write(tmp_path / "m.png")
    with Image.open(path) as picture:
        page = np.asarray(picture.convert("L"))
    inside = page[20 : 20 + 4 * 4 * 24, 112 : 112 + 4 * 4 * 24]
    assert (inside[: len(inside) // 2] == 255).all()
    assert (inside[len(inside) // 2 :] == 0).all()


@given(n=st.integers(1, 3000))
def test_columns_leave_little_empty(n: int):
    across = images.columns(n)
    rows = -(-n // across)
    assert across * rows >= n > across * (rows - 1)
    assert across >= rows
    assert across <= 3 * rows


@settings(deadline=None, max_examples=30)
@given(h=st.integers(1, 40), w=st.integers(1, 40), n=st.integers(1, 12), across=st.integers(1, 300))
def test_enlarged_by_whole_numbers(h: int, w: int, n: int, across: int):
    block = np.random.default_rng(h * w).integers(0, 255, (n, h, w, 3)).astype(np.uint8)
    large = images.resized(block, across)
    assert across * large.shape[2] <= max(images.LARGEST, across)
    if across * max(h, w) <= images.LARGEST:
        scale = large.shape[1] // h
        np.testing.assert_array_equal(large[:, ::scale, ::scale], block)


def test_large_images_are_reduced_by_block_means():
    block = np.zeros((1, 6000, 40, 3), np.uint8)
    block[:, ::2] = 200
    small = images.resized(block, 1)
    assert small.shape == (1, 3000, 20, 3)
    assert (small == 100).all()


def test_limits_of_the_grey_scale():
    noisy = np.concatenate([np.zeros(400), np.ones(400)]) + 0.05 * RNG.normal(size=800)
    assert images.limits(noisy) == (0.0, 1.0)
    assert images.limits(255.0 * noisy.clip(0, 1)) == (0.0, 255.0)
    low, high = images.limits(RNG.normal(size=10_000))
    assert -2.6 < low < -2.0
    assert 2.0 < high < 2.6


def test_the_first_epochs_do_not_squash_the_rest():
    bound = np.array([row["bound"] for row in ROWS])
    low, high = visible_range(bound)
    assert low > bound[0]
    assert high > bound.max()
    assert (bound >= low).mean() >= 0.9
    steady = np.linspace(-100, -90, 40)
    assert visible_range(steady)[0] < -100, "a curve without a steep start is shown whole"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.samples(DIGITS[:3], (8, 9)), r"samples must be \[n, 72\].*\(3, 64\)"),
        (lambda: figures.samples(DIGITS[:0], (8, 8)), r"n of 1 or more: got shape \(0, 64\)"),
        (lambda: figures.samples(ONE_MISSING, (2, 2)), r"samples must be \[n, 4\]"),
        (lambda: figures.samples(ONE_MISSING.reshape(2, 4), (2, 2)), "row 1, column 1"),
        (lambda: figures.samples(DIGITS[:3], (2, 2, 4, 4)), r"shape \(h, w\)"),
        (lambda: figures.reconstructions(DIGITS[:3], DIGITS[:2], (8, 8)), "got 3 and 2 rows"),
        (lambda: figures.reconstructions(DIGITS[:3], {"a": DIGITS[:3], "b": DIGITS[:4]}, (8, 8)), "3 and 4 rows"),
        (
            lambda: figures.imputations(DIGITS[:3], DIGITS[:2], {}, (8, 8)),
            r"as originals were needed, 3: got \[2\]",
        ),
        (lambda: figures.imputations(WINE[:3], WINE[:3], {}, (13,)), r"got \(13,\)"),
        (lambda: figures.latents(POINTS, [1, 2]), "50 means and 2 labels"),
        (lambda: figures.latents(DIGITS[:2], None), r"\[n, 2\]"),
        (lambda: figures.manifold(DIGITS[:10], 3, (8, 8)), "needs 9 rows: got 10"),
        (lambda: figures.training([]), "got 0 rows"),
        (lambda: figures.training([{"epoch": 1, "bound": float("nan")}]), "finite 'bound': got 1 rows"),
        (lambda: figures.scatter(POINTS, POINTS).write("x.jpg"), r"end it in \.png or \.svg"),
    ],
)
def test_errors_say_what_was_got_in_one_line(call, message: str, tmp_path: Path):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written_says_where(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="missing"):
        figures.scatter(POINTS, POINTS).write(tmp_path / "missing" / "x.png")


def test_rows_read_back_from_a_record_are_enough(tmp_path: Path):
    lines = "\n".join(json.dumps(row) for row in ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = figures.training([json.loads(line) for line in lines.splitlines()]).write(tmp_path / "t.png")
    with Image.open(path) as picture:
        assert "90.12 at epoch 40" in picture.info["Description"]
