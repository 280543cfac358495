"""Published tables: every figure with names, units and marks, in 12 significant digits."""

from __future__ import annotations

import pandas as pd
import pytest

from satisfaction.pipeline import run
from satisfaction.publication.labels import STATUS, measure_labels, twelve_digits
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.publication.tables import indices_table

LEVELS = {"county": 4, "prefecture": 2, "province": 1}


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


@pytest.fixture(scope="module")
def indices(results):
    return indices_table(results.survey, results.estimates)


@pytest.fixture(scope="module")
def ranking(results):
    return ranking_table(results.survey, results.estimates, results.ranking)


def test_every_level_and_measure_stands_once(indices):
    assert indices.groupby("level", sort=False).size().to_dict() == {
        level: n * 8 for level, n in LEVELS.items()
    }
    assert not indices.duplicated(["level", "code", "measure"]).any()


def test_figures_are_the_estimates(results, indices):
    for level, estimates in results.estimates.items():
        own = indices[indices["level"] == level]
        assert own["estimate"].tolist() == pytest.approx(
            estimates.table["estimate"].tolist(), rel=1e-11
        )
        assert own["se"].tolist() == pytest.approx(estimates.table["se"].tolist(), rel=1e-11)


def test_rates_are_shares_and_scores_points(indices):
    units = indices.groupby("kind")["unit"].unique().map(list).to_dict()
    assert units == {"rate": ["share 0-1"], "score": ["points 0-100"], "index": ["points 0-100"]}
    assert indices.loc[indices["kind"] == "rate", "estimate"].between(0, 1).all()
    assert indices.loc[indices["kind"] != "rate", "estimate"].max() > 1


def test_areas_and_measures_have_both_names(indices):
    first = indices.iloc[0]
    assert first[
        ["code", "name_zh", "name_en", "measure", "measure_zh", "measure_en"]
    ].tolist() == [
        "990101",
        "县990101",
        "County 990101",
        "awareness",
        "知晓率",
        "Awareness rate",
    ]
    assert indices.loc[indices["level"] == "province", "code"].unique().tolist() == ["990000"]
    assert not indices[["name_zh", "name_en", "measure_zh", "measure_en"]].isna().any(axis=None)


def test_the_ranking_is_in_rank_order_with_its_certainty(results, ranking):
    assert ranking["rank"].tolist() == [1, 2, 3, 4]
    assert ranking["estimate"].is_monotonic_decreasing
    assert (ranking["listed"] == "yes").sum() == 1
    assert (
        ranking["status"].map({word: label.zh for word, label in STATUS.items()}).tolist()
        == ranking["status_zh"].tolist()
    )
    assert (
        not ranking[["marginal_low", "simultaneous_high", "p_in", "probability_bottom"]]
        .isna()
        .any(axis=None)
    )


def test_the_mark_stands_in_every_row(small):
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    results = run(small.read())
    for table in (
        indices_table(results.survey, results.estimates),
        ranking_table(results.survey, results.estimates, results.ranking),
    ):
        assert table["mark"].str.contains("no sampling error").all()
        assert table["mark"].str.contains("没有抽样误差").all()


def test_twelve_digits_are_kept():
    found = twelve_digits(
        pd.DataFrame({"x": [1 / 3, 1e20 / 3, 0.0, float("nan")], "code": ["1", "2", "3", "4"]})
    )
    assert found["x"].tolist()[:3] == [0.333333333333, 3.33333333333e19, 0.0]
    assert pd.isna(found["x"][3])


def test_every_measure_of_the_questionnaire_is_labelled(unchanged, indices):
    assert list(measure_labels(unchanged.questionnaire)) == indices["measure"].unique().tolist()
