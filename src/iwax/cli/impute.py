"""`iwax impute`: missing cells filled in, and hidden pixels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.arguments import (
    Checkpoint,
    DataPath,
    Devices,
    Draws,
    Fallback,
    Limit,
    Run,
    Seed,
    argument,
    check_seed,
    option,
)
from iwax.cli.later import later
from iwax.cli.output import PICTURES, TABLES, Force, Output, check, is_picture
from iwax.cli.several import Address, BlockRows, Engine, Several, Workers
from iwax.cli.terminal import Terminal

with later():
    import numpy as np

    from iwax import blocks, evaluation, inference, runs
    from iwax.cli import trained
    from iwax.data import masks
    from iwax.report import figures
    from iwax.runs import export

__all__ = ["impute"]

PARQUET = ".parquet"  # as an output, of a file of the kind
TEXTS = (".csv", ".tsv", ".txt")
IMAGES = 100  # of the test data, unless a limit is given
SHOWN = 50
READ = 50  # iterations whose result an encoder that never saw hidden pixels reads, before its draws get their weights

Files = Annotated[
    list[Path] | None,
    argument("FILE...", "Rows; several, or 'part-*.parquet'. Default with --mask: the run's first test images."),
]
Copies = Annotated[int, option("--draws", "N", "Write N whole tables of draws; 0 for one of means.")]
Mask = Annotated[
    str | None, option("--mask", "rectangle|half|random:SHARE", "Hide pixels of images, fill them, compare.")
]
Iterations = Annotated[
    int, option("--iterations", "N", "Pseudo-Gibbs iterations in place of importance weights; 0 for none.")
]
Errors = Annotated[Path | None, option("--errors", "FILE", "Also write each row's ess, khat and errors (.csv, .npz).")]


def impute(
    context: typer.Context,
    run: Run,
    files: Files = None,
    output: Output = None,
    errors: Errors = None,
    mask: Mask = None,
    iterations: Iterations = 0,
    draws: Copies = 0,
    limit: Limit = None,
    k: Draws = 1000,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    devices: Devices = None,
    data_path: DataPath = None,
    engine: Engine = None,
    address: Address = None,
    workers: Workers = None,
    block_rows: BlockRows = 100_000,
    force: Force = False,
) -> None:
    """Fill the missing cells of FILE by the mean of p(x_missing | x_observed), or by the most probable class.

    Missing are NaN, empty cells, and the texts that marked them in training; a row of nothing else is filled from p(x).
    A text table goes out as it came in but for them: delimiter, encoding, columns dropped in training, digits of other
    cells; a .parquet likewise, with its types. With --draws N the cells are drawn, N times, and -o a.csv becomes
    a-1.csv to a-N.csv: what is computed from each varies as it should. Goes to -o FILE, or to stdout. With --mask
    pixels of images are hidden first (the encoder reads what 50 pseudo-Gibbs iterations fill in), the mean squared
    error of what fills them is printed, and -o FILE.png (or .svg) is a picture of data, what was given, and result.
    Rows whose weights do not show the error of what fills them (ess below 10, or khat above 0.7) are named; --errors
    FILE has every row's. Of several files, a pattern, or with --engine, -o is a folder with a file for each block of
    rows (see iwax score).

    Example: iwax impute RUN incomplete.csv -o filled.csv
    """
    terminal: Terminal = context.obj
    if (several := Several.of(context)).asked:
        _refuse(context.params)
        several.apply(terminal, lambda: blocks.Impute(check_seed(seed), k))
        return
    file = files[0] if files else None
    _check(file, output, errors, mask, iterations, draws)
    paths = _paths(file, output, errors, draws, force=force)
    with trained.opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback, devices=devices) as opened:
        x = opened.read(file, empty=True)[:limit] if file else opened.rows("test", final=False, first=limit or IMAGES)
        given = x if mask is None else np.where(masks.mask(mask, opened.shape, n=len(x), seed=seed), np.nan, x)
        missing = np.isnan(given) if given.dtype.kind == "f" else np.zeros(given.shape, bool)
        how = {"k": k, "draws": draws, "iterations": iterations, "read": 0 if mask is None else READ}
        tables, about = _filled(terminal, opened, given, errors, trained.key_of(seed), **how)
        about |= {"left_out": opened.left_out} if file is not None and opened.left_out else {}
        about |= {} if mask is None else _compared(tables[0], x, missing)
        listed = _give(terminal, paths, opened, file, tables, x, given, missing)
    _say(terminal, {**about, "filled": int(missing.sum()), "files": [*map(str, paths)], "x": listed}, missing)


def _refuse(given: dict[str, Any]) -> None:
    """ValueError for an option that serves one file alone."""
    for name in ("errors", "mask", "iterations", "draws", "limit"):
        if given[name]:
            raise ValueError(f"--{name} {given[name]}: serves one file; leave it out where results go to a folder")


def _filled(
    terminal: Terminal,
    run: "runs.Run",
    given: "np.ndarray",
    errors: Path | None,
    key: Any,
    *,
    k: int,
    draws: int,
    iterations: int,
    read: int,
) -> "tuple[list[np.ndarray], dict[str, Any]]":
    """The tables filled, by pseudo-Gibbs iterations or by weights, and what is known of them, of which it warns."""
    about: dict[str, Any] = {"n": len(given), "k": None if iterations else k}
    about |= {"iterations": iterations or None, "sweeps": iterations or None}  # the second as it was called before
    if iterations:
        return [inference.impute_gibbs(run.model, given, key=key, iterations=iterations)], about
    found = inference.impute(run.model, given, k=k, key=key, draws=draws, iterations=read)
    about |= _weights(terminal, found, errors, run.about.columns, k)
    return [found.values] if found.draws is None else list(found.draws), about


def _check(
    file: Path | None, output: Path | None, errors: Path | None, mask: str | None, iterations: int, draws: int
) -> None:
    """ValueError for what does not go together, before anything is opened."""
    if file is None and mask is None:
        raise ValueError("FILE was needed, rows with missing cells; or --mask, which hides pixels of the test images")
    if not 0 <= draws <= 10_000:
        raise ValueError(f"--draws must be from 0 to 10000, got {draws}")
    if iterations < 0 or (iterations and draws):
        raise ValueError(f"--iterations must be 0 or more, and 0 with --draws; got {iterations} and --draws {draws}")
    if errors is not None and iterations:
        raise ValueError(f"--errors {errors}: of pseudo-Gibbs iterations no error is known; leave out --iterations")
    if is_picture(output) and (mask is None or draws):
        raise ValueError(f"-o {output}: a picture needs --mask, and no --draws; rows go to .npy, .npz or .csv")


def _paths(file: Path | None, output: Path | None, errors: Path | None, draws: int, *, force: bool) -> list[Path]:
    """Where the tables go: the file asked for or, of several draws, one with a number each; all of them checked."""
    check(errors, force=force, endings=(".csv", ".npz"))
    if output is None:
        return []
    if _is(output, PARQUET) and not _is(file, PARQUET):
        came = "none" if file is None else file.name
        raise ValueError(f"-o {output}: a {PARQUET} goes out where one comes in, got {came}; name a .csv, .npy or .npz")
    endings = (*PICTURES, *TABLES, PARQUET, *(TEXTS if _is(file, *TEXTS) else ()))
    check(output, force=force, endings=endings)
    paths = [output.with_stem(f"{output.stem}-{i + 1}") for i in range(draws)] if draws else [output]
    for path in paths:
        check(path, force=force, endings=endings)
    return paths


def _is(path: Path | None, *endings: str) -> bool:
    return path is not None and path.suffix.lower() in endings


def _weights(
    terminal: Terminal, found: "inference.Imputation", errors: Path | None, columns: Any, k: int
) -> dict[str, Any]:
    """What the weights say, which warns, and goes to the file of errors."""
    if errors is not None:
        export.write(errors, found.errors(columns), main="ess")
    return {"ess_median": found.ess_median, **trained.warn_of_errors(terminal, found, k)}


def _compared(filled: "np.ndarray", x: "np.ndarray", missing: "np.ndarray") -> dict[str, float]:
    """How far the filled pixels are from those that were hidden."""
    mean, error = evaluation.squared_error(filled, x, missing & ~np.isnan(x))
    return {"squared_error": mean, "standard_error": error}


def _give(
    terminal: Terminal,
    paths: list[Path],
    opened: Any,
    file: Path | None,
    tables: "list[np.ndarray]",
    x: "np.ndarray",
    given: "np.ndarray",
    missing: "np.ndarray",
) -> list[list[list[float]]] | None:
    """The tables to their files, or the picture; else to stdout, and what a document has of them."""
    own = export.Table(file, opened.about.columns, opened.config.data.dialect)
    for path, table in zip(paths, tables, strict=False):
        if is_picture(path):
            figures.imputations(x[:SHOWN], given[:SHOWN], {"imputed": table[:SHOWN]}, opened.shape).write(path)
        else:
            own.write(path, table, missing)
    for table in [] if paths else tables:
        terminal.data(own.text(table, missing).rstrip())
    return None if paths else [table.tolist() for table in tables]


def _say(terminal: Terminal, about: dict[str, Any], missing: "np.ndarray") -> None:
    how = f"by {about['iterations']} iterations" if about["iterations"] else f"with k={about['k']}"
    ess = f"; ESS median {about['ess_median']:.0f}" if about.get("ess_median") is not None else ""
    wrote = f"; wrote {', '.join(about['files'])}" if about["files"] else ""
    unsure = trained.unsure(about.get("unknown", []))
    terminal.say(f"filled {missing.sum():,} of {missing.size:,} cells {how}{ess}{unsure}{wrote}")
    if about.get("left_out"):
        terminal.say(f"left as they are: {', '.join(about['left_out'])}, which the training left out")
    if "squared_error" in about:
        error = f"{about['squared_error']:.5f} +/- {about['standard_error']:.5f}"
        terminal.say(f"mean squared error of the hidden pixels {error} ({about['n']:,} images)")
    terminal.document(about)
