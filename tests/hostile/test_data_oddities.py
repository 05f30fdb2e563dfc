"""Columns that are not what they seem: odd cells among numbers, amounts with units, identifiers, dates, row numbers."""

import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iwax import data
from iwax.cli.failure import one_line
from iwax.data.recognition import set_apart, tells_rows_apart
from iwax.data.schema import typed
from iwax.formats.cell import mark_missing, number
from iwax.formats.cells import Cells
from iwax.formats.columnar import packed
from iwax.formats.refusals import Option, as_arguments, as_flags


def table(**columns):
    length = len(next(iter(columns.values())))
    read = tuple(packed(mark_missing(cells)[0]) for cells in columns.values())
    return Cells("t.csv", tuple(columns), read, range(2, length + 2))


NUMBERS = st.integers(-50, 50).map(str) | st.floats(-9, 9, width=16).map(str)
ODD = st.text(min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.lists(NUMBERS, min_size=5, max_size=30), st.lists(ODD, min_size=1, max_size=2), st.randoms())
def test_a_column_of_numbers_with_any_odd_cell_is_never_silently_of_levels(numbers, odd, random):
    cells = [*numbers, *odd]
    random.shuffle(cells)
    wrong = [i for i, cell in enumerate(mark_missing(cells)[0]) if cell is not None and number(cell) is None]
    found = table(x=cells, y=["1.5"] * len(cells))
    if wrong:
        with pytest.raises(data.TableError, match=r"t\.csv:\d+:1: column 'x'") as caught:
            typed(found)
        assert int(str(caught.value).split(":")[1]) - 2 in wrong
        return
    try:
        schema = typed(found)
    except ValueError:  # numbers that float32 does not tell apart
        assume(False)
    else:
        assert all(column.levels in ((), ("0", "1")) for column in schema.columns)


AGES = [str(20 + i % 9) for i in range(20)]


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ("n.d.", "got 'n.d.'; if that stands for a missing cell, train with --missing n.d., else with --kind x=cat"),
        ("#DIV/0!", "an error of a formula is none; got '#DIV/0!'; if that stands .* --missing '#DIV/0!'"),
        ("<5", "got '<5'; write the number alone, or train with --kind x=categorical or --kind x=drop"),
        ("40+", "got '40\\+'; if that stands for a missing cell"),
        ("about 30", "got 'about 30'; if that"),
        ("23,5", "got '23,5'"),
        ("1,234", "which may be 1234 or 1.234; if these are thousands separators, say so \\(--thousands ,\\)"),
    ],
)
def test_odd_cells_are_named_with_what_to_type(odd, words):
    with pytest.raises(data.TableError) as caught:
        typed(table(x=[*AGES, odd]))
    assert "t.csv:22:1: column 'x' needs" in one_line(caught.value)
    with pytest.raises(ValueError, match=words):
        raise ValueError(one_line(caught.value))


@pytest.mark.parametrize("form", ["{} months", "${}", "{}%", "{} \u00b0C", ">{}", "{}h", "{},5"])
def test_amounts_are_numbers_whatever_their_unit(form):
    cells = [form.format(12 * (i % 4)) for i in range(20)]
    with pytest.raises(data.TableError, match="needs numbers"):
        typed(table(x=cells))
    assert typed(table(x=cells), {"x": "categorical"}).columns[0].kind == "categorical"


@pytest.mark.parametrize(
    "levels",
    [
        ("18-25", "26-35", "36-45"),
        ("1st", "2nd", "3rd"),
        ("A1", "B2", "C3"),
        ("3 rooms", "no room", "many rooms"),
        ("1.2.3", "1.2.4", "2.0.0"),
        ("36 months", "60 months"),
        ("x", "y", "1"),
    ],
)
def test_levels_with_digits_in_them_stay_levels(levels):
    column = typed(table(c=[levels[i % len(levels)] for i in range(20)])).columns[0]
    assert set(column.levels) == set(levels)


def days(n):
    return [datetime.date(2023, 1, 1) + datetime.timedelta(days=3 * (i // 2)) for i in range(n)]


@given(
    st.integers(3, 80),
    st.sampled_from(
        [
            "%Y-%m-%d",
            "%d.%m.%Y",
            "%m/%d/%Y",
            "%d/%m/%y",
            "%Y-%m-%dT%H:%M:%SZ",
            "%d %b %Y",
            "%B %d, %Y",
            "%Y/%m/%d %H:%M",
        ]
    ),
    st.booleans(),
)
def test_dates_are_left_out_at_any_number_of_rows(n, form, missing):
    cells = [day.strftime(form) for day in days(n)]
    found = set_apart(table(day=[*cells[:-1], "" if missing else cells[-1]]), 0)
    assert found is not None
    assert found.reason.startswith("dates, such as")
    assert found.words.typed.endswith("--kind day=categorical")


@given(st.integers(3, 80), st.sampled_from(["u{}", "{:04x}-{}", "Mr {} Smith", "{}@example.org"]))
def test_identifiers_are_left_out_at_any_number_of_rows(n, form):
    cells = [form.format(7 * i + 3, i) for i in range(n)]
    found = tells_rows_apart(table(who=cells), 0)
    assert found is not None
    assert found.reason == f"an identifier, {n} distinct texts in {n} cells"
    assert typed(table(who=cells), {"who": "categorical"}).left_out == ()


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("a", range(8), "row numbers, 0 to 7"),
        ("a", range(1, 9), "row numbers, 1 to 8"),
        ("index", [4, 9, 11, 30], "row numbers, growing from 4 to 30"),
        ("Unnamed: 0", [0, 3, 7, 8], "row numbers, growing from 0 to 8"),
        ("PassengerId", [70, 4, 13, 22], "an identifier, 4 distinct numbers in 4 cells"),
        ("customer_id", [70, 4, 13, 22], "an identifier, 4 distinct numbers in 4 cells"),
        ("day", [20240131, 20240201, 20231224], "dates, such as '20231224'"),
        ("age", range(21, 40), None),
        ("year", range(1990, 2020), None),
        ("paid", [70, 4, 13, 22], None),
        ("id", [1, 2, 1, 2, 1, 2], None),
        ("a", [0, 1, 2, 4], None),
        ("a", [0, -1, -2, -3], None),
    ],
)
def test_row_numbers_and_identifiers_of_numbers(name, cells, reason):
    given_table = table(**{name: list(map(str, cells))})
    found = set_apart(given_table, 0) or tells_rows_apart(given_table, 0)
    assert (found and found.reason) == reason


def test_all_that_is_wrong_is_said_at_once_in_the_words_of_who_asked(tmp_path):
    lines = [f'{"n.d." if i == 3 else i % 7 + 0.5},{i} cm,"{i + 1},250",{"pq"[i % 2]}' for i in range(12)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a b,b,c,d", *lines]))
    with pytest.raises(data.TableError, match=r"t.csv: 3 things to settle: ") as caught:
        data.load(path)
    assert str(caught.value).endswith("at once: missing=['n.d.'], kinds={'b': 'drop'}, thousands=','")
    typed_words = one_line(caught.value)
    assert typed_words.endswith("for all of them, at once: --missing n.d. --kind b=drop --thousands ,")
    assert "--kind 'a b=categorical'" in typed_words
    assert "kinds=" not in typed_words
    loaded = data.load(path, missing=["n.d."], kinds={"b": "drop"}, thousands=",")
    assert [(column.name, column.kind) for column in loaded.columns] == [
        ("a b", "continuous"),
        ("c", "count"),
        ("d", "binary"),
    ]
    later = tmp_path / "u.csv"
    later.write_text("a b,c,d\nx,1,p\n2,-1,q\n3,2,r\n")
    with pytest.raises(data.TableError, match=r"u.csv: 3 things to settle: \(1\) .*u.csv:2:1.*u.csv:3:2.*u.csv:4:3"):
        data.read_rows(later, loaded.columns)


def test_a_file_of_which_nothing_is_left_says_why(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["id,day", *(f"u{i},2024-01-{i + 10}" for i in range(9))]))
    with pytest.raises(data.TableError, match=r"needed at least one column .*id: an identifier.*day: dates") as caught:
        data.load(path)
    assert one_line(caught.value).endswith("train with --kind id=categorical --kind day=categorical")


def test_options_in_both_kinds_of_words():
    options = [
        Option("levels", "NA", "c"),
        Option("levels", "None", "c"),
        Option("header", "none"),
        Option("missing", "$x"),
    ]
    assert as_flags(options) == "--level c=NA --level c=None --header none --missing '$x'"
    assert as_arguments(options) == "levels={'c': ['NA', 'None']}, header='none', missing=['$x']"


@pytest.mark.parametrize("text", ["first name\nAnn Smith\nBob Jones\n", "a:b\nx:y\nz:w\n"])
def test_one_column_that_may_be_more_is_asked_for(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(data.TableError, match=r"needed columns parted by commas, .*; got the one column"):
        data.load(path)


def test_pandas_index_and_dates_of_parquet_are_left_out(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(
        {"x": [i / 3 for i in range(20)], "when": pandas.date_range("2024-01-01", periods=20), "c": ["p", "q"] * 10}
    )
    some = frame.iloc[[0, 1, 2, 5, 6, 11, 12, 13]]
    for index, named in (
        ("__index_level_0__", some),
        ("town", some.set_index(pandas.Index(list("aabbccdd"), name="town"))),
    ):
        named.to_parquet(tmp_path / "t.parquet")
        loaded = data.load(tmp_path / "t.parquet")
        assert [column.name for column in loaded.columns] == ["x", "c"]
        assert {each.name for each in loaded.left_out} == {"when", index}
        for later in (frame, some):
            later.to_parquet(tmp_path / "u.parquet")
            rows = data.read_rows(tmp_path / "u.parquet", loaded.columns, dropped=["when", "__index_level_0__"])
            assert len(rows.values) == len(later)
        assert len(data.load(tmp_path / "t.parquet", kinds={index: "categorical"}).columns) == 3


@pytest.mark.parametrize("n", [2, 41, 42, 300])
def test_the_listing_of_a_table_has_a_line_a_column(tmp_path, n):
    path = tmp_path / "t.csv"
    names = [f"g{i}" for i in range(n)]
    path.write_text(
        "\n".join([",".join(names), *(",".join(f"{(i * j) % 7 + 0.5}" for j in range(n)) for i in range(9))])
    )
    lines = data.listing(data.load(path, kinds={"g1": "continuous"}))
    assert len(lines) == (n + 1 if n < 42 else 42)
    assert len({line.index("continuous") for line in lines[1:41] if "continuous" in line}) == 1
    if n > 41:
        assert lines[-1].startswith(f"and {n - 40} more: ")
