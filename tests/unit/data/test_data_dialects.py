"""Text tables as others write them: what stands between cells, encodings, headers, thousands; read back, and filled."""

import csv
import io

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iwax import data
from iwax.data.columns import Column
from iwax.data.encoding import encode
from iwax.data.schema import typed
from iwax.data.tables import rows_of_new_table, rows_of_table
from iwax.formats.cell import mark_missing
from iwax.formats.dialect import Dialect
from iwax.formats.table import read_cells, replace_cells
from iwax.runs import export

MARKS = ("", "NA", "#N/A", ".", "\\N", "<NA>", "NaT", "n.a.", "1.#QNAN", "\u2013")
WORDS = st.text(st.sampled_from("abcüÖ 12.,;|\t\"'-"), min_size=1, max_size=5).filter(
    lambda text: mark_missing([text])[0] == [text]
)


@st.composite
def files(draw):
    """A table in a dialect: its bytes, the options that read it, names, and cells with None where one is missing."""
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    header, sep = draw(st.booleans()), draw(st.booleans()) and delimiter != " "
    width, height = draw(st.integers(2, 4)), draw(st.integers(2, 6))
    names = [f"column{i + 1}" for i in range(width)]
    if header:
        names = draw(st.lists(WORDS, min_size=width, max_size=width, unique=True))
    cells = draw(
        st.lists(st.lists(st.none() | WORDS, min_size=width, max_size=width), min_size=height, max_size=height)
    )
    marks = st.sampled_from(MARKS[delimiter == " " : -1 if encoding == "latin-1" else None])
    rows = [names] * header + [[draw(marks) if cell is None else cell for cell in row] for row in cells]
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows(rows)
    contents = (f"sep={delimiter}{end}" * sep + stream.getvalue()).encode(encoding)
    options = {"encoding": "latin-1"} if encoding == "latin-1" else {}
    options |= {
        "header": "first" if header else "none",
        "delimiter": {"\t": "tab", " ": "space"}.get(delimiter, delimiter),
    }
    return contents, Dialect(**options), names, cells


@given(files(), st.data())
def test_a_table_in_any_dialect_reads_back_and_is_filled_to_the_byte(file, more):
    contents, dialect, names, cells = file
    assume(any(cell is not None for row in cells for cell in row))
    found = read_cells(contents, name="t", dialect=dialect)
    assert list(found.names) == names
    assert [list(row) for row in zip(*found.columns, strict=True)] == cells
    assert replace_cells(contents, {}, rows=len(cells), dialect=dialect) == contents
    new = {(i, j): more.draw(WORDS) for i, row in enumerate(cells) for j, cell in enumerate(row) if cell is None}
    after = read_cells(replace_cells(contents, new, rows=len(cells), dialect=dialect), name="t", dialect=dialect)
    assert after.names == found.names
    assert [list(row) for row in zip(*after.columns, strict=True)] == [
        [new.get((i, j), cell) for j, cell in enumerate(row)] for i, row in enumerate(cells)
    ]


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 99)), min_size=3), st.sampled_from(",.' "))
def test_thousands_read_as_the_numbers_they_are(rows, between):
    decimals = between != "."
    cells = [f"{whole:,}".replace(",", between) + (f".{cents:02d}" if decimals else "") for whole, cents in rows]
    stream = io.StringIO()
    csv.writer(stream).writerows([["amount", "kind"], *([cell, "x"] for cell in cells)])
    found = read_cells(stream.getvalue().encode(), name="t", dialect=Dialect(thousands=between))
    plain = [f"{whole}" + (f".{cents:02d}" if decimals else "") for whole, cents in rows]
    assert found.numbers(0)[0].tolist() == [float(text) for text in plain]


@given(
    rows=st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 99)), min_size=3),
    between=st.sampled_from([None, ".", "'", "space"]),
    delimiter=st.sampled_from(";\t|,"),
)
def test_decimal_commas_read_as_the_numbers_they_are(rows, between, delimiter):
    mark = {None: "", "space": " "}.get(between, between)
    cells = [f"{whole:,}".replace(",", mark) + f",{cents:02d}" for whole, cents in rows]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows([["amount", "kind"], *([cell, "x"] for cell in cells)])
    dialect = Dialect(delimiter=delimiter, thousands=between, decimal=",")
    found = read_cells(stream.getvalue().encode(), name="t", dialect=dialect)
    assert found.numbers(0)[0].tolist() == [float(f"{whole}.{cents:02d}") for whole, cents in rows]


@given(st.floats(-1e12, 1e12).map(lambda value: f"{value:.6g}"), st.sampled_from([None, ".", "'", "space"]))
def test_a_number_is_read_as_it_was_written(text, thousands):
    dialect = Dialect(thousands=thousands, decimal=",")
    assert float(dialect.numbers([dialect.number(text)])[0]) == float(text)


def test_a_table_of_decimal_commas_is_loaded_and_filled(tmp_path):
    text = "grösse;farbe\n1,5;rot\n;blau\n-0,25;rot\n2;blau\n"
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=r"t.csv:2:1: column 'grösse' .* train with decimal=','"):
        data.load(path)
    dialect = Dialect(decimal=",")
    loaded = data.load(path, decimal=",")
    rows = data.read_rows(path, loaded.columns, dialect=dialect).values
    np.testing.assert_allclose(rows[:, 0], [1.5, np.nan, -0.25, 2])
    filled = data.filled_table(path, loaded.columns, np.nan_to_num(rows, nan=0.125), np.isnan(rows), dialect=dialect)
    path.write_bytes(filled)
    again = data.read_rows(path, loaded.columns, dialect=dialect).values
    np.testing.assert_allclose(again[:, 0], [1.5, 0.125, -0.25, 2])
    assert filled.decode().replace('"', "") == text.replace("\n;blau", "\n0,125;blau")


def test_a_decimal_point_among_decimal_commas_is_refused_where_it_stands(tmp_path):
    path = written(tmp_path, "a;b\n1,5;x\n1.250;y\n2,5;x\n3;y\n")
    message = r"t.csv:3:1: column 'a' needs numbers with a decimal comma.*got '1.250'.*thousands='.'"
    with pytest.raises(ValueError, match=message):
        data.load(path, decimal=",")
    loaded = data.load(path, decimal=",", thousands=".")
    assert 1250 in np.concatenate([split.array[:, 0] for split in loaded.splits().values()])


def test_decimals_that_are_filled_in_are_no_thousands(tmp_path):
    path, dialect = written(tmp_path, "a;b\n1.250;x\n;y\n"), Dialect(thousands=".")
    columns = (Column("a", "continuous"), Column("b", "binary", ("x", "y")))
    missing = np.array([[False, False], [True, False]])
    filled = data.filled_table(path, columns, np.array([[0, 0], [12.345, 0]]), missing, dialect=dialect)
    assert filled == b"a;b\n1.250;x\n12.3450;y\n"
    path.write_bytes(filled)
    np.testing.assert_allclose(data.read_rows(path, columns, dialect=dialect).values[:, 0], [1250, 12.345])


def written(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


BODY = [f"{i % 7}.5,{'ab'[i % 2]}" for i in range(12)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "   "])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_what_stands_between_cells_is_seen(tmp_path, delimiter, suffix):
    lines = "\n".join(["size,colour", *BODY]).replace(",", delimiter)
    loaded = data.load(written(tmp_path, lines, f"t{suffix}"))
    assert [column.name for column in loaded.columns] == ["size", "colour"]
    assert loaded.columns[1].levels == ("a", "b")


def test_lines_of_spaces_may_begin_and_end_in_them(tmp_path):
    loaded = data.load(written(tmp_path, " a  b \n" + " 1.5   x \n 2.5 y  \n" * 5))
    assert [(column.name, column.levels) for column in loaded.columns] == [("a", ()), ("b", ("x", "y"))]
    text = b" a  b \n 1.5   NA \n 2.5 y  \n"
    assert replace_cells(text, {(0, 1): "p q"}, rows=2) == b' a  b \n 1.5   "p q" \n 2.5 y  \n'


def test_the_first_line_of_excel_is_skipped_and_stays(tmp_path):
    contents = b"\xef\xbb\xbfsep=;\r\na;b\r\n1,5;x\r\n;y\r\n"
    found = read_cells(contents, name="t")
    assert (found.names, list(found.lines)) == (("a", "b"), [3, 4])
    assert replace_cells(contents, {(1, 0): "2"}, rows=2) == contents.replace(b"\r\n;y", b"\r\n2;y")
    assert read_cells(b"sep=a\nx\ny\n", name="t").names == ("sep=a",)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-be"])
def test_encodings_that_are_said_or_marked(tmp_path, encoding):
    text = "\n".join(["größe,stadt", *(f"{i % 7}.5,{('Köln', 'Zürich')[i % 2]}" for i in range(12))])
    path = written(tmp_path, "\ufeff" * (encoding == "utf-16-be") + text, encoding=encoding)
    options = {} if encoding == "utf-16-be" else {"encoding": encoding}
    assert data.load(path, **options).columns[1].levels == ("Köln", "Zürich")
    if options:
        with pytest.raises(ValueError, match=r"needed UTF-8 text; byte 2 is not; train with encoding='latin-1'"):
            data.load(path)


def test_text_that_its_encoding_lacks_is_not_written():
    with pytest.raises(ValueError, match=r"the table is in latin-1, which has no 'Ł', a level of training"):
        replace_cells("a,é\n1,\n".encode("latin-1"), {(0, 1): "Ł"}, rows=1, dialect=Dialect(encoding="latin-1"))


def test_columns_without_names_are_numbered_and_empty_ones_left_out(tmp_path):
    lines = "\n".join([";a;b;;", *(f"{i * i};{i % 7}.5;{'xy'[i % 2]};;" for i in range(12))])
    loaded = data.load(written(tmp_path, lines))
    assert [column.name for column in loaded.columns] == ["a", "b"]
    assert [(each.name, each.reason) for each in loaded.left_out] == [
        ("column1", "row numbers, growing from 0 to 121"),
        ("column4", "no name and no value (every line ends in 2 delimiters)"),
        ("column5", "no name and no value (every line ends in 2 delimiters)"),
    ]
    with_count = data.load(written(tmp_path, lines), kinds={"column1": "count"})
    assert [column.name for column in with_count.columns] == ["column1", "a", "b"]
    names = [each.name for each in loaded.left_out]
    for later in (lines, lines.replace(";;", ""), "b;a\nx;1.5\n"):  # with and without what was left out
        rows = data.read_rows(written(tmp_path, later, "u.csv"), loaded.columns, dropped=names)
        assert rows.values.shape == (later.count("\n") + (not later.endswith("\n")) - 1, 2)


# -- the first line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "rows", "why"),
    [
        ("red,4.5,x", ["blue,1.5,y", "red,2.5,z"] * 4, "'red', which stands in its column too"),
        ("7,rare,0.5", [f"{i},{'ab'[i % 2]},{i}.25" for i in range(12)], "'7', a number like those of its column"),
        ("2024-01-31,new", [f"2024-02-{i + 10},a" for i in range(12)], "of the form of all cells of its column"),
        ("u1,q", [f"u{i},a" for i in range(10, 22)], "'u1', of the form of all cells"),
        ("34 kg,q", [f"{i} kg,a" for i in range(10, 22)], "of the form of all cells"),
        ("-3,q", [f"{i},a" for i in range(12)], "'-3', a number"),
    ],
)
def test_first_lines_that_are_like_their_columns_are_asked_for(tmp_path, first, rows, why):
    path = written(tmp_path, "\n".join([first, *rows]))
    with pytest.raises(data.TableError, match="needed a name in the first line") as caught:
        data.load(path)
    assert why in str(caught.value)
    assert "with --header none; if it names the columns, with --header first" in caught.value.words.typed
    assert len(read_cells(path.read_bytes(), name="t", dialect=Dialect(header="none"))) == len(rows) + 1
    assert read_cells(path.read_bytes(), name="t", dialect=Dialect(header="first")).names == tuple(first.split(","))


@pytest.mark.parametrize("first", ["0,1,2", "1,2,3", "1990,1991,1992", "10,20,15"])
def test_first_lines_of_whole_numbers_over_others_are_asked_for(tmp_path, first):
    rows = [f"{i}.25,{i * 2}.5,{-i}.75" for i in range(9)]
    path = written(tmp_path, "\n".join([first, *rows]))
    with pytest.raises(data.TableError, match=r"header='first'; if the first line is data, with header='none'"):
        data.load(path)
    loaded = data.load(path, header="first")
    assert [column.name for column in loaded.columns] == first.split(",")
    assert len(data.read_rows(path, loaded.columns).values) == 9
    other = data.load(path, header="none")
    assert len(data.read_rows(path, other.columns, dialect=Dialect(header="none")).values) == 10


def test_names_and_numbers_that_are_plain(tmp_path):
    plain = [
        ("age,sex", "31,f\n42,m\n", True),
        ("country,1990,1991", "x,3,4\ny,3000,9\n", True),
        ("3,0,12", "1,0,7\n0,2,5\n", False),
        ("0.5,2", "1.5,3\n2.5,4\n", False),
        ("0,1,1", "1,1,0\n0,0,1\n", False),
    ]
    for first, below, header in plain:
        found = read_cells(f"{first}\n{below}".encode(), name="t")
        assert (found.names == tuple(first.split(","))) is header
        assert len(found) == 2 + (not header)


def test_later_files_of_a_table_without_names_are_never_off_by_one(tmp_path):
    columns = (Column("column1", "continuous"), Column("column2", "continuous"))
    with pytest.raises(data.TableError, match="the whole numbers 0, 1"):
        data.read_rows(written(tmp_path, "0,1\n0.5,2.5\n1.5,3.5\n"), columns)
    with pytest.raises(data.TableError, match=r":1:1: column 'column1' needs numbers"):
        data.read_rows(written(tmp_path, "a,b\n0.5,2.5\n"), columns, dialect=Dialect(header="none"))
    for header in ("first", None):
        with pytest.raises(ValueError, match="it lacks 'a', 'b'"):
            data.read_rows(
                written(tmp_path, "1.5,2.5\n2.5,3.5\n"),
                (Column("a", "continuous"), Column("b", "continuous")),
                dialect=Dialect(header=header),
            )


def test_what_a_table_without_names_is_sampled_to_is_read_by_its_names(tmp_path):
    columns = (Column("column1", "continuous"), Column("column2", "continuous"))
    path = written(tmp_path, "column1,column2\n0.5,2.5\n1.5,3.5\n")
    assert len(data.read_rows(path, columns, dialect=Dialect(header="none")).values) == 2


def test_columns_of_an_earlier_reading_are_kept_whatever_is_found_now(tmp_path):
    """A run is read as it was: an identifier and a mark that were levels then are levels."""
    path = written(tmp_path, "who,y,x\n" + "".join(f"u{i},{i % 4},{'#N/A' if i == 3 else i / 2}\n" for i in range(10)))
    columns = (
        Column("who", "categorical", tuple(f"u{i}" for i in range(10))),
        Column("y", "continuous"),
        Column("x", "categorical", ("#N/A", *(f"{i / 2}" for i in range(10)))),
    )
    loaded = data.load(path, columns=columns)
    assert (loaded.columns, loaded.missing) == (columns, 0)
    now = data.load(path)
    assert ([column.name for column in now.columns], now.missing) == (["y", "x"], 1)
    again = data.load(path, columns=now.columns, left_out=["who"])
    assert (again.digest(), again.protocol) == (now.digest(), now.protocol)


@given(st.lists(st.lists(st.integers(-99, 99), min_size=2, max_size=2), min_size=3, max_size=8), st.booleans())
def test_no_row_of_numbers_is_lost_unasked(rows, names):
    """With names there are n rows, without as many or a question; after the answer as many."""
    text = ("a,b\n" * names + "".join(f"{a},{b}\n" for a, b in rows)).encode()
    try:
        found = read_cells(text, name="t")
    except data.TableError:
        assert not names
        found = read_cells(text, name="t", dialect=Dialect(header="none"))
    assert len(found) == len(rows)


# -- levels and marks -------------------------------------------------------------------------------------------


def test_words_for_missing_cells_can_be_levels_of_one_column(tmp_path):
    rows = [f"{('NA', 'DE', 'FR')[i % 3]},{'NA' if i == 4 else i / 4}" for i in range(15)]
    path = written(tmp_path, "\n".join(["country,x", *rows]))
    plain = data.load(path)
    (warning,) = plain.warnings
    assert "'NA' stands in 5 of 15 cells" in str(warning)
    assert warning.typed.endswith("--level country=NA")
    loaded = data.load(path, levels={"country": ["NA"]})
    assert (loaded.columns[0].levels, loaded.missing, loaded.warnings) == (("DE", "FR", "NA"), 1, ())
    later = data.read_rows(written(tmp_path, "x,country\n1,NA\nNA,FR\n", "u.csv"), loaded.columns)
    assert np.array_equal(later.values, [[2, 1], [1, np.nan]], equal_nan=True)
    text = written(tmp_path, "country,x\nNA,\n?,2\n", "v.csv")
    missing = np.array([[False, True], [True, False]])
    filled = data.filled_table(text, loaded.columns, np.array([[0, 1.5], [2, 0]]), missing)
    assert filled == b"country,x\nNA,1.5\nNA,2\n"
    with pytest.raises(ValueError, match="levels: no column is called 'land'"):
        data.load(path, levels={"land": ["NA"]})


def test_few_words_for_missing_cells_are_not_warned_of():
    text = "c,x\n" + "a,1\nb,2\n" * 10 + "NA,3\n"
    assert typed(read_cells(text.encode(), name="t")).warnings == ()


def test_levels_that_differ_by_case_alone_are_warned_of():
    text = "c,x\n" + "Yes,1.5\nyes,2\nNO,7\nno,0\n" * 3
    (warning,) = typed(read_cells(text.encode(), name="t")).warnings
    assert "levels that differ by case alone, 'NO', 'no', 'Yes', 'yes'" in str(warning)


def test_a_minus_may_be_the_sign_of_that_name():
    found = read_cells("a,b\n\u22121.5,x\n2,y\n-3,x\n".encode(), name="t")
    assert found.numbers(0)[0].tolist() == [-1.5, 2, -3]
    assert encode([Column("a", "continuous"), Column("b", "binary", ("x", "y"))], found)[0, 0] == -1.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": "yes"}, "header must be first"),
        ({"delimiter": ";;"}, "delimiter must be one character"),
        ({"delimiter": "."}, "delimiter must be one character"),
        ({"encoding": "base64"}, "encoding must be one that Python knows"),
        ({"encoding": "latin-one"}, "encoding must be one that Python knows"),
        ({"thousands": "k"}, "thousands must be one of"),
        ({"decimal": ";"}, "decimal must be . or ,; got ';'"),
        ({"decimal": ",", "thousands": ","}, "thousands and decimal must differ; got ',' for both"),
        ({"levels": {"a": "NA"}}, r"levels must be lists of texts, as in levels=\{'a': \['NA'\]\}"),
    ],
)
def test_dialects_check_themselves(options, message):
    with pytest.raises(ValueError, match=message):
        Dialect(**options)


@pytest.mark.parametrize("between", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_new_rows_are_written_as_the_table_is(tmp_path, between, encoding):
    """And are read back from there, by the same options as the table."""
    cells = [["größe", "sorte", "zahl"], *([f"{i}.25", ["süß", "halb süß"][i % 2], str(i % 5)] for i in range(20))]
    table = [between.join(f'"{cell}"' if " " in cell else cell for cell in row) for row in cells]
    path = tmp_path / "mine.csv"
    path.write_bytes(("\n".join(table) + "\n").encode(encoding))
    asked = Dialect(encoding="latin-1" if encoding == "latin-1" else None)
    rows = rows_of_new_table(path, dialect=asked)
    dialect = data.written_as(path, asked)
    again = tmp_path / "new.csv"
    export.write_rows(again, rows.values[::-1], rows.columns, dialect=dialect)
    assert again.read_bytes()[:9] == path.read_bytes()[:9]  # its mark, its first name, what stands after it
    np.testing.assert_array_equal(rows_of_table(again, rows.columns, dialect=asked).values, rows.values[::-1])


def test_rows_of_a_table_without_names_are_written_without(tmp_path):
    (tmp_path / "mine.csv").write_text("1.5;2\n2.5;1\n3.5;4\n")
    asked = Dialect(header="none")
    rows = rows_of_new_table(tmp_path / "mine.csv", dialect=asked)
    export.write_rows(
        tmp_path / "new.csv", rows.values, rows.columns, dialect=data.written_as(tmp_path / "mine.csv", asked)
    )
    assert (tmp_path / "new.csv").read_text() == (tmp_path / "mine.csv").read_text()
