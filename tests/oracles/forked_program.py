"""Calls of iwax in processes of their own, forked from one that has imported it: no call pays the seconds of an import.

    with Program() as program:
        done = program.iwax("score", run, "rows.csv")       # the program, its words
        done = program.python("import os; print(os.getpid())")
        child = program.begin(["resume", run]); child.kill(); done = child.wait()

A call has its own memory, limits and folder; nothing that it does reaches another.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 240.0  # seconds for one call, unless said
# what verbs import when they are called, imported before the first fork
WARM = "iwax.cli.finish iwax.cli.trained iwax.runs iwax.report.page iwax.sklearn iwax.inference iwax.data"


@dataclass(frozen=True)
class Done:
    """How a call ended; `megabytes` are the most in memory beyond what a call has that does nothing."""

    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    megabytes: float

    @property
    def last(self) -> str:
        """The last line on stderr."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""


class Call:
    """A call that was begun."""

    def __init__(self, program: "Program", number: int, pid: int) -> None:
        self._program, self._number, self.pid = program, number, pid

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal; a process that has ended takes none."""
        if not self.ended():
            os.kill(self.pid, signum)

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._program.ask({"about": self._number})["ended"]

    def wait(self, patience: float = PATIENCE) -> Done:
        """Wait until it has ended; it is killed where that takes too long."""
        return Done(**self._program.ask({"wait": self._number, "patience": patience}))


class Program:
    """A process that has imported iwax; `before` are words to put before it, such as those that mount a small disk."""

    def __init__(self, *before: str, environment: dict[str, str] | None = None) -> None:
        command = [*before, sys.executable, "-W", "ignore", __file__]
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            env={**os.environ, "JAX_PLATFORMS": "cpu", **(environment or {})},
        )  # fmt: skip
        ready = self._process.stdout.readline() == b'"ready"\n'
        with said:
            if not ready:
                self.__exit__(None, None, None)
                raise RuntimeError(f"the program did not start: {_text(said)[-1000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """One question and its answer."""
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def begin(
        self,
        words: Sequence[object] | str,
        *,
        cwd: Path | None = None,
        environment: dict[str, str | None] | None = None,
        limits: dict[str, int] | None = None,
        first: str = "",
    ) -> Call:
        """Begin a call of the program by its words, or of Python by a text.

        `limits` are those of `resource` by name, such as RLIMIT_FSIZE; `first` is Python that runs before, in which
        `words` stand as they were given.
        """
        call = {"words": words if isinstance(words, str) else [str(word) for word in words], "first": first}
        call |= {"cwd": str(cwd) if cwd else None, "environment": environment or {}, "limits": limits or {}}
        answer = self.ask({"begin": call})
        return Call(self, answer["number"], answer["pid"])

    def iwax(self, *words: object, patience: float = PATIENCE, **how: Any) -> Done:
        """Call the program and wait; `how` as in `begin`."""
        return self.begin(words, **how).wait(patience)

    def python(self, text: str, *, patience: float = PATIENCE, **how: Any) -> Done:
        """Run Python and wait; `how` as in `begin`."""
        return self.begin(text, **how).wait(patience)


# -- the process that forks -----------------------------------------------------------------------------------------


def _serve() -> None:
    import importlib

    for name in ("iwax.cli", *WARM.split(), "pyarrow.parquet"):
        importlib.import_module(name)
    least = _least()
    _answer("ready")
    calls: dict[int, dict[str, Any]] = {}
    while line := sys.stdin.buffer.readline():
        question = json.loads(line)
        if "begin" in question:
            number = len(calls)
            calls[number] = _begun(question["begin"])
            _answer({"number": number, "pid": calls[number]["pid"]})
        elif "about" in question:
            call = calls[question["about"]]
            _answer({"ended": _ended(call)})
        else:
            _answer(_waited(calls, question["wait"], question["patience"], least))
    for call in calls.values():
        if "status" not in call:
            os.kill(call["pid"], signal.SIGKILL)


def _least() -> int:
    """Kilobytes in the memory of a call that does nothing."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.wait4(pid, 0)[2].ru_maxrss


def _answer(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _begun(call: dict[str, Any]) -> dict[str, Any]:
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 (they live as long as this process)
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be(call, files)
    return {"pid": pid, "files": files, "begun": begun}


def _be(call: dict[str, Any], files: list[Any]) -> None:
    """Be the call, in a new process, which ends here."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for place, file in enumerate(files, start=1):
            os.dup2(file.fileno(), place)
        for name, value in call["environment"].items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        tempfile.tempdir = None  # of the environment given, not as the process before the fork found it
        if call["cwd"]:
            os.chdir(call["cwd"])
        for name, value in call["limits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))
        code = _ran(call["words"], call["first"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # the traceback is what the test looks at
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code or 0)


def _ran(words: list[str] | str, first: str) -> int:
    from iwax.cli import main

    space: dict[str, Any] = {"__name__": "__call__", "words": words}
    exec(first, space)  # noqa: S102 (a test says what a call does)
    if isinstance(words, str):
        exec(words, space)  # noqa: S102
        return 0
    sys.argv = ["iwax", *words]
    main(words)
    return 0


def _ended(call: dict[str, Any], options: int = os.WNOHANG) -> bool:
    if "status" not in call:
        pid, status, usage = os.wait4(call["pid"], options)
        if pid:
            call |= {"status": status, "usage": usage, "seconds": time.monotonic() - call["begun"]}
    return "status" in call


def _waited(calls: dict[int, dict[str, Any]], number: int, patience: float, least: int) -> dict[str, Any]:
    end, pause, call = time.monotonic() + patience, 0.001, calls[number]
    while [_ended(each) for each in calls.values()] and not _ended(call):  # all, for their seconds are taken there
        if time.monotonic() > end:
            os.kill(call["pid"], signal.SIGKILL)
            _ended(call, 0)
        select.select([], [], [], pause)
        pause = min(0.02, 1.5 * pause)
    out, err = (_text(file) for file in call["files"])
    usage = call["usage"]
    return {
        "code": os.waitstatus_to_exitcode(call["status"]),
        "out": out,
        "err": err,
        "seconds": call["seconds"],
        "cpu": usage.ru_utime + usage.ru_stime,
        "megabytes": max(0.0, (usage.ru_maxrss - least) / 1024),
    }


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # calls may import the oracles, as tests do
    _serve()
