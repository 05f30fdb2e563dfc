"""A user's own tables: the kinds of their columns, encoded and back, csv and Parquet, missing cells."""

import csv
import dataclasses
import io
import json
import sys

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax import data
from iwax.data.columns import LARGEST_COUNT, Column, summary
from iwax.data.columns import infer as infer_column
from iwax.data.encoding import decode, encode, written
from iwax.data.schema import typed
from iwax.formats.cell import MISSING, as_text, mark_missing
from iwax.formats.cells import Cells
from iwax.formats.columnar import packed
from iwax.formats.table import quoted, read_cells, replace_cells
from iwax.formats.text import DELIMITERS

RANDOM = np.random.default_rng(11)
COUNTS = ["0", "3", "0", "12", "1"]


# -- kinds ------------------------------------------------------------------------------------------------------


def infer(cells, **options):
    """The column of these cells, texts or numbers."""
    read, _ = mark_missing([as_text(cell) for cell in cells])
    return infer_column(Cells("t.csv", ("x",), (packed(read),), range(len(read))), 0, **options)


@pytest.mark.parametrize(
    ("cells", "kind", "levels"),
    [
        (["b", "a", "c", "a"], "categorical", ("a", "b", "c")),
        (["10", "9", "x", "1e1x"], "categorical", ("9", "10", "1e1x", "x")),
        (["yes", "no", "yes"], "binary", ("no", "yes")),
        (["1", "x", "1"], "binary", ("1", "x")),
        (["only", "only"], "categorical", ("only",)),
        (["0", "1", "1.0"], "binary", ("0", "1")),
        ([0, 1.0, True][:2], "binary", ("0", "1")),
        ([True, False], "binary", ("False", "True")),
        (["0", "0"], "continuous", ()),
        (["7", "7"], "continuous", ()),
        (COUNTS, "count", ()),
        (["7", "8", "9"], "nonnegative_integer", ()),  # variance 2/3 below the mean 8
        (["0", "2", "1", "1", "1"], "nonnegative_integer", ()),  # variance 2/5 below the mean 1
        (["0", "2", "2", "0"], "count", ()),  # variance 1, mean 1
        ([*COUNTS, "-1"], "integer", ()),
        (["-1", "-300.0", "2e2"], "integer", ()),
        ([f"-{LARGEST_COUNT}", "5"], "integer", ()),
        ([f"-{LARGEST_COUNT + 1}", "5"], "continuous", ()),
        ([*COUNTS, "0.5"], "nonnegative", ()),
        ([*COUNTS, str(LARGEST_COUNT)], "count", ()),
        ([*COUNTS, str(LARGEST_COUNT + 1)], "nonnegative", ()),
        (["0.1", "1.0", "10.5"], "positive", ()),
        (["0.1", "1.0", "10.5", "0"], "nonnegative", ()),
        (["20.5", "24.5", "0", "22.25", "0.0"], "nonnegative", ()),  # a mass at 0, and little else below
        (["20.5", "24.5", "0", "22.25", "23.5"], "continuous", ()),  # one zero is no mass
        ([*["0", "0"], *(f"{20 + i / 7:.2f}" for i in range(39))], "continuous", ()),  # nor are two of 41
        (["0.1", "1.0", "10.5", "0", "-0.5"], "continuous", ()),
        (["0", "0", "0.5", "1e-40"], "continuous", ()),  # float32 takes it for 0
        (["1.05", "5.5", "10.0"], "continuous", ()),  # not over a factor of ten
        (["0.5", "20.5", "40.5", "60.5", "80.5"], "continuous", ()),  # symmetric as it is, its logarithm is not
    ],
)
def test_kinds_by_the_rules(cells, kind, levels):
    assert infer(cells) == Column("x", kind, levels)
    assert infer([None, *reversed(cells), "NA"]) == Column("x", kind, levels)


def test_kinds_of_large_samples():
    """What was drawn from a distribution is found to be of its kind."""
    draws = {
        "continuous": RANDOM.normal(50, 10, 400),
        "positive": RANDOM.lognormal(0, 1, 400),
        "count": RANDOM.negative_binomial(2, 0.2, 400),
        "nonnegative": RANDOM.lognormal(0, 1, 400) * RANDOM.integers(0, 2, 400),
        "integer": RANDOM.normal(0, 300, 400).round(),
        "nonnegative_integer": RANDOM.integers(1, 4, 400),
        "binary": RANDOM.integers(0, 2, 400),
    }
    assert {kind: infer(values).kind for kind, values in draws.items()} == {kind: kind for kind in draws}


def test_kinds_that_are_said():
    table = read_cells(b"id,q,x\na1,3,0\na2,5,0\na3,4,\n", name="t")
    assert typed(table, {"id": "drop", "q": "categorical", "x": "binary"}).columns == (
        Column("q", "categorical", ("3", "4", "5")),
        Column("x", "binary", ("0", "1")),
    )
    assert [column.kind for column in typed(table).columns] == ["nonnegative_integer", "continuous"]
    assert typed(table, {"q": "positive"}).columns[0] == Column("q", "positive")


def test_many_levels_are_taken_where_they_repeat_or_are_insisted_on():
    cells = [f"u{i}" for i in range(60)]
    assert len(infer(cells * 2).levels) == 60
    assert len(infer(cells, kind="categorical").levels) == 60
    assert len(infer(cells[:50]).levels) == 50


def test_summary_counts_kinds_and_levels():
    columns = [Column("a", "categorical", ("x",)), Column("b", "categorical", tuple("xyz")), Column("c", "count")]
    assert summary(columns) == "3 columns: 1 count, 2 categorical (1 to 3 levels)"
    assert summary(columns[2:]) == "1 column: 1 count"


def test_columns_survive_json():
    column = Column("c", "categorical", ("a", "b"))
    plain = json.loads(json.dumps(dataclasses.asdict(column)))
    assert plain == {"name": "c", "kind": "categorical", "levels": ["a", "b"]}
    assert pydantic.TypeAdapter(Column).validate_python(plain) == column


# -- codes and back ---------------------------------------------------------------------------------------------


def readable(text: str) -> bool:
    return mark_missing([text])[0] == [text]


TEXTS = st.text(st.sampled_from("ab1.-,;\t\"'\n\r éΩ\u2028#"), min_size=1, max_size=6).filter(readable)
REALS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = {
    "continuous": REALS,
    "positive": st.floats(2.0**-126, float(np.finfo(np.float32).max), width=32),
    "nonnegative": st.just(0.0) | st.floats(2.0**-126, float(np.finfo(np.float32).max), width=32),
    "count": st.integers(0, LARGEST_COUNT),
    "integer": st.integers(-LARGEST_COUNT, LARGEST_COUNT),
    "nonnegative_integer": st.integers(0, LARGEST_COUNT),
}


@st.composite
def tables(draw):
    """Columns of any kinds and names, and values [n, D] that they can hold, some missing."""
    names = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(1, 6))
    columns, values = [], []
    for name in names:
        kind = draw(st.sampled_from([*VALUES, "binary", "categorical"]))
        most, least = (2, 2) if kind == "binary" else (5, 1)
        levels = () if kind in VALUES else tuple(draw(st.lists(TEXTS, min_size=least, max_size=most, unique=True)))
        value = VALUES[kind] if kind in VALUES else st.integers(0, len(levels) - 1)
        columns.append(Column(name, kind, levels))
        values.append(draw(st.lists(st.none() | value, min_size=rows, max_size=rows)))
    return columns, np.array(values, np.float32).T  # None becomes NaN


@given(tables(), st.randoms(use_true_random=False))
def test_decoding_and_encoding_is_the_identity(table, random):
    columns, values = table
    decoded = [[as_text(value) for value in column] for column in decode(columns, values)]
    order = random.sample(range(len(columns)), len(columns))
    cells = Cells(
        "t",
        tuple(columns[i].name for i in order),
        tuple(packed(mark_missing(decoded[i])[0]) for i in order),
        range(len(values)),
    )
    assert encode(columns, cells).tobytes() == values.tobytes()


def delimited(columns, values, delimiter):
    """The table that `written` gives, with another delimiter between its cells."""
    rows = csv.reader(io.StringIO(written(columns, values)))
    lines = [delimiter.join(quoted(cell, alone=len(row) == 1) for cell in row) or '""' for row in rows]
    return "".join(f"{line}\n" for line in lines)


@given(tables(), st.sampled_from(DELIMITERS), st.randoms(use_true_random=False))
def test_what_is_written_reads_back(table, delimiter, random):
    """Any delimiter, any text in cells and names, columns in any order, either end of lines."""
    columns, values = table
    order = random.sample(range(len(columns)), len(columns))
    text = delimited([columns[i] for i in order], values[:, order], delimiter)
    names = [column.name for column in columns]
    for contents in (text.encode(), text.encode("utf-8-sig")):
        cells = read_cells(contents, name="t", names=names)
        assert encode(columns, cells).tobytes() == values.tobytes()


def test_what_is_written_is_short_and_quoted_where_it_must_be():
    columns = [Column("a;\rb", "continuous"), Column('"', "categorical", ("x\ry", "٣")), Column("n", "count")]
    text = written(columns, np.array([[1 / 3, 0, 5], [7, 1, np.nan]]))
    assert text == '"a;\rb","""",n\n0.33333334,"x\ry",5\n7,٣,\n'
    assert read_cells(text.encode(), name="t").columns == (["0.33333334", "7"], ["x\ry", "٣"], ["5", None])
    assert infer(["٣", "٤", "٣٤"]).kind == "categorical"  # digits, but not those of a number in csv
    assert written(columns[2:], np.array([[np.nan]])) == 'n\n""\n'


@given(tables(), st.sampled_from(DELIMITERS), st.sampled_from(("\n", "\r\n", "\n\n")), st.booleans(), st.data())
def test_cells_are_replaced_and_no_other(table, delimiter, end, mark, more):
    """Missing cells get texts of any kind, with any delimiter, end of lines and mark of bytes; then fewer rows."""
    columns, values = table
    text = delimited(columns, values, delimiter)
    lines = [delimiter.join(map(quoted, row)) or '""' for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    contents = (end.join(lines) + more.draw(st.sampled_from(("", end)))).encode("utf-8-sig" if mark else "utf-8")
    names = [column.name for column in columns]
    before = read_cells(contents, name="t", names=names)
    missing = [(i, j) for j, column in enumerate(before.columns) for i, cell in enumerate(column) if cell is None]
    new = {place: more.draw(TEXTS) for place in missing}
    assert replace_cells(contents, {}, rows=len(values), names=names) == contents
    after = read_cells(replace_cells(contents, new, rows=len(values), names=names), name="t", names=names)
    assert after.names == before.names
    assert [[new.get((i, j), cell) for i, cell in enumerate(column)] for j, column in enumerate(before.columns)] == [
        list(column) for column in after.columns
    ]
    first = replace_cells(contents, new, rows=len(values), limit=1, names=names)
    assert replace_cells(contents, new, rows=len(values), names=names).startswith(first)
    assert len(read_cells(first, name="t", names=names)) == 1


def test_other_cells_stay_as_their_owner_wrote_them():
    table = b'\xef\xbb\xbfid;"x;1";y\r\n\r\n01;147.0;NA\r\n"a""b";?;  3e0'
    new = replace_cells(table, {(0, 2): "2.5", (1, 1): "7"}, rows=2)
    assert new == table.replace(b"NA", b"2.5").replace(b"?", b"7")


def test_decoded_values_are_those_of_the_owner():
    columns = [Column("a", "continuous"), Column("n", "count"), Column("c", "categorical", ("x", "y"))]
    real, whole, level = decode(columns, np.array([[0.5, 3, 1], [np.nan, np.nan, np.nan]], np.float32))
    assert (real[0], np.isnan(real[1])) == (0.5, True)
    assert (whole, level) == ([3, None], ["y", None])
    assert type(whole[0]) is int


def test_levels_are_found_by_text_before_number():
    columns = [Column("c", "categorical", ("1", "01.5", "x"))]
    cells = Cells("t", ("c",), (packed(["1.0", "1", "1.5", "x", None]),), range(5))
    assert encode(columns, cells)[:4, 0].tolist() == [0, 0, 1, 2]


# -- text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_tables(delimiter, end, mark):
    lines = ["", 'a|"b|,; c"|d', '1| x |"say ""a|b"""', "", '?|"two', 'lines"|-3']
    cells = read_cells(mark + end.join(lines).replace("|", delimiter).encode(), name="t")
    assert cells.names == ("a", f"b{delimiter},; c", "d")
    assert cells.columns == (["1", None], ["x", f"two{end}lines"], [f'say "a{delimiter}b"', "-3"])
    assert list(cells.lines) == [3, 5]


def test_first_lines_of_numbers_are_data():
    assert read_cells(b"1,NA\n2,3\n", name="t").names == ("column1", "column2")
    assert read_cells(b"1990,1991\n2,3\n", name="t", names=["1991", "1990"]).names == ("1990", "1991")
    assert read_cells(b"country,1990\nx,3\n", name="t").names == ("country", "1990")
    assert len(read_cells(b"1990,1991\n2,3\n", name="t")) == 2


def test_missing_words_in_any_case_and_the_caller_s_own():
    words = [cased for word in MISSING for cased in (word, word.upper(), f" {word.capitalize()} ")]
    assert set(mark_missing(words)[0]) == {None}
    assert mark_missing(["-999.00", "-9990", "Unknown"], ["-999", "unknown"])[0] == [None, "-9990", None]
    words = ["nano", "---", "0", "nonesuch", "??"]
    assert mark_missing(words)[0] == words


WINES = ["winequality-red.csv", "winequality-white.csv"]


@pytest.mark.parametrize("name", WINES)
def test_wines_read_as_another_reader_reads_them(iwax_data, name):
    arrow = pytest.importorskip("pyarrow.csv")
    path = iwax_data / "uci" / name
    theirs = arrow.read_csv(path, parse_options=arrow.ParseOptions(delimiter=";"))
    loaded = data.load(path)
    assert [column.name for column in loaded.columns] == theirs.column_names
    wanted = np.stack([column.to_numpy() for column in theirs.columns], axis=1).astype(np.float32)
    assert np.array_equal(data.read_rows(path).values, wanted)
    assert sum(len(split) for split in loaded.splits().values()) == theirs.num_rows


def test_wines_with_missing_cells_read_as_another_reader_reads_them(iwax_data, tmp_path):
    arrow = pytest.importorskip("pyarrow.csv")
    lines = (iwax_data / "uci" / WINES[0]).read_text().splitlines()
    cells = [line.split(";") for line in lines]
    words = ["", "NA", "N/A", "nan", "null", "-1"]
    missing = RANDOM.random((len(lines) - 1, 12)) < 0.1
    missing[:, 0] = False
    for row, column in np.argwhere(missing):
        cells[row + 1][column] = words[(row + column) % len(words)]
    path = tmp_path / "incomplete.csv"
    path.write_text("\n".join(";".join(row) for row in cells))
    theirs = arrow.read_csv(
        path,
        parse_options=arrow.ParseOptions(delimiter=";"),
        convert_options=arrow.ConvertOptions(null_values=words, column_types={}),
    )
    wanted = np.stack([column.to_numpy() for column in theirs.columns], axis=1).astype(np.float32)
    loaded = data.load(path, missing=["-1"])
    assert loaded.missing == missing.sum() == np.isnan(wanted).sum()
    assert f"{missing.sum():,} of {wanted.size:,} cells missing" in loaded.protocol
    assert np.array_equal(data.read_rows(path, missing=["-1"]).values, wanted, equal_nan=True)


# -- loading ----------------------------------------------------------------------------------------------------


def people(rows=40):
    """csv text of a table with every kind of column, and three missing cells."""
    lines = [
        f"p{i},{20 + RANDOM.normal():.3f},{'yes' if i % 3 else 'no'},{(i * i) % 17},{np.exp(i % 7):.3f},{'rgb'[i % 3]}"
        for i in range(rows)
    ]
    lines[3] = "p3,?,no,,1.5,NA"
    return "\n".join(["id,height,smoker,visits,pay,colour", *lines]) + "\n"


def test_a_table_is_loaded_with_its_columns(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(people())
    loaded = data.load(path, kinds={"id": "drop"})
    assert (loaded.kind, loaded.shape, loaded.missing) == ("table", (5,), 3)
    assert [column.kind for column in loaded.columns] == ["continuous", "binary", "count", "positive", "categorical"]
    assert (
        "5 columns: 1 continuous, 1 positive, 1 count, 1 binary, 1 categorical (3 levels), left out: id; "
        "3 of 200 cells missing"
    ) in loaded.protocol
    whole = np.concatenate([split.values for split in loaded.splits().values()])
    rows = data.read_rows(path, loaded.columns, dropped=["id"])
    assert (rows.kind, rows.shape, rows.columns) == ("table", (5,), loaded.columns)
    assert sorted(map(bytes, rows.values)) == sorted(map(bytes, whole))
    assert loaded.digest() == data.load(path, kinds={"id": "drop"}).digest()
    other = data.load(path, kinds={"id": "drop", "visits": "continuous"})
    assert np.array_equal(other.train.values, loaded.train.values, equal_nan=True)
    assert other.digest() != loaded.digest()


def test_a_trained_table_takes_new_files_by_name(tmp_path):
    columns = (Column("a", "count"), Column("c", "binary", ("no", "yes")))
    (tmp_path / "new.csv").write_text("c\tid\ta\nyes\tx1\t\n?\tx2\t3\n")
    rows = data.read_rows(tmp_path / "new.csv", columns, dropped=["id"])
    assert np.array_equal(rows.values, [[np.nan, 1], [3, np.nan]], equal_nan=True)


def test_zeros_and_ones_alone_are_binary_data(tmp_path):
    bits = RANDOM.integers(0, 2, (20, 3))
    path = tmp_path / "bits.csv"
    path.write_text("\n".join(["a,b,c", *(",".join(map(str, row)) for row in bits)]))
    loaded = data.load(path)
    assert (loaded.kind, loaded.columns, loaded.train.values.dtype) == ("binary", None, np.uint8)
    assert np.array_equal(data.read_rows(path).values, bits)
    assert data.load(path, kinds={"a": "binary"}).kind == "table"
    path.write_text(path.read_text() + "\n0,1,")
    assert data.load(path).kind == "table"
    path.write_text("a,b\n" + "no,1\nyes,0\n" * 4)
    assert data.load(path).kind == "table"


def test_a_table_of_fractions_can_be_binarised(tmp_path):
    grey = RANDOM.random((20, 3)).round(3)
    path = tmp_path / "grey.csv"
    np.savetxt(path, grey, delimiter=",", fmt="%.3f")
    loaded = data.load(path, binarize="threshold")
    assert (loaded.kind, loaded.columns) == ("binary", None)
    assert np.array_equal(loaded.train.values, data.load(path).train.values > 0.5)
    assert data.load(path, binarize="sample").binarize_training


def test_parquet_and_csv_say_the_same(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "real": arrow.array([0.1, None, float("nan"), 2.5e10], "float32"),
        "half": arrow.array([0.1, 2.5, 1.0, None], "float64"),
        "whole": arrow.array([3, 0, None, 200], "int64"),
        "boolean": arrow.array([True, False, None, True]),
        "text": arrow.array(["a", "b", None, "c"]),
        "large": arrow.array(["a", "n/a", "b", "a"], arrow.large_string()),
        "level": arrow.array(["x", "y", None, "x"]).dictionary_encode(),
        "encoded": arrow.array([5, 7, 5, None]).dictionary_encode(),
        "when": arrow.array([0, 1, 2, 3], arrow.timestamp("s")),
    }
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    text = (
        "real,half,whole,boolean,text,large,level,encoded,when\n"
        "0.1,0.1,3,True,a,a,x,5,0\n,2.5,0,False,b,,y,7,1\n,1,,,,b,,5,2\n2.5e10,,200,True,c,a,x,,3\n"
    )
    (tmp_path / "t.csv").write_text(text)
    kinds = {"when": "drop", "encoded": "categorical", "text": "categorical"}
    ours, theirs = (data.load(tmp_path / name, kinds=kinds) for name in ("t.parquet", "t.csv"))
    assert ours.columns == theirs.columns
    assert [column.kind for column in ours.columns][3:] == ["binary", "categorical", "binary", "binary", "categorical"]
    assert ours.digest() == theirs.digest()
    rows = data.read_rows(tmp_path / "t.parquet", theirs.columns, dropped=["when"])
    assert np.array_equal(rows.values[:, 2], [3, 0, np.nan, 200], equal_nan=True)


def test_a_parquet_file_is_filled_and_otherwise_stays_as_it_is(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    given = arrow.table(
        {
            "real": arrow.array([0.1, None, float("nan"), 2.5e10], "float32"),
            "when": arrow.array([0, None, 2, 3], arrow.timestamp("ms")),
            "count": arrow.array([3, 0, None, 200], "int16"),
            "small": arrow.array([3, 0, None, 120], "int8"),
            "whole": arrow.array([-3, 0, None, 200], "int64"),
            "boolean": arrow.array([True, False, None, True]),
            "text": arrow.array(["a", "n/a", None, "a"]),
            "level": arrow.DictionaryArray.from_arrays([1, 0, None, 1], ["y", "x"], ordered=True),
        }
    ).replace_schema_metadata({"pandas": "{}", "mine": "kept"})
    parquet.write_table(given, tmp_path / "t.parquet")
    columns = [
        *(Column(name, "count") for name in ("count", "small")),
        *(Column(name, "continuous") for name in ("real", "whole")),
        Column("boolean", "binary", ("False", "True")),
        Column("text", "categorical", ("a", "b")),
        Column("level", "binary", ("x", "y")),
    ]
    missing = np.zeros((3, 7), bool)
    missing[2] = missing[1, 2] = missing[1, 5] = True
    values = np.where(missing, [[0] * 7, [0, 0, 0.25, 0, 0, 1, 0], [7, 300, 0.5, -2.5, 0, 0, 1]], 9)
    (tmp_path / "filled.parquet").write_bytes(data.filled_table(tmp_path / "t.parquet", columns, values, missing))
    found = parquet.read_table(tmp_path / "filled.parquet")
    assert found.column_names == given.column_names
    assert found.to_pydict() == given.slice(0, 3).to_pydict() | {
        "real": [np.float32(0.1), 0.25, 0.5],
        "count": [3, 0, 7],
        "small": [3, 0, 300],
        "whole": [-3.0, 0.0, -2.5],
        "boolean": [True, False, False],
        "text": ["a", "b", "a"],
        "level": ["x", "y", "y"],
    }
    types = dict(zip(found.column_names, found.schema.types, strict=True))
    assert types == dict(zip(given.column_names, given.schema.types, strict=True)) | {
        "small": arrow.int64(),
        "whole": arrow.float64(),
    }
    assert found.column("level").chunk(0).dictionary.to_pylist() == ["y", "x"]
    assert found.schema.metadata == {b"mine": b"kept"}
    with pytest.raises(ValueError, match=r"t.parquet: needed the 3 rows and the columns"):
        data.filled_table(tmp_path / "t.parquet", [Column("other", "continuous")], values[:, :1], missing[:, :1])


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        (Column("a", "continuous"), "415,31", "needs numbers with a decimal point; got '415,31'; write 1.5, not 1,5"),
        (
            Column("a", "continuous"),
            "x",
            "got 'x'; correct the cell or leave it empty, or train with the kind categorical",
        ),
        (Column("a", "continuous"), "inf", "got 'inf'; correct the cell or leave it empty$"),
        (Column("a", "count"), "0.5", "got '0.5'; correct .* or train with another kind than count for this column$"),
        (Column("a", "binary", ("0", "1")), "True", "got 'True'; write booleans as the table of training has them"),
        (Column("a", "binary", ("no", "yes")), "True", "got 'True'; leave the cell empty, or train on rows that have"),
    ],
)
def test_a_cell_that_a_column_cannot_hold_is_refused_with_what_to_do(column, cell, message):
    with pytest.raises(ValueError, match=rf"^t.csv:2:1: column 'a' needs .*{message}|^t.csv:2:1: column 'a' {message}"):
        encode([column], Cells("t.csv", ("a",), (packed([cell]),), (2,)))


def test_arrays_with_missing_cells(tmp_path):
    real = RANDOM.normal(size=(20, 4))
    real[2, 1] = real[7, 3] = np.nan
    np.save(tmp_path / "real.npy", real)
    loaded = data.load(tmp_path / "real.npy")
    assert (loaded.kind, loaded.missing, loaded.columns) == ("real", 2, None)
    assert "real values as stored, 2 of 80 cells missing, nothing scaled" in loaded.protocol
    bits = np.where(np.isnan(real), np.nan, real > 0)
    np.savez(tmp_path / "bits.npz", x_train=bits, x_test=(real > 0).astype(np.uint8))
    loaded = data.load(tmp_path / "bits.npz")
    assert (loaded.kind, loaded.missing) == ("binary", 2)
    assert {split.values.dtype for split in loaded.splits().values()} == {np.dtype(np.float32)}
    fractions = np.where(np.isnan(real), np.nan, 1 / (1 + np.exp(-real)))
    np.save(tmp_path / "fractions.npy", fractions)
    assert np.array_equal(data.read_rows(tmp_path / "fractions.npy").values, fractions.astype("f4"), equal_nan=True)
    drawn = data.load(tmp_path / "fractions.npy", binarize="threshold")
    plain = data.load(tmp_path / "fractions.npy")
    assert (drawn.kind, drawn.missing) == ("binary", 2)
    for part in ("train", "valid", "test"):
        values, before = drawn.split(part).values, plain.split(part).values
        assert np.array_equal(np.isnan(values), np.isnan(before))
        assert np.array_equal(values == 1, before > 0.5)


def test_equal_data_with_missing_cells_have_equal_digests(tmp_path):
    """A NaN has many patterns of bits."""
    values = RANDOM.normal(size=(9, 2)).astype(np.float32)
    values[4, 1] = np.nan
    other = values.copy()
    other.view(np.uint32)[4, 1] |= 5
    assert np.isnan(other[4, 1])
    assert other.tobytes() != values.tobytes()
    digests = []
    for each in (values, other):
        np.save(tmp_path / "x.npy", each)
        digests.append(data.load(tmp_path / "x.npy").digest())
    assert digests[0] == digests[1]


def made(kind, values, columns=None):
    rows = data.Split(np.asarray(values, np.float32))
    return data.Dataset("x", "", rows.values.shape[1:], kind, False, rows, None, rows, columns)


def test_datasets_with_missing_cells_check_themselves():
    nan, two = np.nan, (Column("a", "count"), Column("b", "binary", ("n", "y")))
    assert made("binary", [[0, nan], [1, 1]]).missing == 2
    assert made("grey", [[255, nan], [1, 1]]).missing == 2
    assert made("table", [[3, nan], [1, 1]], two).missing == 2
    for kind, values, columns, message in [
        ("binary", [[0, nan], [0.5, 1]], None, r"values in \{0, 1\}; got 0.5"),
        ("binary", [[0, nan], [-1, 1]], None, r"values in \{0, 1\}; got -1"),
        ("grey", [[0, nan], [256, 1]], None, "whole numbers 0..255; got 256"),
        ("table", [[3, nan], [1, 2]], two, "'b' needs one of the levels 'n', 'y'; got 2"),
        ("table", [[3.5, nan], [1, 1]], two, "'a' needs whole numbers 0 .. 16777216; got 3.5"),
        ("table", [[3, nan]], two[:1], "needs a column of its own name for each of its 2 features.*got 1"),
        ("table", [[3, nan]], (two[0], two[0]), "got 2, 1 of them by name"),
        ("table", [[3, nan]], None, "got 0"),
        ("real", [[3, nan]], two, "other kinds need none; got 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            made(kind, values, columns)


def test_parquet_without_its_reader_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"t.parquet: .*pip install 'iwax\[tables\]'"):
        data.load(tmp_path / "t.parquet")


def test_cells_that_are_taken_from_others_are_read_anew():
    """The numbers that a table remembers are not those of a part of it."""
    table = Cells("t", ("a", "b"), (packed(["1", "x", "3"]), packed(["p", "q", "r"])), (2, 3, 4))
    assert table.numbers(0)[1] == {"x"}
    assert table.texts(1) == {"p", "q", "r"}
    part = dataclasses.replace(table, columns=(packed(["3"]), packed(["r"])), lines=(4,))
    assert (part.numbers(0)[0].tolist(), part.numbers(0)[1], part.texts(1)) == ([3], set(), {"r"})
