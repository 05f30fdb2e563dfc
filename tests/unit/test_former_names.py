"""Public names of the last release still work, and say what replaced them."""

from importlib import import_module

import pytest

NAMES = [
    ("iwax.training", "draws_a_chunk", "draws_per_chunk"),
    ("iwax.training", "rows_a_piece", "rows_per_piece"),
]


@pytest.mark.parametrize(("module", "former", "name"), NAMES)
def test_a_former_name_warns_and_gives_what_has_its_new_name(module: str, former: str, name: str):
    of = import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{module}.{former} is now {module}.{name}"):
        assert getattr(of, former) is getattr(of, name)
    assert former not in of.__all__
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        of.no_such_name  # noqa: B018
