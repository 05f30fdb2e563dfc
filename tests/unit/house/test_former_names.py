"""Names of before: each gives what took its place and warns; names that are gone say what to use."""

import importlib
import inspect
import re

import pytest

import iwax
from iwax import inference, training
from iwax.former_names import FORMER, REMOVED

CHANGED = [(module, name, today) for module, names in FORMER.items() for name, today in names.items()]


@pytest.mark.parametrize(("module", "name", "today"), CHANGED)
def test_a_former_name_gives_what_took_its_place_and_warns(module, name, today):
    room = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=re.escape(f"{module}.{name} is now {today}")) as caught:
        found = getattr(room, name)
    path, _, option = today.partition("(")
    inside, _, last = path.rpartition(".")
    if option:
        assert f'{next(iter(found.keywords))}="{next(iter(found.keywords.values()))}")' == option
        found = found.func
    assert found is getattr(importlib.import_module(inside), last)
    assert caught[0].filename == __file__  # at the line that uses it
    assert name not in room.__all__ if hasattr(room, "__all__") else True


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in REMOVED.items() for name in names])
def test_a_removed_name_says_what_to_use(module, name):
    with pytest.raises(AttributeError, match=f"{name} was removed: "):
        getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", sorted({*FORMER, *REMOVED}))
def test_a_name_that_never_was_is_refused(module):
    with pytest.raises(AttributeError, match="no attribute 'never_was'"):
        importlib.import_module(module).never_was  # noqa: B018


def test_the_former_rooms_are_reached_from_the_root():
    with pytest.warns(DeprecationWarning, match=r"iwax\.runs\.Run"):
        assert iwax.experiments.Run is iwax.runs.Run


@pytest.mark.parametrize(
    ("function", "former", "today"),
    [
        (inference.denoise, "sweeps", "iterations"),
        (inference.impute, "sweeps", "iterations"),
        (inference.impute_gibbs, "sweeps", "iterations"),
        (training.Plan.__init__, "stretch_seconds", "segment_seconds"),
    ],
)
def test_a_former_argument_warns_and_is_never_given_twice(function, former, today):
    assert today in inspect.signature(function).parameters
    with pytest.warns(DeprecationWarning, match=f"{former}= of .* is now {today}="), pytest.raises(TypeError):
        function(**{former: 1})  # and nothing else, which it needs
    with pytest.raises(TypeError, match=f"needs {today}= alone, got {former}="):
        function(**{former: 1, today: 1})


class Former:
    """An observer as the last release asked for."""

    def stretch(self, state, progress):
        return progress

    def epoch(self, state, row):
        """Nothing."""

    def improved(self, state):
        """Nothing."""


def test_an_observer_with_the_former_method_is_heard():
    with pytest.warns(DeprecationWarning, match="the method stretch of an observer is now segment"):
        assert training.loop.as_observer(Former()).segment(None, "here") == "here"
