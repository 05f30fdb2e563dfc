"""Published tables: what they print, which runs reproduce their rows, and the pages that show both."""

__all__: list[str] = []
