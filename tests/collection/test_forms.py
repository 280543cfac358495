"""Form exchange: a questionnaire goes out as an XLSForm and comes back equal; what is edited in the form counts."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyxform import xls2xform

from conftest import ROOT
from satisfaction.collection.forms import questionnaire_yaml, write_forms, write_yaml
from satisfaction.collection.forms.xlsform import (
    condition,
    read_xlsform,
    write_xlsform,
    xlsform_sheets,
)
from satisfaction.collection.forms.xlsform_checks import check_xlsform
from satisfaction.declarations.questionnaire import RESERVED, Questionnaire, read_questionnaire
from satisfaction.foundation.errors import ExportError, QuestionnaireError
from satisfaction.foundation.tables import write_xlsx
from system_packages import NEEDS_JAVA

SHIPPED = [
    *sorted((ROOT / "questionnaires").glob("*/*.yaml")),
    ROOT / "tests/small/questionnaires/small/1.yaml",
]
ZH, EN = "label::中文 (zh)", "label::English (en)"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cn"]), min_size=1, max_size=20)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in RESERVED
)
CODE = st.integers(-999, 999)


def exactly(questionnaire: Questionnaire) -> str:
    """Everything a questionnaire holds, in its order."""
    return questionnaire.model_dump_json()


def label(**more):
    return st.fixed_dictionaries({"zh": TEXT, "en": TEXT, **more})


@st.composite
def coded(draw, main: str, choice):
    """Answers (or options) and special codes that do not meet."""
    codes = draw(st.lists(CODE, min_size=2, max_size=8, unique=True))
    cut = draw(st.integers(2, len(codes)))
    rules = draw(
        st.fixed_dictionaries(
            {r: st.sampled_from(["in", "out"]) for r in ("not_applicable", "dont_know", "refused")}
        )
    )
    special = {}
    for code in codes[cut:]:
        reason = draw(st.sampled_from(list(rules)))
        special[code] = draw(label()) | {"reason": reason, "denominator": rules[reason]}
    return {main: {code: draw(choice) for code in codes[:cut]}, "special": special}


@st.composite
def questionnaires(draw) -> Questionnaire:
    """Questionnaires with items of every type, scales used and unused, skip rules, wordings, rates and indices."""
    scored = label(score=st.integers(0, 100), counts=st.booleans())
    names = iter(draw(st.lists(NAME, min_size=16, max_size=16, unique_by=str.lower)))
    common = label(required=st.booleans(), wording=st.none() | label())
    scales = {next(names): draw(coded("answers", scored)) for _ in range(draw(st.integers(1, 2)))}
    singles = {
        next(names): draw(common) | {"type": "single", "scale": next(iter(scales))}
        for _ in range(2)
    }
    own = (
        next(iter(scales)) if draw(st.booleans()) else next(names)
    )  # an item may have the name of a scale it does not use
    singles[own] = draw(common) | {"type": "single"} | draw(coded("answers", scored))
    first, second, *_ = singles
    asked = list(scales[singles[second]["scale"]]["answers"])[:2]
    multiple = draw(coded("options", label(correct=st.just(True))))
    low = draw(CODE)
    items = {
        next(names): draw(common) | {"type": "text", "unique": True},
        next(names): draw(common) | {"type": "area"},
        **singles,
        next(names): draw(common) | {"type": "date"},
        next(names): draw(common)
        | {"type": "number", "low": low, "high": low + 5, "asked_if": {second: asked}},
        next(names): draw(common)
        | {
            "type": "multiple",
            "knowledge": draw(st.none() | st.just({"credit": "at_least", "least": 1})),
            **multiple,
        }
        | {
            "separator": draw(st.sampled_from([";", ",", " ", "1"])),
            "asked_if": {second: asked, own: list(singles[own]["answers"])[:1]},
        },
    }
    assume_columns_apart(items, multiple)
    respondent, area = list(items)[:2]
    return Questionnaire.model_validate(
        {
            "questionnaire": "made-up", "version": draw(st.sampled_from(["2026-1", "2015", "1.10"])), "title": draw(label()),
            "source": draw(TEXT), "universe": draw(label()), "changes": draw(st.lists(TEXT, max_size=2)), "scales": scales, "items": items,
            "topics": [first], "rates": {"r_": draw(label()) | {"items": [first, own], "denominator": {"skipped": "in"}}},
            "indices": {"i_": draw(label()) | {"weights": {first: "1/3", second: "2/3"}, "source": draw(TEXT)}},
            "ranked": "r_", "roles": {"respondent": respondent, "area": area}, "eligibility": {first: asked},
        }
    )  # fmt: skip


def assume_columns_apart(items, multiple) -> None:
    """Leave out the few made-up questionnaires whose option columns meet another name."""
    from hypothesis import assume

    name = next(key for key, item in items.items() if item["type"] == "multiple")
    assume(not {f"{name}_{code}" for code in multiple["options"]} & set(items))
    assume(not set(items) & {"base_weight", "measure", "responded", "r_", "i_"})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_shipped_questionnaires_come_back_equal(path, tmp_path):
    questionnaire = read_questionnaire(path)
    write_xlsform(questionnaire, tmp_path / "form.xlsx")
    assert exactly(read_xlsform(tmp_path / "form.xlsx")) == exactly(questionnaire)
    assert check_xlsform(tmp_path / "form.xlsx").empty
    (tmp_path / "again.yaml").write_text(questionnaire_yaml(questionnaire), encoding="utf-8")
    assert exactly(read_questionnaire(tmp_path / "again.yaml")) == exactly(questionnaire)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(questionnaires())
def test_any_questionnaire_comes_back_equal(tmp_path_factory, questionnaire):
    path = tmp_path_factory.mktemp("any") / "form.xlsx"
    write_xlsform(questionnaire, path)
    assert exactly(read_xlsform(path)) == exactly(questionnaire)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(questionnaires())
def test_any_questionnaire_comes_back_equal_as_yaml(tmp_path_factory, questionnaire):
    path = write_yaml(questionnaire, tmp_path_factory.mktemp("any") / "1.yaml")
    assert exactly(read_questionnaire(path)) == exactly(questionnaire)


@pytest.fixture
def form(tmp_path):
    """The small questionnaire's form: its sheets, and a way to write and read them after a change."""
    questionnaire = read_questionnaire(SHIPPED[-1])

    class Form:
        sheets = xlsform_sheets(questionnaire)
        before = questionnaire
        path = tmp_path / "form.xlsx"

        def row(self, sheet, **where):
            table = self.sheets[sheet]
            return table.index[
                pd.concat([table[c] == v for c, v in where.items()], axis=1).all(axis=1)
            ][0]

        def read(self):
            write_xlsx(self.sheets, self.path)
            return read_xlsform(self.path)

        def refusal(self):
            with pytest.raises(QuestionnaireError) as refused:
                self.read()
            return refused.value

    return Form()


def test_the_form_says_what_the_questionnaire_says(form):
    survey, choices = form.sheets["survey"].set_index("name"), form.sheets["choices"]
    assert survey.loc["took_part_in", "relevant"] == "(${took_part} = '1')"
    assert survey.loc["age", "constraint"] == ". >= 18 and . <= 110"
    assert "18" in survey.loc["age", "constraint_message::中文 (zh)"]
    assert "110" in survey.loc["age", "constraint_message::English (en)"]
    assert (
        survey.loc["values", "constraint"]
        == "count-selected(.) = 1 or not(selected(., '98') or selected(., '99'))"
    )
    assert (
        survey["type"].to_dict() | {"sex": "select_one sex", "values": "select_multiple values"}
        == survey["type"].to_dict()
    )
    assert survey.loc[["id", "interviewer"], "required"].tolist() == ["yes", None]
    assert choices[choices["list_name"] == "yes_no"]["name"].tolist() == ["1", "2", "98", "99"]
    assert not [
        column for column in choices if column.startswith("sat")
    ]  # tools copy such columns into the form
    assert condition({"a": [1, 2], "b": [3]}) == "(${a} = '1' or ${a} = '2') and (${b} = '3')"


def test_what_is_edited_in_the_form_counts(form):
    survey, choices = form.sheets["survey"], form.sheets["choices"]
    survey.loc[form.row("survey", name="parks"), ZH] = "公园"
    survey.loc[form.row("survey", name="age"), "constraint"] = ".>=20 and .<=99"
    survey.loc[form.row("survey", name="took_part_in"), "relevant"] = (
        "selected(${took_part}, '1') or selected(${took_part}, '2')"
    )
    survey.loc[form.row("survey", name="interviewer"), "required"] = "TRUE"
    choices.loc[form.row("choices", list_name="took_part_in", name="2"), EN] = "Talks"
    form.sheets["choices"] = choices.drop(index=form.row("choices", list_name="values", name="98"))
    read = form.read()
    assert read.items["parks"].zh == "公园"
    assert (read.items["age"].low, read.items["age"].high) == (20, 99)
    assert read.items["took_part_in"].asked_if == {"took_part": [1, 2]}
    assert read.items["interviewer"].required
    assert read.items["took_part_in"].options[2].en == "Talks"
    assert list(read.items["values"].special) == [99]
    assert read.scales == form.before.scales


@pytest.mark.parametrize(
    ("code", "sheet", "where", "column", "value"),
    [
        ("Q203", "survey", {"name": "day"}, "type", "geopoint"),
        ("Q203", "survey", {"name": "took_part_in"}, "relevant", "${took_part} > 1"),
        (
            "Q203",
            "survey",
            {"name": "took_part_in"},
            "relevant",
            "(${took_part} = '1' or ${sex} = '1')",
        ),
        ("Q204", "sat_items", {"path": "/ranked"}, "value", "topic_index"),
        ("Q205", "survey", {"name": "parks"}, "name", "streets"),
        ("Q205", "choices", {"list_name": "sex", "name": "2"}, "name", "1"),
        ("Q131", "survey", {"name": "parks"}, "name", "park"),
        ("Q132", "choices", {"list_name": "satisfied5", "name": "5"}, "name", "6"),
        ("Y203", "survey", {"name": "parks"}, "name", "公园"),
        ("Y202", "survey", {"name": "age"}, "constraint", "true()"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(form, code, sheet, where, column, value):
    row = form.row(sheet, **where)
    form.sheets[sheet].loc[row, column] = value
    error = form.refusal()
    assert error.code == code
    assert error.where.startswith(str(form.path))
    if code not in ("Q131", "Q132"):  # these point to what refers to the change
        assert f"{sheet} row {row + 2}" in error.where


@pytest.mark.parametrize(
    ("sheet", "column"), [("survey", "type"), ("choices", "list_name"), ("choices", None)]
)
def test_missing_sheets_and_columns_are_named(form, sheet, column):
    if column:
        form.sheets[sheet] = form.sheets[sheet].drop(columns=column)
    else:
        del form.sheets[sheet]
    assert form.refusal().code == "Q202"


def test_a_text_that_no_cell_holds_is_refused_before_anything_is_written(tmp_path):
    questionnaire = read_questionnaire(SHIPPED[-1]).model_copy(update={"source": "长" * 40_000})
    with pytest.raises(QuestionnaireError, match="Q201"):
        write_forms(questionnaire, tmp_path / "forms")
    assert list(tmp_path.iterdir()) == []


def test_forms_are_written_together_and_never_over_others(tmp_path):
    questionnaire = read_questionnaire(SHIPPED[-1])
    one, two = (write_forms(questionnaire, tmp_path / name) for name in ("one", "two"))
    assert {p.name for p in one.iterdir()} == {
        "xlsform.xlsx",
        "codebook.html",
        "codebook.xlsx",
        "codebook-en.html",
        "codebook-en.xlsx",
        "printable.html",
        "printable-en.html",
    }
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {
        p.name: p.read_bytes() for p in two.iterdir()
    }
    with pytest.raises(ExportError, match="X101"):
        write_forms(questionnaire, one)


@pytest.mark.skipif(shutil.which("java") is None, reason=NEEDS_JAVA)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_pyxform_converts_and_odk_validate_accepts(path, tmp_path):
    write_xlsform(read_questionnaire(path), tmp_path / "form.xlsx")
    told = xls2xform.xls2xform_convert(
        str(tmp_path / "form.xlsx"), str(tmp_path / "form.xml"), validate=True
    )
    xform = (tmp_path / "form.xml").read_text(encoding="utf-8")
    assert told == []
    assert 'lang="中文 (zh)"' in xform
    assert "sat_items" not in xform
    assert "score" not in xform


@pytest.mark.skipif(shutil.which("java") is None, reason=NEEDS_JAVA)
def test_odk_validate_can_refuse(form):
    form.sheets["survey"].loc[form.row("survey", name="age"), "constraint"] = "(. >= 18"
    write_xlsx(form.sheets, form.path)
    with pytest.raises(Exception, match="ODK Validate"):
        xls2xform.xls2xform_convert(
            str(form.path), str(form.path.with_suffix(".xml")), validate=True
        )


COMPARED = """
constraints:
  adult: {check: age >= 20, zh: 应满 20 岁, en: at least 20}
  grown: {check: age > streets, zh: 年龄大于分值, en: age above the score}
  calm: {check: parks <= streets, zh: 甲不高于乙, en: a not above b}
"""


@pytest.fixture
def compared(tmp_path):
    path = tmp_path / "1.yaml"
    path.write_text(SHIPPED[-1].read_text(encoding="utf-8") + COMPARED, encoding="utf-8")
    return read_questionnaire(path)


def test_comparisons_stand_where_the_last_item_is_asked_and_come_back(compared, tmp_path):
    write_xlsform(compared, tmp_path / "form.xlsx")
    survey = xlsform_sheets(compared)["survey"].set_index("name")
    assert survey.loc["age", "constraint"] == ". >= 18 and . <= 110 and . >= 20"
    assert survey.loc["streets", "constraint"] == "(${age} = '' or . < ${age})"
    assert survey.loc["parks", "constraint"] == "(${streets} = '' or . <= ${streets})"
    assert "年龄大于分值" in survey.loc["streets", "constraint_message::中文 (zh)"]
    assert exactly(read_xlsform(tmp_path / "form.xlsx")) == exactly(compared)


@pytest.mark.skipif(shutil.which("java") is None, reason=NEEDS_JAVA)
def test_odk_validate_accepts_comparisons(compared, tmp_path):
    write_xlsform(compared, tmp_path / "form.xlsx")
    assert (
        xls2xform.xls2xform_convert(
            str(tmp_path / "form.xlsx"), str(tmp_path / "form.xml"), validate=True
        )
        == []
    )


# ---- forms of other people ----

SURVEY = [
    ("begin_group", "g", "Group", "组", "", ""),
    ("text", "resp", "Number", "编号", "", ""),
    ("select_one yn", "heard", "Heard?", "听说过吗", "", ""),
    ("select_one sat", "overall", "Overall", "总体", "${heard} = 'yes' or ${age} = '3'", ""),
    ("integer", "age", "Age", "年龄", "", ". >= 18 and . <= 99"),
    ("integer", "kids", "Children", "子女", "", ""),
    ("decimal", "income", "Income", "收入", "", ""),
]
CHOICES = [
    ("yn", "yes", "Yes", "是"),
    ("yn", "no", "No", "否"),
    ("sat", "1", "Bad", "差"),
    ("sat", "2", "Good", "好"),
]


def test_a_form_of_other_people_is_refused_in_one_message(call, tmp_path):
    labels = ["label::English (en)", "label::Chinese"]
    sheets = {
        "survey": pd.DataFrame(SURVEY, columns=["type", "name", *labels, "relevant", "constraint"]),
        "choices": pd.DataFrame(CHOICES, columns=["list_name", "name", *labels]),
        "settings": pd.DataFrame([("City survey", "City 1")], columns=["form_title", "form_id"]),
    }
    write_xlsx(sheets, tmp_path / "mine.xlsx")
    code, out, err = call("form", "--read", tmp_path / "mine.xlsx")
    assert (code, out) == (2, "")
    assert "[Q202]" in err
    assert "not written by `satisfaction form`" in err
