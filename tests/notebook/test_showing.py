"""Notebooks show one language at a time, and ask nobody for anything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from conftest import table_rows
from satisfaction.comparison.changes import COLUMNS
from satisfaction.foundation import pages
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.language import _, use
from satisfaction.notebook import show as show_module
from satisfaction.notebook.show import (
    begin,
    column_words,
    facts,
    facts_by,
    in_one_language,
    in_project,
    pick,
    present,
    readable_tables,
    show,
    spread,
    words,
)
from satisfaction.notebook.table_view import Labels, survey_labels
from satisfaction.publication.headings import title_of

TABLE = pd.DataFrame(
    {
        "code": ["1"], "name_zh": ["县"], "name_en": ["County"], "status": ["possible"], "status_zh": ["不能确定"],
        "figure": [1.5], "figure_zh": ["方差"], "figure_en": ["variance"], "se": [2.0], "zh": ["文"], "en": ["text"],
        "null": [_("two areas have equal population values").both],
    }
)  # fmt: skip


def test_a_table_has_one_language_and_all_its_figures():
    with use("zh"):
        chinese = in_one_language(TABLE)
    with use("en"):
        english = in_one_language(TABLE)
    assert chinese.iloc[0].tolist() == [
        "1", "县", "不能确定", 1.5, "方差", 2.0, "文", "两个地区的总体值相等",
    ]  # fmt: skip
    assert english.iloc[0].tolist() == [
        "1", "County", "possible", 1.5, "variance", 2.0, "text", "two areas have equal population values",
    ]  # fmt: skip
    assert "标准误 (se)" in chinese.columns
    assert [name for name in english.columns if not name.isascii()] == []


def test_tables_without_words_stay_as_they_are():
    numbered = pd.DataFrame([[1, 2.5], [3, 4.5]])
    twice = pd.DataFrame([[1, 2]], columns=["zh", "zh"])
    for table in (numbered, twice):
        pd.testing.assert_frame_equal(in_one_language(table), table)


def test_labels_are_those_of_the_language():
    with use("zh"):
        assert column_words(TABLE, "name").tolist() == ["县"]
        assert words("none") == "无"
    with use("en"):
        assert column_words(TABLE, "name").tolist() == ["County"]
        assert words("none") == "none"


def test_files_are_found_from_any_folder_of_the_project(tmp_path, monkeypatch):
    below = tmp_path / "notebooks" / "en"
    below.mkdir(parents=True)
    (tmp_path / "surveys").mkdir()
    monkeypatch.chdir(below)
    assert in_project("surveys") == tmp_path / "surveys"
    assert in_project(tmp_path / "surveys") == tmp_path / "surveys"
    assert in_project("nowhere") == Path("nowhere")


def test_another_language_is_refused(unchanged):
    with pytest.raises(ExportError, match="X151"):
        begin(unchanged, language="fr")


@pytest.fixture(scope="module")
def results(small_template):
    from satisfaction import read_survey, run

    return run(read_survey(small_template / "surveys" / "wave"))


def test_every_class_shows_itself_escaped_and_complete(results):
    from satisfaction.estimation.group_tests import t_test

    shown = [
        results, results.survey, results.survey.questionnaire, results.responses, results.design, results.estimates["county"],
        results.ranking, t_test(results.design, "streets", "sex"),
    ]  # fmt: skip
    for one in shown:
        html = one._repr_html_()
        assert html.count("<table") >= 1, type(one)
        assert "<script" not in html
        assert html.startswith("<div")
    ranking = results.ranking._repr_html_()
    assert "marginal_low" in ranking
    assert "status" in ranking


def test_names_are_escaped_and_marks_stand_there(small):
    small.edit("survey.yaml", "{zh: 测试调查, en: Test survey}", '{zh: "<b>题</b>", en: "x"}')
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    html = small.read()._repr_html_()
    assert "<b>" not in html
    assert "not a probability sample" in html


FIGURES = pd.DataFrame(
    {
        "measure": ["awareness", "streets", "streets"],
        "kind": ["rate", "score", "score"],
        "estimate": [0.61234, 71.26, None],
        "se": [0.0123, 1.234, None],
        "ci_low": [0.588, 68.8, None],
        "ci_high": [0.636, float("inf"), None],
        "n": [1502, 12, 0],
        "p_holm": [2.6e-7, 0.0449, 1.0],
        "probability_bottom": [0.99999, 0.4768, None],
        "mark": ["模拟数据，不是真实调查结果 simulated data, not a real survey"] * 3,
    }
)  # fmt: skip


def test_figures_have_their_unit_and_the_digits_of_their_error():
    with use("en"):
        page = show(FIGURES).html
    rate, score, absent = table_rows(page)
    assert rate == [
        "awareness", "rate", "61.2%", "1.2 pp", "58.8–63.6%", "", "1,502", "< 0.001", "> 99.9%",
    ]  # fmt: skip
    assert score == [
        "streets", "score", "71.3", "1.2", "unbounded", "", "12", "0.045", "47.7%",
    ]  # fmt: skip
    assert absent == ["streets", "score", "—", "—", "—", "", "0", "> 0.999", "—"]
    assert "simulated data, not a real survey" in page
    assert "模拟" not in page
    assert page.count("<svg") == 1  # only the limits that are known are drawn


def test_a_precise_figure_shows_more_digits():
    with use("en"):
        precise = show(FIGURES.assign(se=[0.00123, 0.123, None])).html
    assert [row[2] for row in table_rows(precise)] == ["61.23%", "71.26", "—"]


def test_no_small_figure_vanishes_beside_a_large_one():
    table = pd.DataFrame({"fact": [1902.5, 0.05, 0.0, None]})
    assert [row[0] for row in table_rows(show(table).html)] == ["1902", "0.05", "0", "—"]
    facts = pd.Series(["tukey", 0.8504145064599011], index=["simultaneous", "rankability"])
    assert table_rows(show(facts).html)[1] == ["rankability", "0.850415"]


def test_the_kind_of_all_rows_can_be_said():
    table = pd.DataFrame({"estimate": [0.5], "se": [0.02]})
    with use("en"):
        assert table_rows(show(table, kind="rate").html) == [["50.0%", "2.0 pp"]]
        assert table_rows(show(table).html) == [["0.500", "0.020"]]


def test_a_named_index_is_shown_and_numbers_of_rows_are_not():
    with use("en"):
        counted = show(pd.Series([3, 4], index=pd.Index(["a", "b"], name="code"), name="rows")).html
        numbered = show(pd.DataFrame({"rows": [3, 4]}, index=[1422, 1438])).html
        several = show(pd.DataFrame([[1, 2]], columns=[("a", "x"), ("a", "y")])).html
        twice = show(pd.DataFrame([[1, 2]], columns=["a", "a"])).html
    assert table_rows(counted) == [["a", "3"], ["b", "4"]]
    assert "1422" not in numbered
    assert "a · y" in several
    assert "a #2" in twice


def test_a_table_is_whole_without_script_and_escaped():
    table = pd.DataFrame({"name": [f"<b>{at}" for at in range(300)]})
    page = show(table).html
    assert page.count("<tr>") == 301
    assert "<b>" not in page
    static = page[: page.index("<script>")]
    assert "&lt;b&gt;299" in static
    assert "http" not in page


def test_a_cut_says_so():
    with use("en"):
        assert "The first 5,000 of 5,002 rows" in show(pd.DataFrame({"n": range(5002)})).html


def test_codes_of_a_survey_are_shown_in_words(small, monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "_repr_html_", pd.DataFrame._repr_html_)
    monkeypatch.setattr(show_module, "_LABELS", [Labels()])
    readable_tables(small.read())
    table = pd.DataFrame({"county": ["990101"], "measure": ["awareness"], "estimate": [0.5], "status": ["possible"]})  # fmt: skip
    with use("zh"):
        page = table._repr_html_()
        card = pages.card("x", tables={"y": table})
    pages.TABLE_WRITERS.clear()
    (row,) = table_rows(page)
    assert row[0].endswith(" 990101")
    assert row[1:] == ["知晓率", "50.00%", "不能确定"]
    assert "50.00%" in card


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"estimate": []}), pd.DataFrame({"a": [None]}), pd.DataFrame({"ci_low": [1.0], "ci_high": [None]})])  # fmt: skip
def test_a_table_with_nothing_in_it_is_shown(table):
    assert "<table" in show(table).html


def test_columns_of_a_change_and_of_a_plan_have_titles():
    plan = ["wish", "psus", "psus_low", "psus_high", "interviews", "se_median", "se_largest"]
    plan += ["established", "excluded", "undecided", "false"]
    change = [name for name in COLUMNS if not name.endswith(("_zh", "_en"))]
    for name in [*plan, *change]:
        title = title_of(name)
        assert title is not None, name
        assert title.zh != title.en, name


TRIED = ["declared", "trim 2 x mean, without county_sex", "logit [0.30, 3.00]", "my own"]


def test_weightings_that_were_tried_are_called_in_the_language_of_the_table():
    table = pd.DataFrame({"recipe": TRIED, "se": [1.0, 2.0, 3.0, 4.0]})
    with use("zh"):
        chinese = show(table)._repr_html_()
    with use("en"):
        english = show(table)._repr_html_()
    assert "权数截到均值的 2 倍；不用边际 county_sex" in chinese
    assert "logit 校准，因子 0.30 至 3.00" in chinese
    assert "trim 2 x mean" not in chinese
    assert "weights cut at 2 times the mean; without the margin county_sex" in english
    assert "my own" in chinese


def test_columns_that_notebook_03_adds_have_titles():
    for name in ("pingouin: alpha", "design: low", "se ignoring", "se plain", "textbook", "F"):
        assert title_of(name) is not None


def test_columns_of_weights_are_not_called_what_their_names_mean_elsewhere():
    """`high` of a topic is its importance, `after` a wave, `step` a measure taken; `share` is of whatever the table says."""
    steps = pd.DataFrame({"low": [0.5], "high": [2.0], "kish_deff": [1.1]})
    margins = pd.DataFrame({"step": ["1"], "entering": [90.0], "after": [100.0], "share": [0.5]})
    with use("en"):
        shown = show(steps).html + show(margins).html
        for title in ("largest weight", "sum of weights leaving it", "weighting step", "share"):
            assert f">{title}<" in shown
        for title in ("high importance", "later", "share of the planned"):
            assert title not in shown
        tried = show(steps.assign(recipe="declared")).html
        assert ">largest weight over the mean<" in tried
        topics = show(pd.DataFrame({"high": [1]})).html
        assert "high importance" in topics


def test_columns_are_picked_in_one_line_with_the_words_that_belong_to_them():
    assert list(pick(TABLE, "code name status")) == [
        "code", "name_zh", "name_en", "status", "status_zh",
    ]  # fmt: skip
    with pytest.raises(ExportError, match="X153"):
        pick(TABLE, "code nmae")


@pytest.fixture
def displayed(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    return shown


def test_columns_in_which_nothing_stands_are_left_out(displayed):
    table = pd.DataFrame({"a": [1, 2], "b": [None, None], "c": ["", ""], "d": ["x", ""]})
    present(table)
    assert list(displayed[0]) == ["a", "d"]


def test_where_nothing_is_to_be_shown_it_says_why_in_the_readers_language(displayed):
    """It said 没有声明 Not declared: the words were put together before the language was set."""
    with use("zh"):
        present(pd.DataFrame(), None, "")
        present(None, otherwise=words("none"))
        present(None, otherwise="")
    assert [one.data for one in displayed] == ["**没有声明**", "无"]


def test_facts_are_in_words(small, monkeypatch):
    monkeypatch.setattr(show_module, "_LABELS", [survey_labels(small.read())])
    named = {"measure": "awareness", "variance": "linearized", "margins": {"sex+county": 8}, "x": None}  # fmt: skip
    with use("en"):
        rows = facts(named).to_numpy().tolist()
    assert rows == [
        ["measure (measure)", "Awareness rate"],
        ["variance estimation (variance)", "linearized"],
        ["margins and the number of their levels (margins)", "Sex × county: 8"],
    ]
    with use("zh"):
        (row,) = facts(named, "variance").to_numpy().tolist()
    assert row == ["方差估计（variance）", "线性化"]


def test_facts_that_differ_stand_side_by_side():
    one = {"variance": "linearized", "level": 0.95}
    with use("en"):
        assert list(facts_by({"county": one, "province": one})) == ["convention", "value"]
        table = facts_by({"county": one, "province": one | {"level": 0.9}})
    assert list(table) == ["convention", "county", "province"]
    assert table.iloc[1].tolist() == ["confidence level (level)", "0.95", "0.9"]


def test_a_spread_has_its_quarters():
    with use("en"):
        table = spread(pd.DataFrame({"se": [1.0, 2.0, 3.0, 4.0, 5.0]}), "se")
    assert table["se"].tolist() == [1, 2, 3, 4, 5]
    assert table["spread"].iloc[[0, 2, 4]].tolist() == ["smallest", "median", "largest"]


def test_margins_and_steps_of_a_survey_are_shown_by_their_titles(small, monkeypatch):
    survey = small.read()
    monkeypatch.setattr(show_module, "_LABELS", [survey_labels(survey)])
    row = {"step": "1 calibration", "margin": "county_sex", "method": "raking"}
    table = pd.DataFrame([row | {"margins": "county_sex, county_age"}])
    with use("zh"):
        (row,) = table_rows(show(table).html)
    assert row == ["1 校准", "县级 × 性别", "多边际迭代校准", "县级 × 性别、县级 × 年龄组"]


def test_a_column_of_a_measure_has_its_unit_and_one_called_like_it_has_not(small, monkeypatch):
    monkeypatch.setattr(show_module, "_LABELS", [survey_labels(small.read())])
    with use("en"):
        wide = show(pd.DataFrame({"awareness": [0.6789], "streets": [64.71]})).html
        alike = show(pd.DataFrame({"measure": ["Awareness"], "ci_low": [0.01], "ci_high": [0.02]})).html  # fmt: skip
    assert table_rows(wide) == [["67.9%", "64.7"]]
    assert "%" not in "".join(table_rows(alike)[0])


def test_the_measure_of_all_rows_is_said_once_above_them(small, monkeypatch):
    monkeypatch.setattr(show_module, "_LABELS", [survey_labels(small.read())])
    table = pd.DataFrame({"county": ["990101", "990102"], "measure": ["awareness"] * 2, "estimate": [0.5, 0.6]})  # fmt: skip
    with use("en"):
        page = show(table).html
    assert [len(row) for row in table_rows(page)] == [2, 2]
    assert page.count("Awareness") == 1
    assert "60" in table_rows(page)[1][1]
    assert "%" in table_rows(page)[1][1]
