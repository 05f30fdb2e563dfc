"""What a report says of a number, and how it draws: without a run."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from iwax.report.page import charts, panel, words
from iwax.report.page.comparison import refuse_unlike
from iwax.report.page.svg import RIGHT, TOP, WIDTH, Scale, legend, shade

GOOD = {
    "log_evidence": -88.604,
    "standard_error": 0.2,
    "monte_carlo_error": 0.01,
    "elbo": -90.1,
    "elbo_standard_error": 0.2,
    "k": 5000,
    "n": 300,
    "ess_median": 120.0,
    "pareto_k_over_0_7": 0.01,
    "active_units": [9],
    "units": [10],
}


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({}, "good", "of 5,000 samples 120 count"),
        ({"pareto_k_over_0_7": 0.12}, "care", "for 12 % of the images"),
        ({"pareto_k_over_0_7": 0.4}, "bound", "still rising in k"),
        ({"ess_median": 3.0}, "bound", "still rising in k"),
        ({"k": 50}, "bound", "iwax evaluate RUN --k 1000"),
        ({"pareto_k_over_0_7": None}, "bound", "too few to judge"),
        ({"log_evidence": None}, "none", "not finite for at least one row"),
    ],
)
def test_the_verdict_follows_the_weights(change, level, said):
    found = words.verdict(GOOD | change, rows="image")
    assert found.level == level
    assert said in " ".join(found.reasons)


def test_the_verdict_tells_the_gap_to_the_elbo():
    assert "90.10: 1.50 nats lower" in " ".join(words.verdict(GOOD, rows="image").reasons)


def test_runs_on_different_data_are_refused_with_both_protocols():
    def subject(name, digest):
        about = SimpleNamespace(sha256=digest, name=name, protocol=f"made as {name}")
        return SimpleNamespace(path=Path(name), trained=SimpleNamespace(about=about))

    refuse_unlike([subject("a", "1"), subject("b", "1")])
    with pytest.raises(ValueError, match=r"made as a.*made as b"):
        refuse_unlike([subject("a", "1"), subject("b", "2")])


def test_what_stands_in_a_page_is_escaped():
    body = panel.table(["<a>"], [["<b>"]], numeric=0)
    assert "&lt;a&gt;" in body
    assert "&lt;b&gt;" in body
    assert "<script" not in charts.histogram({"<script>": np.arange(5.0)}, name="<script>", words="<script>")


@pytest.mark.parametrize("values", [np.zeros(3), np.array([np.nan, 1.0]), np.array([np.inf]), np.arange(9.0)])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_histogram_takes_any_numbers(values, logarithmic):
    drawing = charts.histogram({"a": values}, name="x", words="w", logarithmic=logarithmic, mark=charts.Mark(0.7, "m"))
    assert isinstance(drawing, Markup)
    assert "nan" not in drawing.replace("No value is finite", "")


@settings(max_examples=40)
@given(names=st.lists(st.text("abcdefgh-0123456789", min_size=1, max_size=90), max_size=24))
def test_a_legend_stays_inside_the_chart(names):
    found = legend([(name, i) for i, name in enumerate(names)], kind="line")
    words = re.findall(r'<text class="number" x="(\d+)" y="(-?\d+)">([^<]*)</text>', str(found.body))
    assert [text if "…" not in text else text[:3] for _, _, text in words] == [
        name if len(name) <= 47 else name[:3] for name in names
    ]
    for x, y, text in words:
        assert int(x) + 8.5 * len(text) <= WIDTH - RIGHT + 1
        assert -found.above <= int(y) - 12 <= TOP
    assert len({(x, y) for x, y, _ in words}) == len(words)


def test_lines_are_told_apart():
    assert len({shade(i) for i in range(64)}) == 64


def test_a_scale_is_its_own_inverse_at_its_ends():
    scale = Scale(1.0, 1000.0, 10.0, 40.0, logarithmic=True)
    np.testing.assert_allclose(scale(np.array([0.1, 1.0, 10.0, 1000.0])), [10, 10, 20, 40])
    assert scale.ticks() == [1.0, 10.0, 100.0, 1000.0]


def test_a_panel_that_cannot_be_made_says_why():
    def made():
        """The plane: decoded."""
        raise ValueError("needs <two> latents")

    (found,) = panel.gathered(made)
    assert found.title == "The plane"
    assert "Left out: needs &lt;two&gt; latents" in found.body
