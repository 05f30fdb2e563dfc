"""A run as its report shows it: its rows, its measurement, and the panels and tables of which a page is made."""

from iwax.report.view.run_view import RunView, open_view

__all__ = ["RunView", "open_view"]
