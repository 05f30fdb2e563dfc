"""File formats: bytes in, arrays out, one format per file. Every mistake is a ValueError that names the file."""

__all__: list[str] = []  # a reader is imported from the file of its format
