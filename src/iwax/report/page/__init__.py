"""One run, or several, as a page that a person reads from top to bottom: one self-contained HTML file."""

from iwax.report.page.compose import LARGEST, compose

__all__ = ["LARGEST", "compose"]
