"""Models of files that an earlier version of iwax wrote, as this version has them."""

from typing import Any

from iwax import families

__all__ = ["renewed"]

_OF_FAMILIES = {f"likelihoods.{each.__name__}" for each in vars(families).values() if isinstance(each, type)}


def renewed(node: Any) -> Any:
    """A description whose likelihoods of independent features have a family, as they have since version 0.2.

    Before, what a family has, such as a log scale, stood in the likelihood; one in a table had no network.

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
    known = isinstance(part, str) and part in _OF_FAMILIES and isinstance(fields, dict)
    if not known or "network" not in fields or "family" in fields:
        return node
    network = fields.pop("network")
    family = {"part": part.replace("likelihoods", "families"), "fields": fields}
    return family if network is None else {"part": part, "fields": {"network": network, "family": family}}
