"""Reference pages that are generated: `<!-- generated: command line -->` and `<!-- generated: settings -->` in a page.

The command line is read off the Typer application, the settings off the pydantic models, when the pages are built.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from iwax.cli.app import VERBS, imported
from iwax.settings import catalogue, named
from iwax.settings.config import SECTIONS
from iwax.settings.parted import parts_of, words

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARKER = re.compile(r"<!-- generated: ([a-z ]+) -->")
SPECIAL, ESCAPED = re.compile(r"([|$*<])"), r"\\\1"  # in a cell of a Markdown table
EXAMPLE = re.compile(r"\n*^ *Example: (.*)\Z", re.MULTILINE | re.DOTALL)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, in which a bar, a dollar and a star stand for themselves."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(SPECIAL.sub(ESCAPED, cell) for cell in line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    """Text as code; empty text stays empty."""
    return f"`{text}`" if text else ""


# -- the command line -------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with the words that it is called by, in the order of `iwax --help`."""
    for verb in VERBS:
        command = imported(verb)
        inner = getattr(command, "commands", None)
        yield from [(f"{verb} {name}", each) for name, each in inner.items()] if inner else [(verb, command)]


def parameters(command: Any, words: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The arguments and the options of a command, each as a row of a table."""
    context = typer.Context(command, info_name=f"iwax {words}")
    arguments, options = [], []
    for each in command.params:
        if each.name == "help" or getattr(each, "hidden", False):
            continue
        metavar = each.metavar or ""
        if each.param_type_name == "argument":
            arguments.append((code(metavar.strip("[]")), f"{each.help or ''}{'' if each.required else ' (optional)'}"))
            continue
        flags = ", ".join(code(flag) for flag in sorted(each.opts, key=len))
        default = each.get_default(context)
        shown = "" if default in (None, False, (), []) else code(str(default))
        options.append((f"{flags} {code(metavar)}".strip(), each.help or "", shown))
    return arguments, options


def command_line() -> str:
    """A section for every verb: what it does, how it is called, its arguments and options, an example."""
    sections = []
    for called, command in commands():
        text = "\n".join(line.strip() for line in (command.help or "").splitlines())
        example = EXAMPLE.search(text)
        arguments, options = parameters(command, called)
        given = [each.metavar or "" for each in command.params if each.param_type_name == "argument"]
        usage = " ".join(["iwax", called, *given, *(["[OPTIONS]"] if options else [])])
        parts = [f"## iwax {called}", EXAMPLE.sub("", text), f"```text\n{usage}\n```"]
        parts += [table(("argument", "what it is"), arguments)] if arguments else []
        parts += [table(("option", "what it is", "default"), options)] if options else []
        parts += [f"```sh\n{' '.join(example[1].split())}\n```"] if example else []
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections)


# -- the settings -----------------------------------------------------------------------------------------------------


def kinds_of(part: tuple[Any, ...], key: str) -> str:
    """The kinds of a part, each with what it is and, in the rows below it, with its own settings."""
    rows = []
    for kind in part:
        summary = (kind.__doc__ or "").splitlines()[0]
        rows.append((", ".join(code(word) for word in words(kind)) or "null", "", "", summary))
        defaults = kind.model_construct().model_dump(mode="json")
        rows += [
            ("", code(f"{key}.{name}"), code(json.dumps(defaults.get(name))), field.description or "")
            for name, field in kind.model_fields.items()
            if name != kind.HEAD
        ]
    return table(("kind", "setting", "default", "what it is"), rows)


def settings() -> str:
    """A section for every section of a configuration, and below it one for every part with its kinds."""
    defaults, needs = named.defaults(), named.keys()
    alone = [(code(key), code(json.dumps(defaults[key])), needs[key]) for key in needs if "." not in key]
    sections = [f"## The run\n\n{table(('setting', 'default', 'what it needs to be'), alone)}"]
    for name, section in SECTIONS.items():
        keys = [f"{name}.{key}" for key in section.model_fields]
        rows = [(code(key), code(json.dumps(defaults[key])), needs[key]) for key in keys]
        summary = (section.__doc__ or "").splitlines()[0]
        sections.append(f"## {name}\n\n{summary}\n\n{table(('setting', 'default', 'what it needs to be'), rows)}")
        written: dict[tuple[Any, ...], str] = {}
        for part, kinds in parts_of(section).items():
            key = f"{name}.{part}"
            same = written.setdefault(kinds, key)
            text = f"The kinds and their settings are those of `{same}`.\n" if same != key else kinds_of(kinds, key)
            sections.append(f"### {key}\n\n{text}")
    return "\n\n".join(sections)


def presets() -> str:
    """What every preset sets, with the quick recipe, for MNIST."""
    rows = []
    for name in catalogue.names():
        flat = catalogue.settings(name, recipe="quick", data="mnist")
        own = {key: value for key, value in flat.items() if catalogue.RECIPES["quick"].get(key) != value}
        own = {key: value for key, value in own.items() if not key.startswith("training.")}
        rows.append((code(name), " ".join(code(f"{key}={json.dumps(value)}") for key, value in own.items())))
    return table(("preset", "what it sets"), rows)


PAGES: dict[str, Callable[[], str]] = {"command line": command_line, "settings": settings, "presets": presets}


def rewrite(app: "Sphinx", page: str, source: list[str]) -> None:
    """Put what is generated in the place of its marker."""
    source[0] = MARKER.sub(lambda found: PAGES[found[1]](), source[0])


def setup(app: "Sphinx") -> dict[str, bool]:
    """Listen for sources."""
    app.connect("source-read", rewrite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
