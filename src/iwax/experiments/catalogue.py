"""Presets, recipes and what particular data need, all as data: flat settings, `section.field` -> value.

Sizes: Burda, Grosse, Salakhutdinov 2016, arXiv:1509.00519, appendix C (`vae-*`, `iwae-*`); Rainforth et al.
2018, arXiv:1802.04537 (`miwae`, the same nets); Kingma, Welling 2014, arXiv:1312.6114 (`aevb`, estimator B); Tomczak,
Welling 2016 and 2017, arXiv:1611.09630 and 1706.02326 (`gated-vae` and the flow posteriors on it) and 2018,
arXiv:1705.07120 (`vamp`, `hvae*`, `*-hvae-vamp`); Sonderby et al. 2016, arXiv:1602.02282 (`ladder-5`); MacKay, Gibbs
1999 (`density-network`); Hernandez-Lobato et al. 2016, workshop on Bayesian deep learning at NIPS (`iwae-400`,
`iwaeu*`).
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["DEFAULT_PRESET", "RECIPES", "burda_name", "names", "settings"]

Settings = Mapping[str, Any]

DEFAULT_PRESET = "iwae-1-k5"

_BURDA: dict[int, dict[str, Any]] = {
    1: {"model.latent": 50, "model.hidden": [200, 200], "model.activation": "tanh"},
    2: {"model.latent": [100, 50], "model.hidden": [[200, 200], [100, 100]], "model.activation": "tanh"},
}


def _burda(bound: str, layers: int, k: int) -> Settings:
    return MappingProxyType({**_BURDA[layers], "objective.bound": bound, "objective.k": k})


def burda_name(family: str, layers: int, k: int) -> str:
    """The preset of one of Burda's nets.

    >>> burda_name("vae", 1, 1), burda_name("iwae", 2, 5)
    ('vae-1', 'iwae-2-k5')
    """
    return f"{family}-{layers}" if family == "vae" and k == 1 else f"{family}-{layers}-k{k}"


# Gated dense nets 784-300-300 and 40 latents, in all of Tomczak and Welling's models.
_GATED: dict[str, Any] = {
    "model.latent": 40,
    "model.hidden": [300, 300],
    "model.network": "gated",
    "objective.bound": "elbo",
    "objective.k": 1,
}
_HVAE: dict[str, Any] = {**_GATED, "model.latent": [40, 40], "model.order": "top_down"}
_VAMP: dict[str, Any] = {"model.prior": "vamp", "model.prior_components": 500}


def _flow(posterior: str, steps: int | None = None, **more: Any) -> Settings:
    stepped = {} if steps is None else {"model.posterior_steps": steps}
    own = {f"model.{name}": value for name, value in more.items()}
    return MappingProxyType({**_GATED, "model.posterior": posterior, **stepped, **own})


_TOMCZAK: Mapping[str, Settings] = MappingProxyType(
    {
        "gated-vae": MappingProxyType(_GATED),
        **{f"householder-{steps}": _flow("householder", steps) for steps in (1, 10)},
        "linear-iaf": _flow("linear_iaf"),
        "cc-linear-iaf-5": _flow("convex_linear_iaf", posterior_components=5),
        "full-gaussian": _flow("full_gaussian"),
        **{f"planar-{steps}": _flow("planar", steps) for steps in (10, 80)},
        **{f"nice-{steps}": _flow("nice", steps, flow_hidden=[40]) for steps in (10, 80)},
        **{f"hvi-{steps}": _flow("hamiltonian", steps, flow_hidden=[300]) for steps in (1, 8)},
        "iaf-2": _flow("iaf", 2, flow_hidden=[320]),
        "real-nvp-4": _flow("real_nvp", 4, flow_hidden=[100]),
        "sylvester-4": _flow("sylvester", 4, posterior_components=2),
        "vamp": MappingProxyType({**_GATED, **_VAMP}),
        "exemplar": MappingProxyType({**_GATED, "model.prior": "exemplar", "model.prior_components": 500}),
        "flow-prior": MappingProxyType(
            {**_GATED, "model.prior": "flow", "model.prior_steps": 6, "model.flow_hidden": [128]}
        ),
        "hvae": MappingProxyType(_HVAE),
        "hvae-vamp": MappingProxyType({**_HVAE, **_VAMP}),
        "conv-hvae-vamp": MappingProxyType({**_HVAE, **_VAMP, "model.network": "conv"}),
        "pixel-hvae-vamp": MappingProxyType({**_HVAE, **_VAMP, "model.likelihood": "pixelcnn"}),
    }
)
_LADDER: Mapping[str, Settings] = MappingProxyType(
    {
        "ladder-5": MappingProxyType(
            {
                "model.latent": [64, 32, 16, 8, 4],
                "model.hidden": [[512, 512], [256, 256], [128, 128], [64, 64], [32, 32]],
                "model.activation": "leaky_relu",
                "model.order": "ladder",
                "objective.bound": "elbo",
                "objective.k": 1,
            }
        ),
    }
)

# Hernandez-Lobato et al. 2016 name widths and k; activation, rates and the start of sigma are ours.
_400: dict[str, Any] = {
    "model.latent": 40,
    "model.hidden": [400],
    "model.activation": "tanh",
    "objective.bound": "iwae",
    "objective.k": 25,
}
_UNCERTAIN: Mapping[str, Settings] = MappingProxyType(
    {
        "iwae-400": MappingProxyType(_400),
        "iwaeu": MappingProxyType({**_400, "model.uncertain": "both"}),
        "iwaeu-rec": MappingProxyType({**_400, "model.uncertain": "encoder"}),
        "iwaeu-dec": MappingProxyType({**_400, "model.uncertain": "decoder"}),
        "iwaeu-kl": MappingProxyType({**_400, "model.uncertain": "both", "objective.weight_kl": 1.0}),
        "iwaeu-mixture": MappingProxyType({**_400, "model.uncertain": "both", "objective.denominator": "mixture"}),
        "iwaeu-alpha": MappingProxyType(
            {
                **_400,
                "model.uncertain": "both",
                "objective.bound": "renyi",
                "objective.alpha": 0.5,
                "objective.weight_kl": 1.0,
            }
        ),
        "bayesian-iwae": MappingProxyType({**_400, "model.uncertain": "both", "objective.weight_draws": "shared"}),
        "iwaeu-2": MappingProxyType({**_burda("iwae", 2, 25), "model.uncertain": "both"}),
    }
)

_PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        **{
            burda_name(family, layers, k): _burda(bound, layers, k)
            for family, bound in (("vae", "elbo"), ("iwae", "iwae"))
            for layers in (1, 2)
            for k in (1, 5, 50)
        },
        "miwae": MappingProxyType({**_burda("miwae", 1, 64), "objective.m": 8}),
        "aevb": MappingProxyType(
            {
                "model.latent": 20,
                "model.hidden": [500],
                "model.activation": "tanh",
                "objective.bound": "elbo",
                "objective.k": 1,
                "objective.gradient": "closed_form_kl",
            }
        ),
        **_TOMCZAK,
        **_LADDER,
        **_UNCERTAIN,
        "density-network": MappingProxyType(
            {
                "model.latent": 2,
                "model.hidden": [100],
                "model.activation": "tanh",
                "model.posterior": "prior",
                "objective.bound": "iwae",
                "objective.k": 100,
            }
        ),
        "factor-analysis": MappingProxyType(
            {
                "model.latent": 5,
                "model.hidden": [],
                "model.likelihood": "gaussian",
                "model.variance": "feature",
                "model.posterior": "full_gaussian",
                "objective.bound": "elbo",
                "objective.k": 1,
            }
        ),
    }
)

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
        # Stages i = 0..7 of 3^i passes at 1e-3 * 10^(-i/7); gradients summed over the batch; no early stop.
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
_FLOW_PAPER: Settings = MappingProxyType(
    {
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
)
_NORMALISED = ("vamp", "exemplar", "hvae", "hvae-vamp", "conv-hvae-vamp", "pixel-hvae-vamp")


def _own_recipe(preset: str, recipe: str) -> Settings:
    if preset in _TOMCZAK:
        if recipe == "quick":  # draws whose inverse is searched for, or that have none: pathwise is the calmer gradient
            return {"objective.gradient": "pathwise", "training.learning_rate": 1e-3}
        return {**_FLOW_PAPER, **({"training.normalise": True} if preset in _NORMALISED else {})}
    if preset in _UNCERTAIN:  # the paper recipe is the quick one for longer: nothing of it was printed
        own = {"objective.gradient": "pathwise", "training.learning_rate": 1e-3}
        if recipe == "quick":
            return own
        return {**RECIPES["quick"], **own, "training.epochs": 500}
    if preset in _LADDER:
        pathwise = {"objective.gradient": "pathwise", "training.learning_rate": 1e-3}
        if recipe == "quick":
            return {**pathwise, "objective.beta_warmup": 20}
        paper = {"objective.beta_warmup": 200, "training.batch": 256, "training.epochs": 2000}
        rate = {"training.learning_rate": 2e-4, "training.schedule": "constant", "training.reduction": "mean"}
        return {**pathwise, **paper, **rate}
    return {}


# Data far smaller than MNIST: nets to their size, and more passes because a pass is few steps. One entry for
# each number of stochastic layers; the published recipe keeps its own number of passes.
_SIZES: Mapping[str, Mapping[int, Settings]] = MappingProxyType(
    {
        "digits": {
            1: {"model.latent": 16, "model.hidden": [128, 128]},
            2: {"model.latent": [24, 12], "model.hidden": [[128, 128], [64, 64]]},
        },
        "ring": {
            1: {"model.latent": 2, "model.hidden": [64, 64]},
            2: {"model.latent": [2, 2], "model.hidden": [[64, 64], [32, 32]]},
        },
    }
)
_SIZED_ALIKE = ("density-network", "factor-analysis")  # on all data
_EPOCHS: Mapping[str, Settings] = MappingProxyType(
    {"digits": {"training.epochs": 300}, "ring": {"training.epochs": 100}}
)


def names() -> list[str]:
    """The presets, in the order of the catalogue.

    >>> names()[:4]
    ['vae-1', 'vae-1-k5', 'vae-1-k50', 'vae-2']
    """
    return list(_PRESETS)


def settings(preset: str, *, recipe: str, data: str) -> Settings:
    """What a preset sets for a data name under a recipe, as flat settings.

    The sizes follow the data where the data are far smaller than those the preset was made for.
    Raises ValueError naming the nearest presets, or the recipes.

    >>> settings("iwae-1-k5", recipe="paper", data="mnist")["training.epochs"]
    3280
    >>> settings("iwae-1-k5", recipe="quick", data="digits")["model.latent"]
    16
    """
    if preset not in _PRESETS:
        near = difflib.get_close_matches(preset, _PRESETS, n=4, cutoff=0.4) or names()
        raise ValueError(f"preset: needs a name of the catalogue, got {preset!r}; nearest: {', '.join(near)}")
    if recipe not in RECIPES:
        raise ValueError(f"recipe: needs one of {', '.join(RECIPES)}, got {recipe!r}")
    chosen = _PRESETS[preset]
    latent = chosen["model.latent"]
    layers = len(latent) if isinstance(latent, list) else 1
    sizes = {} if preset in _SIZED_ALIKE else _SIZES.get(data, {}).get(layers, {})
    epochs = _EPOCHS.get(data, {}) if recipe == "quick" else {}
    return {**RECIPES[recipe], **_own_recipe(preset, recipe), **chosen, **sizes, **epochs}
