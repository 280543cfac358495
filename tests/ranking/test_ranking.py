"""`rank`: the table, the summary and targets; what it accepts, refuses and declares."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking.change import rank_change
from satisfaction.ranking.rank import Ranking, rank

COLUMNS = [
    "unit", "estimate", "se", "rank", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high",
    "status", "p_in", "p_out", "probability_bottom", "expected_rank", "reliability",
]  # fmt: skip
SCORES = np.array([90.0, 85.0, 82.0, 82.0, 70.0, 60.0])
SE = np.array([1.0, 1.2, 0.8, 1.0, 1.5, 1.0])


def estimates(**changes):
    """Estimates of two prefectures, five counties, one of them with se 0 and limits."""
    table = pd.DataFrame(
        {
            "prefecture": ["5201", "5201", "5201", "5202", "5202"],
            "county": ["520102", "520103", "520111", "520201", "520203"],
            "measure": "index",
            "estimate": [80.0, 75.0, 100.0, 71.0, 60.0],
            "se": [1.0, 1.5, 0.0, 1.2, 2.0],
            "df": [20.0, 22.0, 24.0, 18.0, 30.0],
            "ci_low": [78.0, 72.0, 94.0, 68.5, 56.0],
            "ci_high": [82.0, 78.0, 100.0, 73.5, 64.0],
        }
    )
    parts = {
        "table": table,
        "cov": np.diag(table["se"].to_numpy() ** 2),
        "contributions": SimpleNamespace(without_values=lambda: None),
        "by": ("prefecture", "county"),
        "design": SimpleNamespace(selection="probability"),
    } | changes
    level = parts.pop("level", 0.95)
    conventions = {"selection": parts["design"].selection, "level": level}
    return Estimates(**parts, conventions=conventions)


def test_table_has_the_published_columns_in_input_order():
    rk = rank(SCORES, SE, names=list("abcdef"), bottom=2)
    assert isinstance(rk, Ranking)
    assert list(rk.table.columns) == COLUMNS
    assert rk.table["unit"].tolist() == list("abcdef")
    assert rk.table["rank"].tolist() == [1, 2, 3, 3, 5, 6]
    assert {str(rk.table[name].dtype) for name in COLUMNS[3:8]} == {"Int64"}
    np.testing.assert_array_equal(rk.table["estimate"], SCORES)
    np.testing.assert_allclose(rk.table["se"], SE, rtol=1e-15)
    assert rk.table["status"].tolist() == ["excluded"] * 4 + ["established"] * 2


def test_names_default_to_numbers_from_one():
    assert rank(SCORES, SE, bottom=2).table["unit"].tolist() == ["1", "2", "3", "4", "5", "6"]


def test_every_convention_is_declared():
    rk = rank(SCORES, SE, bottom=2, level=0.9)
    declared = {
        "level": 0.9, "bottom": 2, "p": 6, "higher_is_better": True, "selection": "probability", "seed": None, "fragile": (),
        "marginal": "simes", "marginal_asked": "simes", "simultaneous": "tukey", "independent": True,
        "df": "se known: normal distribution",
        "membership": "partial conjunction, Simes form, one unit, one side",
        "probabilities": "normal empirical Bayes, REML tau2, se as if known, exact by quadrature",
    }  # fmt: skip
    assert {name: rk.summary[name] for name in declared} == declared
    assert "1e-9" in rk.summary["ties"]
    assert "competition" in rk.summary["ties"]
    critical = stats.studentized_range.ppf(0.9, 6, np.inf) / np.sqrt(2)
    assert rk.summary["critical_values"]["simultaneous"] == pytest.approx(
        (critical, critical), rel=1e-8
    )
    assert rk.summary["critical_values"]["marginal"] is None


def test_critical_values_span_the_df_of_the_pairs():
    rk = rank(SCORES[:3], [1.0, 1.0, 1.0], df=[10, 10, 40], bottom=1)
    low, high = rk.summary["critical_values"]["simultaneous"]
    few, many = stats.studentized_range.ppf(0.95, 3, [10, 40]) / np.sqrt(2)
    assert low == pytest.approx(
        (few + many) / 2, rel=1e-8
    )  # Dunnett's C: equal variances weigh alike
    assert high == pytest.approx(few, rel=1e-8)
    assert "Satterthwaite" in rk.summary["df"]
    assert "10 to 40" in rk.summary["df"]


def test_summary_counts_decided_pairs_and_the_listed():
    rk = rank([9.0, 5.0, 5.1, 1.0], [0.1, 0.1, 0.1, 0.1], bottom=1, names="dcba")
    assert rk.summary["decidable_share"] == pytest.approx(5 / 6)
    assert rk.summary["listed"] == ("a",)
    assert rk.summary["list_p"] == pytest.approx(2 * stats.norm.sf(4 / np.sqrt(0.02)), rel=1e-10)
    assert rk.summary["list_established"]
    assert rk.summary["established_listed"] == 1
    assert rk.summary["expected_true_bottom"] == pytest.approx(
        rk.table["probability_bottom"][3], rel=1e-12
    )
    assert "整份名单得到确认" in str(rk.summary["notes"][0])


def test_a_list_that_cannot_be_proven_says_so():
    rk = rank([5.0, 4.9, 4.8, 4.7], [1.0] * 4, bottom=2)
    assert rk.summary["list_size_low"] == 2
    assert not rk.summary["list_established"]
    assert "名单中 2 个单位有 0 个得到确认；整份名单不能确认" in str(rk.summary["notes"][0])
    assert "not established" in str(rk.summary["notes"][0])


def test_ties_at_the_cut_are_reported_not_broken():
    rk = rank([9.0, 8.0, 3.0, 3.0 + 4e-10, 2.0, 1.0], [0.5] * 6, bottom=3, names=list("abcdef"))
    assert rk.table["rank"].tolist() == [1, 2, 3, 3, 5, 6]
    assert rk.summary["listed"] == ("e", "f")
    assert rk.summary["tied_at_cut"] == ("c", "d")
    assert rk.summary["tie_at_cut"]
    assert (rk.summary["list_size_low"], rk.summary["list_size_high"]) == (2, 4)
    assert rk.summary["list_p"] == 1.0
    assert any("2 或 4" in note for note in map(str, rk.summary["notes"]))


def test_ties_away_from_the_cut_leave_the_list_whole():
    rk = rank([9.0, 8.0, 3.0, 3.0, 1.0], [0.5] * 5, bottom=3)
    assert rk.table["rank"].tolist() == [1, 2, 3, 3, 5]
    assert not rk.summary["tie_at_cut"]
    assert rk.summary["list_size_low"] == rk.summary["list_size_high"] == 3


def test_scores_a_billionth_apart_are_not_ties_and_nothing_is_rounded():
    assert rank([1.0, 1.0 + 2e-9, 0.5], [0.1] * 3, bottom=1).table["rank"].tolist() == [2, 1, 3]


@pytest.mark.parametrize("selection", ["probability", "quota"])
def test_a_unit_without_an_estimate_has_no_standard_error(selection):
    scores = [90.0, np.nan, 70.0, 60.0]
    ranked = [True, False, True, True]
    rk = rank(scores, [1.0, 0.0, 1.0, 1.0], bottom=1, ranked=ranked, selection=selection)
    assert np.isnan(rk.table["se"][1])


def test_units_not_ranked_keep_their_row_and_do_not_count():
    taking_part = np.arange(7) != 2
    scores, se = np.insert(SCORES, 2, np.nan), np.insert(SE, 2, np.nan)
    with_gap, alone = (
        rank(scores, se, df=9, ranked=taking_part, bottom=2),
        rank(SCORES, SE, df=9, bottom=2),
    )
    kept = with_gap.table[taking_part].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.drop(columns="unit"), alone.table.drop(columns="unit"))
    assert with_gap.table["status"][2] == "not ranked"
    assert with_gap.table.iloc[2].drop(["unit", "status"]).isna().all()
    assert with_gap.summary["p"] == 6
    assert with_gap.summary["not_ranked"] == ("3",)
    assert with_gap.summary["listed"] == ("6", "7")
    assert with_gap.target("top", 2).table["verdict"][2] == "not ranked"


@pytest.mark.parametrize("selection", ["quota", "open_link"])
def test_without_a_probability_sample_nothing_is_established(selection):
    rk, design_based = rank(SCORES, SE, bottom=2, selection=selection), rank(SCORES, SE, bottom=2)
    assert set(rk.table["status"]) == {"possible"}
    np.testing.assert_array_equal(rk.table["rank"], design_based.table["rank"])
    assert set(rk.target("top", 2).table["verdict"]) == {"not decidable"}
    assert not rk.summary["list_established"]
    assert design_based.summary["list_established"]
    assert any("没有抽样误差" in note for note in map(str, rk.summary["notes"]))
    assert rk.table["probability_bottom"].isna().all()


def test_dependent_units_get_holm_and_bonferroni():
    cov = np.diag(SE**2)
    cov[0, 1] = cov[1, 0] = 0.3
    rk, holm = rank(SCORES, cov=cov, bottom=2), rank(SCORES, cov=cov, bottom=2, marginal="holm")
    assert (rk.summary["marginal_asked"], rk.summary["marginal"], rk.summary["independent"]) == (
        "simes",
        "holm",
        False,
    )
    assert "Bonferroni" in rk.summary["membership"]
    assert sum("Holm" in note or "Tukey" in note for note in map(str, rk.summary["notes"])) == 2
    joint = rank(SCORES, cov=cov, bottom=2, simultaneous="joint-ci")
    assert not any("Tukey" in note for note in map(str, joint.summary["notes"]))
    pd.testing.assert_frame_equal(rk.table, holm.table)
    difference = (90 - 85) / np.sqrt(1 + 1.44 - 0.6)
    np.testing.assert_allclose(rk.pairs.t[0, 1], difference, rtol=1e-14)


def test_a_diagonal_cov_is_the_same_as_se():
    pd.testing.assert_frame_equal(
        rank(SCORES, cov=np.diag(SE**2), bottom=2).table, rank(SCORES, SE, bottom=2).table
    )


def test_covariances_at_rounding_level_leave_units_independent():
    cov = np.diag(SE**2)
    cov[0, 1], cov[1, 0] = 3e-17, -1e-17
    assert rank(SCORES, cov=cov, bottom=2).summary["marginal"] == "simes"


# ---- Estimates


def test_estimates_bring_names_errors_and_df():
    rk = rank(estimates(), bottom=2)
    assert rk.table["unit"].tolist()[0] == "5201/520102"
    assert rk.table["rank"].tolist() == [2, 3, 1, 4, 5]
    np.testing.assert_array_equal(rk.pairs.df, [20, 22, 24, 18, 30])


def test_a_se_of_zero_is_replaced_by_the_se_of_the_limits():
    rk = rank(estimates(), bottom=2)
    assert rk.table["se"][2] == pytest.approx(6 / (2 * stats.t.ppf(0.975, 24)), rel=1e-12)
    assert rk.summary["se_from_limits"] == ("5201/520111",)
    assert any("520111" in note for note in map(str, rk.summary["notes"]))


def test_limits_are_read_at_the_level_of_the_estimates():
    assert rank(estimates(level=0.9), bottom=2).table["se"][2] == pytest.approx(
        6 / (2 * stats.t.ppf(0.95, 24)), rel=1e-12
    )


@pytest.mark.parametrize(
    ("declared", "asked", "used"),
    [("quota", "probability", "quota"), ("probability", "open_link", "open_link")],
)
def test_the_weaker_selection_holds(declared, asked, used):
    rk = rank(estimates(design=SimpleNamespace(selection=declared)), bottom=2, selection=asked)
    assert rk.summary["selection"] == used
    assert set(rk.table["status"]) == {"possible"}


def test_several_measures_are_refused_by_name():
    table = estimates().table.assign(measure=["index", "aware", "index", "index", "index"])
    with pytest.raises(RankingError, match=r"K103[\s\S]*index, aware"):
        rank(estimates(table=table), bottom=2)


def test_a_se_of_zero_without_limits_is_refused():
    table = estimates().table.assign(ci_low=100.0, ci_high=100.0)
    with pytest.raises(RankingError, match=r"K105[\s\S]*520111|K105.*520111"):
        rank(estimates(table=table), bottom=2)


def test_estimates_take_no_second_se():
    with pytest.raises(RankingError, match="K102"):
        rank(estimates(), np.ones(5))


# ---- targets


def test_target_verdicts():
    verdict = rank(SCORES, SE, bottom=2).target("top", 2).table
    assert verdict["verdict"].tolist() == [
        "met",
        "not decidable",
        "not decidable",
        "not decidable",
        "not met",
        "not met",
    ]
    assert verdict["probability"].sum() == pytest.approx(2, abs=1e-8)


def test_top_of_a_table_is_the_bottom_of_the_table_turned_round():
    met = rank(SCORES, SE, df=12, bottom=1).target("top", 3).table
    turned = rank(SCORES, SE, df=12, bottom=3, higher_is_better=False).table
    np.testing.assert_array_equal(met["p_met"], turned["p_in"])
    np.testing.assert_array_equal(met["p_not_met"], turned["p_out"])
    np.testing.assert_allclose(met["probability"], turned["probability_bottom"], rtol=1e-12)


def test_target_declares_its_level_and_method():
    target = rank(SCORES, SE, bottom=2, level=0.9).target("top", 2)
    assert (target.kind, target.places, target.summary["level"]) == ("top", 2, 0.9)
    assert "partial conjunction" in target.summary["membership"]


# ---- refusals


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("K101", {"estimate": SCORES[None]}),
        ("K101", {"estimate": ["a", "b", "c"]}),
        ("K101", {"se": SE[:3]}),
        ("K101", {"df": [1.0, 2.0]}),
        ("K101", {"names": ["a"]}),
        ("K101", {"ranked": [1, 1, 1, 1, 1, 0]}),
        ("K101", {"se": None, "cov": np.eye(3)}),
        ("K102", {"se": None}),
        ("K102", {"cov": np.eye(6)}),
        ("K104", {"se": -SE}),
        ("K106", {"selection": "random"}),
        ("K107", {"names": list("abcdea")}),
        ("K108", {"ranked": np.arange(6) == 0}),
        ("K109", {"estimate": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]}),
        ("K110", {"se": np.append(SE[:5], np.nan)}),
        ("K111", {"df": 0}),
        ("K111", {"df": [5, 5, 5, 5, 5, np.nan]}),
        ("K112", {"se": None, "cov": np.eye(6) + np.eye(6, k=1) / 2}),
        ("K112", {"se": None, "cov": 2 - np.eye(6)}),
        ("K113", {"marginal": "max-t"}),
        ("K114", {"simultaneous": "tuckey"}),
        ("K115", {"level": 95}),
        ("K115", {"level": 0.5}),
        ("K116", {"bottom": 6}),
        ("K116", {"bottom": 0}),
        ("K116", {"bottom": 2.0}),
    ],
)
def test_refusals_have_stable_codes(code, arguments):
    with pytest.raises(RankingError) as caught:
        rank(**({"estimate": SCORES, "se": SE, "bottom": 2} | arguments))
    assert caught.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.zh)


@pytest.mark.parametrize("argument", ["se", "df", "ranked"])
def test_rows_under_another_index_are_not_taken_by_their_order(argument):
    scores = pd.Series([90.0, 80, 60], index=["A", "B", "C"])
    arguments = {
        "se": pd.Series([1.0, 2, 3], index=scores.index),
        "df": pd.Series([20.0, 30, 40], index=scores.index),
        "ranked": pd.Series([True, True, True], index=scores.index),
    }
    rank(scores, **arguments, bottom=1)
    arguments[argument] = arguments[argument].iloc[::-1]
    with pytest.raises(RankingError) as refused:
        rank(scores, **arguments, bottom=1)
    assert refused.value.code == "K128"
    assert refused.value.where == argument


def test_an_earlier_wave_under_another_index_is_not_taken_by_its_order():
    later = pd.Series([90.0, 80, 60], index=["A", "B", "C"])
    earlier = pd.Series([60.0, 80, 91], index=["C", "B", "A"])
    se = np.ones((2, 3))
    with pytest.raises(RankingError) as refused:
        rank_change(later, earlier, se=se, places=1, comparable=True)
    assert refused.value.code == "K128"
    aligned = rank_change(later, earlier[later.index], se=se, places=1, comparable=True)
    assert aligned.table["change"].tolist() == [-1.0, 0.0, 0.0]


def test_refusals_name_the_culprits_and_the_options():
    with pytest.raises(RankingError, match="missing or not finite: c, e"):
        rank([1, 2, np.nan, 4, np.inf], [1] * 5, names=list("abcde"), bottom=1)
    with pytest.raises(RankingError, match="Did you mean 'tukey'"):
        rank(SCORES, SE, simultaneous="tuckey")


@pytest.mark.parametrize(
    ("code", "kind", "places"), [("K120", "fall", 5), ("K121", "top", 6), ("K121", "top", 0)]
)
def test_targets_refused(code, kind, places):
    with pytest.raises(RankingError) as caught:
        rank(SCORES, SE, bottom=2).target(kind, places)
    assert caught.value.code == code


# ---- immutability and size


def test_inputs_are_unchanged_and_results_frozen():
    given = estimates()
    arrays = [SCORES.copy(), SE.copy(), given.cov.copy()]
    table = given.table.copy(deep=True)
    rk = rank(SCORES, SE, bottom=2, higher_is_better=False)
    rank(given, bottom=2)
    for before, after in zip(arrays, [SCORES, SE, given.cov], strict=True):
        np.testing.assert_array_equal(before, after)
    pd.testing.assert_frame_equal(table, given.table)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rk.table = None
    with pytest.raises(TypeError):
        rk.summary["level"] = 0.5


def test_the_summary_is_a_record_and_reads_as_a_mapping():
    summary = rank(SCORES, SE, bottom=2).summary
    assert dict(summary)["list_p"] == summary.list_p == summary["list_p"] == summary.get("list_p")
    assert summary.draws is None
    assert "draws" not in summary
    assert summary.get("draws", 7) == 7
    assert list(summary)[:2] == ["p", "not_ranked"]
    assert len(summary) == len(dict(summary.items()))
    with pytest.raises(KeyError):
        summary["no such entry"]


def test_records_show_themselves_in_a_few_lines():
    rk = rank(np.linspace(60, 90, 88), np.full(88, 1.5), df=22)
    records = [rk, rk.summary, rk.units, rk.pairs, rk.posterior, rk.marginal, rk.options]
    records += [rk.order(), rk.target("top", 20)]
    assert all(len(repr(record)) < 1_000 for record in records)
    assert "88 units" in repr(rk)


def test_88_counties_with_estimated_se_are_ranked_whole():
    rng = np.random.default_rng(520000)
    scores, se, df = rng.normal(78, 4, 88), rng.uniform(1, 1.8, 88), rng.integers(15, 60, 88)
    table = rank(scores, se, df=df).table
    assert sorted(table["rank"]) == list(range(1, 89))
    assert table["probability_bottom"].sum() == pytest.approx(10, rel=1e-9)
    assert (
        (table["simultaneous_low"] <= table["marginal_low"])
        & (table["marginal_low"] <= table["rank"])
    ).all()
    assert (
        (table["rank"] <= table["marginal_high"])
        & (table["marginal_high"] <= table["simultaneous_high"])
    ).all()
