"""The lock of continuous integration, requirements/ci.txt: complete, hashed, and of nowhere in particular."""

import re
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements" / "ci.txt").read_text(encoding="utf-8")
ENTRY = re.compile(r"([a-z0-9.-]+)==([^ ;]+)(?: ; (.+?))?((?: --hash=sha256:[0-9a-f]{64})+)")
UNLOCKED = {"ray"}  # extras that CI does without: their tests are skipped where they are not installed
PYTHONS = ("3.11", "3.12", "3.13")


def entries() -> list[tuple[str, Version, str | None]]:
    """Name, version and marker of every entry, each of which must have a hash."""
    text = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", LOCK, flags=re.MULTILINE))
    found = [ENTRY.fullmatch(line) for line in text.splitlines()]
    assert all(found), [line for line, match in zip(text.splitlines(), found, strict=True) if not match][:3]
    return [(match[1], Version(match[2]), match[3]) for match in found if match]


def wanted() -> list[Requirement]:
    """What the project, its extras and its build ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    extras = project["project"]["optional-dependencies"]
    asked += [each for name, extra in extras.items() if name not in UNLOCKED for each in extra]
    build = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8")
    asked += [line for line in build.splitlines() if not line.startswith("#")]
    return [Requirement(each) for each in asked]


def test_the_lock_has_all_that_is_asked_for_and_a_hash_for_each():
    """On every Python that it is for, exactly one version of each, which is as new as the project needs it."""
    locked = entries()
    for python in PYTHONS:
        place = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
        here = [(name, version) for name, version, marker in locked if not marker or Marker(marker).evaluate(place)]
        versions = dict(here)
        assert len(versions) == len(here)
        missing = [need for need in wanted() if canonicalize_name(need.name) not in versions]
        assert missing == []
        old = [need for need in wanted() if versions[canonicalize_name(need.name)] not in need.specifier]
        assert old == []


def test_the_lock_names_no_place_and_says_how_it_was_made():
    first, *_ = LOCK.splitlines()
    assert re.fullmatch(r"# Written by: bash \.ci/lock .* Nothing younger than \d{4}-\d\d-\d\d 00:00 UTC\.", first)
    assert re.findall(r"://|--index|--extra-index|--find-links|file:|/tmp|/home|/root|^-", LOCK, re.MULTILINE) == []
    assert "bash .ci/lock" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
