"""A person's own table: with nothing filled it is the same file, and a cell that is refused is named by its place."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwax import data

ROWS = 12
MARKS = ("", "NA", "?", " n/a ", "#N/A")
BAD = {"size": ["x7", "1,5", "--1", "1e"], "visits": ["-1", "0.5", "1e9", "many"], "town": ["Ulm", "0", "köln"]}


@st.composite
def tables(draw):
    """A table as text and as its owner reads it: bytes, the options that read it, and cells by column."""
    delimiter, end = draw(st.sampled_from([",", ";", "\t", "|"])), draw(st.sampled_from(["\n", "\r\n"]))
    numbers = st.lists(st.sampled_from(["0.5", "1.50", "-2", "3e1", "+7.0", ".25", "12"]), min_size=ROWS, max_size=ROWS)
    cells = {
        "size": draw(numbers),
        "visits": draw(st.lists(st.integers(0, 40).map(str), min_size=ROWS, max_size=ROWS)),
        "town": draw(st.lists(st.sampled_from(["Köln", "Bonn", "Aachen"]), min_size=ROWS, max_size=ROWS)),
    }
    for i, column in enumerate(cells.values()):  # no row is empty, and the last four rows are whole
        for row in draw(st.sets(st.sampled_from([row for row in range(ROWS - 4) if row % 3 != i]), max_size=4)):
            column[row] = draw(st.sampled_from(MARKS))
    cells["town"][-3:] = ["Köln", "Bonn", "Aachen"]
    cells["size"][-1], cells["visits"][-1] = "0.75", "3"
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]))
    lines = [delimiter.join(cells), *(delimiter.join(row) for row in zip(*cells.values(), strict=True))]
    options = {"encoding": "latin-1"} if encoding == "latin-1" else {}
    kinds = {"size": "continuous", "visits": "count", "town": "categorical"}
    contents = (end.join(lines) + draw(st.sampled_from(["", end]))).encode(encoding)
    return contents, {"delimiter": {"\t": "tab"}.get(delimiter, delimiter), **options}, kinds, cells


def written(folder, contents, name="t.csv"):
    path = folder / name
    path.write_bytes(contents)
    return path


@settings(max_examples=30)
@given(tables())
def test_a_table_that_is_read_and_written_with_nothing_filled_is_the_same_file(tmp_path_factory, table):
    contents, options, kinds, _ = table
    path = written(tmp_path_factory.getbasetemp(), contents)
    dialect, loaded = data.Dialect(**options), data.load(path, kinds=kinds, **options)
    rows = data.read_rows(path, loaded.columns, dialect=dialect, empty=True).values
    nothing = np.zeros(rows.shape, bool)
    assert data.filled_table(path, loaded.columns, rows, nothing, dialect=dialect) == contents
    missing = np.isnan(rows)
    whole = np.where(missing, 1, rows)
    filled = written(
        path.parent, data.filled_table(path, loaded.columns, whole, missing, dialect=dialect), "filled.csv"
    )
    assert np.array_equal(data.read_rows(filled, loaded.columns, dialect=dialect).values, whole)


@settings(max_examples=10)
@given(tables())
def test_the_same_table_in_parquet_means_the_same_and_is_written_with_its_types(tmp_path_factory, table):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    contents, options, kinds, cells = table
    folder = tmp_path_factory.getbasetemp()
    read = {"size": float, "visits": int, "town": str}
    columns = {name: [None if cell in MARKS else read[name](cell) for cell in column] for name, column in cells.items()}
    stored = arrow.table(columns)
    parquet.write_table(stored, folder / "t.parquet")
    loaded = data.load(folder / "t.parquet", kinds=kinds)
    of_text = data.load(written(folder, contents), kinds=kinds, **options)
    assert (loaded.digest(), loaded.columns) == (of_text.digest(), of_text.columns)
    rows = data.read_rows(folder / "t.parquet", loaded.columns, empty=True).values
    again = data.filled_table(folder / "t.parquet", loaded.columns, rows, np.zeros(rows.shape, bool))
    assert parquet.read_table(arrow.BufferReader(again)).equals(stored)


@settings(max_examples=30)
@given(tables(), st.sampled_from(sorted(BAD)), st.integers(0, ROWS - 1), st.data())
def test_a_cell_that_its_column_cannot_hold_is_refused_by_its_place(tmp_path_factory, table, name, row, more):
    """With file, line, column, what was needed and what was got; alone, or with the other cells read."""
    contents, options, kinds, cells = table
    folder = tmp_path_factory.getbasetemp()
    path, dialect = written(folder, contents), data.Dialect(**options)
    columns, place = data.load(path, kinds=kinds, **options).columns, list(cells).index(name)
    values = data.read_rows(path, columns, dialect=dialect, empty=True).values
    bad = more.draw(st.sampled_from(BAD[name]).filter(lambda text: options["delimiter"] not in text))
    cells[name][row] = bad
    delimiter = {"tab": "\t"}.get(options["delimiter"], options["delimiter"])
    lines = [delimiter.join(cells), *(delimiter.join(each) for each in zip(*cells.values(), strict=True))]
    path = written(folder, "\n".join(lines).encode(options.get("encoding", "utf-8")), "bad.csv")
    where = re.escape(f"{path}:{row + 2}:{place + 1}: column {name!r} needs ")
    with pytest.raises(ValueError, match=rf"^{where}.+; got {re.escape(repr(bad))}; .+") as refused:
        data.read_rows(path, columns, dialect=dialect, empty=True)
    found = data.read_rows(path, columns, dialect=dialect, each=True)
    assert found.refused == {(row, place): str(refused.value)}
    values[row, place] = np.nan
    assert np.array_equal(found.values, values, equal_nan=True)
