"""No verb starts a program, opens a connection or unpickles, in a folder whose settings ask for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iwax.cli import app
from iwax.runs.revision import commit

WATCHED = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "os.forkpty",
    "pty.spawn", "pickle.find_class", "socket.connect", "socket.getaddrinfo", "webbrowser.open",
)  # fmt: skip

TINY = "--set model.latent=2 --set model.hidden=[4] --set evaluation.k=5 --epochs 1"
VERBS = [
    f"train x.npy --output r {TINY}",
    f"train t.csv --output t {TINY}",
    f"train g.csv --preset graph --output g {TINY}",
    "links g --top 2 -o l.csv",
    "resume r",
    "verify r",
    "evaluate r --k 5",
    "diagnose r --k 5 --repeats 40 --limit 4",
    "sample r -o s.csv",
    "sample r -o s.png",
    "reconstruct r x.npy -o q.npy",
    "embed r x.npy -o e.npy",
    "impute t t.csv --k 5 -o f.csv",
    "denoise r x.npy --flips 0.1 -o d.npy",
    "score r x.npy --k 5 -o c.csv",
    "compare r r",
    "report r -o p.html",
    "bnn curve --epochs 1 --hidden 4 --output b",
    "reproduce",
    "settings",
    "doctor",
    "completion bash",
    "data list",
    "data info digits",
    "data get digits",
]
LONG = {  # to compile; what they import is imported all the same
    *("resume", "evaluate", "diagnose", "reconstruct", "embed", "impute", "denoise", "score", "bnn", "report"),
    f"train t.csv --output t {TINY}",
    f"train g.csv --preset graph --output g {TINY}",
    *("sample r -o s.csv", "links"),
}

# the same words in a new interpreter, so that imports count too
PROGRAM = """
import json, os, sys, traceback
os.environ["JAX_PLATFORMS"] = "cpu"
watched, verbs = json.loads(sys.argv[1])
seen, words = [], []
def hook(event, given):
    if event in watched:
        seen.append([" ".join(words), event, repr(given)[:200], [str(f) for f in traceback.extract_stack()[-4:-1]]])
sys.addaudithook(hook)
from iwax.cli import main
codes = {}
for words in verbs:
    sys.argv = ["iwax", *words]
    try:
        main()
    except SystemExit as left:
        codes[" ".join(words)] = left.code or 0
import importlib, pkgutil
import iwax
for module in pkgutil.walk_packages(iwax.__path__, "iwax."):
    importlib.import_module(module.name)
json.dump({"seen": seen, "codes": codes}, open("found.json", "w"))
"""


def hostile(folder: Path) -> Path:
    """A repository, Matplotlib's settings and programs of usual names, all of which leave a mark; the mark."""
    mark = folder / "STARTED"
    program = folder / "programs"
    program.mkdir()
    for name in ("git", "fc-list", "latex", "dvipng", "system_profiler", "uname", "nvidia-smi", "lscpu"):
        (program / name).write_text(f"#!/bin/sh\necho {name} >> {mark}\n")
        (program / name).chmod(0o755)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "x.txt").write_text("tracked")
    words = ["-c", "user.name=n", "-c", "user.email=e@x.org"]
    subprocess.run(["git", "-C", str(folder), "add", "x.txt"], check=True)
    subprocess.run(["git", "-C", str(folder), *words, "commit", "-qm", "one"], check=True)
    (folder / "x.txt").write_text("changed")
    starts = f"touch {mark}; false"
    with (folder / ".git" / "config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "{starts}"\n\tpager = "{starts}"\n\tsshCommand = "{starts}"\n')
        config.write(f'\thooksPath = {program}\n[filter "f"]\n\tclean = "{starts}"\n\tsmudge = "{starts}"\n')
        config.write(f'[alias]\n\trev-parse = "!{starts}"\n\tstatus = "!{starts}"\n[diff]\n\texternal = "{starts}"\n')
    (folder / ".gitattributes").write_text("* filter=f\n")
    (folder / "matplotlibrc").write_text("text.usetex: True\nbackend: module://nonsense\n")
    return mark


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_verb_starts_a_program(tmp_path, long):
    mark = hostile(tmp_path)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", (rng.random((60, 6)) < 0.5).astype(np.float32))
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in rng.normal(size=(60, 2)))
    (tmp_path / "t.csv").write_text(f"a,b\n{rows}1.0,\n")
    (tmp_path / "g.csv").write_text("".join(f"n{i},n{j}\n" for i in range(12) for j in range(i) if (i * j) % 3 == 0))
    verbs = [words.split() for words in VERBS if long or not {words, words.split()[0]} & LONG]
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLCONFIGDIR", "MPL_IGNORE_SYSTEM_FONTS")}
    environment |= {"PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([WATCHED, verbs])],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["seen"] == []
    assert {words: code for words, code in found["codes"].items() if code} == {}, done.stderr
    assert not mark.exists()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True)
    written = json.loads((tmp_path / "r" / "env.json").read_text())
    assert written["git"] == {"commit": head.stdout.strip()}


def test_every_verb_is_among_them():
    assert set(app.VERBS) == {words.split()[0] for words in VERBS}


# -- the commit, read and not asked for ---------------------------------------------------------------------------

ONE, TWO = "1" * 40, "2" * 40


def repository(folder: Path, head: str, **files: str) -> Path:
    (folder / ".git").mkdir(parents=True)
    for name, text in {"HEAD": head, **files}.items():
        file = folder / ".git" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("head", "files", "expected"),
    [
        (ONE, {}, ONE),
        (f"{ONE}\n", {}, ONE),
        ("a" * 64, {}, "a" * 64),
        ("ref: refs/heads/main\n", {"refs/heads/main": f"{ONE}\n"}, ONE),
        ("ref: refs/heads/a/b-c.d", {"refs/heads/a/b-c.d": ONE}, ONE),
        ("ref: refs/heads/main", {"packed-refs": f"# pack\n{TWO} refs/heads/b\n{ONE} refs/heads/main\n^{TWO}"}, ONE),
        ("ref: refs/heads/main", {"refs/heads/main": ONE, "packed-refs": f"{TWO} refs/heads/main\n"}, ONE),
        ("ref: refs/heads/x", {"refs/heads/x": "ref: refs/heads/y", "refs/heads/y": ONE}, ONE),
        ("ref: refs/heads/x", {"refs/heads/x": "ref: refs/heads/x"}, None),  # a circle
        ("ref: refs/heads/main", {}, None),  # nothing committed yet
        ("ref: refs/../../secret", {"../secret": ONE}, None),
        ("ref: refs/heads/../../../secret", {"../secret": ONE}, None),
        ("ref: ../secret", {"../secret": ONE}, None),
        ("ref: /etc/passwd", {}, None),
        ("ref: refs//etc/passwd", {}, None),
        ("ref: refs/heads/x.lock", {"refs/heads/x.lock": ONE}, None),
        ("ref: refs/heads/.invalid", {"refs/heads/.invalid": ONE}, None),
        ("ref: refs/heads/main", {"refs/heads/main": "no commit, but words of a private file"}, None),
        ("", {}, None),
        (ONE[:39], {}, None),
        (f"{ONE} and more", {}, None),
        (ONE + "x" * 5000, {}, None),
    ],
)  # fmt: skip
def test_the_commit_of_a_folder(tmp_path, head, files, expected):
    folder = repository(tmp_path / "a", head, **files)
    (folder / "below").mkdir()
    assert commit(folder / "below") == expected


def test_a_worktree_and_a_submodule_say_where_their_commit_is(tmp_path):
    main = repository(tmp_path / "main", ONE, **{"refs/heads/side": TWO})
    own = main / ".git" / "worktrees" / "side"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/side\n")
    (own / "commondir").write_text("../..\n")
    side = tmp_path / "side"
    side.mkdir()
    (side / ".git").write_text(f"gitdir: {own}\n")
    assert commit(side) == TWO
    (side / ".git").write_text("gitdir: ../main/.git\n")
    assert commit(side) == ONE
    for text in ("gitdir: //elsewhere/share", "gitdir:", "nonsense", "gitdir: ../none", "gitdir: \0"):
        (side / ".git").write_text(text)
        assert commit(side) is None


def test_links_pipes_and_folders_in_the_place_of_a_ref_are_not_read(tmp_path):
    (tmp_path / "secret").write_text(ONE)
    folder = repository(tmp_path / "a", "ref: refs/heads/main")
    ref = folder / ".git" / "refs" / "heads" / "main"
    ref.parent.mkdir(parents=True)
    ref.symlink_to(tmp_path / "secret")
    assert commit(folder) is None
    ref.unlink()
    os.mkfifo(ref)
    assert commit(folder) is None  # and does not wait for a writer
    ref.unlink()
    ref.mkdir()
    assert commit(folder) is None
