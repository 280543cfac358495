"""Progress, item nonresponse and don't-knows by interviewer: counts add up, the skip rule is respected, nobody is lost."""

from __future__ import annotations

import pytest

from satisfaction.collection.responses import load_responses
from satisfaction.fieldwork.answers import OUTCOMES, item_nonresponse, outcome_counts
from satisfaction.fieldwork.progress import progress


@pytest.fixture(scope="module")
def responses(unchanged):
    return load_responses(unchanged)


def test_progress_sums_the_sample_table(unchanged, responses):
    table = progress(responses, unchanged)
    assert list(table["code"]) == unchanged.ranked_areas()
    assert set(table["planned"]) == {30}
    assert set(table["psus_planned"]) == {6}
    assert list(table["accepted"]) == [30, 30, 30, 30]
    assert set(table["share"]) == {1.0}
    assert (table["name_zh"][0], table["name_en"][0]) == ("县990101", "County 990101")


def test_areas_and_psus_that_were_not_reached_keep_their_row(small):
    rows = small.rows()
    small.write(rows[(rows["county"] != "990201") & (rows["community"] != "99010110")])
    survey = small.read()
    table = progress(load_responses(survey), survey).set_index("code")
    assert table.loc[
        "990201", ["planned", "accepted", "psus_planned", "psus_reached"]
    ].tolist() == [30, 0, 6, 0]
    assert table.loc["990101", ["accepted", "psus_reached"]].tolist() == [25, 5]
    assert table.loc["990101", "share"] == pytest.approx(25 / 30)


def test_rejected_rows_are_no_progress(small):
    small.change(lived_here="2")
    survey = small.read()
    assert progress(load_responses(survey), survey)["accepted"].tolist() == [29, 30, 30, 30]


def test_without_a_sample_table_the_plan_is_missing(small):
    small.edit(
        "survey.yaml", "sample: {file: sample.csv, source: 测试 test, date: 2026-01-01}\n", ""
    )
    small.edit("survey.yaml", "  - {step: base}\n", "")
    survey = small.read()
    table = progress(load_responses(survey), survey)
    assert table[["planned", "psus_planned", "share"]].isna().all(axis=None)
    assert table["accepted"].tolist() == [30, 30, 30, 30]
    assert table["psus_reached"].tolist() == [6, 6, 6, 6]


def test_outcomes_add_up_to_the_asked(unchanged, responses):
    table = item_nonresponse(responses, unchanged.questionnaire)
    assert (table[list(OUTCOMES)].sum(axis=1) == table["asked"]).all()
    assert table[[f"share_{one}" for one in OUTCOMES]].sum(axis=1).tolist() == pytest.approx(
        [1.0] * len(table)
    )
    declared = unchanged.questionnaire.items
    assert list(table["item"]) == [
        name for name, item in declared.items() if item.type in ("single", "multiple")
    ]


def test_outcomes_equal_the_codes_of_the_file(small):
    survey, rows = small.read(), small.rows()
    table = item_nonresponse(load_responses(survey), survey.questionnaire).set_index("item")
    for item, special in (
        ("streets", {"97": "not_applicable", "98": "dont_know"}),
        ("heard", {"98": "dont_know", "99": "refused"}),
    ):
        for code, outcome in special.items():
            assert table.loc[item, outcome] == (rows[item] == code).sum()
    assert table.loc["values", "dont_know"] == (rows["values"] == "98").sum()
    assert table.loc["values", "refused"] == (rows["values"] == "99").sum()
    assert table.loc["values", "no_answer"] == (rows["values"] == "").sum()


def test_the_skip_rule_leaves_the_others_out(small):
    survey, rows = small.read(), small.rows()
    table = item_nonresponse(load_responses(survey), survey.questionnaire).set_index("item")
    assert table.loc["took_part_in", "asked"] == (rows["took_part"] == "1").sum()
    assert table.loc["took_part_in", "answered"] == table.loc["took_part_in", "asked"]


def test_an_item_nobody_was_asked_has_no_share(small):
    small.write(small.rows().assign(took_part="2", took_part_in=""))
    survey = small.read()
    row = (
        item_nonresponse(load_responses(survey), survey.questionnaire)
        .set_index("item")
        .loc["took_part_in"]
    )
    assert row["asked"] == 0
    assert row[[f"share_{one}" for one in OUTCOMES]].isna().all()


def test_dont_knows_of_respondents_equal_the_codes_of_the_file(small):
    survey, rows = small.read(), small.rows()
    counts = outcome_counts(load_responses(survey).accepted, survey.questionnaire, "dont_know")
    offering = [
        "heard",
        "values",
        "took_part",
        "streets",
        "parks",
        "safety",
        "overall",
        "lived_here",
    ]
    assert (counts["asked"] == len(offering)).all()
    expected = (rows[offering] == "98").sum(axis=1)
    assert counts["dont_know"].to_list() == expected.to_list()
    assert expected.sum() > 0
