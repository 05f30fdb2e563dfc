"""Presets as data: flat settings, `section.field` -> value.

Sizes: Burda, Grosse, Salakhutdinov 2016, arXiv:1509.00519, appendix C (`vae-*`, `iwae-*`); Rainforth et al.
2018, arXiv:1802.04537 (`miwae`, the same nets); Kingma, Welling 2014, arXiv:1312.6114 (`aevb`, estimator B); Tomczak,
Welling 2016 and 2017, arXiv:1611.09630 and 1706.02326 (`gated-vae` and the flow posteriors on it) and 2018,
arXiv:1705.07120 (`vamp`, `hvae*`, `*-hvae-vamp`); Sonderby et al. 2016, arXiv:1602.02282 (`ladder-5`); MacKay, Gibbs
1999 (`density-network`); Hernandez-Lobato et al. 2016, workshop on Bayesian deep learning at NIPS (`iwae-400`,
`iwaeu*`); Li, Zhu, Zhang 2016, arXiv:1602.07416 (`vae-500`, `mem-vae`, `mem-iwae-*` and their like).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

__all__ = ["LADDER", "MEMORY", "PRESETS", "TOMCZAK", "UNCERTAIN", "Settings", "burda_name"]

Settings: TypeAlias = Mapping[str, Any]

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
_VAMP: dict[str, Any] = {"model.prior": "vamp", "model.prior.components": 500}


def _flow(posterior: str, steps: int | None = None, **more: Any) -> Settings:
    stepped = {} if steps is None else {"model.posterior.steps": steps}
    own = {f"model.posterior.{name}": value for name, value in more.items()}
    return MappingProxyType({**_GATED, "model.posterior": posterior, **stepped, **own})


TOMCZAK: Mapping[str, Settings] = MappingProxyType(
    {
        "gated-vae": MappingProxyType(_GATED),
        **{f"householder-{steps}": _flow("householder", steps) for steps in (1, 10)},
        "linear-iaf": _flow("linear_iaf"),
        "cc-linear-iaf-5": _flow("convex_linear_iaf", components=5),
        "full-gaussian": _flow("full_gaussian"),
        **{f"planar-{steps}": _flow("planar", steps) for steps in (10, 80)},
        **{f"nice-{steps}": _flow("nice", steps, hidden=[40]) for steps in (10, 80)},
        **{f"hvi-{steps}": _flow("hamiltonian", steps, hidden=[300]) for steps in (1, 8)},
        "iaf-2": _flow("iaf", 2, hidden=[320]),
        "real-nvp-4": _flow("real_nvp", 4, hidden=[100]),
        "sylvester-4": _flow("sylvester", 4, planes=2),
        "vamp": MappingProxyType({**_GATED, **_VAMP}),
        "exemplar": MappingProxyType({**_GATED, "model.prior": "exemplar", "model.prior.components": 500}),
        "flow-prior": MappingProxyType(
            {**_GATED, "model.prior": "flow", "model.prior.steps": 6, "model.prior.hidden": [128]}
        ),
        "hvae": MappingProxyType(_HVAE),
        "hvae-vamp": MappingProxyType({**_HVAE, **_VAMP}),
        "conv-hvae-vamp": MappingProxyType({**_HVAE, **_VAMP, "model.network": "conv_hvae"}),
        "pixel-hvae-vamp": MappingProxyType({**_HVAE, **_VAMP, "model.likelihood": "pixelcnn"}),
    }
)
LADDER: Mapping[str, Settings] = MappingProxyType(
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
UNCERTAIN: Mapping[str, Settings] = MappingProxyType(
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
                "objective.bound.alpha": 0.5,
                "objective.weight_kl": 1.0,
            }
        ),
        "bayesian-iwae": MappingProxyType({**_400, "model.uncertain": "both", "objective.weight_draws": "shared"}),
        "iwaeu-2": MappingProxyType({**_burda("iwae", 2, 25), "model.uncertain": "both"}),
    }
)

# Li, Zhu and Zhang 2016: batch normalisation replaced by one that is defined for a single datum.
_500: dict[str, Any] = {
    "model.latent": 100,
    "model.hidden": [500, 500],
    "model.activation": "relu",
    "model.layer_norm": True,
}
_530: dict[str, Any] = {**_500, "model.hidden": [530, 530]}  # as many weights as with memory
_MEMORY_OF: dict[str, Any] = {**_500, "model.memory": [70, 30], "objective.local_reconstruction": 0.1}
MEMORY: Mapping[str, Settings] = MappingProxyType(
    {
        f"{name}{suffix}": MappingProxyType({**sizes, "objective.bound": bound, "objective.k": k})
        for bound, k, suffix in (("elbo", 1, ""), ("iwae", 5, "-5"), ("iwae", 50, "-50"))
        for name, sizes in (
            ("vae-500" if k == 1 else "iwae-500", _500),
            ("vae-530" if k == 1 else "iwae-530", _530),
            ("mem-vae" if k == 1 else "mem-iwae", _MEMORY_OF),
        )
    }
)

# For tables of your own: the bound of Mattei and Frellsen (2019, arXiv:1812.02633) where they have holes.
TABLE: dict[str, Any] = {
    "model.latent": 10,
    "model.hidden": [128, 128],
    "model.activation": "relu",
    "objective.bound": "iwae",
    "objective.k": 20,
}

PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        **{
            burda_name(family, layers, k): _burda(bound, layers, k)
            for family, bound in (("vae", "elbo"), ("iwae", "iwae"))
            for layers in (1, 2)
            for k in (1, 5, 50)
        },
        "miwae": MappingProxyType({**_burda("miwae", 1, 64), "objective.bound.m": 8}),
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
        **TOMCZAK,
        **LADDER,
        **UNCERTAIN,
        **MEMORY,
        "table": MappingProxyType(TABLE),
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
                "model.likelihood.variance": "feature",
                "model.posterior": "full_gaussian",
                "objective.bound": "elbo",
                "objective.k": 1,
            }
        ),
    }
)
