"""Cronbach's alpha and item-total correlations equal the formulas by hand; weights are not used, and it says so."""

from __future__ import annotations

import numpy as np
import pytest

from satisfaction.errors import EstimatesError
from satisfaction.pipeline import run
from satisfaction.questionnaire import read_questionnaire
from satisfaction.reliability import cronbach_alpha, item_total, reliability

POINTS = {1: 0, 2: 25, 3: 50, 4: 75, 5: 100}
ITEMS = ["streets", "parks", "safety"]


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


@pytest.fixture(scope="module")
def found(results):
    return reliability(results.design, results.survey.questionnaire, "topic_index")


@pytest.fixture(scope="module")
def complete(results):
    """Points of the respondents with valid answers to all items, from the codes."""
    answers = results.responses.accepted[ITEMS]
    kept = answers[answers.isin(list(POINTS)).all(axis=1)]
    return kept.astype(int).replace(POINTS).to_numpy(float)


def alpha_by_hand(scores: np.ndarray) -> float:
    k = scores.shape[1]
    return k / (k - 1) * (1 - scores.var(axis=0, ddof=1).sum() / scores.sum(axis=1).var(ddof=1))


def test_alpha_equals_the_formula(found, complete):
    assert found.alpha == pytest.approx(alpha_by_hand(complete), rel=1e-12)


def test_item_statistics_equal_the_formulas(found, complete):
    assert list(found.table["item"]) == ITEMS
    np.testing.assert_allclose(found.table["mean"], complete.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.table["sd"], complete.std(axis=0, ddof=1), rtol=1e-12)
    for i in range(3):
        others = np.delete(complete, i, axis=1)
        assert found.table["item_total"][i] == pytest.approx(np.corrcoef(complete[:, i], others.sum(axis=1))[0, 1], rel=1e-12)
        assert found.table["alpha_without"][i] == pytest.approx(alpha_by_hand(others), rel=1e-12)


def test_only_complete_cases_count(found, complete, results):
    assert (found.complete, found.respondents) == (len(complete), len(results.responses.accepted))
    assert found.complete < found.respondents


def test_what_is_left_out_is_said(found):
    assert "not used" in found.conventions["weights"]
    assert "complete cases" in found.summary["cases"]
    assert found.summary["alpha"] == found.alpha


def test_parallel_items_have_the_spearman_brown_alpha():
    """Items of equal variance and correlation r: alpha = k r / (1 + (k - 1) r)."""
    base = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * 10.0
    scores = np.column_stack([base[:, 0], base[:, 0] * 0.6 + base[:, 1] * 0.8])
    assert cronbach_alpha(scores) == pytest.approx(2 * 0.6 / 1.6, rel=1e-12)


def test_items_without_variance_give_nan_without_a_warning():
    scores = np.column_stack([[50.0, 50, 50], [0.0, 25, 100], [25.0, 25, 75]])
    assert np.isnan(item_total(scores)).tolist() == [True, False, False]
    assert np.isnan(cronbach_alpha(scores[:, :1]))
    assert np.isnan(cronbach_alpha(np.full((4, 3), 50.0)))


@pytest.mark.parametrize("index", ["composite", "topic_indx"])
def test_only_indices_of_persons_have_items_to_assess(results, index):
    with pytest.raises(EstimatesError, match=r"E131[\s\S]*topic_index"):
        reliability(results.design, results.survey.questionnaire, index)


def test_an_item_outside_the_topics_is_named(small):
    small.edit(small.questionnaire, "topics: [streets, parks, safety]", "topics: [streets, parks]")
    results = run(small.read())
    with pytest.raises(EstimatesError, match=r"E132[\s\S]*safety"):
        reliability(results.design, results.survey.questionnaire, "topic_index")


def test_one_item_is_refused(small):
    small.edit(small.questionnaire, "weights: {streets: 0.5, parks: 0.3, safety: 0.2}", "weights: {streets: 1}")
    small.edit(small.questionnaire, "min_valid_items: 2", "min_valid_items: 1")
    results = run(small.read())
    assert read_questionnaire(small.questionnaire).indices["topic_index"].min_valid_items == 1
    with pytest.raises(EstimatesError, match="E133"):
        reliability(results.design, results.survey.questionnaire, "topic_index")
