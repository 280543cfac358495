"""A wave that was drawn as the population of a model of who answers: what is declared, computed, said, and recorded."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import satisfaction as sat
from conftest import COUNTIES
from satisfaction.declarations.survey import with_weighting
from satisfaction.estimation.open_samples import drawn_people, lay_over_people
from satisfaction.foundation.errors import SurveyError
from satisfaction.pipeline import reweighted
from satisfaction.ranking.selection_study import NOBODY_DRAWN, _people
from satisfaction.sampling.variance import contributions, psu_totals

BY = ["sex", "age_group"]
MODEL = "selection_model: {reference: ../drawn, by: [sex, age_group], source: 测试 test}"
OWN = ("estimate_model", "se_model", "ci_model_low", "ci_model_high")


@pytest.fixture
def drawn(small):
    """The small survey, and beside it the wave that was drawn, to which it refers."""
    folder = small.folder.with_name("drawn")
    shutil.copytree(small.folder, folder)
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    text = text.replace("survey: small-wave", "survey: drawn-wave")
    (folder / "survey.yaml").write_text(text, encoding="utf-8")
    small.edit("survey.yaml", "selection: probability", f"selection: open_link\n{MODEL}")
    rows = small.rows()
    small.write(rows.drop(index=rows.index[::7]))
    # otherwise every community has the same sexes and ages, and sampling communities no error
    rng = np.random.default_rng(1)
    rows["sex"] = rng.choice(["1", "2"], len(rows))
    rows["age_group"] = rng.choice(["1", "2"], len(rows))
    rows.to_csv(folder / "responses" / "all.csv", index=False)
    return folder


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# ---- what may be declared ----


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("{reference: ../drawn, source: 测试 test}", "S527"),
        ("{by: [sex], source: 测试 test}", "S527"),
        ("{reference: ../drawn, by: [sex], margins: [county_sex], source: 测试 test}", "S527"),
        ("{reference: ../nowhere, by: [sex], source: 测试 test}", "S533"),
        ("{reference: ../drawn, by: [streetz], source: 测试 test}", "S531"),
        ("{reference: ../drawn, by: [age], source: 测试 test}", "S531"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(small, drawn, model, code):
    small.edit("survey.yaml", MODEL, f"selection_model: {model}")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == code
    assert "survey.yaml" in str(fault.value.where)
    assert fault.value.hint


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("selection: probability", "selection: quota", "S528"),
        (
            "selection: probability",
            "selection: probability\nsimulated: {seed: 1, note: {zh: 模拟, en: simulated}}",
            "S529",
        ),
    ],
)
def test_a_wave_that_is_no_population_is_refused(small, drawn, old, new, code):
    edit(drawn / "survey.yaml", old, new)
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == code


def test_a_wave_without_weights_is_refused(small, drawn):
    text = (drawn / "survey.yaml").read_text(encoding="utf-8")
    before, _, after = text.partition("weighting:\n")
    (drawn / "survey.yaml").write_text(
        before + after[after.index("lonely_psu") :], encoding="utf-8"
    )
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == "S530"


def test_an_item_whose_answers_mean_something_else_is_refused(small, drawn):
    other = small.questionnaire.with_name("2.yaml")
    text = small.questionnaire.read_text(encoding="utf-8")
    text = text.replace('version: "1"', 'version: "2"').replace("en: 20-39", "en: 18-29")
    other.write_text(text, encoding="utf-8")
    edit(drawn / "survey.yaml", "questionnaire: small@1", "questionnaire: small@2")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == "S531"
    assert "sex" in fault.value.available
    assert "age_group" not in fault.value.available


def test_a_wave_of_other_areas_is_refused(small, drawn):
    areas = pd.read_csv(drawn / "areas.csv", dtype=str, keep_default_na=False)
    areas["level"] = areas["level"].replace("county", "district")
    areas.to_csv(drawn / "areas.csv", index=False)
    text = small.questionnaire.read_text(encoding="utf-8").replace('version: "1"', 'version: "2"')
    text = text.replace("  county: {type: area", "  district: {type: area")
    text = text.replace("area: county", "area: district").replace(
        "strata: [county", "strata: [district"
    )
    small.questionnaire.with_name("2.yaml").write_text(text, encoding="utf-8")
    edit(drawn / "survey.yaml", "questionnaire: small@1", "questionnaire: small@2")
    edit(drawn / "survey.yaml", "[county,", "[district,")
    for table in ("frame.csv", "sample.csv", "county_sex.csv", "county_age.csv"):
        edit(drawn / table, "county", "district")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == "S532"


# ---- what is computed ----


def test_figures_of_a_county_are_those_of_its_rows_and_of_the_people_drawn_there(small, drawn):
    """By the call a statistician would type, with the county's PSUs as a design of their own."""
    results = sat.run(small.read())
    reference = sat.run(sat.read_survey(drawn))
    rows = reference.responses.accepted.assign(final=reference.design.weights)
    of_county = rows[rows["county"] == "990102"].reset_index(drop=True)
    of_county = of_county.assign(sex=of_county["sex"].astype(int).astype(str))
    of_county = of_county.assign(age_group=of_county["age_group"].astype(int).astype(str))
    design = sat.SurveyDesign(
        of_county, strata=["county", "residence"], psu="community", base_weight="final"
    )
    people = _people(results.survey, results.design).table
    typed = sat.selection_estimates(
        people[people["county"] == "990102"], "topic_index", reference=design, by=BY
    ).set_index("model")
    models = results.selection_study.models
    ours = models[(models["code"] == "990102") & (models["measure"] == "topic_index")]
    ours = ours.set_index("model")
    assert len(ours) == 3
    for column in OWN:
        assert ours[column].to_numpy(float) == pytest.approx(typed[column], rel=1e-10)


def test_the_sampling_error_of_the_reference_is_part_of_the_models(small, drawn):
    """The same totals as known margins give the same estimate, and an error that lacks that of a total over the people drawn."""
    results = sat.run(small.read())
    reference = sat.run(sat.read_survey(drawn))
    rows = reference.responses.accepted.assign(final=reference.design.weights)
    inside = rows[rows["county"] == "990201"]
    margins = {}
    for name in BY:
        by_level = inside.groupby(inside[name].astype(int).astype(str))["final"].sum()
        margins[name] = by_level.to_dict()
    people = _people(results.survey, results.design).table
    people = people[people["county"] == "990201"]
    known = sat.selection_estimates(people, "topic_index", margins, methods=["calibration"]).iloc[0]
    models = results.selection_study.models
    at = (models["code"] == "990201") & (models["measure"] == "topic_index")
    ours = models[at & (models["model"] == "calibration")].iloc[0]
    assert ours["estimate_model"] == pytest.approx(known["estimate_model"], rel=1e-10)
    valid = people["topic_index"].notna().to_numpy(float)
    value = people["topic_index"].fillna(0).to_numpy()
    x = indicators(people)
    of_reference = indicators(inside)
    totals = inside["final"].to_numpy() @ of_reference
    below = totals @ np.linalg.lstsq(x, valid, rcond=None)[0]
    linearized = (value - known["estimate_model"] * valid) / below
    predicted = of_reference @ np.linalg.lstsq(x, linearized, rcond=None)[0]
    drawn_there = inside.assign(predicted=predicted)
    design = sat.SurveyDesign(
        drawn_there, strata=["county", "residence"], psu="community", base_weight="final"
    )
    added = sat.estimate(design, "predicted", statistic="total").table["se"].iloc[0]
    assert added > 0
    whole = np.hypot(known["se_model"], added)
    assert ours["se_model"] == pytest.approx(whole, rel=1e-9)
    assert whole > known["se_model"] * 1.0001


def indicators(people):
    """The constant and whether sex and age group are 2."""
    second = [(people[name].astype(int) == 2).to_numpy(float) for name in BY]
    return np.column_stack([np.ones(len(people)), *second])


def test_units_without_a_member_of_the_area_keep_counting(unchanged):
    """Persons taken out of a sample leave its variance that of the whole sample with zeros in their place."""
    design = sat.run(unchanged).design
    people = drawn_people(design, ["county", "community"])
    inside = (people.table["community"].str[-1] != "2").to_numpy()
    y = np.linspace(0, 1, len(inside))[:, None]
    kept = people.within(inside)
    totals = np.asarray(psu_totals(y[inside], kept.weight, kept.clusters))
    ours = np.asarray(contributions(totals, kept.clusters, "fail"))
    zeros = np.asarray(psu_totals(y * inside[:, None], people.weight, people.clusters))
    whole = np.asarray(contributions(zeros, people.clusters, "fail"))
    assert ours.T @ ours == pytest.approx(whole.T @ whole, rel=1e-12)
    shorter = people.clusters.stratum[np.unique(kept.clusters.psu)]
    assert len(shorter) < len(people.clusters.stratum)


def test_above_the_ranked_level_the_areas_are_covariates(small, drawn):
    results = sat.run(small.read())
    models = results.selection_study.models
    at_whole = models[(models["level"] == "province") & (models["measure"] == "topic_index")]
    assert at_whole["estimate_model"].notna().all()
    study = results.selection_study.reference
    people = _people(results.survey, results.design).table
    sample = lay_over_people(people, ["topic_index"], study.people, by=["county", *BY])
    assert sample.reference.totals[0] == pytest.approx(study.people.weight.sum())
    fitted = sample.estimates("calibration", None)
    ours = at_whole.set_index("model").loc["calibration", "estimate_model"]
    assert ours == pytest.approx(float(fitted.mean[0]), rel=1e-12)


def test_an_area_without_people_drawn_has_a_note_in_place_of_figures(small, drawn):
    path = drawn / "responses" / "all.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows[rows["county"] != "990101"].to_csv(path, index=False)
    text = (drawn / "survey.yaml").read_text(encoding="utf-8")
    start = text.index("  - {step: calibration")
    end = text.index("\n", start)
    (drawn / "survey.yaml").write_text(text[:start] + text[end + 1 :], encoding="utf-8")
    study = sat.run(small.read()).selection_study
    models = study.models
    absent = models[models["code"] == "990101"]
    assert absent[list(OWN)].isna().all(axis=None)
    assert set(absent["note"]) == {NOBODY_DRAWN}
    assert models[models["code"] == "990102"]["estimate_model"].notna().all()
    whole = models[models["level"] == "province"]
    assert all("990101" in note.en for note in whole["note"])
    assert study.sensitivity[study.sensitivity["code"] == "990101"]["phi_0"].isna().all()


def test_people_without_an_answer_are_left_out_and_counted(small, drawn):
    text = small.questionnaire.read_text(encoding="utf-8")
    text = text.replace("en: Sex, required: true}", "en: Sex}")
    small.questionnaire.write_text(text, encoding="utf-8")
    path = drawn / "responses" / "all.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows.loc[[3, 40], "sex"] = ""
    rows.to_csv(path, index=False)
    text = (drawn / "survey.yaml").read_text(encoding="utf-8")
    text = text.replace("margins: [county_sex, county_age]", "margins: [county_age]")
    (drawn / "survey.yaml").write_text(text, encoding="utf-8")
    small.edit("survey.yaml", "margins: [county_sex, county_age]", "margins: [county_age]")
    reference = sat.run(small.read()).selection_study.reference
    assert reference.left_out == 2
    assert len(reference.people.table) == len(rows) - 2


# ---- what is said and recorded ----


def test_check_names_it_run_prints_it_the_set_holds_it(small, drawn, call):
    code, out, err = call("check", small.folder)
    assert code == 0, err
    assert "drawn-wave, wave 2026T1), who were drawn, with their final weights, by Sex" in out
    code, out, err = call("run", small.folder)
    assert code == 0, err
    assert "by Sex, Age group" in out
    assert "120 respondents of the reference wave; their sampling error" in out
    folder = (small.folder / "out" / "latest").resolve()
    model = sat.read_indices(folder).tables["selection_model"]
    assert set(model["reference"]) == {"drawn-wave 2026T1: sex, age_group"}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["selection_model"]["reference_wave"]["respondents"] == 120
    assert "../drawn/responses/all.csv" in manifest["inputs"]
    assert "../drawn/survey.yaml" in manifest["inputs"]
    page = (folder / "report-en.html").read_text(encoding="utf-8")
    assert "who were drawn, with their final weights" in page
    assert "margins are taken as known" not in page
    assert call("verify", folder)[0] == 0
    edit(drawn / "responses" / "all.csv", "P001,2026-04-11", "P001,2026-04-12")
    code, out, _ = call("verify", folder)
    assert code != 0
    assert "../drawn/responses/all.csv" in out


def test_check_stops_on_what_the_reference_would_stop_a_run(small, drawn, call):
    path = drawn / "responses" / "all.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows["streets"] = "好得很"
    rows.to_csv(path, index=False)
    code, _, err = call("check", small.folder)
    assert code == 2
    assert "R300" in err
    assert call("run", small.folder)[0] == 2


def test_the_reference_moves_no_estimate_and_no_rank(small, drawn):
    with_reference = sat.run(small.read())
    small.edit("survey.yaml", f"\n{MODEL}", "")
    without = sat.run(small.read())
    pd.testing.assert_frame_equal(with_reference.ranking.table, without.ranking.table)
    assert set(with_reference.ranking.table["status"]) == {"possible"}
    assert set(with_reference.ranking.table["unit"]) == set(COUNTIES)


def test_a_trial_of_other_weights_keeps_the_reference(small, drawn):
    """It is read and weighed once."""
    results = sat.run(small.read())
    (drawn / "responses" / "all.csv").unlink()
    survey = with_weighting(results.survey, [{"step": "base"}], name="base alone")
    trial = reweighted(results, survey)
    assert trial.selection_study.reference is results.selection_study.reference
    pd.testing.assert_frame_equal(trial.selection_study.models, results.selection_study.models)
