"""`iwax impute`: missing cells filled in, and hidden pixels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iwax.cli import output as outputs
from iwax.cli.arguments import Checkpoint, DataPath, Draws, Fallback, Limit, Run, Seed
from iwax.cli.terminal import Terminal
from iwax.cli.trust import tell, unsure

if TYPE_CHECKING:
    import numpy as np

    from iwax.experiments.run import Run as OpenedRun
    from iwax.inference import Imputation

__all__ = ["impute"]

PARQUET = ".parquet"  # as an output, of a file of the kind
TEXTS = (".csv", ".tsv", ".txt")
IMAGES = 100  # of the test data, where nobody says how many
SHOWN = 50
READ = 50  # sweeps whose result an encoder that never saw hidden pixels reads, before its draws are weighed

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="Rows; with --mask the first test images of the run without.")
]
Copies = Annotated[
    int, typer.Option("--draws", metavar="N", help="N whole tables, drawn, in place of one of means (0).")
]
Mask = Annotated[
    str | None,
    typer.Option("--mask", metavar="rectangle|half|random:SHARE", help="Hide pixels of images, fill them, compare."),
]
Sweeps = Annotated[
    int,
    typer.Option("--sweeps", metavar="N", help="N times encode and decode, in place of importance weights (0)."),
]
Errors = Annotated[
    Path | None,
    typer.Option("--errors", metavar="FILE", help="Also write each row's ess, khat and errors (.csv, .npz)."),
]


def impute(
    context: typer.Context,
    run: Run,
    file: File = None,
    output: outputs.Output = None,
    errors: Errors = None,
    mask: Mask = None,
    sweeps: Sweeps = 0,
    draws: Copies = 0,
    limit: Limit = None,
    k: Draws = 1000,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    force: outputs.Force = False,
) -> None:
    """FILE with its missing cells filled: the mean of p(x_missing | x_observed), or the most probable class.

    Missing are NaN, empty cells, and the words that marked them in training; a row of nothing else is filled from p(x).
    A text table goes out as it came in but for them: delimiter, encoding, columns dropped in training, digits of other
    cells; a .parquet likewise, with its types. With --draws N the cells are drawn, N times, and -o a.csv becomes
    a-1.csv to a-N.csv: what is computed from each varies as it should. Goes to -o FILE, or to stdout. With --mask
    pixels of images are hidden first (the encoder reads what 50 sweeps fill in), the mean squared error of what fills
    them is printed, and -o FILE.png is a picture of data, what was given, and result. Rows whose weights do not show
    the error of what fills them (ess below 10, or khat above 0.7) are named; --errors FILE has every row's.
    """
    _check(file, output, errors, mask, sweeps, draws)
    paths = _paths(file, output, errors, draws, force=force)

    from iwax.cli.trained import opened

    terminal: Terminal = context.obj
    with opened(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback) as trained:
        x = _rows(trained, file, limit)
        given = x if mask is None else _hidden(x, mask, trained.shape, seed)
        about: dict[str, Any] = {"n": len(x), "k": None if sweeps else k, "sweeps": sweeps or None}
        if sweeps:
            tables = _swept(trained, given, sweeps, seed)
        else:
            found = _weighed(trained, given, k, seed, draws, 0 if mask is None else READ)
            tables = [found.values] if found.draws is None else list(found.draws)
            about |= {"ess_median": found.ess_median, **tell(terminal, found, k)}
            _write_errors(errors, trained, found)
        about |= {"left_out": trained.left_out} if file is not None and trained.left_out else {}
        about |= _compared(x, given, tables[0]) if mask is not None else {}
        _write(terminal, paths, trained, file, x, given, tables)
    _say(terminal, about, paths, given)
    listed = None if paths else [table.tolist() for table in tables]
    terminal.document({**about, "filled": _holes(given), "files": [*map(str, paths)], "x": listed})


def _check(
    file: Path | None, output: Path | None, errors: Path | None, mask: str | None, sweeps: int, draws: int
) -> None:
    """ValueError for what does not go together, before anything is opened."""
    if file is None and mask is None:
        raise ValueError("FILE was needed, rows with missing cells; or --mask, which hides pixels of the test images")
    if not 0 <= draws <= 10_000:
        raise ValueError(f"--draws must be from 0 to 10000, got {draws}")
    if sweeps < 0 or (sweeps and draws):
        raise ValueError(f"--sweeps must be 0 or more, and 0 with --draws; got {sweeps} and --draws {draws}")
    if errors is not None and sweeps:
        raise ValueError(f"--errors {errors}: what sweeps fill in has no error that is known; leave out --sweeps")
    if output is not None and output.suffix.lower() == ".png" and (mask is None or draws):
        raise ValueError(f"-o {output}: a picture needs --mask, and no --draws; rows go to .npy, .npz or .csv")


def _paths(file: Path | None, output: Path | None, errors: Path | None, draws: int, *, force: bool) -> list[Path]:
    """Where the tables go: the file asked for or, of so many draws, one with a number each; all of them checked."""
    outputs.check(errors, force=force, endings=(".csv", ".npz"))
    if output is None:
        return []
    if _is(output, PARQUET) and not _is(file, PARQUET):
        came = "none" if file is None else file.name
        raise ValueError(f"-o {output}: a {PARQUET} goes out where one comes in, got {came}; name a .csv, .npy or .npz")
    endings = (".png", *outputs.TABLES, PARQUET, *(TEXTS if _is(file, *TEXTS) else ()))
    outputs.check(output, force=force, endings=endings)
    paths = [output.with_stem(f"{output.stem}-{i + 1}") for i in range(draws)] if draws else [output]
    for path in paths:
        outputs.check(path, force=force, endings=endings)
    return paths


def _swept(trained: "OpenedRun", given: "np.ndarray", sweeps: int, seed: int) -> "list[np.ndarray]":
    from iwax import inference
    from iwax.cli.trained import key_of

    return [inference.impute_by_sweeps(trained.model, given, key=key_of(seed), sweeps=sweeps)]


def _rows(trained: "OpenedRun", file: Path | None, limit: int | None) -> "np.ndarray":
    """Rows of the file or, without one, the first test rows."""
    if file is None:
        return trained.rows("test", final=False)[: limit or IMAGES]
    return trained.read(file, empty=True)[:limit]


def _weighed(trained: "OpenedRun", given: "np.ndarray", k: int, seed: int, draws: int, read: int) -> "Imputation":
    from iwax import inference
    from iwax.cli.trained import key_of

    return inference.impute(trained.model, given, k=k, key=key_of(seed), draws=draws, sweeps=read)


def _write_errors(path: Path | None, trained: "OpenedRun", found: "Imputation") -> None:
    """Every row's number, effective sample size and k-hat, and the error of each cell (nan where it is unknown)."""
    import numpy as np

    if path is None:
        return
    columns, error = trained.about.columns, found.known_error
    named = {"error": error}
    if columns is not None:
        named = {f"error of {column.name}": error[:, j] for j, column in enumerate(columns)}
    about = {"row": np.arange(1, len(error) + 1), "ess": found.ess, "khat": found.pareto_k}
    outputs.write(path, {**about, **named}, main="ess")


def _holes(x: "np.ndarray") -> int:
    return int((x != x).sum())  # NaN alone is not itself


def _hidden(x: "np.ndarray", mask: str, shape: tuple[int, ...], seed: int) -> "np.ndarray":
    import numpy as np

    from iwax.data import masks

    return np.where(masks.mask(mask, shape, n=len(x), seed=seed), np.nan, x)


def _compared(x: "np.ndarray", given: "np.ndarray", filled: "np.ndarray") -> dict[str, float]:
    """How far the filled pixels are from those that were hidden."""
    import numpy as np

    from iwax.evaluation import squared_error

    mean, error = squared_error(filled, x, np.isnan(given) & ~np.isnan(x))
    return {"squared_error": mean, "standard_error": error}


def _write(
    terminal: Terminal,
    paths: list[Path],
    trained: "OpenedRun",
    file: Path | None,
    x: "np.ndarray",
    given: "np.ndarray",
    tables: "list[np.ndarray]",
) -> None:
    """The tables to their files or to stdout; or the picture."""
    from iwax.report import figures

    columns = trained.about.columns
    for path, table in zip(paths, tables, strict=False):
        if path.suffix.lower() == ".png":
            figures.imputations(path, x[:SHOWN], given[:SHOWN], {"imputed": table[:SHOWN]}, trained.shape)
        elif _is(path, *TEXTS):
            outputs.write_bytes(path, _as_csv(trained, file, given, table))
        elif _is(path, PARQUET):
            outputs.write_bytes(path, _filled(trained, file, given, table))
        else:
            outputs.write_rows(path, table, columns)
    for table in [] if paths else tables:
        text, _ = trained.config.data.dialect.decode(_as_csv(trained, file, given, table), "the table")
        terminal.data(text.removeprefix("\ufeff").rstrip())


def _as_csv(trained: "OpenedRun", file: Path | None, given: "np.ndarray", table: "np.ndarray") -> bytes:
    """The user's own table with its holes filled, as CSV; of other rows, all that the model knows of them."""
    columns = trained.about.columns
    if columns is None or not _is(file, *TEXTS, PARQUET):
        return outputs.rows_as_text(table, columns).encode()
    return _filled(trained, file, given, table, as_csv=True)


def _filled(
    trained: "OpenedRun", file: Path | None, given: "np.ndarray", table: "np.ndarray", *, as_csv: bool = False
) -> bytes:
    """The user's own file of a table with its holes filled."""
    from iwax import data

    columns = trained.about.columns
    if file is None or columns is None:
        raise ValueError(f"-o FILE{PARQUET}: a run of a table with columns was needed; rows go to .npy, .npz or .csv")
    values, holes = outputs.whole_counts(table, columns), given != given  # NaN is not itself
    dialect = trained.config.data.dialect
    return data.filled_table(file, columns, values, holes, as_csv=as_csv, dialect=dialect)


def _is(path: Path | None, *endings: str) -> bool:
    return path is not None and path.suffix.lower() in endings


def _say(terminal: Terminal, about: dict[str, Any], paths: list[Path], given: "np.ndarray") -> None:
    how = f"by {about['sweeps']} sweeps" if about["sweeps"] else f"with k={about['k']}"
    ess = f"; ESS median {about['ess_median']:.0f}" if about.get("ess_median") is not None else ""
    wrote = f"; wrote {', '.join(map(str, paths))}" if paths else ""
    terminal.say(
        f"filled {_holes(given):,} of {given.size:,} cells {how}{ess}{unsure(about.get('unknown', []))}{wrote}"
    )
    if about.get("left_out"):
        terminal.say(f"left as they are: {', '.join(about['left_out'])}, which the training left out")
    if "squared_error" in about:
        error = f"{about['squared_error']:.5f} +/- {about['standard_error']:.5f}"
        terminal.say(f"mean squared error of the hidden pixels {error} ({about['n']:,} images)")
