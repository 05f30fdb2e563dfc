"""Ways to estimate log p(x), each a value in a file: its settings, how it is run, stored and summed up in a line."""

from collections.abc import Mapping
from typing import Any

from iwax.runs.methods.annealed import Annealed
from iwax.runs.methods.bidirectional import Bidirectional
from iwax.runs.methods.importance import Importance
from iwax.runs.methods.jackknife import Jackknife
from iwax.runs.methods.links import Links
from iwax.runs.methods.method import Method, Outcome, Task

__all__ = [
    "METHODS",
    "Annealed",
    "Bidirectional",
    "Importance",
    "Jackknife",
    "Links",
    "Method",
    "Outcome",
    "Task",
    "method_of",
]

METHODS: dict[str, type[Method]] = {each.name: each for each in (Importance, Annealed, Bidirectional, Jackknife, Links)}


def method_of(method: str | Method | None, given: Mapping[str, Any], *, k: int, kind: str = "real") -> Method:
    """The method as a value, with the settings ``given``; ValueError for one that it does not take, or no method.

    None is what is usual for data of this ``kind``: importance sampling, or the ranking of a graph's links. ``k`` is
    the number of importance samples where none is given.
    """
    method = method or ("links" if kind == "graph" else "importance")
    if isinstance(method, str) and method not in METHODS:
        *others, last = METHODS
        raise ValueError(f"method must be {', '.join(others)} or {last}, got {method!r}")
    chosen = METHODS[method] if isinstance(method, str) else type(method)
    taken = chosen.takes() if isinstance(method, str) else chosen.takes(settings=False)
    for name, value in given.items():
        if name not in taken:
            users = " and ".join(other for other, each in METHODS.items() if name in each.takes())
            raise ValueError(
                f"{name} is not used by the method {chosen.name}, which takes {', '.join(taken)}; got {name}={value}, "
                f"an option of {users}"
            )
    if isinstance(method, Method):
        return method
    configured = {"k": k} if chosen is Importance else {}
    return chosen(**configured | {name: value for name, value in given.items() if name != "split"})
