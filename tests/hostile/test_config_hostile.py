"""Configurations that nobody should send: each is refused with one line, before anything is allocated."""

import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwax.runs.sources import complete, from_sources, keys
from iwax.settings.config import Config

LISTED = (
    ("objective.k=0", "objective.k"),
    ("objective.k=-1", "objective.k"),
    ("objective.k=10000001", "objective.k"),
    ("objective.k=1e6", "objective.k"),
    ("objective.k=5.5", "objective.k"),
    ("objective.k=true", "objective.k"),
    ('objective.k="5"', "objective.k"),
    ("objective.k=1000000", "rows per step"),
    ("objective.bound=iwea", "did you mean iwae"),
    ("objective.m=2", "objective.m"),
    ("objective.bound=miwae", "objective.bound.m"),
    ("objective.gradient=closed_form_kl", "needs bound=elbo"),
    ("objective.free_bits=0.5", "closed_form_kl"),
    ("objective.free_bits=-1", "objective.free_bits"),
    ("model.latent=0", "model.latent"),
    ("model.latent=65537", "model.latent"),
    ("model.latent=[]", "model.latent"),
    ("model.latent=[5,0]", "model.latent"),
    ("model.latent=" + json.dumps([1] * 33), "model.latent"),
    ("model.latent=99999999999999999999999999", "model.latent"),
    ("model.hidden=[0]", "model.hidden"),
    ("model.hidden=[[10],[10]]", "one list for each"),
    ("model.hidden=[[10],5]", "model.hidden"),
    ("model.hidden=" + json.dumps([1] * 65), "model.hidden"),
    ("model.hidden=" + json.dumps([65536] * 64), "weights"),
    ("model.hidden=" + "[" * 10_000, "model.hidden"),
    ("model.scale=0", "model.scale"),
    ("model.scale=NaN", "model.scale"),
    ("model.activation=tan", "did you mean tanh"),
    ("model.likelihood=poison", "did you mean poisson"),
    ("training.batch=0", "training.batch"),
    ("training.batch=null", "training.batch"),
    ("training.epochs=0", "training.epochs"),
    ("training.epochs=" + "9" * 5000, "training.epochs"),
    ("training.learning_rate=0", "training.learning_rate"),
    ("training.learning_rate=1e400", "training.learning_rate"),
    ("training.learning_rate=-Infinity", "training.learning_rate"),
    ("training.beta1=1", "training.beta1"),
    ("training.epsilon=0", "training.epsilon"),
    ("training.clip=0", "training.clip"),
    ("training.patience=3", "validate_every"),
    ("training.warmup=400", "training.warmup"),
    ("training.keep=0", "training.keep"),
    ("evaluation.k=0", "evaluation.k"),
    ("evaluation.limit=0", "evaluation.limit"),
    ("evaluation.split=tset", "did you mean test"),
    ("seed=-1", "seed"),
    ("seed=4294967296", "seed"),
    ("precision=16", "precision"),
    ("device=tpu", "device"),
    ("data.name=", "data.name"),
    ("data.name=3", "data.name"),
    ("data.name=a\0b", "data.name"),
    ("data.binarize=yes", "data.binarize"),
    ("preset=iwae-1-k6", "nearest: iwae-1-k5"),
    ("recipe=papr", "did you mean paper|one of quick, paper"),
    ("objective.kk=3", "did you mean objective.k"),
    ("epochs=3", "did you mean training.epochs"),
    ("objective=elbo", "objective.bound"),
    ("__class__=x", "key of the configuration"),
    ("objective.__class__=x", "key of the configuration"),
    ("k", "KEY=VALUE"),
    ("=3", "KEY=VALUE"),
)


@pytest.mark.parametrize(("text", "output"), LISTED, ids=[text[:40] for text, _ in LISTED])
def test_refused_in_one_line_before_anything_is_allocated(text, output):
    tracemalloc.start()
    with pytest.raises(ValueError, match=output) as caught:
        from_sources(sets=[text])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert peak < 5_000_000


FILES = (
    ("c.json", b"{", "JSON"),
    ("c.json", b"", "JSON"),
    ("c.json", b"[1, 2]", "object"),
    ("c.json", b'{"seed": NaN}', "NaN"),
    ("c.json", b'{"seed": 1, "seed": 2}', "twice"),
    ("c.json", b'{"objective": {"k": 1}, "objective.k": 2}', "twice"),
    ("c.json", b'{"seed": ' + b"[" * 100_000, "JSON"),
    ("c.json", b"\xff\xfe{}", "JSON"),
    ("c.json", b" " * 1_000_001, "at most"),
    ("c.json", b'{"objective": {"k": {"x": 1}}}', "objective.k"),
    ("c.json", b'{"model": null}', "model.latent"),
    ("c.json", b'{"constructor": "os.system"}', "key of the configuration"),
    ("c.toml", b"seed = 2024-01-01", "seed"),
    ("c.toml", b"seed = 1\nseed = 2", "TOML"),
    ("c.toml", b"seed = nan", "seed"),
    ("c.toml", b"[a", "TOML"),
    ("c.yaml", b"seed: 1", "json or .toml"),
    ("c.pkl", b"\x80\x04K\x01.", "json or .toml"),
)


@pytest.mark.parametrize(("name", "content", "output"), FILES)
def test_hostile_files_are_refused_by_name(tmp_path, name, content, output):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ValueError, match=output) as caught:
        from_sources(file=file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_sources(file=tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(IsADirectoryError):
        from_sources(file=tmp_path / "folder.json")


@settings(derandomize=True, max_examples=25)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_words_give_a_configuration_or_a_value_error(key, value):
    with suppress(ValueError):
        assert isinstance(from_sources(sets=[f"{key}={value}"]), Config)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(derandomize=True)
@given(st.sampled_from(sorted(keys())), JSON)
def test_any_value_of_any_key_gives_a_configuration_or_a_value_error(key, value):
    with suppress(ValueError):
        config = from_sources(flags={key: value})
        assert Config.model_validate_json(config.model_dump_json()) == config


@settings(derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_are_no_stored_configuration(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("run") / "config.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json"):
        complete(file)
