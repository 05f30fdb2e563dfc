"""What a diagnosis found, as tables on stdout, and as pictures and one JSON document in a folder."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from iwax import evaluation
from iwax.cli.terminal import Terminal
from iwax.cli.trained import key_of
from iwax.report.figures import Picture, diagnosis, posterior_shape
from iwax.runs.run import Run
from iwax.storage import durable, strict_json

__all__ = ["keep", "tell"]

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
SHAPED = 4  # rows of the picture of posteriors in a plane


def tell(terminal: Terminal, found: dict[str, Any]) -> None:
    """Every part that there is, as a table, with the errors beside the numbers."""
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


def keep(folder: Path, found: dict[str, Any], trained: Run, *, document: str) -> list[Path]:
    """Draw what there is to draw and write the document last; the paths written. A run says what its own files are."""
    if folder.parent != trained.path:
        return _kept(folder, found, trained, document=document)
    with TemporaryDirectory() as scratch:
        written = _kept(Path(scratch), found, trained, document=document)
        trained.folder.write({f"{folder.name}/{path.name}": path.read_bytes() for path in written})
    return [folder / path.name for path in written]


def _kept(folder: Path, found: dict[str, Any], trained: Run, *, document: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Picture] = {}
    if found["convergence"]:
        levels = (
            {"log p(x), by q and the best q together,": found["gap"]["log_evidence"]["mean"]} if found["gap"] else {}
        )
        drawn["convergence"] = diagnosis.convergence(found["convergence"], levels=levels)
    if found["units"]:
        units = found["units"]
        drawn["kl_per_unit"] = diagnosis.kl_per_unit(units["layers"], threshold=units["active_units_threshold"])
    if found["signal_to_noise"]:
        panels, note = _panels(found["signal_to_noise"])
        drawn["signal_to_noise"] = diagnosis.signal_to_noise(panels, note=note)
    if trained.latents == (2,):
        drawn["posterior_shape"] = _shape(trained, found)
    written = [picture.write(folder / f"{name}.png") for name, picture in drawn.items()]
    durable.replace(folder / document, strict_json.canonical(strict_json.finite(found)))
    return [*written, folder / document]


def _panels(part: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """A panel for encoder, decoder and prior, with the curves of every objective."""
    groups = [group for group in ("encoder", "decoder", "prior") if all(group in c["groups"] for c in part["curves"])]
    words = f"batches of {part['rows']} rows, {part['repeats']} repeats; bars: one standard error"
    curves = {
        group: [{"name": c["name"], "k": c["k"], **c["groups"][group]} for c in part["curves"]] for group in groups
    }
    return curves, words


def _shape(trained: Run, found: dict[str, Any]) -> Picture:
    x = trained.rows(found["split"])[:SHAPED]
    plane = evaluation.posterior_plane(trained.model, x, key=key_of(found["seed"]))
    return posterior_shape.posterior_shape(plane, x, trained.shape)
