"""Settings of parts: their own names, the flat ones of before, and files of either form mean the same."""

import json

import pytest

from iwax.experiments import fits
from iwax.experiments.config import Config, Model, Objective
from iwax.experiments.former import FORMER
from iwax.experiments.naming import differing
from iwax.experiments.sources import complete, from_sources, keys

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
        {"uncertain": {"of": "both", "sigma": 0.1, "floor": 0.05}},
    ),
    (
        {"memory": (3, 2), "attention": "softmax", "activation": "relu"},
        {"memory": {"slots": (3, 2), "attention": "softmax"}, "activation": "relu"},
    ),
    ({"network": None, "posterior_steps": None}, {}),
)


@pytest.mark.parametrize(("flat", "own"), FORMS)
def test_flat_settings_are_those_of_the_parts(flat, own, tmp_path):
    config, other = Config(model=Model(**flat)), Config(model=Model(**own))
    assert config == other
    assert hash(config.model) == hash(other.model)
    assert config.model_dump_json() == other.model_dump_json()
    assert differing(config, other) == {}
    tree = Config().model_dump(mode="json")
    for form in (flat, own):
        file = tmp_path / "config.json"
        whole = {key: value for key, value in tree["model"].items() if f"model.{key}" not in FORMER}
        file.write_text(json.dumps(tree | {"model": whole | form}))
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
    assert {"model.prior.pseudo_inputs", "model.memory.attention", "model.uncertain.floor"} <= keys().keys()


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
