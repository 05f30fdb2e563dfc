"""`iwax doctor`: is everything here, and does it count right?"""

import importlib.metadata
import os
import platform
import time

import typer

from iwax.cli.terminal import Terminal

__all__ = ["doctor"]

LIBRARIES = ("iwax", "jax", "jaxlib", "equinox", "optax", "numpyro", "numpy", "scipy", "scikit-learn", "typer")


def doctor(context: typer.Context) -> None:
    """Show versions, devices and data found, and test the arithmetic against an exact answer (ten seconds)."""
    import jax

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
    terminal.document(report)
    if not test["passed"]:
        raise ArithmeticError(
            f"the self-test failed: log p(x) = {test['exact']:.6f} exactly, {test['estimate']:.6f} by importance "
            f"sampling, allowed difference {test['allowed']:.6f}; these libraries or this device cannot be trusted"
        )


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
