"""The tables of README.md, made from the results files.

python benchmarks/tables.py
"""

import json
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
from machine import RESULTS

README = Path(__file__).with_name("README.md")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def provenance(result: dict[str, Any]) -> str:
    """With what, on what and when a result was made."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    device = "" if result.get("device", "cpu") == "cpu" else f"{result['device']}, "
    where = f"{device}{result['processor']}, {result['threads']} threads"
    return f"`{result['command']}`, {result['date']}: {where}; {versions}."


def spread(summary: dict[str, float], digits: int = 2) -> str:
    """Median and quartiles."""
    return f"{summary['median']:.{digits}f} ({summary['lower']:.{digits}f}-{summary['upper']:.{digits}f})"


def step(result: dict[str, Any]) -> str:
    """A row for each cell: the step and its ceilings; then the step in mixed precision and those of the peers."""
    others = {"mixed": "mixed precision", **peers.NAMES}
    here = [name for name in others if name in result["over_cells"]]
    ceilings, compared = [], []
    for cell in result["cells"]:
        median = {name: summary["median"] for name, summary in cell["milliseconds"].items()}
        ratios = cell["ratios"]
        first = [str(cell["batch"]), str(cell["k"]), f"{median['iwax']:.2f}"]
        row = [f"{median['products']:.2f}", spread(ratios["products"]), f"{median['adam']:.2f}"]
        row += [f"{median['random_numbers']:.3f}", spread(ratios["products_adam_random_numbers"])]
        ceilings.append([*first, *row])
        compared.append(first + [column for n in here for column in (f"{median[n]:.2f}", spread(ratios[n]))])
    head = ["batch", "k", "step, ms"]
    parts = [table([*head, "products, ms", "(a)", "Adam, ms", "random numbers, ms", "(b)"], ceilings)]
    if here:
        parts.append(table(head + [column for n in here for column in (f"{others[n]}, ms", "times")], compared))
        times = [[others[n], over_cells(result, n), over_cells(result, f"{n}_mixed")] for n in here]
        parts.append(table(["geometric mean of times, and the least", "the step", "in mixed precision"], times))
    return "\n\n".join([*parts, provenance(result)])


def over_cells(result: dict[str, Any], name: str) -> str:
    """The geometric mean of a ratio over the cells, and its least; nothing where it was not taken."""
    each = result["over_cells"].get(name)
    return "" if each is None else f"{each['geometric_mean']:.2f}, {each['least']:.2f}"


def evaluation(result: dict[str, Any]) -> str:
    """One row: an evaluation relative to the decoder's products."""
    head = ["images", "k", "evaluation, ms an image", "decoder's products, ms an image", "ratio"]
    milliseconds = result["milliseconds"]
    row = [str(result["images"]), str(result["k"])]
    row += [f"{milliseconds['evaluation']['median']:.2f}", f"{milliseconds['products']['median']:.2f}"]
    return "\n".join([table(head, [[*row, spread(result["ratio"])]]), "", provenance(result)])


def annealed(result: dict[str, Any]) -> str:
    """One row: images annealed in a minute, relative to the decoder's products of as many leapfrog steps."""
    names = ["images", "chains", "temperatures", "leapfrog"]
    head = [*names[:3], "leapfrog steps", "images a minute", "by the products alone", "ratio"]
    rate = result["images_per_minute"]
    row = [f"{result[name]:,}" for name in names]
    row += [f"{rate['evaluation']['median']:.1f}", f"{rate['products']['median']:.1f}", spread(result["ratio"])]
    return "\n".join([table(head, [row]), "", provenance(result)])


GOALS = (-95, -92, -90, -89)  # nats


def crossing(points: list[dict[str, float]], goal: float) -> float | None:
    """The seconds at which log p(x) came to a goal, on the line between two models that were measured."""
    last = {"seconds": 0.0, "log_evidence": -math.inf}
    for point in points:
        if point["log_evidence"] >= goal:
            rise = point["log_evidence"] - last["log_evidence"]
            part = 1.0 if math.isinf(rise) else (goal - last["log_evidence"]) / rise
            return last["seconds"] + part * (point["seconds"] - last["seconds"])
        last = point
    return None


def seconds_to(runs: list[list[dict[str, float]]], goal: float) -> str:
    """The median over seeds of the seconds to a goal, and their range; how many came to it, where not all did."""
    found = sorted(each for each in (crossing(points, goal) for points in runs) if each is not None)
    if not found:
        return "not reached"
    some = f"{statistics.median(found):.0f} ({found[0]:.0f}-{found[-1]:.0f})" if len(found) > 1 else f"{found[0]:.0f}"
    return some if len(found) == len(runs) else f"{some}, {len(found)} of {len(runs)} seeds"


def race(result: dict[str, Any]) -> str:
    """A row for each contestant: seconds to log p(x), and where it ended."""
    head = ["contestant", "seeds", *(f"s to {goal}" for goal in GOALS), "s in all", "test log p(x) at the end, nats"]
    rows = []
    for name, seeds in result["points"].items():
        runs = list(seeds.values())
        ends = [points[-1]["log_evidence"] for points in runs]
        seconds = statistics.median(points[-1]["seconds"] for points in runs)
        spread = f" +/- {statistics.stdev(ends):.2f}" if len(ends) > 1 else ""
        row = [name, str(len(runs)), *(seconds_to(runs, goal) for goal in GOALS), f"{seconds:.0f}"]
        rows.append([*row, f"{statistics.mean(ends):.2f}{spread}"])
    words = (
        f"{result['epochs']} epochs; log p(x) of {result['test']:,} test images at k = {result['draws']:,}; "
        "+/- is the standard deviation over seeds."
    )
    return "\n".join([table(head, rows), "", words, "", provenance(result)])


def estimators(result: dict[str, Any]) -> str:
    """A row for each bound and estimator: its step relative to that of pathwise IWAE."""
    rows = [
        [name, f"{result['milliseconds'][name]['median']:.2f}", spread(ratio)]
        for name, ratio in result["ratio"].items()
    ]
    words = f"Batch {result['batch']}, k = {result['k']}."
    return "\n".join([table(["estimator and bound", "step, ms", "ratio"], rows), "", words, "", provenance(result)])


def posteriors(result: dict[str, Any]) -> str:
    """A row for each preset: its step, and its products, relative to those of the plain net."""
    rows = [
        [name, f"{result['milliseconds'][name]['median']:.2f}", spread(ratio), f"{result['products'][name]:.2f}"]
        for name, ratio in result["ratio"].items()
        if name in result["products"]
    ]
    head = ["preset", "step, ms", "ratio", "ratio of its products"]
    words = [f"Batch {result['batch']}, k = 1."]
    words += [
        f"The {name}, forward and back: {result['milliseconds'][name]['median']:.2f} ms; the step of vamp is "
        f"{spread(result['vamp'])} times the sum of these and the step of gated-vae."
        for name in result["ratio"]
        if name not in result["products"]
    ]
    return "\n".join([table(head, rows), "", " ".join(words), "", provenance(result)])


def networks(result: dict[str, Any]) -> str:
    """A row for each preset of each family: its step, and its products, relative to those of the family's first."""
    head = ["family", "preset", "k", "step, ms", "ratio", "ratio of its products"]
    rows = [
        [
            *(family, name, str(one["k"]), f"{one['milliseconds'][name]['median']:.2f}"),
            *(spread(ratio), f"{one['products'][name]:.2f}"),
        ]
        for family, one in result["families"].items()
        for name, ratio in one["ratio"].items()
    ]
    return "\n".join([table(head, rows), "", provenance(result)])


def convolutions(result: dict[str, Any]) -> str:
    """A row for each network: its step relative to its own products, and to eager PyTorch."""
    head = ["network", "batch", "k", "step, ms", "products, ms", "(a)", "eager PyTorch, ms", "step / eager PyTorch"]
    rows = []
    for name, one in result["networks"].items():
        median = {each: summary["median"] for each, summary in one["milliseconds"].items()}
        row = [name, str(one["batch"]), str(one["k"]), f"{median['iwax']:.1f}", f"{median['products']:.1f}"]
        row.append(spread(one["ratios"]["products"]))
        if "eager" in median:
            eager = one["ratios"]["eager"]
            inverse = {"median": 1 / eager["median"], "lower": 1 / eager["upper"], "upper": 1 / eager["lower"]}
            row += [f"{median['eager']:.1f}", spread(inverse)]
        rows.append(row)
    return "\n".join([table(head[: len(rows[0])], rows), "", provenance(result)])


def memory(result: dict[str, Any]) -> str:
    """A row for each k: the peak of resident memory."""
    head = ["k", "peak, MiB", "times the first", "seconds"]
    first = result["runs"][0]["peak_bytes"]
    rows = [
        [
            f"{run['k']:,}",
            f"{run['peak_bytes'] / 2**20:.0f}",
            f"{run['peak_bytes'] / first:.3f}",
            f"{run['seconds']:.0f}",
        ]
        for run in result["runs"]
    ]
    return "\n".join([table(head, rows), "", provenance(result)])


def cost(result: dict[str, Any]) -> str:
    """A row for each point: one quantity changed at a time."""
    head = ["changed", "to", "step, ms", "times the base", "seconds for a million rows", "peak, MiB"]
    rows = []
    for name, values in result["grid"].items():
        for value in values:
            asked = {**result["base"], name: value}
            point = next(each for each in result["points"] if all(each[key] == asked[key] for key in asked))
            step = point["milliseconds"]["median"]
            row = [name, f"{value:,}", f"{step:.2f}", spread(point["ratio"]), f"{step * 1e3 / result['batch']:.0f}"]
            rows.append([*row, f"{point['peak_bytes'] / 2**20:,.0f}"])
    base = ", ".join(f"{key} {value:,}" for key, value in result["base"].items())
    return "\n".join([table(head, rows), "", f"The base: {base}; batch {result['batch']}.", "", provenance(result)])


def large_table(result: dict[str, Any]) -> str:
    """A row for one process, and one for workers of which one was killed."""
    names = {"process": "one process", "ray": f"{result['workers']} workers of Ray, one killed"}
    head = ["engine", "rows", "columns", "k", "files written", "seconds", "rows a second"]
    rows = [
        [
            *(name, f"{result['rows']:,}", str(result["columns"]), str(result["k"]), str(result["files"])),
            *(f"{result['seconds'][engine]:.0f}", f"{result['rows'] / result['seconds'][engine]:,.0f}"),
        ]
        for engine, name in names.items()
    ]
    words = "Both wrote the same bytes. Seconds hold both readings, the compilation and, of Ray, its start."
    return "\n".join([table(head, rows), "", words, "", provenance(result)])


def on_disk(result: dict[str, Any]) -> str:
    """A row for each kind of data: what a run takes before its first step and at its peak, and how fast steps are."""
    head = [
        "data",
        "files",
        "GB",
        "rows",
        "peak, GB",
        "passes before the first step, s",
        "step, ms",
        "rate / in memory",
    ]
    rows = []
    for name, each in result["data"].items():
        run, steps = each["run"], each["steps"]
        rate = {key: 1 / value for key, value in steps["ratio"]["from disk"].items()}
        rate["lower"], rate["upper"] = rate["upper"], rate["lower"]
        rows.append(
            [
                *(name, f"{each['files']:,}", f"{each['bytes'] / 1e9:.3g}", f"{sum(run['rows'].values()):,}"),
                *(f"{run['peak_resident_gb']:.2f}", f"{run['before_first_step_seconds']:.0f}"),
                *(f"{steps['milliseconds']['from disk']['median']:.2f}", spread(rate)),
            ]
        )
    return "\n".join([table(head, rows), "", provenance(result)])


def graphs(result: dict[str, Any]) -> str:
    """A row for each graph: a step of a graph autoencoder, relative to its products, and the peak of memory."""
    head = ["nodes", "links", "features", "step, ms", "products, ms", "step / products", "peak GB"]
    rows = []
    for each in result["graphs"]:
        median = {name: summary["median"] for name, summary in each["milliseconds"].items()}
        times = [f"{median['step']:.1f}", f"{median['products']:.1f}", spread(each["ratio"])]
        rows.append([*(f"{each[name]:,}" for name in head[:3]), *times, f"{each['peak_gb']:.2f}"])
    return "\n".join([table(head, rows), "", provenance(result)])


RENDER: dict[str, Callable[[dict[str, Any]], str]] = {
    "step": step,
    "race": race,
    "evaluation": evaluation,
    "annealed": annealed,
    "estimators": estimators,
    "posteriors": posteriors,
    "networks": networks,
    "convolutions": convolutions,
    "memory": memory,
    "cost": cost,
    "large_table": large_table,
    "on_disk": on_disk,
    "graphs": graphs,
}


def write() -> None:
    """Put a table between the markers of every result that there is."""
    text = README.read_text(encoding="utf-8")
    for name, render in RENDER.items():
        path = RESULTS / f"{name}.json"
        if path.is_file():
            made = render(json.loads(path.read_text(encoding="utf-8")))
            pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
            text = pattern.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
