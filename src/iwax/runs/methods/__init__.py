"""Ways to estimate log p(x), each a value in a file: its settings, how it is run, stored and summed up in a line."""

from iwax.runs.methods.annealed import Annealed
from iwax.runs.methods.bidirectional import Bidirectional
from iwax.runs.methods.importance import Importance
from iwax.runs.methods.jackknife import Jackknife
from iwax.runs.methods.method import Found, Method

__all__ = ["METHODS", "Annealed", "Bidirectional", "Found", "Importance", "Jackknife", "Method"]

METHODS: dict[str, type[Method]] = {each.name: each for each in (Importance, Annealed, Bidirectional, Jackknife)}
