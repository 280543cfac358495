"""Limits of shares equal R's svyciprop, statsmodels and closed forms; what must hold for every method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from golden_values import api_design, api_rows, expected
from satisfaction import estimate
from satisfaction.estimation.intervals import (
    effective_size,
    korn_graubard_interval,
    likelihood_interval,
    logit_interval,
    share_interval,
    t_interval,
)

CLOSED_FORM = 1e-9  # same formula as R, other order of additions (found: 7e-15)
R_ITERATES = 1e-6  # svyciprop fits a logistic model, which stops early (found: 3e-9 in apistrat)
R_INTERPOLATES = (
    2e-4  # R interpolates the profile between a few points, here it is solved (found: 8e-5)
)
SOLVED = 1e-10  # two solvers of one equation, or a closed form
ROUNDED = 1e-9  # of 1: last digits of a limit

TOLERANCE = {
    "logit": R_ITERATES,
    "beta": CLOSED_FORM,
    "mean": CLOSED_FORM,
    "likelihood": R_INTERPOLATES,
    "xlogit": CLOSED_FORM,
}
API = ["apistrat", "apistrat_nofpc", "apiclus1", "apiclus1_nofpc", "apiclus2"]
FROM_SIZE = ["beta", "wilson", "likelihood"]


def one(method, share, se, *, n, df, level=0.95, **more):
    """Limits of a single share as two numbers."""
    low, high = share_interval(
        method, np.array(share), np.array(se), n=np.array(n), df=np.array(df), level=level, **more
    )
    return float(low), float(high)


# ---- R ----


@pytest.mark.parametrize("method", ["logit", "beta", "likelihood", "mean"])
@pytest.mark.parametrize("name", API)
def test_limits_of_the_api_samples_equal_svyciprop(name, method):
    wanted = expected("api")[f"{name}/ci_{method}/sch.wide"]["ci"]
    row = estimate(api_design(name, api_rows(name)), "no").table.iloc[0]
    found = one(method, row["estimate"], row["se"], n=row["n"], df=row["df"])
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[method])


@pytest.mark.parametrize("method", ["logit", "beta", "mean", "xlogit"])
def test_limits_of_the_counties_equal_svyciprop(province, method):
    wanted = np.array(expected("province")["ciprop"][method])
    table = estimate(province.design, "aware", by="county").table
    share, se, n, df = (table[c].to_numpy(float) for c in ("estimate", "se", "n", "df"))
    low, high = share_interval(method, share, se, n=n, df=df, level=0.95)
    # R leaves Wald limits above 1, here they end there
    np.testing.assert_allclose(
        np.column_stack([share, low, high]), np.clip(wanted, 0, 1), rtol=TOLERANCE[method]
    )


# ---- other programs and closed forms ----


@pytest.mark.parametrize(
    ("method", "theirs"), [("beta", "beta"), ("wilson", "wilson"), ("mean", "normal")]
)
def test_limits_of_a_simple_random_sample_equal_statsmodels(method, theirs):
    n, count = 60, np.arange(2, 59)
    share, df = count / n, 59 if method == "beta" else np.inf
    found = share_interval(
        method, share, np.sqrt(share * (1 - share) / n), n=np.array(n), df=np.array(df), level=0.9
    )
    wanted = proportion_confint(count, n, alpha=0.1, method=theirs)
    np.testing.assert_allclose(found, np.clip(wanted, 0, 1), rtol=1e-9)


@pytest.mark.parametrize("df", [3, 22, 800])
def test_wilson_limits_are_where_the_score_statistic_is_t(df):
    share, se = 0.83, 0.04
    size = share * (1 - share) / se**2
    for limit in one("wilson", share, se, n=200, df=df):
        score = abs(share - limit) / np.sqrt(limit * (1 - limit) / size)
        assert score == pytest.approx(stats.t.ppf(0.975, df), rel=SOLVED)


@pytest.mark.parametrize(
    ("share", "se", "df"), [(0.2, 0.03, 20), (0.97, 0.02, 4), (0.5, 0.0004, 900), (1e-4, 9e-5, 100)]
)
def test_likelihood_limits_are_the_roots_of_the_scaled_deviance(share, se, df):
    n = 150
    size = share * (1 - share) / se**2 * (n - 1) / n

    def excess(x):
        deviance = (
            2 * size * (share * np.log(share / x) + (1 - share) * np.log((1 - share) / (1 - x)))
        )
        return deviance - stats.f.ppf(0.95, 1, df)

    wanted = [
        optimize.brentq(excess, a, b, xtol=1e-16, rtol=1e-14)
        for a, b in ((1e-300, share), (share, 1 - 1e-16))
    ]
    np.testing.assert_allclose(one("likelihood", share, se, n=n, df=df), wanted, rtol=1e-8)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_limits_of_none_and_all_by_hand(share):
    n, df, t = 50, 49, stats.t.ppf(0.975, 49)
    beyond = {
        "beta": 1 - 0.025 ** (1 / 50),
        "wilson": t**2 / (50 + t**2),
        "likelihood": 1 - np.exp(-(t**2) / 2 / 49),
    }
    for method, limit in beyond.items():
        wanted = (0.0, limit) if share == 0 else (1 - limit, 1.0)
        assert one(method, share, 0.0, n=n, df=df) == pytest.approx(wanted, rel=SOLVED)


def test_kernels_named_as_existing_functions_are_those(province):
    table = estimate(province.design, "aware", by="county").table
    share, se, n, df = (table[c].to_numpy(float) for c in ("estimate", "se", "n", "df"))
    for method in ("logit", "xlogit"):
        np.testing.assert_array_equal(
            share_interval(method, share, se, n=n, df=df, level=0.9),
            logit_interval(share, se, df, level=0.9),
        )
    wanted = korn_graubard_interval(share, effective_size(share, se, n=n)[0], n=n, df=df, level=0.9)
    np.testing.assert_array_equal(share_interval("beta", share, se, n=n, df=df, level=0.9), wanted)
    wanted = np.clip(t_interval(share, se, df, level=0.9), 0, 1)
    np.testing.assert_array_equal(share_interval("mean", share, se, n=n, df=df, level=0.9), wanted)


# ---- what holds for every method ----

SHARES = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1e-9, 1 - 1e-9, 1 + 2e-16])
ERRORS = st.floats(0, 0.5) | st.sampled_from([0.0, 1e-14, 1e-11, 1e-6])
SIZES = st.integers(1, 10**7)
DFS = st.integers(-1, 5000) | st.just(np.inf)
LEVELS = st.floats(0.01, 0.9999)
INTERVALS = ("logit", "beta", "wilson", "xlogit", "mean", "likelihood")
METHOD = pytest.mark.parametrize("method", INTERVALS)


@METHOD
@given(share=SHARES, se=ERRORS, n=SIZES, df=DFS, level=LEVELS, part=st.none() | st.floats(1e-3, 1))
@settings(max_examples=200, deadline=None)
def test_limits_lie_in_0_1_around_the_share(method, share, se, n, df, level, part):
    low, high = one(
        method,
        share,
        se,
        n=n,
        df=df,
        level=level,
        n_effective=None if part is None else np.array(n * part),
    )
    assert 0 <= low <= min(share, 1) <= high <= 1


@METHOD
@given(share=SHARES, se=ERRORS, n=SIZES, df=DFS, levels=st.tuples(LEVELS, LEVELS))
@settings(max_examples=200, deadline=None)
def test_a_higher_level_widens_the_limits(method, share, se, n, df, levels):
    df = min(
        df, n - 1
    )  # as in any sample; Korn and Graubard's t_{n-1} / t_df grows with the level where df > n - 1
    inner, outer = (one(method, share, se, n=n, df=df, level=level) for level in sorted(levels))
    assert outer[0] <= inner[0] + ROUNDED
    assert outer[1] >= inner[1] - ROUNDED


@METHOD
@given(share=st.integers(0, 64), se=ERRORS, n=SIZES, df=DFS, level=LEVELS)
@settings(max_examples=200, deadline=None)
def test_limits_of_the_complement_are_the_complements(method, share, se, n, df, level):
    # 64ths, so that 1 - share is exact
    low, high = one(method, share / 64, se, n=n, df=df, level=level)
    assert one(method, 1 - share / 64, se, n=n, df=df, level=level) == pytest.approx(
        (1 - high, 1 - low), abs=ROUNDED
    )


@METHOD
@given(share=st.floats(0.01, 0.99), se=st.floats(1e-5, 0.3), n=SIZES, df=st.integers(1, 500))
@settings(max_examples=100, deadline=None)
def test_more_degrees_of_freedom_narrow_the_limits(method, share, se, n, df):
    few, many = (one(method, share, se, n=n, df=d) for d in (df, df + 1))
    assert few[0] <= many[0] + ROUNDED
    assert few[1] >= many[1] - ROUNDED


@METHOD
def test_arrays_of_any_shape(method):
    share, level = np.array([[0.1, 0.5, 0.0], [1.0, 0.9, 0.25]]), 0.9
    se, n, df = (
        np.where((share > 0) & (share < 1), 0.05, 0.0),
        np.array([[40], [70]]),
        np.array([5, 9, 12]),
    )
    low, high = share_interval(method, share, se, n=n, df=df, level=level)
    for at in np.ndindex(share.shape):
        assert (low[at], high[at]) == one(
            method, share[at], se[at], n=n[at[0], 0], df=df[at[1]], level=level
        )


@METHOD
def test_no_share_has_no_limits(method):
    assert np.isnan(one(method, np.nan, np.nan, n=0, df=0)).all()
    assert np.isnan(one(method, np.nan, 0.0, n=0, df=5)).all()


@METHOD
def test_an_error_without_degrees_of_freedom_says_nothing(method):
    assert one(method, 0.3, 0.1, n=12, df=0) == (0.0, 1.0)


# ---- where the se is 0 ----


@pytest.mark.parametrize("method", ["logit", "xlogit", "mean"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("df", [0, 7])
def test_methods_from_the_error_collapse(method, share, df):
    assert one(method, share, 0.0, n=30, df=df) == (share, share)


@pytest.mark.parametrize("method", FROM_SIZE)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_methods_from_the_size_use_the_one_given(method, share):
    given_size = one(method, share, 0.0, n=30, df=29, n_effective=np.array(10.0))
    alone = one(method, share, 0.0, n=30, df=29)
    assert given_size[0] <= alone[0]
    assert given_size[1] >= alone[1]
    assert given_size[1] - given_size[0] > alone[1] - alone[0] > 0
    if 0 < share < 1:  # and it is the se of a simple random sample of that size
        se = np.sqrt(share * (1 - share) / 10)
        assert one(method, share, se, n=30, df=29) == pytest.approx(given_size, rel=SOLVED)


@pytest.mark.parametrize("method", FROM_SIZE)
def test_a_given_size_needs_no_degrees_of_freedom(method):
    assert one(method, 1.0, 0.0, n=30, df=0) == one(method, 1.0, 0.0, n=30, df=1)
    assert 0 < one(method, 1.0, 0.0, n=30, df=0)[0] < 1


@pytest.mark.parametrize("method", FROM_SIZE)
def test_a_size_of_0_says_nothing(method):
    assert one(method, 0.4, 0.0, n=30, df=9, n_effective=np.array(0.0)) == pytest.approx(
        (0.0, 1.0), abs=ROUNDED
    )


def test_one_respondent_has_no_likelihood():
    found = likelihood_interval(
        np.array(1.0), np.array(1.0), n=np.array(1), df=np.array(1), level=0.95
    )
    assert tuple(map(float, found)) == pytest.approx((0.0, 1.0), abs=ROUNDED)
