"""`iwax doctor --self-check`: the quick checks of the reliability scorecard, on the machine that one has."""

__all__: list[str] = []
