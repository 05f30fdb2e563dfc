"""A white sheet and a way to save it: the same drawing gives the same bytes, and says in words what it shows."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from iwax.storage import durable

__all__ = ["DPI", "FAINT", "GREY", "INK", "MUTED", "PALETTE", "number", "plain", "quiet", "sheet", "write"]

DPI = 150
INK, MUTED, GREY, FAINT = "#222222", "#5f6368", "#9aa0a6", "#dadce0"
# Ten colours told apart by people with each kind of colour blindness, made for scatter plots: Petroff,
# "Accessible color sequences for data visualization" (2021), arXiv:2107.02270.
PALETTE: Sequence[str] = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)

# Decorates whatever draws, for its time alone: Matplotlib's own defaults, whatever the settings of a person are or the
# matplotlibrc of the current folder says, which could also have LaTeX started (text.usetex).
plain = matplotlib.rc_context({name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"})


def sheet(width: float, height: float, *, fitted: bool = True) -> Figure:
    """A white figure of width x height inches at 150 dots an inch; ``fitted`` lets the axes find their room.

    >>> sheet(4.0, 3.0).get_facecolor()
    (1.0, 1.0, 1.0, 1.0)
    """
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    if fitted:
        figure.set_layout_engine("constrained", w_pad=0.11, h_pad=0.11)
    return figure


def quiet(axes: Axes, *, frame: bool = False) -> Axes:
    """Axes without clutter: thin grey lines, only left and bottom unless ``frame``, labels a reader can read."""
    for side, spine in axes.spines.items():
        spine.set_visible(frame or side in ("left", "bottom"))
        spine.set_color(GREY)
        spine.set_linewidth(0.8)
    axes.set_facecolor("white")
    axes.tick_params(colors=MUTED, labelsize=9, width=0.8, length=3)
    axes.xaxis.label.set(color=INK, fontsize=10)
    axes.yaxis.label.set(color=INK, fontsize=10)
    return axes


def number(value: float, digits: int = 2) -> str:
    """A number in print, with a true minus sign.

    >>> number(-88.604)
    '−88.60'
    """
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


@plain
def write(path: str | Path, figure: Figure, *, title: str, description: str) -> Path:
    """Save a figure as PNG with a title and a text alternative inside, and neither a date nor a version.

    The bytes are made first and written last, whole or not at all. Raises ValueError unless the name ends in ``.png``,
    and OSError where it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"a picture is written as PNG: got the name {str(path)!r}; give one that ends in .png")
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a title may hold any script; a box is shown
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    is_grey = bool((pixels == pixels[..., :1]).all())  # one channel is a third of the file
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if is_grey else pixels))
    words = PngInfo()
    words.add_text("Title", title)
    words.add_text("Description", description)
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=words, optimize=True, dpi=(DPI, DPI))
    durable.replace(path, buffer.getvalue())
    return path
