"""The floor under an area's own error: a rank is not certain because few interviewing points happen to agree."""

from __future__ import annotations

import dataclasses
import shutil
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from conftest import COUNTIES, SmallSurvey
from satisfaction import rank
from satisfaction.comparison.changes import compare_waves
from satisfaction.declarations.rules import RankingRules, Threshold
from satisfaction.pipeline import rank_areas, run
from satisfaction.publication.ranking_table import ranking_table, thresholds_table, within_table
from satisfaction.publication.tables import indices_table, tables_of
from satisfaction.ranking.area_rankings import rank_within
from satisfaction.ranking.borrowed_errors import floored

EXACT = 1e-12  # figures computed twice in different ways
EVEN = "990101"
OFF = {"minimum_df": 0, "minimum_deff": 0.0}
DEFAULTS = {"minimum_df": 8, "minimum_deff": 0.3}
ANSWERS = {"0": "2", "1": "5", "2": "4", "3": "1", "4": "3"}


def even_county(small):
    """Two communities a stratum in one county, in which nearly the same five answers stand."""
    rows = small.rows()
    inside = rows["county"] == EVEN
    for topic in ("streets", "parks", "safety"):
        rows.loc[inside, topic] = rows.loc[inside, "day"].str[-1].map(ANSWERS)
    rows.loc[rows.index[inside][0], "streets"] = "3"
    small.write(rows[~(inside & (rows["community"].str[-1] == "2"))])
    return small


def with_floor(survey, **changes):
    ranking = survey.rules.ranking.model_copy(update=changes)
    return dataclasses.replace(survey, rules=survey.rules.model_copy(update={"ranking": ranking}))


def ranked(results, **changes):
    return rank_areas(with_floor(results.survey, **changes), results.estimates)


def row(ranking, code=EVEN):
    return ranking.table.set_index("unit").loc[code]


def own(results, level):
    return results.estimates[level].of("topic_index").table


def edited(results, **columns):
    """The results' estimates with other figures of the ranked measure in one county."""
    counties = results.estimates["county"]
    table = counties.table.copy()
    here = (table["county"] == EVEN) & (table["measure"] == "topic_index")
    for name, value in columns.items():
        table.loc[here, name] = value
    return results.estimates | {"county": dataclasses.replace(counties, table=table)}


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


@pytest.fixture(scope="module")
def even(small_template, tmp_path_factory):
    root = shutil.copytree(small_template, tmp_path_factory.mktemp("even") / "small")
    return run(even_county(SmallSurvey(root)).read())


def test_four_points_that_agree_no_longer_make_a_rank_certain(even):
    before, after = row(ranked(even, **OFF)), row(ranked(even, **DEFAULTS))
    area = own(even, "county").iloc[0]
    assert area["df"] == 2
    assert area["deff"] < 0.05
    assert before["probability_bottom"] > 0.99
    assert (before["marginal_low"], before["marginal_high"]) == (4, 4)
    assert before["reliability"] > 0.95
    assert after["probability_bottom"] < 0.9
    assert (after["marginal_low"], after["marginal_high"]) == (1, 4)
    assert after["reliability"] < 0.7


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("side", ["last", "first"])
@pytest.mark.parametrize("digits", ["off", 0])
def test_probabilities_under_the_floor_still_sum_to_the_list(even, size, side, digits):
    ranking = ranked(even, **DEFAULTS, list_size=size, side=side, round_before_ranking=digits)
    assert EVEN in ranking.summary["se_from_larger"]
    assert ranking.table["probability_bottom"].sum() == pytest.approx(size, abs=1e-8)
    assert ranking.table["expected_rank"].sum() == pytest.approx(10, abs=1e-8)
    assert ("rank_unrounded" in ranking.table) == (digits == 0)


def test_a_low_design_effect_alone_is_enough(even):
    ranking = ranked(even, minimum_df=0, minimum_deff=0.3)
    low = own(even, "county")["deff"] < 0.3
    assert set(ranking.summary["se_from_larger"]) == set(np.array(COUNTIES)[low])
    assert 0 < low.sum() < 4


@pytest.mark.parametrize(
    ("least", "level", "df"), [(8, "prefecture", 8), (9, "province", 16), (17, "province", 16)]
)
def test_the_next_larger_area_above_the_floor_lends(results, least, level, df):
    ranking = ranked(results, minimum_df=least, minimum_deff=0.0)
    area, lender = own(results, "county").iloc[0], own(results, level).iloc[0]
    simple = area["se"] ** 2 / area["deff"]
    assert (area["df"], lender["df"]) == (4, df)
    assert row(ranking)["se"] ** 2 == pytest.approx(max(1, lender["deff"]) * simple, rel=EXACT)
    assert ranking.units.df[0] == df
    assert ("for want of better" in str(ranking.summary["notes"][-1])) == (least == 17)


def test_a_design_effect_above_one_is_lent_in_full(results):
    whole = results.estimates["province"]
    heavier = dataclasses.replace(whole, table=whole.table.assign(deff=2.5))
    survey = with_floor(results.survey, minimum_df=9)
    found = floored(survey, results.estimates | {"province": heavier}, "county").estimates.table
    area = own(results, "county").iloc[0]
    assert found["se"][0] ** 2 == pytest.approx(2.5 * area["se"] ** 2 / area["deff"], rel=EXACT)


def test_an_own_error_that_is_larger_stays(results):
    area = own(results, "county").iloc[0]
    estimates = edited(results, deff=5.0)
    found = floored(with_floor(results.survey, minimum_df=9), estimates, "county")
    assert EVEN not in found.said
    assert found.estimates.table.loc[0, ["se", "df"]].tolist() == [area["se"], area["df"]]


def test_an_error_without_degrees_of_freedom_is_replaced(results):
    found = floored(
        with_floor(results.survey, minimum_df=8), edited(results, df=0.0, deff=5.0), "county"
    )
    assert found.estimates.table.loc[0, "df"] == 8
    assert found.estimates.table.loc[0, "se"] == own(results, "county")["se"][0]


def test_without_a_design_effect_the_larger_areas_variance_is_scaled_by_the_answers(results):
    found = floored(
        with_floor(results.survey, minimum_df=9), edited(results, deff=np.nan, se=0.1), "county"
    )
    whole, n = own(results, "province").iloc[0], own(results, "county")["n"][0]
    assert found.estimates.table["se"][0] ** 2 == pytest.approx(
        whole["se"] ** 2 * whole["n"] / n, rel=EXACT
    )
    assert "design effect" not in found.said[EVEN]


def test_the_covariance_keeps_its_covariances_and_loses_no_variance(even):
    before, after = ranked(even, **OFF).units.cov, ranked(even, **DEFAULTS).units.cov
    raised = after - before
    assert np.count_nonzero(raised - np.diag(np.diag(raised))) == 0
    assert (np.diag(raised) >= 0).all()
    assert np.diag(raised)[0] > 0


def test_areas_above_the_floor_are_ranked_as_before(results):
    with_it, without = ranked(results, minimum_df=4, minimum_deff=0.0), ranked(results, **OFF)
    pd.testing.assert_frame_equal(with_it.table, without.table, check_exact=True)
    assert with_it.summary["notes"] == without.summary["notes"]
    assert "note" not in ranking_table(results.survey, results.estimates, with_it)


def test_rank_itself_knows_no_floor(even):
    counties = even.estimates["county"].of("topic_index")
    pd.testing.assert_frame_equal(
        rank(counties, bottom=1).table, ranked(even, **OFF).table, check_exact=True
    )


def test_a_larger_se_is_for_the_ranking_and_not_for_the_indices(small):
    small.edit("rules.yaml", "  minimum_df: 1\n  minimum_deff: 0.01\n", "")
    results = run(even_county(small).read())
    indices = indices_table(results.survey, results.estimates)
    here = (indices["code"] == EVEN) & (indices["measure"] == "topic_index")
    published = (
        ranking_table(results.survey, results.estimates, results.ranking)
        .set_index("code")
        .loc[EVEN]
    )
    assert indices.loc[here, "se"].item() < 1 < published["se"]
    assert indices.loc[here, "df"].item() == 2
    assert "4 个初级单元" in published["note"]
    assert "4 primary sampling units (df 2," in published["note"]
    said = tables_of(results).sentences.set_index("code").loc[EVEN]
    assert "该单位自身误差由 4 个初级单元估计" in said["zh"]
    assert "Its own error comes from 4 primary sampling units" in said["en"]
    assert any(
        "df under 8 or design effect under 0.3" in note and EVEN in note
        for note in map(str, results.ranking.summary["notes"])
    )
    assert (results.ranking.summary["minimum_df"], results.ranking.summary["minimum_deff"]) == (
        8,
        0.3,
    )


def test_ranks_within_a_prefecture_rest_on_the_same_error(even):
    survey = with_floor(even.survey, **DEFAULTS)
    ranking = rank_areas(survey, even.estimates)
    rankings = rank_within(survey, even.estimates, ranking)
    inside = rankings.within["county", "990100"]
    assert inside.table["se"].tolist() == ranking.table["se"].tolist()[:2]
    table = within_table(survey, even.estimates, rankings).set_index("code")
    assert table.loc[EVEN, "note"] == ranking.summary["se_from_larger"][EVEN]


def test_an_area_that_is_not_ranked_is_not_named(even):
    ranking = ranked(even, **DEFAULTS, minimum_n=25)
    assert EVEN in ranking.summary["not_ranked"]
    assert EVEN not in ranking.summary["se_from_larger"]
    assert not any(
        "df under 8" in note and EVEN in note for note in map(str, ranking.summary["notes"])
    )


def test_where_no_larger_area_was_estimated_the_ranking_says_so(even):
    survey = with_floor(even.survey, **DEFAULTS)
    ranking = rank_areas(survey, {"county": even.estimates["county"]})
    assert ranking.summary["se_from_larger"] == MappingProxyType({})
    assert "minimum_df and minimum_deff were not applied" in str(ranking.summary["notes"][-1])


@pytest.mark.parametrize("selection", ["quota", "open_link"])
def test_without_a_probability_sample_there_is_no_floor(small, selection):
    small.edit("survey.yaml", "selection: probability", f"selection: {selection}")
    results = run(even_county(small).read())
    found, without = ranked(results, **DEFAULTS), ranked(results, **OFF)
    pd.testing.assert_frame_equal(found.table, without.table, check_exact=True)
    assert found.table["se"].isna().all()
    assert dict(found.summary) == dict(without.summary)


def test_the_defaults_are_eight_and_three_tenths():
    rules = RankingRules(source="x")
    assert (rules.minimum_df, rules.minimum_deff) == (8, 0.3)


def test_a_threshold_is_not_passed_on_four_points_that_agree(even):
    level = own(even, "county").set_index("county").loc[EVEN, "estimate"] + 5.0
    threshold = Threshold(measure="topic_index", below=level, zh="谈话", en="talk", source="test")
    verdicts = {}
    for name, floor in (("own", OFF), ("lent", DEFAULTS)):
        survey = with_floor(even.survey, **floor)
        rules = survey.rules.model_copy(update={"thresholds": [threshold]})
        table = thresholds_table(dataclasses.replace(survey, rules=rules), even.estimates)
        verdicts[name] = table.set_index("code").loc[EVEN]
    assert verdicts["own"]["status"] == "established"
    assert verdicts["lent"]["status"] == "possible"
    assert "under the floor of the rules" in verdicts["lent"]["note"]
    assert verdicts["lent"]["se"] == verdicts["own"]["se"]


def test_a_change_rests_on_the_error_that_the_ranks_rest_on(even):
    wave = dataclasses.replace(even, survey=with_floor(even.survey, **DEFAULTS))
    found = compare_waves(wave, wave).ranks.waves
    lent = floored(wave.survey, wave.estimates, "county").estimates
    assert np.diag(found.after.cov) == pytest.approx(np.diag(lent.cov), rel=EXACT)
    assert found.after.cov[0, 0] > even.estimates["county"].of("topic_index").cov[0, 0]
