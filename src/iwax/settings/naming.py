"""What a run is called: its preset, and the settings of its own by which it is not what the preset's name says."""

from typing import Any

from iwax.settings import catalogue
from iwax.settings.config import Config
from iwax.settings.named import defaults

__all__ = ["differing", "display_name", "folder_name"]

NOT_COMPARED = ("preset", "seed", "evaluation", "device", "precision")  # of settings: names, and how it was measured
# What presets are named after. Each by its section and key, and what stands before its value in a folder's name.
NAMING = {
    "objective.bound": "",
    "objective.k": "k",
    "model.posterior": "",
    "model.prior": "",
    "model.network": "",
}


def display_name(config: Config) -> str:
    """The preset, with bound, k, posterior, prior and network where they are others than the preset's.

    >>> display_name(Config(preset="iwae-1-k5"))
    'iwae-1-k5'
    >>> display_name(Config(preset="iwae-1-k50"))
    'iwae-1-k50 with k=5'
    """
    own = ", ".join(f"{key.rpartition('.')[2]}={_said(value)}" for key, value in _own(config).items())
    return f"{config.preset or 'model'}{' with ' if own else ''}{own}"


def folder_name(config: Config) -> str:
    """The same as one word, for the name of a run folder.

    >>> folder_name(Config(preset="iwae-1-k50"))
    'iwae-1-k50-k5'
    """
    own = [f"{NAMING[key]}{_said(value)}" for key, value in _own(config).items()]
    return "-".join([config.preset or "model", *own])


def _own(config: Config) -> dict[str, Any]:
    """Of the settings in a name those that the preset has otherwise; without a preset, the defaults."""
    usual = defaults()
    if config.preset in catalogue.names():
        usual |= catalogue.settings(config.preset, recipe=config.recipe, data=config.data.name)
    found = config.flat()
    return {key: found[key] for key in NAMING if found[key] != usual[key]}


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def differing(config: Config, first: Config) -> dict[str, Any]:
    """The settings that are others than the first run's, by their full names, as JSON has them.

    Of a part of another kind they are those that are not the kind's defaults.
    """
    theirs = defaults() | first.flat()
    compared = {key: value for key, value in config.flat().items() if key.partition(".")[0] not in NOT_COMPARED}
    return {key: value for key, value in compared.items() if value != theirs[key]}
