"""Files that once broke a reader: nested Parquet, members of one name, workbooks and archives that unpack without end."""

from __future__ import annotations

import zipfile

import duckdb
import pytest

from satisfaction.collection.responses import load_responses
from satisfaction.foundation.errors import ResponsesError
from satisfaction.foundation.language import Text
from satisfaction.publication.plots.canvas import Heading, bars, svg, theme


def as_parquet(small, **columns):
    """Put the answers into a Parquet file, with columns of its own; the order is that of the file."""
    rows = small.rows()  # DuckDB finds it by name
    changed = [name for name in columns if name in rows]
    kept = f"rows.* exclude ({', '.join(changed)})" if changed else "rows.*"
    added = ", ".join(f"{value} as {name}" for name, value in columns.items())
    target = small.csv.with_suffix(".parquet")
    duckdb.connect().execute(
        f"copy (select {added}, {kept} from rows) to '{target}' (format parquet)"
    )
    small.csv.unlink()
    small.edit("survey.yaml", "responses/*.csv", "responses/*.parquet")
    return small.read()


@pytest.mark.parametrize("nested", ["[1, 2]", "{'lat': 1.5}", "map {'k': 1}", "[{'a': [1]}]"])
def test_a_nested_column_that_is_no_item_is_noted_and_passed_over(small, nested):
    whole = len(small.rows())
    responses = load_responses(as_parquet(small, gps=nested))
    assert responses.summary[["rows", "accepted"]].to_numpy().tolist() == [[whole, whole]]
    assert responses.summary["ignored_columns"].tolist() == ["gps"]
    noted = responses.log[responses.log["rule"] == "F215"]
    assert noted[["column", "action"]].to_numpy().tolist() == [["gps", "note"]]


def test_a_nested_column_that_is_an_item_is_refused_by_name(small):
    survey = as_parquet(small, **{"values": "[1, 2]"})
    with pytest.raises(ResponsesError, match="item 'values' holds lists") as refused:
        load_responses(survey)
    assert refused.value.code == "R440"


def test_a_moment_with_a_zone_is_read_as_the_clock_in_china_shows_it(small):
    survey = as_parquet(small, day="timestamptz '2026-04-10 22:30:00+00'")
    accepted = load_responses(survey).accepted
    assert set(accepted["day"]) == {"2026-04-11"}


@pytest.mark.parametrize("first", ["1.00::decimal(4,2)", "1.0::double", "1::tinyint"])
def test_equal_numbers_of_any_type_are_one_text_whatever_comes_first(small, first):
    whole = len(small.rows())
    responses = load_responses(
        as_parquet(small, weight=first, sex="1::integer", lived_here="1.000::decimal(9,3)")
    )
    assert len(responses.accepted) == whole
    assert not responses.summary["blanked"].sum()
    assert set(responses.accepted["sex"]) == {1}


def zipped(small, members):
    target = small.csv.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members:
            if name in archive.namelist():
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr(name, content)
            else:
                archive.writestr(name, content)
    small.csv.unlink()
    small.edit("survey.yaml", "responses/*.csv", "responses/*.zip")
    return small.read()


def halves(small):
    lines = small.csv.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    return "".join(lines[:61]), lines[0] + "".join(lines[61:])


def test_two_members_of_one_name_are_two_tables_in_the_account(small):
    first, second = halves(small)
    responses = load_responses(zipped(small, [("a.csv", first), ("a.csv", second)]))
    assert responses.summary[["sheet", "rows", "accepted", "rejected"]].to_numpy().tolist() == [
        ["a.csv", 60, 60, 0],
        ["a.csv#2", 60, 60, 0],
    ]
    assert len(responses.accepted) == 120


def test_hidden_members_and_those_of_an_open_workbook_are_passed_over(small):
    content = small.csv.read_text(encoding="utf-8-sig")
    members = [
        ("a.csv", content),
        ("~$a.xlsx", "open"),
        (".hidden.csv", content),
        ("team/.x.csv", content),
    ]
    responses = load_responses(zipped(small, members))
    assert responses.summary[["sheet", "rows"]].to_numpy().tolist() == [["a.csv", 120]]


@pytest.mark.parametrize("name", ["第$$县", "物价 $5-$10", "$x_1^2$", "$\\frac{"])
def test_a_dollar_in_a_name_is_drawn_as_it_stands(name):
    text = Text(name)
    figure = bars(
        [text, Text("b")],
        [1.0, 2.0],
        line=1.0,
        line_label=text,
        heading=Heading(text, mark=text, note=text),
        unit=text,
    )
    assert svg(figure).startswith("<?xml")
    assert theme()["text.parse_math"] is False
    assert all(
        not text.get_parse_math()
        for text in figure.findobj(lambda one: hasattr(one, "get_parse_math"))
        if "$" in text.get_text()
    )
