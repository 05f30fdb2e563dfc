"""Mathematics as MathML, made when the pages are built: nothing to load, and no LaTeX."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

NAMES = re.compile(r"(<mi>(?:log|tanh|exp)</mi>)(?!<mo stretchy=\"false\">&#x00028;)")
PRIME = r"<mi>(&#x0203[23];)</mi>"  # raised by its own form: as a superscript it would be small twice
PRIMED = re.compile(rf"<msup>(<mi>\w</mi>){PRIME}</msup>")
PRIMED_WITH_INDEX = re.compile(rf"<msubsup>(<mi>\w</mi>)(<m[in]>[^<]*</m[in]>){PRIME}</msubsup>")


def made(formula: str, display: str = "inline") -> str:
    """MathML, with the thin space behind the name of a function that has no brackets, and primes one can see."""
    text = NAMES.sub(r'\1<mspace width="0.17em" />', convert(formula, display=display))
    text = PRIMED.sub(r"<mrow>\1<mi>\2</mi></mrow>", text)
    return PRIMED_WITH_INDEX.sub(r"<msub><mrow>\1<mi>\3</mi></mrow>\2</msub>", text)


def inline(writer: HTML5Translator, node: nodes.math) -> None:
    """`$x$` in a line."""
    writer.body.append(made(node.astext()))
    raise nodes.SkipNode


def displayed(writer: HTML5Translator, node: nodes.math_block) -> None:
    """`$$x$$` on a line of its own, which scrolls where it is wider than the screen."""
    number = get_node_equation_number(writer, node) if node.get("number") else ""
    named = f' id="{node["ids"][0]}"' if node["ids"] else ""
    label = f'<span class="eqno">({number})</span>' if number else ""
    writer.body.append(f'<div class="math"{named}>{label}{made(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name that `html_math_renderer` finds alone."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.config.html_math_renderer = "mathml"  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
