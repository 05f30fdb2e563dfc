"""Cells of tables are marked: the style keeps one name or number on a line, and gives prose some width."""

import re

from docutils import nodes
from sphinx.application import Sphinx

ONE_WORD = re.compile(r"[\w.,:†*%+/=()\[\]-]{1,28}( \+/- [\d.]+)?( [†*%])?")
PROSE = 40  # characters


def mark(app: Sphinx, tree: nodes.document) -> None:
    """A name, or a number with its error, is of the class `one-word`, a long text `prose`."""
    for cell in tree.findall(nodes.entry):
        if ONE_WORD.fullmatch(cell.astext()):
            cell["classes"].append("one-word")
        elif len(cell.astext()) > PROSE:
            cell["classes"].append("prose")


def setup(app: Sphinx) -> dict[str, bool]:
    """Mark the cells of every page that is read."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
