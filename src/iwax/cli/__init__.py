"""The command line: one file a verb; parse, build, call, print."""

from iwax.cli.app import main

__all__ = ["main"]
