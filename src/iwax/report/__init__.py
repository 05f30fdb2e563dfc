"""Pictures of trained models."""

from iwax.report import figures

__all__ = ["figures"]
