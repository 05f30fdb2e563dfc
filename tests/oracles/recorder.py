"""A reporter that remembers what was reported to it."""

from iwax.runs import Silent
from iwax.training import Progress


class Recorder(Silent):
    """Notes, warnings, progress of a training, and (done, total) rows of a measurement, in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.progress: list[Progress] = []
        self.rows: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def training(self, progress: Progress) -> None:
        self.progress.append(progress)

    def evaluation(self, done: int, total: int) -> None:
        self.rows.append((done, total))
