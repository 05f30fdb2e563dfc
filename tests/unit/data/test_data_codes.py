"""Digits that are names rather than numbers: never counted, never rounded, and written as they are."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwax import data
from iwax.data.columns import infer as infer_column
from iwax.data.schema import typed
from iwax.data.tables import filled_table
from iwax.formats.cell import exact
from iwax.formats.cells import Cells
from iwax.formats.columnar import joined, packed
from iwax.formats.parquet import read_parquet
from iwax.formats.table import read_cells

ZIPS = ("00123", "02139", "10001", "94110")
LONG = tuple(f"1234567890123456789{i}" for i in range(4))


def infer(cells):
    return infer_column(Cells("t.csv", ("x",), (packed(cells),), range(len(cells))), 0)


def table(tmp_path, cells):
    path = tmp_path / "t.csv"
    path.write_text("code,x\n" + "".join(f"{cell},{i % 9}.25\n" for i, cell in enumerate(cells)))
    return path


@pytest.mark.parametrize(("levels", "why"), [(ZIPS, "zeros in front"), (LONG, "up to 20 digits, more than")])
def test_codes_are_levels_with_a_word_and_missing_cells_are_filled_with_one_of_them(tmp_path, levels, why):
    path = table(tmp_path, [*levels, ""] * 6)
    found = data.load(path)
    assert (found.columns[0].kind, found.columns[0].levels) == ("categorical", levels)
    (warning,) = map(str, found.warnings)
    assert "column 'code': " in warning
    assert f"are read as codes, not as numbers, for they have {why}" in warning
    assert "if they are numbers, train with kinds={'code': " in warning
    rows = data.read_rows(path, found.columns)
    missing = np.isnan(rows.values)
    filled = filled_table(path, found.columns, np.where(missing, 2, rows.values), missing)
    assert filled == path.read_bytes().replace(b"\n,", f"\n{levels[2]},".encode())


def test_whole_numbers_of_parquet_are_read_as_those_of_a_text_table(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    codes = [2**60 + 1, 2**60 + 1, None, 7] * 5
    below = [-(2**60) - 1, 5, None, 7] * 5
    parquet.write_table(arrow.table({"code": codes, "below": below}), tmp_path / "t.parquet")
    lines = [",".join("" if x is None else str(x) for x in row) for row in zip(codes, below, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["code,below", *(line for line in lines if line != ",")]) + "\n")
    found = [typed(read_parquet((tmp_path / "t.parquet").read_bytes(), name="t"))]
    found.append(typed(read_cells((tmp_path / "t.csv").read_bytes(), name="t")))
    assert found[0].columns == found[1].columns
    assert [(each.kind, each.levels) for each in found[0].columns] == [
        ("binary", ("7", str(2**60 + 1))),
        ("continuous", ()),
    ]
    assert len(found[0].warnings) == len(found[1].warnings) == 1


def test_a_kind_that_is_given_for_codes_holds(tmp_path):
    given_kind = data.load(table(tmp_path, ZIPS * 5), kinds={"code": "nonnegative_integer"})
    assert (given_kind.columns[0].kind, given_kind.warnings) == ("nonnegative_integer", ())
    found = data.load(table(tmp_path, [f"{i:05}" for i in range(60)]))
    assert [each.name for each in found.left_out] == ["code"]
    assert found.left_out[0].keep == "categorical"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0", "7", "10"], "count"),
        (["0.5", "00.7", "3"], "continuous"),  # not whole
        (["1", "01", "2"], "nonnegative_integer"),  # one number in two ways
        (["00", "01"], "binary"),
        (["100000000000000000000", "3"], "continuous"),  # float64 is this number
        (["-12345678901234567891", "3"], "continuous"),
    ],
)
def test_numbers_stay_numbers(cells, kind):
    assert infer(cells * 3).kind == kind


def test_numbers_that_are_one_in_double_precision_are_no_constant():
    with pytest.raises(ValueError, match=r"fifteen digits tell apart; got '1\.0+1' and '1\.0+2', which are one number"):
        infer(["1.0000000000000000001", "1.0000000000000000002"] * 3)
    assert infer(["1.50", "1.5", "15e-1"]).kind == "continuous"  # a constant written in three ways


def test_a_level_beyond_double_precision_is_not_taken_for_another(tmp_path):
    found = data.load(table(tmp_path, LONG * 6))
    with pytest.raises(ValueError, match=r"needs one of the levels .*; got '12345678901234567895'"):
        data.read_rows(table(tmp_path, ["12345678901234567895"] * 3), found.columns)


@settings(derandomize=True, max_examples=60)
@given(st.lists(st.text("0123456789", min_size=2, max_size=25), min_size=3, max_size=30))
def test_a_column_of_codes_is_never_one_of_numbers(cells):
    """Where some have zeros in front and no two are one number, or any is longer than double precision."""
    other = packed([f"{i}.5" for i in range(len(cells))])
    column = Cells("t.csv", ("code", "x"), (packed(cells), other), range(len(cells)))
    padded = any(cell[0] == "0" for cell in cells) and len({int(cell) for cell in cells}) == len(set(cells))
    long = any(int(float(cell)) != int(cell) for cell in cells)
    assert packed(cells).are_codes() == (padded or long)
    if padded or (long and len({exact(cell) for cell in cells}) == len(set(cells))):
        schema = typed(column)
        of_codes = [each for each in schema.columns if each.name == "code"]
        assert all(set(each.levels) == set(cells) for each in of_codes)
        assert bool(of_codes) != any(each.name == "code" for each in schema.left_out)


@settings(derandomize=True, max_examples=60)
@given(st.lists(st.none() | st.text(max_size=4), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_packed_cells_are_those_of_the_list(cells, start, stop):
    whole = packed(cells)
    wanted = [cell or None for cell in cells]
    assert list(whole) == [whole[i] for i in range(len(cells))] == wanted
    assert list(whole[start:stop]) == wanted[start:stop]
    assert list(joined([whole[:start], whole[start:]])) == wanted
    assert whole.distinct() == {cell for cell in wanted if cell}


@settings(derandomize=True, max_examples=40)
@given(
    st.lists(st.lists(st.text('a", \n\r;\u00e91.', max_size=5), min_size=2, max_size=2), min_size=2, max_size=6),
    st.data(),
)
def test_a_table_read_in_blocks_is_the_one_that_was_written(rows, draw):
    """Whatever stands in quotes, and wherever a block of rows ends."""
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["p", "q"], *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iwax.formats.table.BLOCK", draw.draw(st.integers(1, 200)))
        patch.setattr("iwax.formats.table.LEAST", draw.draw(st.integers(1, 4)))
        found = read_cells(
            stream.getvalue().encode(), name="t.csv", dialect=data.Dialect(delimiter=",", header="first")
        )
    missing = ("", ".")
    for j in range(2):
        wanted = [None if row[j].strip() in missing else row[j].strip() for row in rows]
        assert list(found.columns[j]) == wanted
