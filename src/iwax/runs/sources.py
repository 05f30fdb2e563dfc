"""Where settings come from: defaults < preset < recipe < file < --set < flags; errors name the source."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iwax import data as data_sets
from iwax.runs.run_data import candidates, is_data
from iwax.settings import catalogue, fits
from iwax.settings.config import Config
from iwax.settings.fields import complaint, short
from iwax.settings.former import FORMER, Given
from iwax.settings.named import keys, named_today, validated
from iwax.storage import strict_json
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.enclosed import Enclosed
from iwax.storage.sealed import Sealed

__all__ = ["complete", "from_sources", "read_file", "stored"]

LARGEST_FILE = 1_000_000  # bytes; a configuration is a page, not a data set


def from_sources(
    *,
    preset: str | None = None,
    recipe: str | None = None,
    data: str | None = None,
    file: str | Path | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Config:
    """Join the sources of a configuration, later ones over earlier ones, and check the whole.

    `preset`, `recipe` and `data` are flags with names of their own; `flags` maps dotted keys to values, and
    None there means not given. `typed` says by which option a key was given, as an error calls it then. With `start`
    the data, the sizes, the precision and, unless another is given, the preset's name are those of that run; the
    objective is not. Raises ValueError with one line: key, source, what was needed, what was got.

    >>> from_sources(data="mnist", sets=["objective.k=50"], flags={"training.epochs": 3}).objective.k
    50
    """
    named = {"preset": preset, "recipe": recipe, "data.name": data, **(flags or {})}
    given, origin, options = _layered(named, file, sets, typed or {})
    values = {key: value for key, (_, value) in given.items()}
    inherited = _inherited(values.get("start"))
    recorded = {"preset": inherited.pop("preset")} if "preset" in inherited else {}  # its objective is not taken over
    chosen: dict[str, Any] = {"preset": catalogue.DEFAULT_PRESET, "recipe": "quick", "data.name": "digits"}
    chosen |= {key: value for key, value in (inherited | values).items() if key in chosen and value is not None}
    if isinstance(chosen["data.name"], str) and (inherited | values).get("preset") is None:
        chosen["preset"] = catalogue.default_preset(chosen["data.name"])
    sizes = _sizes(chosen, options, origin)
    if values.get("preset") is not None:
        recorded = {"preset": chosen["preset"]}
        where = options.get("preset", f"preset (from {origin['preset']})")
        _refuse_other_sizes({**sizes, **values, **recorded}, inherited, values, where)
    if inherited:
        sizes = {key: value for key, value in sizes.items() if not key.startswith("model.")}
    below, above = named_today(sizes | inherited, "the preset"), named_today(chosen | recorded, "")
    config = validated({**below, **given, **above}, origin)
    fits.check(config)
    return config


def _layered(
    named: Mapping[str, Any], file: str | Path | None, sets: Sequence[str], typed: Mapping[str, str]
) -> tuple[dict[str, tuple[str, Any]], dict[str, str], dict[str, str]]:
    """What was given by key, as it was typed; where it came from; and the options among it."""
    layers = {
        str(file): {} if file is None else _of_file(Path(file)),
        "--set": named_today(_parse_sets(sets), "--set"),
        "the command line": named_today({k: v for k, v in named.items() if v is not None}, "the command line"),
    }
    options = {key: word for key, word in typed.items() if key in layers["the command line"]}
    given = {key: each for layer in layers.values() for key, each in layer.items()}
    given |= {key: (word, given[key][1]) for key, word in options.items()}
    origin = {key: where for where, layer in layers.items() for key in layer} | dict.fromkeys(options, "")
    return given, origin, options


def _sizes(chosen: Mapping[str, Any], options: Mapping[str, str], origin: Mapping[str, str]) -> dict[str, Any]:
    """What a preset, a recipe and data set. ValueError for a name that is none, as it was given."""
    for key, value in chosen.items():
        if not isinstance(value, str):
            raise ValueError(complaint(options.get(key, key), origin.get(key, ""), keys()[key], value))
    try:
        return dict(catalogue.settings(chosen["preset"], recipe=chosen["recipe"], data=chosen["data.name"]))
    except ValueError as error:
        key, _, words = str(error).partition(": ")
        raise ValueError(f"{options.get(key, key)}: {words}") from error


def _refuse_other_sizes(
    wanted: Mapping[str, Any], inherited: Mapping[str, Any], given: Mapping[str, Any], where: str
) -> None:
    """A preset that was asked for is not quietly given the sizes of the run whose weights are the start."""
    for key, value in inherited.items():
        if key.startswith("model.") and key in wanted and key not in given and wanted[key] != value:
            raise ValueError(
                f"{where}: needs {key}={short(value)} as in the run {given['start']} to start at its "
                f"weights, got {short(wanted[key])} of {wanted['preset']}; leave the preset out and give bound and k"
            )


def _inherited(start: object) -> dict[str, Any]:
    """Data, model, precision and preset's name of the run whose weights are the start: what they were made for."""
    run = Path(start) if isinstance(start, str) else None
    if run is None or Enclosed(run).kind("config.json") is None:  # what is wrong is reported where its weights are read
        return {}
    inherited = ("data.", "model.", "precision", "preset")
    flat = {key: value for key, value in stored(run).flat().items() if key.startswith(inherited)}
    return flat | {"data.name": _located(flat["data.name"], run)}


def _of_file(path: Path) -> Given:
    """The settings of a file, the data of a run where they lie."""
    found = named_today(read_file(path), str(path))
    if "data.name" not in found:
        return found
    used, name = found["data.name"]
    return {**found, "data.name": (used, _located(name, path.parent))}


def _located(name: Any, run: Path) -> Any:
    """The place where data that a run names lie, where that is not the one that their name says from here."""
    if not isinstance(name, str) or name in data_sets.names():
        return name
    try:
        recorded = strict_json.parse(Sealed(run).read("env.json"))["data"].get("path")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # reported where the folder is read
        return name
    there = [place for place in candidates(name, run=run, recorded=recorded) if is_data(place)]
    if not there or (Path(name).expanduser().exists() and there[0].samefile(Path(name).expanduser())):
        return name
    return str(there[0])


def read_file(path: str | Path) -> dict[str, Any]:
    """The settings of a JSON or TOML file, in any form. ValueError names the file; OSError where it cannot be read."""
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
    """The settings in the bytes of a file."""
    try:
        tree = tomllib.loads(raw.decode()) if path.suffix == ".toml" else strict_json.parse(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: needs to be {path.suffix[1:].upper()}, got {_first_line(error)}") from error
    return tree


def complete(path: Path) -> Config:
    """The configuration that a finished config.json holds. ValueError says what is wrong.

    Only keys whose default is null may be missing: null stands for what is not used, so that a run made before a key
    was known is read as it was.
    """
    return _complete(read_file(path), path)


def _complete(given: Mapping[str, Any], path: Path) -> Config:
    found = dict(named_today(given, str(path)))
    if found.get("model.network") == ("model.network", "conv") and "model.network.channels" not in found:
        found["model.network"] = ("model.network", "conv_hvae")  # its name before there was a plain convolutional one
    needed = {key for key, value in Config().flat().items() if value is not None and key.count(".") < 2}
    needed -= {"model.network"}
    missing = sorted(needed - found.keys())
    if missing:
        raise ValueError(f"{path}: needs the key {missing[0]}, got {len(found)} keys of {len(keys())}")
    return validated(found, dict.fromkeys(found, str(path)))


def stored(run: Path) -> Config:
    """As `complete`, of the config.json in a run folder: CorruptCheckpointError where it is not what a run wrote."""
    path = run / "config.json"
    raw = Sealed(run).read(path.name, limit=LARGEST_FILE)
    try:
        return _complete(_parsed(raw, path), path)
    except ValueError as error:
        raise CorruptCheckpointError(path, None, "the configuration of a run", str(error)) from error


def _parse_sets(sets: Iterable[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--set: needs KEY=VALUE, got {text!r}; for example --set objective.k=50")
        path = FORMER.get(key.strip(), (key.strip(),))[0]
        parsed[key.strip()] = _parse_value(value.strip(), keys().get(path, ""))
    return parsed


def _parse_value(text: str, needed: str) -> Any:
    """JSON where it is JSON, `none` as null unless it is a word of the key, `200,200` as a list, else the words."""
    if text.lower() in ("none", "null"):
        return text if text == "none" and text in needed.removeprefix("one of ").split(", ") else None
    for candidate in (text, f"[{text}]") if "," in text else (text,):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return text


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
