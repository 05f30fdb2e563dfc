"""The peers: an environment of their own, made once, and a process for each that trains when asked to.

    python benchmarks/peers.py      makes the environment

It lies in ``$IWAX_BENCHMARK_ENV``, or in the user's cache folder. PyTorch's CPU build is enough; where pip would choose
another, name its index: ``PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import pooch

REQUIREMENTS = ("torch==2.13.0", "pythae==0.1.2")
NAMES = {
    "eager": "eager PyTorch",
    "autocast": "eager PyTorch, bfloat16",
    "compiled": "torch.compile",
    "pythae": "pythae",
}


def folder() -> Path:
    """Where the environment lies."""
    return Path(os.environ.get("IWAX_BENCHMARK_ENV") or Path(pooch.os_cache("iwax")) / "benchmark-peers")


def environment() -> Path:
    """The Python of the peers' environment, which is made where it is missing or holds something else."""
    place = folder()
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made = place / "requirements.txt"  # written last, so that a half-made environment is made again
    wanted = "\n".join(REQUIREMENTS) + "\n"
    if not (made.is_file() and made.read_text(encoding="utf-8") == wanted):
        print(f"making the peers' environment in {place}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        made.write_text(wanted, encoding="utf-8")
    return python


def versions(*names: str) -> dict[str, str]:
    """The versions of the peers' packages, as installed; of all of them, or of those named."""
    names = names or tuple(requirement.partition("==")[0] for requirement in REQUIREMENTS)
    program = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    return json.loads(subprocess.run([environment(), "-c", program], check=True, capture_output=True).stdout)


class Peer:
    """A process that holds a peer's model and trains it for a number of steps when asked to; a context manager."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        script = Path(__file__).with_name("peer_worker.py")
        self.process = subprocess.Popen(
            [environment(), str(script), name, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.asks, self.answers = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)

    def seconds_a_step(self, *, batch: int, k: int, steps: int) -> float:
        """Train for so many steps; raises RuntimeError where the process has died."""
        self.asks.write(json.dumps({"batch": batch, "k": k, "steps": steps}) + "\n")
        self.asks.flush()
        answer = self.answers.readline()
        if not answer:
            raise RuntimeError(f"the peer {self.name} stopped with exit code {self.process.wait()}")
        return json.loads(answer)["seconds"]

    def __enter__(self) -> "Peer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.asks.close()
        self.process.wait()


if __name__ == "__main__":
    print(environment())
