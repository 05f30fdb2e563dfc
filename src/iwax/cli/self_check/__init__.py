"""`iwax doctor --self-check`: the quick checks of the reliability scorecard, on the machine that one has."""

from iwax.cli.self_check.check import Check, Finding, NotHere, measured

__all__ = ["Check", "Finding", "NotHere", "measured"]
