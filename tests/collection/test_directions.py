"""Scales whose ends were exchanged in one file, or in one area of a file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from conftest import run_of_shipped_wave
from satisfaction import load_responses
from satisfaction.collection.directions import directions
from satisfaction.foundation.errors import ResponsesError

TOPICS = ["streets", "parks", "safety", "overall"]


@pytest.fixture(scope="module")
def quarter():
    results = run_of_shipped_wave("guizhou-2026q3")
    return results.survey, results.responses.accepted


def exchanged(accepted, items, rows, top=5):
    """Answers with the ends of the scales exchanged in the rows that are marked; special codes stay."""
    accepted = accepted.copy()
    for item in items:
        turned = rows & (accepted[item] <= top)
        accepted.loc[turned, item] = top + 1 - accepted.loc[turned, item]
    return accepted


def said(accepted, survey):
    return [(note.file, note.value, note.column) for note in directions(accepted, survey)]


@pytest.mark.parametrize(
    "wave", ["guizhou-2026q2", "guizhou-2026q3", "guiyang-phone-2026q3", "san-diego-2015"]
)
def test_the_shipped_waves_have_none(wave):
    results = run_of_shipped_wave(wave)
    assert directions(results.responses.accepted, results.survey) == []


def test_one_item_of_one_file_is_named(quarter):
    survey, accepted = quarter
    of_file = accepted["_file"] == "responses/anshun.csv"
    found = said(exchanged(accepted, ["toilets"], of_file), survey)
    assert found == [("responses/anshun.csv", "", "toilets")]


def test_all_topics_of_one_file_are_seen_by_their_level_and_by_the_other_items(quarter):
    survey, accepted = quarter
    of_file = accepted["_file"] == "responses/anshun.csv"
    topics = [*survey.questionnaire.topics, "overall"]
    found = said(exchanged(accepted, topics, of_file), survey)
    assert found[0] == ("responses/anshun.csv", "", "satisfaction_index")
    assert {column for _file, _area, column in found[1:]} == {"heard", "took_part", "support"}


def test_one_area_of_a_file_of_many_is_named(quarter):
    survey, accepted = quarter
    of_area = accepted["county"] == "520402"
    topics = [*survey.questionnaire.topics, "overall"]
    found = said(exchanged(accepted, topics, of_area), survey)
    assert found[0] == ("responses/anshun.csv", "520402", "satisfaction_index")
    assert {area for _file, area, _column in found} == {"520402"}


def test_an_item_that_nobody_turned_but_that_runs_against_all_others_is_named(quarter):
    survey, accepted = quarter
    everywhere = pd.Series(True, index=accepted.index)
    found = said(exchanged(accepted, ["parks"], everywhere), survey)
    assert {column for _file, _area, column in found} == {"parks"}


def test_a_correlation_is_that_of_pandas(quarter):
    survey, accepted = quarter
    of_file = accepted["_file"] == "responses/anshun.csv"
    turned = exchanged(accepted, ["toilets"], of_file)
    (note,) = directions(turned, survey)
    scores = {}
    for item in survey.questionnaire.items:
        answers = getattr(survey.questionnaire.items[item], "scale", None)
        points = {}
        if answers:
            for code, answer in survey.questionnaire.answers(item).items():
                points[code] = answer.score
        if any(score is not None for score in points.values()):
            scores[item] = turned[item].map(points).astype(float)
    table = pd.DataFrame(scores)
    table = (table - table.mean()) / table.std(ddof=0)
    others = table.drop(columns="toilets").mean(axis=1)
    here = table.loc[of_file, "toilets"].corr(others[of_file])
    elsewhere = table.loc[~of_file, "toilets"].corr(others[~of_file])
    assert f"{here:.2f}, elsewhere {elsewhere:.2f}" in note.text.en
    assert here == pytest.approx(-elsewhere, abs=0.05)


def alike(small):
    """Have every respondent of the small wave answer all topics alike, more or less."""
    rng = np.random.default_rng(1)
    rows = small.rows()
    mood = rng.integers(1, 6, len(rows))
    for topic in TOPICS:
        rows[topic] = np.clip(mood + rng.integers(-1, 2, len(rows)), 1, 5).astype(str)
    small.write(rows)
    return rows


def test_a_run_stops_and_the_rules_may_let_it_go_on(small, call):
    rows = alike(small)
    rows["parks"] = (6 - rows["parks"].astype(int)).astype(str)
    small.write(rows)
    with pytest.raises(ResponsesError, match=r"R327[\s\S]*Parks") as refused:
        load_responses(small.read())
    assert "reversed_scale: note" in refused.value.hint.en
    code, out, _err = call("check", small.folder)
    assert (code, "ends of its scale" in out) == (2, True)
    small.edit("rules.yaml", "unknown_area: stop", "unknown_area: stop\n  reversed_scale: note")
    code, out, _err = call("run", small.folder)
    assert (code, "responses/all.csv: answers to 'Parks' go down" in out) == (0, True)


def test_answers_that_agree_pass(small):
    alike(small)
    assert load_responses(small.read()).problems == ()


def test_few_respondents_show_no_direction(small):
    rows = alike(small).head(40)
    rows["parks"] = (6 - rows["parks"].astype(int)).astype(str)
    small.write(rows)
    assert load_responses(small.read()).problems == ()


def test_one_respondent_alone_shows_no_direction(small):
    rows = small.rows().assign(streets="3", parks="3", safety="3", overall="3")
    rows.loc[4, ["parks", "streets"]] = ["5", "1"]
    small.write(rows)
    assert load_responses(small.read()).problems == ()


def test_a_wave_in_one_file_is_told_without_an_elsewhere(small):
    rows = alike(small)
    rows["parks"] = (6 - rows["parks"].astype(int)).astype(str)
    small.write(rows)
    (note, *_others) = directions(
        load_responses(small.read(), purpose="check").accepted, small.read()
    )
    assert "elsewhere" not in note.text.en
    assert "nan" not in note.text.en
