"""A reporter hears how a run goes: the command line shows it, a script need not."""

from typing import Literal, Protocol, TypeAlias

from iwax.training import Progress

__all__ = ["Reporter", "Silent", "Work"]

Work: TypeAlias = Literal["training", "evaluation"]


class Reporter(Protocol):
    """What is reported while a run trains or is measured; none of it changes the run."""

    def note(self, text: str) -> None:
        """A line of information."""
        ...

    def warning(self, text: str) -> None:
        """A line that matters even where no others are wanted."""
        ...

    def begun(self, work: Work) -> None:
        """A work has begun: its first step is compiled, and nothing is heard of it until that is done."""
        ...

    def training(self, progress: Progress) -> None:
        """Where training stands, after every compiled segment of at most two seconds."""
        ...

    def evaluation(self, done: int, total: int) -> None:
        """How many of the rows have been measured."""
        ...


class Silent:
    """A reporter that does nothing.

    >>> Silent().note("all is well")
    """

    def note(self, text: str) -> None:
        """Do nothing."""

    def warning(self, text: str) -> None:
        """Do nothing."""

    def begun(self, work: Work) -> None:
        """Do nothing."""

    def training(self, progress: Progress) -> None:
        """Do nothing."""

    def evaluation(self, done: int, total: int) -> None:
        """Do nothing."""
