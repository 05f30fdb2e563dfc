"""`iwax data`: what data there is, what each name stands for, and having it here."""

import dataclasses
from typing import Annotated

import typer

from iwax.cli.arguments import argument
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax.data import registry

__all__ = ["data"]

data = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="List the data sets, describe one, or get one.",
)

Name = Annotated[str, argument("NAME", "A registered name: see `iwax data list`.", names="data")]


@data.command("list")
def list_(context: typer.Context) -> None:
    """List the registered names, and which of them are here.

    Example: iwax data list
    """
    terminal: Terminal = context.obj
    infos = {name: registry.info(name) for name in registry.names()}
    where = {name: registry.availability(name) for name in infos}
    titles = {name: i.title if name == i.name else f"the same as {i.name}" for name, i in infos.items()}
    terminal.table(("name", "where", "what"), [(n, where[n], titles[n]) for n in infos])
    terminal.document(
        [{"name": n, "protocol_of": i.name, "where": where[n], "title": i.title} for n, i in infos.items()]
    )


@data.command("info")
def info(context: typer.Context, name: Name) -> None:
    """Describe what a name stands for: split, scaling, binarisation, seeds, files and licence.

    Example: iwax data info mnist
    """
    terminal: Terminal = context.obj
    known = registry.info(name)
    facts = dataclasses.asdict(known) | {"binarize_training": known.binarize_training}
    shown = facts | {
        "shape": " x ".join(map(str, known.shape)),
        "files": "\n".join(f"{file.path}  SHA-256 {file.sha256 or 'not stated'}" for file in known.files) or "none",
        "binarize_training": "redrawn at every access" if known.binarize_training else "no",
        "aliases": ", ".join(known.aliases) or "none",
    }
    for key, value in shown.items():
        for number, line in enumerate(str(value).split("\n")):
            terminal.data(f"{'' if number else key.replace('binarize_training', 'binarised'):<12}{line}")
    terminal.document(facts)


@data.command("get")
def get(context: typer.Context, name: Name) -> None:
    """Have the files of a name here: found in IWAX_DATA or the cache, or downloaded and checked.

    Example: iwax data get mnist-static
    """
    terminal: Terminal = context.obj
    terminal.say(f"getting {name} ...")
    places = registry.get(name)
    for place in places:
        terminal.data(str(place))
    terminal.say(f"{name}: {len(places)} files, all as published" if places else f"{name} needs no files")
    terminal.document({"name": name, "files": [str(place) for place in places]})
