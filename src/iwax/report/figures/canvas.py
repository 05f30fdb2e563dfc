"""A white sheet and the picture that is made on it: one figure for a file and for a page, with its text alternative."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from iwax.report.figures.palette import FAINT, GREY, GROUND, INK, LINES, MUTED, PALETTE, VARIABLES
from iwax.report.figures.svg import svg
from iwax.storage import durable

__all__ = [
    "DPI",
    "FAINT",
    "GREY",
    "GROUND",
    "INK",
    "LINES",
    "MUTED",
    "PALETTE",
    "Picture",
    "drawing",
    "gridded",
    "legend",
    "logarithmic",
    "number",
    "quiet",
    "several",
    "sheet",
    "short",
    "shortened",
]

DPI = 150
WIDTH = 5.2  # inches of a chart: half of a page, where nine points of type are thirteen pixels
P = ParamSpec("P")
R = TypeVar("R", bound="Picture | None")

# Matplotlib's own defaults, whatever the settings of a person are or the matplotlibrc of the current folder says, which
# could also have LaTeX started (text.usetex).
_plain = matplotlib.rc_context({name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"})
_STYLE = "text{font-family:sans-serif;font-size:var(--size)}"


@dataclass(frozen=True)
class Picture:
    """A figure with its title and its text alternative. Writes a file, and stands in a page as SVG."""

    figure: Figure
    title: str
    description: str

    def write(self, path: str | Path) -> Path:
        """Write a .png or an .svg and return its path: the same bytes for the same figure, with no date or version.

        The bytes are made first and written last, whole or not at all. Raises ValueError for another ending, and
        OSError where it cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in (".png", ".svg"):
            raise ValueError(f"a picture is written as PNG or SVG: got the name {str(path)!r}; end it in .png or .svg")
        durable.replace(path, self.png() if path.suffix.lower() == ".png" else self._svg().encode())
        return path

    @_plain
    def __html__(self) -> str:
        """As an element of a page, which has the colours as CSS variables (`palette.VARIABLES`)."""
        return self._element('class="chart" ', VARIABLES)

    @_plain
    def _svg(self) -> str:
        text = self._element('xmlns="http://www.w3.org/2000/svg" ', {})
        return text.replace("</desc>", f"</desc><style>{_STYLE}</style>", 1)

    def _element(self, root: str, variables: dict[str, str]) -> str:
        FigureCanvasAgg(self.figure)  # measures text
        with _any_script():
            return str(svg(self.figure, title=self.title, description=self.description, variables=variables, root=root))

    @_plain
    def png(self) -> bytes:
        """The bytes of the PNG."""
        canvas = FigureCanvasAgg(self.figure)
        with _any_script():
            canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        is_grey = bool((pixels == pixels[..., :1]).all())  # one channel is a third of the file
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if is_grey else pixels))
        words = PngInfo()
        words.add_text("Title", self.title)
        words.add_text("Description", self.description)
        buffer = BytesIO()
        image.save(buffer, format="PNG", pnginfo=words, optimize=True, dpi=(DPI, DPI))
        return buffer.getvalue()

    _repr_png_ = png  # in a notebook


@contextmanager
def _any_script() -> Iterator[None]:
    """A title may hold any script; a PNG shows a box for a letter that its font lacks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def drawing(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that draws: Matplotlib's own defaults for its time.

    For one release the function also takes a path before all else, as it did, and writes there with a warning.
    """
    plain = _plain(draw)

    @wraps(draw)
    def _drawn(*args: P.args, **settings: P.kwargs) -> Any:
        if not (args and isinstance(args[0], str | Path)):
            return plain(*args, **settings)
        name = draw.__name__
        words = f"{name}(path, ...), which wrote a file, is now {name}(...).write(path)"
        warnings.warn(words, DeprecationWarning, stacklevel=2)
        path, *others = args
        return plain(*others, **settings).write(path)  # type: ignore[call-arg]

    return _drawn


def sheet(width: float = WIDTH, height: float = 3.0, *, fitted: bool = True) -> Figure:
    """A white figure of width x height inches at 150 dots an inch; ``fitted`` lets the axes find their room.

    >>> sheet(4.0, 3.0).get_facecolor()
    (1.0, 1.0, 1.0, 1.0)
    """
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=GROUND)
    if fitted:
        figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    return figure


def quiet(axes: Axes, *, frame: bool = False) -> Axes:
    """Axes without clutter: thin grey lines, only left and bottom unless ``frame``, labels a reader can read."""
    for side, spine in axes.spines.items():
        spine.set_visible(frame or side in ("left", "bottom"))
        spine.set_color(GREY)
        spine.set_linewidth(0.8)
    axes.set_facecolor(GROUND)
    axes.tick_params(color=GREY, labelcolor=MUTED, labelsize=9, width=0.8, length=3)
    axes.xaxis.label.set(color=INK, fontsize=9.5)
    axes.yaxis.label.set(color=INK, fontsize=9.5)
    return axes


def gridded(axes: Axes, along: str = "y") -> Axes:
    """Quiet axes with faint lines behind what is drawn."""
    axes.grid(axis=along, color=FAINT, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    return quiet(axes)


def logarithmic(axes: Axes, axis: Axis) -> None:
    """A logarithmic axis with few numbers: powers of ten, a few multiples of them, or evenly spaced."""
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    low, high = sorted(axis.get_view_interval())
    subs = (1.0,) if high > 1e5 * low else (1.0, 3.0) if high > 50 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(MaxNLocator(4) if high < 4 * low else LogLocator(subs=subs, numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def legend(figure: Figure, handles: Mapping[str, Any], *, most: int = 3) -> None:
    """Names of what is drawn, in lines above the axes, for which the sheet grows; long names lose their middle."""
    letter = 0.09  # inches, at nine points
    width = figure.get_figwidth() - 0.2
    names = [shortened(name, int((width - 0.6) / letter)) for name in handles]
    longest = letter * max(map(len, names), default=0) + 0.6
    columns = max(1, min(most, len(names), int(width / longest)))
    figure.set_figheight(figure.get_figheight() + 0.19 * -(-len(names) // columns))
    made = figure.legend(
        list(handles.values()), ["name"] * len(names), loc="outside upper left", ncols=columns, frameon=False,
        fontsize=9, labelcolor=INK, borderpad=0,
    )  # fmt: skip
    for text, name in zip(made.get_texts(), names, strict=True):  # Matplotlib leaves out a name that begins with _
        text.set(text=name, parse_math=False)


def number(value: float, digits: int = 2) -> str:
    """A number in print, with a true minus sign.

    >>> number(-88.604)
    '−88.60'
    """
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def several(count: int, what: str) -> str:
    """A count with its noun.

    >>> several(1, "row"), several(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def short(value: float) -> str:
    """A number on an axis, with a true minus sign and without an exponent where that is short.

    >>> short(-20000.0), short(0.25), short(1e-7)
    ('−20,000', '0.25', '1e−07')
    """
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 and value == round(value) else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def shortened(name: str, most: int) -> str:
    """A name of at most ``most`` letters, cut in its middle.

    >>> shortened("a long name", 7)
    'a l…ame'
    """
    return name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - (most - 1) // 2 :]}"
