"""MNIST and Fashion-MNIST from their idx files, binarised again at every access, under four protocols."""

import math
from dataclasses import replace

import numpy as np

from iwax.data.dataset import Dataset
from iwax.data.fetch import DataFile, read
from iwax.data.info import Info, take
from iwax.formats.whole import unpack

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
UINT8 = 0x08  # the type of values in an idx file
FASHION = ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",)


def _file(folder: str, name: str, size: int, sha256: str, places: tuple[str, ...]) -> DataFile:
    return DataFile(f"{folder}/{name}", sha256, tuple(place + name for place in places), size=size)


MNIST_FILES = tuple(
    _file("mnist", name, size, sha256, MIRRORS)
    for name, size, sha256 in (
        ("train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    )
)
FASHION_FILES = tuple(
    _file("fashion_mnist", name, size, sha256, FASHION)
    for name, size, sha256 in (
        ("train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    )
)
MNIST_LICENCE = "none stated; LeCun and Cortes hold the copyright"
MNIST_SOURCE = "LeCun, Bottou, Bengio and Haffner (1998), http://yann.lecun.com/exdb/mnist/"


def load(info: Info) -> Dataset:
    """Read the four idx files: training and validation rows by position, then the published test rows."""
    images, labels, test_images, test_labels = (read_idx(read(file), name=file.path) for file in info.files)
    rows, tests = images.reshape(len(images), -1), test_images.reshape(len(test_images), -1)
    valid = take(rows, labels, slice(info.train, None)) if info.valid else None
    return info.dataset(take(rows, labels, slice(info.train)), valid, take(tests, test_labels, slice(None)))


def read_idx(contents: bytes, *, name: str) -> np.ndarray:
    """The uint8 array in an idx file: two zero bytes, type, number of axes, big-endian sizes, values; or that, gzipped.

    Raises ValueError for another type of value, or where header and length disagree.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), name="labels").tolist()
    [5, 0, 4]
    """
    data = unpack(contents, name=name)
    if len(data) < 4 or data[:2] != b"\x00\x00":
        raise ValueError(f"{name}: needed an idx file, which begins with two zero bytes; got {data[:4]!r}")
    kind, axes = data[2], data[3]
    if kind != UINT8 or axes < 1:
        raise ValueError(f"{name}: needed uint8 values (type 0x08); got type {kind:#04x} with {axes} axes")
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    size = math.prod(shape)  # Python integers: a forged header cannot overflow them
    if len(data) != start + size:
        raise ValueError(f"{name}: shape {shape} needs {start + size} bytes; got {len(data)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _protocol(train: int, valid: int, seed: int, used_by: str) -> str:
    held_out = f"the last {valid:,} validation" if valid else "no validation"
    return (
        f"the first {train:,} of the 60,000 published training images for training, {held_out}, the 10,000 "
        f"published test images, all in published order; grey 0..255, pixel ~ Bernoulli(grey / 255): training "
        f"redrawn at every access, validation and test drawn once with seed {seed} (Philox, 16 bits a pixel), "
        f"whatever the seed of a run. {used_by}"
    )


def _mnist(name: str, train: int, valid: int, seed: int, used_by: str, aliases: tuple[str, ...] = ()) -> Info:
    return Info(
        name=name,
        title="MNIST, binarised anew at every access",
        protocol="MNIST: " + _protocol(train, valid, seed, used_by),
        shape=(28, 28),
        kind="binary",
        train=train,
        valid=valid,
        test=10_000,
        licence=MNIST_LICENCE,
        source=MNIST_SOURCE,
        files=MNIST_FILES,
        aliases=aliases,
        seed=seed,
    )


BURDA = _mnist(
    "mnist-dynamic-burda",
    59_600,
    400,
    123,
    "The split of Burda, Grosse and Salakhutdinov (2016), Tables 1 and 2; they redraw the test set too.",
    aliases=("mnist",),
)
DYNAMIC_50K = _mnist(
    "mnist-dynamic-50k",
    50_000,
    10_000,
    777,
    "The split of Tomczak and Welling (VampPrior, 2018) and of Nowozin (JVI, 2018).",
)
DYNAMIC_60K = _mnist(
    "mnist-dynamic-60k", 60_000, 0, 1234, "The split of Sonderby et al. (2016) and of the memory-augmented VAEs."
)
GREY = replace(
    DYNAMIC_50K,
    name="mnist-grey",
    title="MNIST, grey",
    protocol="MNIST: the first 50,000 of the 60,000 published training images for training, the last 10,000 "
    "validation, the 10,000 published test images, all in published order; grey 0..255 as published. For "
    "classification, and for likelihoods of grey values.",
    kind="grey",
    seed=None,
)
FASHION_MNIST = replace(
    DYNAMIC_50K,
    name="fashion-mnist",
    title="Fashion-MNIST, binarised anew at every access",
    protocol="Fashion-MNIST: "
    + _protocol(50_000, 10_000, 777, "The same treatment as mnist-dynamic-50k; no published standard."),
    licence="MIT, (c) 2017 Zalando SE",
    source="Xiao, Rasul and Vollgraf (2017), https://github.com/zalandoresearch/fashion-mnist",
    files=FASHION_FILES,
)
FASHION_GREY = replace(
    FASHION_MNIST,
    name="fashion-mnist-grey",
    title="Fashion-MNIST, grey",
    protocol=GREY.protocol.replace("MNIST:", "Fashion-MNIST:"),
    kind="grey",
    seed=None,
)
