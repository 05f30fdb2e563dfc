"""Ways to estimate log p(x), each a value in a file: its settings, how it is run, stored and summed up in a line."""

from collections.abc import Mapping
from typing import Any

from iwax.runs.methods.annealed import Annealed
from iwax.runs.methods.bidirectional import Bidirectional
from iwax.runs.methods.importance import Importance
from iwax.runs.methods.jackknife import Jackknife
from iwax.runs.methods.method import Method, Outcome, Task

__all__ = ["METHODS", "Annealed", "Bidirectional", "Importance", "Jackknife", "Method", "Outcome", "Task", "method_of"]

METHODS: dict[str, type[Method]] = {each.name: each for each in (Importance, Annealed, Bidirectional, Jackknife)}


def method_of(method: str | Method, given: Mapping[str, Any], *, k: int) -> Method:
    """The method as a value, with the settings ``given``; ValueError for one that it does not take, or no method.

    ``k`` is the number of importance samples where none is given.
    """
    if isinstance(method, str) and method not in METHODS:
        *others, last = METHODS
        raise ValueError(f"method must be {', '.join(others)} or {last}, got {method!r}")
    kind = METHODS[method] if isinstance(method, str) else type(method)
    taken = kind.takes() if isinstance(method, str) else kind.takes(settings=False)
    for name, value in given.items():
        if name not in taken:
            users = " and ".join(other for other, each in METHODS.items() if name in each.takes())
            raise ValueError(
                f"{name} is not used by the method {kind.name}, which takes {', '.join(taken)}; got {name}={value}, "
                f"an option of {users}"
            )
    if isinstance(method, Method):
        return method
    configured = {"k": k} if kind is Importance else {}
    return kind(**configured | {name: value for name, value in given.items() if name != "split"})
