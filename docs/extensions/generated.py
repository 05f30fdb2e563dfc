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
SPECIAL, ESCAPED, BAR = re.compile(r"([$*<_])"), r"\\\1", r"\|"  # what Markdown would take for markup
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*(?: [\w.\\]+=[\w.]*\w)?)")
EXAMPLE = re.compile(r"\n*^ *Example: (.*)\Z", re.MULTILINE | re.DOTALL)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, in which a bar, a dollar and a star stand for themselves."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |" for line in lines) + "\n"


def plain(text: str) -> str:
    """Running text, in which what would be markup stands for itself, and options are code."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        parts[i] = OPTION.sub(r"`\1`", SPECIAL.sub(ESCAPED, parts[i]))
    return "".join(parts)


def value(found: Any) -> str:
    """A default as one writes it: texts without quotes, lists without blanks."""
    return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))


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


def bare(metavar: str | None) -> str:
    """The name of an argument without the brackets of one that may be left out."""
    return (metavar or "")[1:-1] if (metavar or "").startswith("[") else metavar or ""


def parameters(command: Any, words: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The arguments and the options of a command, each as a row of a table."""
    context = typer.Context(command, info_name=f"iwax {words}")
    arguments, options = [], []
    for each in command.params:
        if each.name == "help" or getattr(each, "hidden", False):
            continue
        metavar = each.metavar or ""
        if each.param_type_name == "argument":
            arguments.append((code(bare(metavar)), plain(each.help or "") + " May be left out." * (not each.required)))
            continue
        flags = ", ".join(code(flag) for flag in sorted(each.opts, key=len))
        default = each.get_default(context)
        shown = "" if default in (None, False, (), []) else f" Default: {code(str(default))}."
        options.append((f"{flags} {code(metavar)}".strip(), plain(each.help or "") + shown))
    return arguments, options


def command_line() -> str:
    """A section for every verb: what it does, how it is called, its arguments and options, an example."""
    sections = []
    for called, command in commands():
        text = "\n".join(line.strip() for line in (command.help or "").splitlines())
        example = EXAMPLE.search(text)
        arguments, options = parameters(command, called)
        given = [each for each in command.params if each.param_type_name == "argument"]
        shown = [bare(each.metavar) if each.required else f"[{bare(each.metavar)}]" for each in given]
        usage = " ".join(["iwax", called, *shown, *(["[OPTIONS]"] if options else [])])
        parts = [f"## iwax {called}", plain(EXAMPLE.sub("", text)), f"```text\n{usage}\n```"]
        parts += [table(("argument", "what it is"), arguments)] if arguments else []
        parts += [table(("option", "what it is"), options)] if options else []
        parts += [f"```sh\n{' '.join(example[1].split())}\n```"] if example else []
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections)


# -- the settings -----------------------------------------------------------------------------------------------------


def kinds_of(part: tuple[Any, ...], key: str) -> str:
    """A list of the kinds of a part, each with what it is and with its own settings."""
    lines = []
    for kind in part:
        of = ", ".join(code(word) for word in words(kind)) or code("null")
        lines.append(f"- {of}: {plain((kind.__doc__ or '').splitlines()[0])}")
        defaults = kind.model_construct().model_dump(mode="json")
        lines += [
            f"  - `{key}.{name}` (default {code(value(defaults.get(name)))}): {plain(field.description or '')}"
            for name, field in kind.model_fields.items()
            if name != kind.HEAD
        ]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """A section for every section of a configuration, and below it one for every part with its kinds."""
    defaults, needs = named.defaults(), named.keys()
    alone = [(code(key), code(value(defaults[key])), plain(needs[key])) for key in needs if "." not in key]
    sections = [f"## The run\n\n{table(('setting', 'default', 'what it needs to be'), alone)}"]
    for name, section in SECTIONS.items():
        keys = [f"{name}.{key}" for key in section.model_fields]
        rows = [(code(key), code(value(defaults[key])), plain(needs[key])) for key in keys]
        summary = plain((section.__doc__ or "").splitlines()[0])
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
        quick = catalogue.RECIPES["quick"]
        own = {key: each for key, each in flat.items() if quick.get(key) != each and not key.startswith("training.")}
        rows.append((code(name), " ".join(code(f"{key}={value(found)}") for key, found in own.items())))
    return table(("preset", "what it sets"), rows)


PAGES: dict[str, Callable[[], str]] = {"command line": command_line, "settings": settings, "presets": presets}


def rewrite(app: "Sphinx", page: str, source: list[str]) -> None:
    """Put what is generated in the place of its marker; such a page is read again in every build."""
    if MARKER.search(source[0]):
        app.env.note_reread()
        source[0] = MARKER.sub(lambda found: PAGES[found[1]](), source[0])


def setup(app: "Sphinx") -> dict[str, bool]:
    """Listen for sources."""
    app.connect("source-read", rewrite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
