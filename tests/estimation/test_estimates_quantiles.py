"""Quantiles, their limits and their se equal R's svyquantile; rounding, ties, empty domains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import province_design
from golden_values import api_design, api_rows, expected
from satisfaction import estimate
from satisfaction.estimation.quantiles import (
    distribution,
    quantiles,
    share_at_or_below,
    woodruff,
)

CLOSED_FORM = 1e-9  # of the se: same formula as R, other order of additions (found: 3e-15)
P = (0.25, 0.5, 0.75)


def weighted_quantiles(domain, value, weight, *, p, domains):
    return quantiles(distribution(domain, value, weight, domains=domains), p)


API = ["apistrat", "apistrat_nofpc", "apiclus1", "apiclus1_nofpc", "apiclus2"]


def all_in_one(value, weight=None):
    value = np.asarray(value, dtype=float)
    return distribution(
        np.zeros(len(value), dtype=int),
        value,
        np.ones(len(value)) if weight is None else weight,
        domains=1,
    )


def quantile_and_se(rows, value, weight, design, p):
    """A quantile of the whole sample with limits and se; the share's se by a column of 0 and 1."""
    of = all_in_one(rows[value], rows[weight].to_numpy())
    found = quantiles(of, p)
    below = (rows[value] <= found[0]).astype(float).where(rows[value].notna())
    share = estimate(design(rows.assign(below=below)), "below").table
    np.testing.assert_allclose(share_at_or_below(of, found), share["estimate"], rtol=1e-12)
    low, high, se = woodruff(
        of, found, share["se"].to_numpy(), df=share["df"].to_numpy(), level=0.95
    )
    return found[0], low[0], high[0], se[0]


# ---- R ----


@pytest.mark.parametrize("name", API)
def test_quantiles_of_the_api_samples_equal_svyquantile(name):
    wanted = expected("api")[f"{name}/quant/api00"]
    for p, quantile, error in zip(P, wanted["est"], wanted["se"], strict=True):
        found, low, high, se = quantile_and_se(
            api_rows(name), "api00", "pw", lambda rows: api_design(name, rows), p
        )
        assert found == quantile
        assert low < found < high
        assert se == pytest.approx(error, rel=CLOSED_FORM)


def test_quantiles_of_the_province_equal_svyquantile(province):
    wanted = expected("province")["quantile"]
    for p, quantile, error in zip(P, wanted["estimate"], wanted["se"], strict=True):
        found, low, high, se = quantile_and_se(
            province.respondents, "index", "base_weight", province_design, p
        )
        assert found == quantile
        assert low <= found <= high
        assert se == pytest.approx(error, rel=CLOSED_FORM)


# ---- the rule ----


def test_the_quantile_is_the_smallest_value_whose_share_reaches_p():
    of = all_in_one([3, 1, 2, 4])
    for p, wanted in [
        (0, 1),
        (0.25, 1),
        (0.2501, 2),
        (0.5, 2),
        (0.75, 3),
        (0.76, 4),
        (1, 4),
        (-0.1, 1),
        (1.1, 4),
    ]:
        assert quantiles(of, p) == wanted, p


@pytest.mark.parametrize("weight", [0.1, 1 / 3, 0.7, 1e-5, 1234.567])
@pytest.mark.parametrize("size", [10, 1000])
def test_a_share_that_reaches_p_but_for_rounding_reaches_it(weight, size):
    of = all_in_one(np.arange(1, size + 1), np.full(size, weight))
    for k in range(1, 11):
        assert quantiles(of, k / 10) == k * size / 10


def test_a_million_equal_weights_add_up():
    of = all_in_one(np.arange(1, 1_000_001), np.full(1_000_000, 0.1))
    assert [quantiles(of, k / 10)[0] for k in range(1, 11)] == [k * 1e5 for k in range(1, 11)]
    np.testing.assert_allclose(of.share, np.arange(1, 1_000_001) / 1_000_000, rtol=1e-15)


def test_a_row_of_n_respondents_is_n_rows():
    value, n, weight = (
        np.array([1.0, 2.0, 5.0, 7.0]),
        np.array([3, 1, 4, 2]),
        np.array([0.5, 2.0, 1.5, 0.25]),
    )
    grouped, single = (
        all_in_one(value, n * weight),
        all_in_one(np.repeat(value, n), np.repeat(weight, n)),
    )
    for p in np.linspace(0, 1, 41):
        assert quantiles(grouped, p) == quantiles(single, p)
    for y in (0.0, 1.0, 1.5, 6.0, 7.0, 9.0):
        assert share_at_or_below(grouped, np.array([y])) == pytest.approx(
            share_at_or_below(single, np.array([y])), rel=1e-15
        )


def test_rows_without_value_weight_or_domain_do_not_count():
    domain, value = np.array([0, 0, 0, -1, 0]), np.array([1.0, np.nan, -5.0, -9.0, 2.0])
    found = weighted_quantiles(
        domain, value, np.array([1.0, 9.0, 0.0, 9.0, 1.0]), p=np.array([0.0]), domains=1
    )
    assert found == 1


def test_domains_are_apart_and_may_be_empty():
    domain, value = np.array([2, 0, 2, 0, 2, 4]), np.array([30.0, 1, 10, 2, 20, 7])
    of = distribution(domain, value, np.ones(6), domains=6)
    np.testing.assert_array_equal(quantiles(of, 0.5), [1, np.nan, 20, np.nan, 7, np.nan])
    np.testing.assert_array_equal(
        quantiles(of, np.array([1, 1, 0, 0, 0.5, 0])), [2, np.nan, 10, np.nan, 7, np.nan]
    )
    below = share_at_or_below(of, np.array([0.5, 0.5, 20, 0, 7, np.nan]))
    np.testing.assert_allclose(below, [0, np.nan, 2 / 3, np.nan, 1, np.nan])
    low, high, se = woodruff(of, quantiles(of, 0.5), np.full(6, 0.2), df=np.full(6, 3), level=0.95)
    assert np.isnan([low, high, se])[:, [1, 3, 5]].all()
    assert np.isfinite([low, high, se])[:, [0, 2, 4]].all()


def test_no_rows_at_all():
    nothing = np.array([])
    assert (
        np.isnan(
            weighted_quantiles(nothing.astype(int), nothing, nothing, p=0.5, domains=3)
        ).tolist()
        == [True] * 3
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(-9, 9), st.integers(1, 99)),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 64),
    st.randoms(),
)
@settings(max_examples=200, deadline=None)
def test_quantiles_equal_the_definition_in_any_order(rows, p, random):
    # weights in 1/128 and p in 1/64, so that the definition can be taken exactly
    wanted = []
    for d in range(4):
        own = [(v, w) for domain, v, w in rows if domain == d]
        total = sum(w for _, w in own)
        reached = (
            v
            for v in sorted(v for v, _ in own)
            if 64 * sum(w for u, w in own if u <= v) >= p * total
        )
        wanted.append(next(reached, np.nan))
    random.shuffle(rows)
    domain, value, weight = (np.array(column) for column in zip(*rows, strict=True))
    found = weighted_quantiles(domain, value.astype(float), weight / 128, p=p / 64, domains=4)
    np.testing.assert_array_equal(found, np.array(wanted, dtype=float))


# ---- Woodruff ----


def test_limits_and_se_by_hand():
    of, t = all_in_one(np.arange(1, 101)), stats.t.ppf(0.95, 7)
    low, high, se = woodruff(
        of, np.array([50.0]), np.array([0.102 / t]), df=np.array([7]), level=0.9
    )
    assert (low, high) == (40, 61)  # shares 0.398 and 0.602
    assert se == pytest.approx(21 / (2 * t), rel=1e-12)


def test_a_higher_level_widens_the_limits():
    of = all_in_one(np.arange(1, 101))
    limits = [
        woodruff(of, np.array([40.0]), np.array([0.05]), df=np.array([30]), level=level)[:2]
        for level in (0.5, 0.8, 0.95)
    ]
    assert (
        limits[2][0] < limits[1][0] < limits[0][0] < 40 < limits[0][1] < limits[1][1] < limits[2][1]
    )


def test_limits_beyond_0_and_1_end_at_the_values_found():
    low, high, _ = woodruff(
        all_in_one([1, 2, 3, 4, 5]), np.array([3.0]), np.array([0.5]), df=np.array([3]), level=0.95
    )
    assert (low, high) == (1, 5)


def test_without_degrees_of_freedom_the_limits_are_open():
    low, high, se = woodruff(
        all_in_one([1, 2, 3]), np.array([2.0]), np.array([0.1]), df=np.array([0]), level=0.95
    )
    assert (low, high) == (-np.inf, np.inf)
    assert np.isnan(se)


def test_one_value_has_no_spread():
    low, high, se = woodruff(
        all_in_one([4, 4, 4]), np.array([4.0]), np.array([0.0]), df=np.array([2]), level=0.95
    )
    assert (low, high, se) == (4, 4, 0)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_the_se_is_that_of_repeated_samples(p):
    rng = np.random.default_rng(20261122)
    n, samples = 2000, 400
    domain, value = np.repeat(np.arange(samples), n), rng.gamma(3, 10, samples * n)
    of = distribution(domain, value, np.ones(samples * n), domains=samples)
    found = quantiles(of, p)
    share = share_at_or_below(of, found)
    se_share, df = np.sqrt(share * (1 - share) / (n - 1)), np.full(samples, n - 1)
    low, high, se = woodruff(of, found, se_share, df=df, level=0.95)
    assert np.sqrt((se**2).mean()) == pytest.approx(
        found.std(), rel=0.15
    )  # four standard errors of a sd of 400
    truth = stats.gamma.ppf(p, 3, scale=10)
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(
        0.95, abs=0.045
    )  # four standard errors
