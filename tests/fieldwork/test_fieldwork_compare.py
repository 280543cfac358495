"""The kernels of comparison: references leave the unit out, tests keep their level, equal units are never told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.fieldwork.outliers import (
    EFFICIENCY,
    IQR,
    LEAST_OTHERS,
    among,
    beta_binomial_tail,
    beyond_others,
    funnel_means,
    funnel_shares,
    others_quantile,
    share_error,
)

ROUNDING = 1e-9
values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40).map(np.array)
UNIT, PLACE = np.repeat(np.arange(60), 25), np.arange(60) // 6


@given(values, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 0.9]))
def test_the_quantile_of_the_others_leaves_the_value_out(given_values, share):
    found = others_quantile(given_values, share)
    expected = [np.quantile(np.delete(given_values, i), share) for i in range(len(given_values))]
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


def test_a_value_alone_has_no_others():
    assert np.isnan(others_quantile(np.array([3.0]), 0.5)).all()


@given(values.filter(lambda v: len(v) > LEAST_OTHERS))
def test_moving_and_stretching_all_units_changes_no_p(figure):
    first, second = among(figure, side="two"), among(3 * figure + 7, side="two")
    steady = np.abs(figure - first.reference[0]) > 1e-6
    np.testing.assert_allclose(first.p[steady], second.p[steady], rtol=1e-3, atol=ROUNDING)
    assert ((first.p >= 0) & (first.p <= 1) | np.isnan(first.p)).all()


def test_the_error_of_the_median_is_part_of_the_scale():
    """The variance of a median of n is pi / 2 that of their mean; the nine others are 0-8, with quartiles 2, 4 and 6."""
    spread = (4 / IQR) ** 2
    scale = np.sqrt(spread + np.pi / 2 * spread / 9)
    found = among(np.append(np.arange(9.0), 20.0))
    assert found.p[-1] == pytest.approx(stats.t.sf((20 - 4) / scale, EFFICIENCY * 8), rel=1e-12)


def test_few_units_and_equal_units_are_not_told_apart():
    assert np.isnan(among(np.arange(5.0)).p).all()
    assert not (among(np.full(9, 0.3)).p_bh <= 0.05).any()
    assert np.isnan(among(np.array([np.nan, 1.0])).p).all()


def test_one_unit_far_away_is_found_even_beside_others_that_are_faulty_too():
    figure = np.random.default_rng(1).standard_normal(88)
    figure[:8] += 12
    assert (among(figure).p_bh <= 0.05)[:8].all()


@pytest.mark.parametrize(("units", "error"), [(12, 0.0), (88, 0.0), (88, 1.0), (30, 0.5)])
def test_clean_units_are_flagged_no_more_often_than_declared(units, error):
    rng, rounds = np.random.default_rng(5), 400
    flagged = 0
    for _ in range(rounds):
        se = np.full(units, error) if error else None
        figure = rng.standard_normal(units) + error * rng.standard_normal(units)
        flagged += bool((among(figure, se=se, side="two").p_bh <= 0.05).any())
    assert flagged <= stats.binom.ppf(0.999, rounds, 0.05)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_interviewers_may_differ_by_the_correlation_tolerated(rho):
    rng, rounds, flagged = np.random.default_rng(6), 300, 0
    for _ in range(rounds):
        answers = np.sqrt(rho) * rng.standard_normal(60)[UNIT] + np.sqrt(
            1 - rho
        ) * rng.standard_normal(len(UNIT))
        flagged += bool((funnel_means(answers, unit=UNIT, place=PLACE, rho=rho).p_bh <= 0.05).any())
    assert flagged <= stats.binom.ppf(0.999, rounds, 0.05)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_rare_answers_are_not_flagged_more_often_than_declared(share):
    rng, rounds, flagged = np.random.default_rng(7), 300, 0
    for _ in range(rounds):
        p = rng.beta(share * 49, (1 - share) * 49, 60)  # intraclass correlation 1 / 50
        answers = (rng.random(len(UNIT)) < p[UNIT]).astype(float)
        flagged += bool(
            (funnel_shares(answers, unit=UNIT, place=PLACE, rho=0.02).p_bh <= 0.05).any()
        )
    assert flagged <= stats.binom.ppf(0.999, rounds, 0.05)


def test_the_funnel_without_tolerance_is_the_t_test_on_the_others_variance():
    rng = np.random.default_rng(8)
    unit, answers = np.repeat(np.arange(3), [9, 14, 20]), rng.standard_normal(43)
    found = funnel_means(answers, unit=unit, place=np.zeros(3, int), rho=0.0)
    own, rest = answers[unit == 0], answers[unit != 0]
    t = (own.mean() - rest.mean()) / np.sqrt(rest.var(ddof=1) * (1 / len(own) + 1 / len(rest)))
    assert found.p[0] == pytest.approx(2 * stats.t.sf(abs(t), len(rest) - 1), rel=ROUNDING)


@given(st.integers(1, 40), st.floats(0.01, 0.99), st.floats(0.001, 0.5), st.integers(0, 40))
def test_the_tail_of_shares_is_the_beta_binomial(n, mean, rho, count):
    count = min(count, n)
    found = beta_binomial_tail(
        np.array([count / n]), n=np.array([float(n)]), mean=np.array([mean]), rho=np.array([rho])
    )
    expected = stats.betabinom.sf(count - 1, n, mean * (1 / rho - 1), (1 - mean) * (1 / rho - 1))
    assert found[0] == pytest.approx(expected, rel=1e-7, abs=1e-10)


def test_places_with_one_unit_and_small_units_are_not_tested():
    answers, unit = np.random.default_rng(9).standard_normal(60), np.repeat([0, 1, 2], [25, 3, 32])
    found = funnel_means(answers, unit=unit, place=np.array([0, 0, 1]), rho=0.0)
    assert np.isnan(found.p[1:]).all()  # three answers; alone in its place
    assert found.n.tolist() == [25, 3, 32]


def test_equal_answers_are_no_difference():
    assert not (
        funnel_means(
            np.full(50, 0.1), unit=np.repeat([0, 1], 25), place=np.zeros(2, int), rho=0.02
        ).p
        <= 0.05
    ).any()


@given(st.lists(st.integers(0, 20), min_size=20, max_size=200), st.sampled_from([0.01, 0.05, 0.2]))
def test_no_more_respondents_than_the_rate_lie_beyond_themselves(answers, rate):
    figure = np.array(answers, float)
    flag, cut, reference = beyond_others(figure, place=np.zeros(len(figure), int), rate=rate)
    assert flag.mean() <= rate
    assert (flag == (figure > cut)).all()
    assert (reference[1] <= reference[0]).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_not_smaller_and_keep_their_order(p):
    p = np.array([*p, np.nan])
    adjusted = benjamini_hochberg(p)
    assert np.isnan(adjusted[-1])
    assert (adjusted[:-1] >= p[:-1] - ROUNDING).all()
    assert (np.diff(adjusted[:-1][np.argsort(p[:-1])]) >= -ROUNDING).all()


def test_a_share_of_none_has_an_error():
    assert (share_error(np.array([0.0, 1.0]), np.array([10, 10])) > 0).all()
