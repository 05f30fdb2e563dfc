"""`iwax doctor`: is everything here, and does it count right?"""

import importlib.metadata
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.terminal import Terminal

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
    """
    import jax

    if self_check:
        _watch_imports()
    from iwax.cli.self_test import self_test
    from iwax.data import registry

    terminal: Terminal = context.obj
    report: dict[str, object] = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "devices": [_name(device.platform, device.device_kind) for device in jax.devices()],
        "data_folder": os.environ.get("IWAX_DATA"),
        "data": {name: registry.whereabouts(name) for name in registry.names()},
    }
    terminal.say("testing the arithmetic against an exact answer ...")
    start = time.perf_counter()
    test = self_test()
    report["self_test"] = {**test, "seconds": round(time.perf_counter() - start, 2)}
    _show(terminal, report, test)
    found = _checked(terminal) if self_check else []
    report |= {"self_check": found} if self_check else {}
    terminal.document(report)
    if not test["passed"]:
        raise ArithmeticError(
            f"the self-test failed: log p(x) = {test['exact']:.6f} exactly, {test['estimate']:.6f} by importance "
            f"sampling, allowed difference {test['allowed']:.6f}; these libraries or this device cannot be trusted"
        )
    failed = [f"{row['id']} ({row['figure']})" for row in found if row["verdict"] == "FAIL"]
    if failed:
        raise ArithmeticError(f"{len(failed)} of {len(found)} checks fail on this machine: {'; '.join(failed)}")


def _watch_imports() -> None:
    """Import what verbs import, under the eyes of an audit, for a check to tell of what it did."""
    from iwax.cli.self_check import audit

    with audit.watched() as events:
        import iwax.cli.self_check.checks
        import iwax.experiments
        import iwax.report
        import iwax.sklearn  # noqa: F401
    audit.AT_IMPORT.append(events)


def _checked(terminal: Terminal) -> list[dict[str, Any]]:
    """The rows of all checks, as a table too. Files are written below the current folder, where runs are, if may be."""
    from iwax.cli.self_check.check import measured
    from iwax.cli.self_check.checks import CHECKS

    where = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path(tempfile.gettempdir())
    found = []
    for check in CHECKS:
        terminal.say(f"checking {check.id}: {check.what} ...")
        with tempfile.TemporaryDirectory(prefix=".iwax-check-", dir=where) as folder:
            found.append(measured(check, Path(folder)))
    passed = sum(row["verdict"] == "PASS" for row in found)
    title = f"{passed} of {len(found)} checks pass here, with files in {where}"
    terminal.table(("id", "check", "verdict", "figure", "s"), [tuple(row.values()) for row in found], title=title)
    return found


def _name(platform: str, kind: str) -> str:
    return platform if kind.lower() == platform else f"{platform}: {kind}"


def _show(terminal: Terminal, report: dict, test: dict) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    found = [name for name, where in report["data"].items() if where in ("embedded", "here")]
    absent = [name for name in report["data"] if name not in found]
    terminal.data(f"python     {report['python']} on {report['machine']}")
    terminal.data(f"versions   {versions}")
    terminal.data(f"devices    {'; '.join(report['devices'])}")
    terminal.data(f"IWAX_DATA  {report['data_folder'] or 'not set'}")
    terminal.data(f"data here  {', '.join(found) or 'none'}")
    terminal.data(f"not here   {', '.join(absent) or 'none'}  (iwax data get NAME)")
    terminal.data(
        f"self-test  {'passed' if test['passed'] else 'FAILED'}: log p(x) = {test['exact']:.4f} nats exactly, "
        f"{test['estimate']:.4f} by importance sampling (k={test['k']}, {report['self_test']['seconds']} s)"
    )
