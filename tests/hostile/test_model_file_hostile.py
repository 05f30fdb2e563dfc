"""Files of models made to harm, each with a digest that is true of it: refused at once, nothing run or written."""

import hashlib
import json
import os
import pickle
import struct
from pathlib import Path

import jax
import numpy as np
import pytest

import iwax
from iwax import likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.model_files import ModelFileError

ARRAYS = {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
MODEL = {"dict": {"w": {"numpy": "float32[4]"}}}


def sealed(model: object, tensors: object = ARRAYS, body: bytes = bytes(16), **changes: object) -> bytes:
    """A file of this description and these tensors, its digest true."""

    def content(digest: str) -> bytes:
        inner = {"sha256": digest, "format": "iwax model 1", "model": model, **changes}
        metadata = {"__metadata__": {"iwax": model if isinstance(model, str) else json.dumps(inner)}}
        head = json.dumps({**metadata, **tensors} if isinstance(tensors, dict) else tensors).encode()
        return struct.pack("<Q", len(head)) + head + body

    return content(hashlib.sha256(content("0" * 64)).hexdigest())


def refused(folder: Path, data: bytes) -> str:
    path = folder / "model"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        iwax.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900 + len(str(path))
    assert [each.name for each in folder.iterdir()] == ["model"]
    return str(caught.value)


def test_the_forge_itself_makes_files_that_load(tmp_path):
    (tmp_path / "model").write_bytes(sealed(MODEL))
    assert iwax.load(tmp_path / "model")["w"].tolist() == [0, 0, 0, 0]


def deep(depth: int) -> object:
    node: object = 1
    for _ in range(depth):
        node = {"tuple": [node]}
    return node


DESCRIPTIONS = {
    "an import path": {"part": "os.system", "fields": {}},
    "a class of Python's": {"part": "builtins.eval", "fields": {}},
    "a part's module": {"part": "iwax.nn.MLP", "fields": {}},
    "a part that is no text": {"part": ["nn.MLP"], "fields": {}},
    "a private part": {"part": "posteriors._Beside", "fields": {}},
    "a method as a field": {"part": "priors.StandardNormal", "fields": {"features": 2, "__class__": "os.system"}},
    "no fields": {"part": "nn.MLP"},
    "fields too few": {"part": "nn.MLP", "fields": {"layers": {"tuple": []}}},
    "fields in a list": {"part": "nn.MLP", "fields": []},
    "a class of one's own": {"own": "Attack", "fields": {}},
    "a function": {"other": "system"},
    "an unknown key": {"__reduce__": "os.system"},
    "two keys": {"tuple": [], "list": []},
    "nothing": {},
    "a bare list": [1],
    "a number that is none": {"number": "1e999"},
    "a tuple that is none": {"tuple": 3},
    "a dictionary that is none": {"dict": [1]},
    "shape negative": {"dict": {"w": {"numpy": "float32[-4]"}}},
    "shape of a terabyte": {"dict": {"w": {"numpy": f"float32[{1 << 40}]"}}},
    "shape beyond all": {"dict": {"w": {"array": f"float32[{'9' * 15},{'9' * 15}]"}}},
    "shape that is none": {"dict": {"w": {"array": "float32[4"}}},
    "shape in other digits": {"dict": {"w": {"array": "float32[٤]"}}},
    "type of objects": {"dict": {"w": {"numpy": "object[4]"}}},
    "type of another name": {"dict": {"v": {"numpy": "float32[4]"}}},
    "another shape": {"dict": {"w": {"numpy": "float32[2,2]"}}},
    "another type": {"dict": {"w": {"numpy": "int32[4]"}}},
    "deep": deep(350),
}


@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_hostile_descriptions(tmp_path, description):
    refused(tmp_path, sealed(description))


def test_parts_that_do_not_fit_are_refused(tmp_path):
    def network(a: int, b: int) -> nn.Linear:
        return nn.Linear(a, b, key=jax.random.key(0))

    model = LatentVariableModel(
        priors.StandardNormal(2), likelihoods.Bernoulli(network(2, 5)), posteriors.Gaussian(network(5, 4))
    )
    data = iwax.save(tmp_path / "model", model).read_bytes()
    for before, after in (("priors.StandardNormal", "priors.Bernoulli"), (r"\"features\":2", r"\"features\":3")):
        changed = data.replace(before.encode(), after.encode(), 1)
        assert changed != data
        length = int.from_bytes(changed[:8], "little") + len(after) - len(before)
        changed = struct.pack("<Q", length) + changed[8:]
        stated = json.loads(json.loads(changed[8 : 8 + length])["__metadata__"]["iwax"])["sha256"].encode()
        digest = hashlib.sha256(changed.replace(stated, b"0" * 64, 1)).hexdigest().encode()
        refused(tmp_path, changed.replace(stated, digest, 1))


class Attack:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


FILES = {
    "empty": b"",
    "seven bytes": bytes(7),
    "header of 0 bytes": bytes(8),
    "header of 2^63 bytes": struct.pack("<Q", 1 << 63),
    "header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "zip": b"PK\x03\x04" + bytes(100),
    "safetensors without a description": sealed(MODEL).replace(b"__metadata__", b"__metadaty__"),
    "a description that is no JSON": sealed("nonsense"),
    "deep JSON": struct.pack("<Q", 400_000) + b"[" * 200_000 + b"]" * 200_000,
    "another format": sealed(MODEL, format="iwax model 2"),
    "no digest": sealed(MODEL, sha256=""),
    "a digest that is none": sealed(MODEL, sha256=3),
    "another digest": sealed(MODEL, sha256="1" * 64),
    "a word more": sealed(MODEL, more=1),
    "too few bytes": sealed(MODEL, body=bytes(15)),
    "too many bytes": sealed(MODEL, body=bytes(17)),
    "no tensors": sealed(MODEL, {}),
    "a list": sealed(MODEL, [1]),
    "a tensor more": sealed(MODEL, {**ARRAYS, "v": {"dtype": "F32", "shape": [0], "data_offsets": [16, 16]}}),
    "offsets that overlap": sealed(MODEL, {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}),
    "a terabyte": sealed(
        {"dict": {"w": {"numpy": f"float32[{1 << 38}]"}}},
        {"w": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 1 << 40]}},
    ),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_hostile_files(tmp_path, data):
    refused(tmp_path, data)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_not_run(tmp_path, protocol):
    refused(tmp_path, pickle.dumps(Attack(tmp_path / "ran"), protocol=protocol))


def test_no_changed_bit_passes(tmp_path):
    data = sealed(MODEL, body=np.arange(4, dtype=np.float32).tobytes())
    for bit in np.random.default_rng(0).choice(8 * len(data), size=300, replace=False):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        refused(tmp_path, bytes(changed))
    for length in range(0, len(data), 7):
        refused(tmp_path, data[:length])
