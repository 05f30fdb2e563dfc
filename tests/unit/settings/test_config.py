"""Configurations: sources in order, complete and frozen, the same after a round trip."""

import itertools
import json
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from iwax.runs.sources import complete, from_sources, keys
from iwax.settings import catalogue, fits
from iwax.settings.config import Config, Model, Objective, Training
from iwax.storage.checkpoint import CorruptCheckpointError

PRESETS = catalogue.names()


def test_later_sources_win(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[objective]\nk = 7\n[training]\nbatch = 30\nepochs = 9\n[data]\nname = "mnist"\n')
    config = from_sources(
        preset="iwae-1-k50",
        recipe="paper",
        file=file,
        sets=["training.epochs=8", "training.batch=31"],
        flags={"training.epochs": 4, "training.clip": None},
    )
    assert (config.objective.k, config.training.batch, config.training.epochs) == (7, 31, 4)
    assert config.training.schedule == "burda"  # the recipe, over the defaults
    assert config.data.name == "mnist"
    assert (config.preset, config.recipe) == ("iwae-1-k50", "paper")


def test_the_preset_may_come_from_any_source(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"preset": "vae-2", "recipe": "paper", "seed": 3}))
    config = from_sources(file=file)
    assert (config.preset, config.model.latents, config.training.epochs, config.seed) == ("vae-2", (24, 12), 3280, 3)
    assert from_sources(file=file, sets=["preset=vae-1"]).model.latents == (16,)  # digits, to their size
    assert from_sources(file=file, sets=["preset=vae-1"], preset="aevb").objective.gradient.kind == "closed_form_kl"


def test_paper_recipe_is_the_published_one():
    training = from_sources(preset="iwae-2-k5", recipe="paper", data="mnist").training
    assert (training.batch, training.epochs, training.learning_rate, training.epsilon) == (20, 3280, 1e-3, 1e-4)
    assert (training.schedule, training.reduction, training.patience) == ("burda", "sum", None)


def resolved(preset: str) -> list[Config]:
    """A preset with every recipe, on data of every kind; whether its parts fit is left open."""
    everywhere = itertools.product(catalogue.RECIPES, ["digits", "mnist", "ring", "some/file.npy"])
    with mock.patch.object(fits, "check"):
        return [from_sources(preset=preset, recipe=recipe, data=data) for recipe, data in everywhere]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_whole_configuration(preset):
    for config in resolved(preset):
        assert config.preset == preset
        assert config.warnings() == ()
        assert Config.model_validate_json(config.model_dump_json()) == config


def kinds(config: Config) -> tuple:
    """The kinds of its parts and of its objective: what decides whether they fit, sizes aside."""
    model, objective = config.model, config.objective
    parts = (model.prior, model.posterior, model.likelihood, model.network, objective.bound, objective.gradient)
    return *(part.kind for part in parts), len(model.latents)


def test_the_parts_of_a_preset_fit():
    """Of presets that differ in sizes alone, the first."""
    for config in {kinds(config): config for preset in reversed(PRESETS) for config in resolved(preset)[:1]}.values():
        fits.check(config)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_the_parts_of_every_preset_fit(preset):
    for config in resolved(preset):
        fits.check(config)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_saved_configuration_is_a_source_of_itself(preset, tmp_path):
    config = from_sources(preset=preset, data="mnist", sets=["training.clip=2", "seed=5"])
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json())
    assert complete(file) == config
    assert from_sources(file=file) == config


def test_an_incomplete_stored_configuration_is_refused(tmp_path):
    tree = Config().model_dump(mode="json")
    del tree["training"]["batch"]
    file = tmp_path / "config.json"
    file.write_text(json.dumps(tree))
    with pytest.raises(ValueError, match=r"config\.json: needs the key training\.batch"):
        complete(file)


def test_a_run_of_before_there_was_a_plain_convolutional_network_keeps_the_published_one(tmp_path):
    config = from_sources(preset="conv-hvae-vamp", data="mnist")
    tree = config.model_dump(mode="json")
    tree["model"]["network"] = "conv"  # as it was called
    file = tmp_path / "config.json"
    file.write_text(json.dumps(tree))
    assert complete(file) == config
    assert config.model.network.kind == "conv_hvae"


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["model.network=conv", "model.kernel=4"], r"model\.kernel .* to be odd, .* got 4"),
        (["model.network=conv", "model.channels=[]"], "model.channels"),
        (["model.network=conv", "model.stochastic_weights=both"], "dense networks, got model.network=conv"),
    ],
)
def test_what_a_convolutional_network_cannot_be_is_refused(sets, words):
    with pytest.raises(ValueError, match=words):
        from_sources(data="mnist", sets=sets)


def test_settings_of_convolutions_without_any_are_named():
    assert from_sources(data="mnist", sets=["model.stride=1"]).warnings() == (
        "model.network.stride has no effect with the parts chosen",
    )


def test_values_after_set_are_json_or_words():
    sets = ["model.hidden=200,100", "model.latent=3", "training.clip=none", "objective.bound=elbo", "seed=7"]
    config = from_sources(sets=sets)
    assert config.model.hiddens == ((200, 100),)
    assert config.training.clip is None
    assert (config.objective.bound.kind, config.seed) == ("elbo", 7)
    assert from_sources(sets=["model.hidden=[]"]).model.hiddens == ((),)
    assert from_sources(sets=["model.latent=4,3,2"]).model.hiddens == ((128, 128),) * 3


def test_a_run_from_a_run_inherits_its_data_and_sizes(tmp_path):
    first = from_sources(preset="vae-2", data="ring", flags={"training.epochs": 1})
    (tmp_path / "config.json").write_text(first.model_dump_json())
    config = from_sources(flags={"start": str(tmp_path), "objective.k": 9})
    assert (config.data, config.model) == (first.data, first.model)
    assert (config.objective.bound.kind, config.objective.k) == ("iwae", 9)
    assert config.preset == "vae-2"  # whose sizes it has
    assert from_sources(data="digits", flags={"start": str(tmp_path)}).data.name == "digits"


def test_a_run_from_a_run_whose_configuration_is_damaged_says_so(tmp_path):
    whole = from_sources().model_dump_json()
    for text in (whole[: len(whole) // 2], '{"model": {"latent": 3}}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CorruptCheckpointError, match=r"config\.json"):
            from_sources(flags={"start": str(tmp_path)})


def test_a_preset_of_other_sizes_than_the_run_it_starts_from_is_refused(tmp_path):
    first = from_sources(preset="vae-1", data="mnist")
    (tmp_path / "config.json").write_text(first.model_dump_json())
    start = {"start": str(tmp_path)}
    second = from_sources(preset="iwae-1-k50", flags=start)
    assert (second.preset, second.objective.k, second.model) == ("iwae-1-k50", 50, first.model)
    with pytest.raises(ValueError, match=r"preset \(from the command line\): needs model\.latent=50 .* of iwae-2-k5"):
        from_sources(preset="iwae-2-k5", flags=start)
    with pytest.raises(ValueError, match=r"preset \(from --set\)"):
        from_sources(sets=["preset=aevb"], flags=start)
    sets = ["model.latent=50", "model.hidden=200,200"]
    assert from_sources(preset="iwae-2-k5", sets=sets, flags=start).preset == "iwae-2-k5"


def test_configurations_are_frozen():
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_every_key_says_what_it_needs():
    assert all(text for text in keys().values())
    assert {"data.name", "model.latent", "objective.k", "training.batch", "evaluation.k", "seed"} <= keys().keys()


def test_biased_combinations_warn():
    def warned(**settings):
        return bool(Config(objective=Objective(gradient="sticking_the_landing", **settings)).warnings())

    assert warned(bound="iwae", k=5)
    assert warned(bound="miwae", k=6, m=2)
    assert not warned(bound="elbo", k=5)
    assert not warned(bound="iwae", k=1)
    assert not warned(bound="miwae", k=6, m=6)


@pytest.mark.parametrize(
    ("epochs", "message"), [(3280, None), (100, "ends it midway"), (3281, "goes on at its last rate")]
)
def test_the_stages_of_burda_warn_of_other_epochs_than_theirs(epochs, message):
    found = Config(training=Training(schedule="burda", epochs=epochs)).warnings()
    assert message in found[0] if message else found == ()


def test_groups_without_miwae_say_how_to_be_rid_of_them():
    with pytest.raises(ValueError, match=r"--set objective\.bound\.m=null"):
        from_sources(preset="miwae", flags={"objective.bound": "iwae"})


@settings(derandomize=True)
@given(latent=st.integers(1, 300), hidden=st.lists(st.integers(1, 300), max_size=3), features=st.integers(1, 1000))
def test_weights_of_one_layer_are_those_up_and_those_down(latent, hidden, features):
    sizes = Model(latent=latent, hidden=tuple(hidden))
    up, down = [features, *hidden, 2 * latent], [latent, *reversed(hidden), features]
    assert sizes.weights(features) == sum(a * b for path in (up, down) for a, b in pairwise(path))


@pytest.mark.parametrize(("k", "m", "words"), [(6, 4, "a multiple of its m=4 groups, got k=6"), (3, 4, "at least 4")])
def test_miwae_groups_divide_k(k, m, words):
    fits.check(Config(objective=Objective(bound="miwae", k=2 * m, m=m)))
    with pytest.raises(ValueError, match=rf"objective\.bound=miwae m={m}.* objective\.k={k} do not .*{words}"):
        fits.check(Config(objective=Objective(bound="miwae", k=k, m=m)))


@settings(derandomize=True)
@given(st.integers())
def test_seeds_lie_below_two_to_the_32(seed):
    if 0 <= seed < 2**32:
        assert Config(seed=seed).seed == seed
    else:
        with pytest.raises(ValidationError):
            Config(seed=seed)


@settings(derandomize=True)
@given(st.floats(allow_nan=True, allow_infinity=True))
def test_learning_rates_are_bounded(rate):
    if 0 < rate <= 10:
        assert Training(learning_rate=rate).learning_rate == rate
    else:
        with pytest.raises(ValidationError):
            Training(learning_rate=rate)


@pytest.mark.parametrize(
    ("text", "value"), [("data.header=none", "none"), ("data.header=null", None), ("model.memory=none", None)]
)
def test_none_is_null_but_where_it_is_a_word(text: str, value: str | None):
    section, _, key = text.partition("=")[0].partition(".")
    assert getattr(getattr(from_sources(data="x.csv", sets=[text]), section), key) == value
