"""Notebooks show one language at a time, and ask nobody for anything."""

from __future__ import annotations

import pytest

from satisfaction.foundation.errors import ExportError
from satisfaction.notebook.show import STYLES, TABLE_WORDS, begin, language_style, sortable_tables


def test_each_language_hides_the_other():
    assert language_style("zh").startswith("<style>")
    assert "~ *" in STYLES["zh"]
    assert ":has(~" in STYLES["en"]
    assert set(STYLES) == set(TABLE_WORDS) == {"zh", "en"}


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
        sortable_tables("zh")
    library, theme = (output.data["text/html"] for output in shown.outputs)
    assert "injectModule" in library
    assert "set_or_remove_dark_class()" in theme
    assert "https://" not in theme
