"""tests.csv and reliability.csv: what `tests` of survey.yaml asks for, with null, df, method and multiplicity."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import openpyxl
import pandas as pd
import pytest
from tests.comparison.test_cycle import publish, quarter

import satisfaction as sat
from satisfaction.declarations.survey import what_is_tested
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.file_sets import mark_handed_over
from satisfaction.foundation.language import Text, use
from satisfaction.publication import ranking_workbook
from satisfaction.publication.assessment import assessment_tables, groups_tested
from satisfaction.publication.file_set import export, export_part

pytestmark = pytest.mark.usefixtures("tables_alone")


def declare(small, tests: str):
    small.edit("survey.yaml", "level: 0.95", f"level: 0.95\ntests: {tests}")
    return small.read()


def rows_of(path):
    return pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, dtype=str)


def test_the_usual_tests_where_nothing_is_declared(unchanged, tmp_path, call):
    results = sat.run(unchanged)
    folder = export(results, tmp_path / "set")
    rows = rows_of(folder / "tests.csv")
    assert set(rows["test"]) == {"rest"}
    rest = sat.against_rest(results.design, "topic_index", by="county").table
    assert rows["first"].tolist() == rest["area"].astype(str).tolist()
    for column, name in {"se": "se", "df": "df", "p": "p", "p_holm": "p_adjusted"}.items():
        assert rows[name].astype(float).to_numpy() == pytest.approx(
            rest[column].to_numpy(), rel=1e-11
        )
    assert (rows[["null", "method", "multiplicity"]] != "").all(axis=None)
    reliability = rows_of(folder / "reliability.csv")
    assert set(reliability["part"]) == {"index", "item", "interviewers", "interviewer"}
    assert (reliability[["null", "method", "multiplicity"]] != "").all(axis=None)
    # the default is printed wherever it is used
    words = what_is_tested(unchanged)
    assert "every area against all others together" in words.en
    assert "by default" in words.en
    page = (folder / "report-en.html").read_text("utf-8")
    assert words.en.replace("`", "") in page.replace("`", "")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["tests"] == words.both
    code, out, _err = call("check", unchanged.folder)
    assert (code, words.en in out) == (0, True)


def test_no_tests_where_they_are_switched_off(small, tmp_path, call):
    survey = declare(small, "none")
    for same in ("false", "'none'"):
        small.edit("survey.yaml", "tests: none", f"tests: {same}")
        assert small.read().declared.tested == survey.declared.tested
        assert what_is_tested(small.read()) == what_is_tested(survey)
        small.edit("survey.yaml", f"tests: {same}", "tests: none")
    folder = export(sat.run(survey), tmp_path / "set")
    assert not list(folder.glob("tests.*")) + list(folder.glob("reliability.*"))
    assert sat.verify(folder).code == 0
    _code, out, _err = call("run", small.folder)
    assert "tests: none" in out


def test_interviewers_stand_under_pseudonyms(small):
    rows = small.rows()
    rows["interviewer"] = rows["interviewer"].replace({"I0": "王小明", "I1": "13800138000"})
    small.write(rows)
    results = sat.run(small.read())
    table = assessment_tables(results)["reliability"]
    assert not table.map(lambda cell: "王小明" in str(cell) or "13800138000" in str(cell)).any(
        axis=None
    )
    each = table[table["part"] == "interviewer"].set_index("item")
    assert sorted(each.index) == ["interviewer 1", "interviewer 2", "interviewer 3"]
    # without each of them, from the rows of the others alone; the correlation knows no scale
    columns = ["interviewer", "_score__topic_index", "_valid__topic_index"]
    people = fetch(results.design.rows().select(*columns)).set_axis(
        ["interviewer", "score", "valid"], axis="columns"
    )
    people = people[people["valid"] == 1].astype({"score": float})
    codes = list(dict.fromkeys(results.responses.accepted["interviewer"]))
    for number, code in enumerate(codes, start=1):
        design = sat.SurveyDesign(people[people["interviewer"] != code])
        alike = sat.intraclass_correlation(design, "score", by="interviewer")
        row = each.loc[f"interviewer {number}"]
        assert row["coefficient"] == pytest.approx(alike.rho, rel=1e-9)
        assert row["n"] == (people["interviewer"] == code).sum()


# ---- change


@pytest.fixture
def two_waves(small_template, tmp_path):
    """Two quarters that share their communities; the first was handed over."""
    root = tmp_path / "small"
    shutil.copytree(small_template, root)
    first = quarter(root, "2026Q1", worst="990101", best="990202", rules="")
    mark_handed_over(publish(first))
    later = quarter(
        root, "2026Q2", worst="990202", best="990101", earlier=[f"../{first.name}"], rules=""
    )
    return first, later


def test_change_since_the_wave_before(two_waves, call):
    first, later = two_waves
    results = sat.run(sat.read_survey(later))
    folder = publish(later)
    rows = rows_of(folder / "tests.csv")
    rows = rows[rows["test"] == "change"]
    earlier = sat.run(sat.read_survey(first))
    for level, count in (("county", 4), ("province", 1)):
        measure = "topic_index"
        moved = sat.change(
            results.estimates[level].of(measure), earlier.estimates[level].of(measure)
        )
        assert moved.conventions["shared_psus"] == 24
        written = rows[rows["variable"] == level]
        assert len(written) == count
        assert set(written["second"]) == {"2026Q1"}
        names = {
            "difference": "difference",
            "se": "se",
            "df": "df",
            "p": "p",
            "p_holm": "p_adjusted",
        }
        for column, name in names.items():
            figures = pd.to_numeric(written[name]).to_numpy()
            assert figures == pytest.approx(moved.table[column].to_numpy(), rel=1e-10, nan_ok=True)
            assert np.isfinite(figures).sum() >= (count + 1) // 2, column
    assert rows.loc[rows["variable"] == "province", "first"].tolist() == ["990000"]
    # the earlier wave's answers are inputs of this set
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert f"../{first.name}/responses/all.csv" in manifest["inputs"]
    assert sat.verify(folder).code == 0
    assert "change since 2026Q1" in call("check", later)[1]


def test_no_change_is_tested_against_answers_that_were_not_published(two_waves):
    first, later = two_waves
    before = publish(later)
    path = first / "responses" / "all.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows["streets"] = "5"
    rows.to_csv(path, index=False)
    tables = assessment_tables(sat.run(sat.read_survey(later)))
    change = tables["tests"][tables["tests"]["test"] == "change"]
    assert change["p"].isna().all()
    assert change["note"].str.contains("no longer gives its file set").all()
    found = sat.verify(before)
    assert found.code == 11
    assert found.inputs == {f"../{first.name}/responses/all.csv": "changed"}


def test_a_wave_before_whose_answers_cannot_be_read_stops_nothing(two_waves):
    first, later = two_waves
    (first / "responses" / "all.csv").unlink()
    change = assessment_tables(sat.run(sat.read_survey(later)))["tests"]
    notes = change.loc[change["test"] == "change", "note"]
    assert len(notes) == 2
    assert notes.str.match(r"[A-Z]\d{3} ").all()


def test_without_the_answers_of_the_wave_before_it_is_said(two_waves):
    first, later = two_waves
    (first / "survey.yaml").unlink()
    survey = sat.read_survey(later)
    assert "no change since 2026Q1" in what_is_tested(survey).en
    tests = assessment_tables(sat.run(survey))["tests"]
    assert set(tests["test"]) == {"rest"}


def test_the_files_hold_what_the_functions_give(small, tmp_path):
    results = sat.run(declare(small, "{}"))
    folder = export(results, tmp_path / "set")
    rows = rows_of(folder / "tests.csv")
    kinds = {"pair", "rest", "means", "ranks", "independence", "coefficient", "joint"}
    assert set(rows["test"]) == kinds
    assert (rows[["null", "method", "multiplicity"]] != "").all(axis=None)
    assert (rows.loc[rows["test"] != "independence", "df"] != "").all()
    # pairs of areas
    pairs = sat.all_pairs(results.ranked).table
    written = rows[rows["test"] == "pair"]
    for column, name in {
        "difference": "difference",
        "se": "se",
        "df": "df",
        "p": "p",
        "p_holm": "p_adjusted",
    }.items():
        assert written[name].astype(float).to_numpy() == pytest.approx(
            pairs[column].to_numpy(), rel=1e-11
        )
    # two groups, adjusted over the means tested
    means = rows[rows["test"] == "means"].set_index("variable")
    test = sat.t_test(results.design, "topic_index", "sex").table.iloc[0]
    assert float(means.loc["sex", "p"]) == pytest.approx(test["p"], rel=1e-11)
    smallest = means["p"].astype(float).min()
    assert means["p_adjusted"].astype(float).min() == pytest.approx(
        min(1, smallest * len(means)), rel=1e-11
    )
    # reliability
    written = rows_of(folder / "reliability.csv").set_index(["part", "item"])
    alpha = sat.reliability(results.design, results.survey.questionnaire, "topic_index")
    assert float(written.loc[("index", ""), "weighted_coefficient"]) == pytest.approx(
        alpha.weighted_alpha, rel=1e-11
    )
    assert float(written.loc[("item", "parks"), "coefficient"]) == pytest.approx(
        alpha.table.set_index("item").loc["parks", "item_total"], rel=1e-11
    )
    assert ("interviewers", "interviewer") in written.index
    # no interviewer, no respondent in any of it; described and verified as the others
    content = (folder / "tests.csv").read_text("utf-8-sig") + (
        folder / "reliability.csv"
    ).read_text("utf-8-sig")
    assert "I1" not in content
    assert "P001" not in content
    names = [
        resource["name"]
        for resource in json.loads((folder / "datapackage.json").read_text())["resources"]
    ]
    assert {"tests", "reliability"} <= set(names)
    found = sat.verify(folder)
    assert (found.code, found.differing) == (0, ())
    assert sat.verify(folder).compared > 29


def test_what_is_declared_is_tested_and_no_more(small):
    survey = declare(
        small,
        "{groups: [sex], measures: [awareness], pairs: false, regression: false, reliability: false}",
    )
    tables = assessment_tables(sat.run(survey))
    assert list(tables) == ["tests"]
    table = tables["tests"]
    assert set(table["variable"]) == {"sex"}
    assert set(table.loc[table["test"] == "means", "measure"]) == {"awareness"}
    assert "pair" not in set(table["test"])


def test_small_groups_and_withheld_areas_are_not_tested(small):
    declare(small, "{}")
    path = small.folder / "rules.yaml"
    rule = "\nsuppression: {minimum_n: 27, complementary: off, source: test}\n"
    path.write_text(path.read_text("utf-8") + rule, encoding="utf-8")
    results = sat.run(small.read())
    table = assessment_tables(results)["tests"]
    withheld = results.ranked.table.loc[results.ranked.table["estimate"].isna(), "county"]
    assert 0 < len(withheld) < 4
    pairs = table[table["test"] == "pair"]
    touched = pairs["first"].isin(withheld) | pairs["second"].isin(withheld)
    assert pairs.loc[touched, ["difference", "se", "p"]].isna().all(axis=None)
    assert pairs.loc[~touched, ["difference", "se", "p"]].notna().all(axis=None)
    assert "age_group" in groups_tested(results)
    smallest = results.responses.accepted["age_group"].value_counts().min()
    rule = results.survey.rules.suppression.model_copy(update={"minimum_n": int(smallest) + 1})
    rules = results.survey.rules.model_copy(update={"suppression": rule})
    stricter = dataclasses.replace(results, survey=dataclasses.replace(results.survey, rules=rules))
    assert "age_group" not in groups_tested(stricter)


def test_a_group_that_is_no_item_is_refused(small):
    with pytest.raises(SurveyError, match="S163"):
        declare(small, "{groups: [county]}")


def test_without_a_probability_sample_nothing_is_tested(small, tmp_path):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    folder = export(sat.run(declare(small, "{}")), tmp_path / "set")
    assert not (folder / "tests.csv").exists()


def test_what_all_tests_share_stands_once_above_them_and_no_name_is_cut(small, tmp_path):
    """On paper eleven columns, three of them the same words in every row, cut the names of the areas."""
    results = sat.run(small.read())
    export_part(results, tmp_path / "out", "tests")
    book = openpyxl.load_workbook(tmp_path / "out" / "tests-en.xlsx")
    sheet = book.worksheets[0]
    rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    lines = [str(row[0]) for row in rows if len(row) == 1]
    assert any(line.startswith("method: two-sided t") for line in lines), lines
    header = next(row for row in rows if "p" in row)
    assert "method" not in header
    assert {"difference", "se", "p, adjusted"} <= set(header)
    place = header.index("first group") + 1
    longest = max(len(str(row[place - 1])) for row in rows if len(row) == len(header))
    width = sheet.column_dimensions[openpyxl.utils.get_column_letter(place)].width
    assert width >= longest


def test_the_name_of_an_area_has_room_on_paper():
    name = "Wuchuan Gelao and Miao Autonomous County"
    table = pd.DataFrame({"name_zh": ["务川仡佬族苗族自治县"], "name_en": [name]})
    with use("en"):
        column = ranking_workbook._named(table, "name", Text("地区", "area"), width=26)
    assert list(column.cells) == [name]
    assert column.width > len(name)
