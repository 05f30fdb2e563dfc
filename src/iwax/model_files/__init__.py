"""Models made in Python, saved in one file and loaded again: ``iwax.save(path, model)`` and ``iwax.load(path)``.

The file is a safetensors document: the arrays under readable names, and in its metadata a description of the model in
JSON, which names iwax's own parts from a fixed list and holds numbers and words alone. Nothing in it is ever run. A
SHA-256 covers every byte. A run folder of ``iwax train`` is opened with ``iwax.open_run``.
"""

from iwax.model_files.file import ModelFileError, load, save

__all__ = ["ModelFileError", "load", "save"]
