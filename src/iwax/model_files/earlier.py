"""Models of files that an earlier version of iwax wrote, as this version has them."""

from collections.abc import Callable
from typing import Any

from iwax import families

__all__ = ["renewed"]

_OF_FAMILIES = {f"likelihoods.{each.__name__}" for each in vars(families).values() if isinstance(each, type)}


def renewed(node: Any) -> Any:
    """A description of the parts that this version has, from one of version 0.2 or of this one.

    What a family has, such as a log scale, stood in the likelihood, and one in a table had no network; networks with
    gates were classes of their own; a convolution could be pooled.

    >>> renewed({"part": "likelihoods.Poisson", "fields": {"network": None}})
    {'part': 'families.Poisson', 'fields': {}}
    >>> list(renewed({"part": "likelihoods.Poisson", "fields": {"network": "f"}})["fields"])
    ['network', 'family']
    """
    if isinstance(node, list):
        return [renewed(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: renewed(each) for name, each in node.items()}
    part, fields = node.get("part"), node.get("fields")
    if not isinstance(part, str) or not isinstance(fields, dict):
        return node
    if part in _OF_FAMILIES and "network" in fields and "family" not in fields:
        return _with_family(part, fields)
    try:
        change = _CHANGED.get((part, *sorted(fields)))
        return node if change is None else node | change(fields)
    except (KeyError, TypeError):  # no such part was ever saved: `description.build` says of this one what it lacks
        return node


def _with_family(part: str, fields: dict[str, Any]) -> dict[str, Any]:
    network = fields.pop("network")
    family = {"part": part.replace("likelihoods", "families"), "fields": fields}
    return family if network is None else {"part": part, "fields": {"network": network, "family": family}}


def _renamed(part: str, names: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The same part under another name, some of its fields too."""
    return lambda fields: {"part": part, "fields": {names.get(name, name): each for name, each in fields.items()}}


def _gated(layers: list[Any], *, trunk: bool) -> dict[str, Any]:
    fields = {"layers": {"tuple": layers}, "norms": {"tuple": []}, "activation": "gated", "trunk": trunk}
    return {"part": "nn.MLP", "fields": fields}


def _of_gated_layers(fields: dict[str, Any]) -> dict[str, Any]:
    """Its hidden layers have become networks of one layer each before."""
    hidden = [layer for network in fields["hidden"]["tuple"] for layer in network["fields"]["layers"]["tuple"]]
    last = fields["output"]
    return _gated(hidden if last is None else [*hidden, last], trunk=last is None)


def _unpooled(fields: dict[str, Any]) -> dict[str, Any]:
    return {"part": "nn.Conv", "fields": {name: each for name, each in fields.items() if (name, each) != ("pool", 1)}}


_STOCHASTIC = ("bias", "bias_rho", "floor", "sampling", "weight", "weight_rho")
_CHANGED: dict[tuple[str, ...], Callable[[dict[str, Any]], dict[str, Any]]] = {  # by a part and its fields in order
    ("nn.Coding", "loc", "mask", "readings", "scale"): _renamed("nn.FeatureEncoding", {"readings": "encodings"}),
    ("nn.Conv", "channels", "kernel", "padding", "pool", "stride"): _unpooled,
    ("nn.GatedLinear", "both"): lambda fields: _gated([fields["both"]], trunk=True),
    ("nn.GatedMLP", "hidden", "output"): _of_gated_layers,
    ("nn.UncertainLinear", *_STOCHASTIC): _renamed("nn.StochasticLinear", {}),
    ("posteriors.Coded", "coding", "posterior"): _renamed("posteriors.Encoded", {"coding": "encoding"}),
}
