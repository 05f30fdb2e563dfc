"""Pictures of trained models, and the report of a run as one page."""

from iwax.report import figures
from iwax.report.figures import marginals, posterior_shape
from iwax.report.writing import write

__all__ = ["figures", "marginals", "posterior_shape", "write"]
