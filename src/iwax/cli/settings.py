"""`iwax settings`: what can be set, and what the presets set."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from iwax.cli.arguments import argument
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax.settings import catalogue, named

__all__ = ["settings"]

DATA_OF_THE_SIZES = "mnist"  # whose nets are the published ones; smaller data have smaller nets


def settings(
    context: typer.Context,
    word: Annotated[str, argument("WORD", "Only what has this word in name, default or description.")] = "",
    presets: Annotated[bool, typer.Option("--presets", help="The presets, and what each sets, instead.")] = False,
) -> None:
    """List every setting with its default and what it needs to be: for --set KEY=VALUE, or sections of a file.

    The defaults are those of a run without a preset and a recipe; `iwax train` takes the preset iwae-1-k5 and the quick
    recipe unless others are given, and writes all of a run's settings to its config.json.

    Example: iwax settings objective
    """
    terminal: Terminal = context.obj
    if presets:
        _presets(terminal, word.lower())
        return
    defaults = named.defaults()
    found = _with_word(word.lower(), named.keys(), {key: json.dumps(value) for key, value in defaults.items()})
    if not found:
        raise ValueError(
            f"no setting has {word!r} in its name, default or description; iwax settings lists all {len(defaults)}"
        )
    rows = [(key, json.dumps(defaults[key]), needs) for key, needs in found.items()]
    terminal.table(("setting", "default", "needs to be"), rows)
    alike = [name for name in catalogue.names() if word and word.lower() in name]
    if alike:
        terminal.say(f"presets of the name: {', '.join(alike)} (iwax settings --presets {word})")
    terminal.document({key: {"default": defaults[key], "needs": needs} for key, needs in found.items()})


def _presets(terminal: Terminal, word: str) -> None:
    """The presets that have a word in their name or settings, with what each sets."""
    chosen = {
        name: dict(catalogue.settings(name, recipe="quick", data=DATA_OF_THE_SIZES)) for name in catalogue.names()
    }
    own = {
        name: {key: value for key, value in flat.items() if not key.startswith("training.")}
        for name, flat in chosen.items()
    }
    lines = {name: "  ".join(f"{key}={json.dumps(value)}" for key, value in flat.items()) for name, flat in own.items()}
    lines = {name: line for name, line in lines.items() if word in f"{name} {line}".lower()}
    if not lines:
        raise ValueError(f"no preset has {word!r} in its name or settings; iwax settings --presets lists all")
    terminal.table(("preset", "settings (quick recipe, MNIST)"), list(lines.items()))
    terminal.document({name: chosen[name] for name in lines})


def _with_word(word: str, needs: Mapping[str, str], defaults: dict[str, str]) -> dict[str, str]:
    """What the settings need that have a word in their name, then those with it in default or description.

    Of the name of a section, those of the section alone.

    >>> needs = {"model.prior": "one of flow, vamp", "model.prior_steps": "layers of a flow", "objective.k": "draws"}
    >>> list(_with_word("steps", needs, dict.fromkeys(needs, "1"))), list(_with_word("flow", needs, {}))
    (['model.prior_steps'], ['model.prior', 'model.prior_steps'])
    """
    section = {key: text for key, text in needs.items() if key.startswith(f"{word}.")}
    named = {key: text for key, text in needs.items() if word in key.lower()}
    described = {key: text for key, text in needs.items() if word in f"{defaults.get(key, '')} {text}".lower()}
    return section or named | described
