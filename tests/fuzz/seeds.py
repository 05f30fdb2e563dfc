"""The inputs that fuzzing starts from, good ones and a few odd ones a target: ``python tests/fuzz/seeds.py``."""

import hashlib
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_targets import CONFIG, FILES, MODEL, UNSEALED
from PIL import Image

import iwax
from iwax import likelihoods, nn, posteriors, priors, runs
from iwax.model import LatentVariableModel
from iwax.runs import sources
from iwax.storage import checkpoint
from iwax.storage.sealed import Sealed

CORPUS = Path(__file__).parent / "corpus"

TABLES = {
    "mixed": "height;income;smoker\n170.1;2.5;no\n;NA;yes\n168.0;?;no\n181.5;1e3;yes\n",
    "quoted": '\ufeff"a ""b""",c\r\n"1\n2",3\r\n"x;y",4\r\n"1\n2",5\r\n',
    "numbers": "0,1\n1,0\n1,1\n0,0\n",
    "excel": "sep=;\r\na;b\r\n1,5;2\r\n2,5;3\r\n3,5;1\r\n",
    "spaces": "a  b   c\n1  2   3\n4  5   6\n7  8   9\n",
    "dates": "day\tsize\n2020-01-02\t1.234,5\n2020-01-03\t2.234,5\n2020-01-04\t3.234,5\n",
    "digits": "id,v\n00123,99999999999999999999\n00124,1e400\n00125,0x1p3\n",
}
SETTINGS = {
    "objective": "[objective]\nk = 50\nbound = 'ciwae'\nciwae_beta = 0.1\n",
    "model": "preset = 'vae'\n[model]\nhidden = [[200, 100], [50]]\nlatent = [20, 5]\nprior = 'vamp'\n",
    "dotted": "'training.batch' = 20\n'training.epochs' = 2000\n[data]\nname = 'x.csv'\nkinds = {a = 'count'}\n",
}


def tables() -> dict[str, bytes]:
    return {name: text.encode() for name, text in TABLES.items()} | {"latin": "größe;b\n1;2\n3;4\n".encode("latin-1")}


def arrays() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Arrays as .npy, and those and others in archives."""
    rows = {
        "real": np.linspace(-1, 1, 12).reshape(4, 3),
        "grey": np.arange(24, dtype=np.uint8).reshape(3, 2, 4),
        "fortran": np.asfortranarray(np.eye(4, dtype=np.float32)),
        "bool": np.eye(3, dtype=bool),
        "big": np.eye(3).astype(">i2"),
    }
    alone = {name: _saved(np.save, values) for name, values in rows.items()}
    labels = np.array([0, 1, 0])
    parts = {"x_train": rows["real"], "x_test": rows["real"][:2], "y_train": np.zeros(4, int), "y_test": labels[:2]}
    together = {
        "one": _saved(np.savez, rows["real"]),
        "labels": _saved(np.savez_compressed, x=rows["grey"], y=labels),
        "parts": _saved(np.savez, **parts),
    }
    return alone, together


def _saved(save: Any, *values: Any, **named: Any) -> bytes:
    packed = io.BytesIO()
    save(packed, *values, **named)
    return packed.getvalue()


def parquets() -> dict[str, bytes]:
    columns = {
        "plain": {"a": [1.5, None, 2.5, 3.0], "b": ["x", "y", None, "x"]},
        "types": {"n": [1, 2, 3], "t": [True, False, None], "d": pa.array([b"a", b"b", b"c"]).dictionary_encode()},
    }
    found = {}
    for name, each in columns.items():
        sink = io.BytesIO()
        pq.write_table(pa.table(each), sink, compression="snappy" if name == "plain" else "gzip")
        found[name] = sink.getvalue()
    return found


def pictures() -> dict[str, bytes]:
    kinds = {"PNG": "L", "JPEG": "RGB", "GIF": "P", "TIFF": "1", "BMP": "L", "WEBP": "RGB"}
    found = {}
    for form, mode in kinds.items():
        packed, sink = io.BytesIO(), io.BytesIO()
        Image.new(mode, (4, 3)).save(packed, form)
        with zipfile.ZipFile(sink, "w") as archive:
            for i in range(3):
                archive.writestr(f"{'ab'[i % 2]}/{i}.{form.lower()}", packed.getvalue())
        found[form.lower()] = sink.getvalue()
    return found


def settings() -> dict[str, bytes]:
    """Settings in TOML, and all keys with their defaults and words that other values need."""
    defaults = sources.defaults()
    lines = [f"{key} = {json.dumps(value)}" for key, value in defaults.items() if value is not None]
    words = sorted({word for text in sources.keys().values() for word in re.findall(r"[a-z]+_?[a-z_]+", text)})
    found = {name: text.encode() for name, text in SETTINGS.items()}
    return found | {"all": "\n".join(lines).encode(), "words": f"data.levels = {json.dumps(words)}\n".encode()}


def configs() -> dict[str, bytes]:
    found = {}
    for preset in ("iwae-1-k5", "table"):
        whole = runs.from_sources(preset=preset).model_dump(mode="json")
        found[preset] = json.dumps(whole, separators=(",", ":")).encode()
    return found | {"part": b'{"objective": {"k": 7}, "training.batch": 5}'}


def checkpoints() -> dict[str, bytes]:
    """A file of a checkpoint each, behind the byte that says which."""
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint.save(Path(folder), 1, model=MODEL, train={}, state={"validation": -1.5})
        return {name.partition(".")[0]: bytes([i]) + (path / name).read_bytes() for i, name in enumerate(FILES)}


def seals() -> dict[str, bytes]:
    """Seals of a run folder with one file, and of one whose file is being replaced."""
    with tempfile.TemporaryDirectory() as folder:
        Sealed(Path(folder)).write({"config.json": CONFIG})
        one = (Path(folder) / "seal.json").read_bytes()
    text = json.loads(one)
    text["files"]["config.json"].insert(0, None)
    text["files"]["samples/a.png"] = [{"bytes": 3, "sha256": hashlib.sha256(b"one").hexdigest()}]
    return {"one": one, "between": json.dumps(text).encode()}


def models() -> dict[str, bytes]:
    """Files of `iwax.save` without their digest."""
    keys = jax.random.split(jax.random.key(0), 2)
    whole = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(nn.MLP(2, (3,), 4, key=keys[0])),
        posterior=posteriors.Gaussian(nn.MLP(4, (3,), 4, key=keys[1])),
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        for name, value in {"vae": whole, "tree": (1, {"w": np.zeros(3)}, [float("inf"), "a", None, True])}.items():
            iwax.save(path, value)
            contents = path.read_bytes()
            found[name] = _unsealed(contents)
    return found


def _unsealed(contents: bytes) -> bytes:
    at = contents.index(b'\\"sha256\\":\\"') + len(b'\\"sha256\\":\\"')
    digest = contents[at : at + len(UNSEALED)]
    unsealed = contents.replace(digest, UNSEALED, 1)
    if hashlib.sha256(unsealed).hexdigest().encode() != digest:
        raise ValueError("needed the digest of a model file where the first SHA-256 stands")
    return unsealed


def main() -> None:
    npy, npz = arrays()
    seeds = {
        "checkpoint": checkpoints(),
        "config_json": configs(),
        "config_toml": settings(),
        "csv": tables(),
        "model": models(),
        "npy": npy,
        "npz": npz,
        "parquet": parquets(),
        "pictures": pictures(),
        "seal": seals(),
    }
    for target, files in seeds.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, contents in files.items():
            (CORPUS / target / name).write_bytes(contents)


if __name__ == "__main__":
    main()
