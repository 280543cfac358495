"""Faults of foreign forms: every planted one is found in its cell, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from pyxform import xls2xform
from pyxform.errors import PyXFormError

from satisfaction.collection.forms.xlsform_checks import RULES, check_xlsform
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.tables import write_xlsx

ZH, EN = "label::中文 (zh)", "label::English (en)"
SURVEY = ["type", "name", ZH, EN, "relevant", "constraint"]
CLEAN = [
    ["start", "start", None, None, None, None],
    ["begin_group", "about", None, None, None, None],
    ["select_one sat5", "overall", "总体", "Overall", None, None],
    ["integer", "age", "年龄", "Age", "${overall} = '1'", ". >= 18 and . <= 99"],
    ["end_group", None, None, None, None, None],
    ["text", "why", "“为什么”（请说明）", "Why (say)", "${age} > 20", "regex(., '^[（(].*')"],
]
CHOICES = [["sat5", "1", "满意", "Satisfied"], ["sat5", "2", "不满意", "Dissatisfied"]]


def workbook(path, survey=CLEAN, choices=CHOICES, columns=SURVEY, **sheets):
    tables = {"survey": pd.DataFrame(survey, columns=columns, dtype=object)}
    tables["choices"] = pd.DataFrame(choices, columns=["list_name", "name", ZH, EN], dtype=object)
    write_xlsx(tables | sheets, path)
    return check_xlsform(path)


def changed(table, row, column, value):
    """A copy of rows with one cell changed; row as in the file, the header being row 1."""
    copy = [list(record) for record in table]
    copy[row - 2][column] = value
    return copy


def found(faults):
    return [
        tuple(fault)
        for fault in faults[["sheet", "row", "column", "rule", "suggestion"]].itertuples(
            index=False
        )
    ]


def test_a_clean_form_has_no_faults(tmp_path):
    faults = workbook(tmp_path / "form.xlsx")
    assert faults.empty
    assert list(faults) == ["sheet", "row", "column", "value", "rule", "zh", "en", "suggestion"]


# row, column, value in the survey sheet; rule and suggestion
PLANTED = [
    (4, 0, "select_one　sat5", "Q224", "select_one sat5"),
    (4, 0, None, "Q212", "text"),
    (7, 1, "满意原因", "Q214", "q7"),
    (7, 1, "why not", "Q214", "why_not"),
    (7, 1, "ｗｈｙ", "Q224", "why"),
    (7, 1, "w" * 33, "Q214", "w" * 32),
    (7, 2, None, "Q217", ""),
    (7, 3, None, "Q217", ""),
    (5, 5, "(. >= 18", "Q222", "(. >= 18)"),
    (5, 5, ". = 'x", "Q222", ""),
    (5, 5, ". ＞= 18", "Q224", ". >= 18"),
]


@pytest.mark.parametrize(("row", "column", "value", "rule", "suggestion"), PLANTED)
def test_planted_faults_of_the_survey_sheet_are_found_in_their_cell(
    tmp_path, row, column, value, rule, suggestion
):
    faults = workbook(tmp_path / "form.xlsx", survey=changed(CLEAN, row, column, value))
    assert ("survey", row, SURVEY[column], rule, suggestion) in found(faults)
    assert faults.loc[faults["rule"] == rule, "value"].tolist() == [value or ""]


@pytest.mark.parametrize(
    ("column", "value", "rule", "suggestion"),
    [
        (1, "很 满意", "Q219", "3"),
        (1, "very good", "Q219", "very_good"),
        (1, "good", "Q220", "2"),
        (1, "２", "Q224", "2"),
        (0, None, "Q226", ""),
        (2, None, "Q217", ""),
    ],
)
def test_planted_faults_of_the_choices_sheet_are_found_in_their_cell(
    tmp_path, column, value, rule, suggestion
):
    faults = workbook(tmp_path / "form.xlsx", choices=changed(CHOICES, 3, column, value))
    assert {(f[0], f[1], f[3]) for f in found(faults)} == {("choices", 3, rule)}
    assert rule in ("Q219", "Q220") or suggestion in faults["suggestion"].tolist()


def test_labels_missing_in_every_language_are_found(tmp_path):
    survey = changed(changed(CLEAN, 7, 2, None), 7, 3, None)
    assert found(workbook(tmp_path / "form.xlsx", survey=survey)) == [
        ("survey", 7, "label", "Q216", "")
    ]


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (4, 0, "select_one sat_5"),
        (4, 0, "selct_one sat5"),
        (7, 1, "age"),
        (7, 4, "${ag} > 20"),
        (6, 0, "end_repeat"),
    ],
)
def test_what_is_left_to_collecting_tools_is_refused_by_them(tmp_path, row, column, value):
    path = tmp_path / "form.xlsx"
    assert workbook(path, survey=changed(CLEAN, row, column, value)).empty
    with pytest.raises(PyXFormError):
        xls2xform.xls2xform_convert(str(path), str(tmp_path / "form.xml"), validate=False)


@pytest.mark.parametrize(
    ("header", "suggestion"),
    [
        ("提示", "hint::中文 (zh)"),
        ("relevent", "relevant"),
        ("Label::中文 (zh)", "label::中文 (zh)"),
    ],
)
def test_unknown_headers_are_found(tmp_path, header, suggestion):
    survey = [[*row, "x"] for row in CLEAN]
    faults = workbook(tmp_path / "form.xlsx", survey=survey, columns=[*SURVEY, header])
    assert found(faults) == [("survey", 1, header, "Q211", suggestion)]


def test_own_and_tools_headers_are_known(tmp_path):
    survey = [[*row, "1", "2", "3"] for row in CLEAN]
    columns = [*SURVEY, "sat::type", "bind::odk:length", "parameters"]
    assert workbook(tmp_path / "form.xlsx", survey=survey, columns=columns).empty


def test_missing_sheets_and_columns_are_faults_not_crashes(tmp_path):
    write_xlsx(
        {"choices": pd.DataFrame(CHOICES, columns=["list", "name", ZH, EN])}, tmp_path / "form.xlsx"
    )
    assert {f[:4] for f in found(check_xlsform(tmp_path / "form.xlsx"))} >= {
        ("survey", 0, "", "Q210"), ("choices", 1, "", "Q210"),
    }  # fmt: skip


def test_two_columns_of_one_name_are_refused(tmp_path):
    survey = [[*row, "x"] for row in CLEAN]
    with pytest.raises(InputFileError, match="F108"):
        workbook(tmp_path / "form.xlsx", survey=survey, columns=[*SURVEY, "type"])


def test_every_rule_speaks_both_languages_and_is_planted():
    assert all(
        re.search("[\u4e00-\u9fff]", zh) and re.search("[a-z]{3} [a-z]", en)
        for zh, en in RULES.values()
    )
    source = Path(__file__).read_text(encoding="utf-8")
    assert [rule for rule in RULES if f'"{rule}"' not in source] == []
