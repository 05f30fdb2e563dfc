"""What a report says of a number, and how it draws: without a run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from iwax.report.page import verdict as words
from iwax.report.page.comparison import refuse_unlike
from iwax.report.view import panel

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
    ("change", "level", "reason"),
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
def test_the_verdict_follows_the_weights(change, level, reason):
    found = words.verdict(GOOD | change, rows="image")
    assert found.level == level
    assert reason in " ".join(found.reasons)


def test_the_verdict_tells_the_gap_to_the_elbo():
    assert "90.10: 1.50 nats lower" in " ".join(words.verdict(GOOD, rows="image").reasons)


def test_runs_on_different_data_are_refused_with_both_protocols():
    def subject(name, digest):
        about = SimpleNamespace(sha256=digest, name=name, protocol=f"made as {name}")
        return SimpleNamespace(run=SimpleNamespace(path=Path(name), about=about))

    refuse_unlike([subject("a", "1"), subject("b", "1")])
    with pytest.raises(ValueError, match=r"made as a.*made as b"):
        refuse_unlike([subject("a", "1"), subject("b", "2")])


def test_what_stands_in_a_page_is_escaped():
    body = panel.table(["<a>"], [["<b>"]], numeric=0)
    assert "&lt;a&gt;" in body
    assert "&lt;b&gt;" in body


def test_a_panel_that_cannot_be_made_says_why():
    def made():
        """The plane: decoded."""
        raise ValueError("needs <two> latents")

    (found,) = panel.gathered(made)
    assert found.title == "The plane"
    assert "Left out: needs &lt;two&gt; latents" in found.body
