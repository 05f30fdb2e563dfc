"""Every random stream has a name, and no two that are folded into one key have one number."""

import ast
import inspect
import warnings
from enum import IntEnum
from pathlib import Path

import jax
import numpy as np
import pytest

from iwax import streams
from iwax.data import bits
from iwax.data.binarization import binarize_once

# The kinds of keys, and all that is folded into a key of each kind beside numbers that are counted from 0.
KEYS = {
    "seed of Philox": [*streams.Bits],
    "seed": [*streams.Run],
    "seed of a classifier": [*streams.Classifier],
    "initialisation": [*streams.Initialisation],
    "step": [*streams.Data, *streams.Step],
    "measurement": [*streams.Data, *streams.Evaluation],
    "annealing": [*streams.Data, *streams.Annealing],
    "inference gap": [*streams.Data, *streams.Gap],
    "calibration": [*streams.Data, *streams.Simulation],
    "scores": [*streams.Data, *streams.Evaluation, *streams.Score],
    "row": [*streams.Row],
    "row of pseudo-Gibbs iterations": [*streams.GibbsRow],
    "row of the aggregate posterior": [*streams.Aggregate],
    "draw": [*streams.Draw, *streams.Proposal],
    "draw that may be chosen": [*streams.Draw, *streams.Candidate],
    "pseudo-Gibbs iteration": [*streams.Draw, *streams.GibbsIteration],
    "move": [*streams.Move],
    "row of the model": [*streams.Generated, streams.Draw.PRIOR, streams.Draw.LIKELIHOOD],
    "likelihood": [*streams.Likelihood],
    "weights": [*streams.Weights],
}
ENUMERATIONS = [
    each for each in vars(streams).values() if inspect.isclass(each) and each.__module__ == streams.__name__
]
PARTS = {"bijections", "distributions", "likelihoods", "nn", "posteriors", "priors"}  # folders of src/iwax
STREAMS = "src/iwax/streams.py"
ROOT = Path(__file__).parents[3]
SOURCES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "src" / "iwax").rglob("*.py"))
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("kind", KEYS)
def test_no_two_streams_of_a_key_have_one_number(kind):
    numbers = [int(stream) for stream in KEYS[kind]]
    assert len(set(numbers)) == len(numbers)


def test_every_enumeration_is_one_of_a_key():
    assert {type(stream) for streams_of in KEYS.values() for stream in streams_of} == set(ENUMERATIONS)
    assert sorted(each.__name__ for each in ENUMERATIONS) == streams.__all__


def test_every_stream_says_what_is_drawn_from_it():
    lines = inspect.getsource(streams).splitlines()
    for enumeration in ENUMERATIONS:
        assert issubclass(enumeration, IntEnum)
        for stream in enumeration:
            assert any(line.startswith(f"    {stream.name} = ") and "  # " in line for line in lines), stream


def test_a_stream_is_folded_in_as_its_number():
    key = jax.random.key(0)
    for stream in (streams.Data.PREPARED, streams.Weights.LIKELIHOOD, streams.Draw.POSTERIOR):
        found = [jax.random.key_data(jax.random.fold_in(key, number)) for number in (stream, int(stream))]
        np.testing.assert_array_equal(*found)


# -- the rule ---------------------------------------------------------------------------------------------------


def bare(path: str, tree: ast.Module) -> list[str]:
    """The calls of `fold_in` in a module whose number is written out, or is a constant of the module.

    Only a part may do so, in a function where the numbers that are folded into one key are 0, 1, ..., n - 1: it counts
    what it draws or makes.
    """
    constants = {
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for name in ast.walk(node)
        if isinstance(name, ast.Name)
    }
    found = []
    written: dict[tuple[ast.AST, str], dict[int, int]] = {}  # of a function and a key: numbers, and their lines
    for function, call in calls(tree, tree):
        number = call.args[1]
        if isinstance(number, ast.Constant):
            written.setdefault((function, ast.unparse(call.args[0])), {})[number.value] = call.lineno
        elif all(name.id in constants for name in ast.walk(number) if isinstance(name, ast.Name)):
            found.append(f"{path}:{call.lineno}")
    for numbers in written.values():
        counted = sorted(numbers) == list(range(len(numbers)))
        if not (counted and path.split("/")[2] in PARTS):
            found += [f"{path}:{line}" for line in numbers.values()]
    return sorted(found)


def calls(node: ast.AST, function: ast.AST) -> list[tuple[ast.AST, ast.Call]]:
    """The calls of `fold_in` below a node, each with the innermost function that it stands in."""
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func).split(".")[-1] == "fold_in":
            found.append((function, child))
        found += calls(child, child if isinstance(child, FUNCTIONS) else function)
    return found


def test_a_number_is_written_out_only_where_a_part_counts_what_it_draws():
    assert sum(len(calls(tree, tree)) for tree in SOURCES.values()) > 100
    assert [line for path, tree in SOURCES.items() if path != STREAMS for line in bare(path, tree)] == []


@pytest.mark.parametrize(
    ("path", "source", "lines"),
    [
        ("src/iwax/evaluation/x.py", "def f(key): return fold_in(key, 0)", [1]),
        ("src/iwax/evaluation/x.py", "def f(key, i): return fold_in(fold_in(key, i), 4)", [1]),
        ("src/iwax/batched.py", "def f(key): return jax.random.fold_in(key, 2**32 - 1)", [1]),
        ("src/iwax/nn/x.py", "A, B = 2**32 - 1, 3\ndef f(key): return fold_in(key, B + 1)", [2]),
        ("src/iwax/nn/x.py", "def f(key):\n return fold_in(key, 0), fold_in(key, 2)", [2, 2]),
        ("src/iwax/nn/x.py", "def f(key):\n return fold_in(key, 0)\ndef g(key): return fold_in(key, 1)", [3]),
        ("src/iwax/nn/x.py", "def f(key, other):\n return fold_in(key, 0), fold_in(other, 0), fold_in(key, 1)", []),
        ("src/iwax/nn/x.py", "def f(key, last): return [fold_in(key, 2 + i) for i in range(last + 1)]", []),
        ("src/iwax/batched.py", "def f(key): return fold_in(key, streams.Data.PREPARED)", []),
    ],
)
def test_the_rule_finds_a_number_that_has_no_name(path, source, lines):
    assert [int(line.split(":")[1]) for line in bare(path, ast.parse(source))] == lines


# -- former names -----------------------------------------------------------------------------------------------


def test_the_former_keyword_warns_and_gives_the_same_bits():
    grey = np.full((3, 4), 128, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = binarize_once(grey, seed=3, stream=streams.Bits.TEST)
    with pytest.warns(DeprecationWarning, match="stream="):
        np.testing.assert_array_equal(binarize_once(grey, seed=3, purpose=streams.Bits.TEST), expected)
    with pytest.raises(TypeError, match="stream"):
        binarize_once(grey, seed=3)
    with pytest.raises(AttributeError, match="Purposes"):
        _ = bits.Purposes
