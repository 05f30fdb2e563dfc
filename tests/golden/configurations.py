"""What names and flat settings resolve to, and the models made of it: ``python tests/golden/configurations.py``.

Writes what configurations.json lacks, with the code whose settings later ones have to keep; what it has stays:

    defaults    every key with its default
    resolved    by preset, recipe and data, and by a list of ``--set``: the keys whose value is another
    models      by the same names, of each distinct model: how many arrays, how many numbers, digest of shapes
    weights     of some models, untrained at a fixed seed: three figures of each array

Models are identified by their arrays alone, in whatever order: parts and fields may be renamed and moved.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from iwax import data
from iwax.runs import from_sources
from iwax.settings import build, catalogue
from iwax.settings.config import Config
from iwax.settings.former import FORMER
from iwax.settings.parts.columns import table_start

STORED = Path(__file__).parent / "configurations.json"
SIZED = ("digits", "ring", "own.csv")  # data for which presets have sizes or epochs of their own
SEED = 7
COLUMNS = (
    *(data.Column(kind, kind) for kind in ("continuous", "positive", "nonnegative", "count", "integer")),
    *(data.Column("nonnegative_integer", "nonnegative_integer"), data.Column("binary", "binary", ("no", "yes"))),
    data.Column("categorical", "categorical", ("red", "green", "blue")),
)

BEFORE = {"model.variance": "network", "model.scale": 1.0, "objective.free_bits": 0.0}  # defaults that were not null
_ONE = "model.latent=6 model.hidden=[12,10]"  # sizes that keep what is built small
_TWO = "model.latent=[5,3] model.hidden=[[12,10],[8]]"
SETS = tuple(
    text
    for group in (
        # posteriors
        [f"{_ONE} model.posterior={name}" for name in ("gaussian", "full_gaussian", "linear_iaf")],
        [
            f"{_ONE} model.posterior=mixture model.posterior_components=3",
            f"{_ONE} model.posterior=householder model.posterior_steps=2",
            f"{_ONE} model.posterior=convex_linear_iaf model.posterior_components=3",
            f"{_ONE} model.posterior=planar model.posterior_steps=3",
            f"{_ONE} model.posterior=radial model.posterior_steps=3",
            f"{_ONE} model.posterior=nice model.posterior_steps=2 model.flow_hidden=[7]",
            f"{_ONE} model.posterior=real_nvp model.posterior_steps=2 model.flow_hidden=[7,5]",
            f"{_ONE} model.posterior=iaf model.posterior_steps=2 model.flow_hidden=[]",
            f"{_ONE} model.posterior=sylvester model.posterior_steps=2 model.posterior_components=3",
            f"{_ONE} model.posterior=hamiltonian model.posterior_steps=2 model.flow_hidden=[9] "
            "objective.gradient=pathwise",
            f"{_ONE} model.posterior=prior objective.gradient=pathwise",
            f"{_ONE} model.prior=bernoulli model.posterior=bernoulli objective.gradient=wake",
        ],
        # priors
        [
            f"{_ONE} model.prior=mixture model.prior_components=4",
            f"{_ONE} model.prior=vamp model.prior_components=4",
            f"{_ONE} model.prior=vamp model.prior_components=4 model.pseudo_inputs=random",
            f"{_ONE} model.prior=vamp model.prior_components=4 model.pseudo_inputs=data",
            f"{_ONE} model.prior=vamp model.prior_components=4 model.likelihood=gaussian",
            f"{_ONE} model.prior=vamp model.prior_components=4 model.likelihood=poisson",
            f"{_ONE} model.prior=exemplar model.prior_components=4",
            f"{_ONE} model.prior=flow model.prior_steps=2 model.flow_hidden=[7]",
            f"{_ONE} model.prior=autoregressive model.prior_steps=2 model.flow_hidden=[7]",
        ],
        # likelihoods
        [
            f"{_ONE} model.likelihood={name}"
            for name in (
                *("bernoulli", "gaussian", "continuous_bernoulli", "discretized_logistic", "student_t", "poisson"),
                *("negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial", "pixelcnn"),
                *("gated_pixelcnn", "columns"),
            )
        ],
        [
            f"{_ONE} model.likelihood=gaussian model.variance=fixed model.scale=0.5",
            f"{_ONE} model.likelihood=gaussian model.variance=scalar model.scale=2.0",
            f"{_ONE} model.likelihood=gaussian model.variance=feature",
            f"{_ONE} model.likelihood=columns model.mask=true model.scale_floor=0.01",
            f"{_ONE} model.likelihood=gaussian model.mask=true model.scale_floor=0.1",
        ],
        # networks
        [f"{_ONE} model.activation={name}" for name in ("relu", "softplus", "gelu", "silu", "leaky_relu")],
        [
            f"{_ONE} model.network=mlp model.layer_norm=true",
            f"{_ONE} model.network=gated",
            f"{_ONE} model.network=conv model.channels=[3,4] model.kernel=5 model.stride=1",
            f"{_ONE} model.network=conv",
            f"{_ONE} model.network=conv_hvae",
            f"{_ONE} model.network=conv_hvae model.likelihood=discretized_logistic",
            f"{_ONE} model.uncertain=encoder model.sigma=0.1",
            f"{_ONE} model.uncertain=decoder model.sigma=0.1 model.sigma_floor=0.01",
            f"{_ONE} model.uncertain=both",
            f"{_ONE} model.activation=relu model.memory=[6,0]",
            f"{_ONE} model.activation=relu model.memory=[6,4] model.attention=softmax model.composition=sum",
        ],
        # layers
        [
            f"{_TWO}",
            f"{_TWO} model.order=bottom_up",
            f"{_TWO} model.order=top_down",
            f"{_TWO} model.order=ladder",
            f"{_TWO} model.order=top_down model.prior=vamp model.prior_components=4",
            f"{_TWO} model.order=ladder model.prior=mixture model.prior_components=4",
            f"{_TWO} model.order=top_down model.likelihood=pixelcnn",
            f"{_TWO} model.order=top_down model.network=conv_hvae",
            f"{_TWO} model.prior=bernoulli model.posterior=bernoulli objective.gradient=covariance "
            "objective.bound=thermodynamic objective.intervals=5",
            "model.latent=[5,4,3] model.hidden=[12]",
        ],
        # objectives
        [
            "objective.bound=elbo objective.k=3",
            "objective.bound=miwae objective.k=6 objective.m=2",
            "objective.bound=ciwae objective.ciwae_beta=0.3",
            "objective.bound=renyi objective.alpha=0.5 objective.gradient=pathwise",
            "objective.bound=vr_max objective.gradient=pathwise",
            "objective.bound=jackknife objective.order=2 objective.gradient=pathwise",
            "objective.bound=cubo objective.n=2.0",
            "objective.bound=thermodynamic objective.intervals=5 objective.gradient=pathwise",
            "objective.bound=sumo objective.m=2 objective.k=8 objective.gradient=pathwise",
            "objective.posterior_bound=miwae objective.k=6 objective.m=3",
            "objective.gradient=sticking_the_landing objective.bound=elbo",
            "objective.gradient=doubly_reparameterized_wake",
            "objective.gradient=closed_form_kl objective.bound=elbo objective.free_bits=0.5",
            "objective.gradient=pathwise objective.backward=2",
            "objective.beta_warmup=4",
            *(
                f"objective.gradient=score_function objective.control_variate={name}"
                for name in ("none", "moving_average", "leave_one_out", "learned")
            ),
            "model.uncertain=both objective.gradient=pathwise objective.denominator=mixture",
            "model.uncertain=encoder objective.denominator=own",
            "model.uncertain=both objective.weight_draws=shared objective.weight_prior=0.5",
            "model.uncertain=both objective.weight_draws=every_sample objective.weight_kl=0.1",
            "objective.local_reconstruction=0.2 model.activation=relu",
        ],
        # training, evaluation, data and the run itself
        [
            *(f"training.schedule={name}" for name in ("constant", "burda", "late_decay")),
            "training.batch=7 training.epochs=11 training.learning_rate=0.01 training.warmup=2",
            "training.normalise=true training.clip=5.0 training.beta1=0.8 training.beta2=0.99 training.epsilon=0.0001",
            "training.reduction=sum training.validate_every=2 training.patience=3",
            "training.keep=5 training.checkpoint_seconds=10.0 training.record=2",
            "evaluation.k=64 evaluation.split=valid evaluation.limit=30 evaluation.checkpoint=last",
            "seed=3 precision=64 device=cpu recipe=paper preset=vae-2",
            "data.name=own.npy data.binarize=threshold data.perturb=0.2",
            'data.name=own.csv data.kinds={"a":"count","b":"drop"} data.missing=["n.b."] data.levels={"c":["NA"]}',
            'data.name=own.csv data.header="none" data.delimiter=; data.encoding=latin-1 data.thousands=.',
        ],
    )
    for text in group
)
WITH_WEIGHTS = (  # models whose untrained weights are compared, all of them small
    f"{_ONE} model.posterior=gaussian",
    f"{_ONE} model.posterior=iaf model.posterior_steps=2 model.flow_hidden=[]",
    f"{_ONE} model.posterior=sylvester model.posterior_steps=2 model.posterior_components=3",
    f"{_ONE} model.posterior=hamiltonian model.posterior_steps=2 model.flow_hidden=[9] objective.gradient=pathwise",
    f"{_ONE} model.posterior=planar model.posterior_steps=3",
    f"{_ONE} model.prior=vamp model.prior_components=4",
    f"{_ONE} model.prior=exemplar model.prior_components=4",
    f"{_ONE} model.prior=flow model.prior_steps=2 model.flow_hidden=[7]",
    f"{_ONE} model.likelihood=gaussian",
    f"{_ONE} model.likelihood=negative_binomial",
    f"{_ONE} model.likelihood=columns",
    f"{_ONE} model.network=gated",
    f"{_ONE} model.uncertain=both",
    f"{_ONE} model.activation=relu model.memory=[6,0]",
    f"{_TWO}",
    f"{_TWO} model.order=top_down model.prior=vamp model.prior_components=4",
    f"{_TWO} model.order=ladder",
)


def flat(config: Config) -> dict[str, Any]:
    """Every key of a configuration, dotted, with its value as JSON has it; of parts by the flat names of before.

    A setting of a part that the kind chosen does not have is what it was by default, null for most.
    """
    found = config.flat()
    former = {key: next((found[n] for n in names if n in found), BEFORE.get(key)) for key, names in FORMER.items()}
    return {key: value for key, value in found.items() if key.count(".") < 2} | former


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is resolved: a name, and what `from_sources` is given. Every preset and recipe, every size, then `SETS`."""
    on_data = [*((recipe, "mnist") for recipe in catalogue.RECIPES), *(("quick", name) for name in SIZED)]
    for preset, (recipe, name) in itertools.product(catalogue.names(), on_data):
        yield f"{preset} {recipe} {name}", {"preset": preset, "recipe": recipe, "data": name}
    for text in SETS:
        yield text, {"sets": text.split(" ")}


def shape_digest(config: Config) -> tuple[int, int, str]:
    """Of the arrays of the untrained model, which is not computed: their number, that of numbers, and a digest."""
    made = eqx.filter_eval_shape(lambda key: build.build_model(config, _start(config), key=key), jax.random.key(SEED))
    leaves = [leaf for leaf in jax.tree.leaves(made) if isinstance(leaf, jax.ShapeDtypeStruct)]
    lines = sorted(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)
    return len(leaves), sum(leaf.size for leaf in leaves), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def weight_figures(config: Config) -> list[list[Any]]:
    """Of every array of the untrained model: its shape, mean and root mean square, and its product with a ramp.

    Three figures, and no digest of bytes: another processor rounds the last bit of a normal variable otherwise.
    """
    model = build.build_model(config, _start(config), key=jax.random.key(SEED))
    found = []
    for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)):
        values = np.asarray(leaf, np.float64).ravel()
        ramp = np.linspace(1.0, 2.0, values.size)
        figures = [values.mean(), np.sqrt(np.mean(values**2)), ramp @ values / values.size]
        found.append([list(leaf.shape), *(float(f"{each:.7g}") for each in figures)])
    return sorted(found)


def configuration(arguments: dict[str, Any], **model: str) -> Config:
    """The configuration; ``model`` are settings besides those that the arguments have."""
    sets = [*arguments.get("sets", ()), *(f"model.{name}={value}" for name, value in model.items())]
    return from_sources(**arguments | {"sets": sets})


def with_likelihood(arguments: dict[str, Any]) -> Config:
    """The same with the likelihood that is otherwise chosen from the data."""
    config = configuration(arguments)
    if flat(config)["model.likelihood"] is not None:
        return config
    table = flat(config)["data.name"].endswith(".csv")
    return configuration(arguments, likelihood="columns" if table else "bernoulli")


def _start(config: Config) -> build.FeatureStatistics:
    """The moments of data that are nowhere: pictures, points or rows of a table, as the names say."""
    settings = flat(config)
    if settings["model.likelihood"] == "columns":
        table = table_start(COLUMNS, None, floor=settings["model.scale_floor"] or 0.0)
        return build.FeatureStatistics(np.full(len(COLUMNS), 0.5), np.ones(len(COLUMNS)), (len(COLUMNS),), None, table)
    if settings["model.likelihood"] == "graph":
        graph = build.GraphStart(np.array([[0, 1], [1, 2], [2, 4]]), 5, np.ones((5, 3), np.float32), density=0.3)
        return build.FeatureStatistics(np.zeros(3), np.ones(3), (3,), graph=graph)
    shape = {"mnist": (28, 28), "own.npy": (6,)}.get(settings["data.name"], (8, 8))
    size = int(np.prod(shape))
    rows = (np.arange(500 * size).reshape(500, size) % 7 / 6).astype(np.float32)
    return build.FeatureStatistics(rows.mean(axis=0), rows.std(axis=0), shape, rows)


def model_requests() -> Iterator[tuple[str, Config]]:
    """Of `requests`, those whose models differ in a setting, on data that suit them."""
    seen = set()
    for name, arguments in requests():
        if name.endswith(tuple(f" {small}" for small in SIZED)) and name != "table quick own.csv":
            continue
        config = with_likelihood(arguments)
        settings = flat(config)
        sizes = {key: value for key, value in settings.items() if key.startswith("model.") or key == "data.name"}
        if (kind := json.dumps(sizes)) not in seen:
            seen.add(kind)
            yield name, config


def main() -> None:
    """Write the file, or what it lacks: an entry that is there is kept as it is."""
    before = json.loads(STORED.read_text()) if STORED.exists() else {}
    defaults = flat(Config()) | before.get("defaults", {})
    by_name = dict(requests())
    found = {
        "defaults": defaults,
        "resolved": {
            name: {key: value for key, value in flat(configuration(each)).items() if value != defaults[key]}
            for name, each in by_name.items()
        },
        "models": {name: shape_digest(config) for name, config in model_requests()},
        "weights": {name: weight_figures(with_likelihood(by_name[name])) for name in WITH_WEIGHTS},
    }
    kept = {part: entries | before.get(part, {}) for part, entries in found.items()}
    lines = [f'"{part}": {{\n{_lines(entries)}\n}}' for part, entries in kept.items()]
    STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _lines(entries: dict[str, Any]) -> str:
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(value, sort_keys=True)}" for name, value in entries.items())


if __name__ == "__main__":
    main()
