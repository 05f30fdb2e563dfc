"""`iwax settings`: what can be set, and what the presets set."""

from typing import Annotated

import typer

from iwax.cli.terminal import Terminal

__all__ = ["settings"]

DATA_OF_THE_SIZES = "mnist"  # whose nets are the published ones; smaller data have smaller nets


def settings(
    context: typer.Context,
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Only settings whose name holds this word.")] = "",
    presets: Annotated[bool, typer.Option("--presets", help="The presets, and what each sets, instead.")] = False,
) -> None:
    """List every setting with its default and what it needs to be: for --set KEY=VALUE, or sections of a file.

    The defaults are those of a run without a preset and a recipe; `iwax train` takes the preset iwae-1-k5 and the quick
    recipe unless told otherwise, and writes all of a run's settings to its config.json.
    """
    import json

    from iwax.experiments import catalogue, sources

    terminal: Terminal = context.obj
    if presets:
        chosen = {
            name: dict(catalogue.settings(name, recipe="quick", data=DATA_OF_THE_SIZES))
            for name in catalogue.names()
            if word in name
        }
        own = {
            name: {key: value for key, value in flat.items() if not key.startswith("training.")}
            for name, flat in chosen.items()
        }
        lines = {
            name: "  ".join(f"{key}={json.dumps(value)}" for key, value in flat.items()) for name, flat in own.items()
        }
        terminal.table(("preset", "settings (quick recipe, MNIST)"), list(lines.items()))
        terminal.document(chosen)
        return
    defaults = sources.defaults()
    found = {key: needs for key, needs in sources.keys().items() if word in key}
    if not found:
        raise ValueError(f"no setting has {word!r} in its name; iwax settings lists all {len(defaults)}")
    rows = [(key, json.dumps(defaults[key]), needs) for key, needs in found.items()]
    terminal.table(("setting", "default", "needs to be"), rows)
    terminal.document({key: {"default": defaults[key], "needs": needs} for key, needs in found.items()})
