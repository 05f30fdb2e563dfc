"""Where settings come from: defaults < preset < recipe < file < --set < flags; errors name the source."""

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from iwax import data as data_sets
from iwax.experiments import catalogue
from iwax.experiments.config import Config
from iwax.experiments.run_data import candidates, is_data
from iwax.training import strict_json
from iwax.training.checkpoint import CorruptCheckpointError
from iwax.training.enclosed import Enclosed
from iwax.training.sealed import Sealed

__all__ = ["complete", "defaults", "from_sources", "keys", "read_file", "stored"]

_SHOWN = 8  # keys of a section, in an error
LARGEST_FILE = 1_000_000  # bytes; a configuration is a page, not a data set


def defaults() -> dict[str, Any]:
    """Every key of a configuration, dotted, with its default.

    >>> defaults()["training.batch"]
    100
    """
    return _flatten(Config().model_dump(mode="json"), "defaults")


def keys() -> dict[str, str]:
    """Every key of a configuration, dotted, with what its value needs to be.

    >>> keys()["training.batch"]
    'an integer from 1 to 1000000 (data a step)'
    """
    found: dict[str, str] = {}
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found |= {f"{name}.{k}": v.description or "" for k, v in section.model_fields.items()}
        else:
            found[name] = field.description or ""
    return found


def from_sources(
    *,
    preset: str | None = None,
    recipe: str | None = None,
    data: str | None = None,
    file: str | Path | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Join the sources of a configuration, later ones over earlier ones, and check the whole.

    `preset`, `recipe` and `data` are flags with names of their own; `flags` maps dotted keys to values, and
    None there means not given. With `start` the data, the sizes, the precision and, unless another is given, the
    preset's name are those of that run; the objective is not. Raises ValueError with one line: key, source, what
    was needed, what was got.

    >>> from_sources(data="mnist", sets=["objective.k=50"], flags={"training.epochs": 3}).objective.k
    50
    """
    named = {"preset": preset, "recipe": recipe, "data.name": data, **(flags or {})}
    layers = [
        (str(file), _located(read_file(file), Path(file).parent)) if file is not None else ("", {}),
        ("--set", _parse_sets(sets)),
        ("the command line", {key: value for key, value in named.items() if value is not None}),
    ]
    known = keys()
    for where, layer in layers:
        for key in layer:
            if key not in known:
                _refuse_key(key, where, known)
    given = {key: value for _, layer in layers for key, value in layer.items()}
    origin = {key: where for where, layer in layers for key in layer}
    inherited = _inherited(given.get("start"))
    recorded = {"preset": inherited.pop("preset")} if "preset" in inherited else {}  # its objective is not taken over
    chosen = {"preset": catalogue.DEFAULT_PRESET, "recipe": "quick", "data.name": "digits"}
    chosen |= {key: value for key, value in (inherited | given).items() if key in chosen and value is not None}
    if isinstance(chosen["data.name"], str) and (inherited | given).get("preset") is None:
        chosen["preset"] = catalogue.default_preset(chosen["data.name"])
    for key, value in chosen.items():
        if not isinstance(value, str):
            raise ValueError(_complaint(key, origin.get(key, ""), known[key], value))
    preset_settings = catalogue.settings(chosen["preset"], recipe=chosen["recipe"], data=chosen["data.name"])
    if given.get("preset") is not None:
        recorded = {"preset": chosen["preset"]}
        _refuse_other_sizes({**preset_settings, **given, **recorded}, inherited, given, origin["preset"])
    return _validate({**preset_settings, **inherited, **given, **chosen, **recorded}, origin)


def _refuse_other_sizes(
    wanted: Mapping[str, Any], inherited: Mapping[str, Any], given: Mapping[str, Any], where: str
) -> None:
    """A preset that was asked for is not quietly given the sizes of the run whose weights are the start."""
    for key, value in inherited.items():
        if key.startswith("model.") and key in wanted and key not in given and wanted[key] != value:
            raise ValueError(
                f"preset (from {where}): needs {key}={_short(value)} as in the run {given['start']} to start at its "
                f"weights, got {_short(wanted[key])} of {wanted['preset']}; leave the preset out and give bound and k"
            )


def _inherited(start: object) -> dict[str, Any]:
    """Data, model, precision and preset's name of the run whose weights are the start: what they were made for."""
    run = Path(start) if isinstance(start, str) else None
    if run is None or Enclosed(run).kind("config.json") is None:  # what is wrong is said where its weights are read
        return {}
    kept = ("data.", "model.", "precision", "preset")
    flat = _located(_flatten(stored(run).model_dump(mode="json"), str(run / "config.json")), run)
    return {key: value for key, value in flat.items() if key.startswith(kept)}


def _located(flat: dict[str, Any], run: Path) -> dict[str, Any]:
    """Settings of a run with the place where its data lie, where that is not the one that their name says from here."""
    name = flat.get("data.name")
    if not isinstance(name, str) or name in data_sets.names():
        return flat
    try:
        recorded = strict_json.parse(Sealed(run).read("env.json"))["data"].get("path")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # said where the folder is read
        return flat
    there = [place for place in candidates(name, run=run, recorded=recorded) if is_data(place)]
    if not there or (Path(name).expanduser().exists() and there[0].samefile(Path(name).expanduser())):
        return flat
    return flat | {"data.name": str(there[0])}


def read_file(path: str | Path) -> dict[str, Any]:
    """The settings of a JSON or TOML file, flat. ValueError names the file; OSError where it cannot be read."""
    path = Path(path)
    if path.suffix not in (".json", ".toml"):
        raise ValueError(f"{path}: needs to end in .json or .toml to be read as a configuration")
    if path.name == "config.json" and Enclosed(path.parent).kind("env.json"):
        return _parsed(Sealed(path.parent).read(path.name, limit=LARGEST_FILE), path)
    there = path.resolve()
    if there.is_dir():
        raise IsADirectoryError(f"{path}: a configuration was needed, got a folder")
    try:
        raw = Enclosed(there.parent).read(there.name, limit=LARGEST_FILE)
    except CorruptCheckpointError as error:
        needed = f"a configuration of at most {LARGEST_FILE} bytes"
        raise ValueError(f"{path}: needs to be {needed}, got {error.got}") from error
    return _parsed(raw, path)


def _parsed(raw: bytes, path: Path) -> dict[str, Any]:
    """The settings in the bytes of a file, flat."""
    try:
        tree = tomllib.loads(raw.decode()) if path.suffix == ".toml" else strict_json.parse(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: needs to be {path.suffix[1:].upper()}, got {_first_line(error)}") from error
    return _flatten(tree, str(path))


def complete(path: Path) -> Config:
    """The configuration that a finished config.json holds. ValueError says what is wrong.

    Only keys whose default is null may be missing: null stands for what is not used, so that a run made before a key
    was known is read as it was.
    """
    return _complete(read_file(path), path)


def _complete(flat: dict[str, Any], path: Path) -> Config:
    known = keys()
    for key in flat:
        if key not in known:
            _refuse_key(key, str(path), known)
    if flat.get("model.network") == "conv" and "model.channels" not in flat:
        flat["model.network"] = "conv_hvae"  # what it was called before there was a plain convolutional network
    missing = sorted(key for key in known.keys() - flat.keys() if defaults()[key] is not None)
    if missing:
        raise ValueError(f"{path}: needs the key {missing[0]}, got {len(flat)} keys of {len(known)}")
    return _validate(flat, dict.fromkeys(flat, str(path)))


def stored(run: Path) -> Config:
    """As `complete`, of the config.json in a run folder: CorruptCheckpointError where it is not what a run wrote."""
    path = run / "config.json"
    raw = Sealed(run).read(path.name, limit=LARGEST_FILE)
    try:
        return _complete(_parsed(raw, path), path)
    except ValueError as error:
        raise CorruptCheckpointError(path, None, "the configuration of a run", str(error)) from error


def _flatten(tree: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Sections become dotted keys. A dotted key at the top is taken as it is."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        inner = {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        twice = flat.keys() & inner.keys()
        if twice:
            raise ValueError(f"{where}: needs every key once, got {min(twice)!r} twice")
        flat |= inner
    return flat


def _parse_sets(sets: Iterable[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--set: needs KEY=VALUE, got {text!r}; for example --set objective.k=50")
        parsed[key.strip()] = _parse_value(value.strip())
    return parsed


def _parse_value(text: str) -> Any:
    """JSON where it is JSON, `none` as null, `200,200` as a list, else the words themselves."""
    if text.lower() in ("none", "null"):
        return None
    for candidate in (text, f"[{text}]") if "," in text else (text,):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return text


def _validate(flat: Mapping[str, Any], origin: Mapping[str, str]) -> Config:
    known = keys()
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(_complaint(key, origin.get(key, ""), known[key], value))
        section, dot, field = key.partition(".")
        if dot:
            tree.setdefault(section, {})[field] = value
        else:
            tree[section] = value
    try:
        # Through JSON, so that a list is a tuple's proper form and strict mode can refuse true for 1.
        return Config.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        raise ValueError(_explain(error, flat, origin)) from error


def _explain(error: ValidationError, flat: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """The first thing wrong, in one line."""
    known = keys()
    first = error.errors(include_url=False)[0]
    for length in (2, 1):
        key = ".".join(str(part) for part in first["loc"][:length])
        if key in known:
            return _complaint(key, origin.get(key, ""), known[key], flat.get(key))
    return str(first["msg"]).removeprefix("Value error, ")


def _complaint(key: str, where: str, needed: str, got: object) -> str:
    source = f" (from {where})" if where else ""
    near = difflib.get_close_matches(got, needed.replace(",", " ").split(), n=1) if isinstance(got, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key}{source}: needs {needed}, got {_short(got)}{hint}"


def _refuse_key(key: str, where: str, known: Mapping[str, str]) -> NoReturn:
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        some = ", ".join(inside[:_SHOWN]) + (" ..." if len(inside) > _SHOWN else "")
        raise ValueError(f"{key} (from {where}): needs to be one of its keys, {some}; all: iwax settings {key}")
    tails = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    near = near or [tails[t] for t in difflib.get_close_matches(key.rpartition(".")[2], tails, n=1, cutoff=0.6)]
    hint = f"; did you mean {near[0]}?" if near else f"; sections: {', '.join(Config.model_fields)}"
    raise ValueError(f"{_short(key)} (from {where}): needs to be a key of the configuration{hint}")


def _short(value: object) -> str:
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):  # an integer too long to print, a list too deep
        text = type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
