"""A figure as SVG whose text stays text, whose colours may be variables of a page, and in which nothing has an id.

Matplotlib's own SVG gives every clip path and marker an id, which clash where one page has many figures, and takes a
line for each point of a scatter plot. Here lines are cut to their axes, the markers of one colour are one path, and
neighbours of one style are a group. Lengths are points of 1/72 inch.
"""

import base64
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, Transform
from PIL import Image

__all__ = ["data_address", "svg"]

_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
_ANCHORS = {"left": ("", 0.0), "center": ("middle", 0.5), "right": ("end", 1.0)}


def svg(figure: Figure, *, title: str, description: str, variables: Mapping[str, str], root: str) -> Markup:
    """Return the figure as an ``svg`` element with a title and a text alternative.

    ``variables`` are names of CSS variables by the colours (#rrggbb) that they stand for, ``root`` is what else the
    element has.

    >>> made = svg(Figure((1, 1)), title="A & B", description="", variables={"#ffffff": "ground"}, root="")
    >>> print(made.partition("<desc>")[0])
    <svg viewBox="0 0 72 72" role="img"><title>A &amp; B</title>
    """
    drawing = _Drawing(*figure.bbox.size, figure.dpi, variables)
    figure.draw(drawing)
    width, height = 72 * figure.get_size_inches()
    head = Markup('<svg {0}viewBox="0 0 {1:g} {2:g}" role="img"><title>{3}</title><desc>{4}</desc>{5}</svg>')
    return head.format(Markup(root), width, height, title, description, drawing.elements())  # noqa: S704


class _Drawing(RendererBase):
    """Collects what a figure draws as elements: a tag, its style, its place, and what stands in it."""

    def __init__(self, width: float, height: float, dpi: float, variables: Mapping[str, str]) -> None:
        super().__init__()
        self.dpi, self._size, self._variables = dpi, (width, height), variables
        self._upright = Affine2D().scale(1, -1).translate(0, height).scale(72 / dpi)  # to points, from the top
        self._elements: list[tuple[tuple[str, str], str, str]] = []

    def elements(self) -> Markup:
        """All that was drawn; neighbours of one tag and style share a group."""
        parts = []
        for (tag, style), same in groupby(self._elements, key=itemgetter(0)):
            inner = [(place, inside) for _, place, inside in same]
            own = style if len(inner) == 1 else ""
            body = "".join(f"<{tag}{own}{place}>{inside}</{tag}>" for place, inside in inner)
            parts.append(body if own else f"<g{style}>{body}</g>")
        return Markup("".join(parts))  # noqa: S704 (text was escaped where it came in)

    def get_canvas_width_height(self) -> tuple[float, float]:
        """In pixels, as figures are laid out."""
        return self._size

    def points_to_pixels(self, points: Any) -> Any:
        """As figures are laid out."""
        return points * self.dpi / 72

    def draw_path(self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: Any = None) -> None:
        """A line, cut at the edge of its axes; or a shape."""
        self._draw(gc, path, [transform], rgbFace)

    def draw_markers(
        self, gc: GraphicsContextBase, marker_path: Path, marker_trans: Transform, path: Path, trans: Transform,
        rgbFace: Any = None,
    ) -> None:  # fmt: skip
        """One path for all markers; discs are points of a round pen."""
        places = [at[-2:] for at, _ in path.iter_segments(trans, simplify=False)]
        clip = gc.get_clip_rectangle()
        places = [at for at in places if np.isfinite(at).all() and (clip is None or clip.padded(1.0).contains(*at))]
        if gc.get_linewidth() or marker_path.codes is None or not np.isin(Path.CURVE4, marker_path.codes):
            self._draw(gc, marker_path, [marker_trans + Affine2D().translate(*at) for at in places], rgbFace)
            return
        discs = "".join(f"M{_points(at)}h0" for at in self._upright.transform(places)) if places else ""
        width = 72 / self.dpi * marker_path.get_extents(marker_trans).width
        style = f' fill="none" stroke-linecap="round" stroke-width="{width:.3g}"' + self._paint("stroke", rgbFace, gc)
        self._add("path", style, f' d="{discs}"', "", empty=not discs)

    def draw_path_collection(
        self, gc: GraphicsContextBase, master_transform: Any, paths: Any, all_transforms: Any, offsets: Any,
        offset_trans: Any, facecolors: Any, edgecolors: Any, linewidths: Any, linestyles: Any, antialiaseds: Any,
        urls: Any, offset_position: Any, *, hatchcolors: Any = None,
    ) -> None:  # fmt: skip
        """Markers of one shape and many colours, a path for each colour; all else as it comes."""
        if len(paths) == len(all_transforms) == 1 and len(facecolors) == len(offsets) > 1:
            colours, of = np.unique(facecolors, axis=0, return_inverse=True)
            gc.set_linewidth(0)
            for i, colour in enumerate(colours):
                places, shape = Path(offsets[of.ravel() == i]), Affine2D(all_transforms[0]) + master_transform
                self.draw_markers(gc, paths[0], shape, places, offset_trans, tuple(colour))
            return
        super().draw_path_collection(
            gc, master_transform, paths, all_transforms, offsets, offset_trans, facecolors, edgecolors,
            linewidths, linestyles, antialiaseds, urls, offset_position, hatchcolors=hatchcolors,
        )  # fmt: skip

    def draw_image(self, gc: GraphicsContextBase, x: float, y: float, im: Any, transform: Any = None) -> None:
        """Pixels, as a PNG inside."""
        (left, top), tall, wide = self._upright.transform((x, y + len(im))), *(72 / self.dpi * n for n in im.shape[:2])
        place = f' x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
        self._add("image", ' preserveAspectRatio="none"', f'{place} href="{data_address(im[::-1])}"', "")

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Text at the anchor that its author named, so that another font's width does no harm; formulas as shapes."""
        if ismath:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        anchor, share = _ANCHORS["left" if mtext is None else mtext.get_horizontalalignment()]
        along = share * self.get_text_width_height_descent(s, prop, False)[0] * np.exp(-1j * np.deg2rad(angle))
        left, top = (72 / self.dpi * each for each in (x + along.real, y + along.imag))
        style = f' style="--size:{prop.get_size_in_points():g}px"' + self._paint("fill", gc.get_rgb(), gc)
        style += f' text-anchor="{anchor}"' * bool(anchor) + ' font-weight="bold"' * (prop.get_weight() == "bold")
        turn = f' transform="rotate({-angle:g} {left:.1f} {top:.1f})"' if angle else ""
        self._add("text", style, f' x="{left:.1f}" y="{top:.1f}"{turn}', str(escape(s)))

    def _draw(self, gc: GraphicsContextBase, path: Path, transforms: list[Any], face: Any) -> None:
        """The same shape in some places, as one path."""
        clip = gc.get_clip_rectangle()
        filled = face is not None and not (len(face) > 3 and face[3] == 0)
        inside = None if clip is None else _sorted(self._upright.transform_bbox(clip))
        cut: Any = None if inside is None or filled else (*inside.min, *inside.max)
        outline = "".join(
            _outline(path.iter_segments(each + self._upright, clip=cut, simplify=False)) for each in transforms
        )
        style = self._paint("fill", face, gc) if filled else ' fill="none"'
        if gc.get_linewidth() and gc.get_rgb()[3:] != (0,):
            style += self._paint("stroke", gc.get_rgb(), gc) + f' stroke-width="{gc.get_linewidth():.3g}"'
            dashes: Any = gc.get_dashes()[1]
            style += f' stroke-dasharray="{" ".join(f"{each:.3g}" for each in dashes)}"' if dashes is not None else ""
        if not filled or inside is None or _holds(inside, path.get_extents(transforms[0] + self._upright)):
            self._add("path", style, f' d="{outline}"', "", empty=not outline)
            return
        left, top, wide, tall = (f"{each:.1f}" for each in inside.bounds)
        window = f' x="{left}" y="{top}" width="{wide}" height="{tall}" viewBox="{left} {top} {wide} {tall}"'
        self._add("svg", style, window, f'<path d="{outline}"/>', empty=not outline)

    def _paint(self, what: str, colour: Any, gc: GraphicsContextBase) -> str:
        alpha = gc.get_alpha() if gc.get_forced_alpha() else [*colour, 1.0][3]
        found = to_hex(colour)
        found = f"var(--{self._variables[found]})" if found in self._variables else found
        return f' {what}="{found}"' + (f' {what}-opacity="{alpha:.3g}"' if alpha < 1 else "")

    def _add(self, tag: str, style: str, place: str, inside: str, *, empty: bool = False) -> None:
        if not empty:
            self._elements.append(((tag, style), place, inside))


def data_address(pixels: np.ndarray) -> str:
    """A PNG of [h, w, 4] uint8 as a data address; grey and opaque if it can be, for fewer bytes.

    >>> data_address(np.zeros((1, 1, 4), np.uint8))[:22]
    'data:image/png;base64,'
    """
    grey, opaque = bool((pixels[..., :3] == pixels[..., :1]).all()), bool((pixels[..., 3] == 255).all())
    fewer = {(True, True): pixels[..., 0], (True, False): pixels[..., [0, 3]], (False, True): pixels[..., :3]}
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(fewer.get((grey, opaque), pixels))).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _sorted(box: Bbox) -> Bbox:
    return Bbox([box.min, box.max])


def _holds(window: Bbox, box: Bbox) -> bool:
    """Whether a box lies in a window, to a point."""
    below, beyond = np.subtract(box.min, window.min), np.subtract(window.max, box.max)
    return bool((below >= -1).all() and (beyond >= -1).all())


def _outline(segments: Iterator[Any]) -> str:
    """The text of a path, without what is not finite and without points at which it is already."""
    parts, last = [], ""
    for at, code in segments:
        if code == Path.CLOSEPOLY:
            parts.append("Z")
        elif code in _LETTERS and np.isfinite(at).all() and (here := _LETTERS[code] + _points(at)) != last:
            last = here
            parts.append(here)
    return "".join(parts)


def _points(at: Any) -> str:
    """Coordinates to a tenth of a point.

    >>> _points([1.25, 3.0])
    '1.2,3'
    """
    return ",".join(f"{round(float(each), 1):g}" for each in at)
