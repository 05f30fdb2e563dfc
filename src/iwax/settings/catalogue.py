"""The catalogue: presets by name, the recipes that train them, and what particular data need, all as flat settings."""

import difflib
from collections.abc import Mapping
from os.path import commonprefix
from types import MappingProxyType

from iwax.settings.presets import GRAPHS, LADDER, MEMORY, PRESETS, STOCHASTIC, TOMCZAK, Settings

__all__ = ["DEFAULT_PRESET", "RECIPES", "default_preset", "names", "settings"]

DEFAULT_PRESET = "iwae-1-k5"
_TABLES = (".csv", ".tsv", ".txt", ".parquet")
_SCALE_FLOOR = 1e-3  # of tables, as of the estimators for scikit-learn

RECIPES: Mapping[str, Settings] = MappingProxyType(
    {
        # Rate and estimator were chosen on the validation rows of mnist-dynamic-50k: 30 epochs at k = 5 gave the bound
        # -98.0, -95.9 and -95.7 at 1e-3, 2e-3 and 4e-3 with pathwise gradients, -94.8 at 4e-3 doubly reparameterised.
        "quick": MappingProxyType(
            {
                "objective.gradient": "doubly_reparameterized",
                "training.batch": 100,
                "training.epochs": 100,
                "training.learning_rate": 3e-3,
                "training.schedule": "cosine",
                "training.epsilon": 1e-8,
                "training.reduction": "mean",
            }
        ),
        # Stages i = 0..7 of 3^i epochs at 1e-3 * 10^(-i/7); gradients summed over the batch; no early stop.
        "paper": MappingProxyType(
            {
                "objective.gradient": "pathwise",
                "training.batch": 20,
                "training.epochs": 3280,
                "training.learning_rate": 1e-3,
                "training.schedule": "burda",
                "training.epsilon": 1e-4,
                "training.reduction": "sum",
            }
        ),
    }
)

# What a family of presets does otherwise than the recipe says. Paper: Adam at 5e-4, on gradients over their norms for
# the VampPrior's models; beta rises over 100 epochs; 50 validations without a gain end the training.
_FLOW_PAPER: Settings = {
    "objective.beta_warmup": 100,
    "training.batch": 100,
    "training.epochs": 2000,
    "training.learning_rate": 5e-4,
    "training.schedule": "constant",
    "training.epsilon": 1e-8,
    "training.reduction": "mean",
    "training.validate_every": 1,
    "training.patience": 50,
}
_NORMALISED = ("vamp", "exemplar", "hvae", "hvae-vamp", "conv-hvae-vamp", "pixel-hvae-vamp")
# Draws whose inverse is searched for, or that have none: pathwise is the calmer gradient.
_PATHWISE: Settings = {"objective.gradient": "pathwise", "training.learning_rate": 1e-3}
_MEMORY_PAPER: Settings = {
    "training.schedule": "late_decay",
    "training.epochs": 3000,
    "training.reduction": "mean",
    "training.batch": 100,
    "training.clip": 5.0,
    "training.epsilon": 1e-4,
}
_LADDER_PAPER: Settings = {
    "objective.beta_warmup": 200,
    "training.batch": 256,
    "training.epochs": 2000,
    "training.learning_rate": 2e-4,
    "training.schedule": "constant",
    "training.reduction": "mean",
}
_OF_GRAPHS: Settings = {
    "training.batch": 1,
    "training.epochs": 200,
    "training.learning_rate": 1e-2,
    "training.schedule": "constant",
    "training.record": 10,
}
_TABLE: Settings = {"training.batch": 64, "training.epochs": 200, "training.validate_every": 4, "training.patience": 10}


def _own_recipe(preset: str, recipe: str) -> Settings:
    quick = recipe == "quick"
    if preset == "table":
        return {**RECIPES["quick"], **_PATHWISE, **_TABLE}
    if preset in GRAPHS:  # the recipe that was printed
        return {**RECIPES["quick"], "objective.gradient": "pathwise", **_OF_GRAPHS}
    if preset in TOMCZAK:
        normalised = {"training.normalise": True} if preset in _NORMALISED else {}
        return _PATHWISE if quick else {**_FLOW_PAPER, **normalised}
    if preset in STOCHASTIC:  # the paper recipe is the quick one for longer: nothing of it was printed
        return _PATHWISE if quick else {**RECIPES["quick"], **_PATHWISE, "training.epochs": 500}
    if preset in MEMORY:
        return _PATHWISE if quick else {**_PATHWISE, **_MEMORY_PAPER}
    if preset in LADDER:
        return {**_PATHWISE, **({"objective.beta_warmup": 20} if quick else _LADDER_PAPER)}
    return {}


# Data far smaller than MNIST: nets to their size, and more epochs because an epoch is few steps. One entry for
# each number of stochastic layers; the published recipe keeps its own number of epochs.
_SIZES: Mapping[str, Mapping[int, Settings]] = {
    "digits": {
        1: {"model.latent": 16, "model.hidden": [128, 128]},
        2: {"model.latent": [24, 12], "model.hidden": [[128, 128], [64, 64]]},
    },
    "ring": {
        1: {"model.latent": 2, "model.hidden": [64, 64]},
        2: {"model.latent": [2, 2], "model.hidden": [[64, 64], [32, 32]]},
    },
}
_SIZED_ALIKE = ("density-network", "factor-analysis")  # on all data
_EPOCHS: Mapping[str, Settings] = {"digits": {"training.epochs": 300}, "ring": {"training.epochs": 100}}


def default_preset(data: str) -> str:
    """The preset for data where none is asked for.

    >>> default_preset("digits"), default_preset("mine.csv")
    ('iwae-1-k5', 'table')
    """
    return "table" if data.lower().endswith(_TABLES) else DEFAULT_PRESET


def names() -> list[str]:
    """The presets, in the order of the catalogue.

    >>> names()[:4]
    ['vae-1', 'vae-1-k5', 'vae-1-k50', 'vae-2']
    """
    return list(PRESETS)


def settings(preset: str, *, recipe: str, data: str) -> Settings:
    """What a preset sets for a data name under a recipe, as flat settings.

    The sizes follow the data where the data are far smaller than those the preset was made for.
    Raises ValueError naming the nearest presets, or the recipes.

    >>> settings("iwae-1-k5", recipe="paper", data="mnist")["training.epochs"]
    3280
    >>> settings("iwae-1-k5", recipe="quick", data="digits")["model.latent"]
    16
    """
    if preset not in PRESETS:
        raise ValueError(f"preset: needs a name of the catalogue, got {preset!r}; nearest: {', '.join(_near(preset))}")
    if recipe not in RECIPES:
        raise ValueError(f"recipe: needs one of {', '.join(RECIPES)}, got {recipe!r}")
    chosen = PRESETS[preset]
    latent = chosen["model.latent"]
    layers = len(latent) if isinstance(latent, list) else 1
    sizes = {} if preset in _SIZED_ALIKE else _SIZES.get(data, {}).get(layers, {})
    epochs = _EPOCHS.get(data, {}) if recipe == "quick" else {}
    table = default_preset(data) == "table" and preset not in GRAPHS
    floor = {"model.scale_floor": _SCALE_FLOOR} if table else {}
    return {**RECIPES[recipe], **_own_recipe(preset, recipe), **chosen, **sizes, **epochs, **floor}


def _near(preset: str) -> list[str]:
    """A few names like it, those that begin alike first; all of them where none is."""
    like = difflib.get_close_matches(preset, PRESETS, n=len(PRESETS), cutoff=0.4)
    return sorted(like, key=lambda name: -len(commonprefix([name, preset])))[:4] or names()  # noqa: RUF071  # no paths
