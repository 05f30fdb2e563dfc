"""The keys of a configuration: what there are, by which name each was given, and what is wrong with its value."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from pydantic import ValidationError

from iwax.experiments.config import Config
from iwax.experiments.fields import Section
from iwax.experiments.parted import Parted, owners, parts_of, words_of

__all__ = ["Given", "complaint", "defaults", "keys", "named_today", "short", "validated"]

Given: TypeAlias = Mapping[str, tuple[str, Any]]  # by names of today: the name that was used, and the value

_SHOWN = 8  # keys of a section, in an error
_SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
_PARTED = {name: section for name, section in _SECTIONS.items() if issubclass(section, Parted)}


def defaults() -> dict[str, Any]:
    """Every key of a configuration, dotted, with its default; of a part those of all its kinds.

    >>> defaults()["training.batch"], defaults()["model.posterior.steps"]
    (100, 4)
    """
    found: dict[str, Any] = {}
    for name, section in _PARTED.items():
        for part, kinds in parts_of(section).items():
            for kind in kinds:
                own = kind.model_construct().model_dump(mode="json", exclude={kind.HEAD})
                found |= {f"{name}.{part}.{key}": value for key, value in own.items()}
    return found | Config().flat()


def keys() -> dict[str, str]:
    """Every key of a configuration, dotted, with what its value needs to be.

    >>> keys()["training.batch"]
    'an integer from 1 to 1000000 (data a step)'
    """
    found = {name: field.description or "" for name, field in Config.model_fields.items() if name not in _SECTIONS}
    for name, section in _SECTIONS.items():
        for key, field in section.model_fields.items():
            kinds = parts_of(section).get(key, ())
            words = ", ".join(word for kind in kinds for word in words_of(kind))
            found[f"{name}.{key}"] = field.description or f"one of {words}"
            for each in dict.fromkeys(own for kind in kinds for own in kind.model_fields if own != kind.HEAD):
                fields = (kind.model_fields[each] for kind in kinds if each in kind.model_fields)
                texts = dict.fromkeys(field.description or "" for field in fields)
                of = f", of {', '.join(owners(section, f'{key}.{each}'))}" if len(kinds) > 1 else ""
                found[f"{name}.{key}.{each}"] = "; or ".join(texts) + of
    return found


def named_today(flat: Mapping[str, Any], where: str) -> Given:
    """Settings by their names of today, each with the name by which it was given.

    Raises ValueError, naming the source ``where``, for what is no key, and where something is given twice.

    >>> named_today({"model.posterior_steps": 3}, "--set")
    {'model.posterior.steps': ('model.posterior_steps', 3)}
    """
    found = {key: (key, value) for key, value in flat.items() if key.partition(".")[0] not in _PARTED or "." not in key}
    for name, section in _PARTED.items():
        try:
            own = section.by_name(
                {key.removeprefix(f"{name}."): flat[key] for key in flat if key.startswith(f"{name}.")}
            )
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        found |= {f"{name}.{key}": (f"{name}.{used}", value) for key, (used, value) in own.items()}
    known = keys()
    for key in found:
        if key not in known:
            _refuse_key(key, where, known)
    return found


def validated(found: Given, origin: Mapping[str, str]) -> Config:
    """The configuration of settings by name; ValueError with one line, naming the key as given, where one is wrong."""
    known = keys()
    tree: dict[str, Any] = {}
    for key, (name, value) in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(complaint(name, origin.get(key, ""), known[key], value))
        section, dot, field = name.partition(".")
        if dot:
            tree.setdefault(section, {})[field] = value
        else:
            tree[section] = value
    try:
        # Through JSON, so that a list is a tuple's proper form and strict mode can refuse true for 1.
        return Config.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        raise ValueError(_explain(error, found, origin)) from error


def _explain(error: ValidationError, found: Given, origin: Mapping[str, str]) -> str:
    """The first thing wrong, in one line."""
    known = keys()
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    for path in ([*place[:2], *place[3:4]], place[:3], place[:2], place[:1]):  # of a part, its kind is in the place
        if (key := ".".join(path)) in known:
            name, value = found.get(key, (key, None))
            return complaint(name, origin.get(key, ""), known[key], value)
    message = str(first["msg"]).removeprefix("Value error, ")
    for key, (name, _) in found.items():
        message = message.replace(key, name) if key.count(".") == 2 else message
    return message


def complaint(key: str, where: str, needed: str, got: object) -> str:
    """What a key needs and what it got, in one line, with the word that may have been meant."""
    source = f" (from {where})" if where else ""
    near = difflib.get_close_matches(got, needed.replace(",", " ").split(), n=1) if isinstance(got, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key}{source}: needs {needed}, got {short(got)}{hint}"


def _refuse_key(key: str, where: str, known: Mapping[str, str]) -> NoReturn:
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        some = ", ".join(inside[:_SHOWN]) + (" ..." if len(inside) > _SHOWN else "")
        raise ValueError(f"{key} (from {where}): needs to be one of its keys, {some}; all: iwax settings {key}")
    part = key.rpartition(".")[0] + "."
    beside = {name.removeprefix(part): name for name in known if name.startswith(part) and part.count(".") == 2}
    tails = beside or {name.rpartition(".")[2]: name for name in known}
    near = [] if beside else difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    near = near or [tails[t] for t in difflib.get_close_matches(key.rpartition(".")[2], tails, n=1, cutoff=0.6)]
    hint = f"; {part[:-1]} has {', '.join(beside)}" if beside else f"; sections: {', '.join(Config.model_fields)}"
    if near:
        section, _, own = near[0].partition(".")
        kinds = owners(_PARTED[section], own) if section in _PARTED else ()
        of = f" (of {', '.join(kinds)})" if kinds else ""
        hint = f"; did you mean {near[0]}{of}?"
    raise ValueError(f"{short(key)} (from {where}): needs to be a key of the configuration{hint}")


def short(value: object) -> str:
    """A value as JSON, cut at 80 characters."""
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):  # an integer too long to print, a list too deep
        text = type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."
