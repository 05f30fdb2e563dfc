"""One run, or several, as a page that a person reads from top to bottom: one HTML file that asks for nothing else."""

from iwax.report.page.compose import LARGEST, compose

__all__ = ["LARGEST", "compose"]
