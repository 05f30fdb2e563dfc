"""The names of runs, and the summary of runs that differ by their seed alone."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from iwax import runs
from iwax.runs import comparison, seeds
from iwax.runs.seeds import Measured, differences, groups
from iwax.runs.sources import from_sources
from iwax.settings import catalogue, fits
from iwax.settings.naming import display_name, folder_name

ROWS = 40


@pytest.mark.parametrize("preset", catalogue.names())
@pytest.mark.parametrize("data", ["mnist", "digits", "mine.csv"])
def test_a_preset_is_called_by_its_name(preset: str, data: str):
    with mock.patch.object(fits, "check"):  # whether its parts fit is asked in tests/unit/settings/test_config.py
        config = from_sources(preset=preset, data=data)
    assert display_name(config) == folder_name(config) == preset


@pytest.mark.parametrize(
    ("flags", "name", "folder"),
    [
        ({"objective.k": 50}, "iwae-1-k5 with k=50", "iwae-1-k5-k50"),
        ({"objective.bound": "elbo", "objective.k": 1}, "iwae-1-k5 with bound=elbo, k=1", "iwae-1-k5-elbo-k1"),
        ({"model.posterior": "iaf"}, "iwae-1-k5 with posterior=iaf", "iwae-1-k5-iaf"),
        ({"model.prior": "vamp", "seed": 3}, "iwae-1-k5 with prior=vamp", "iwae-1-k5-vamp"),
        ({"training.epochs": 7}, "iwae-1-k5", "iwae-1-k5"),
    ],
)
def test_what_is_not_the_presets_is_said(flags: dict, name: str, folder: str):
    config = from_sources(flags=flags)
    assert (display_name(config), folder_name(config)) == (name, folder)


def test_the_closing_line_names_a_run_that_is_not_its_preset():
    about = {
        "n": 3,
        "shape": [8, 8],
        "k": 9,
        "split": "test",
        "dataset": "digits",
        "seconds": 2.0,
        "method": "importance",
    }
    about |= {"units": [4], "active_units": [3], "pareto_k_over_0_7": 0.0, "preset": "iwae-1-k5"}
    about |= {"log_evidence": -1.0, "standard_error": 0.5, "elbo": -2.0, "ess_median": 5.0}
    plain = runs.closing_line(about)
    assert plain.endswith("; active units 3/4; 2 s)")
    assert runs.closing_line(about | {"name": "iwae-1-k5", "start": None}) == plain
    precise = runs.closing_line(about | {"precision": "float32 with products in TF32"})
    assert precise.endswith("; active units 3/4; float32 with products in TF32; 2 s)")
    named = runs.closing_line(about | {"name": "iwae-1-k5 with k=1", "start": "runs/a"})
    assert named == f"{plain[:-1]}; iwae-1-k5 with k=1; started at runs/a)"


def measured(values: np.ndarray, seed: int, *, data: str = "mnist", **flags) -> Measured:
    """A run whose rows have these log p(x)."""
    config = from_sources(data=data, flags={"seed": seed, **{name.replace("__", "."): flags[name] for name in flags}})
    summary = {"log_evidence": float(values.mean()), "preset": config.preset, "dataset": "mnist"}
    return Measured(Path(f"{seed}"), config, "digest", summary, np.arange(len(values)), values, values)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 2**32 - 1), st.floats(0.01, 100.0))
def test_the_difference_over_seeds_is_that_of_welch(first: int, second: int, seed: int, scale: float):
    random = np.random.default_rng(seed)
    ours, theirs = (scale * random.normal(size=(n, ROWS)) + random.normal(size=ROWS) for n in (second, first))
    runs = [measured(values, s) for s, values in enumerate(theirs)]
    runs += [measured(values, s, objective__k=1) for s, values in enumerate(ours)]
    (found,) = differences(groups(runs))
    welch = stats.ttest_ind(ours.mean(axis=1), theirs.mean(axis=1), equal_var=False)
    assert found["difference"] / found["error"] == pytest.approx(welch.statistic)
    assert found["degrees_of_freedom"] == pytest.approx(welch.df)
    paired = stats.ttest_1samp(ours.mean(axis=0) - theirs.mean(axis=0), 0.0)
    assert found["difference"] / found["error_over_rows"] == pytest.approx(paired.statistic)
    assert found["differs"] == {"objective.k": 1}


def test_runs_are_grouped_by_all_but_seed_and_path():
    rows = np.zeros(3)
    runs = [measured(rows, 0), measured(rows, 1, data="mnist-dynamic-60k"), measured(rows, 0, training__batch=7)]
    runs += [measured(rows, 5, training__batch=7), measured(rows, 2, objective__k=9)]
    assert [each.summary()["seeds"] for each in groups(runs)] == [[0, 1], [0, 5]]


def test_settings_without_a_name_are_told_apart_in_words():
    runs = [measured(np.full(3, float(i)), i % 2, training__batch=10 + i // 2) for i in range(4)]
    found = groups(runs)
    compared = {"n": 3, "seeds": [each.summary() for each in found]}
    (difference,) = differences(found)
    words = comparison.over_seeds(compared, difference)
    assert words.startswith("iwae-1-k5 (training.batch=11) less iwae-1-k5: +2.000 +/- 0.707 nats over 2 and 2 seeds")


def test_a_single_group_has_no_difference():
    assert seeds.differences([]) == differences(groups([measured(np.zeros(3), s) for s in (0, 1)])) == []
