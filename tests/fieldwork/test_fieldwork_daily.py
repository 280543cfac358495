"""The workbook of a day and the page of a county hold every finding, the mark, and the place a row was read from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from satisfaction.collection.responses import load_responses
from satisfaction.fieldwork.answers import (
    answer_codes,
    near_duplicates,
    open_items,
    outcome_counts,
    points,
    rate_values,
)
from satisfaction.fieldwork.daily import county_page, daily_workbook
from satisfaction.fieldwork.findings import CHECKS, COLUMNS, Fields, declared_fields
from satisfaction.fieldwork.paradata import duplicate_ids, many_a_day, shared_values
from satisfaction.fieldwork.progress import by_day, dispositions, quota_progress
from satisfaction.fieldwork.standing import run_checks
from satisfaction.foundation.tables import read_tables, write_xlsx
from satisfaction.pipeline import run

IEHFC = Path(__file__).parents[1] / "data" / "iehfc" / "LWH_FUP2_raw.csv"
FIELD = Fields(
    "hhid", county="district", interviewer="enumerator", day="submissiondate", device="device_id"
)
MARK = "模拟 simulated"


@pytest.fixture(scope="module")
def survey(unchanged):
    return unchanged


@pytest.fixture(scope="module")
def rows(survey):
    accepted = load_responses(survey).accepted
    start = pd.to_datetime(accepted["day"]) + pd.to_timedelta(
        9 * 3600 + 900 * (np.arange(len(accepted)) % 30), unit="s"
    )
    times = {
        "started": start.astype(str),
        "ended": (start + pd.Timedelta("10min")).astype(str),
        "duration": 600,
    }
    return accepted.assign(
        **times, device=accepted["interviewer"], ip=[f"{i:08x}" for i in range(len(accepted))]
    )


@pytest.fixture(scope="module")
def fields(survey):
    named = {name: name for name in ("started", "ended", "duration", "device", "ip")}
    return replace(declared_fields(survey.questionnaire), **named)


@pytest.fixture(scope="module")
def found(rows, survey, fields):
    return run_checks(rows, survey.questionnaire, fields=fields)


@pytest.fixture(scope="module")
def book(rows, found, fields):
    quota = rows[["county", "sex"]].drop_duplicates().assign(planned=60)
    every = pd.concat([found, quota_progress(rows, quota, by=["county", "sex"])], ignore_index=True)
    outcomes = dispositions(pd.Series(["1"] * 120 + ["2"] * 60), {"1": "I", "2": "R"})
    return every, daily_workbook(
        rows, every, fields=fields, day="2026-04-14", mark=MARK, outcomes=outcomes
    )


def test_the_roles_of_a_questionnaire_are_fields(survey):
    assert declared_fields(survey.questionnaire) == Fields(
        "id", county="county", interviewer="interviewer", day="day"
    )


def test_every_check_that_the_rows_allow_is_run(found, rows, survey, fields):
    elsewhere = {
        "quota",
        "outside_quota",
        "response_rate",
        "back_check",
        "back_check_lost",
        "mode_gap",
        "jump",
    }
    assert set(CHECKS) - set(found["check"]) <= elsewhere | {"knowledge_ceiling"}
    assert list(found) == [*COLUMNS, "other"]
    assert found["other"].notna().all()
    bare = run_checks(rows, survey.questionnaire, fields=Fields("id"))
    assert set(bare["check"]) == {"duplicate_id", "near_duplicate", "straight_line"}
    again = run_checks(rows, survey.questionnaire, fields=fields)
    assert set(again["check"]) == set(found["check"])


def test_every_sheet_bears_the_mark_and_nothing_flagged_is_lost(book):
    every, sheets = book
    assert list(sheets) == [
        "notes",
        "checks",
        "flags",
        "counties",
        "interviewers",
        "days",
        "cells",
        "outcomes",
        "rates",
    ]
    assert all((table["mark"] == MARK).all() for table in sheets.values())
    assert len(sheets["flags"]) == every["flag"].sum() == sheets["checks"]["flagged"].sum()
    assert sheets["checks"]["units"].sum() == len(every)
    assert set(sheets["checks"]["check"]) == set(CHECKS)
    assert "不删除" in " ".join(sheets["notes"]["value"].astype(str))
    assert sheets["rates"].set_index("rate").loc["RR1", "value"] == 0.6667


def test_the_workbook_is_written_and_read_back(book, tmp_path):
    write_xlsx(book[1], tmp_path / "day.xlsx")
    tables = {table.sheet: table for table in read_tables(tmp_path / "day.xlsx")}
    assert list(tables) == list(book[1])
    assert len(tables["counties"].cells) == 4
    assert not any(
        cell.lower() in ("nan", "none", "<na>")
        for table in tables.values()
        for row in table.cells.to_numpy()
        for cell in row
    )


def test_a_flagged_respondent_comes_with_file_and_row(rows, survey, fields):
    late = rows.copy()
    late.loc[7, "started"] = "2026-04-12 23:30:00"
    every = run_checks(late, survey.questionnaire, fields=fields)
    flags = daily_workbook(late, every, fields=fields, day="2026-04-14", mark="")["flags"]
    own = flags[flags["check"] == "odd_hours"]
    assert own[["unit", "file", "row"]].to_numpy().tolist() == [["P007", "responses/all.csv", 9]]
    assert own[["zh", "en"]].ne("").all(axis=None)


def test_respondents_with_one_number_each_come_with_their_own_row(rows, survey, fields):
    twice = rows.assign(id=rows["id"].replace("P009", "P007"))
    every = run_checks(twice, survey.questionnaire, fields=fields)
    book = daily_workbook(twice, every, fields=fields, day="2026-04-14", mark="")["flags"]
    page = county_page(twice, every, "990101", fields=fields, mark="")["flags"]
    for flags in (book, page):
        assert flags.loc[flags["check"] == "duplicate_id", ["unit", "row"]].to_numpy().tolist() == [
            ["P007", 9],
            ["P007", 11],
        ]


def test_a_county_page_is_about_that_county_only(book, rows, fields):
    every, _ = book
    page = county_page(rows, every, "990102", fields=fields, mark=MARK)
    assert list(page) == ["figures", "interviewers", "cells", "flags", "days"]
    assert all((table["mark"] == MARK).all() for table in page.values())
    assert set(page["figures"]["check"]) == set(every.loc[every["level"] == "county", "check"])
    assert set(page["interviewers"]["unit"]) == {"I0", "I1", "I2"}
    assert page["days"]["interviews"].sum() == 30
    assert set(page["cells"]["unit"]) == {"990102 x 1", "990102 x 2"}


def test_more_dont_knows_than_the_others_of_the_county_are_found(survey, rows, fields):
    assert not open_items(rows, survey.questionnaire, fields=fields)["flag"].any()
    planted = rows.copy()
    own = (rows["county"] == "990101") & (rows["interviewer"] == "I1")
    planted.loc[own, ["heard", "streets", "parks", "safety", "overall"]] = 98
    found = open_items(planted, survey.questionnaire, fields=fields)
    assert found.loc[found["flag"], ["check", "county", "unit"]].to_numpy().tolist() == [
        ["dont_know", "990101", "I1"]
    ]
    blank = rows.copy()
    blank.loc[own, ["heard", "streets", "parks", "safety", "overall"]] = pd.NA
    found = open_items(blank, survey.questionnaire, fields=fields)
    assert found.loc[found["flag"], ["check", "county", "unit"]].to_numpy().tolist() == [
        ["no_answer", "990101", "I1"]
    ]


def test_points_and_rates_are_those_of_the_published_figures(survey):
    results = run(survey)
    accepted, questionnaire = results.responses.accepted, survey.questionnaire
    scored = points(accepted, questionnaire, ["streets"])["streets"]
    assert set(scored.dropna()) <= {0, 25, 50, 75, 100}
    assert (scored.isna() == ~accepted["streets"].isin([1, 2, 3, 4, 5])).all()
    name = next(iter(questionnaire.rates))
    values = rate_values(accepted, questionnaire, [name])[name]
    table = next(iter(results.estimates.values())).of(name).table
    assert table["n"].tolist() == values.groupby(accepted["county"]).count().tolist()


def test_counts_of_outcomes_are_bounded_by_the_items_asked(survey, rows):
    for outcome in ("answered", "dont_know", "no_answer"):
        counts = outcome_counts(rows, survey.questionnaire, outcome)
        assert ((counts[outcome] >= 0) & (counts[outcome] <= counts["asked"])).all()


def test_codes_of_answers_tell_answers_apart_and_leave_blanks_out(survey, rows):
    codes = answer_codes(rows, survey.questionnaire, without=["county"])
    assert "county" not in codes
    for name in ("heard", "streets"):
        assert (codes[name].isna() == rows[name].isna()).all()
        assert rows[name].groupby(codes[name]).nunique().eq(1).all()
    chosen = (
        rows[[name for name in rows if name.startswith("values_")]].map(str).agg("".join, axis=1)
    )
    assert chosen.groupby(codes["values"]).nunique().eq(1).all()


@pytest.fixture(scope="module")
def field():
    """A real export of a household survey: 1,206 rows, 4 days (World Bank, iehfc)."""
    table = read_tables(IEHFC)[0]
    frame = table.frame()
    return frame.mask(frame == "").assign(_file=IEHFC.name, _row=list(table.cells.index))


def test_a_real_export_shows_its_duplicates_days_and_interviewers(field):
    assert len(field) == 1206
    twice = duplicate_ids(field, fields=FIELD)
    assert sorted(set(twice.loc[twice["flag"], "unit"])) == ["3004", "3066", "3209"]
    assert twice["flag"].sum() == 6
    days = by_day(field, fields=FIELD)
    assert dict(zip(days["day"], days["interviews"], strict=True)) == {
        "5/2/2023": 300,
        "5/3/2023": 300,
        "5/4/2023": 300,
        "5/5/2023": 306,
    }
    assert days["cumulative"].tolist() == [300, 600, 900, 1206]
    work = many_a_day(field, fields=FIELD)
    assert work["n"].sum() == 1206
    assert work["unit"].str.split(" ").str[0].nunique() == 62
    devices = shared_values(field, fields=FIELD, field="device")
    assert (len(devices), devices["n"].sum()) == (4, 1206)


def test_a_real_export_makes_a_workbook(field, tmp_path):
    items = [name for name in field if name.startswith(("inc_", "exp_", "aa_", "a_crop"))]
    found = pd.concat(
        [
            duplicate_ids(field, fields=FIELD),
            many_a_day(field, fields=FIELD),
            near_duplicates(field, items, fields=FIELD),
        ],
        ignore_index=True,
    )
    sheets = daily_workbook(field, found[list(COLUMNS)], fields=FIELD, day="2023-05-05", mark="")
    flags = sheets["flags"]
    numbers = field.loc[field["hhid"].isin(["3004", "3066", "3209"]), "hhid"]
    assert flags.loc[flags["check"] == "duplicate_id", "unit"].tolist() == numbers.tolist()
    assert sheets["days"]["interviews"].sum() == 1206
    write_xlsx(sheets, tmp_path / "day.xlsx")
    assert (tmp_path / "day.xlsx").stat().st_size > 10_000
