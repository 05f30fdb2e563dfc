"""The decoder in the reader's browser: its arrays, what it can draw, and its page."""

__all__: list[str] = []
