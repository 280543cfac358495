"""Draws: no stratum is left out without a word, and no damaged number becomes a sample."""

from __future__ import annotations

import pandas as pd
import pytest

TAKE = [("1", "1", "2"), ("1", "2", "2"), ("2", "1", "3"), ("2", "2", "2")]


@pytest.fixture
def frame(tmp_path):
    rows = [
        (county, kind, f"{county}{kind}{unit}", 100 + unit)
        for county, kind, _ in TAKE
        for unit in range(6)
    ]
    pd.DataFrame(rows, columns=["county", "residence", "community", "adults"]).to_csv(
        tmp_path / "frame.csv", index=False
    )
    return tmp_path / "frame.csv"


@pytest.fixture
def draw(call, frame, tmp_path):
    def drawn(*options):
        return call("draw", frame, "--out", tmp_path / "draw", "--seed", 1, *options)

    return drawn


@pytest.fixture
def take_from(draw, tmp_path):
    def drawn(rows, columns=("county", "residence", "take")):
        pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "take.csv", index=False)
        return draw("--take-from", tmp_path / "take.csv")

    return drawn


def test_a_stratum_without_a_number_is_named(take_from, tmp_path):
    code, _, err = take_from(TAKE[:-1])
    assert code == 2
    assert "strata without a number: 2 / 2" in err
    assert not (tmp_path / "draw").exists()


def test_a_misspelt_stratum_is_named_with_what_there_is(take_from):
    code, _, err = take_from([*TAKE[:-1], ("22", "2", "2")])
    assert code == 2
    assert "strata without a number: 2 / 2; strata that the frame does not have: 22 / 2" in err
    assert "1 / 1" in err


def test_blanks_around_codes_and_numbers_with_a_point_are_read(take_from):
    code, out, _ = take_from([("1 ", "1", "2"), *TAKE[1:2], ("2", " 1", "3.0"), *TAKE[3:]])
    assert code == 0
    assert "9 PSUs, 4 strata" in out


def test_a_stratum_given_twice_is_refused_by_row(take_from):
    code, _, err = take_from([*TAKE, ("1", "1", "4")])
    assert code == 2
    assert "[D444]" in err
    assert "take.csv row 2, 6" in err


@pytest.mark.parametrize("number", ["-1", "2.5", "", "two", "inf"])
def test_a_number_that_is_none_is_refused_by_row(take_from, number):
    code, _, err = take_from([*TAKE[:-1], ("2", "2", number)])
    assert code == 2
    assert "take.csv row 5" in err or "[D125]" in err


def test_a_take_table_without_its_columns_is_refused(take_from):
    code, _, err = take_from([("1", "2")], columns=("county", "take"))
    assert code == 2
    assert "no column 'residence'" in err


@pytest.mark.parametrize(
    "options",
    [
        ["--take", 0], ["--take", -1], ["--take", 2, "--persons", 0], ["--take", 2, "--persons", -5], ["--take", 2, "--seed", -1],
        ["--take", 2, "--strata", ""], ["--take", 2, "--strata", "county,county"], ["--take", 2, "--size", "county"],
    ],
)  # fmt: skip
def test_options_that_make_no_sample_are_refused(draw, tmp_path, options):
    code, _, err = draw(*options)
    assert code == 2
    assert "Traceback" not in err
    assert not (tmp_path / "draw").exists()


@pytest.mark.parametrize("column", ["wave", "probability", "persons", "adults"])
@pytest.mark.parametrize("damaged", ["", "x", "-1", "1e400"])
def test_a_damaged_number_in_a_panel_is_named_by_file_and_row(
    draw, call, tmp_path, column, damaged
):
    draw("--take", 2, "--waves", 2, "--overlap", 0.5)
    path = tmp_path / "draw" / "panel.csv"
    panel = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    panel.loc[3, column] = damaged
    panel.to_csv(path, index=False)
    code, _, err = call("next-sample", path, "--wave", 2, "--out", tmp_path / "next.csv")
    assert code == 2
    assert "panel.csv row 5" in err
    assert f"'{column}'" in err


@pytest.mark.parametrize("column", ["wave", "probability", "persons", "order"])
def test_a_panel_without_a_column_is_refused(draw, call, tmp_path, column):
    draw("--take", 2, "--waves", 2, "--overlap", 0.5)
    path = tmp_path / "draw" / "panel.csv"
    pd.read_csv(path, dtype=str, encoding="utf-8-sig").drop(columns=column).to_csv(
        path, index=False
    )
    code, _, err = call("next-sample", path, "--wave", 2, "--out", tmp_path / "next.csv")
    assert code == 2
    assert f"no column '{column}'" in err
