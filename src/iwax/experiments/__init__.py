"""The former name of `iwax.runs` and `iwax.settings`: gives their names with a warning, for one release."""

from iwax import former_names

__all__: list[str] = []

__getattr__ = former_names.of(__name__)
