"""Presets and flat settings mean what they meant (tests/golden/configurations.py): the same run, the same model.

A later key counts as not used where it is null. Settings of parts are compared by their flat names of before, of which
null stood for the default of the kind chosen.
"""

import functools
import json
from unittest import mock

import configurations
import numpy as np
import pytest
from configurations import configuration, flat, model_requests, requests

from iwax.runs import sources
from iwax.settings import catalogue, fits, named
from iwax.settings.former import FORMER

ANEW = "python tests/golden/configurations.py adds it"


@functools.cache
def stored() -> dict:
    return json.loads(configurations.STORED.read_text())


@functools.cache
def found() -> dict:
    """The configurations as they resolve; whether their parts fit is asked in tests/unit/settings/test_config.py."""
    with mock.patch.object(fits, "check"):
        return {name: configuration(arguments) for name, arguments in requests()}


def whole(name: str) -> dict:
    """Every flat key of a stored configuration."""
    return stored()["defaults"] | stored()["resolved"][name]


def usual(key: str) -> object:
    """What null stood for, where a part has the setting."""
    return next((named.defaults()[name] for name in FORMER.get(key, [key])), None)


def paths(key: str) -> set[str]:
    """What a key, of today or of before, sets."""
    return set(FORMER.get(key, [key]))


def test_the_file_has_every_preset_recipe_and_list_of_settings():
    names = {name for name, _ in requests()}
    assert {name.split(" ")[0] for name in names} >= set(catalogue.names())
    assert not names - stored()["resolved"].keys(), ANEW
    assert not stored()["resolved"].keys() - names  # what was once a preset is one
    with mock.patch.object(fits, "check"):
        models = {name for name, _ in model_requests()}
    assert not models - stored()["models"].keys(), ANEW
    assert not set(configurations.WITH_WEIGHTS) - stored()["weights"].keys(), ANEW


def test_the_lists_of_settings_reach_every_key():
    reached = {key for text in configurations.SETS for key in stored()["resolved"][text]}
    reached |= {"start"}  # a run folder, which test_config.py makes
    assert stored()["defaults"].keys() <= reached
    assert flat(sources.Config()).keys() >= stored()["defaults"].keys()


def test_names_and_flat_settings_resolve_to_the_stored_configuration():
    for name, config in found().items():
        now, before = flat(config), whole(name)
        other = {key: (value, now.get(key)) for key, value in before.items() if now.get(key) != value}
        assert {key: both for key, both in other.items() if both != (None, usual(key))} == {}, name
        later = {key for key in now if not paths(key) <= set().union(*map(paths, before))}
        assert not {key: now[key] for key in later if now[key] is not None}, name


def test_a_configuration_stored_with_flat_keys_is_read_as_the_same_one(tmp_path):
    path = tmp_path / "stored.json"
    for name in configurations.SETS:
        tree: dict = {}
        for key, value in whole(name).items():
            section, dot, field = key.rpartition(".")
            (tree.setdefault(section, {}) if dot else tree)[field] = value
        path.write_text(json.dumps(tree))
        assert sources.complete(path) == found()[name], name


@pytest.mark.slow  # the models of which weights are stored are asked always, below
def test_models_are_of_the_stored_shapes():
    with mock.patch.object(fits, "check"):
        asked = list(model_requests())
    for name, config in asked:
        assert list(configurations.shape_digest(config)) == stored()["models"][name], name


@pytest.mark.parametrize("name", configurations.WITH_WEIGHTS)
def test_untrained_weights_are_the_stored_ones(name):
    arguments = dict(requests())[name]
    now = configurations.weight_figures(configurations.with_likelihood(arguments))
    before = stored()["weights"][name]
    assert [shape for shape, *_ in now] == [shape for shape, *_ in before]
    figures = [np.array([each[1:] for each in entries]) for entries in (now, before)]
    np.testing.assert_allclose(*figures, rtol=1e-5, atol=1e-7)
