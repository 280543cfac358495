"""A wave whose respondents were not drawn: what is declared, published and said about who answered; nothing becomes certain."""

from __future__ import annotations

import json
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

import satisfaction as sat
from conftest import COUNTIES
from coverage_study import answering
from satisfaction.estimation.open_samples import (
    NO_BOUND,
    NO_SOLUTION,
    TOO_FEW,
    lay_out_open_sample,
    limits_under_model,
)
from satisfaction.foundation.errors import EstimatesError, SurveyError
from satisfaction.foundation.language import use
from satisfaction.publication import plots
from satisfaction.publication.selection_tables import (
    CAUTION,
    odds_sentence,
    selection_tables,
    times,
)
from satisfaction.ranking.selection_study import _people, answered_sums

MODEL = "selection_model: {source: 测试 test}"
OWN = ("estimate_model", "se_model", "ci_model_low", "ci_model_high")


@pytest.fixture
def open_wave(small):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    return small


@pytest.fixture
def modelled(small):
    small.edit("survey.yaml", "selection: probability", f"selection: open_link\n{MODEL}")
    return small


# ---- what may be declared ----


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (f"selection: probability\n{MODEL}", "S521"),
        ("selection: quota\nselection_model: {margins: [nowhere], source: 测试 test}", "S122"),
        ("selection: quota\nselection_model: {margins: [by_sex], source: 测试 test}", "S522"),
        ("selection: quota\nselection_model: {methods: [calibration]}", "Y202"),
    ],
)
def test_a_model_that_cannot_be_is_refused(small, declared, code):
    small.edit("survey.yaml", "selection: probability", declared)
    small.edit(
        "survey.yaml",
        "\nweighting:",
        "  by_sex: {file: by_sex.csv, by: [sex], source: 测试 test, date: 2026-01-01}\n\nweighting:",
    )
    (small.folder / "by_sex.csv").write_text("sex,population\n1,100\n2,100\n", encoding="utf-8")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == code


def test_a_model_without_any_margin_by_area_is_refused(modelled):
    text = (modelled.folder / "survey.yaml").read_text(encoding="utf-8")
    text = re.sub(r"margins:\n(  .*\n)+", "", text)
    text = re.sub(r"  - \{step: calibration.*\n", "", text)
    (modelled.folder / "survey.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SurveyError) as fault:
        modelled.read()
    assert fault.value.code == "S522"


# ---- what is computed ----


def test_nothing_of_it_enters_estimates_or_ranking(small, modelled):
    with_model = sat.run(modelled.read())
    modelled.edit("survey.yaml", f"\n{MODEL}", "")
    without = sat.run(modelled.read())
    for level, of_level in with_model.estimates.items():
        pd.testing.assert_frame_equal(of_level.table, without.estimates[level].table)
    pd.testing.assert_frame_equal(with_model.ranking.table, without.ranking.table)
    assert set(with_model.ranking.table["status"]) == {"possible"}
    assert len(without.selection_study.models) == 0
    pd.testing.assert_frame_equal(
        with_model.selection_study.sensitivity, without.selection_study.sensitivity
    )


def test_a_probability_sample_has_no_study(unchanged):
    results = sat.run(unchanged)
    assert results.selection_study is None
    assert not selection_tables(unchanged, None).anything


def test_every_area_measure_and_method_has_a_row(modelled):
    results = sat.run(modelled.read())
    models = results.selection_study.models
    measures = set(results.whole.table["measure"])
    areas = len(COUNTIES) + 2 + 1
    assert len(models) == areas * len(measures) * 3
    assert set(models["measure"]) == measures
    assert np.isfinite(models[list(OWN)].to_numpy(float)).all()
    assert (models["se_model"] > 0).all()


def test_figures_of_a_county_are_those_of_its_rows_and_margins(modelled):
    """The wave's figures by the call a statistician would type."""
    results = sat.run(modelled.read())
    survey = results.survey
    people = _people(survey, results.design).table
    county = people[people["county"] == "990102"]
    margins = {}
    for name, item in (("county_sex", "sex"), ("county_age", "age_group")):
        table = survey.margins[name]
        inside = table[table["county"] == "990102"]
        margins[item] = dict(zip(inside[item], inside["population"], strict=True))
    typed = sat.selection_estimates(county, "topic_index", margins).set_index("model")
    models = results.selection_study.models
    published = models[(models["code"] == "990102") & (models["measure"] == "topic_index")]
    published = published.set_index("model")
    for column in OWN:
        assert published[column].to_numpy(float) == pytest.approx(typed[column], rel=1e-12)
    typed_range = sat.sensitivity(county, "topic_index", margins).iloc[0]
    ranges = results.selection_study.sensitivity
    ranges = ranges[(ranges["code"] == "990102") & (ranges["measure"] == "topic_index")].iloc[0]
    assert ranges["phi_05"] == pytest.approx(typed_range["phi_05"], rel=1e-12)


def test_phi_0_of_a_score_is_the_calibrated_estimate_where_all_answers_are_valid():
    rng = np.random.default_rng(5)
    people = pd.DataFrame({"sex": rng.choice([1, 2], 80), "age": rng.choice([1, 2, 3], 80)})
    people["score"] = 50 + 10 * people["age"] + rng.normal(0, 5, 80)
    margins = {"sex": {1: 5000, 2: 5000}, "age": {1: 2000, 2: 3000, 3: 5000}}
    found = sat.sensitivity(people, "score", margins).iloc[0]
    model = sat.selection_estimates(people, "score", margins, methods=["calibration"]).iloc[0]
    assert found["phi_0"] == pytest.approx(model["estimate_model"], rel=1e-12)
    assert found["proxy_correlation"] > 0.5
    assert np.isfinite(found["phi_1"])


def test_a_proxy_that_says_nothing_has_no_range(modelled):
    results = sat.run(modelled.read())
    rows = results.selection_study.sensitivity
    unbounded = rows[[note == NO_BOUND for note in rows["note"]]]
    assert len(unbounded)
    assert unbounded["phi_1"].isna().all()
    assert unbounded["phi_0"].notna().all()


def test_the_score_at_odds_1_is_the_published_estimate(modelled):
    for ranked in ("topic_index", "composite", "satisfaction"):
        if ranked != "topic_index":
            text = modelled.questionnaire.read_text(encoding="utf-8")
            text = re.sub(r"ranked: \w+", f"ranked: {ranked}", text)
            modelled.questionnaire.write_text(text, encoding="utf-8")
        results = sat.run(modelled.read())
        people = _people(results.survey, results.design)
        sums = answered_sums(results.survey, people, COUNTIES, rate="satisfaction")
        assert sums.score(1.0) == pytest.approx(results.ranked.table["estimate"], rel=1e-12)


def test_odds_move_the_county_across_the_cut(modelled):
    """Fewer answers of the satisfied, by those odds and a little more, and the run itself lists the county."""
    results = sat.run(modelled.read())
    odds = results.selection_study.odds.set_index("code")
    people = _people(results.survey, results.design)
    sums = answered_sums(results.survey, people, COUNTIES, rate="satisfaction")
    observed = sums.score(1.0)
    listed = COUNTIES.index(results.ranking.summary.listed[0])
    for place, code in enumerate(COUNTIES):
        alone = odds.loc[code, "odds_alone"]
        if np.isnan(alone) or place == listed:
            continue
        assert sums.score(alone * 1.001)[place] < observed[listed]
        assert sums.score(alone / 1.001)[place] > observed[listed]


def test_a_level_nobody_answered_from_has_a_note_in_place_of_figures(modelled):
    rows = modelled.rows()
    gone = (rows["county"] == "990101") & (rows["sex"] == "1")
    modelled.write(rows[~gone])
    modelled.edit("survey.yaml", "margins: [county_sex, county_age]", "margins: [county_age]")
    models = sat.run(modelled.read()).selection_study.models
    county = models[models["code"] == "990101"]
    assert county[list(OWN)].isna().all(axis=None)
    assert all("sex = 1" in note.en for note in county["note"])
    assert models[models["code"] == "990102"]["estimate_model"].notna().all()


def test_withheld_figures_are_withheld_here_too(modelled):
    with (modelled.folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write("suppression: {minimum_n: 28, source: 测试 test}\n")
    results = sat.run(modelled.read())
    blank = results.estimates["county"].table
    blank = {(row.county, row.measure) for row in blank.itertuples() if np.isnan(row.estimate)}
    assert blank
    for table in (results.selection_study.models, results.selection_study.sensitivity):
        at_county = table[table["level"] == "county"]
        for row in at_county.itertuples():
            figures = [value for value in row[5:] if isinstance(value, float)]
            if (row.code, row.measure) in blank:
                assert np.isnan(figures).all()


# ---- rows and margins that do not fit ----


PEOPLE = pd.DataFrame({"sex": [1, 1, 2, 2, 1, 2], "y": [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]})


@pytest.mark.parametrize(
    ("margins", "code"),
    [
        ({"age": {1: 10}}, "E527"),
        ({"sex": {1: 10, 2: 10}, "y": {0: 10, 1: 11}}, "E528"),
        ({"sex": {1: 10, 3: 10}}, "E529"),
    ],
)
def test_margins_that_do_not_fit_are_refused(margins, code):
    for call in (sat.selection_estimates, sat.sensitivity):
        with pytest.raises(EstimatesError) as fault:
            call(PEOPLE, "y", margins)
        assert fault.value.code == code


def test_an_unknown_method_is_refused():
    with pytest.raises(EstimatesError) as fault:
        sat.selection_estimates(PEOPLE, "y", {"sex": {1: 10, 2: 10}}, methods=["magic"])
    assert fault.value.code == "E530"


def test_more_respondents_than_residents_have_no_solution():
    found = sat.selection_estimates(PEOPLE, "y", {"sex": {1: 2, 2: 100}}).set_index("model")
    assert np.isfinite(found.loc["calibration", "estimate_model"])
    with use("en"):
        found = sat.selection_estimates(PEOPLE, "y", {"sex": {1: 2, 2: 100}}).set_index("model")
    assert found.loc["inverse_propensity", "note"] == NO_SOLUTION.en


def test_too_few_answers_have_a_note():
    people = PEOPLE.assign(y=[1.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    with use("en"):
        found = sat.selection_estimates(people, "y", {"sex": {1: 20, 2: 100}})
    assert set(found["note"]) == {TOO_FEW.en}


def test_one_measure_with_few_answers_takes_no_other_with_it():
    people = PEOPLE.assign(few=[1.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    found = sat.selection_estimates(people, ["y", "few"], {"sex": {1: 20, 2: 100}})
    assert found[found["measure"] == "y"]["estimate_model"].notna().all()
    assert found[found["measure"] == "few"]["estimate_model"].isna().all()


def test_margins_that_follow_from_others_change_nothing():
    plain = {"sex": {1: 60, 2: 40}}
    crossed = {"sex": {1: 60, 2: 40}, ("sex",): {(1,): 60, (2,): 40}}
    one = lay_out_open_sample(PEOPLE, ["y"], plain)
    other = lay_out_open_sample(PEOPLE, ["y"], crossed)
    assert one.x == pytest.approx(other.x)
    against = lay_out_open_sample(
        PEOPLE, ["y"], {"sex": {1: 60, 2: 40}, ("sex",): {(1,): 50, (2,): 50}}
    )
    assert against.fault == NO_SOLUTION


def test_limits_of_a_share_stay_inside_it():
    low, high = limits_under_model(0.98, 0.015, level=0.95, share=True)
    assert 0 < low < 0.98 < high < 1
    assert np.isnan(limits_under_model(1.0, 0.0, level=0.95, share=True)).all()


# ---- what is published ----


def test_the_set_holds_them_under_their_names_and_verifies(modelled, call):
    code, out, err = call("run", modelled.folder)
    assert code == 0, err
    assert "holds only if" in out
    folder = (modelled.folder / "out" / "latest").resolve()
    published = sat.read_indices(folder)
    model = published.tables["selection_model"]
    assert set(model["model"]) == {"calibration", "inverse_propensity", "doubly_robust"}
    assert set(model["note"]) == {CAUTION.both}
    assert model["estimate_model"].notna().all()
    assert published.tables["selection_sensitivity"]["proxy_correlation"].notna().any()
    assert set(published.tables["selection_odds"]["code"]) == set(COUNTIES)
    for column in ("se", "ci_low", "ci_high", "df"):
        assert published.indices[column].isna().all()
    assert set(published.ranking["status"]) == {"possible"}
    made = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert made["selection_model"]["source"] == "测试 test"
    assert call("verify", folder)[0] == 0
    book = openpyxl.load_workbook(folder / "selection.xlsx")
    assert len(book.sheetnames) == 5
    page = (folder / "report-en.html").read_text(encoding="utf-8")
    assert "se of the model" in page
    assert "Source of the model: 测试 test" in page
    readme = (folder / "README-en.txt").read_text(encoding="utf-8")
    assert "selection_model.csv" in readme


def test_without_a_model_sensitivity_and_odds_stand_alone(open_wave, call):
    code, out, err = call("run", open_wave.folder)
    assert code == 0, err
    folder = (open_wave.folder / "out" / "latest").resolve()
    assert not (folder / "selection_model.csv").exists()
    assert (folder / "selection_sensitivity.csv").is_file()
    odds = pd.read_csv(folder / "selection_odds.csv", dtype={"code": str})
    assert odds["odds_alone"].notna().any()
    assert "In it alone" in out
    page = (folder / "report-en.html").read_text(encoding="utf-8")
    assert "se of the model" not in page
    assert "φ = 0.5" in page


def test_a_trial_beside_it_still_runs(modelled, call, tmp_path):
    code, _, err = call("stability", modelled.folder)
    assert code == 0, err


# ---- what is said ----


@pytest.mark.parametrize(
    ("listed", "alone", "alike", "zh", "en"),
    [
        (
            "no", 1.3, np.nan,
            "按收到的答卷，甲县不在名单上。若仅该地如此，满意者作答的几率是其他人的 1.30 倍，就会进入名单。若各地都如此，几率高到 10 倍也不会改变。",
            "As answered, County A is not on the list. In it alone, it would enter the list if the odds that the satisfied answer were 1.30 times those of all others. The same in all areas, no odds up to 10 times change that.",
        ),
        (
            "yes", 0.5, 0.25,
            "按收到的答卷，甲县在名单上。若仅该地如此，其他人作答的几率是满意者的 2.00 倍，就会退出名单。若各地都如此，其他人作答的几率是满意者的 4.00 倍，才会退出。",
            "As answered, County A is on the list. In it alone, it would leave the list if the odds that all others answer were 2.00 times those of the satisfied. The same in all areas, it would leave if the odds that all others answer were 4.00 times those of the satisfied.",
        ),
    ],
)  # fmt: skip
def test_sentences(listed, alone, alike, zh, en):
    row = {"listed": listed, "odds_alone": alone, "odds_alike": alike}
    from satisfaction.foundation.language import Text

    said = odds_sentence(row, Text("甲县", "County A"))
    assert said.zh == zh
    assert said.en == en


def test_a_ratio_never_reads_as_1():
    assert [times(odds) for odds in (1.0, 1.001, 1.3)] == ["1.0001", "1.0010", "1.30"]


def test_the_picture_marks_every_known_ratio(modelled):
    results = sat.run(modelled.read())
    odds = selection_tables(results.survey, results.selection_study).odds
    figure = plots.odds_at_the_cut(odds)
    drawn = sum(len(points.get_offsets()) for points in figure.axes[0].collections)
    assert drawn == odds[["odds_alone", "odds_alike"]].notna().sum().sum()


# ---- the simulation ----


def test_the_study_sees_that_every_method_stays_biased_and_that_the_odds_would_mend_it():
    table = answering.study(repetitions=4, first=1)
    of_models = table[table["way"].isin(answering.MODELS) & (table["measure"] == "satisfied")]
    biased = of_models[of_models["odds"] == 3.0]
    assert (biased["bias"] > 0.1).all()
    assert (biased["holds"] == 0).all()
    assert (of_models[of_models["odds"] == 1.0]["bias"].abs() < 0.04).all()
    told = table[(table["way"] == "by the true odds") & (table["proxy"] == "weak")]
    assert (told[told["measure"] == "satisfied"]["bias"].abs() < 0.04).all()


def test_the_study_names_a_model_that_would_hide_its_bias():
    row = {"proxy": "weak", "measure": "score", "way": "calibration", "samples": 300}
    row |= {"bias": 0.0, "monte_carlo": 0.01}
    for odds, holds, missed in ((1.0, 0.95, 0), (1.0, 0.80, 1), (2.0, 0.95, 1), (2.0, 0.10, 0)):
        assert len(answering.missed(pd.DataFrame([row | {"odds": odds, "holds": holds}]))) == missed
