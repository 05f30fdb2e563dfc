"""A warning for every page that would ask another machine for something: a script, a style, a font, a picture."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
OUTSIDE = re.compile(r"^(?:https?:)?//")
STYLE = re.compile(r"(?:@import\s+|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")


class Loads(HTMLParser):
    """What a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses that are loaded; a link to read (`a`) is none of them."""
        self.found += [value for name, value in attrs if name == LOADS.get(tag) and value and OUTSIDE.match(value)]


def asked_for(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files of a built site, each with an address elsewhere that it loads."""
    for page in sorted(folder.rglob("*.html")):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        yield from ((page, address) for address in loads.found)
    for style in sorted(folder.rglob("*.css")):
        yield from ((style, address) for address in STYLE.findall(style.read_text(encoding="utf-8")))


def look(app: Sphinx, error: Exception | None) -> None:
    """Warn, which `-W` makes an error."""
    if error is None and app.builder.format == "html":
        for page, address in asked_for(Path(app.outdir)):
            logging.getLogger(__name__).warning("%s loads %s from elsewhere", page.relative_to(app.outdir), address)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look when everything is written."""
    app.connect("build-finished", look)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
