"""The pages that are generated name every verb, every option and every setting."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from iwax.settings import catalogue, named

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    """The extension that writes them."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "extensions" / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_line_is_all_there(generated):
    text = generated.command_line()
    for called, command in generated.commands():
        _, found, section = text.partition(f"## iwax {called}\n")
        assert found, called
        section = section.partition("\n## ")[0]
        assert f"```sh\niwax {called}" in section or f"```sh\niwax --json {called}" in section, called
        flags = {flag for each in command.params if not getattr(each, "hidden", False) for flag in each.opts}
        missing = {flag for flag in flags - {"-h", "--help"} if flag.startswith("-") and f"`{flag}`" not in section}
        assert missing == set(), called


def test_the_settings_and_presets_are_all_there(generated):
    text, presets, keys = generated.settings(), generated.presets(), list(named.keys())
    shared = {f"{key}." for key in re.findall(r"^### (\S+)\n\nThe kinds and their settings are", text, re.MULTILINE)}
    missing = [key for key in keys if f"`{key}`" not in text and not key.startswith(tuple(shared))]
    assert missing == []
    assert [name for name in catalogue.names() if f"| `{name}` |" not in presets] == []


def test_pages_have_a_place_for_what_is_generated(generated):
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")]
    assert sorted(generated.MARKER.findall("\n".join(pages))) == sorted(generated.PAGES)


def test_tables_have_one_width(generated):
    for page in generated.PAGES.values():
        for rows in re.findall(r"(?:^\|.*\n)+", page(), re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1
