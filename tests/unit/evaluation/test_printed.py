"""Results print in a line, whatever the size of their arrays, and begin with what they say."""

import dataclasses
import importlib
import inspect
import pkgutil
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import iwax
from iwax import evaluation, inference

N = 4321
PACKAGES = ("evaluation", "inference", "gradients", "training", "data")


def records():
    """Every public data class and named tuple of these packages that has an array."""
    for name in PACKAGES:
        package = importlib.import_module(f"iwax.{name}")
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"iwax.{name}.{found.name}")
            for kind in vars(module).values():
                if inspect.isclass(kind) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_"):
                    is_record = dataclasses.is_dataclass(kind) or issubclass(kind, tuple)
                    if is_record and any(_array(hint) for hint in get_type_hints(kind).values()):
                        yield kind


def _array(hint: object) -> bool:
    """Whether an array is what a field holds, or may hold."""
    return hint is np.ndarray or (get_origin(hint) in (Union, UnionType) and np.ndarray in get_args(hint))


RESULTS = list(records())


def filled(kind: type):
    """One with thousands of numbers in every array."""
    values = {}
    for name in getattr(kind, "_fields", None) or [field.name for field in dataclasses.fields(kind)]:
        wanted = get_type_hints(kind)[name]
        values[name] = np.full(N, 0.25) if _array(wanted) else filled(wanted) if wanted in RESULTS else 7
    if issubclass(kind, tuple):
        return kind(**values)
    made = object.__new__(kind)  # whose checks are not what is tested
    vars(made).update(values)
    return made


def test_every_result_is_found():
    assert {evaluation.Evidence, inference.Imputation, inference.Generated, iwax.data.Split} <= set(RESULTS)


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_a_result_prints_in_a_line(kind):
    text = repr(filled(kind))
    assert text.startswith(f"{kind.__name__}(")
    assert "\n" not in text
    assert "0.25, 0.25" not in text
    assert f"float64[{N}]" in text
    assert len(text) < 500


def test_an_estimate_says_its_mean_first():
    values = np.array([-22.0, -24.0])
    found = evaluation.Evidence(5, np.arange(2), values, *[values] * 5)
    assert repr(found).startswith("Evidence(mean=-23.00 +/- 1.00 nats, k=5; int64[2] rows; float64[2] log_evidence, ")
