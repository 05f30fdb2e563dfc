"""Where words and data go: data on stdout, words on stderr, colours and bars only where a person looks."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iwax.cli.later import later

with later():
    from rich import box
    from rich import console as consoles
    from rich import table as tables

    from iwax.storage import strict_json

__all__ = ["Terminal"]


@dataclass
class Terminal:
    """The three switches that every verb shares, and the two streams."""

    json: bool = False
    quiet: bool = False
    debug: bool = False

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal, so that a moving bar makes sense."""
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not self.quiet

    def console(self) -> "consoles.Console":
        """A Rich console on stderr (it honours NO_COLOR by itself)."""
        return consoles.Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())

    def say(self, text: str) -> None:
        """Words for a person: stderr, silent with --quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        """A warning, which matters even with --quiet: stderr, always."""
        print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201

    def fail(self, text: str) -> None:
        """The one line of an error: stderr, always."""
        print(f"error: {text}", file=sys.stderr, flush=True)  # noqa: T201

    def data(self, text: str) -> None:
        """What was asked for, as lines on stdout; with --json only the document goes there."""
        if not self.json:
            print(text, flush=True)  # noqa: T201

    def document(self, value: object) -> None:
        """What was asked for, as one JSON document on stdout with --json."""
        if self.json:
            print(json.dumps(strict_json.finite(value), indent=2, allow_nan=False), flush=True)  # noqa: T201

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
        """A table on stdout; wide and uncut where stdout is no terminal."""
        if self.json:
            return
        table = tables.Table(*headers, box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        looked_at = sys.stdout.isatty()
        consoles.Console(highlight=False, markup=False, width=None if looked_at else 400).print(table)
