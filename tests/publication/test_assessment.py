"""tests.csv and reliability.csv: what `tests` of survey.yaml asks for, with null, df, method and multiplicity."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

import satisfaction as sat
from satisfaction.foundation.errors import SurveyError
from satisfaction.publication.assessment import assessment_tables, groups_tested
from satisfaction.publication.file_set import export


def declare(small, tests: str):
    small.edit("survey.yaml", "level: 0.95", f"level: 0.95\ntests: {tests}")
    return small.read()


def rows_of(path):
    return pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, dtype=str)


def test_nothing_is_tested_unless_declared(unchanged, tmp_path):
    folder = export(sat.run(unchanged), tmp_path / "set")
    assert not list(folder.glob("tests.*")) + list(folder.glob("reliability.*"))


def test_the_files_hold_what_the_functions_give(small, tmp_path):
    results = sat.run(declare(small, "{}"))
    folder = export(results, tmp_path / "set")
    rows = rows_of(folder / "tests.csv")
    assert set(rows["test"]) == {"pair", "means", "ranks", "independence", "coefficient", "joint"}
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
