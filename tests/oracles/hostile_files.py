"""Files made to harm: pickles by other names, forged headers, bombs, names that lead out, links and pipes.

`corpus(folder)` writes them all, and says for each how it is opened: as `data`, `model` or `config`.
"""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Attack:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def npy(shape: str, body: bytes = b"", descr: str = "'<f4'") -> bytes:
    """A .npy of this header."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def zipped(*entries: tuple[str, bytes], stored: bool = False, link: bool = False) -> bytes:
    """An archive of these entries; `link` makes the first a symbolic link."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for place, (name, data) in enumerate(entries):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            info.external_attr = (0o120777 if link and place == 0 else 0o100644) << 16
            archive.writestr(info, data)
    return stream.getvalue()


def png(width: int, height: int, *, depth: int = 8, body: bytes | None = None) -> bytes:
    """A grey picture of zeros, its rows as they are or as given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes((1 + width * depth // 8) * height), 9) if body is None else body
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros_deflated(head: bytes, size: int) -> tuple[bytes, int, int]:
    """The head and so many zeros, deflated a thousand to one without holding them; their CRC-32 and their number."""
    unit, mode = bytes(1 << 20), {"level": 9, "method": zlib.DEFLATED, "wbits": -15}
    first, piece, last = (zlib.compressobj(**mode) for _ in range(3))
    begun = first.compress(head) + first.flush(zlib.Z_FULL_FLUSH)
    repeated = piece.compress(unit) + piece.flush(zlib.Z_FULL_FLUSH)
    units, checked = -(-size // len(unit)), zlib.crc32(head)
    for _ in range(units):
        checked = zlib.crc32(unit, checked)
    return begun + repeated * units + last.flush(), checked, len(head) + units * len(unit)


def npz_bomb(size: int = 1_600_000_000) -> bytes:
    """A .npz of less than two megabytes that holds an array of zeros of 1.3 GB."""
    size -= size % (400 << 20)
    data, checked, whole = zeros_deflated(npy(f"({size // 400}, 100)"), size)
    about = struct.pack("<HHHHHIII", 20, 0, 8, 0, 33, checked, len(data), whole)
    local = b"PK\x03\x04" + about + struct.pack("<HH", 5, 0) + b"x.npy"
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + about + struct.pack("<HHHHHII", 5, 0, 0, 0, 0, 0, 0) + b"x.npy"
    place = len(local) + len(data)
    return local + data + entry + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), place, 0)


def safetensors(tensors: object, body: bytes = bytes(16), *, length: int | None = None) -> bytes:
    """A file of tensors with this head."""
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(start: int, end: int, shape: tuple[int, ...] = (4,)) -> dict[str, object]:
    """The head of one tensor."""
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def parquet_bomb(rows: int = 60_000_000) -> bytes:
    """A Parquet file of half a megabyte, of one column that is constant."""
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    piece = pyarrow.table({"a": pyarrow.array(np.ones(1_000_000))})
    with pyarrow.parquet.ParquetWriter(stream, piece.schema, compression="zstd") as writer:
        for _ in range(rows // 1_000_000):
            writer.write_table(piece)
    return stream.getvalue()


DEEP = 200_000


def _data(target: Path) -> dict[str, bytes]:
    pickled = pickle.dumps(Attack(target))
    objects = io.BytesIO()
    np.save(objects, np.array([Attack(target)], object), allow_pickle=True)
    picture = png(4, 4)
    return {
        "pickle.pkl": pickled,
        "pickle.npy": pickled,
        "pickle.npz": pickled,
        "pickle.csv": pickled,
        "pickle.parquet": pickled,
        "pickle.png": pickled,
        "pickle.joblib": pickled,
        "torch.pt": zipped(("archive/data.pkl", pickled), stored=True),
        "objects.npy": objects.getvalue(),
        "objects.npz": zipped(("x.npy", objects.getvalue())),
        "terabyte.npy": npy("(1000000000000, 784)"),
        "overflow.npy": npy("(4294967296, 4294967296)"),
        "negative.npy": npy("(-1, 4)"),
        "code-shape.npy": npy("__import__('os').mkdir('x')"),
        "code-type.npy": npy("(2, 4)", bytes(32), "__import__('os').mkdir('x')"),
        "deep-header.npy": npy("(" * 60 + ")" * 60),
        "bomb.npz": npz_bomb(),
        "slip.npz": zipped(("../../x.npy", npy("(4, 2)", bytes(32)))),
        "terabyte.npz": zipped(("x.npy", npy("(1000000000000, 784)"))),
        "bomb.zip": zipped(*pictures(400)),
        "slip.zip": zipped(*((f"../../slip-{i}.png", picture) for i in range(4))),
        "absolute.zip": zipped(*((f"/tmp/iwax-absolute-{i}.png", picture) for i in range(4))),
        "backslash.zip": zipped(*((f"..\\..\\slip-{i}.png", picture) for i in range(4))),
        "link.zip": zipped(("a.png", b"/etc/passwd"), ("b.png", picture), link=True),
        "nested.zip": zipped(("a.zip", zipped(("a.png", picture)))),
        "many.zip": zipped(*((f"{i}.png", b"") for i in range(20_000))),
        "wide.png": png(30_000, 30_000, depth=1),
        "forged.zip": zipped(("a.png", png(65_535, 65_535, body=b"")), ("b.png", picture)),
        "bomb.parquet": parquet_bomb(),
        "cell.csv": b'a,b\n"' + b"x" * 10_000_000 + b'",1\n2,3\n',
        "line.csv": b"a" * 20_000_000,
        "columns.csv": b",".join(b"c%d" % i for i in range(300_000)) + b"\n" + b",".join([b"1"] * 300_000) + b"\n",
        "nul.csv": b"a,b\n1,\x002\n" * 10,
        "quotes.csv": b'a,b\n"' + b'""' * 500_000 + b"\n",
        "bomb.csv.gz": gzip.compress(bytes(1 << 27), 1),
    }


def pictures(count: int) -> tuple[tuple[str, bytes], ...]:
    picture = png(4096, 4096)
    return tuple((f"{i}.png", picture) for i in range(count))


def _models(target: Path) -> dict[str, bytes]:
    one = {"w": tensor(0, 16)}
    return {
        "pickle.model": pickle.dumps(Attack(target)),
        "header-2^63.model": safetensors(one, length=1 << 63),
        "header-longer.model": safetensors(one, length=10_000),
        "overlap.model": safetensors({"w": tensor(0, 16), "v": tensor(8, 16, (2,))}),
        "terabyte.model": safetensors({"w": tensor(0, 1 << 40, (1 << 38,))}),
        "deep.model": safetensors(b"[" * DEEP + b"]" * DEEP),
        "huge-json.model": safetensors(b'{"__metadata__": {"iwax": "' + b"x" * 50_000_000 + b'"}}'),
        "twice.model": safetensors(b'{"w": {"dtype": "F32"}, "w": {"dtype": "F32"}}'),
        "class.model": safetensors({"__metadata__": {"iwax": '{"_target_": "os.system", "format": "iwax model 1"}'}}),
        "out.model": safetensors({"../../w": tensor(0, 16)}),
        "absolute.model": safetensors({"/etc/w": tensor(0, 16)}),
        "nul.model": safetensors({"w\0": tensor(0, 16)}),
    }


CONFIGS = {
    "deep.json": b'{"seed": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "huge.json": b'{"preset": "' + b"x" * 50_000_000 + b'"}',
    "number.json": b'{"seed": ' + b"9" * 1_000_000 + b"}",
    "twice.json": b'{"seed": 1, "seed": 2}',
    "target.json": b'{"_target_": "os.system", "seed": 1}',
    "class-path.json": b'{"model": {"class_path": "os.system", "init_args": {"command": "true"}}}',
    "class.json": b'{"__class__": "os.system", "__reduce__": ["os.system", "true"]}',
    "object.yaml": b"!!python/object/apply:os.system ['true']\n",
    "deep.toml": b"seed = " + b"[" * 50_000 + b"]" * 50_000,
    "name.json": b'{"data": {"name": "a\\u0000b"}}',
}


def corpus(folder: Path, target: Path) -> list[tuple[str, Path, str]]:
    """Write every hostile file: its name, its place and how it is opened. Their pickles would make `target`."""
    found = []
    for kind, files in (("data", _data(target)), ("model", _models(target)), ("config", CONFIGS)):
        for name, content in files.items():
            path = folder / kind / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            found.append((name, path, kind))
    for name, make in SPECIAL.items():
        path = folder / "data" / name
        make(path)
        found.append((name, path, "data"))
    return found


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe.npy": os.mkfifo,
    "pipe.csv": os.mkfifo,
    "zeros.npy": lambda path: path.symlink_to("/dev/zero"),
    "zeros.csv": lambda path: path.symlink_to("/dev/zero"),
    "loop.npy": lambda path: path.symlink_to(path),
}
