"""Notebooks show one language at a time, and ask nobody for anything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.language import _, use
from satisfaction.notebook.show import (
    begin,
    column_words,
    in_one_language,
    in_project,
    sortable_tables,
    table_words,
    words,
)

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
        assert words("standard errors") == "标准误"
        assert table_words()["search"] == "查找"
    with use("en"):
        assert column_words(TABLE, "name").tolist() == ["County"]
        assert words("standard errors") == "standard errors"
        assert table_words()["search"] == "search"


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


@pytest.fixture
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_tables_follow_the_theme_of_the_page(shell):
    """Both outputs of itables are shown, the library first: the other turns its tables dark in a dark JupyterLab."""
    from IPython.utils.capture import capture_output

    with capture_output() as shown:
        sortable_tables()
    library, theme = (output.data["text/html"] for output in shown.outputs)
    assert "injectModule" in library
    assert "set_or_remove_dark_class()" in theme
    assert "https://" not in theme
