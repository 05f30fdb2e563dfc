"""Checkpoints made to harm, each with a manifest that is true of it: refused at once, nothing run or written."""

import hashlib
import json
import os
import pickle
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from iwax.storage import checkpoint, manifest
from iwax.storage.checkpoint import CorruptCheckpointError

MODEL = {"w": np.zeros(4, np.float32)}


class Attack:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def header(tensors: object, body: bytes = bytes(16), *, length: int | None = None) -> bytes:
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(start: int, end: int, shape=(4,), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def forge(folder: Path, **contents: bytes) -> Path:
    """A checkpoint with these contents in place of good ones, and a manifest that is true of them."""
    path = checkpoint.save(folder, 1, model=MODEL, train={}, state={})
    names = {"model": "model.safetensors", "train": "train.safetensors", "state": "state.json"}
    files = {name: contents.get(key, (path / name).read_bytes()) for key, name in names.items()}
    for name, data in files.items():
        (path / name).write_bytes(data)
    (path / "manifest.json").write_bytes(contents.get("manifest", manifest.seal(1, files)))
    return path


def refused(path: Path, file: str) -> None:
    started = time.monotonic()
    with pytest.raises(CorruptCheckpointError) as caught:
        checkpoint.load(path, model=MODEL, train={})
    assert caught.value.file == path / file
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(path))
    assert time.monotonic() - started < 5.0  # a second, on a machine that has little else to do


DOCUMENTS = {
    "empty": b"",
    "header length 2^63": header({"w": tensor(0, 16)}, length=1 << 63),
    "header length 2^64-1": header({"w": tensor(0, 16)}, length=(1 << 64) - 1),
    "header longer than the file": header({"w": tensor(0, 16)}, length=1000),
    "header of 0 bytes": header(b""),
    "zip": b"PK\x03\x04" + bytes(100),
    "npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "overlapping tensors": header({"w": tensor(0, 16), "v": tensor(8, 16, (2,))}),
    "the same bytes twice": header({"w": tensor(0, 16), "v": tensor(0, 16)}),
    "a gap": header({"w": tensor(4, 20)}, bytes(20)),
    "beyond the end": header({"w": tensor(0, 1 << 40, (1 << 38,))}),
    "backwards": header({"w": tensor(16, 0)}),
    "negative offset": header({"w": tensor(-16, 0)}),
    "offset 2^64": header({"w": tensor(0, 1 << 64)}),
    "shape overflows": header({"w": tensor(0, 16, (1 << 32, 1 << 32, 4))}),
    "negative shape": header({"w": tensor(0, 16, (-4,))}),
    "shape and bytes differ": header({"w": tensor(0, 16, (5,))}),
    "bytes left over": header({"w": tensor(0, 16)}, bytes(17)),
    "unknown dtype": header({"w": tensor(0, 16, dtype="OBJ")}),
    "dtype without a NumPy type": header({"w": tensor(0, 8, dtype="BF16")}, bytes(8)),
    "deep JSON": header(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "JSON cut": header(b'{"w": {"dtype"'),
    "not UTF-8": header(b'{"\xff": {}}'),
    "a key twice": header(
        b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
        b'"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    ),
    "a list": header([tensor(0, 16)]),
    "a class path": header({"w": {**tensor(0, 16), "__class__": "os.system"}, "_target_": "os.system"}),
    "name out of the folder": header({"../w": tensor(0, 16)}),
    "absolute name": header({"/etc/passwd": tensor(0, 16)}),
    "NUL in a name": header({"w\0": tensor(0, 16)}),
    "many names": header({f"w{i}": tensor(0, 0, (0,)) for i in range(10_000)}, b""),
    "long name": header({"w" * 1_000_000: tensor(0, 16)}),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_hostile_tensors(tmp_path, document):
    refused(forge(tmp_path, model=document), "model.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_by_another_name_is_not_run(tmp_path, protocol):
    attack = pickle.dumps(Attack(tmp_path / "ran"), protocol=protocol)
    refused(forge(tmp_path / "tensors", model=attack), "model.safetensors")
    refused(forge(tmp_path / "state", state=attack), "state.json")
    refused(forge(tmp_path / "manifest", manifest=attack), "manifest.json")
    assert not (tmp_path / "ran").exists()


STATES = {
    "deep": b'{"step": 1, "a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "huge": b'{"step": 1, "a": "' + b"x" * (1 << 20) + b'"}',
    "huge number": b'{"step": 1, "validation": ' + b"9" * 4000 + b"}",
    "longer number": b'{"step": 1, "validation": ' + b"9" * 100_000 + b"}",
    "1e999": b'{"step": 1, "validation": 1e999}',
    "NaN": b'{"step": 1, "validation": NaN}',
    "a key twice": b'{"step": 1, "validation": 1, "validation": 2}',
    "a step twice": b'{"step": 2, "step": 1}',
    "another step": b'{"step": 2}',
    "step true": b'{"step": true}',
    "step 1.0": b'{"step": 1.0}',
    "no step": b"{}",
    "a class path": b'{"step": 1, "model": {"_target_": "os.system"}}',
    "a list": b"[1]",
    "UTF-16": '{"step": 1}'.encode("utf-16"),
    "NUL": b'{"step": 1}\0',
    "BOM": b'\xef\xbb\xbf{"step": 1}',
    "empty": b"",
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_hostile_states(tmp_path, state):
    path = forge(tmp_path, state=state)
    refused(path, "state.json")
    assert checkpoint.latest(tmp_path) is checkpoint.best(tmp_path) is None
    assert checkpoint.prune(tmp_path, 1) == []


def entry(data: bytes) -> dict:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["files"].update({"../../outside": entry(b"")}),
        lambda m: m["files"].update({"/etc/passwd": entry(b"")}),
        lambda m: m["files"].update({"extra\0": entry(b"")}),
        lambda m: m["files"].pop("train.safetensors"),
        lambda m: m["files"].update({"train.safetensors": "../train.safetensors"}),
        lambda m: m["files"]["train.safetensors"].update({"path": "/etc/passwd"}),
        lambda m: m["files"]["train.safetensors"].update({"bytes": -1}),
        lambda m: m["files"]["train.safetensors"].update({"bytes": True}),
        lambda m: m["files"]["train.safetensors"].update({"sha256": None}),
        lambda m: m["files"]["train.safetensors"].pop("sha256"),
        lambda m: m.update({"files": []}),
        lambda m: m.update({"format": "iwax checkpoint 2"}),
        lambda m: m.update({"step": "1"}),
        lambda m: m.update({"step": 2}),
        lambda m: m.update({"__class__": "os.system"}),
        lambda m: m.clear(),
    ],
)
def test_hostile_manifests(tmp_path, change):
    path = forge(tmp_path)
    content = json.loads((path / "manifest.json").read_text())
    change(content)
    (path / "manifest.json").write_bytes((json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
    refused(path, "manifest.json")
    assert checkpoint.latest(tmp_path) is None


def test_a_manifest_has_one_form(tmp_path):
    path = forge(tmp_path)
    data = (path / "manifest.json").read_bytes()
    for other in (data + b"\n", data.replace(b'"step": 1', b'"step": 1, "step": 1'), data.replace(b"\n", b"\r\n")):
        (path / "manifest.json").write_bytes(other)
        refused(path, "manifest.json")


@pytest.mark.parametrize("name", ["model.safetensors", "train.safetensors", "state.json", "manifest.json"])
def test_links_and_pipes_are_not_followed(tmp_path, name):
    path = forge(tmp_path)
    (path / name).rename(tmp_path / "outside")
    (path / name).symlink_to(tmp_path / "outside")
    refused(path, name)
    (path / name).unlink()
    os.mkfifo(path / name)
    refused(path, name)


def test_a_link_in_place_of_a_checkpoint_is_not_followed(tmp_path):
    forge(tmp_path / "elsewhere")
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "step-1").symlink_to(tmp_path / "elsewhere" / "step-1")
    refused(folder / "step-1", "")
    assert checkpoint.steps(folder) == []
    assert checkpoint.latest(folder) is None


def test_a_file_that_claims_a_terabyte_is_not_read(tmp_path):
    path = forge(tmp_path)
    with open(path / "model.safetensors", "r+b") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            pytest.skip("this file system has no sparse files of a terabyte")
    content = json.loads((path / "manifest.json").read_text())
    content["files"]["model.safetensors"]["bytes"] = 1 << 40
    (path / "manifest.json").write_bytes((json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
    refused(path, "model.safetensors")
