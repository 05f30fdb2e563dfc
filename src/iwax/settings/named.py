"""The keys of a configuration: what there are, by which name each was given, and what is wrong with its value."""

import difflib
import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

from pydantic import ValidationError

from iwax.data.columns import meant_kind
from iwax.settings.config import HEADS, SECTIONS, Config
from iwax.settings.fields import complaint, short
from iwax.settings.former import Given, paths, tree
from iwax.settings.parted import owners, parts_of, words

__all__ = ["defaults", "keys", "named_today", "validated"]

_SHOWN = 8  # keys of a section, in an error


def defaults() -> dict[str, Any]:
    """Every key of a configuration, dotted, with its default; of a part those of all its kinds.

    >>> defaults()["training.batch"], defaults()["model.posterior.steps"], defaults()["objective.bound.alpha"]
    (100, 4, None)
    """
    found: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        for part, kinds in parts_of(section).items():
            for kind in kinds:
                own = kind.model_construct().model_dump(mode="json")
                found |= {f"{name}.{part}.{key}": own.get(key) for key in kind.model_fields if key != kind.HEAD}
    return found | Config().flat()


@cache
def keys() -> Mapping[str, str]:
    """Every key of a configuration, dotted, with what its value needs to be.

    >>> keys()["training.batch"]
    'an integer from 1 to 1000000 (data points per step)'
    >>> keys()["objective.bound.beta"]
    'a number from 0 (iwae) to 1 (elbo), of ciwae'
    """
    found = {name: field.description or "" for name, field in Config.model_fields.items() if name not in SECTIONS}
    for name, section in SECTIONS.items():
        for key, field in section.model_fields.items():
            found[f"{name}.{key}"] = field.description or ""
            kinds = parts_of(section).get(key, ())
            for each in dict.fromkeys(own for kind in kinds for own in kind.model_fields if own != kind.HEAD):
                texts: dict[str, list[str]] = {}
                for kind in (kind for kind in kinds if each in kind.model_fields):
                    texts.setdefault(kind.model_fields[each].description or "", []).extend(words(kind))
                own = (text + f", of {', '.join(of)}" * (len(kinds) > 1) for text, of in texts.items())
                found[f"{name}.{key}.{each}"] = "; or ".join(own)
    return found


def named_today(given: Mapping[str, Any], where: str) -> Given:
    """Settings in any form by their paths, each with the name by which it was given.

    Raises ValueError, naming the source ``where``, for what is no key, and where something is given twice. What a part
    lacks is reported where its kind is known.

    >>> named_today({"model.posterior_steps": 3}, "--set")
    {'model.posterior.steps': ('model.posterior_steps', 3)}
    """
    try:
        found = paths(given, HEADS)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    known = keys()
    for path in found:
        if path not in known and path.rpartition(".")[0] not in HEADS:
            _refuse_key(path, where, known)
    return found


def validated(found: Given, origin: Mapping[str, str]) -> Config:
    """The configuration of settings by name; ValueError with one line, naming the key as given, where one is wrong."""
    known = keys()
    for path, (name, value) in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(complaint(name, origin.get(path, ""), known.get(path, "a finite number"), value))
    values = {path: value for path, (_, value) in found.items()}
    try:
        # Through JSON, so that a list is a tuple's proper form and strict mode can refuse true for 1.
        return Config.model_validate_json(json.dumps(tree(values, HEADS), default=str))
    except ValidationError as error:
        raise ValueError(_explain(error, found, origin)) from error


def _explain(error: ValidationError, found: Given, origin: Mapping[str, str]) -> str:
    """The first thing wrong, in one line, with names as they were given."""
    known = keys()
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "missing" and len(place) == 4:
        return _lacking(*place)
    for at in ([*place[:2], *place[3:4]], place[:3], place[:2], place[:1]):  # of a part, its kind is in the place
        if (key := ".".join(at)) in known:
            name, value = found.get(key, (key, None))
            inside = place[len(at) :][:1]
            if isinstance(value, Mapping) and inside and inside[0] in value:
                return _of_one(name, origin.get(key, ""), known[key], (inside[0], value[inside[0]]))
            return complaint(name, origin.get(key, ""), known[key], value)
    message = str(first["msg"]).removeprefix("Value error, ")
    for path, (name, _) in sorted(found.items(), key=lambda item: -len(item[0])):  # a part's settings before the part
        if message.startswith(f"{path}: ") and path in origin:
            source = f" (from {origin[path]})" if origin[path] else ""
            return f"{name}{source}{message.removeprefix(path)}"
        message = message.replace(path, name) if name != path else message
    return message


def _of_one(name: str, where: str, needed: str, pair: tuple[str, Any]) -> str:
    """What one of the values by name needs to be, which a description has in brackets."""
    own, got = pair
    words = needed.partition("(")[2].partition(")")[0] or needed
    meant = meant_kind(got) if isinstance(got, str) else None
    return complaint(
        f"{name} {own}={got}" if name.startswith("--") else f"{name}.{own}", where, f"one of {words}", got, meant=meant
    )


def _lacking(section: str, part: str, kind: str, name: str) -> str:
    """What the chosen kind of a part needs to be given."""
    kinds = parts_of(SECTIONS[section])[part]
    (field,) = (each.model_fields[name] for each in kinds if kind in words(each))
    key = f"{section}.{part}.{name}"
    return f"{section}.{part}={kind} needs {key}, {field.description}; give it with --set {key}=..."


def _refuse_key(key: str, where: str, known: Mapping[str, str]) -> NoReturn:
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        some = ", ".join(inside[:_SHOWN]) + (" ..." if len(inside) > _SHOWN else "")
        raise ValueError(f"{key} (from {where}): needs to be one of its keys, {some}; all: iwax settings {key}")
    tails = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    near = near or [tails[t] for t in difflib.get_close_matches(key.rpartition(".")[2], tails, n=1, cutoff=0.6)]
    hint = f"; sections: {', '.join(Config.model_fields)}"
    if near:
        section, _, own = near[0].partition(".")
        kinds = owners(SECTIONS[section], own) if section in SECTIONS else ()
        of = f" (of {', '.join(kinds)})" if kinds else ""
        hint = f"; did you mean {near[0]}{of}?"
    raise ValueError(f"{short(key)} (from {where}): needs to be a key of the configuration{hint}")
