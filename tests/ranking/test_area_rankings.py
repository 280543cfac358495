"""Rules as data: what rules.yaml may say, what it does to the ranking, and the verdicts that follow."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conftest import COUNTIES, ROOT
from satisfaction import SatisfactionError
from satisfaction.declarations.rules import RankingRules, Rules
from satisfaction.foundation.errors import RankingError, SurveyError
from satisfaction.foundation.language import NOTHING, Text
from satisfaction.pipeline import rank_areas, run
from satisfaction.publication.labels import VERDICT
from satisfaction.publication.ranking_table import (
    escalation_table,
    paths_table,
    ranking_table,
    targets_table,
    thresholds_table,
    tied_line,
    within_table,
)
from satisfaction.publication.tables import indices_table
from satisfaction.ranking.area_rankings import rank_by_rules, rank_within, rounded
from satisfaction.ranking.rank import rank
from satisfaction.ranking.targets import RANGE_MET, below_tests, target_verdicts

EXACT = 1e-12  # figures that only pass through
SIMULATED = 0.02  # of a probability from 20,000 draws: four standard errors at worst

HISTORY = "wave,code,rank,listed,marginal_low,marginal_high,n\n"
EARLIER = [
    ("2026S1", [(1, "no"), (2, "no"), (3, "tied"), (4, "yes")]),
    ("2026S2", [(4, "yes"), (2, "no"), (1, "no"), (3, "yes")]),
]  # fmt: skip


def history(waves=EARLIER, sets: str = "1,4,30") -> str:
    rows = [
        f"{wave},{code},{place},{listed},{sets}"
        for wave, ranks in waves
        for code, (place, listed) in zip(COUNTIES, ranks, strict=True)
    ]
    return HISTORY + "\n".join(rows) + "\n"


def declare(small, text: str, *, table: str | None = None):
    """Add declarations to rules.yaml and, with a table, earlier rankings; returns the survey."""
    path = small.folder / "rules.yaml"
    own = path.read_text(encoding="utf-8")
    if table is not None:
        (small.folder / "history.csv").write_text(table, encoding="utf-8")
        own += "history: {file: history.csv, source: 测试 test, gaps: []}\n"
    path.write_text(own + text, encoding="utf-8")
    return small


def with_rules(survey, **changes):
    """The survey with other rules for the ranking."""
    rules = survey.rules.model_copy(
        update={"ranking": survey.rules.ranking.model_copy(update=changes)}
    )
    return dataclasses.replace(survey, rules=rules)


def ranked_with(counties, scores, **rules):
    """The counties ranked on other scores."""
    table = counties.table.assign(estimate=scores)
    estimates = dataclasses.replace(counties, table=table)
    return rank_by_rules(
        estimates, RankingRules(**({"list_size": 1, "minimum_n": 10, "source": "x"} | rules))
    )


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


@pytest.fixture(scope="module")
def counties(results):
    return results.estimates["county"].of("topic_index")


@pytest.fixture(scope="module")
def province(shipped):
    """The shipped wave and what its rules make of it."""
    return shipped("guizhou-2026q3")


# ---- what rules.yaml may say ----

RANKING = "  level: 0.95\n"
REFUSED = [
    ("Y203", RANKING, "  level: 0.95\n  side: middle\n", "side"),
    ("Y203", "  ties: competition", "  ties: random", "ties"),
    ("Y203", RANKING, RANKING + "  minimum_reliability: 1\n", "minimum_reliability"),
    ("Y203", "minimum_df: 1", "minimum_df: -1", "minimum_df"),
    ("Y203", "minimum_deff: 0.01", "minimum_deff: 2", "minimum_deff"),
    ("Y203", RANKING, RANKING + "  multiplicity: bonferroni\n", "multiplicity"),
    ("S183", 'round_before_ranking: "off"', "round_before_ranking: 7", "round_before_ranking"),
    ("S183", 'round_before_ranking: "off"', "round_before_ranking: true", "round_before_ranking"),
    ("S183", 'round_before_ranking: "off"', "round_before_ranking: 1.5", "round_before_ranking"),
    ("S170", "{top: 2}", "{top: 2, rise: 1}", "990101"),
    ("S170", "{top: 2}", "[{top: 2}, {}]", "990101"),
    ("S170", "{top: 2}", "{top: 2, since: 2026S1}", "990101"),
    ("Y203", "{top: 2}", "[]", "990101"),
    ("S141", '"990101": {top: 2}', '"990109": [{top: 2}]', "990109"),
    ("S142", "{top: 2}", "[{top: 1}, {top: 4}]", "990101"),
    ("S142", "{top: 2}", "{rise: 4}", "990101"),
    ("S171", "{top: 2}", "{rise: 1}", "990101"),
    ("S172", "{top: 2}", "{first_in: county}", "990101"),
    ("S172", "{top: 2}", "{first_in: prefectur}", "990101"),
]  # fmt: skip


def test_a_rate_is_not_rounded_to_tens_of_percents(small):
    path = small.edit("rules.yaml", 'round_before_ranking: "off"', "round_before_ranking: 1")
    further = "rankings:\n- {score: awareness, round_before_ranking: %s}\n"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + further % '"off"', encoding="utf-8")
    assert small.read().further
    path.write_text(text + further % "1", encoding="utf-8")
    with pytest.raises(SurveyError, match="S188"):
        small.read()


@pytest.mark.parametrize(
    ("code", "old", "new", "line"), REFUSED, ids=[f"{r[0]}-{i}" for i, r in enumerate(REFUSED)]
)
def test_a_bad_rule_is_refused_once_with_its_line(small, code, old, new, line):
    if "side" in new:
        small.edit("rules.yaml", "  side: last\n", "")
    path = small.edit("rules.yaml", old, new)
    with pytest.raises(SurveyError) as refused:
        small.read()
    number = next(
        i
        for i, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line in text
    )
    assert (refused.value.code, refused.value.where) == (code, f"{path}:{number}")
    assert refused.value.en.isascii()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert " more: " not in refused.value.hint[1]


THRESHOLD = "thresholds:\n  - {measure: %s, below: %s, zh: 取消资格, en: loses the nomination, source: 测试 test}\n"


@pytest.mark.parametrize(
    ("code", "measure", "below"),
    [
        ("S173", "satisfactoin", "0.6"),
        ("S173", "heard", "0.6"),
        ("S174", "satisfaction", "60"),
        ("S174", "satisfaction", "1"),
        ("S174", "satisfaction", "0"),
        ("S174", "topic_index", "100"),
        ("S174", "topic_index", "-1"),
        ("Y203", "topic_index", "many"),
        ("S174", "topic_index", ".nan"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(small, code, measure, below):
    with pytest.raises(SurveyError) as refused:
        declare(small, THRESHOLD % (measure, below)).read()
    assert refused.value.code == code
    assert refused.value.where.startswith(f"{small.folder / 'rules.yaml'}:")


STEPS = "escalation:\n  steps: [{listed_in_a_row: 1, zh: 挂牌, en: listed}, {listed_in_a_row: %s, zh: 约谈, en: talk}]\n  source: x\n"


@pytest.mark.parametrize(("code", "second"), [("S180", 1), ("Y203", 0), ("S181", 2)])
def test_an_escalation_that_cannot_be_is_refused(small, code, second):
    with pytest.raises(SurveyError) as refused:
        declare(small, STEPS % second).read()
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("S131", "wave,code", "period,code"),
        ("S175", "2026S2,990102,2,no", "2026S2,990102,2,maybe"),
        ("S175", "2026S2,990102,2,no", "2026S2,990102,0,no"),
        ("S175", "2026S2,990102,2,no", "2026S2,990102,2.3,no"),
        ("S175", "2026S2,990102,2,no", "2026S2,990102,second,no"),
        ("S175", "2026S2,990102,2,no", "2026S2,990102,inf,no"),
        ("S175", "2026S2,990201,1,no", "2026S2,990201,,yes"),
        ("S175", "990102,2,no,1,4,30\n2026S1", "990102,2,no,4,1,30\n2026S1"),
        ("S175", "990102,2,no,1,4,30\n2026S1", "990102,2,no,1,,30\n2026S1"),
        ("S175", "990102,2,no,1,4,30\n2026S1", "990102,2,no,1,4,-1\n2026S1"),
        ("S175", "990102,2,no,1,4,30\n2026S1", "990102,,no,1,4,30\n2026S1"),
        ("S175", "2026S2,990102", ",990102"),
        ("S176", "2026S2,990102", "2026S2,990101"),
        ("S177", "2026S2,990102", "2026S1,990109"),
        ("S178", "2026S2,990102", "2026S2,990109"),
    ],
)
def test_a_published_ranking_that_cannot_be_is_refused(small, code, old, new):
    table = history()
    assert table.count(old) == 1
    with pytest.raises(SurveyError) as refused:
        declare(small, "", table=table.replace(old, new)).read()
    assert refused.value.code == code


@pytest.mark.parametrize(
    "waves",
    [["2026S2", "2026S1"], ["2026T1", "2026T2"], ["2025T1", "2026T1"], ["2026T2", "2026S1"]],
)
def test_earlier_waves_stand_in_their_order_and_before_this_one(small, waves):
    with pytest.raises(SurveyError, match="S177"):
        declare(small, "", table=history([(wave, EARLIER[0][1]) for wave in waves])).read()


def test_waves_of_another_kind_of_name_keep_the_order_of_the_file(small):
    waves = ["2025T9", "2025T10", "spring"]
    survey = declare(small, "", table=history([(wave, EARLIER[0][1]) for wave in waves])).read()
    assert survey.earlier_waves() == waves
    assert survey.sources[-1].name == "history.csv"


@pytest.mark.parametrize(
    ("code", "target"),
    [("S171", "{rise: 1, since: 2026S9}"), ("S179", "{rise: 1, since: 2026S1}")],
)
def test_a_rise_needs_a_published_rank(small, code, target):
    table = history().replace("2026S1,990101,1,no,1,4", "2026S1,990101,,no,,")
    small.edit("rules.yaml", "{top: 2}", target)
    with pytest.raises(SurveyError, match=code):
        declare(small, "", table=table).read()


def test_a_rise_from_another_questionnaire_must_be_declared_comparable(small):
    small.edit("rules.yaml", "{top: 2}", "{rise: 1}")
    declare(small, "", table=history())
    small.edit("rules.yaml", "history: {", "history: {questionnaire: small@0, ")
    with pytest.raises(SurveyError, match="S182"):
        small.read()
    small.edit(small.questionnaire, "topics: [", "comparable_with: [small@0]\n\ntopics: [")
    assert small.read().rules.history.questionnaire == "small@0"


def test_one_target_and_several_are_written_alike(small):
    small.edit("rules.yaml", "{top: 2}", "[{top: 2}, {first_in: prefecture}, {first_in: province}]")
    targets = small.read().rules.targets["990101"]
    assert [(t.top, t.first_in) for t in targets] == [
        (2, None),
        (None, "prefecture"),
        (None, "province"),
    ]


def test_the_schema_knows_both_forms_of_a_target():
    shapes = Rules.model_json_schema()["properties"]["targets"]["patternProperties"].values()
    assert [
        "$ref" in json.dumps(shape["anyOf"][0]) and shape["anyOf"][1]["type"] for shape in shapes
    ] == ["array"]


# ---- the main ranking under the rules ----


def test_defaults_are_those_of_rank(results, counties):
    pd.testing.assert_frame_equal(
        rank(counties, bottom=1).table, results.ranking.table, check_exact=True
    )


@pytest.mark.parametrize("ties", ["competition", "modified", "dense", "fractional"])
@pytest.mark.parametrize("multiplicity", ["holm", "bh"])
def test_ties_and_multiplicity_are_handed_on(unchanged, results, counties, ties, multiplicity):
    survey = with_rules(unchanged, ties=ties, multiplicity=multiplicity)
    ranking = rank_areas(survey, results.estimates)
    expected = rank(counties, bottom=1, ties=ties, multiplicity=multiplicity)
    pd.testing.assert_frame_equal(ranking.table, expected.table, check_exact=True)
    assert {"p_in_adjusted", "p_out_adjusted"} <= set(
        ranking_table(survey, results.estimates, ranking)
    )


def test_listing_the_first_mirrors_listing_the_last(unchanged, results, counties):
    firsts = rank_areas(with_rules(unchanged, side="first"), results.estimates)
    turned = rank(counties, bottom=1, higher_is_better=False)
    for name in ("status", "p_in", "p_out", "probability_bottom"):
        pd.testing.assert_series_equal(firsts.table[name], turned.table[name])
    for name in ("rank", "marginal_low", "simultaneous_high", "expected_rank"):
        pd.testing.assert_series_equal(firsts.table[name], results.ranking.table[name])
    assert firsts.summary["listed"] == tuple(firsts.table.loc[firsts.table["rank"] == 1, "unit"])
    top = firsts.target("top", 1).table
    np.testing.assert_allclose(firsts.table["p_in"], top["p_met"], rtol=EXACT)
    np.testing.assert_allclose(firsts.table["probability_bottom"], top["probability"], atol=1e-8)
    assert (results.ranking.summary["side"], firsts.summary["side"]) == ("last", "first")
    assert "The list names the first 1." in str(firsts.summary["notes"][-1])


def test_an_unreliable_area_is_judged_by_the_whole_field(counties):
    scores = [90.0, 70.0, 50.0, 30.0]
    plain = ranked_with(counties, scores)
    reliability = plain.table["reliability"]
    least = float(np.sort(reliability)[1])
    assert (reliability < least).sum() == 1
    found = ranked_with(counties, scores, minimum_reliability=least)
    assert found.summary["not_ranked"] == tuple(plain.table.loc[reliability < least, "unit"])
    assert (
        sum("Not ranked for a reliability" in note for note in map(str, found.summary["notes"]))
        == 1
    )
    remaining = found.table.dropna(subset="rank")
    assert sorted(remaining["rank"]) == [1, 2, 3]
    assert (
        ranked_with(counties, scores, minimum_reliability=float(reliability.min())).summary[
            "not_ranked"
        ]
        == ()
    )


@pytest.mark.parametrize("changes", [{"minimum_n": 10_000}, {"minimum_reliability": 0.999}])
def test_too_few_areas_for_a_list_are_refused_in_the_words_of_the_rules(
    unchanged, results, changes
):
    with pytest.raises(RankingError) as refused:
        rank_areas(with_rules(unchanged, **changes), results.estimates)
    assert refused.value.code == "K160"
    assert f"{next(iter(changes))}={next(iter(changes.values()))}" in refused.value.where


# ---- rounding ----


def test_halves_are_rounded_up_as_they_are_published():
    assert rounded(np.array([0.125, 2.5, 1.005, 70.449999, 70.45]), 2).tolist() == [
        0.13,
        2.5,
        1.01,
        70.45,
        70.45,
    ]
    assert rounded(np.array([2.5, 3.5, -2.5]), 0).tolist() == [3.0, 4.0, -3.0]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20), st.integers(0, 6))
def test_rounding_never_turns_an_order(scores, digits):
    order = np.argsort(scores, kind="stable")
    assert (np.diff(rounded(np.array(scores), digits)[order]) >= 0).all()


def test_ranks_follow_the_rounded_scores_and_certainty_does_not(counties):
    scores = [70.04, 70.01, 60.0, 50.0]
    plain, found = (
        ranked_with(counties, scores),
        ranked_with(counties, scores, round_before_ranking=1),
    )
    assert found.table["rank"].tolist() == [1, 1, 3, 4]
    assert found.table["rank_unrounded"].tolist() == plain.table["rank"].tolist() == [1, 2, 3, 4]
    kept = [name for name in plain.table if name != "rank"]
    pd.testing.assert_frame_equal(found.table[kept], plain.table[kept], check_exact=True)
    assert "ranks moved: 1." in str(found.summary["notes"][-1])
    assert "rounded to 1 decimal places" in found.summary["ties"]
    assert found.summary["list_p"] == plain.summary["list_p"]


@pytest.mark.parametrize(
    ("side", "scores"),
    [("last", [80.0, 70.0, 60.04, 60.01]), ("first", [80.04, 80.01, 60.0, 50.0])],
)
def test_a_cut_that_rounding_ties_lists_nobody_for_sure(counties, side, scores):
    found = ranked_with(counties, scores, round_before_ranking=1, side=side)
    tied = tuple(np.array(COUNTIES)[np.array([2, 3] if side == "last" else [0, 1])])
    assert (found.summary["listed"], found.summary["tied_at_cut"]) == ((), tied)
    assert (found.summary["list_p"], found.summary["list_established"]) == (1.0, False)
    assert (found.summary["list_size_low"], found.summary["list_size_high"]) == (0, 2)


def test_rounding_that_moves_nothing_says_so(counties):
    found = ranked_with(counties, [80.0, 70.0, 60.0, 50.0], round_before_ranking=2)
    assert "ranks moved: 0." in str(found.summary["notes"][-1])
    assert (found.summary["listed"], found.summary["tied_at_cut"]) == ((COUNTIES[3],), ())


def test_the_published_ranking_has_the_columns_that_the_rules_ask_for(unchanged, results):
    asked = {"rank_unrounded", "p_in_adjusted", "p_out_adjusted"}
    plain = ranking_table(unchanged, results.estimates, results.ranking)
    assert not asked & set(plain)
    survey = with_rules(unchanged, round_before_ranking=0, multiplicity="bh")
    assert asked <= set(
        ranking_table(survey, results.estimates, rank_areas(survey, results.estimates))
    )
    assert set(plain["side"]) == {"last"}


# ---- within parents ----


def test_each_level_is_ranked_within_its_parents(unchanged, results):
    assert list(results.rankings.within) == [
        ("county", "990100"),
        ("county", "990200"),
        ("prefecture", "990000"),
    ]
    assert results.rankings.left_out == ()
    table = within_table(unchanged, results.estimates, results.rankings)
    assert table[["level", "within"]].value_counts(sort=False).tolist() == [2, 2, 2]
    for _, group in table.groupby(["level", "within"]):
        assert group["rank"].tolist() == [1, 2]
        assert group["estimate"].is_monotonic_decreasing
        np.testing.assert_allclose(
            group[["probability_first", "probability_last"]].sum(), 1, atol=1e-8
        )
    assert (table["of"] == 2).all()
    assert (
        not table[["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]]
        .isna()
        .any(axis=None)
    )
    assert table["within_en"].unique().tolist() == ["City 9901", "City 9902", "Test Province"]


def test_ranks_within_follow_rounded_scores_too(unchanged, results):
    survey = with_rules(unchanged, round_before_ranking=0)
    estimates = {
        level: dataclasses.replace(
            one,
            table=one.table.assign(estimate=one.table["estimate"].mask(one.table["n"] > 0, 70.2)),
        )
        for level, one in results.estimates.items()
    }
    rankings = rank_within(survey, estimates, rank_areas(survey, estimates))
    table = within_table(survey, estimates, rankings)
    assert (table["rank"] == 1).all()
    assert "rank_unrounded" in table
    assert "rank_unrounded" not in within_table(unchanged, results.estimates, results.rankings)


def test_a_ranking_within_is_that_of_its_areas_alone(results, counties):
    expected = rank(
        counties.table["estimate"][:2],
        cov=counties.cov[:2, :2],
        df=counties.table["df"][:2],
        names=COUNTIES[:2],
        bottom=1,
    )
    pd.testing.assert_frame_equal(
        results.rankings.within["county", "990100"].table, expected.table, check_exact=True
    )


def test_figures_within_are_the_published_ones(unchanged, results):
    table = within_table(unchanged, results.estimates, results.rankings)
    indices = indices_table(unchanged, results.estimates)
    both = table.merge(indices, on=["level", "code", "measure"], suffixes=("", "_published"))
    assert len(both) == len(table)
    assert both["estimate"].tolist() == both["estimate_published"].tolist()
    assert both["n"].tolist() == both["n_published"].tolist()


def test_an_area_alone_or_without_enough_answers_is_left_out_with_its_reason(small):
    small.edit("areas.csv", "County 990102,county,990100", "County 990102,county,990200")
    found = run(small.read())
    assert list(found.rankings.within) == [("county", "990200"), ("prefecture", "990000")]
    table = within_table(found.survey, found.estimates, found.rankings).set_index("code")
    assert "alone" in table.loc["990101", "note"]
    assert table.loc["990101", ["rank", "marginal_low", "probability_first"]].isna().all()
    assert (table.loc["990101", "of"], table.loc["990102", "of"]) == (0, 3)


def test_a_county_that_is_not_ranked_is_not_ranked_within_either(unchanged, results):
    n = results.estimates["county"].of("topic_index").table["n"]
    survey = with_rules(unchanged, minimum_n=int(np.sort(n)[1]))
    assert (n < np.sort(n)[1]).sum() == 1
    ranking = rank_areas(survey, results.estimates)
    rankings = rank_within(survey, results.estimates, ranking)
    left_out = ranking.summary["not_ranked"][0]
    assert [one.reason.en for one in rankings.left_out] == [
        "fewer than two units of its area can be ranked"
    ]
    table = within_table(survey, results.estimates, rankings)
    assert table.loc[table["code"] == left_out, "rank"].isna().all()
    assert len(table) == 6


def test_an_area_outside_the_level_above_is_left_out(small):
    small.edit("areas.csv", "County 990202,county,990200", "County 990202,county,990000")
    found = run(small.read())
    assert [(one.parent, one.codes) for one in found.rankings.left_out] == [
        ("990000", ("990202",)),
        ("990200", ("990201",)),
    ]


def test_without_a_level_between_there_is_nothing_but_the_main_ranking(shipped):
    phone = shipped("guiyang-phone-2026q3")
    assert dict(phone.rankings.within) == {}
    assert len(within_table(phone.survey, phone.estimates, phone.rankings)) == 0


# ---- targets ----


def targets_of(small, targets: str, **more):
    small.edit("rules.yaml", "{top: 2}", targets)
    results = run(declare(small, "", table=history(**more)).read())
    return results, targets_table(results.survey, results.ranking, results.rankings)


def test_every_target_has_its_verdict_and_its_basis(small):
    _, table = targets_of(
        small,
        "[{top: 2}, {rise: 2}, {rise: 1, since: 2026S1}, {first_in: prefecture}, {first_in: province}]",
    )
    assert table["target"].tolist() == [
        "top 2", "rise 2 since 2026S2", "rise 1 since 2026S1", "first in prefecture", "first in province",
    ]  # fmt: skip
    assert table["basis"].tolist() == [
        "ranking of 4", "published rank 4 in 2026S2", "published rank 1 in 2026S1", "ranking of 2 in City 9901", "ranking of 4",
    ]  # fmt: skip
    assert table["target_zh"].tolist() == [
        "前 2 名",
        "比 2026S2 上升 2 位",
        "比 2026S1 上升 1 位",
        "市9901第一",
        "测试省第一",
    ]
    assert (table["code"] == "990101").all()
    assert table["verdict_zh"].tolist() == [VERDICT[word].zh for word in table["verdict"]]
    assert (
        not table[["p_met", "p_not_met", "probability", "rank", "marginal_low"]]
        .isna()
        .any(axis=None)
    )
    assert table["of"].tolist() == [4, 4, 4, 2, 4]
    impossible = table.iloc[2]  # from the first place nobody rises
    assert impossible[["verdict", "p_met", "probability"]].tolist() == ["not met", 1.0, 0.0]


def test_verdicts_are_those_of_the_ranking(small):
    results, table = targets_of(small, "[{top: 2}, {rise: 2}, {first_in: prefecture}]")
    ranking, within = results.ranking, results.rankings.within["county", "990100"]
    since = dict(zip(COUNTIES, (4, 2, 1, 3), strict=True))
    expected = [
        ranking.target("top", 2),
        ranking.target("rise", 2, since=since, base="published", comparable=True),
        within.target("top", 1),
    ]
    for (_, row), tolerance, one in zip(
        table.iterrows(), (1e-8, SIMULATED, 1e-8), expected, strict=True
    ):
        found = one.table.set_index("unit").loc["990101"]
        assert row["verdict"] == found["verdict"]
        assert row["p_met"] == pytest.approx(found["p_met"], rel=1e-11)
        assert row["p_not_met"] == pytest.approx(found["p_not_met"], rel=1e-11)
        assert row["probability"] == pytest.approx(found["probability"], abs=tolerance)


def test_a_rise_from_a_half_rank_needs_the_whole_place(small):
    """From 3.5, one place up is 2.5 or better: rank 2."""
    table = history().replace("2026S2,990101,4,yes", "2026S2,990101,3.5,no")
    small.edit("rules.yaml", "{top: 2}", "[{rise: 1}, {top: 2}]")
    results = run(declare(small, "", table=table).read())
    found = targets_table(results.survey, results.ranking, results.rankings)
    assert found["probability"][0] == pytest.approx(found["probability"][1], abs=EXACT)
    assert found["basis"][0] == "published rank 3.5 in 2026S2"


def test_a_goal_that_all_reach_is_not_decidable_and_an_unranked_area_not_ranked(small, results):
    n = results.estimates["county"].of("topic_index").table.set_index("county")["n"]
    survey = with_rules(small.read(), minimum_n=int(n.min()) + 1)
    fewest = n.idxmin()
    other = next(code for code in COUNTIES if code != fewest)
    rules = Rules.model_validate(
        {
            "ranking": survey.rules.ranking,
            "targets": {fewest: [{"top": 2}, {"first_in": "prefecture"}], other: {"top": 3}},
        }
    )
    survey = dataclasses.replace(survey, rules=rules)
    ranking = rank_areas(survey, results.estimates)
    table = targets_table(survey, ranking, rank_within(survey, results.estimates, ranking))
    assert table["verdict"].tolist() == ["not ranked", "not ranked", "not decidable"]
    assert table[["p_met", "probability"]].isna().all(axis=None)
    assert table["of"].tolist() == [3, 0, 3]


def test_without_targets_the_table_is_empty(small):
    small.edit("rules.yaml", 'targets:\n  "990101": {top: 2}', "targets: {}")
    results = run(small.read())
    table = targets_table(results.survey, results.ranking, results.rankings)
    assert len(table) == 0
    assert {"verdict", "basis", "mark"} <= set(table)


def test_targets_of_a_ranked_rate_have_the_range_of_the_list(small):
    """Of an index they have none, as its list has none."""
    _, of_index = targets_of(small, "[{top: 2}, {first_in: prefecture}]")
    assert not {*RANGE_MET} & {*of_index}
    results = run(dataclasses.replace(small.read(), score="awareness"))
    table = targets_table(results.survey, results.ranking, results.rankings)
    named = results.ranking.target("top", 2).table.set_index("unit").loc["990101"]
    row = table.iloc[0]
    assert row[RANGE_MET[0]] == pytest.approx(named["probability_low"])
    assert row[RANGE_MET[1]] == pytest.approx(named["probability_high"])
    assert row["model_dependent"] == ("yes" if named["model_dependent"] else "no")
    assert row[RANGE_MET[0]] <= row["probability"]
    assert row["probability"] <= row[RANGE_MET[1]]


def test_open_links_decide_no_target_and_no_threshold(small):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    results = run(declare(small, THRESHOLD % ("satisfaction", 0.99)).read())
    assert set(target_verdicts(results.survey, results.ranking, results.rankings)["verdict"]) == {
        "not decidable"
    }
    assert set(thresholds_table(results.survey, results.estimates)["status"]) == {"possible"}


def test_beside_an_open_link_no_earlier_rank_has_a_set(small):
    """Every row of ranks over the waves is marked: no sampling error."""
    results = run(declare(small, "", table=history()).read())
    paths = paths_table(results.survey, results.estimates, results.ranking)
    assert paths["marginal_low"].notna().any()
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    results = run(small.read())
    paths = paths_table(results.survey, results.estimates, results.ranking)
    assert paths[["marginal_low", "marginal_high"]].isna().all(axis=None)
    assert paths["rank"].notna().any()


# ---- thresholds ----


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.2), st.integers(1, 60), st.floats(0.02, 0.98))
def test_threshold_p_values_are_one_sided_t_tests(estimate, se, df, value):
    one = np.array([estimate])
    tests = below_tests(
        one, np.array([se]), np.array([float(df)]), limits=(one, one), tail=0.025, value=value
    )
    assert tests.p_in[0] == pytest.approx(
        stats.t.cdf((estimate - value) / se, df), rel=1e-9, abs=1e-300
    )
    assert tests.p_in[0] + tests.p_out[0] == pytest.approx(1, abs=1e-12)


def test_where_nothing_varies_the_limits_decide():
    one = np.ones(4)
    low, high = np.array([0.8, 0.8, 1.0, np.nan]), np.array([1.0, 1.0, 1.0, np.nan])
    se, df = np.array([0.0, 0.0, 0.0, np.nan]), np.array([22.0, 22.0, 22.0, np.nan])
    tests = below_tests(one, se, df, limits=(low, high), tail=0.025, value=0.75)
    assert tests.p_in.tolist() == [1, 1, 1, 1]
    assert tests.p_out.tolist() == [0.025, 0.025, 1, 1]
    assert below_tests(one, se, df, limits=(low, high), tail=0.025, value=0.9).p_out.tolist() == [
        1,
        1,
        1,
        1,
    ]
    zeros = below_tests(0 * one, se, df, limits=(1 - high, 1 - low), tail=0.025, value=0.25)
    assert zeros.p_in.tolist() == [0.025, 0.025, 1, 1]


def test_thresholds_are_established_possible_or_excluded(small):
    small.edit("rules.yaml", "level: 0.95", "level: 0.9")
    declare(
        small,
        THRESHOLD % ("satisfaction", 0.9)
        + (THRESHOLD % ("topic_index", 20)).removeprefix("thresholds:\n"),
    )
    results = run(small.read())
    table = thresholds_table(results.survey, results.estimates)
    assert table["measure"].value_counts().to_dict() == {"satisfaction": 4, "topic_index": 4}
    for status, column in (("established", "p_below"), ("excluded", "p_not_below")):
        assert ((table["status"] == status) == (table[column] <= 0.1)).all()
    assert {"established", "excluded"} <= set(table["status"])
    assert table.groupby("measure")["estimate"].apply(lambda one: one.is_monotonic_increasing).all()
    assert (table["consequence_en"] == "loses the nomination").all()
    assert table.loc[table["status"] == "excluded", "status_zh"].unique().tolist() == ["已排除低于"]


def test_a_county_where_all_are_satisfied_is_judged_by_its_limits(small):
    rows = small.rows()
    rows.loc[rows["county"] == "990102", "overall"] = "5"
    small.write(rows)
    results = run(declare(small, THRESHOLD % ("satisfaction", 0.3)).read())
    row = thresholds_table(results.survey, results.estimates).set_index("code").loc["990102"]
    assert (row["estimate"], row["se"], row["status"]) == (pytest.approx(1), 0, "excluded")
    assert row["p_not_below"] == pytest.approx(0.025)
    assert "bounds" in row["note"]


def test_thresholds_with_too_few_answers_decide_nothing(small):
    declare(small, THRESHOLD % ("satisfaction", 0.99))
    survey = small.read()
    results = run(survey)
    large = with_rules(survey, minimum_n=10_000)
    table = thresholds_table(large, results.estimates)
    assert set(table["status"]) == {"possible"}
    assert table["note"].str.contains("too few answers").all()


@pytest.mark.parametrize("multiplicity", ["holm", "bh"])
def test_over_the_whole_table_thresholds_are_adjusted(small, multiplicity):
    survey = with_rules(
        declare(small, THRESHOLD % ("satisfaction", 0.8)).read(), multiplicity=multiplicity
    )
    results = run(survey)
    table = thresholds_table(survey, results.estimates)
    expected = {"holm": "holm", "bh": "fdr_bh"}[multiplicity]
    from statsmodels.stats.multitest import multipletests

    for name in ("p_below", "p_not_below"):
        np.testing.assert_allclose(
            table[f"{name}_adjusted"], multipletests(table[name], method=expected)[1], rtol=1e-9
        )
    assert ((table["status"] == "established") == (table["p_below_adjusted"] <= 0.05)).all()


def test_without_thresholds_the_table_is_empty(unchanged, results):
    assert len(thresholds_table(unchanged, results.estimates)) == 0


# ---- escalation and paths ----


def last_of(results) -> str:
    return str(results.ranking.summary["listed"][0])


@pytest.mark.parametrize(
    ("earlier", "run_length", "tied", "step"),
    [
        ([], 1, 0, "listed"),
        (["no"], 1, 0, "listed"),
        (["yes"], 2, 0, "talk"),
        (["tied", "yes"], 3, 1, "talk"),
        (["yes", "no"], 1, 0, "listed"),
        (["yes", "no", "yes"], 2, 0, "talk"),
    ],
)
def test_waves_in_a_row_are_counted_back_from_this_one(
    small, results, earlier, run_length, tied, step
):
    code = last_of(results)
    rows = [f"2025T{i + 1},{code},4,{listed},,,\n" for i, listed in enumerate(earlier)] or [
        "2025T1,990101,1,no,,,\n"
    ]
    survey = declare(small, STEPS % 2, table=HISTORY + "".join(rows)).read()
    table = escalation_table(survey, results.ranking, results.estimates)
    assert table[["code", "listed_in_a_row", "tied_waves", "step_en"]].to_numpy().tolist() == [
        [code, run_length, tied, step]
    ]
    own = results.ranking.table.set_index("unit").loc[code]
    assert (table["status"][0], table["listed"][0]) == (own["status"], "yes")
    assert table["probability_bottom"][0] == pytest.approx(own["probability_bottom"], rel=1e-11)


def waves_named(small, *earlier, now, gaps="") -> None:
    """Escalation over earlier waves of these names, before a wave named `now`."""
    small.edit("survey.yaml", "wave: 2026T1", f"wave: '{now}'")
    table = "".join(f"{wave},990101,4,yes,,,\n" for wave in earlier)
    declare(small, STEPS % 2, table=HISTORY + table)
    small.edit("rules.yaml", ", gaps: []", gaps)


@pytest.mark.parametrize(
    ("earlier", "now", "missing"),
    [
        (["2026Q2"], "2026Q4", "2026Q3"),
        (["2025Q3"], "2026Q1", "2025Q4"),
        (["2026Q1", "2026Q3"], "2026Q4", "2026Q2"),
        (["2026-05"], "2026-07", "2026-06"),
        (["202611"], "202701", "2026-12"),
        (["2025H1"], "2026h1", "2025H2"),
        (["2023"], "2026", "2024, 2025"),
    ],
)
def test_waves_in_a_row_are_not_counted_over_a_missing_wave(small, earlier, now, missing):
    waves_named(small, *earlier, now=now)
    with pytest.raises(SurveyError, match="S341") as refused:
        small.read()
    assert f"lack {missing}:" in refused.value.en


@pytest.mark.parametrize(
    ("earlier", "now"),
    [("2026Q4", "2027Q1"), ("2026-12", "2027-01"), ("2026M9", "2026M10"), ("2025", "2026")],
)
def test_waves_that_follow_one_another_need_no_word_about_gaps(small, results, earlier, now):
    waves_named(small, earlier, now=now)
    assert small.read().earlier_waves() == [earlier]


def test_a_gap_that_is_declared_with_its_reason_is_counted_across(small, results):
    waves_named(
        small, "2026Q2", now="2026Q4", gaps=", gaps: [{wave: 2026-Q3, source: 未开展 not held}]"
    )
    small.edit("history.csv", "990101", last_of(results))
    table = escalation_table(small.read(), results.ranking, results.estimates)
    assert table["listed_in_a_row"].tolist() == [2]


def test_a_gap_must_be_a_wave_that_is_missing(small):
    waves_named(small, "2026Q2", now="2026Q3", gaps=", gaps: [{wave: 2026Q2, source: x}]")
    with pytest.raises(SurveyError, match="S343"):
        small.read()


def test_names_that_do_not_tell_their_order_need_a_word_about_gaps(small):
    waves_named(small, "2025T9", now="2026T1")
    with pytest.raises(SurveyError, match="S342"):
        small.read()


def test_a_first_step_after_several_waves_is_not_reached_by_one(small, results):
    steps = "escalation: {steps: [{listed_in_a_row: 3, zh: 约谈, en: talk}], source: x}\n"
    survey = declare(small, steps, table=history()).read()
    table = escalation_table(survey, results.ranking, results.estimates)
    reached = table["listed_in_a_row"] >= 3
    assert (table["step_en"] == np.where(reached, "talk", "")).all()


def test_without_escalation_there_are_no_steps(unchanged, results):
    assert len(escalation_table(unchanged, results.ranking, results.estimates)) == 0


def test_paths_hold_the_history_and_this_wave(small, results):
    survey = declare(small, "", table=history()).read()
    table = paths_table(survey, results.estimates, results.ranking)
    assert table["wave"].unique().tolist() == ["2026S1", "2026S2", "2026T1"]
    assert table.groupby("wave").size().tolist() == [4, 4, 4]
    now = table[table["wave"] == "2026T1"].set_index("code")["rank"].to_dict()
    assert now == results.ranking.table.set_index("unit")["rank"].to_dict()
    assert table.loc[table["wave"] == "2026S2", ["code", "rank"]].to_numpy().tolist()[0] == [
        "990201",
        1,
    ]
    assert not table[["name_zh", "marginal_low", "n"]].isna().any(axis=None)


def test_paths_without_sets_or_history(small, unchanged, results):
    assert paths_table(unchanged, results.estimates, results.ranking)["wave"].unique().tolist() == [
        "2026T1"
    ]
    survey = declare(small, "", table=history(sets=",,")).read()
    table = paths_table(survey, results.estimates, results.ranking)
    assert (
        table.loc[table["wave"] != "2026T1", ["marginal_low", "marginal_high", "n"]]
        .isna()
        .all(axis=None)
    )


# ---- the shipped wave ----


def test_the_shipped_history_is_what_the_earlier_wave_publishes(shipped):
    earlier = shipped("guizhou-2026q2")
    table = ranking_table(earlier.survey, earlier.estimates, earlier.ranking)
    stored = pd.read_csv(
        ROOT / "surveys" / "guizhou-2026q3" / "history.csv",
        dtype={"code": str},
        encoding="utf-8-sig",
    )
    assert stored.to_csv(index=False) == table[list(stored)].to_csv(index=False)


def test_the_shipped_rules_give_every_table_its_rows_and_its_mark(province):
    survey, estimates, ranking, rankings = (
        province.survey,
        province.estimates,
        province.ranking,
        province.rankings,
    )
    made = {
        "ranking": (ranking_table(survey, estimates, ranking), 88),
        "within": (within_table(survey, estimates, rankings), 97),
        "targets": (targets_table(survey, ranking, rankings), 4),
        "thresholds": (thresholds_table(survey, estimates), 88),
        "escalation": (escalation_table(survey, ranking, estimates), 10),
        "paths": (paths_table(survey, estimates, ranking), 176),
    }
    assert {name: len(table) for name, (table, _) in made.items()} == {
        name: rows for name, (_, rows) in made.items()
    }
    for table, _ in made.values():
        assert table["mark"].str.contains("simulated").all()
        assert not table[["code", "name_zh", "name_en"]].isna().any(axis=None)
    assert made["targets"][0]["target"].tolist() == [
        "top 20",
        "top 40",
        "rise 5 since 2026Q2",
        "first in prefecture",
    ]


def test_shipped_rankings_within_add_up(province):
    table = within_table(province.survey, province.estimates, province.rankings)
    for _, group in table.groupby(["level", "within"]):
        np.testing.assert_allclose(
            group[["probability_first", "probability_last"]].sum(), 1, atol=1e-8
        )
        assert (group["marginal_low"] <= group["rank"]).all()
        assert (group["rank"] <= group["marginal_high"]).all()
        assert (group["simultaneous_low"] <= group["marginal_low"]).all()


@pytest.mark.parametrize(
    "wave", ["guizhou-2026q2", "guizhou-2026q3", "guiyang-phone-2026q3", "san-diego-2015"]
)
def test_shipped_rules_are_valid(wave):
    from satisfaction.foundation.yaml import read_yaml, validated

    document = read_yaml(ROOT / "surveys" / wave / "rules.yaml", SurveyError)
    rules = validated(document, Rules, SurveyError)
    assert Rules.model_validate(rules.model_dump()) == rules


def test_a_refusal_of_rules_is_a_satisfaction_error(small):
    small.edit("rules.yaml", "list_size: 1", "list_size: none")
    with pytest.raises(SatisfactionError):
        small.read()


def test_units_tied_at_the_cut_are_named():
    ranking = rank([80.0, 70.0, 70.0], se=[1.0, 1.0, 1.0], names=["a", "b", "c"], bottom=1)
    names = {name: Text(name) for name in "abc"}
    assert tied_line(ranking, names).zh == "  并列于分界：b、c"
    apart = rank([80.0, 71.0, 70.0], se=[1.0, 1.0, 1.0], names=["a", "b", "c"], bottom=1)
    assert tied_line(apart, names) == NOTHING
