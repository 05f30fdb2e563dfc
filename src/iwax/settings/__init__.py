"""Settings: the configuration of a run, its keys and presets, and the parts and objective that it builds."""

from iwax.settings.config import Config

__all__ = ["Config"]
