"""What a diagnosis found, as tables on stdout, and as pictures and one JSON document in a folder."""

import math
from pathlib import Path
from typing import Any

from iwax.cli.terminal import Terminal
from iwax.report.figures import of_diagnosis
from iwax.runs.run import Run
from iwax.storage import durable, strict_json

__all__ = ["show", "write"]

GAP = {
    "log_evidence": "log p(x)",
    "approximation": "- approximation gap",
    "best": "= ELBO of the best q(z)",
    "amortisation": "- amortisation gap",
    "amortised": "= ELBO of q(z|x)",
}
AGGREGATE = {
    "mutual_information": "mutual information of z and the row",
    "divergence": "+ KL(q(z) || p(z))",
    "kl": "= KL(q(z|x) || p(z))",
}


def show(terminal: Terminal, found: dict[str, Any]) -> None:
    """Every part that there is, as a table, with the errors next to the numbers."""
    if found["gap"]:
        gap = found["gap"]
        title = f"inference gap, {gap['rows']} rows, q(z) a {gap['family']}"
        _parts(terminal, gap, GAP, title)
    if found["convergence"]:
        _convergence(terminal, found["convergence"])
    if found["units"]:
        units = found["units"]
        rows = [
            (
                f"{i + 1}",
                f"{active}/{len(layer['activity'])}",
                f"{sum(layer['kl']):.2f}",
                f"{max(layer['kl']):.2f}" if len(layer["kl"]) == len(layer["activity"]) else "not by unit",
            )
            for i, (layer, active) in enumerate(zip(units["layers"], units["active_units"], strict=True))
        ]
        title = f"latent units, {units['rows']} rows; active: variance of the posterior mean above "
        title += f"{units['active_units_threshold']}"
        terminal.table(("layer", "active units", "KL, nats", "largest of a unit"), rows, title=title)
    if found["aggregate"]:
        aggregate = found["aggregate"]
        title = f"aggregate posterior q(z) of {aggregate['rows']} rows (mutual information at most "
        _parts(terminal, aggregate, AGGREGATE, f"{title}log N = {aggregate['limit']:.2f})")
    if found["signal_to_noise"]:
        _signal(terminal, found["signal_to_noise"])


def _parts(terminal: Terminal, part: dict[str, Any], names: dict[str, str], title: str) -> None:
    rows = [
        (words, *(_number(part[name][kind]) for kind in ("mean", "standard_error", "monte_carlo_error")))
        for name, words in names.items()
    ]
    terminal.table(("nats", "mean", "+/- over data", "+/- over draws"), rows, title=title)


def _convergence(terminal: Terminal, part: dict[str, Any]) -> None:
    names = ("bound", "monte_carlo_error", "gain", "gain_error")
    rows = [
        (f"{k:,}", *map(_number, values)) for k, *values in zip(part["k"], *(part[name] for name in names), strict=True)
    ]
    over_data = _number(part["standard_error"][-1])
    title = f"expected bound in k, {part['rows']} rows (+/- {over_data} over data, all k alike)"
    headers = ("k", "bound, nats", "+/- over draws", "gain on the k before", "+/- over data, paired")
    terminal.table(headers, rows, title=title)


def _signal(terminal: Terminal, part: dict[str, Any]) -> None:
    ks = list(dict.fromkeys(k for curve in part["curves"] for k in curve["k"]))
    rows = []
    for curve in part["curves"]:
        for group, values in curve["groups"].items():
            words = map(_between, values["rms"], values["low"], values["high"])
            cells = dict(zip(curve["k"], words, strict=True))
            rows.append((curve["name"], group, *(cells.get(k, "") for k in ks)))
    title = "gradient |mean|/sd, root mean square over parameters (one standard error down and up), "
    title += f"{part['rows']} rows, {part['repeats']} repeats"
    terminal.table(("objective", "parameters", *(f"k={k}" for k in ks)), rows, title=title)


def _between(rms: float, low: float, high: float) -> str:
    return f"{rms:.3g} ({low:.3g}-{high:.3g})" if low > 0 else f"< {high:.3g}"


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}"


def write(folder: Path, found: dict[str, Any], run: Run, *, document: str) -> list[Path]:
    """Write the pictures and then the document into a folder; return the paths. A run seals what lies in its folder."""
    drawn = {f"{name}.png": picture.png() for name, picture in of_diagnosis(run, found).items()}
    files = {**drawn, document: strict_json.canonical(strict_json.finite(found))}
    if folder.parent == run.path:
        run.folder.write({f"{folder.name}/{name}": contents for name, contents in files.items()})
    else:
        folder.mkdir(parents=True, exist_ok=True)
        for name, contents in files.items():
            durable.replace(folder / name, contents)
    return [folder / name for name in files]
