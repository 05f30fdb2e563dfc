"""The rules of the house, read off the source: what ruff, pyright and import-linter do not check."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import iwax

ROOT = Path(__file__).parents[3]
SRC = ROOT / "src" / "iwax"


def python_files(folder: str) -> dict[str, ast.Module]:
    """The syntax trees below a folder, by path."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


SOURCES = python_files("src/iwax")
SCRIPTS = python_files("benchmarks") | python_files("examples")
LIBRARY = {path: tree for path, tree in SOURCES.items() if not path.startswith("src/iwax/cli/")}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

FILE_LINES = 300
CODE_LINES = 40  # of a function, without its docstring
FUNCTION_LINES = 70  # with its docstring, which names every argument
REASON = re.compile(r"\blonger than \d+ lines\b", re.IGNORECASE)
EMPTY_NAMES = {"utils", "util", "core", "base", "common", "helpers", "helper", "mixins", "misc"}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
PROGRAMS = {"subprocess", "multiprocessing", "pty", "popen2", "pexpect", "sh", "plumbum", "git", "webbrowser", "ctypes"}
STARTS = re.compile(
    r"(os|posix|nt|asyncio|loop)\."
    r"(system|popen|startfile|fork\w*|exec[lv]\w*|spawn\w*|posix_spawn\w*|create_subprocess_\w+|subprocess_\w+)"
)


def functions(trees: dict[str, ast.Module]) -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                yield f"{path}:{node.lineno} {node.name}", node


def lines_of(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def run_python(program: str) -> str:
    """The standard output of a fresh interpreter that runs the program."""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- sizes and names --------------------------------------------------------------------------------------------


def test_files_are_short():
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in SOURCES | SCRIPTS}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_functions_are_short():
    """A longer one needs a reason in its docstring: 'longer than 40 lines, because ...'."""
    long = {}
    for where, function in functions(SOURCES | SCRIPTS):
        docstring = ast.get_docstring(function)
        code = lines_of(function) - (lines_of(function.body[0]) if docstring else 0)
        if (code > CODE_LINES or lines_of(function) > FUNCTION_LINES) and not REASON.search(docstring or ""):
            long[where] = code
    assert long == {}


def test_every_name_says_something():
    paths = [*SOURCES, *SCRIPTS, *python_files("tests")]
    assert [path for path in paths if EMPTY_NAMES & set(Path(path).with_suffix("").parts)] == []


# -- what source code may not do --------------------------------------------------------------------------------


def unsafe(node: ast.AST) -> bool:
    """Whether a node runs what a file says, or checks with what ``python -O`` removes."""
    match node:
        case ast.Assert():
            return True
        case ast.Import(names=names):
            return any(name.name.split(".")[0] in UNSAFE_MODULES for name in names)
        case ast.ImportFrom(module=module):
            return (module or "").split(".")[0] in UNSAFE_MODULES
        case ast.Call(func=called, keywords=words):
            pickles = [word for word in words if word.arg == "allow_pickle" and ast.unparse(word.value) != "False"]
            return ast.unparse(called) in UNSAFE_CALLS or bool(pickles)
    return False


def test_source_neither_asserts_nor_runs_what_it_reads():
    found = [f"{path}:{node.lineno}" for path, tree in SOURCES.items() for node in ast.walk(tree) if unsafe(node)]
    assert found == []


def starts_a_program(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name.split(".")[0] in PROGRAMS for name in names)
        case ast.ImportFrom(module=module, names=names):
            found = [f"{module}.{name.name}" for name in names]
            return (module or "").split(".")[0] in PROGRAMS or any(map(STARTS.fullmatch, found))
        case ast.Attribute():
            return bool(STARTS.fullmatch(ast.unparse(node)))
    return False


def test_source_starts_no_program():
    """tests/hostile/test_no_program.py watches what libraries do besides."""
    nodes = [(path, node) for path, tree in SOURCES.items() for node in ast.walk(tree)]
    assert [f"{path}:{node.lineno}" for path, node in nodes if starts_a_program(node)] == []


def test_imports_stand_at_the_top():
    """The verbs of the command line postpone theirs there (iwax.cli.later), so that ``--help`` answers at once."""
    imports = (ast.Import, ast.ImportFrom)
    late = [where for where, function in functions(SOURCES) if any(isinstance(n, imports) for n in ast.walk(function))]
    assert late == []


def test_nothing_below_the_root_imports_a_name_of_the_root():
    """``from iwax import data`` names a module, and points down; ``from iwax import load`` asks the root for a name."""
    modules = {path.name.removesuffix(".py") for path in SRC.iterdir() if path.is_dir() or path.suffix == ".py"}
    found = []
    for path, tree in SOURCES.items():
        for node in ast.walk(tree) if path != "src/iwax/__init__.py" else ():
            match node:
                case ast.Import(names=names):
                    found += [f"{path}: import iwax" for name in names if name.name == "iwax"]
                case ast.ImportFrom(module="iwax", names=names):
                    found += [f"{path}: {name.name}" for name in names if name.name not in modules]
    assert found == []


def test_what_a_part_may_do_is_declared_and_not_looked_up():
    """No ability of a part or distribution is asked for by name, and one function tells how many layers there are."""
    rooms = ["model", "samplers", "batched", "gradients", "control_variates", "evaluation", "inference", "report"]
    rooms += ["priors", "likelihoods", "posteriors", "distributions", "families", "bijections", "nn"]
    asked, layers = [], []
    for path, tree in SOURCES.items():
        if path.split("/")[2].removesuffix(".py") not in (*rooms, "parts"):
            continue
        for node in ast.walk(tree):
            call = ast.unparse(node) if isinstance(node, ast.Call) else ""
            by_name = re.match(r"(getattr|hasattr)\([\w.()]+, '\w+'", call)
            if by_name and not re.search(r"'(iloc|toarray|dtype|kind|__name__|tile|is_animated)'", call):
                asked.append(f"{path}:{node.lineno} {call}")
            if re.match(r"isinstance\((z|\w+\.z|mean|latents?), tuple\)", call):
                layers.append(f"{path}:{node.lineno}")
    assert len(asked) <= 1, asked  # distributions.Autoregressive, whose network may have a quicker way to draw
    assert len(layers) == 1, layers


def test_public_signatures_are_plain():
    """No ``**kwargs``, and no key or seed by default: randomness is always somebody's decision."""
    found = []
    for where, function in functions(LIBRARY):
        if function.name.startswith("_") and not function.name.startswith("__"):
            continue
        arguments = function.args
        positional = arguments.posonlyargs + arguments.args
        given = dict(zip([a.arg for a in positional[::-1]], arguments.defaults[::-1], strict=False))
        given |= {a.arg: value for a, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value}
        chosen = [name for name in ("key", "seed") if name in given and ast.unparse(given[name]) != "None"]
        if arguments.kwarg or chosen:
            found.append(where)
    assert found == []


def test_types_of_parts_can_be_checked_at_every_call():
    """`Self` cannot: the checks of tests/conftest.py decorate methods, not classes (IWAX_CHECK=all, at a release)."""
    checked = "numerics distributions batched bounds gradients evaluation nn bijections priors likelihoods posteriors"
    paths = [path for path in SOURCES if path.split("/")[2].removesuffix(".py") in (*checked.split(), "model")]
    assert len(paths) > 100
    names = {path: [node for node in ast.walk(SOURCES[path]) if isinstance(node, ast.Name)] for path in paths}
    assert [path for path, found in names.items() if any(node.id == "Self" for node in found)] == []


def test_public_names_have_a_docstring():
    bare = [path for path, tree in SOURCES.items() if not ast.get_docstring(tree)]
    for path, tree in SOURCES.items():
        public = [n for n in tree.body if isinstance(n, (*FUNCTIONS, ast.ClassDef)) and not n.name.startswith("_")]
        bare += [f"{path}:{node.lineno} {node.name}" for node in public if not ast.get_docstring(node)]
    assert bare == []


# -- importing --------------------------------------------------------------------------------------------------


def test_importing_the_root_loads_no_library():
    loaded = set(run_python("import iwax, sys; print(*sys.modules)").split())
    assert loaded & {"jax", "numpy", "equinox", "scipy", "matplotlib"} == set()


def test_the_root_has_what_the_page_of_modules_lists():
    page = (ROOT / "docs" / "reference" / "modules.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   iwax\.([a-z_]+)", page, re.MULTILINE))
    own = set(re.findall(r"`iwax\.(\w+)`", page))
    assert {"__version__", *listed, *own} == set(iwax.__all__)
    found = {getattr(iwax, name).__name__ for name in iwax.__all__ if name[0] != "_"}
    assert found == {f"iwax.{name}" for name in listed} | own
    with pytest.raises(AttributeError, match="iwax has no 'nonsense'; it has Datum, batched"):
        iwax.nonsense  # noqa: B018


def test_the_command_line_answers_without_jax():
    """And so does every verb, until it is called: what it imports is postponed."""
    program = "import sys\nfrom iwax.cli import app\nfor verb in app.VERBS: app.imported(verb)\nprint(*sys.modules)"
    loaded = set(run_python(program).split())
    heavy = {"jax", "numpy", "equinox", "numpyro", "optax", "scipy", "sklearn", "matplotlib", "pydantic"}
    assert loaded & {*heavy, "iwax.data", "iwax.runs", "iwax.inference", "iwax.report"} == set()


def test_importing_everything_makes_no_array_moves_no_flag_and_finds_every_public_name():
    """The ``__init__`` of every folder has an ``__all__``, and each name in it exists."""
    inits = [path for path in SOURCES if path.endswith("__init__.py")]
    packages = [".".join(Path(path).parent.parts[1:]) for path in inits]
    program = (
        "import importlib, json, logging, jax\n"
        "flags, handlers = dict(jax.config.values), list(logging.getLogger().handlers)\n"
        f"modules = [importlib.import_module(name) for name in {packages!r}]\n"
        "state = [len(jax.live_arrays()), flags == dict(jax.config.values), handlers == logging.getLogger().handlers]\n"
        "missing = lambda m: [n for n in m.__all__ if not hasattr(m, n)] if hasattr(m, '__all__') else '__all__'\n"
        "missed = {m.__name__: missing(m) for m in modules if missing(m)}\n"
        "print(json.dumps([*state, missed]))"
    )
    assert json.loads(run_python(program)) == [0, True, True, {}]


# -- what stands beside the source ------------------------------------------------------------------------------


def requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sum(project["optional-dependencies"].values(), project["dependencies"])


def test_versions_agree():
    changelog = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert [changelog[1], citation[1]] == [iwax.__version__] * 2


def test_types_are_shipped():
    assert (SRC / "py.typed").is_file()


def test_every_dependency_is_justified():
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    justified = set(re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)) - {"package"}
    assert justified == {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in requirements()}


def test_dependencies_have_lower_bounds_and_no_upper_ones():
    pattern = re.compile(r"[a-z0-9-]+(\[[a-z]+\])?>=[0-9.]+")
    assert [requirement for requirement in requirements() if not pattern.fullmatch(requirement)] == []


# -- run folders ------------------------------------------------------------------------------------------------

OPENING = {
    "open",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
    "mkdir",
    "unlink",
    "rmdir",
    "rmtree",
    "touch",
}
MAY_OPEN = {
    "storage/enclosed.py": "is what opens below a folder",
    "storage/durable.py": "output files, which somebody named",
    "storage/lock.py": "through a folder's handle",
    "storage/checkpoint.py": "makes the folder of all checkpoints",
    "training/keeping.py": "makes the folder that somebody named",
    "runs/folder.py": "makes the folder that somebody named, and takes it away",
    "reproduction/reproduce.py": "the document of a Bayesian neural network",
    "reproduction/results.py": "results of reproductions",
    "reproduction/results_page.py": "a page of the documentation",
    "reproduction/published.py": "tables in the package",
    "runs/revision.py": "the commit of the current folder",
    "report/figures/canvas.py": "pictures, where somebody asked for them",
    "report/page/compose.py": "templates in the package",
    "cli/app.py": "the null device",
    "cli/arguments.py": "names in the package",
    "cli/self_check/files.py": "scratch folders",
    "cli/findings.py": "a folder that somebody named",
}


def test_run_folders_are_opened_in_one_place():
    """A path below a run folder is opened by its handle alone (iwax.storage.enclosed), which follows no link."""
    found = set()
    for path, tree in SOURCES.items():
        name = path.removeprefix("src/iwax/")
        if name.split("/")[0] not in ("training", "storage", "settings", "runs", "reproduction", "cli", "report"):
            continue
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        if any(getattr(call, "attr", getattr(call, "id", "")) in OPENING for call in calls):
            found.add(name)
    assert found <= set(MAY_OPEN), "open it by iwax.storage.enclosed.Enclosed"
