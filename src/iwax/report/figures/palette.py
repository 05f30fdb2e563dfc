"""The colours of all pictures, and the names under which a page has them, light and dark (page/files/style.css)."""

__all__ = ["FAINT", "GREY", "GROUND", "INK", "LINES", "MUTED", "PALETTE", "VARIABLES"]

GROUND, INK, MUTED, GREY, FAINT = "#ffffff", "#202427", "#565d64", "#9aa0a6", "#d5d9dd"
# Ten colours that people with each kind of colour blindness can distinguish, made for scatter plots, a little darker
# than those of Petroff, "Accessible color sequences for data visualization" (2021), arXiv:2107.02270.
PALETTE = (
    "#2f7fc8",
    "#e08e00",
    "#bd1f01",
    "#84958f",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#a19853",
    "#5f6370",
    "#4fb3b8",
)
LINES = tuple(PALETTE[i] for i in (0, 6, 4, 2, 5, 8))  # those that stand out as thin lines on white

VARIABLES = {GROUND: "ground", INK: "ink", MUTED: "soft", GREY: "grey", FAINT: "line"}  # of style.css, by colour
VARIABLES |= {colour: f"p{i}" for i, colour in enumerate(PALETTE)}
