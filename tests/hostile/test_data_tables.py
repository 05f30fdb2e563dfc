"""Tables that are broken, ambiguous or of no use: one line that says where, what was needed, and what to do."""

import io
import re

import numpy as np
import pytest

from iwax import data
from iwax.data.columns import Column, infer
from iwax.data.encoding import decode
from iwax.formats import columnar
from iwax.formats.cell import mark_missing
from iwax.formats.cells import Cells
from iwax.formats.table import read_cells


def refused(message, function, *arguments, **options):
    with pytest.raises(ValueError, match=message) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def table(*rows):
    return "".join(f"{row}\n" for row in rows).encode()


TEN = [f"{i}.5,{'ab'[i % 2]}" for i in range(10)]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "t.csv: needed at least one line; the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b" \r\n\n", "the file is empty"),
        (b"a,b\n", "needed at least one line below the header"),
        (b"a,b\n1,\xe9\n", "needed UTF-8 text; byte 6 is not"),
        ("a,b\n1,2\n".encode("utf-16-le"), "t.csv:1: needed text; got a NUL byte"),
        (b"a,b\n1,2\n3,\0\n", "t.csv:3: needed text; got a NUL byte"),
        (b"a,b\n1,2\n\n3\n", "t.csv:4: needed 2 cells as in the first line, parted by ','; got 1"),
        (b"a,b\n1,2\n3,4,\n", "t.csv:3: .*got 3"),
        (b'a,b\n"1\n2",3\n4\n', "t.csv:4: .*got 1"),
        (b'a,b\n1,"2\n3,4\n', "t.csv:2: needed cells parted by ',', quoted whole or not at all"),
        (b'a,b\n1,"2"x\n', "t.csv:2: needed cells parted by"),
        (b"a,b\n1," + b"x" * 200_000, "t.csv:2: .*field larger"),
        (b"a,b,a\n1,2,3\n", "t.csv:1:3: needed a name of its own for every column; got the name 'a' a second time"),
        (b"\na, a\n1,2\n", "t.csv:2:2: .*got the name 'a' a second time"),
        (b"M,17.99\nB,13.2\n", "t.csv:1:2: needed a name in the first line; got '17.99', a number; .*header='none'"),
    ],
)
def test_text_that_is_no_table(tmp_path, contents, message):
    refused(message, read_cells, contents, name="t.csv")
    (tmp_path / "t.csv").write_bytes(contents)
    refused(message, data.load, tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["inf,a", *TEN], "t.csv:2:1: column 'x' needs numbers of size up to .*; got 'inf'; correct the cell"),
        ([*TEN, "-Infinity,a"], "t.csv:12:1: .*got '-Infinity'"),
        ([*TEN, "1e400,a"], "t.csv:12:1: .*got '1e400'"),
        ([*TEN, "-1e39,a"], "t.csv:12:1: .*got '-1e39'"),
        (["?,a"] * 10, "column 'x' needs at least one value; every cell is missing; leave it out"),
        ([*TEN, " NA ,?"], "t.csv:12: needed a value in every row; every cell of this one is missing"),
        ([f"u{i},a" for i in range(51)], None),
        ([f"u{i // 2},a" for i in range(122)], None),
        (
            [f"{i / 7:.3f},a" for i in range(99)] + ["<0.1,b"],
            r"t.csv:101:1: .*got '<0.1'; write the number alone, or train with kinds={'x': 'categ",
        ),
        (['"1,5",a', *TEN[1:]], "t.csv:2:1: column 'x' needs numbers with a decimal point; got '1,5'"),
        ([*TEN, "1e9,a", "1e9,b"], None),
        (
            [f"{1_700_000_000 + i},a" for i in range(60)],
            "needs values that seven digits tell apart; got mean 1700000029.5 and",
        ),
        ([f"{100 + i * 1e-6:.6f},a" for i in range(60)], "standard deviation 1.73e-05; subtract an offset such as 100"),
        ([f"{100 + i * 1e-2:.2f},a" for i in range(60)], None),
        (["0.1,a"] * 60, None),
        (["1,a", "2,b"], "at least 3 rows"),
    ],
)
def test_cells_that_are_no_data(tmp_path, rows, message):
    """Where the message is None, the table is near one that is refused, and loads."""
    path = tmp_path / "t.csv"
    path.write_bytes(table("x,y", *rows))
    if message is None:
        assert data.load(path).kind == "table"
    else:
        refused(message, data.load, path)


@pytest.mark.parametrize("delimiter", ";\t")
def test_decimal_commas(tmp_path, delimiter):
    path = tmp_path / "t.csv"
    path.write_bytes(table("x;y", *(f"{i},5;{i}" for i in range(9))).replace(b";", delimiter.encode()))
    refused("t.csv:2:1: .*decimal point; got '0,5'; to read decimal commas, train with decimal=','", data.load, path)
    assert data.load(path, kinds={"x": "categorical"}).columns[0].levels[0] == "0,5"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"X": "count"}, "no column is called 'X'; did you mean 'x'"),
        ({"colour": "count"}, r"no column is called 'colour'; there are 'x', 'y'"),
        ({"x": "counts"}, "kind of column 'x' must be one of continuous, .* or drop; got 'counts'"),
        ({"x": None}, "got None"),
        ({"x": "drop", "y": "drop"}, "needed at least one column that is not dropped"),
        (
            {"x": "count"},
            "t.csv:2:1: column 'x' needs whole numbers 0 .. 16777216; got '0.5'; .*another kind than count",
        ),
        ({"x": "binary"}, r"column 'x' needs two distinct values to be binary; got '0.5', '1.5', .*\(10 in all\)"),
        ({"y": "continuous"}, "t.csv:2:2: column 'y' needs numbers of size .*; got 'a'"),
        ({"y": "positive"}, "t.csv:2:2: column 'y' needs numbers 1.2e-38 .. 3.4e.38; got 'a'"),
    ],
)
def test_kinds_that_do_not_fit(tmp_path, kinds, message):
    path = tmp_path / "t.csv"
    path.write_bytes(table("x,y", *TEN))
    refused(message, data.load, path, kinds=kinds)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        *(("count", "-1"), ("count", "16777217"), ("positive", "0"), ("positive", "-3"), ("positive", "1e-45")),
        *(("nonnegative", "-0.5"), ("nonnegative", "1e-45"), ("nonnegative_integer", "-1"), ("integer", "0.5")),
        *(("nonnegative_integer", "16777217"), ("integer", "-16777217")),
    ],
)
def test_numbers_outside_a_kind(tmp_path, kind, cell):
    path = tmp_path / "t.csv"
    path.write_bytes(table("x,y", *(f"{2**i},a" for i in range(9)), f"{cell},b"))
    refused(f"t.csv:11:1: column 'x' .*got '{cell}'", data.load, path, kinds={"x": kind})


def test_levels_that_are_one_number():
    cells = read_cells(b"x\n1\n01\n2\n", name="t.csv")
    refused("one way to write a level; got '01' and '1' for", infer, cells, 0, kind="categorical")
    assert infer(cells, 0).kind == "nonnegative_integer"


def test_a_column_without_a_value_in_the_training_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(table("x,y", *TEN))
    test_row = data.load(path).test.values[0, 0]
    path.write_bytes(table("x,y,z", *(f"{row},{'7' if row.startswith(f'{test_row},') else ''}" for row in TEN)))
    refused("t.csv: column 'z' needs at least one value in the 8 training rows", data.load, path)


COLUMNS = (Column("a", "count"), Column("c", "categorical", tuple("pqrstuv")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,c", "1,p", "2,w"], r"new.csv:3:2: column 'c' needs one of the levels 'p', .*\(7 in all\); got 'w'"),
        (["c,a", "p,1", "q,-2"], "new.csv:3:2: column 'a' needs whole numbers .*; got '-2'"),
        (["c,a", "p,1", "q,x"], "new.csv:3:2: column 'a' .*got 'x'"),
        (["a,b", "1,p"], "needed the 2 columns of training, .*; it lacks 'c' and it also has 'b'"),
        (["a,c,d", "1,p,0"], "it also has 'd'"),
        (["1,p"], "at least one line below the header"),
        (["1,2"], "it lacks 'a', 'c' and it also has 'column1', 'column2'"),
        (["a,c", ","], "new.csv:2: needed a value in every row"),
    ],
)
def test_new_tables_that_do_not_fit(tmp_path, rows, message):
    path = tmp_path / "new.csv"
    path.write_bytes(table(*rows))
    refused(message, data.read_rows, path, COLUMNS, dropped=["e"])


def test_tables_are_needed_where_columns_are(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    refused(
        r"x.npy: needed a table \(.csv or .* or .parquet\) with the columns 'a', 'c'",
        data.read_rows,
        tmp_path / "x.npy",
        COLUMNS,
    )
    message = "x.npy: kinds of columns and texts for missing cells are for tables"
    refused(message, data.load, tmp_path / "x.npy", kinds={"a": "count"})
    refused(message, data.load, tmp_path / "x.npy", missing=["-1"])
    refused("digits: kinds of columns", data.load, "digits", missing=["-1"])
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        data.read_rows(tmp_path / "none.csv", COLUMNS)


@pytest.mark.parametrize("missing", ["-999", [-999], [None]])
def test_words_for_missing_cells_are_texts(missing):
    refused("missing must be a list of texts", mark_missing, ["1"], missing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "whole"), "kind must be one of continuous, positive"),
        (("", "count"), "needs a name"),
        ((" a", "count"), "without space around it"),
        (("a", "count", ("x",)), "got .'x',. for count"),
        (("a", "binary", ("x",)), "2 levels for binary"),
        (("a", "categorical"), "one or more for categorical"),
        (("a", "categorical", ("x", "x")), "none twice"),
        (("a", "categorical", ["x"]), "needed a tuple"),
        (("a", "categorical", ("x", "")), "a level needs text"),
        (("a", "categorical", ("x", "y ")), "without space around it"),
    ],
)
def test_columns_check_themselves(arguments, message):
    refused(message, Column, *arguments)


def test_values_that_cannot_be_decoded():
    refused(
        r"needed values \[n, 2\], one column for each of the table; got \(3, 1\)", decode, COLUMNS, np.zeros((3, 1))
    )
    refused("2:1: column 'a' needs whole numbers .*; got 0.5", decode, COLUMNS, np.array([[1, 0], [0.5, 0]]))
    refused("1:2: column 'c' needs a place among its 7 levels, from 0; got 7", decode, COLUMNS, np.array([[1, 7.0]]))
    refused("needed 1 columns of 2 cells", Cells, "t", ("a",), (columnar.packed(["1"]),), range(2))


def test_fractions_of_a_table_are_needed_to_binarise_it(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(table("x,y", *TEN))
    refused("binarize='sample' needs numbers; column 'y' holds texts", data.load, path, binarize="sample")
    path.write_bytes(table("x,y", *(f"{i}.5,0" for i in range(10))))
    refused(r"needs real values in \[0, 1\]", data.load, path, binarize="threshold")
    path.write_bytes(table("x,y", *["0.5,?"] * 9, "0.25,1"))
    refused(
        "sample' needs data without missing cells; got 7 of them; use 'threshold'", data.load, path, binarize="sample"
    )


# -- Parquet ----------------------------------------------------------------------------------------------------


def packed(**columns):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    stream = io.BytesIO()
    parquet.write_table(arrow.table({name: arrow.array(*given) for name, given in columns.items()}), stream)
    return stream.getvalue()


@pytest.mark.parametrize("unit", ["list", "binary", "decimal"])
def test_parquet_of_other_types(tmp_path, unit):
    arrow = pytest.importorskip("pyarrow")
    kind, value = {
        "list": (arrow.list_(arrow.int8()), [1]),
        "binary": (arrow.binary(), b"1"),
        "decimal": (arrow.decimal128(5, 2), 1),
    }[unit]
    path = tmp_path / "t.parquet"
    path.write_bytes(packed(a=([1, 2, 4],), b=([value] * 3, kind)))
    refused(
        f"t.parquet: column 'b' needs numbers, booleans or texts; got {unit}.*kinds={{'b': 'drop'}}",
        data.load,
        path,
    )
    assert data.load(path, kinds={"b": "drop"}).shape == (1,)


def test_parquet_cells_are_named_by_row(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(packed(a=([0.5, 1.5, float("inf")],), b=(["x", "y", "x"],)))
    refused("t.parquet:3:1: column 'a' .*got 'inf'", data.load, path)
    path.write_bytes(packed(a=([], "int8")))
    refused("needed at least one row and one column; got 0 x 1", data.load, path)
    path.write_bytes(packed(**{"a": ([1, 2, 3],), "a ": ([1, 2, 3],)}))
    refused("t.parquet:2: needed a name of its own", data.load, path)


def test_damaged_parquet(tmp_path):
    whole = packed(a=(list(range(50)),), b=(["x", "y"] * 25,))
    path = tmp_path / "t.parquet"
    for contents in (b"", b"PAR1", b"no such file", whole[:-1], whole[: len(whole) // 2], whole[4:]):
        path.write_bytes(contents)
        refused(re.escape(f"{path}: needed a whole Parquet file; "), data.load, path)
