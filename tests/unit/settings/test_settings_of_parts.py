"""Settings of parts: their own names, the flat ones of before, and files of either form mean the same."""

import json

import jax
import pytest

from iwax.runs.sources import complete, from_sources, keys
from iwax.settings import fits
from iwax.settings.config import Config, Model, Objective
from iwax.settings.naming import differing
from iwax.settings.objective import build_objective

FORMS = (
    ({"posterior": "householder", "posterior_steps": 10}, {"posterior": {"kind": "householder", "steps": 10}}),
    ({"posterior": "sylvester", "posterior_components": 2}, {"posterior": {"kind": "sylvester", "planes": 2}}),
    (
        {"posterior": "iaf", "prior": "flow", "flow_hidden": (7,), "latent": 3},
        {"posterior": {"kind": "iaf", "hidden": (7,)}, "prior": {"kind": "flow", "hidden": (7,)}, "latent": 3},
    ),
    (
        {"prior": "vamp", "prior_components": 9, "pseudo_inputs": "data"},
        {"prior": {"kind": "vamp", "components": 9, "pseudo_inputs": "data"}},
    ),
    (
        {"network": "conv", "channels": (4, 5), "kernel": 5, "stride": 1},
        {"network": {"kind": "conv", "channels": (4, 5), "kernel": 5, "stride": 1}},
    ),
    (
        {"uncertain": "both", "sigma": 0.1, "sigma_floor": 0.05},
        {"stochastic_weights": {"of": "both", "sigma": 0.1, "floor": 0.05}},
    ),
    (
        {"uncertain": {"of": "both", "sigma": 0.1, "floor": 0.05}},
        {"stochastic_weights": {"of": "both", "sigma": 0.1, "floor": 0.05}},
    ),
    (
        {"memory": (3, 2), "attention": "softmax", "activation": "relu"},
        {"memory": {"slots": (3, 2), "attention": "softmax"}, "activation": "relu"},
    ),
    (
        {"likelihood": "gaussian", "variance": "fixed", "scale": 0.5},
        {"likelihood": {"kind": "gaussian", "variance": "fixed", "scale": 0.5}},
    ),
    ({"variance": "feature"}, {"likelihood": {"variance": "feature"}}),  # of whatever the data are given
    ({"likelihood": "poisson", "variance": "network", "scale": 1.0}, {"likelihood": "poisson"}),  # as it was stored
    ({"network": None, "posterior_steps": None}, {}),
)
OBJECTIVES = (
    ({"bound": "renyi", "alpha": 0.5}, {"bound": {"kind": "renyi", "alpha": 0.5}}),
    ({"bound": "ciwae", "ciwae_beta": 0.3}, {"bound": {"kind": "ciwae", "beta": 0.3}}),
    ({"bound": "jackknife", "order": 1}, {"bound": {"kind": "jackknife", "order": 1}}),
    ({"bound": "cubo", "n": 2.0}, {"bound": {"kind": "cubo", "n": 2.0}}),
    ({"bound": "thermodynamic", "intervals": 4}, {"bound": {"kind": "thermodynamic", "intervals": 4}}),
    ({"bound": "sumo", "m": 2}, {"bound": {"kind": "sumo", "m": 2}}),
    ({"posterior_bound": "miwae", "k": 6, "m": 3}, {"posterior_bound": {"kind": "miwae", "m": 3}, "k": 6}),
    (
        {"bound": "miwae", "posterior_bound": "miwae", "k": 6, "m": 3},
        {"bound": {"kind": "miwae", "m": 3}, "posterior_bound": {"kind": "miwae", "m": 3}, "k": 6},
    ),
    (
        {"gradient": "score_function", "control_variate": "learned"},
        {"gradient": {"kind": "score_function", "control_variate": "learned"}},
    ),
    (
        {"bound": "elbo", "gradient": "closed_form_kl", "free_bits": 0.5},
        {"bound": {"kind": "elbo"}, "gradient": {"kind": "closed_form_kl", "free_bits": 0.5}},
    ),
    ({"m": None, "alpha": None, "control_variate": None, "free_bits": 0.0}, {}),
)


def dotted(tree, above):
    """The settings of a tree, each by its dotted name."""
    for key, value in tree.items():
        yield from (
            dotted(value, f"{above}.{key}")
            if isinstance(value, dict)
            else [(f"{above}.{key}".removesuffix(".kind"), value)]
        )


@pytest.mark.parametrize(("flat", "own"), OBJECTIVES)
def test_flat_dotted_and_nested_objectives_are_the_same(flat, own, tmp_path):
    config = Config(objective=Objective(**flat))
    assert config == Config(objective=Objective(**own))
    assert Config.model_validate_json(config.model_dump_json()) == config
    stored = {key: value for key, value in Config().flat().items() if key.count(".") < 2}
    for form in (dict(dotted(own, "objective")), dict(dotted(flat, "objective"))):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(stored | form))
        assert complete(file) == config
    assert build_objective(config.objective, 3, rows=9, key=jax.random.key(0)).k == config.objective.k


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bound": {"kind": "renyi", "alfa": 0.5}}, r"objective\.bound\.alfa: .*did you mean objective\.bound\.alpha"),
        ({"gradient": {"kind": "score_function", "variate": 1}}, r"did you mean objective\.gradient\.control_variate"),
        ({"bound": {"kind": "renyi", "colour": 0.5}}, r"objective\.bound has m, beta, alpha, order, n, intervals"),
        ({"bound": "renyi"}, r"alpha"),
        ({"m": 2}, r"objective\.bound\.m needs objective\.bound=miwae or sumo, got iwae with m=2"),
        ({"bound": "miwae", "m": 5, "posterior_bound": "elbo", "posterior_bound.m": 4}, r"got elbo with m=4"),
        ({"bound": "miwae", "m": 5, "alpha": 0.5}, r"objective\.bound=renyi, got miwae m=5 with alpha=0\.5"),
        ({"free_bits": 0.5}, r"objective\.gradient=closed_form_kl, got pathwise with free_bits=0\.5"),
        ({"gradient": "doubly_reparameterized", "bound": "vr_max"}, r"gradient=doubly_reparameterized .* has a kink"),
        ({"denominator": "mixture", "backward": 2}, r"the mixture sampler needs a pathwise estimator"),
        ({"backward": 9}, r"objective\.k=5 do not go together: backward"),
        ({"gradient": "covariance"}, r"needs a thermodynamic bound, got iwae"),
    ],
)
def test_what_is_wrong_with_an_objective_is_said_once_with_its_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        Objective(**settings)


@pytest.mark.parametrize("form", ["objective.control_variate=none", "objective.gradient.control_variate=none"])
def test_no_control_variate_is_one_that_can_be_asked_for(form):
    config = from_sources(sets=["objective.gradient=score_function", form])
    assert config.objective.gradient.control_variate == "none"


def test_a_gaussian_that_the_data_choose_has_the_settings_that_were_given():
    model = Model(variance="fixed", scale=0.5)
    assert model.with_likelihood("gaussian") == Model(
        likelihood={"kind": "gaussian", "variance": "fixed", "scale": 0.5}
    )
    assert model.with_likelihood("poisson").unused == ("model.likelihood.variance", "model.likelihood.scale")
    assert Model(likelihood="bernoulli").with_likelihood("gaussian").likelihood.kind == "bernoulli"


@pytest.mark.parametrize(("flat", "own"), FORMS)
def test_flat_settings_are_those_of_the_parts(flat, own, tmp_path):
    config, other = Config(model=Model(**flat)), Config(model=Model(**own))
    assert config == other
    assert hash(config.model) == hash(other.model)
    assert config.model_dump_json() == other.model_dump_json()
    assert differing(config, other) == {}
    tree, known = Config().model_dump(mode="json"), Config().flat()
    whole = {key: known[f"model.{key}"] for key in tree["model"]}
    for form in (flat, own):
        file = tmp_path / "config.json"
        today = {"stochastic_weights"} if "uncertain" in form else set()  # a file has the one name or the other
        rest = {key: value for key, value in whole.items() if key not in today}
        file.write_text(json.dumps(tree | {"model": rest | form}))
        assert complete(file) == config


def test_a_setting_of_two_parts_leaves_alone_what_is_given_by_its_own_name():
    model = Model(posterior={"kind": "iaf", "hidden": (3,)}, prior="flow", flow_hidden=(4,))
    assert (model.posterior.hidden, model.prior.hidden) == ((3,), (4,))
    with pytest.raises(ValueError, match=r"every key once, got model\.posterior\.steps and model\.posterior_steps"):
        Model(posterior={"kind": "iaf", "steps": 3}, posterior_steps=4)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["model.posterior.stepz=3"], r"did you mean model\.posterior\.steps \(of .*householder"),
        (["model.posterior.nonsense=3"], r"model\.posterior has .*planes"),
        (
            ["model.posterior=planar", "model.posterior_steps=0"],
            r"model\.posterior_steps \(from --set\): needs an integer",
        ),
        (
            ["model.posterior=planar", "model.posterior.steps=0"],
            r"model\.posterior\.steps \(from --set\): needs an integer",
        ),
        (["model.posterior_steps=0"], r"model\.posterior_steps \(from --set\): needs an integer from 1 to 1000"),
        (
            ["model.uncertain=both", "model.sigma=0.1", "model.sigma_floor=0.2"],
            r"model\.sigma_floor needs .* model\.sigma=0\.1",
        ),
        (["model.posterior=houshold", "model.posterior.steps=2"], "did you mean householder"),
        (["model.posterior.steps=2", "model.posterior_steps=3"], r"--set: needs every key once"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(sets, words):
    with pytest.raises(ValueError, match=words) as found:
        from_sources(data="mnist", sets=sets)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("key", ["posterior_steps", "posterior.steps"])
def test_a_setting_that_the_kind_chosen_does_not_have_is_named(key):
    config = from_sources(data="mnist", sets=[f"model.{key}=3"])
    assert config.warnings() == ("model.posterior.steps has no effect with the parts chosen",)
    assert config == from_sources(data="mnist")


def test_later_sources_set_one_setting_of_a_part(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[model.posterior]\nkind = "householder"\nsteps = 10\n')
    assert from_sources(data="mnist", file=file).model.posterior.steps == 10
    assert from_sources(data="mnist", file=file, sets=["model.posterior.steps=3"]).model.posterior.steps == 3
    assert from_sources(data="mnist", file=file, sets=["model.posterior=planar"]).model.posterior.steps == 10


def test_differences_of_runs_are_those_of_meaning():
    first, second = Config(), Config(model=Model(posterior="iaf", posterior_steps=2))
    assert differing(second, first) == {"model.posterior": "iaf", "model.posterior.steps": 2}
    assert differing(first, second) == {"model.posterior": "gaussian"}


def test_every_setting_of_a_part_has_a_key():
    assert {"model.prior.pseudo_inputs", "model.memory.attention", "model.stochastic_weights.floor"} <= keys().keys()


@pytest.mark.parametrize(
    ("model", "objective", "words"),
    [
        ({"prior": "vamp", "latent": (3, 2)}, {}, r"model\.prior=vamp, .*model\.order=bottom_up.* topmost layer"),
        ({"posterior": "hamiltonian"}, {"backward": 1}, r"model\.posterior=hamiltonian.* no density at a given z"),
        (
            {"prior": "bernoulli", "posterior": "bernoulli"},
            {},
            r"gradient=pathwise.* draws with a derivative",
        ),
        ({"prior": "flow", "latent": 1}, {}, r"model\.prior=flow: .* at least 2"),
    ],
)
def test_what_does_not_go_together_is_said_by_the_objects(model, objective, words):
    with pytest.raises(ValueError, match=words):
        fits.check(Config(model=Model(**model), objective=Objective(**objective)))
