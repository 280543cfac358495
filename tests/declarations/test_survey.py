"""Survey folders: each refusal names file, line and the way out; what may be absent may be absent."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from conftest import COUNTIES, ROOT
from satisfaction import SatisfactionError, load_responses, read_survey, run
from satisfaction.declarations.facts import read_history, read_outcomes, tree_of
from satisfaction.declarations.weighting_record import (
    TriedRecipe,
    WeightingRecord,
    read_weighting_record,
    write_weighting_record,
)
from satisfaction.foundation.errors import (
    InputFileError,
    QuestionnaireError,
    ResponsesError,
    SurveyError,
)
from satisfaction.foundation.tables import read_table, write_csv
from satisfaction.foundation.yaml import read_yaml, validated, yaml_text


def refusal(small, file: str, old: str, new: str) -> SatisfactionError:
    small.edit(file, old, new)
    with pytest.raises(SatisfactionError) as refused:
        small.read()
    return refused.value


REFUSALS = [
    ("Y201", "survey.yaml", "lonely_psu: fail", "lonly_psu: fail", "lonly_psu"),
    ("Y201", "rules.yaml", "  minimum_n: 10", "  minimum: 10", "minimum: 10"),
    ("Y202", "survey.yaml", "selection: probability\n", "", None),
    ("Y203", "survey.yaml", "selection: probability", "selection: random", "selection:"),
    ("Y203", "survey.yaml", "level: 0.95", "level: 95", "level: 95"),
    ("Y203", "rules.yaml", '"990101": {top: 2}', "990101: {top: 2}", "990101"),
    ("S101", "survey.yaml", "questionnaire: small@1", "questionnaire: small@2", "questionnaire:"),
    ("S121", "survey.yaml", "sample: {file: sample.csv, source: 测试 test, date: 2026-01-01}\n", "", "step: base"),
    ("S122", "survey.yaml", "margins: [county_sex, county_age]", "margins: [county_sex, county_aeg]", "margins: [county"),
    ("S132", "survey.yaml", "by: [county, age_group]", "by: [county, agegroup]", "agegroup"),
    ("S141", "rules.yaml", '"990101"', '"990109"', '"990109"'),
    ("S142", "rules.yaml", "top: 2", "top: 4", "top: 4"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "file", "old", "new", "line"),
    REFUSALS,
    ids=[f"{code}-{i}" for i, (code, *_) in enumerate(REFUSALS)],
)
def test_refused_with_code_line_and_both_languages(small, code, file, old, new, line):
    refused = refusal(small, file, old, new)
    assert isinstance(refused, SurveyError)
    assert refused.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.zh)
    assert refused.en.isascii()
    path = small.folder / file
    if line:
        number = next(
            i
            for i, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
            if line in text
        )
        assert refused.where == f"{path}:{number}"


@pytest.mark.parametrize(
    ("file", "old", "new", "meant"),
    [
        ("survey.yaml", "lonely_psu: fail", "lonly_psu: fail", "lonely_psu"),
        (
            "survey.yaml",
            "margins: [county_sex, county_age]",
            "margins: [county_sex, county_aeg]",
            "county_age",
        ),
        ("survey.yaml", "questionnaire: small@1", "questionnaire: smal@1", "small@1"),
        ("survey.yaml", "by: [county, age_group]", "by: [county, agegroup]", "age_group"),
    ],
)
def test_a_near_miss_is_proposed(small, file, old, new, meant):
    assert f"Did you mean '{meant}'?" in str(refusal(small, file, old, new))


def test_a_response_file_that_is_not_there_is_refused(small):
    small.edit("survey.yaml", "responses/*.csv", "responses/al.csv")
    with pytest.raises(
        ResponsesError, match=r"R321[\s\S]*F103[\s\S]*al\.csv[\s\S]*R320[\s\S]*responses/all\.csv"
    ):
        load_responses(small.read())


@pytest.mark.parametrize("file", ["areas.csv", "rules.yaml"])
def test_a_missing_file_of_the_folder_is_refused(small, file):
    (small.folder / file).unlink()
    with pytest.raises(InputFileError, match="F101"):
        small.read()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="F101"):
        read_survey(tmp_path / "nowhere")


def test_a_questionnaire_with_a_fault_is_refused_as_such(small):
    small.edit(small.questionnaire, "score: 25,", "score: 101,")
    with pytest.raises(QuestionnaireError, match="Y203"):
        small.read()


def test_a_table_without_a_column_is_refused(small):
    small.edit("sample.csv", "psu_probability", "psu_probabilty")
    with pytest.raises(
        SurveyError, match=r"S131[\s\S]*sample\.csv row 1[\s\S]*Did you mean 'psu_probabilty'"
    ):
        small.read()


@pytest.mark.parametrize("value", ["many", "-5", "", "inf"])
def test_a_population_that_is_no_count_is_refused(small, value):
    small.edit("county_sex.csv", "990101,2,41000", f"990101,2,{value}")
    with pytest.raises(SurveyError, match=r"S133[\s\S]*rows? 3"):
        small.read()


@pytest.mark.parametrize("value", ["many", "-5", "", "41,000", "12%"])
def test_a_frame_with_what_is_no_count_is_refused(small, value):
    frame = read_table(small.folder / "frame.csv")
    frame.loc[1, "population"] = value
    write_csv(frame, small.folder / "frame.csv")
    with pytest.raises(SurveyError, match=r"S133[\s\S]*rows? 3"):
        small.read()


@pytest.mark.parametrize("population", ["as it was", "1"])
def test_a_stratum_that_stands_twice_in_the_frame_is_not_counted_twice(small, population):
    frame = read_table(small.folder / "frame.csv")
    again = frame[:1]
    if population != "as it was":
        again = again.assign(population=population)
    write_csv(pd.concat([frame, again]), small.folder / "frame.csv")
    with pytest.raises(SurveyError, match=rf"S134[\s\S]*rows? {len(frame) + 2}"):
        small.read()


def test_parts_of_a_stratum_that_another_column_tells_apart_are_a_frame(small):
    frame = read_table(small.folder / "frame.csv")
    parts = pd.concat([frame.assign(village="A"), frame.assign(village="B")])
    write_csv(parts, small.folder / "frame.csv")
    assert len(small.read().frame) == 2 * len(frame)


def test_refused_rows_are_numbered_as_in_the_file_empty_ones_counted(tmp_path):
    path = tmp_path / "outcomes.csv"
    path.write_text("code,disposition\n\n1,I\n ,\n2,??\n", encoding="utf-8")
    with pytest.raises(SatisfactionError, match=r"S192[\s\S]*rows 5"):
        read_outcomes(path)
    path.write_text("wave,code,rank,listed\n2026Q1,1,1,no\n\n2026Q1,1,2,no\n", encoding="utf-8")
    with pytest.raises(SatisfactionError, match=r"S176[\s\S]*rows 4"):
        read_history(path, wave="")


def test_a_level_that_stands_twice_in_a_margin_is_refused(small):
    small.edit("county_sex.csv", "990101,2,41000", "990101,2,41000\n990101,2,1000")
    with pytest.raises(SurveyError):
        small.read()


def test_a_margin_level_that_is_no_answer_is_refused(small):
    small.edit("county_sex.csv", "990101,2,41000", "990101,female,41000")
    with pytest.raises(SurveyError):
        small.read()


def test_a_margin_by_text_is_refused(small):
    small.edit("survey.yaml", "by: [county, sex]", "by: [interviewer]")
    pd.DataFrame({"interviewer": ["I0", "I1", "I2"], "population": [1, 2, 3]}).to_csv(
        small.folder / "county_sex.csv", index=False
    )
    with pytest.raises(SurveyError):
        small.read()


def test_an_area_item_needs_a_table_of_areas(small):
    small.edit("rules.yaml", 'targets:\n  "990101": {top: 2}', "targets: {}")
    small.edit("survey.yaml", "areas: {file: areas.csv, source: 测试 test, date: 2026-01-01}\n", "")
    with pytest.raises(SurveyError):
        small.read()


def test_a_table_of_areas_whose_lowest_level_is_none_is_refused(small):
    areas = (
        (small.folder / "areas.csv")
        .read_text(encoding="utf-8")
        .replace(",county,", ",district,", 1)
        .replace(",county,", ",town,")
    )
    (small.folder / "areas.csv").write_text(areas, encoding="utf-8")
    with pytest.raises(SurveyError, match="S146"):
        small.read().area_levels()


def test_a_larger_area_that_stands_twice_is_refused_where_names_are_read(small):
    path = small.folder / "areas.csv"
    areas = read_table(path)
    larger = areas[areas["level"] == "prefecture"].head(1)
    write_csv(pd.concat([areas, larger]), path)
    with pytest.raises(SurveyError, match=r"S146[\s\S]*stands twice"):
        small.read()


def test_a_table_of_areas_without_a_top_is_refused(small):
    small.edit(
        "areas.csv",
        "990000,测试省,Test Province,province,,",
        "990000,测试省,Test Province,province,980000,",
    )
    with pytest.raises(SurveyError):
        small.read().whole()


@pytest.mark.parametrize("parent", ["990101", "990777"])
def test_a_parent_that_is_the_area_itself_or_unknown_is_refused(small, parent):
    small.edit("areas.csv", "County 990101,county,990100", f"County 990101,county,{parent}")
    with pytest.raises(SurveyError):
        small.read()


def test_a_sample_for_a_questionnaire_without_psu_says_so(small):
    small.edit(small.questionnaire, "  psu: community\n", "")
    with pytest.raises(SurveyError) as refused:
        small.read()
    assert "None" not in str(refused.value)


@pytest.mark.parametrize("pattern", ["/absolute/*.csv", ""])
def test_a_pattern_that_cannot_be_below_the_folder_is_refused(small, pattern):
    small.edit("survey.yaml", "files: [responses/*.csv]", f'files: ["{pattern}"]')
    with pytest.raises(SatisfactionError):
        small.read()


def test_a_fielding_period_that_ends_before_it_starts_is_refused(small):
    small.edit("survey.yaml", "end: 2026-04-26", "end: 2026-03-26")
    with pytest.raises(SurveyError):
        small.read()


def test_a_day_that_does_not_exist_is_refused(small):
    small.edit("survey.yaml", "end: 2026-04-26", "end: 2026-02-30")
    with pytest.raises(SurveyError):
        small.read()


def test_a_stratum_without_population_needs_no_sample(small):
    small.edit("frame.csv", "990202,2,60000", "990202,2,60000\n990202,3,0")
    assert len(small.read().frame) == 9


# ---- what is read ----


def test_areas_levels_and_names(unchanged):
    assert unchanged.area_levels() == ["county", "prefecture"]
    assert unchanged.whole() == "province"
    assert tuple(unchanged.ranked_areas()) == COUNTIES
    assert (unchanged.area_names()["990101"].zh, unchanged.area_names()["990101"].en) == (
        "县990101",
        "County 990101",
    )


def test_an_area_that_is_no_longer_valid_is_not_ranked(small):
    path = small.edit(
        "areas.csv",
        "990202,县990202,County 990202,county,990200,2020-01-01,",
        "990202,县990202,County 990202,county,990200,2020-01-01,2025-12-31",
    )
    assert path.exists()
    assert tuple(small.read().ranked_areas()) == COUNTIES[:3]


def test_codes_stay_text_and_margins_are_numbers(unchanged):
    assert unchanged.sample["community"].tolist()[:2] == ["99010110", "99010111"]
    assert unchanged.margins["county_sex"]["population"].tolist()[:2] == [40_000.0, 41_000.0]


def test_every_file_read_is_listed(unchanged):
    assert sorted(p.name for p in unchanged.sources) == [
        "1.yaml",
        "areas.csv",
        "county_age.csv",
        "county_sex.csv",
        "frame.csv",
        "rules.yaml",
        "sample.csv",
        "survey.yaml",
    ]
    assert [p.name for p in unchanged.files] == ["all.csv"]
    assert all(p.is_file() for p in (*unchanged.sources, *unchanged.files))


def test_a_survey_cannot_be_changed(unchanged):
    with pytest.raises(dataclasses.FrozenInstanceError):
        unchanged.rules = None


def test_marks_say_simulated_and_no_design_error(small, unchanged):
    assert unchanged.marks is None
    small.edit(
        "survey.yaml",
        "selection: probability",
        "selection: open_link\nsimulated: {seed: 1, note: {zh: 模拟, en: simulated}}",
    )
    marks = small.read().marks
    assert "simulated" in marks.en
    assert "no sampling error" in marks.en
    assert "模拟数据" in marks.zh
    assert "没有抽样误差" in marks.zh


def test_response_files_are_listed_once_in_order(small):
    for name in ("b.csv", "a.csv", "~$a.csv", ".hidden.csv"):
        (small.folder / "responses" / name).write_text("x", encoding="utf-8")
    small.edit(
        "survey.yaml", "files: [responses/*.csv]", "files: [responses/b.csv, responses/*.csv]"
    )
    assert [p.name for p in small.read().files] == ["b.csv", "a.csv", "all.csv"]


@pytest.mark.parametrize("wave", ["guizhou-2026q2", "guizhou-2026q3"])
def test_a_shipped_wave_ranks_88_counties_in_9_prefectures(wave):
    survey = read_survey(ROOT / "surveys" / wave)
    assert len(survey.ranked_areas()) == 88
    assert ((survey.areas["level"] == "prefecture") & (survey.areas["valid_to"] == "")).sum() == 9
    assert len(survey.frame) == 175
    assert survey.marks is not None
    assert "simulated" in survey.marks.en


# ---- what a template leaves open ----


@pytest.mark.parametrize("path", ["rules.yaml", "survey.yaml"])
def test_a_placeholder_is_warned_of_by_check_and_refused_by_run_and_report(small, call, path):
    text = (
        (small.folder / path)
        .read_text(encoding="utf-8")
        .replace("测试 test", "请写明来源 state the source", 1)
    )
    (small.folder / path).write_text(text, encoding="utf-8")
    line = 1 + next(i for i, one in enumerate(text.splitlines()) if "请写明来源" in one)
    code, _, said = call("check", small.folder)
    assert code == 0
    assert f"{small.folder / path}:{line}" in said
    for command in ("run", "report"):
        code, _, said = call(command, small.folder)
        assert code == 2
        assert f"[Y340] {small.folder / path}:{line}" in said
    assert not (small.folder / "out").exists()


@pytest.mark.parametrize("text", ["请写明来源", "state the source", "请填写", "please fill in"])
def test_half_a_placeholder_and_one_in_the_questionnaire_are_refused_too(small, text):
    small.edit(
        small.questionnaire,
        "    min_valid_items: 2\n    source: 测试 test",
        f"    min_valid_items: 2\n    source: {text}",
    )
    with pytest.raises(SurveyError, match=r"Y340.*1\.yaml:"):
        run(small.read())


def test_comments_may_hold_what_a_template_says(small):
    small.edit(
        "rules.yaml", "responses:", "# 请写明来源 state the source\nresponses: # please fill in"
    )
    assert run(small.read()).ranking.summary["p"] == 4


def test_a_record_of_trials_has_one_form_and_a_change_by_another_hand_is_read(tmp_path):
    path = tmp_path / "weighting_trials.yaml"
    record = WeightingRecord()
    for number in range(3):
        step = {"step": "trimming", "upper": 2.5 + number, "relative_to": "mean"}
        tried = {"name": f"a trial: {number}", "weighting": [{"step": "base"}, step]}
        tried |= {"estimate": 70.25, "se": 0.5, "effective_n": 100.0, "entered": ["990101"]}
        record = record.with_trials([TriedRecipe.model_validate(tried)])
        write_weighting_record(record, path)
        content = record.model_dump(mode="json", exclude_unset=True)
        text = path.read_text(encoding="utf-8")
        assert text == yaml_text(content)
        assert read_weighting_record(path) is record
        assert validated(read_yaml(path, SurveyError), WeightingRecord, SurveyError) == record
    path.write_text(text.replace("70.25", "71.25", 1), encoding="utf-8")
    assert [one.estimate for one in read_weighting_record(path).trials] == [71.25, 70.25, 70.25]


def test_the_tree_of_a_table_is_that_of_this_very_table(small):
    survey = small.read()
    assert tree_of(survey.areas) is tree_of(survey.areas)
    moved = survey.areas.assign(parent=survey.areas["parent"].replace("990200", "990100"))
    other = dataclasses.replace(survey, areas=moved)
    assert other.parents()["990201"] == "990100"
    assert survey.parents()["990201"] == "990200"
    assert other.levels() == survey.levels()
    assert survey.domain_values("county") == ["990101", "990102", "990201", "990202"]
    assert survey.domain_values("street") == []


UNDER_TARGETS = "targets:\n  {code}: {{top: 1}}"


@pytest.mark.parametrize(
    ("file", "old", "new", "zh", "en"),
    [
        ("survey.yaml", "wave: 2026T1", "wave: 2026年第三季度", "如 2026Q3", "such as 2026Q3"),
        ("survey.yaml", "[county, sex]", "[county，sex]", "如 county", "such as county"),
        ("rules.yaml", "targets:", UNDER_TARGETS.format(code="县"), "520102", "520102"),
        ("rules.yaml", "targets:", UNDER_TARGETS.format(code=990209), "引号", "in quotes"),
    ],
)
def test_the_form_of_a_value_is_told_in_words_and_not_as_a_pattern(small, file, old, new, zh, en):
    small.edit(file, old, new)
    with pytest.raises(SatisfactionError, match="Y203") as fault:
        small.read()
    assert zh in fault.value.zh
    assert en in fault.value.en
    assert "^" not in fault.value.zh
