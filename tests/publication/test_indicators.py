"""Strong and weak topics: differences and errors by another road, what importance is, and what is not decidable."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from satisfaction import run
from satisfaction.estimation.indicators import (
    importance,
    strengths_and_weaknesses,
    unknown_importance,
)
from satisfaction.estimation.multiplicity import holm
from satisfaction.estimation.pairs import against_rest
from satisfaction.estimation.regression import regression
from satisfaction.foundation.errors import EstimatesError, QuestionnaireError, SurveyError
from satisfaction.foundation.language import _
from satisfaction.publication.tables import indicators_of


@pytest.fixture(scope="module")
def results(small_template):
    from satisfaction import read_survey

    return run(read_survey(small_template / "surveys" / "wave"))


@pytest.fixture(scope="module")
def found(results):
    matters = importance(results.design, results.survey.questionnaire)
    return strengths_and_weaknesses(
        results.estimates["county"], results.estimates["province"], matters
    )


def test_differences_from_the_whole_are_shrunk_differences_from_the_rest(results, found):
    """Area minus whole = share of the rest x (area minus rest), so both have the same test statistic where shares are fixed."""
    rest = against_rest(results.design, "streets", by="county").table.set_index("area")
    own = found.table[found.table["topic"] == "streets"].set_index("code")
    ratio = own["difference"] / rest.loc[own.index, "difference"]
    assert ((ratio > 0) & (ratio < 1)).all()
    t = own["difference"] / own["se"]
    assert t.to_numpy() == pytest.approx(
        rest.loc[own.index, "t"].to_numpy(), rel=0.05
    )  # shares of valid answers vary a little


def test_scores_and_differences_are_those_of_the_estimates(results, found):
    own = found.table[found.table["topic"] == "parks"]
    areas, whole = (
        results.estimates[level].of("parks").table["estimate"] for level in ("county", "province")
    )
    assert own["score"].tolist() == areas.tolist()
    assert own["difference"].to_numpy() == pytest.approx(areas.to_numpy() - whole.iloc[0])
    assert ((own["ci_low"] < own["difference"]) & (own["difference"] < own["ci_high"])).all()


def test_importance_is_the_joint_slope(results):
    questionnaire = results.survey.questionnaire
    matters = importance(results.design, questionnaire)
    slopes = regression(results.design, "satisfaction", questionnaire.topics).table.set_index(
        "term"
    )
    assert matters.table["importance"].to_numpy() == pytest.approx(
        2500 * slopes.loc[questionnaire.topics, "estimate"].to_numpy()
    )
    assert matters.summary["overall"] == questionnaire.overall == "satisfaction"
    assert matters.table["high"].sum() == len(questionnaire.topics) // 2


def test_verdicts_follow_from_holm_and_sign(found):
    for _code, rows in found.table.groupby("code"):
        expected = multipletests(rows["p"], method="holm")[1]
        assert rows["p_holm"].to_numpy() == pytest.approx(expected)
    sure = found.table["p_holm"] <= 0.05
    verdict = np.where(
        ~sure, "not decidable", np.where(found.table["difference"] > 0, "strong", "weak")
    )
    assert found.table["verdict"].tolist() == verdict.tolist()
    assert ((found.table["quadrant"] == "") == (found.table["verdict"] == "not decidable")).all()


def test_without_a_probability_sample_nothing_is_decidable(small):
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    results = run(small.read())
    matters = importance(results.design, results.survey.questionnaire)
    table = strengths_and_weaknesses(
        results.estimates["county"], results.estimates["province"], matters
    ).table
    assert set(table["verdict"]) == {"not decidable"}


def test_without_topics_there_is_no_importance(results):
    bare = results.survey.questionnaire.model_copy(update={"topics": []})
    with pytest.raises(EstimatesError, match="E191"):
        importance(results.design, bare)


def test_where_importance_is_unknown_no_advice_is_given(results, found):
    fault = EstimatesError("E142", _("Only one answer occurs."))
    topics = list(results.survey.questionnaire.topics)
    matters = unknown_importance(topics, fault)
    table = strengths_and_weaknesses(
        results.estimates["county"], results.estimates["province"], matters
    ).table
    assert (table["quadrant"] == "").all()
    assert table["difference"].equals(found.table["difference"])
    assert "E142" in matters.summary["reason"]


def test_holm_leaves_missing_values_out():
    assert holm(np.array([0.04, np.nan, 0.01]))[[0, 2]] == pytest.approx([0.04, 0.02])


def undeclared(small):
    small.edit(small.questionnaire, "overall: satisfaction\n", "")
    return small


def test_no_rate_is_taken_for_the_overall_one_by_its_name(small):
    """The small questionnaire has a rate named `satisfaction`; only a declaration makes it the overall one."""
    results = run(undeclared(small).read())
    assert indicators_of(results) is None
    assert "overall rate" in results.absent
    with pytest.raises(EstimatesError, match="E191"):
        importance(results.design, results.survey.questionnaire)


def test_the_survey_may_declare_the_overall_rate_of_a_questionnaire_that_does_not(small):
    undeclared(small).edit(
        "survey.yaml", "rules: rules.yaml", "overall: participation\nrules: rules.yaml"
    )
    results = run(small.read())
    assert indicators_of(results).importance.summary["overall"] == "participation"
    assert "overall rate" not in results.absent


def test_an_area_page_says_why_no_topic_is_strong_or_weak(small, call):
    code, _, _ = call("report", undeclared(small).folder, "--out", small.root / "pages")
    page = (small.root / "pages" / "zh" / "990101.html").read_text(encoding="utf-8")
    assert code == 0
    assert "未声明总体评价的率" in page
    assert "优先改进" not in page


@pytest.mark.parametrize("rate", ["awareness", "no_such_rate"])
def test_only_a_rate_of_one_item_beside_the_topics_is_overall(small, rate):
    """`awareness` asks two items."""
    small.edit("survey.yaml", "rules: rules.yaml", f"overall: {rate}\nrules: rules.yaml")
    with pytest.raises(SurveyError, match="S340"):
        small.read()
    small.edit(small.questionnaire, "overall: satisfaction", f"overall: {rate}")
    with pytest.raises(QuestionnaireError, match="Q131"):
        small.read()
