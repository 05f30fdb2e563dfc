"""`iwax doctor`: is everything here, and does it count right?"""

import importlib.metadata
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.later import later, load
from iwax.cli.self_check import audit
from iwax.cli.self_check.check import measured
from iwax.cli.terminal import Terminal

with later():
    import jax

    from iwax import report, runs, sklearn
    from iwax.cli.self_check import arithmetic, checks
    from iwax.data import registry

__all__ = ["doctor"]

LIBRARIES = ("iwax", "jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "scikit-learn", "typer")


SelfCheck = Annotated[
    bool,
    typer.Option("--self-check", help="Also make the quick checks of the reliability scorecard here (2-3 minutes)."),
]


def doctor(context: typer.Context, self_check: SelfCheck = False) -> None:
    """Show versions, devices and data found, and test the arithmetic against an exact answer (ten seconds).

    With --self-check also what depends on this machine: its file system, its arithmetic in both precisions, that
    trainings repeat bit for bit, that memory does not grow. The exit code is 1 where anything fails.

    Example: iwax doctor --self-check
    """
    terminal: Terminal = context.obj
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "devices": [_name(device.platform, device.device_kind) for device in jax.devices()],
    }
    if self_check:
        with audit.watched() as events:  # what verbs import, for a check to report
            for module in (runs, report, sklearn, checks):
                load(module)
        audit.AT_IMPORT.append(events)
    found["data_folder"] = os.environ.get("IWAX_DATA")
    found["data"] = {name: registry.availability(name) for name in registry.names()}
    terminal.say("testing the arithmetic against an exact answer ...")
    start = time.perf_counter()
    test = arithmetic.self_test()
    found["self_test"] = {**test, "seconds": round(time.perf_counter() - start, 2)}
    _show(terminal, found, found["self_test"])
    rows = _checked(terminal) if self_check else []
    terminal.document(found | ({"self_check": rows} if self_check else {}))
    if not test["passed"]:
        raise ArithmeticError(
            f"the self-test failed: log p(x) = {test['exact']:.6f} exactly, {test['estimate']:.6f} by importance "
            f"sampling, allowed difference {test['allowed']:.6f}; these libraries or this device cannot be trusted"
        )
    failed = [f"{row['id']} ({row['figure']})" for row in rows if row["verdict"] == "FAIL"]
    if failed:
        raise ArithmeticError(f"{len(failed)} of {len(rows)} checks fail on this machine: {'; '.join(failed)}")


def _checked(terminal: Terminal) -> list[dict[str, Any]]:
    """The rows of all checks, as a table too. Files are written below the current folder, where runs are, if may be."""
    where = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path(tempfile.gettempdir())
    found = []
    for check in checks.CHECKS:
        terminal.say(f"checking {check.id}: {check.what} ...")
        with tempfile.TemporaryDirectory(prefix=".iwax-check-", dir=where) as folder:
            found.append(measured(check, Path(folder)))
    passed = sum(row["verdict"] == "PASS" for row in found)
    title = f"{passed} of {len(found)} checks pass here, with files in {where}"
    terminal.table(("id", "check", "verdict", "figure", "s"), [tuple(row.values()) for row in found], title=title)
    return found


def _name(platform: str, kind: str) -> str:
    return platform if kind.lower() == platform else f"{platform}: {kind}"


def _show(terminal: Terminal, found: dict[str, Any], test: dict[str, Any]) -> None:
    here = [name for name, where in found["data"].items() if where in ("embedded", "here")]
    lines = {
        "python": f"{found['python']} on {found['machine']}",
        "versions": ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        "devices": "; ".join(found["devices"]),
        "IWAX_DATA": found["data_folder"] or "not set",
        "data here": ", ".join(here) or "none",
        "not here": f"{', '.join(name for name in found['data'] if name not in here) or 'none'}  (iwax data get NAME)",
        "self-test": f"{'passed' if test['passed'] else 'FAILED'}: log p(x) = {test['exact']:.4f} nats exactly, "
        f"{test['estimate']:.4f} by importance sampling (k={test['k']}, {test['seconds']} s)",
    }
    for name, text in lines.items():
        terminal.data(f"{name:<11}{text}")
