"""What `help()` shows of a public function can be read: types have their names, and no argument takes three lines."""

import importlib
import inspect
import re

PACKAGES = (
    "bounds control_variates data evaluation gradients inference likelihoods nn posteriors priors report.figures runs "
    "samplers training"
)


def signatures():
    for name in PACKAGES.split():
        package = importlib.import_module(f"iwax.{name}")
        for each in package.__all__:
            found = getattr(package, each)
            is_error = inspect.isclass(found) and issubclass(found, BaseException)
            if (inspect.isfunction(found) or inspect.isclass(found)) and not is_error:
                yield f"{name}.{each}", inspect.signature(found)


def test_types_print_by_their_names():
    shown = [f"{name}: {each}" for name, signature in signatures() for each in signature.parameters.values()]
    assert [each for each in shown if len(each) > 240 or "numpy._typing" in each] == []


def test_a_list_of_arguments_is_whole():
    """Where a docstring lists arguments, it has them all, and no other."""
    wrong = {}
    for name, signature in signatures():
        package, _, own = name.rpartition(".")
        text = inspect.getdoc(getattr(importlib.import_module(f"iwax.{package}"), own)) or ""
        if "\nArgs:\n" in text:
            block = re.split(r"\n(?! )", text.partition("\nArgs:\n")[2])[0]
            listed = set(re.findall(r"^    (\w+):", block, re.MULTILINE))
            if listed != set(signature.parameters):
                wrong[name] = listed ^ set(signature.parameters)
    assert wrong == {}
