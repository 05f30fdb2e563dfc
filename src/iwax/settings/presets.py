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

__all__ = ["GRAPHS", "LADDER", "MEMORY", "PRESETS", "STOCHASTIC", "TOMCZAK", "Settings", "burda_name"]

Settings: TypeAlias = Mapping[str, Any]

_ELBO: Settings = {"objective.bound": "elbo", "objective.k": 1}


def _iwae(k: int) -> Settings:
    return {"objective.bound": "iwae", "objective.k": k}


_BURDA: Mapping[int, Settings] = {
    1: {"model.latent": 50, "model.hidden": [200, 200], "model.activation": "tanh"},
    2: {"model.latent": [100, 50], "model.hidden": [[200, 200], [100, 100]], "model.activation": "tanh"},
}


def burda_name(family: str, layers: int, k: int) -> str:
    """The preset of one of Burda's nets.

    >>> burda_name("vae", 1, 1), burda_name("iwae", 2, 5)
    ('vae-1', 'iwae-2-k5')
    """
    return f"{family}-{layers}" if family == "vae" and k == 1 else f"{family}-{layers}-k{k}"


# Gated dense nets 784-300-300 and 40 latents, in all of Tomczak and Welling's models.
_GATED: Settings = {"model.latent": 40, "model.hidden": [300, 300], "model.network": "gated", **_ELBO}
_HVAE: Settings = {**_GATED, "model.latent": [40, 40], "model.order": "top_down"}
_VAMP: Settings = {"model.prior": "vamp", "model.prior.components": 500}


def _flow(posterior: str, **own: Any) -> Settings:
    return {**_GATED, "model.posterior": posterior, **{f"model.posterior.{name}": own[name] for name in own}}


TOMCZAK: Mapping[str, Settings] = {
    "gated-vae": _GATED,
    **{f"householder-{steps}": _flow("householder", steps=steps) for steps in (1, 10)},
    "linear-iaf": _flow("linear_iaf"),
    "cc-linear-iaf-5": _flow("convex_linear_iaf", components=5),
    "full-gaussian": _flow("full_gaussian"),
    **{f"planar-{steps}": _flow("planar", steps=steps) for steps in (10, 80)},
    **{f"nice-{steps}": _flow("nice", steps=steps, hidden=[40]) for steps in (10, 80)},
    **{f"hvi-{steps}": _flow("hamiltonian", steps=steps, hidden=[300]) for steps in (1, 8)},
    "iaf-2": _flow("iaf", steps=2, hidden=[320]),
    "real-nvp-4": _flow("real_nvp", steps=4, hidden=[100]),
    "sylvester-4": _flow("sylvester", steps=4, planes=2),
    "vamp": {**_GATED, **_VAMP},
    "exemplar": {**_GATED, "model.prior": "exemplar", "model.prior.components": 500},
    "flow-prior": {**_GATED, "model.prior": "flow", "model.prior.steps": 6, "model.prior.hidden": [128]},
    "hvae": _HVAE,
    "hvae-vamp": {**_HVAE, **_VAMP},
    "conv-hvae-vamp": {**_HVAE, **_VAMP, "model.network": "conv_hvae"},
    "pixel-hvae-vamp": {**_HVAE, **_VAMP, "model.likelihood": "pixelcnn"},
}
LADDER: Mapping[str, Settings] = {
    "ladder-5": {
        "model.latent": [64, 32, 16, 8, 4],
        "model.hidden": [[512, 512], [256, 256], [128, 128], [64, 64], [32, 32]],
        "model.activation": "leaky_relu",
        "model.order": "ladder",
        **_ELBO,
    },
}

# Hernandez-Lobato et al. 2016 name widths and k; activation, rates and the start of sigma are ours.
_400: Settings = {"model.latent": 40, "model.hidden": [400], "model.activation": "tanh", **_iwae(25)}
_BOTH: Settings = {**_400, "model.stochastic_weights": "both"}
STOCHASTIC: Mapping[str, Settings] = {
    "iwae-400": _400,
    "iwaeu": _BOTH,
    "iwaeu-rec": {**_400, "model.stochastic_weights": "encoder"},
    "iwaeu-dec": {**_400, "model.stochastic_weights": "decoder"},
    "iwaeu-kl": {**_BOTH, "objective.weight_kl": 1.0},
    "iwaeu-mixture": {**_BOTH, "objective.denominator": "mixture"},
    "iwaeu-alpha": {**_BOTH, "objective.bound": "renyi", "objective.bound.alpha": 0.5, "objective.weight_kl": 1.0},
    "bayesian-iwae": {**_BOTH, "objective.weight_draws": "shared"},
    "iwaeu-2": {**_BURDA[2], **_iwae(25), "model.stochastic_weights": "both"},
}

# Li, Zhu and Zhang 2016: batch normalisation replaced by one that is defined for a single datum.
_500: Settings = {
    "model.latent": 100,
    "model.hidden": [500, 500],
    "model.activation": "relu",
    "model.layer_norm": True,
}
_530: Settings = {**_500, "model.hidden": [530, 530]}  # as many weights as with memory
_MEMORY_OF: Settings = {**_500, "model.memory": [70, 30], "objective.local_reconstruction": 0.1}
MEMORY: Mapping[str, Settings] = {
    f"{name}{suffix}": {**sizes, **objective}
    for family, objective, suffix in (("vae", _ELBO, ""), ("iwae", _iwae(5), "-5"), ("iwae", _iwae(50), "-50"))
    for name, sizes in ((f"{family}-500", _500), (f"{family}-530", _530), (f"mem-{family}", _MEMORY_OF))
}

_GRAPH: Settings = {
    "data.graph": True,
    "model.latent": 16,
    "model.hidden": [32],
    "model.network": "graph",
    "model.likelihood": "graph",
}
_PRINTED_GRAPH: Settings = {
    **_GRAPH,
    **_ELBO,
    "model.likelihood.score": "inner_product",
    "model.likelihood.weight": "balanced",
    "data.held_out": "absent",
}
GRAPHS = ("gae", "vgae", "graph")

PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        **{
            burda_name(family, layers, k): {**_BURDA[layers], "objective.bound": bound, "objective.k": k}
            for family, bound in (("vae", "elbo"), ("iwae", "iwae"))
            for layers in (1, 2)
            for k in (1, 5, 50)
        },
        "miwae": {**_BURDA[1], "objective.bound": "miwae", "objective.bound.m": 8, "objective.k": 64},
        "aevb": {
            "model.latent": 20,
            "model.hidden": [500],
            "model.activation": "tanh",
            **_ELBO,
            "objective.gradient": "closed_form_kl",
        },
        **TOMCZAK,
        **LADDER,
        **STOCHASTIC,
        **MEMORY,
        # For tables of your own: the bound of Mattei and Frellsen (2019, arXiv:1812.02633) where cells are missing.
        "table": {"model.latent": 10, "model.hidden": [128, 128], "model.activation": "relu", **_iwae(20)},
        # Graph autoencoders of Kipf and Welling (2016, arXiv:1611.07308), as printed; and one that is a likelihood.
        "gae": {**_PRINTED_GRAPH, "model.posterior": "point", "objective.beta": 0.0},
        "vgae": {**_PRINTED_GRAPH, "objective.gradient": "closed_form_kl"},
        "graph": {**_GRAPH, "model.likelihood.score": "degree_corrected", **_iwae(5)},
        "density-network": {
            "model.latent": 2,
            "model.hidden": [100],
            "model.activation": "tanh",
            "model.posterior": "prior",
            **_iwae(100),
        },
        "factor-analysis": {
            "model.latent": 5,
            "model.hidden": [],
            "model.likelihood": "gaussian",
            "model.likelihood.variance": "feature",
            "model.posterior": "full_gaussian",
            **_ELBO,
        },
    }
)
