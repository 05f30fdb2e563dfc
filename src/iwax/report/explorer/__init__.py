"""The decoder in the reader's browser: its arrays, what it can draw, and its page."""

from iwax.report.explorer.explorer import LARGEST_WEIGHTS, explorer

__all__ = ["LARGEST_WEIGHTS", "explorer"]
