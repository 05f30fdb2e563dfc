"""The guides do what they say: their commands name verbs, options and settings that exist, and their Python runs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from iwax.cli.app import app
from iwax.runs import Silent, from_sources, train

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "api" not in p.parts)]
PLACEHOLDERS = {"OPTIONS", "..."}  # stand for words that a reader puts there


def commands(page: Path) -> Iterator[str]:
    """Every printed line that starts with `iwax`, in fenced sh blocks and indented ones, joined where it goes on.

    Of a loop, ``for x in 1 2; do iwax ... $x; done``, one line a turn.
    """
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "\n".join(re.findall(r"^ {4,}(.*)$", text, re.MULTILINE))
    for line in turns(f"{fenced}\n{indented}".splitlines()):
        found = re.match(r"(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?(iwax [^|]*?)(?:  +#.*|&)?$", line)
        if found:
            yield found[1]


def turns(lines: list[str]) -> Iterator[str]:
    """The lines, a loop of the shell as what each of its turns is."""
    for line in lines:
        loop = re.fullmatch(r"for (\w+) in (.*?); do (.*); done", line)
        yield from (loop[3].replace(f"${loop[1]}", word) for word in loop[2].split()) if loop else [line]


COMMANDS = [pytest.param(line, id=f"{page.name}: {line}") for page in PAGES for line in commands(page)]


def parsed(words: list[str]) -> dict[str, Any]:
    """The values of a verb's arguments and options, as the command line reads them; nothing is run."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("iwax", words)
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return context.params
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return context.params


@pytest.mark.parametrize("line", COMMANDS)
def test_a_printed_command_can_be_typed(line):
    given = parsed([word for word in shlex.split(line, comments=True)[1:] if word not in PLACEHOLDERS])
    if "preset" in given:  # of `iwax train`: every setting is one; names are read, and no data
        flags = {f"objective.{name}": given[name] for name in ("k", "bound", "gradient")}
        from_sources(preset=given["preset"], recipe=given["recipe"], sets=given["sets"] or (), flags=flags)


def table(path: Path) -> Path:
    """Sixty rows of numbers and texts, some missing."""
    lines = [f"{i % 7}.5,{'' if i % 5 == 0 else i * 1.7 % 11},{'red' if i % 3 else 'white'}" for i in range(60)]
    path.write_text("\n".join(["acid,sugar,colour", *lines]) + "\n", encoding="utf-8")
    return path


GREY = {"data": "digits-grey", "sets": ["model.likelihood=discretized_logistic"]}
RUNS: dict[str, dict[str, Any]] = {  # what the commands of the pages make, and their Python opens
    "first": {"data": "digits"},
    "wine": {"data": "wine.csv"},
    "plain": GREY,
    "background": {**GREY, "sets": [*GREY["sets"], "data.perturb=0.2"]},
}
PYTHON = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, capsys, monkeypatch, tmp_path):
    """All blocks of a page, from top to bottom, as printed but for epochs, steps of estimators, and k in thousands.

    A run that a block opens is trained, briefly, before that block.
    """
    monkeypatch.chdir(tmp_path)
    table(Path("wine.csv"))
    names = {"__name__": page.stem}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for name, given in RUNS.items():
            if f'"runs/{name}"' in block and not Path("runs", name).exists():
                sets = [*given.get("sets", ()), "model.hidden=[8]", "model.latent=2", "training.epochs=1"]
                train(from_sources(data=given["data"], sets=sets), Path("runs") / name, reporter=Silent())
        text = re.sub(r"epochs=\d+", "epochs=1", re.sub(r"\bk=\d{4,}", "k=100", block))
        text = text.replace("random_state=0", "random_state=0, max_iter=1")
        exec(compile(text, str(page), "exec"), names)  # noqa: S102
    assert "nan" not in capsys.readouterr().out
