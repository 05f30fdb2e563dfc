"""Pages of the repository outside this folder, and links of the Markdown that lead there.

A page whose text is one `include` of a file above is that file, its links seen from here. A link to a result or a
source becomes its plain path on the pages that are built, which do not hold it; a target that does not exist stays the
warning it is.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

INCLUDE = re.compile(r"\A```\{include\} (\S+)\n```\n\Z")
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
PAGES = {
    "benchmarks/README.md": "reference/benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}


def rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    """The text of one page, before it is read."""
    docs = Path(app.srcdir).resolve()
    folder = place = Path(docs, page).parent
    included = INCLUDE.match(source[0])
    if included:
        file = (folder / included[1]).resolve()
        app.env.note_dependency(file)
        source[0], place = file.read_text(encoding="utf-8"), file.parent

    def replaced(found: re.Match[str]) -> str:
        words, path, anchor = found.groups()
        target = (place / path).resolve()
        if not target.exists():
            return found[0]
        inside = target.relative_to(docs.parent).as_posix()
        target = docs / PAGES[inside] if inside in PAGES else target
        if target.is_relative_to(docs):
            return f"[{words}]({os.path.relpath(target, folder)}{anchor or ''})"
        if words.strip("`").rstrip("/") == inside:
            return f"`{inside}`"
        return f"{words} (`{inside}`)"

    source[0] = LINK.sub(replaced, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen for sources."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
