"""`iwax data`: what data there is, what each name stands for, and having it here."""

from typing import Annotated

import typer

from iwax.cli.terminal import Terminal

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List the data sets, tell about one, or get one.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A registered name: see `iwax data list`.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the registered names, and which of them are here."""
    from iwax.data import fetch, registry

    terminal: Terminal = context.obj
    infos = {name: registry.info(name) for name in registry.names()}
    here = {name: all(map(fetch.find, info.files)) for name, info in infos.items()}
    titles = {name: i.title if name == i.name else f"the same as {i.name}" for name, i in infos.items()}
    terminal.table(("name", "here", "what"), [(n, "yes" if here[n] else "no", titles[n]) for n in infos])
    terminal.document([{"name": n, "protocol_of": i.name, "here": here[n], "title": i.title} for n, i in infos.items()])


@app.command("info")
def info(context: typer.Context, name: Name) -> None:
    """Tell what a name stands for: split, scaling, binarisation, seeds, files and licence."""
    import dataclasses

    from iwax.data import registry

    terminal: Terminal = context.obj
    facts = dataclasses.asdict(registry.info(name))
    for key, value in facts.items():
        terminal.data(f"{key:<12} {value}")
    terminal.document(facts)


@app.command("get")
def get(context: typer.Context, name: Name) -> None:
    """Have the files of a name here: found in IWAX_DATA or the cache, or downloaded and checked."""
    from iwax import data as datasets

    terminal: Terminal = context.obj
    terminal.say(f"getting {name} ...")
    dataset = datasets.load(name)
    sizes = {
        split: len(part.values)
        for split, part in (("train", dataset.train), ("valid", dataset.valid), ("test", dataset.test))
        if part is not None
    }
    terminal.data(f"{dataset.name}: " + ", ".join(f"{n:,} {split}" for split, n in sizes.items()))
    terminal.document({"name": dataset.name, "shape": list(dataset.shape), "sizes": sizes})
