"""Files that survive a crash and execute nothing: checkpoints, manifests, records, locks and sealed folders."""

from iwax import former_names

__all__: list[str] = []

__getattr__ = former_names.of(__name__)
