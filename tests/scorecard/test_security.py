"""Scorecard, security: nothing run, nothing written outside, nothing fetched, whatever somebody sends."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pytest
from oracles import chromium, hostile_files, run_folders, watched
from oracles.project_tests import named, ran

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "iwax"


# -- S1: what the source could run -----------------------------------------------------------------------------------

UNSAFE_MODULES = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "subprocess"),
    *("pty", "runpy", "code", "imp", "ctypes", "cffi", "multiprocessing", "webbrowser", "socketserver", "xmlrpc"),
}
UNSAFE_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.fork", "os.startfile", "np.fromfile"),
    *("os.execv", "os.execvp", "os.posix_spawn", "os.spawnv", "pd.read_pickle", "torch.load", "builtins.eval"),
}
# functions that import by a name that is not written beside it, and where the name comes from
WRITTEN_ELSEWHERE = {
    "cli/later.py": {"__getattr__": "the import statement that it stands for", "load": "the same"},
    "former_names.py": {"_found": "FORMER, a table of that module"},
    "formats/parquet.py": {"arrow_of": "the line above"},
}
RULES = "S102,S301,S302,S307,S310,S311,S501,S506,S602,S603,S604,S605,S606,S607,S608,S609,S701,S702"


def unsafe(tree: ast.Module, file: str = "") -> Iterator[int]:
    """Lines of what runs, or could run, something that is not the package's own."""
    reviewed = set(imports_of(tree, WRITTEN_ELSEWHERE.get(file, {})))
    for node in ast.walk(tree):
        if node in reviewed:
            continue
        if isinstance(node, ast.Import):
            names = {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]} if not node.level else set()
        else:
            names = set()
        if names & UNSAFE_MODULES or (isinstance(node, ast.Call) and unsafe_call(node)):
            yield node.lineno


def imports_of(tree: ast.Module, names: Collection[str]) -> Iterator[ast.Call]:
    """The calls of import_module in functions of these names, each of which has one at least."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in names:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            found = [call for call in calls if ast.unparse(call.func).endswith("import_module")]
            assert found, f"{function.name} imports nothing: take it off the list"
            yield from found


def unsafe_call(node: ast.Call) -> bool:
    """Whether a call runs text, or loads what may be code, or imports a name that is not written there."""
    called, words = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
    if called in UNSAFE_CALLS or words.get("allow_pickle", "False") != "False" or words.get("shell") == "True":
        return True
    return called.endswith("import_module") and not trusted(node.args[0])


def trusted(name: ast.expr) -> bool:
    """A name that is written out, or taken from a table of the module that is (`_NAMES[x]`, f"iwax.{x}" of such)."""
    if isinstance(name, ast.Constant):
        return True
    text = ast.unparse(name)
    return text.startswith(("_NAMES[", "f'iwax.", 'f"iwax.'))


PLANTED = (
    *("import pickle", "from joblib import load", "import yaml", "import subprocess", "eval('1')", "exec(x)"),
    *("np.load(f, allow_pickle=True)", "importlib.import_module(config['name'])", "os.system('ls')"),
)


@pytest.mark.scorecard("S1", "nothing in the source runs or unpickles what it reads (AST, ruff S)", "0 hits")
def test_the_source_runs_nothing(figure):
    def lines(path: Path) -> Iterator[int]:
        return unsafe(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(SRC).as_posix())

    sources = sorted(SRC.rglob("*.py"))
    hits = [f"{path}:{line}" for path in sources for line in lines(path)]
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    words = [ruff, "check", "--isolated", "--ignore", "S311", "--select", RULES, "--output-format", "concise", str(SRC)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    found = [line for line in said.stdout.splitlines() if ": S" in line]
    seen = sum(bool(list(unsafe(ast.parse(text)))) for text in PLANTED)
    figure(
        f"{len(hits)} hits in {len(sources)} files, {len(found)} of ruff's S rules; {seen} of {len(PLANTED)} planted"
    )
    assert said.returncode in (0, 1), said.stderr
    assert (hits, found, seen) == ([], [], len(PLANTED))


# -- S2: what the program does besides computing ---------------------------------------------------------------------

BY_ROWS = (
    ("evaluate", "{run}", "--k", "9"),
    ("evaluate", "{run}", "--method", "annealed", "--temperatures", "3", "--chains", "2", "--limit", "2"),
    ("report", "{run}", "-o", "{out}/page.html"),
    ("sample", "{run}", "-n", "3", "-o", "{out}/new.npy"),
    ("sample", "{run}", "-n", "3", "-o", "{out}/new.png"),
    ("reconstruct", "{run}", "-o", "{out}/back.csv"),
    ("embed", "{run}", "{rows}", "-o", "{out}/z.npy"),
    ("score", "{run}", "{rows}", "-o", "{out}/score.csv", "--k", "9"),
    ("denoise", "{run}", "-o", "{out}/clean.npy", "--k", "9"),
    ("compare", "{run}", "{run}"),
    ("diagnose", "{run}", "--limit", "3"),
    ("resume", "{run}"),
    ("train", "{rows}", *run_folders.TINY, "--epochs", "1", "--output", "{out}/more"),
    ("train", "--from", "{run}", "-c", "{run}/config.json", "--output", "{out}/from"),
    ("settings",),
    ("data", "list"),
    ("doctor",),
)
BY_TABLE = (
    ("impute", "{run}", "{rows}", "-o", "{out}/filled.csv", "--k", "9"),
    ("impute", "{run}", "{rows}", "-o", "{out}/drawn.csv", "--k", "9", "--draws", "2"),
    ("score", "{run}", "{rows}", "-o", "{out}/cells.csv", "--k", "9"),
    ("report", "{run}", "-o", "{out}/table.html"),
    ("evaluate", "{run}", "--k", "9"),
)


def trap(folder: Path) -> Path:
    """A repository whose configuration starts a program in every way that git has; the file that shows it ran."""
    folder.mkdir()
    ran, words = folder / "RAN", {"cwd": folder, "check": True, "capture_output": True}
    environment = {**os.environ, "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x"}
    environment |= {"GIT_COMMITTER_EMAIL": "x@x", "HOME": str(folder)}
    (folder / "tracked").write_text("before")
    for command in (["init", "-q"], ["add", "tracked"], ["commit", "-qm", "x"]):
        subprocess.run(["git", *command], env=environment, **words)
    (folder / "tracked").write_text("after")
    (folder / ".gitattributes").write_text("* filter=evil\n")
    start = f"touch {ran}; false"
    with (folder / ".git" / "config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "{start}"\n\tsshCommand = "{start}"\n\tpager = "{start}"\n')
        config.write(f'[filter "evil"]\n\tclean = "{start}"\n\tsmudge = "{start}"\n')
    hook = folder / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{start}\n")
    hook.chmod(0o755)
    for name in ("git", "fc-list", "uname", "lscpu"):
        (folder / name).write_text(f"#!/bin/sh\n{start}\n")
        (folder / name).chmod(0o755)
    (folder / "sitecustomize.py").write_text(f"open({str(ran)!r}, 'w')\n")
    (folder / "numpy.py").write_text(f"open({str(ran)!r}, 'w')\n")
    return ran


def golden() -> list[Path]:
    """The run folders of released versions."""
    return sorted(path.parent for path in (ROOT / "tests" / "golden").glob("*/*/config.json"))


@pytest.mark.scorecard(
    "S2",
    "audit of every verb, in a folder whose .git would start a program",
    "no program, socket, pickle, write elsewhere",
)
def test_what_verbs_do_besides_computing(program, whole, whole_table, tmp_path, figure):
    if shutil.which("git") is None:
        pytest.skip("needs git to build a repository that is a trap")
    here, out, seen, failed = tmp_path / "here", tmp_path / "out", [], []
    ran = trap(here)
    out.mkdir()
    jobs = [(run_folders.copied(whole, tmp_path / "rows"), whole.parent / "rows.npy", words) for words in BY_ROWS]
    jobs += [
        (run_folders.copied(whole_table, tmp_path / "cells"), whole_table.parent / "table.csv", w) for w in BY_TABLE
    ]
    for place, run in enumerate(golden()):
        copy = run_folders.copied(run, tmp_path / f"golden-{place}")
        jobs += [(copy, Path("none"), ("sample", "{run}", "-n", "2", "-o", f"{{out}}/golden-{place}.npy"))]
    before = run_folders.content(here)
    environment = {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "MPLCONFIGDIR": str(tmp_path / "mpl"),
    }
    for folder in environment.values():
        Path(folder).mkdir()
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    for number, (run, rows, words) in enumerate(jobs):
        log = tmp_path / f"log-{number}"
        first = watched.watched(log, run, out, *environment.values(), cache)
        done = program.iwax(
            *(word.format(run=run, rows=rows, out=out) for word in words),
            cwd=here,
            environment={**environment, "PATH": f"{here}:{os.environ['PATH']}"},
            first=first,
        )
        failed += [(words[0], done.code, done.last)] if done.code != 0 else []
        seen += [(words[0], *event) for event in watched.events(log)]
        seen += [(words[0], "a program of the folder ran", "")] if ran.exists() else []
        ran.unlink(missing_ok=True)
    control = tmp_path / "control"
    program.python("import os; os.system('true'); open('/dev/full', 'w')", first=watched.watched(control))
    figure(f"{len(jobs)} calls of {len({words[0] for _, _, words in jobs})} verbs: {len(seen)} events{named(seen)}")
    assert len(watched.events(control)) == 2, "the watch sees nothing"
    assert failed == []
    assert seen == []
    assert run_folders.content(here) == before


# -- S3: files and folders that somebody sent -------------------------------------------------------------------------

OPEN = {
    "data": "data.load(path)",
    "model": "iwax.load(path)",
    "config": "runs.from_sources(file=path)",
}
OPENS = """
import json
from pathlib import Path
import iwax
from iwax import data, runs
from iwax.cli.failure import exit_code, one_line
path = Path({path!r})
try:
    {call}
    print(json.dumps([0, "opened"]))
except BaseException as error:
    print(json.dumps([exit_code(error), one_line(error)]))
"""
MOST_SECONDS, MOST_MEGABYTES = 1.0, 300
ROOM = {"RLIMIT_AS": 12 << 30}  # a bomb that goes off ends its own process, not the machine


@pytest.mark.scorecard(
    "S3", "hostile files opened as data, model, configuration", "0 executions, 0 writes, each <= 1 s and <= 300 MB"
)
def test_hostile_files(program, tmp_path, figure):
    files, ran = tmp_path / "files", tmp_path / "ran"
    files.mkdir()
    corpus = hostile_files.corpus(files, ran)
    before = run_folders.content(files)
    wrong, most, longest = [], 0.0, 0.0
    for number, (name, path, kind) in enumerate(corpus):
        log = tmp_path / f"log-{number}"
        text = OPENS.format(path=str(path), call=OPEN[kind])
        done = program.python(text, first=watched.watched(log, tmp_path / "none"), limits=ROOM, cwd=files, patience=20)
        code, said = json.loads(done.out) if done.out else (done.code, done.last)
        most, longest = max(most, done.megabytes), max(longest, done.cpu)
        harm = watched.events(log) or ran.exists() or code not in (0, 2, 3) or "\n" in said or len(said) > 1000
        if harm or done.cpu > MOST_SECONDS or done.megabytes > MOST_MEGABYTES or done.seconds > 19:
            wrong.append((name, code, said[:200], round(done.cpu, 1), round(done.megabytes), watched.events(log)))
    figure(
        f"{len(corpus) - len(wrong)} of {len(corpus)} files do no harm, the worst {longest:.1f} s and {most:.0f} MB"
        f"{named(wrong)}"
    )
    assert wrong == []
    assert len(corpus) >= 40
    assert run_folders.content(files) == before


LINKS = (  # what of a run folder leads elsewhere, and whether that is a folder
    *(("run.lock", False), ("log.txt", False), ("metrics.jsonl", False), ("timing.jsonl", False)),
    *(("evaluation", True), ("checkpoints", True), ("samples", True), ("report.html", False), ("{step}", True)),
    ("{step}/model.safetensors", False),
)
VERBS = (
    ("resume", "{run}"),
    ("evaluate", "{run}", "--k", "9"),
    ("report", "{run}", "--force"),
    ("sample", "{run}", "-n", "3", "--force", "-o", "{out}/x.npy"),
    ("diagnose", "{run}", "--limit", "2"),
)


def linked(run: Path, name: str, outside: Path, *, folder: bool) -> None:
    """Put what a run folder has under this name outside, with a link in its place."""
    place, there = run / name, outside / "private"
    if place.exists():
        shutil.move(place, there)
    elif folder:
        there.mkdir()
    if not there.exists():
        there.write_text("what somebody has written for years\n")
    place.symlink_to(there)


@pytest.mark.scorecard(
    "S3", "hostile files opened as data, model, configuration", "0 executions, 0 writes, each <= 1 s and <= 300 MB"
)
def test_links_in_a_run_folder(program, whole, tmp_path, figure):
    out, harmed, traced, step = tmp_path / "out", [], [], sorted((whole / "checkpoints").iterdir())[-1].name
    out.mkdir()
    for verb, *words in VERBS:
        for name, folder in LINKS:
            run, outside = run_folders.copied(whole, tmp_path / "run"), tmp_path / "outside"
            shutil.rmtree(outside, ignore_errors=True)
            outside.mkdir()
            linked(run, name.format(step=f"checkpoints/{step}"), outside, folder=folder)
            before = run_folders.content(outside)
            done = program.iwax(verb, *(word.format(run=run, out=out) for word in words), "--quiet", cwd=tmp_path)
            harmed += [(verb, name, done.code, done.last)] if run_folders.content(outside) != before else []
            traced += [(verb, name, done.last)] if done.code not in (0, 2, 3) else []
    count = len(VERBS) * len(LINKS)
    figure(f"{count - len(harmed)} of {count} verbs on folders with links write nothing outside{named(harmed)}")
    assert harmed == []
    assert traced == []


@pytest.mark.scorecard(
    "S3", "hostile files opened as data, model, configuration", "0 executions, 0 writes, each <= 1 s and <= 300 MB"
)
def test_a_run_folder_that_names_what_is_private(program, tmp_path, figure):
    """A sent folder names a path of the reader's, where other rows lie than those it was trained on, or a pipe."""
    rows = run_folders.binary_rows(tmp_path)
    run = run_folders.trained(program, rows, tmp_path / "run", epochs=1)
    private = np.random.default_rng(9).integers(0, 2, (77, 6), np.uint8)
    read = []
    for kind in ("other rows", "a pipe"):
        rows.unlink()
        np.save(rows, private) if kind == "other rows" else os.mkfifo(rows)
        for verb, *words in (("report", "{run}", "-o", "{out}"), ("evaluate", "{run}"), ("diagnose", "{run}")):
            out = tmp_path / f"{kind}.html"
            done = program.iwax(verb, *(word.format(run=run, out=out) for word in words), "--quiet", patience=30)
            reported = out.exists() and "77" in out.read_text(errors="replace") and done.code == 0
            read += [(kind, verb, done.code, done.last)] if done.code not in (0, 2, 3) or reported else []
            read += [(kind, verb, "evaluated")] if verb == "evaluate" and done.code == 0 else []
    figure(f"{6 - len(read)} of 6 verbs do not read what a sent folder names")
    assert read == []


# -- S4: a configuration is data ---------------------------------------------------------------------------------------

HUNGRY = {  # what asks for memory in parts other than the plain networks
    "full Gaussian": ("model.posterior=full_gaussian", "model.latent=65536"),
    "mixture posterior": ("model.posterior=mixture", "model.latent=65536", "model.posterior_components=65536"),
    "Sylvester flow": ("model.posterior=sylvester", "model.latent=65536", "model.posterior_components=60000"),
    "inverse autoregressive flow": ("model.posterior=iaf", "model.latent=65536", "model.flow_hidden=[65536]"),
    "its many steps": ("model.posterior=iaf", "model.latent=20000", "model.posterior_steps=1000"),
    "convex combination": (
        "model.posterior=convex_linear_iaf", "model.latent=65536", "model.posterior_components=65536",
    ),
    "planar flow": ("model.posterior=planar", "model.latent=65536", "model.posterior_steps=1000",
                    "model.flow_hidden=[65536]", "model.hidden=[15000]"),
    "coupling flow": ("model.posterior=real_nvp", "model.latent=65536", "model.flow_hidden=[65536,65536]"),
    "flow prior": ("model.prior=flow", "model.latent=65536", "model.flow_hidden=[65536]", "model.prior_steps=1000"),
    "mixture prior": ("model.prior=mixture", "model.latent=65536", "model.prior_components=65536"),
    "VampPrior": ("model.prior=vamp", "model.prior_components=65536", "model.hidden=[1]"),
    "memory": ("model.memory=[65536,65536]", "model.hidden=[15000,15000]", "model.activation=relu"),
}  # fmt: skip
HOSTILE = (
    *("objective.kk=3", "epochs=3", "__class__=x", "objective.__class__=x", "model.__init__=x", "_target_=os.system"),
    *("model.class_path=os.system", "constructor=x", "model.posterior=../gaussian", "model.posterior=os.system"),
    *("model.activation=__import__('os')", "model.likelihood=poison", "objective.bound=iwea", "model.latent=0"),
    *("model.latent=65537", "model.latent=1e9", "model.latent=" + "9" * 5000, "model.hidden=[0]", "model.kernel=1000"),
    *("model.hidden=[" + ",".join(["1"] * 65) + "]", "model.hidden=[" + ",".join(["65536"] * 64) + "]"),
    *("model.hidden=" + "[" * 10_000, "objective.k=0", "objective.k=10000001", "training.batch=10000000000"),
    *("training.learning_rate=inf", "training.epochs=" + "9" * 30, "seed=18446744073709551616", "data.name=a\0b"),
    *("model.posterior_steps=1000000", "evaluation.k=1000000000000", "training.keep=100000", "precision=16", "=3"),
)
NEAREST = {
    "objective.kk=3": "objective.k", "epochs=3": "training.epochs", "model.likelihood=poison": "poisson",
    "objective.bound=iwea": "iwae",
}  # fmt: skip
CONFIGURED = """
import json
from iwax import runs
from iwax.cli.failure import exit_code, one_line
try:
    runs.from_sources(sets=[{setting!r}])
    print(json.dumps([0, "taken"]))
except BaseException as error:
    print(json.dumps([exit_code(error), one_line(error)]))
"""


@pytest.mark.scorecard(
    "S4",
    "12 configurations that ask for memory, 34 hostile ones",
    "all refused before allocation, the nearest name said",
)
def test_hostile_configurations(program, tmp_path, figure):
    rows, wrong, most = tmp_path / "rows.npy", [], 0.0
    np.save(rows, np.random.default_rng(0).integers(0, 2, (10, 100_000), np.uint8))
    for place, (name, settings) in enumerate(HUNGRY.items()):
        sets = [word for setting in settings for word in ("--set", setting)]
        words = ("train", rows, *sets, "--set", "objective.k=1", "--output", tmp_path / f"run-{place}", "--quiet")
        done = program.iwax(*words, limits=ROOM, patience=30, cwd=tmp_path)
        most = max(most, done.megabytes)
        refused = done.code == 2 and len(done.err.splitlines()) == 1 and "IWAX_MEMORY_LIMIT" in done.err
        refused |= done.code == 2 and "at most" in done.err
        left = (tmp_path / f"run-{place}").exists()
        if not refused or done.megabytes > 400 or done.cpu > 10 or left:
            wrong.append((name, done.code, done.last[:300], round(done.megabytes), round(done.cpu, 1), left))
    hungry = len(HUNGRY) - len(wrong)
    for setting in HOSTILE:
        done = program.python(CONFIGURED.format(setting=setting), limits=ROOM, patience=20)
        most = max(most, done.megabytes)
        code, said = json.loads(done.out) if done.out else (done.code, done.last)
        near = NEAREST.get(setting, "") in said
        if code != 2 or "\n" in said or len(said) > 600 or done.megabytes > MOST_MEGABYTES or not near:
            wrong.append((setting[:60], code, said[:300], round(done.megabytes)))
    count = len(HUNGRY) + len(HOSTILE)
    figure(
        f"{hungry} of {len(HUNGRY)} that ask for memory, {count - len(wrong) - hungry} of {len(HOSTILE)} hostile ones "
        f"refused, with {most:.0f} MB at most{named(wrong)}"
    )
    assert wrong == []


# -- S5: fuzzing guided by coverage ------------------------------------------------------------------------------------

FUZZ = ROOT / "tests" / "fuzz" / "run.py"
TARGETS = ("checkpoint", "config", "csv", "npz")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.scorecard(
    "S5", "Atheris, guided by coverage, on loader, configuration, CSV and npz, 60 s each", "typed errors"
)
def test_fuzzing(target, figure):
    if not FUZZ.is_file():
        pytest.skip("there is no script that fuzzes")
    python = os.environ.get("IWAX_ATHERIS", sys.executable)  # Atheris may live in an environment of its own
    if subprocess.run([python, "-c", "import atheris"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs Atheris: pip install atheris, or its Python in IWAX_ATHERIS")
    names = sorted(path.name for path in (FUZZ.parent / "corpus").iterdir() if path.name.startswith(target))
    words = [python, str(FUZZ), "--seconds", str(60 // len(names)), *names]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=280)
    reported = [" ".join(line.split()) for line in done.stdout.splitlines() if re.match(r"\S+ +(held|BROKEN)", line)]
    figure("; ".join(reported))
    assert done.returncode == 0, done.stdout[-2000:]


# -- S6: the page of a report in a browser -----------------------------------------------------------------------------

PAYLOADS = (
    "<img src=x onerror=window.RAN=1>",
    "</script><script>window.RAN=1</script>",
    "'><svg onload=window.RAN=1>",
    "javascript:window.RAN=1",
    "<iframe src=https://example.org>",
    "{{7*7}}${{window.RAN=1}}",
    "--><base href=https://example.org>",
)
QUESTIONS = {  # in the browser: each must be false, or nothing
    "a payload ran": "window.RAN",
    "a handler in markup": (
        "[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => /^on/i.test(a.name)))"
    ),
    "a script from elsewhere": "document.querySelectorAll('script[src]').length",
    "a frame or an object": "document.querySelectorAll('iframe, frame, object, embed, portal').length",
    "a form": "document.querySelectorAll('form').length",
    "a file to be uploaded": "document.querySelectorAll('input[type=file]').length",
    "a base": "document.querySelectorAll('base').length",
    "a style or icon from elsewhere": "document.querySelectorAll('link[href]:not([href^=data])').length",
    "a refresh": "document.querySelectorAll('meta[http-equiv=refresh i]').length",
    "a link that is a program": "[...document.links].some(a => !/^(https?:|#|file:|data:)/.test(a.href))",
    "a picture from elsewhere": "[...document.images].some(i => !i.src.startsWith('data:'))",
    "a cookie": "document.cookie",
    "something stored": "(() => {try {return localStorage.length} catch (e) {return 0}})()",
    "a worker": "navigator.serviceWorker && navigator.serviceWorker.controller",
    "another page opened it": "window.opener",
}
SPELLS = (
    r"\beval\(|new Function|document\.write|\.innerHTML|\.outerHTML|insertAdjacentHTML|importScripts|\bfetch\("
    "|XMLHttp|WebSocket|sendBeacon"
)


def hostile_table(folder: Path) -> Path:
    """A table whose columns and levels are markup."""
    path, lines = folder / "<img src=x onerror=window.RAN=1>.csv", []
    names = (*(f"{payload} of a column" for payload in PAYLOADS[:3]), "count")
    lines.append(",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names))
    for row in range(60):
        cells = [PAYLOADS[row % 2 + 3], PAYLOADS[row % 3], f"{row * 0.37 % 5:.2f}", str(row % 7)]
        lines.append(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.scorecard("S6", "a report of hostile names, in Chromium: 20 questions", "0 requests, 0 findings")
def test_the_page_in_a_browser(program, tmp_path, figure):
    if chromium.program() is None:
        pytest.skip("needs chromium")
    run = tmp_path / "<img src=x onerror=window.RAN=1>"
    run_folders.trained(program, hostile_table(tmp_path), run, epochs=1)
    log, page = tmp_path / "log", tmp_path / "page.html"
    done = program.iwax("report", run, "-o", page, first=watched.watched(log, tmp_path, "/tmp"))
    assert done.code == 0, done.err
    text = page.read_text(encoding="utf-8")
    with chromium.Page(page.as_uri()) as browser:
        wrong = [name for name, question in QUESTIONS.items() if browser.value(question)]
        policy = browser.value("document.querySelector('meta[http-equiv=Content-Security-Policy i]')?.content || ''")
        shown = browser.value("document.body.innerText")
        asked = [each for each in browser.requests if not each.startswith("data:") and each != page.as_uri()]
        complaints = browser.complaints
    scripts = "".join(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
    own = {
        "no policy that forbids the rest": "default-src 'none'" not in policy or "unsafe-eval" in policy,
        "something asked for": bool(asked),
        "the console complains": bool(complaints),
        "a script that writes markup or sends": bool(re.search(SPELLS, scripts)),
        "a socket, or a program, while it was made": bool([e for e in watched.events(log) if "socket" in e[0]]),
    }
    wrong += [name for name, found in own.items() if found]
    figure(
        f"{len(asked)} requests; {len(QUESTIONS) + len(own) - len(wrong)} of {len(QUESTIONS) + len(own)} questions"
        f"{named([(each,) for each in wrong])}"
    )
    assert PAYLOADS[0] in shown
    assert (wrong, asked, complaints) == ([], [], [])


# -- S7: where the code comes from -------------------------------------------------------------------------------------

OFFLINE = """
import importlib, pkgutil, socket, sys
def refuse(*arguments, **words):
    raise RuntimeError("a socket was opened at import")
for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
    setattr(socket, name, refuse if name != "socket" else type("Refused", (socket.socket,), {"__init__": refuse}))
import iwax
names = [each.name for each in pkgutil.walk_packages(iwax.__path__, "iwax.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
ENTRY = re.compile(
    r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+(?: ; [^\n]+?)?((?: --hash=sha256:[0-9a-f]{64})+)$", re.IGNORECASE
)
MOST_DEPENDENCIES = 18


@pytest.mark.scorecard(
    "S7", "a lock with hashes of all that is installed; imports with no socket", "lock verifies, nothing is opened"
)
def test_where_the_code_comes_from(figure):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", OFFLINE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    lock = ROOT / "requirements" / "ci.txt"
    assert lock.is_file(), "there is no lock"
    text = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE))
    entries = [line for line in text.splitlines() if line.strip()]
    bare = [line[:60] for line in entries if not ENTRY.match(line)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    counts, said = ran("tests/unit/house/test_lock.py")
    figure(
        f"{len(entries)} packages locked, each with a SHA-256; {len(project['dependencies'])} direct dependencies; "
        f"{done.stdout.strip()} modules import without a socket; {counts['passed']} tests of the lock"
    )
    assert bare == []
    assert len(project["dependencies"]) <= MOST_DEPENDENCIES
    assert "seven days" in (ROOT / ".ci" / "lock").read_text()
    assert counts["passed"] >= 2, said
    assert counts["failed"] + counts["error"] == 0, said
