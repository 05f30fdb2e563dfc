"""Pictures of trained models."""

from iwax.report import figures, posterior_shape

__all__ = ["figures", "posterior_shape"]
