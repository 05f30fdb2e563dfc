"""One call for every data set, registered or your own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from iwax.data.binarization import BINARIZE_SEED, Binarize, binarized
from iwax.data.binarization_on_disk import binarized_on_disk
from iwax.data.columns import Column
from iwax.data.dataset import Dataset, Split
from iwax.data.files import PICKLES, SUFFIXES, load_file
from iwax.data.from_disk import in_memory, load_from_disk, shards, stays_on_disk
from iwax.data.on_disk import RowsOnDisk
from iwax.data.perturbation import perturbed
from iwax.data.registry import info, load_registered, names
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.streams import Bits

STREAMS = {"train": None, "valid": Bits.VALID, "test": Bits.TEST}  # None: drawn at every access


def load(
    name_or_path: str | Path,
    *,
    binarize: Binarize | None = None,
    kinds: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
    levels: Mapping[str, Collection[str]] | None = None,
    header: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    thousands: str | None = None,
    decimal: str | None = None,
    perturb: float | None = None,
    columns: Sequence[Column] | None = None,
    left_out: Collection[str] = (),
    on_disk: bool | None = False,
) -> Dataset:
    """Load a registered data set by name, or your own by path: arrays, tables, or pictures in a folder or zip file.

    Your own arrays (.npy) are [n, D], [n, h, w] or [n, h, w, c]; an .npz file holds ``x``, or ``x_train`` and
    ``x_test`` (and ``x_valid``), with labels ``y``, ``y_train`` ...; without such parts the rows are permuted with a
    fixed seed and split 80/10/10. bool and 0/1 values are binary, other uint8 grey, floats real, NaN missing.
    ``binarize`` turns grey values, or real ones in [0, 1], into 0 and 1: ``"threshold"`` once (1 above half of the
    range), ``"sample"`` by Bernoulli draws (training again at every access, validation and test once, seed 0).

    Tables (.csv, .tsv, .txt, and .parquet with ``pip install 'iwax[tables]'``) may have columns of numbers and of
    texts, and missing cells: empty, NA, N/A, NaN, null, None, ?, - and other usual marks, and the texts in ``missing``,
    but not those in ``levels`` (by column). ``kinds`` gives by name the kind of a column that should not be inferred:
    continuous, positive, count, binary, categorical, or drop. How a text table is written is recognised, or given:
    ``header`` ("first" line or "none"), ``delimiter``, ``encoding``, ``thousands``, ``decimal`` (`Dialect`). With
    ``columns``, and those ``left_out``, as an earlier reading found them, nothing is inferred.

    ``perturb`` is the share of the values of training and validation rows that uniform ones replace, last of all, as a
    background model needs it (`perturb`).

    ``on_disk`` leaves the rows of a .npy or .parquet file, or of a folder of .npy, .npz or .parquet shards or of
    pictures, on disk, to be read as they are needed; None does so where they would take more than a quarter of this
    machine's memory, or 8 GB.

    Raises ValueError (unknown name, with the nearest ones; unusable values, with their place),
    FileNotFoundError, PermissionError, UnavailableError or ChecksumError.

    >>> digits = load("digits")
    >>> digits.shape, digits.kind, len(digits.train), len(digits.valid), len(digits.test)
    ((8, 8), 'binary', 1297, 200, 300)
    """
    if binarize not in (None, "threshold", "sample"):
        raise ValueError(f"binarize must be 'threshold', 'sample' or None; got {binarize!r}")
    dialect = Dialect(header, delimiter, encoding, thousands, missing, levels or {}, decimal)
    if isinstance(name_or_path, str) and (name_or_path in names() or not _looks_like_path(name_or_path)):
        loaded = _registered(name_or_path, binarize, as_table=bool(kinds) or dialect != AS_SHOWN)
        if on_disk:
            raise ValueError(f"{name_or_path}: a registered data set is read into memory; leave out on_disk=True")
    else:
        path = Path(name_or_path).expanduser()
        stays = stays_on_disk(path) if on_disk is None else on_disk
        if stays or (path.is_dir() and shards(path)):
            loaded = load_from_disk(path, kinds=kinds, dialect=dialect, columns=columns, left_out=left_out)
            loaded = loaded if stays else in_memory(loaded)
        else:
            loaded = load_file(path, kinds=kinds, dialect=dialect, columns=columns, left_out=left_out)
        loaded = loaded if binarize is None else _binarized(loaded, binarize)
    return loaded if perturb is None else perturbed(loaded, perturb)


def _registered(name: str, binarize: Binarize | None, *, as_table: bool) -> Dataset:
    """A registered data set, binarised as asked, which is another protocol, and goes by another name."""
    known = info(name)
    if as_table:
        raise ValueError(f"{name}: kinds of columns and texts for missing cells are for tables of your own")
    if binarize is None:
        return load_registered(name)
    if known.kind == "binary":
        raise ValueError(
            f"{name} is binary by its own protocol; leave out binarize={binarize!r}, which is for grey values and real "
            "ones in [0, 1]"
        )
    return replace(_binarized(load_registered(name), binarize), name=f"{known.name}-{binarize}")


def _looks_like_path(text: str) -> bool:
    """True for anything that exists or is written like a path; other words are taken for names."""
    path = Path(text).expanduser()
    separated = "/" in text or "\\" in text or text in (".", "..")
    return separated or path.suffix.lower() in (*SUFFIXES, *PICKLES) or path.exists()


def _binarized(dataset: Dataset, how: Binarize) -> Dataset:
    """The data set in {0, 1}. Raises ValueError as `binarized`, and for levels, which are no numbers."""
    if dataset.kind == "binary":
        return dataset
    for column in dataset.columns or ():
        if column.levels not in ((), ("0", "1")):
            raise ValueError(f"{dataset.name}: binarize={how!r} needs numbers; column {column.name!r} holds texts")
    if how == "threshold":
        note = "1 where a value is above half of the range, else 0"
    else:
        note = (
            "value ~ Bernoulli(grey / 255), training redrawn at every access, validation and test drawn once with "
            f"seed {BINARIZE_SEED}"
        )
    drawn = {
        part: _drawn(split, how, part, where=f"{dataset.name} ({part})") for part, split in dataset.splits().items()
    }
    return replace(
        dataset,
        protocol=f"{dataset.protocol} Binarised: {note}.",
        kind="binary",
        binarize_training=how == "sample",
        train=drawn["train"],
        valid=drawn.get("valid"),
        test=drawn["test"],
        columns=None,
    )


def _drawn(split: Split, how: Binarize, part: str, *, where: str) -> Split:
    if isinstance(split.values, RowsOnDisk):
        return Split(binarized_on_disk(split.values, how, stream=STREAMS[part], where=where), split.labels)
    return Split(binarized(split.values, how, stream=STREAMS[part], where=where), split.labels)
