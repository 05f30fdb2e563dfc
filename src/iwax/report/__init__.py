"""Pictures of trained models."""

from iwax.report import figures
from iwax.report.figures import marginals, posterior_shape

__all__ = ["figures", "marginals", "posterior_shape"]
