"""The command line: verbs, switches, exit codes, and what goes to which stream."""

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import typer
from jax.errors import JaxRuntimeError

from iwax.cli import failure, main, output
from iwax.cli.app import VERBS, app
from iwax.data.fetch import ChecksumError, UnavailableError
from iwax.runs import export
from iwax.runs.interrupt import Interrupted
from iwax.storage import strict_json
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.training.loop import NumericalStop


@pytest.fixture
def iwax(capsys):
    """Run the program in this process: its exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return run


def program(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from iwax.cli import main; main()", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )


def test_help_names_every_verb(iwax):
    code, out, err = iwax("--help")
    assert code == 0
    assert not err
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(iwax, verb):
    code, out, err = iwax(verb, "--help")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) > 5


def examples(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every verb by its words, and what its help gives as an example; of a group, what its verbs give."""
    for name in getattr(command, "commands", {}):
        context = command.make_context("iwax", [], resilient_parsing=True)
        _, verb, _ = command.resolve_command(context, [name])
        yield from examples(verb, (*words, name))
    if not hasattr(command, "commands"):
        yield " ".join(words), re.findall(r"^Example: iwax (.+)$", command.help, re.MULTILINE)


def helps(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Every verb by its words, its line in a list of verbs, and its help; of a group, those of its verbs too."""
    for name in getattr(command, "commands", {}):
        context = command.make_context("iwax", [], resilient_parsing=True)
        _, verb, _ = command.resolve_command(context, [name])
        listed = command.commands[name].get_short_help_str(200)
        yield " ".join((*words, name)), listed, verb.get_help(verb.make_context(name, [], resilient_parsing=True))
        yield from helps(verb, (*words, name))


IMPERATIVE = re.compile(
    r"(Check|Compare|Compute|Continue|Describe|Draw|Estimate|Fill|Find|Get|Give|Have|Infer|List|Measure|Pass|Print"
    r"|Reproduce|Restore|Show|Train|Write)\b"
)


@pytest.mark.parametrize(
    ("verb", "listed", "text"), list(helps(typer.main.get_command(app))), ids=lambda each: each[:9]
)
def test_help_begins_with_a_verb_and_says_a_default_once(verb, listed, text):
    headline = next(line for line in text.splitlines()[1:] if line.strip())
    assert IMPERATIVE.match(listed)
    assert IMPERATIVE.match(headline.strip())
    assert re.findall(r"\((\S+)\)\.?\s+\[default:\s+\1\]", text) == []


@pytest.mark.parametrize(("verb", "given"), list(examples(typer.main.get_command(app))), ids=str)
def test_the_example_of_a_verb_can_be_typed(verb, given):
    """One line of its help is a command line of that verb, short enough to stand on one line."""
    (line,) = given
    assert len(f"  Example: iwax {line}") <= 80
    command: Any = typer.main.get_command(app)
    words, context = shlex.split(line), None
    assert line.startswith(verb)
    while hasattr(command, "commands"):
        context = command.make_context("iwax", [], parent=context, resilient_parsing=True)
        name, command, words = command.resolve_command(context, words)
    command.make_context(name, words, parent=context)


def test_help_loads_no_array_library():
    code = (
        "import sys; from iwax.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('jax', 'numpy', 'pydantic', 'scipy', 'equinox', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_postponed_module_is_the_module_and_hinders_no_import():
    code = (
        "import sys; from iwax.cli.later import later\n"
        "with later(): from iwax import inference; from iwax.runs import export\n"
        "assert not {'jax', 'iwax.inference', 'iwax.runs'} & set(sys.modules)\n"
        "from iwax.inference.score_table import score_table\n"
        "from iwax import runs\n"
        "assert inference.score_table is score_table and export.write is runs.export.write\n"
        "try: inference.nonsense\n"
        "except AttributeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'iwax.inference' has no attribute 'nonsense'\n"


def test_no_words_at_all_say_what_to_type_first(iwax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = iwax()
    assert code == 0
    typed = [line.split()[1] for line in out.splitlines() if line.startswith("  iwax ")]
    assert typed[:2] == ["train", "report"]
    assert set(typed) <= set(VERBS)
    assert max(len(line) for line in out.splitlines()) <= 120
    for name in ("older", "newer"):
        (tmp_path / "runs" / name / "evaluation").mkdir(parents=True)
        (tmp_path / "runs" / name / "evaluation" / "test.json").touch()
    (tmp_path / "runs" / "under way").mkdir()
    os.utime(tmp_path / "runs" / "older", (1, 1))
    assert "iwax report runs/newer " in iwax()[1]


def test_no_words_and_json(iwax):
    code, out, _ = iwax("--json")
    assert (code, set(json.loads(out)["verbs"])) == (0, set(VERBS))


def test_version(iwax):
    code, out, _ = iwax("--version")
    assert code == 0
    assert out.split()[0] == "iwax"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("trian",), "train"),
        (("train", "--epoch", "3"), "--epochs"),
        (("train", "--epochs", "three"), "three"),
        (("evaluate",), "RUN"),
        (("data", "lst"), "list"),
        (("sample", "run", "-n", "1.5"), "1.5"),
    ],
)
def test_wrong_usage_is_one_line_and_2(iwax, words, hint):
    code, out, err = iwax(*words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert hint in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("x"), 2),
        (TypeError("x"), 2),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2),
        (MemoryError(), 2),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4 bytes."), 2),
        (JaxRuntimeError("INTERNAL: x"), 1),
        (typer.BadParameter("x"), 2),
        (UnavailableError("x"), 3),
        (ChecksumError("x"), 3),
        (CorruptCheckpointError("model.safetensors", None, "an array", "nothing"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 3),
        (OSError(errno.EFBIG, "File too large", "x"), 3),
        (NumericalStop(12, "the loss"), 4),
        (KeyboardInterrupt(), 130),
        (Interrupted(signal.SIGINT, 3, "run"), 130),
        (Interrupted(signal.SIGTERM, 3, "run"), 143),
        (RuntimeError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_error_has_its_exit_code_and_one_line(error, code):
    assert failure.exit_code(error) == code
    assert len(failure.one_line(error).splitlines()) == 1


@pytest.mark.slow
def test_a_numerical_stop_is_measured_at_its_best_checkpoint(iwax, tmp_path):
    """Why it stopped is a warning and the exit code; the last line is the result, and its number is shown before."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    sets = ("training.learning_rate=10", "training.schedule=constant", "model.hidden=[4]", "evaluation.k=5")
    words = [word for each in sets for word in ("--set", each)]
    run = tmp_path / "run"
    code, out, err = iwax("train", tmp_path / "x.npy", *words, "--epochs", 400, "--output", run)
    assert code == 4
    assert out.splitlines()[-1].startswith("test log p(x) = ")
    warning = next(line for line in err.splitlines() if line.startswith("warning: training stopped at step "))
    assert warning.endswith("; measured is the best checkpoint that there is")
    assert err.index("measured    log p(x) = ") < err.index("picture     ")
    (stopped,) = [path for path in (run / "checkpoints").iterdir() if path.name != "step-0"]
    assert f" at step {stopped.name.removeprefix('step-')}: " in warning
    code, out, _ = iwax("resume", run, "--json")
    assert code == 4
    assert json.loads(out)["stopped"] in warning


def test_memory_of_a_device_is_memory():
    message = failure.one_line(JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4 bytes."))
    assert message.startswith("not enough memory: ")
    assert message.endswith("; ask for less at once")


def test_an_error_of_several_lines_becomes_one():
    assert failure.one_line(ValueError("k must be\n  1 or more")) == "k must be 1 or more"


def test_debug_shows_the_traceback_and_nothing_else_does(iwax):
    for words in (("--debug", "data", "info", "mnst"), ("data", "info", "mnst", "--debug")):
        code, _, err = iwax(*words)
        assert code == 2
        assert "Traceback" in err
    assert "Traceback" not in iwax("data", "info", "mnst")[2]


def test_json_may_stand_before_or_after_the_verb(iwax):
    before, after = iwax("--json", "data", "list"), iwax("data", "list", "--json")
    assert before == after
    names = [entry["name"] for entry in json.loads(after[1])]
    assert {"digits", "mnist", "mnist-static"} <= set(names)


def test_data_info_tells_the_protocol(iwax):
    code, out, _ = iwax("data", "info", "mnist", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["name"] == "mnist-dynamic-burda"
    assert "redrawn at every access" in facts["protocol"]


def test_data_get_says_what_it_got(iwax):
    code, out, err = iwax("data", "get", "digits")
    assert (code, out) == (0, "")  # a path a line, and digits are in scikit-learn
    assert "digits needs no files" in err
    assert iwax("data", "get", "digits", "--quiet")[2] == ""


def test_data_get_prints_where_the_files_lie(iwax, iwax_data):
    code, out, _ = iwax("data", "get", "mnist")
    assert code == 0
    assert len(out.splitlines()) == 4
    assert all(line.startswith(str(iwax_data)) for line in out.splitlines())


def test_reproduce_lists_tables_then_rows(iwax):
    code, out, _ = iwax("reproduce")
    assert code == 0
    assert "burda2016" in out
    assert "arXiv:1509.00519" in out
    code, out, _ = iwax("reproduce", "burda2016")
    assert code == 0
    assert "mnist-1-iwae-k5" in out
    (line,) = [line for line in out.splitlines() if "omniglot-rebuilt-1-vae-k1 " in line]
    assert "-108.11" in line
    assert "other data (rebuilt)" in line


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error():
    words = [sys.executable, "-c", "from iwax.cli import main; main()", "data", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(60) == 0


def test_an_option_is_known_by_its_former_name_which_warns(capsys):
    for words in (["--sweeps", "-1"], ["--sweeps=-1"]):
        with pytest.raises(SystemExit):
            main(["impute", "run", "rows.npy", *words])
        first, second = capsys.readouterr().err.splitlines()
        assert first == "warning: --sweeps is now --iterations"
        assert "--iterations must be 0 or more" in second


def test_no_colour_without_a_terminal(iwax, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, err = iwax("reproduce")
    assert code == 0
    assert "\x1b" not in out + err


def test_json_has_no_words_for_nan():
    assert strict_json.finite({"a": [float("inf"), (1, float("nan"))]}) == {"a": [None, [1, None]]}


def test_outputs_are_refused_before_any_work(tmp_path):
    there = tmp_path / "x.npy"
    there.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="--force"):
        output.check(there, force=False)
    output.check(there, force=True)
    with pytest.raises(ValueError, match=r"\.npz"):
        output.check(tmp_path / "x.txt", force=False)
    with pytest.raises(FileNotFoundError, match="make it first"):
        output.check(tmp_path / "no" / "x.npy", force=False)
    with pytest.raises(IsADirectoryError):
        output.check(tmp_path / "..", force=False, endings=("",))


@pytest.mark.parametrize("ending", ["npy", "npz", "csv"])
def test_outputs_are_read_back_as_written(tmp_path, ending):
    z, error = np.arange(6.0).reshape(3, 2) / 7, np.ones(3)
    path = tmp_path / f"x.{ending}"
    export.write(path, {"z": z, "error": error}, main="z")
    if ending == "csv":
        assert path.read_text().splitlines()[0] == "z0,z1,error"
        np.testing.assert_allclose(np.loadtxt(path, delimiter=",", skiprows=1), np.c_[z, error], rtol=1e-8)
    elif ending == "npz":
        with np.load(path) as loaded:
            np.testing.assert_array_equal(loaded["error"], error)
    else:
        np.testing.assert_array_equal(np.load(path), z)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_settings_lists_keys_with_defaults_and_presets(iwax):
    code, out, _ = iwax("--json", "settings", "objective.k")
    assert code == 0
    assert json.loads(out)["objective.k"]["default"] == 5
    code, out, _ = iwax("--json", "settings", "--presets")
    assert json.loads(out)["iwae-2-k50"]["model.latent"] == [100, 50]
    code, _, err = iwax("settings", "nothing.like.it")
    assert (code, "no setting has 'nothing.like.it'" in err) == (2, True)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("warm", ["objective.beta_warmup", "training.warmup"]),  # in names
        ("Householder", ["model.posterior"]),  # among the values
        ("newest checkpoints", ["training.keep"]),  # in a description
        ("cosine", ["training.schedule"]),  # a default
        ("evaluation", ["evaluation.k", "evaluation.split", "evaluation.limit", "evaluation.checkpoint"]),  # a section
    ],
)
def test_settings_are_found_by_name_value_and_description(iwax, word, found):
    code, out, _ = iwax("--json", "settings", word)
    assert (code, set(found) <= json.loads(out).keys()) == (0, True)
    assert list(json.loads(out))[: len(found)] == found


def test_presets_are_found_by_their_settings(iwax):
    code, _, err = iwax("settings", "householder")
    assert (code, "householder-10" in err) == (0, True)
    assert json.loads(iwax("--json", "settings", "--presets", "vamp")[1]).keys() >= {"vamp", "hvae-vamp"}
    assert iwax("settings", "--presets", "nothing-like-it")[0] == 2
