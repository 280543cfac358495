"""What must hold for any ranking, and the kernels against independent computations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from ranking_pool import provinces
from satisfaction.estimation.multiplicity import holm
from satisfaction.ranking import membership
from satisfaction.ranking import probability as bayes
from satisfaction.ranking import table as of_ranks
from satisfaction.ranking.critical_values import range_p_value, range_quantiles
from satisfaction.ranking.pairs import compare_units
from satisfaction.ranking.rank import rank
from satisfaction.ranking.sets import MARGINAL, SIMULTANEOUS, count_false

EXACT = ["rank", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "status"]
CLOSE = ["p_in", "p_out", "probability_bottom", "expected_rank", "reliability"]
METHODS = [(m, s) for m in MARGINAL for s in SIMULTANEOUS]
LEAST = 50_000  # draws of `rank`: max-t critical values as exact as it allows
DRAWS = 2_000  # for what holds on any draws, be they ever so few


@pytest.fixture(scope="module", autouse=True)
def _few_draws():
    """`rank` takes fewer draws than it would publish with: drawing is most of the time of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_ranks, "FEWEST", DRAWS)
        yield


@given(provinces(), st.sampled_from(METHODS))
@settings(max_examples=150, deadline=None)
def test_rank_lies_in_its_sets(province, methods):
    table = province.ranked(
        bottom=3, marginal=methods[0], simultaneous=methods[1], draws=DRAWS
    ).table
    p = len(table)
    for kind in ("marginal", "simultaneous"):
        assert (table[f"{kind}_low"] >= 1).all()
        assert (table[f"{kind}_low"] <= table["rank"]).all()
        assert (table["rank"] <= table[f"{kind}_high"]).all()
        assert (table[f"{kind}_high"] <= p).all()


@given(provinces(), st.sampled_from(METHODS))
@settings(max_examples=150, deadline=None)
def test_marginal_sets_lie_inside_simultaneous_sets(province, methods):
    # Holm: one family contains the other. Simes is never wider than Bonferroni over 2(p-1) pairs, whose critical value
    # stays below Holm's best case over p(p-1) pairs, Tukey's and the joint intervals' for p >= 4 and df >= 10.
    assume(methods == ("holm", "holm") or methods[0] == "simes")
    how = {"bottom": 3, "marginal": methods[0], "simultaneous": methods[1], "draws": LEAST}
    table = province.ranked(**how).table
    assert (table["simultaneous_low"] <= table["marginal_low"]).all()
    assert (table["marginal_high"] <= table["simultaneous_high"]).all()


@given(provinces(distinct=True), st.sampled_from(METHODS))
@settings(max_examples=80, deadline=None)
def test_reversing_the_direction_mirrors_the_table(province, methods):
    how = {"bottom": 3, "marginal": methods[0], "simultaneous": methods[1], "draws": DRAWS}
    table = province.ranked(**how).table
    mirrored = province.ranked(higher_is_better=False, **how).table
    p = len(table)
    assert (mirrored["rank"] == p + 1 - table["rank"]).all()
    for kind in ("marginal", "simultaneous"):
        assert (mirrored[f"{kind}_low"] == p + 1 - table[f"{kind}_high"]).all()
        assert (mirrored[f"{kind}_high"] == p + 1 - table[f"{kind}_low"]).all()
    np.testing.assert_allclose(
        mirrored["expected_rank"], p + 1 - table["expected_rank"], rtol=1e-12
    )
    negated = rank(
        -province.score, province.se, df=province.df, higher_is_better=False, **how
    ).table
    pd.testing.assert_frame_equal(negated.drop(columns="estimate"), table.drop(columns="estimate"))


@given(provinces(), st.sampled_from(METHODS), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_order_of_the_units_does_not_matter(province, methods, random):
    how = {"bottom": 3, "marginal": methods[0], "simultaneous": methods[1], "draws": DRAWS}
    table = province.ranked(**how).table
    order = np.array(random.sample(range(len(table)), len(table)))
    df = None if province.df is None else province.df[order]
    shuffled = rank(province.score[order], province.se[order], df=df, **how)
    expected = table.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled.table[EXACT], expected[EXACT])
    np.testing.assert_allclose(shuffled.table[CLOSE], expected[CLOSE], rtol=1e-7, atol=1e-12)


@given(provinces(distinct=True), st.sampled_from(METHODS), st.sampled_from([0.0, 1e-12, 1e-7]))
@settings(max_examples=80, deadline=None)
def test_without_error_ranks_are_exact(province, methods, scale):
    how = {"bottom": 3, "marginal": methods[0], "simultaneous": methods[1], "draws": DRAWS}
    table = rank(province.score, scale * province.se, df=province.df, **how).table
    for bound in EXACT[1:5]:
        assert (table[bound] == table["rank"]).all()
    last = (table["rank"] > len(table) - 3).to_numpy()
    assert table["status"].tolist() == np.where(last, "established", "excluded").tolist()
    np.testing.assert_allclose(table["probability_bottom"], last, atol=1e-9)
    np.testing.assert_allclose(table["expected_rank"], table["rank"].astype(float), atol=1e-9)


@given(provinces(), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_probabilities_sum_to_the_length_of_the_list(province, bottom):
    rk = province.ranked(bottom=bottom)
    p = len(rk.table)
    assert rk.table["probability_bottom"].sum() == pytest.approx(bottom, abs=1e-7)
    assert rk.target("top", bottom).table["probability"].sum() == pytest.approx(bottom, abs=1e-7)
    assert rk.table["expected_rank"].sum() == pytest.approx(p * (p + 1) / 2, rel=1e-12)
    assert rk.table["probability_bottom"].between(0, 1 + 1e-12).all()


@given(provinces(), st.sampled_from(METHODS))
@settings(max_examples=80, deadline=None)
def test_infinite_df_are_known_se(province, methods):
    how = {"bottom": 3, "marginal": methods[0], "simultaneous": methods[1], "draws": DRAWS}
    known = rank(province.score, province.se, **how).table
    estimated = rank(province.score, province.se, df=1e13, **how).table
    pd.testing.assert_frame_equal(known[EXACT], estimated[EXACT])
    np.testing.assert_allclose(known[CLOSE], estimated[CLOSE], rtol=1e-7, atol=1e-50)


@given(provinces())
@settings(max_examples=60, deadline=None)
def test_nobody_is_both_established_and_excluded(province):
    table = province.ranked(bottom=3, level=0.55).table
    assert not ((table["p_in"] <= 0.45) & (table["p_out"] <= 0.45)).any()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.sampled_from([0.025, 0.05, 0.4]))
@settings(max_examples=200, deadline=None)
def test_closed_testing_shortcut_against_all_subsets(p_values, alpha):
    p_values = np.sort(p_values)
    n = len(p_values)

    def simes_keeps(subset):
        return np.all(p_values[subset] > alpha * np.arange(1, len(subset) + 1) / len(subset))

    subsets = ([i for i in range(n) if mask >> i & 1] for mask in range(1, 2**n))
    largest_kept = max((len(subset) for subset in subsets if simes_keeps(subset)), default=0)
    assert count_false(p_values[None], alpha)[0] == n - largest_kept


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_holm_one_step_at_a_time(p_values):
    rejected, left = [False] * len(p_values), set(range(len(p_values)))
    while left and p_values[smallest := min(left, key=p_values.__getitem__)] * len(left) <= 0.05:
        rejected[smallest] = True
        left.remove(smallest)
    assert (holm(np.array(p_values)) <= 0.05).tolist() == rejected


# ---- kernels against independent computations


@pytest.mark.parametrize("groups", [2, 3, 10, 88])
@pytest.mark.parametrize("df", [3.0, 10, 22.5, 44, 200, np.inf])
def test_studentized_range_against_scipy(groups, df):
    q = np.array([0.5, 2.0, 4.0, 6.0])
    p_value = range_p_value(q, groups, np.full(4, df))
    np.testing.assert_allclose(p_value, stats.studentized_range.sf(q, groups, df), atol=1e-9)
    (quantile,) = range_quantiles(0.95, groups, np.array([df]))
    assert stats.studentized_range.sf(quantile, groups, df) == pytest.approx(0.05, abs=1e-9)


def test_studentized_range_far_out():
    # with one df, P(s < x) is about x sqrt(2 / pi), so the quantile is about the mean range times sqrt(2 / pi) / 0.0001
    mean_range = 2 * np.trapezoid(
        88 * (z := np.linspace(-9, 9, 4001)) * stats.norm.pdf(z) * stats.norm.cdf(z) ** 87, z
    )
    (quantile,) = range_quantiles(0.9999, 88, np.array([1.0]))
    assert quantile == pytest.approx(mean_range * np.sqrt(2 / np.pi) / 1e-4, rel=1e-4)


def test_studentized_range_of_two_is_the_t_test():
    t, df = np.array([0.3, 1.0, 2.5, 6.0]), np.array([4.0, 9.5, 30.0, np.inf])
    np.testing.assert_allclose(
        range_p_value(np.sqrt(2) * t, 2, df), 2 * stats.t.sf(t, df), rtol=1e-6, atol=1e-10
    )


def test_pairs_are_welch_tests():
    mean, sd, n = np.array([10.0, 11.0, 9.0]), np.array([2.0, 3.5, 1.0]), np.array([12, 25, 8])
    pairs = compare_units(mean, cov=np.diag(sd**2 / n), df=n - 1.0)
    for j, k in [(0, 1), (1, 2), (2, 0)]:
        welch = stats.ttest_ind_from_stats(
            mean[j], sd[j], n[j], mean[k], sd[k], n[k], equal_var=False, alternative="greater"
        )
        assert pairs.t[j, k] == pytest.approx(welch.statistic, rel=1e-12)
        assert pairs.p_better[j, k] == pytest.approx(welch.pvalue, rel=1e-10)


def test_estimated_se_are_not_taken_for_known():
    # eight tied counties with 6 df each: family-wise error at most 5 %, far more if the se were taken for known
    rng, p, df, runs = np.random.default_rng(20240401), 8, 6.0, 500
    wrong = np.zeros(2)
    for _ in range(runs):
        score, variance = rng.normal(size=p), rng.chisquare(df, p) / df
        for method, freedom in enumerate((df, np.inf)):
            pairs = compare_units(score, cov=np.diag(variance), df=np.full(p, freedom))
            wrong[method] += np.any(SIMULTANEOUS["tukey"](pairs, 0.05).low > 1)
    error, naive = wrong / runs
    assert error < 0.05
    assert naive > 0.12


def test_membership_by_hand():
    # four units, last two: "at least two of the three others are better", the two largest of three p-values
    q = np.array([[0.001, 0.02, 0.6]])
    assert membership.at_least(2, q, independent=True)[0] == pytest.approx(min(2 * 0.02, 0.6))
    assert membership.at_least(2, q, independent=False)[0] == pytest.approx(0.04)
    assert membership.at_least(1, q, independent=True)[0] == pytest.approx(0.003)
    assert membership.at_least(3, q, independent=True)[0] == pytest.approx(0.6)
    assert membership.at_least(1, np.array([[0.9, 0.95, 0.99]]), independent=False)[0] == 1.0


def test_membership_error_at_its_worst_case():
    # two units far better, three tied, three far worse; the last three: the tied ones are truly out (rank 3 of 8)
    rng, truth, runs, false = (
        np.random.default_rng(11),
        np.array([50.0, 50, 0, 0, 0, -50, -50, -50]),
        4000,
        0,
    )
    for _ in range(runs):
        pairs = compare_units(truth + rng.normal(size=8), cov=np.eye(8), df=np.full(8, np.inf))
        false += membership.bottom_membership(pairs, 4).p_in[2] <= 0.05
    assert false / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert false > 0


def test_reml_maximises_the_restricted_likelihood():
    rng = np.random.default_rng(3)
    se = rng.uniform(0.5, 3, 40)
    score = rng.normal(70, 2, 40) + se * rng.normal(size=40)

    def deviance(tau2):
        total = tau2 + se**2
        mu = np.average(score, weights=1 / total)
        return np.sum(np.log(total)) + np.log(np.sum(1 / total)) + np.sum((score - mu) ** 2 / total)

    best = optimize.minimize_scalar(
        deviance, bounds=(0, 50), method="bounded", options={"xatol": 1e-9}
    )
    assert bayes.between_variance(score, se) == pytest.approx(best.x, rel=1e-5)


def test_probabilities_against_simulation():
    rng = np.random.default_rng(8)
    score, se = (
        np.array([60.0, 61.0, 63.0, 64.0, 70.0, 59.0]),
        np.array([1.0, 3.0, 2.0, 0.5, 4.0, 1.5]),
    )
    model = bayes.fit(score, se)
    draws = model.mean + model.sd * rng.normal(size=(200_000, 6))
    ranks = (-draws).argsort(axis=1).argsort(axis=1) + 1
    np.testing.assert_allclose(model.probability_bottom(2), (ranks > 4).mean(axis=0), atol=0.006)
    np.testing.assert_allclose(model.probability_top(2), (ranks <= 2).mean(axis=0), atol=0.006)
    np.testing.assert_allclose(model.expected_rank(), ranks.mean(axis=0), atol=0.015)


@pytest.mark.parametrize("score", [np.full(20, 75.0), 75 + np.linspace(-0.1, 0.1, 20)])
def test_scores_that_differ_less_than_their_errors(score):
    rk = rank(score, np.linspace(1, 3, 20), bottom=10)
    assert rk.summary["tau2"] == rk.summary["rankability"] == 0
    np.testing.assert_allclose(rk.table["probability_bottom"], 0.5, rtol=1e-12)
    np.testing.assert_allclose(rk.table["expected_rank"], 10.5, rtol=1e-12)
    assert (rk.table["reliability"] == 0).all()
    assert rk.summary["expected_true_bottom"] == pytest.approx(len(rk.summary["listed"]) / 2)
