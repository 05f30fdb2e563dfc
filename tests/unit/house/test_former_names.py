"""Names of before: each gives what took its place and warns; names that are gone say what to use."""

import importlib

import pytest

import iwax
from iwax.former_names import FORMER, REMOVED

CHANGED = [(module, name, today) for module, names in FORMER.items() for name, today in names.items()]


@pytest.mark.parametrize(("module", "name", "today"), CHANGED)
def test_a_former_name_gives_what_took_its_place_and_warns(module, name, today):
    room = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is now {today}") as caught:
        found = getattr(room, name)
    inside, _, last = today.rpartition(".")
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
