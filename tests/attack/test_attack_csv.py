"""No csv the program writes can be split by what stands in a cell, and no cell becomes a formula."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfaction.foundation.tables import guarded, read_table, unguarded, write_csv, write_rfc4180

ENDS = [
    "a\r=HYPERLINK(1)",
    "a\nb",
    "a\r\nb",
    'said "yes"\r',
    "\r",
    "\n",
    "a,b",
    '"',
    '"\r\n"',
    "plain",
]
SIGNS = ["＝1+1", "＋1", "－1+2", "＠SUM(A1)", "\n=1+1", "\r=1+1", "\t=1+1", "'＝1", "-1\n"]


@pytest.mark.parametrize("write", [write_csv, write_rfc4180])
@pytest.mark.parametrize("cell", ENDS)
def test_a_cell_with_any_line_end_or_quote_stays_one_cell(write, cell, tmp_path):
    path = tmp_path / "table.csv"
    write(pd.DataFrame({"value": [cell, "b"], "n": [1, 2]}), path)
    rows = list(
        csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
    )
    assert [row[0].removeprefix("'") for row in rows] == ["value", cell, "b"]
    assert unguarded(read_table(path))["n"].tolist() == ["1", "2"]


@pytest.mark.parametrize("cell", SIGNS)
def test_every_sign_a_spreadsheet_may_take_for_a_formula_is_guarded(cell):
    table = pd.DataFrame({"value": [cell]}, dtype=object)
    assert guarded(table)["value"].tolist() == [f"'{cell}"]
    assert unguarded(guarded(table)).equals(table)


@given(st.lists(st.text(alphabet="a=＝-'\"\r\n\t,; 甲", min_size=1), min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    table = pd.DataFrame({"value": cells, "kept": "x"}, dtype=object)
    write_csv(table, path)
    assert unguarded(read_table(path)).equals(table)


def test_lines_end_with_a_line_feed_as_before(tmp_path):
    write_csv(pd.DataFrame({"甲": ["x,y", "z"], "n": [0.1, None]}), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == '\ufeff甲,n\n"x,y",0.1\nz,\n'.encode()
