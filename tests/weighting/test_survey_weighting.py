"""Weighting steps as survey.yaml declares them: what is refused, where base weights come from, who counts as sampled."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import COUNTIES, ROOT
from satisfaction import export
from satisfaction.cli import cli
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import SatisfactionError, SurveyError, WeightsError
from satisfaction.foundation.yaml import read_yaml
from satisfaction.pipeline import absent_steps, base_design, run, weighting_log
from satisfaction.weighting import calibration, nonresponse, trimming
from satisfaction.weighting.wave_design import population_notes, sampled_persons, weigh

BASE = "  - {step: base}\n"
RAKING = "  - {step: calibration, method: raking, margins: [county_sex, county_age], tolerance: 1.0e-10}\n"
SAMPLE = "sample: {file: sample.csv, source: 测试 test, date: 2026-01-01}\n"
FRAME = "frame: {file: frame.csv, source: 测试 test, date: 2026-01-01}\n"
ABSENT = "nonrespondents: {file: nonrespondents.csv, source: 测试 test, date: 2026-01-01}\n"
CLASSES = "  - {step: nonresponse, by: [county, age_group]}\n"
TRIM = "  - {step: trimming, upper: 1.5}\n"


def absent_persons() -> pd.DataFrame:
    """Two or three persons of every community who did not answer, in no particular order."""
    rows = [
        {"county": county, "residence": residence, "community": f"{county}{residence}{k}", "age_group": 1 + (k + extra) % 2,
         "age": "" if extra == 2 else 30 + 10 * extra, "telephone": "not read"}
        for county in COUNTIES for residence in (1, 2) for k in range(3) for extra in range(2 + (k == 0))
    ]  # fmt: skip
    return pd.DataFrame(rows).astype(str).sample(frac=1, random_state=1)


@pytest.fixture
def declare(small):
    """Replace the small survey's weighting, and add or remove tables; nonrespondents.csv lies beside."""
    absent_persons().to_csv(small.folder / "nonrespondents.csv", index=False)

    def change(steps: str, *, add: str = "", without: str = ""):
        path = small.folder / "survey.yaml"
        text = path.read_text(encoding="utf-8").replace(BASE + RAKING, steps)
        text = text.replace(without, "", 1) if without else text
        path.write_text(text.replace("margins:\n", add + "margins:\n", 1), encoding="utf-8")
        return small

    return change


# ---- who is counted twice ----


def test_a_psu_that_stands_twice_in_the_sample_is_refused_without_a_base_step_too(declare):
    small = declare(RAKING)
    table = pd.read_csv(small.folder / "sample.csv", dtype=str)
    elsewhere = table.iloc[[0]].assign(residence="2")
    pd.concat([table, elsewhere]).to_csv(small.folder / "sample.csv", index=False)
    with pytest.raises(SurveyError, match="S541") as fault:
        small.read()
    assert table["community"][0] in fault.value.en
    assert f"rows 2, {len(table) + 2}" in fault.value.en


def test_planned_interviews_that_are_no_count_are_refused_as_the_sample_is_read(small):
    table = pd.read_csv(small.folder / "sample.csv", dtype=str)
    table.loc[0, "planned"] = ""
    table.to_csv(small.folder / "sample.csv", index=False)
    small.read()
    table.loc[1, "planned"] = "10户"
    table.to_csv(small.folder / "sample.csv", index=False)
    with pytest.raises(SurveyError, match=r"S133[\s\S]*10户"):
        small.read()


def test_a_nonrespondent_who_answered_is_refused(declare):
    small = declare(BASE + CLASSES, add=ABSENT)
    table = absent_persons()
    numbers = [f"N{number}" for number in range(len(table))]
    table.assign(id=numbers).to_csv(small.folder / "nonrespondents.csv", index=False)
    respondents = load_responses(small.read()).accepted
    sampled_persons(small.read(), respondents)
    numbers[3] = respondents["id"][5]
    numbers[4] = ""
    table.assign(id=numbers).to_csv(small.folder / "nonrespondents.csv", index=False)
    with pytest.raises(WeightsError, match="W541") as fault:
        sampled_persons(small.read(), respondents)
    assert f"(rows 5): {numbers[3]}" in fault.value.en
    numbers[3] = numbers[9]
    table.assign(id=numbers).to_csv(small.folder / "nonrespondents.csv", index=False)
    with pytest.raises(SurveyError, match="S542"):
        small.read()


# ---- refusals ----

CALIBRATION = "  - {step: calibration, margins: [county_sex], "
REFUSALS = {
    "base second": ("S150", RAKING + BASE, "", "step: base"),
    "base twice": ("S150", BASE + BASE.replace("base", "base, source: frame"), "", "source: frame"),
    "nonresponse without table": ("S157", BASE + CLASSES, "", "step: nonresponse"),
    "nonresponse after calibration": ("S158", BASE + RAKING + CLASSES, ABSENT, "step: nonresponse"),
    "nonresponse twice": ("S158", BASE + CLASSES + CLASSES.replace("county, ", ""), ABSENT, "by: [age_group]"),
    "logit without bounds": ("S159", BASE + CALIBRATION + "method: logit}\n", "", "logit"),
    "bounds of a post-stratification": ("S159", BASE + CALIBRATION + "method: poststratify, bounds: [0.5, 2]}\n", "", "poststratify"),
    "bounds above one": ("S160", BASE + CALIBRATION + "method: logit, bounds: [1.2, 2]}\n", "", "bounds"),
    "bounds below one": ("S160", BASE + CALIBRATION + "method: linear, bounds: [0.2, 1]}\n", "", "bounds"),
    "infinite bounds": ("S160", BASE + CALIBRATION + "method: linear, bounds: [0.2, .inf]}\n", "", "bounds"),
    "trimming without a bound": ("S161", BASE + "  - {step: trimming, relative_to: mean}\n", "", "step: trimming"),
    "trimming upside down": ("S162", BASE + "  - {step: trimming, lower: 2, upper: 1}\n", "", "step: trimming"),
    "unknown factor": ("S163", "  - {step: base, source: frame, multiply: [aeg]}\n", "", "aeg"),
    "factor that is no number": ("S163", "  - {step: base, source: frame, divide: [sex]}\n", "", "divide"),
    "weight that is no number": ("S163", "  - {step: base, source: column, column: sex}\n", "", "column"),
    "class that is no group": ("S163", BASE + "  - {step: nonresponse, by: [age]}\n", ABSENT, "by: [age]"),
    "trimming within a text": ("S163", BASE + "  - {step: trimming, upper: 3, within: [interviewer]}\n", "", "interviewer]"),
    "factors of inclusion": ("S164", "  - {step: base, multiply: [age]}\n", "", "multiply"),
    "column without source": ("S164", "  - {step: base, column: age}\n", "", "column"),
    "source without column": ("S164", "  - {step: base, source: column}\n", "", "source: column"),
    "table without step": ("S166", BASE + RAKING, ABSENT, "nonrespondents:"),
    "collapse of part of a stratum": ("S168", BASE + RAKING, "collapse: [{stratum: [990101], into: [990101, 2]}]\n", "collapse"),
    "collapse into itself": ("S168", BASE, "collapse: [{stratum: ['990101', 1], into: ['990101', 1]}]\n", "collapse"),
    "collapse twice": (
        "S168", BASE, "collapse: [{stratum: ['990101', 1], into: ['990101', 2]}, {stratum: ['990101', 1], into: ['990102', 1]}]\n",
        "collapse",
    ),
}  # fmt: skip


def assert_bilingual(refused: SatisfactionError) -> None:
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.zh)
    assert refused.en.isascii()
    assert all(refused.hint)


@pytest.mark.parametrize(("code", "steps", "add", "line"), REFUSALS.values(), ids=REFUSALS)
def test_a_declaration_that_cannot_be_is_refused_by_line(declare, code, steps, add, line):
    small = declare(steps, add=add)
    with pytest.raises(SurveyError) as refused:
        small.read()
    assert refused.value.code == code
    assert_bilingual(refused.value)
    text = (small.folder / "survey.yaml").read_text(encoding="utf-8").splitlines()
    assert line in text[int(refused.value.where.rsplit(":", 1)[1]) - 1]


def test_a_base_step_from_the_frame_needs_one(declare):
    with pytest.raises(SurveyError, match="S165"):
        declare("  - {step: base, source: frame}\n", without=FRAME).read()


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("age_group", "3", "S167"), ("age_group", "", "S167"), ("county", "990909", "S167"), ("residence", "town", "S167"),
        ("age", "17", "S167"), ("age", "30.5", "S167"), ("age", "old", "S167"), ("community", "99010199", "S169"),
        ("residence", "2", "S169"),
    ],
)  # fmt: skip
def test_nonrespondents_that_the_questionnaire_does_not_know_are_refused_by_row(
    declare, column, value, code
):
    small = declare("  - {step: base, source: frame, multiply: [age]}\n" + CLASSES, add=ABSENT)
    table = absent_persons().sort_values("community", ignore_index=True)
    table.loc[1, column] = value
    table.to_csv(small.folder / "nonrespondents.csv", index=False)
    with pytest.raises(SurveyError, match=f"{code}.*nonrespondents.csv[\\s\\S]*rows 3") as refused:
        small.read()
    assert_bilingual(refused.value)


@pytest.mark.parametrize("column", ["county", "residence", "community", "age_group", "age"])
def test_nonrespondents_need_strata_psu_classes_and_what_the_weight_needs(declare, column):
    small = declare("  - {step: base, source: frame, divide: [age]}\n" + CLASSES, add=ABSENT)
    absent_persons().drop(columns=column).to_csv(small.folder / "nonrespondents.csv", index=False)
    with pytest.raises(SurveyError, match="S131"):
        small.read()


def test_a_stratum_of_the_frame_without_anybody_is_refused(declare):
    small = declare("  - {step: base, source: frame}\n", without=SAMPLE)
    rows = small.rows()
    small.write(rows[rows["county"] != "990202"])
    survey = small.read()
    with pytest.raises(SurveyError, match="S144"):
        base_design(survey, load_responses(survey))


# ---- what is read ----


def test_weights_of_nonrespondents_may_be_decimals_below_one(declare):
    small = declare("  - {step: base, source: column, column: age}\n" + CLASSES, add=ABSENT)
    small.edit(small.questionnaire, "low: 18, high: 110,", "low: 0, high: 100,")
    table = absent_persons().assign(age="0.1234567")
    table.to_csv(small.folder / "nonrespondents.csv", index=False)
    assert set(small.read().nonrespondents["age"]) == {0.1234567}


def test_other_columns_of_the_nonrespondents_are_not_kept(declare):
    survey = declare(BASE + CLASSES, add=ABSENT).read()
    assert list(survey.nonrespondents) == ["county", "residence", "community", "age_group"]
    assert survey.nonrespondents.dtypes.astype(str).to_dict()["age_group"] == "Int64"
    assert [path.name for path in survey.sources].count("nonrespondents.csv") == 1


def test_the_schema_knows_what_the_reader_knows():
    printed = CliRunner().invoke(cli, ["schema", "--kind", "survey"])
    schema = json.loads(printed.output)
    for path in sorted((ROOT / "surveys").glob("*/survey.yaml")):
        jsonschema.validate(
            json.loads(json.dumps(read_yaml(path, SurveyError).data, default=str)), schema
        )
    steps = schema["properties"]["weighting"]["items"]["discriminator"]["mapping"]
    assert sorted(steps) == ["base", "calibration", "nonresponse", "trimming"]


def test_without_these_steps_nothing_is_added(unchanged):
    accepted = load_responses(unchanged).accepted
    sampled = sampled_persons(unchanged, accepted)
    assert sampled.record is None
    assert [*accepted, "base_weight"] == list(sampled.table)
    pd.testing.assert_frame_equal(sampled.table[list(accepted)], accepted)


# ---- base weights ----


def test_base_weights_from_the_frame_count_everybody_sampled(declare):
    survey = declare(
        "  - {step: base, source: frame, multiply: [age], divide: [age]}\n" + CLASSES, add=ABSENT
    ).read()
    accepted = load_responses(survey).accepted
    sampled = sampled_persons(survey, accepted)
    everybody = len(accepted) + len(absent_persons())
    stratum = 3 * 5 + 3 * 2 + 1  # respondents and nonrespondents of three communities
    expected = sampled.table.merge(
        survey.frame.astype({"residence": int}), on=["county", "residence"]
    )["population"].astype(int)
    np.testing.assert_allclose(sampled.table["base_weight"], expected / stratum, rtol=1e-15)
    assert (sampled.table["responded"] == [1] * len(accepted) + [0] * len(absent_persons())).all()
    assert sampled.record == {
        "step": "base", "method": "frame", "sampled": everybody, "respondents": len(accepted), "strata": 8, "multiply": ["age"],
        "divide": ["age"], "missing": {"age": 8},
    }  # fmt: skip


@pytest.mark.parametrize(("key", "power"), [("multiply", 1), ("divide", -1)])
def test_a_missing_factor_counts_as_one_and_is_counted(declare, key, power):
    small = declare(f"  - {{step: base, source: frame, {key}: [age]}}\n")
    small.change(age="")
    survey = small.read()
    accepted = load_responses(survey).accepted
    sampled = sampled_persons(survey, accepted)
    age = accepted["age"].astype(float).fillna(1)
    assert age[0] == 1
    population = accepted.merge(
        survey.frame.astype({"residence": int}), on=["county", "residence"]
    )["population"].astype(int)
    share = age**power / (age**power).groupby(
        [accepted["county"], accepted["residence"]]
    ).transform("sum")
    np.testing.assert_allclose(sampled.table["base_weight"], population * share, rtol=1e-14)
    assert sampled.table["base_weight"].sum() == pytest.approx(
        survey.frame["population"].astype(int).sum()
    )
    assert sampled.record["missing"] == {"age": 1}


def test_a_column_may_hold_the_base_weight(declare):
    survey = declare("  - {step: base, source: column, column: age}\n").read()
    responses = load_responses(survey)
    design = base_design(survey, responses)
    np.testing.assert_array_equal(design.weights, responses.accepted["age"].astype(float))
    assert sampled_persons(survey, responses.accepted).record == {
        "step": "base", "method": "column", "sampled": 120, "respondents": 120, "column": "age",
    }  # fmt: skip


def test_a_column_without_a_weight_is_refused(declare):
    small = declare("  - {step: base, source: column, column: age}\n")
    small.change(age="")
    survey = small.read()
    with pytest.raises(SatisfactionError, match="D102"):
        base_design(survey, load_responses(survey))


# ---- nonrespondents ----

STEPS = BASE + CLASSES + RAKING + TRIM + RAKING


@pytest.fixture
def adjusted(declare):
    return declare(STEPS, add=ABSENT)


def test_nonrespondents_follow_the_respondents_with_nothing_but_what_is_known(adjusted):
    survey = adjusted.read()
    accepted = load_responses(survey).accepted
    table = sampled_persons(survey, accepted).table
    pd.testing.assert_frame_equal(table[list(accepted)].head(len(accepted)), accepted)
    rest = table.tail(len(absent_persons()))
    given = [
        "county",
        "residence",
        "community",
        "age_group",
        "prefecture",
        "province",
        "base_weight",
        "responded",
        "id",
    ]
    assert rest[given].notna().all().all()
    assert (
        rest[[c for c in accepted if c not in given and not c.startswith("_")]].isna().all().all()
    )
    assert table["id"].is_unique
    assert set(rest["_file"]) == {"nonrespondents.csv"}
    assert sorted(rest["_row"]) == list(range(2, 2 + len(rest)))


def test_nonrespondents_have_the_rows_of_their_file(declare):
    small = declare(BASE + CLASSES, add=ABSENT)
    path = small.folder / "nonrespondents.csv"
    head, first, *others = path.read_text(encoding="utf-8").splitlines()
    empty = "," * head.count(",")
    path.write_text("\n".join([head, first, empty, *others]), encoding="utf-8")
    survey = small.read()
    persons = sampled_persons(survey, load_responses(survey).accepted).table
    rows = persons.loc[persons["responded"] == 0, "_row"]
    assert sorted(rows) == [2, *range(4, 4 + len(others))]


def test_classes_keep_the_weight_of_everybody_sampled(declare):
    survey = declare(BASE + CLASSES, add=ABSENT).read()
    responses = load_responses(survey)
    base = base_design(survey, responses)
    rows = fetch(base.rows()).assign(before=base.weights, after=weigh(survey, base).weights)
    assert (rows.loc[rows["responded"] == 0, "after"] == 0).all()
    by_class = rows.groupby(["county", "age_group"])[["before", "after"]].sum()
    np.testing.assert_allclose(by_class["after"], by_class["before"], rtol=1e-12)
    answered = rows[rows["responded"] == 1]
    assert (
        answered.groupby(["county", "age_group"])[["after", "before"]].apply(
            lambda g: (g["after"] / g["before"]).std()
        )
        < 1e-12
    ).all()


def test_weigh_carries_out_the_steps_as_declared(adjusted):
    survey = adjusted.read()
    base = base_design(survey, load_responses(survey))
    margins = {("county", item): {} for item in ("sex", "age_group")}
    for (_, item), name in zip(margins, ("county_sex", "county_age"), strict=True):
        table = survey.margins[name].astype({item: int})
        margins["county", item] = calibration.margin_targets(table, ["county", item])
    expected = nonresponse.adjust_nonresponse(base, "responded", by=["county", "age_group"])
    expected = calibration.calibrate(expected, margins)
    expected = trimming.trim(expected, upper=1.5, relative_to="median")
    expected = calibration.calibrate(expected, margins)
    np.testing.assert_array_equal(weigh(survey, base).weights, expected.weights)


def test_bounds_method_and_spread_reach_the_steps(declare):
    steps = (
        BASE
        + "  - {step: nonresponse, method: propensity, by: [age_group]}\n"
        + CALIBRATION
        + "method: logit, bounds: [0.2, 40]}\n"
        + "  - {step: trimming, lower: 1, upper: 1000000, relative_to: none, within: [], spread: equal}\n"
    )
    survey = declare(steps, add=ABSENT).read()
    log = weigh(survey, base_design(survey, load_responses(survey))).weighting.log
    assert [record["step"] for record in log] == ["nonresponse", "calibration", "trimming"]
    assert [log[0]["method"], log[1]["method"]] == ["propensity", "logit"]
    assert tuple(log[1]["bounds"]) == (0.2, 40)
    assert (log[2]["lower"], log[2]["upper"], list(log[2]["within"])) == (1, 1_000_000, [])
    assert "equal" in log[2]["method"]


def test_nobody_who_did_not_answer_is_counted(adjusted, unchanged):
    found, plain = run(adjusted.read()), run(unchanged)
    for level, one in found.estimates.items():
        np.testing.assert_array_equal(one.table["n"], plain.estimates[level].table["n"])
    assert len(found.responses.accepted) == len(plain.responses.accepted) == 120
    assert found.absent == ()


def test_no_answer_in_the_denominator_does_not_count_nonrespondents(adjusted):
    adjusted.edit(
        adjusted.questionnaire,
        "participation: {zh: 参与率, en: Participation rate, items: [took_part]}",
        "participation: {zh: 参与率, en: Participation rate, items: [took_part], denominator: {no_answer: in}}",
    )
    found = run(adjusted.read())
    assert found.estimates["province"].of("participation").table["n"].tolist() == [120]


def test_calibrated_weights_of_the_respondents_meet_the_margins(adjusted):
    survey = adjusted.read()
    found = run(survey)
    rows = found.responses.accepted.assign(w=found.design.weights[:120])
    for name, column in (("county_sex", "sex"), ("county_age", "age_group")):
        margin = (
            survey.margins[name].astype({column: int}).set_index(["county", column])["population"]
        )
        np.testing.assert_allclose(
            rows.groupby(["county", column])["w"].sum(), margin, rtol=1.01e-10
        )
    assert (found.design.weights[120:] == 0).all()


def test_the_order_of_the_nonrespondents_does_not_matter(adjusted):
    found = run(adjusted.read())
    path = adjusted.folder / "nonrespondents.csv"
    absent_persons()[::-1].to_csv(path, index=False)
    again = run(adjusted.read())
    for level, one in found.estimates.items():
        pd.testing.assert_frame_equal(again.estimates[level].table, one.table, check_exact=True)


def test_every_engine_gives_the_same_figures(adjusted):
    survey = adjusted.read()
    found = run(survey)
    for engine in ("pandas", "polars"):
        again = run(survey, engine=engine)
        for level, one in found.estimates.items():
            pd.testing.assert_frame_equal(again.estimates[level].table, one.table, check_exact=True)


def test_a_class_without_respondents_is_refused_by_the_step(adjusted):
    rows = adjusted.rows()
    adjusted.write(rows[~((rows["county"] == "990101") & (rows["age_group"] == "1"))])
    survey = adjusted.read()
    with pytest.raises(WeightsError, match="W120"):
        weigh(survey, base_design(survey, load_responses(survey)))


def test_absent_names_calibration_also_where_another_step_is_declared(declare):
    survey = declare(BASE + CLASSES, add=ABSENT).read()
    assert "calibration" in tuple(absent_steps(survey))


# ---- collapse, log and exports ----


def test_collapsed_strata_reach_the_design_in_its_types(declare):
    add = "collapse: [{stratum: ['990101', 1], into: [990101, 2]}]\n"
    survey = declare(BASE, add=add).read()
    design = base_design(survey, load_responses(survey))
    assert design.collapse == {("990101", 1): ("990101", 2)}


@pytest.mark.usefixtures("tables_alone")
def test_the_log_starts_with_the_base_step_and_the_manifest_holds_it(declare, tmp_path):
    steps = "  - {step: base, source: frame, multiply: [age]}\n" + CLASSES + RAKING + TRIM
    results = run(declare(steps, add=ABSENT).read())
    assert [record["step"] for record in weighting_log(results)] == [
        "base",
        "nonresponse",
        "calibration",
        "trimming",
    ]
    folder = export(results, tmp_path / "set")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["steps"]["declared"] == [
        {"step": "base", "source": "frame", "multiply": ["age"]},
        {"step": "nonresponse", "by": ["county", "age_group"]},
        {
            "step": "calibration",
            "method": "raking",
            "margins": ["county_sex", "county_age"],
            "tolerance": 1e-10,
        },
        {"step": "trimming", "upper": 1.5},
    ]
    assert manifest["steps"]["weighting"][0]["missing"] == {"age": 8}
    assert "nonrespondents.csv" in manifest["inputs"]
    assert "抽样框人数" in (folder / "report.html").read_text(encoding="utf-8")
    page = (folder / "report-en.html").read_text(encoding="utf-8")
    for said in (
        "Record of the base weight",
        "Record of the nonresponse adjustment",
        "Record of the trimming",
    ):
        assert said in page


def test_the_log_of_a_wave_with_probabilities_alone_is_the_designs(unchanged):
    results = run(unchanged)
    assert weighting_log(results) == results.design.weighting.log


# ---- margins by default: roles.calibration ----

UNNAMED = "  - {step: calibration, method: raking, tolerance: 1.0e-10}\n"
MARGIN = "  {name}: {{file: {name}.csv, by: [{by}], source: 测试 test, date: 2026-01-01}}\n"
ALONE = "  sex: {file: sex.csv, by: [sex], source: 测试 test, date: 2026-01-01}\n"


def margins_of(survey) -> list[str]:
    return survey.declared.weighting[-1].margins


def test_a_calibration_that_names_no_margins_takes_those_of_the_questionnaires_items(declare):
    small = declare(BASE + RAKING)
    named_margins = run(small.read())
    small.edit("survey.yaml", RAKING, UNNAMED)
    by_default = run(small.read())
    assert margins_of(by_default.survey) == ["county_sex", "county_age"]
    np.testing.assert_array_equal(by_default.design.weights, named_margins.design.weights)
    assert by_default.survey.departures() == ()


def test_of_two_margins_the_finer_one_is_taken_and_others_are_left(declare):
    small = declare(BASE + UNNAMED)
    counts = pd.read_csv(small.folder / "county_sex.csv", dtype=str)
    whole = counts.assign(population=counts["population"].astype(float))
    whole.groupby("sex", as_index=False)["population"].sum().to_csv(
        small.folder / "sex.csv", index=False
    )
    small.edit("survey.yaml", "margins:\n", "margins:\n" + ALONE)
    assert margins_of(small.read()) == ["county_sex", "county_age"]
    residence = counts.rename(columns={"sex": "residence"})
    residence.to_csv(small.folder / "county_residence.csv", index=False)
    other = MARGIN.format(name="county_residence", by="county, residence")
    small.edit("survey.yaml", "margins:\n", "margins:\n" + other)
    assert margins_of(small.read()) == ["county_sex", "county_age"]


def test_items_to_calibrate_by_without_a_margin_are_refused(declare):
    small = declare(BASE + UNNAMED)
    line = "  county_age: {file: county_age.csv, by: [county, age_group], source: 测试 test, date: 2026-01-01}\n"
    small.edit("survey.yaml", line, "")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == "S520"
    assert "age_group" in fault.value.en
    assert "survey.yaml" in fault.value.where


def test_without_roles_to_calibrate_by_margins_must_be_named(declare):
    small = declare(BASE + UNNAMED)
    small.edit(small.questionnaire, "  calibration: [sex, age_group]\n", "")
    with pytest.raises(SurveyError) as fault:
        small.read()
    assert fault.value.code == "S520"
    small.edit("survey.yaml", UNNAMED, RAKING)
    assert margins_of(small.read()) == ["county_sex", "county_age"]


@pytest.mark.parametrize("name", ["county_sex.csv", "frame.csv"])
def test_a_population_in_tens_of_thousands_is_named(small, name):
    responses = load_responses(small.read())
    assert population_notes(small.read(), responses.accepted) == []
    table = pd.read_csv(small.folder / name)
    county = table["county"] == int(COUNTIES[0])
    table["population"] = table["population"].astype(float)
    table.loc[county, "population"] /= 10_000
    table.to_csv(small.folder / name, index=False)
    noted = population_notes(small.read(), responses.accepted)
    assert len(noted) == 1
    assert name in noted[0].en
    assert f"{COUNTIES[0]} × 1 (" in noted[0].en
    assert COUNTIES[1] not in noted[0].en


@pytest.mark.parametrize("times", [10, 0.2])
def test_a_margin_that_contradicts_the_frame_is_named(small, times):
    responses = load_responses(small.read())
    for name in ("county_sex.csv", "county_age.csv"):
        table = pd.read_csv(small.folder / name)
        of_county = table["county"] == int(COUNTIES[0])
        table["population"] *= np.where(of_county, times, 0.75)  # adults alone are no contradiction
        table.to_csv(small.folder / name, index=False)
    noted = population_notes(small.read(), responses.accepted)
    assert len(noted) == 2
    for note in noted:
        assert (
            f"frame.csv do not go together: {COUNTIES[0]} ({81_000 * times:g} / 81000)" in note.en
        )
        assert COUNTIES[1] not in note.en


def test_probabilities_of_another_size_than_the_frame_are_named(small):
    respondents = load_responses(small.read()).accepted
    table = pd.read_csv(small.folder / "sample.csv", dtype=str)
    stratum = (table["county"] == COUNTIES[1]) & (table["residence"] == "2")
    shares = table["psu_probability"].astype(float)
    table["psu_probability"] = shares.where(~stratum, shares / 10).astype(str)
    table.to_csv(small.folder / "sample.csv", index=False)
    (noted,) = population_notes(small.read(), respondents)
    assert f"do not add up to frame.csv: {COUNTIES[1]} × 2 (" in noted.en
    assert COUNTIES[0] not in noted.en


def test_weights_of_nobody_are_told(declare):
    step = "  - {step: base, source: table, table: {file: made.csv, source: 测试 test, date: 2026-01-01}}"
    small = declare(step + "\n")
    rows = small.rows()
    rows[["id"]].assign(weight=1.5).to_csv(small.folder / "made.csv", index=False)
    assert population_notes(small.read(), load_responses(small.read()).accepted) == []
    small.write(rows[:90])
    (noted,) = population_notes(small.read(), load_responses(small.read()).accepted)
    assert noted.en.startswith("made.csv has 30 weights of nobody")


@pytest.mark.parametrize("name", ["county_sex.csv", "frame.csv"])
def test_one_stratum_that_lost_its_digits_is_named(small, name):
    responses = load_responses(small.read())
    table = pd.read_csv(small.folder / name)
    table.loc[0, "population"] = 4
    table.to_csv(small.folder / name, index=False)
    (noted,) = population_notes(small.read(), responses.accepted)
    assert f"{COUNTIES[0]} × 1 (4 < " in noted.en
    assert f"{COUNTIES[0]} × 2" not in noted.en
