"""A piece of a report: a picture or a table under a heading, with a line that says how to read it."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from markupsafe import Markup

from iwax.report.figures.canvas import Picture

__all__ = ["Panel", "gathered", "table"]


class Panel(NamedTuple):
    """``title``, what is shown, and how to read it; ``wide`` where half of a page is too little."""

    title: str
    body: Markup | Picture
    caption: str
    wide: bool = False


def gathered(*makers: Callable[[], Panel | None]) -> list[Panel]:
    """The panels that there are. Where the model cannot serve one, a note says why: a ValueError or a TypeError."""
    found = []
    for make in makers:
        try:
            panel = make()
        except (TypeError, ValueError) as error:
            title = (make.__doc__ or make.__name__).split(":")[0].split(".")[0]
            panel = Panel(title, Markup('<p class="absent">Left out: {0}</p>').format(str(error)), "")
        if panel is not None:
            found.append(panel)
    return found


def table(
    headers: list[str],
    rows: list[list[Any]],
    *,
    numeric: int = 1,
    caption: str = "",
    marked: Collection[tuple[int, int]] = (),
) -> Markup:
    """A table whose columns from number ``numeric`` on are numbers; ``marked`` cells stand out."""
    kinds = ["" if i < numeric else "n" for i in range(len(headers))]
    head = Markup("").join(
        Markup('<th class="{0}" scope="col">{1}</th>').format(*each) for each in zip(kinds, headers, strict=True)
    )
    body = [
        Markup("<tr>{0}</tr>").format(
            Markup("").join(
                Markup('<td class="{0}">{1}</td>').format(f"{kinds[j]}{' filled' if (i, j) in marked else ''}", cell)
                for j, cell in enumerate(row)
            )
        )
        for i, row in enumerate(rows)
    ]
    title = Markup("<caption>{0}</caption>").format(caption) if caption else Markup("")
    return Markup('<div class="scroll"><table>{0}<thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>').format(
        title, head, Markup("").join(body)
    )
