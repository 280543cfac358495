"""Array kernels against the formulas written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from satisfaction.sampling.residuals import inverse_of_margins
from satisfaction.sampling.variance import (
    Clusters,
    contributions,
    crossed,
    domain_members,
    simple_variance,
)

RNG = np.random.default_rng(7)
CLUSTERS = Clusters(
    np.arange(9), np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]), np.array([0.0, 0.5, 0.1]), np.ones(3)
)
TOTALS = RNG.normal(size=(9, 3))


def covariance(totals, clusters, lonely):
    scaled = contributions(totals, clusters, lonely)
    return crossed(scaled, scaled)


def test_covariance_is_the_textbook_sum_over_strata():
    expected = np.zeros((3, 3))
    for h, fraction in enumerate(CLUSTERS.fraction):
        z = TOTALS[CLUSTERS.stratum == h]
        n, centred = len(z), z - z.mean(axis=0)
        expected += (1 - fraction) * n / (n - 1) * sum(np.outer(row, row) for row in centred)
    np.testing.assert_allclose(
        covariance(sp.csr_array(TOTALS), CLUSTERS, "fail"), expected, rtol=1e-12
    )


def test_sparse_and_dense_products_agree():
    narrow = np.where(np.arange(300) % 50 == 0, 1.0, 0.0) * np.ones((9, 300))
    found = covariance(sp.csr_array(narrow * TOTALS[:, :1]), CLUSTERS, "fail")
    one = covariance(sp.csr_array(TOTALS[:, :1]), CLUSTERS, "fail")[0, 0]
    np.testing.assert_allclose(found[::50, ::50], one, rtol=1e-12)
    assert np.count_nonzero(found) == 36


@pytest.mark.parametrize(
    ("policy", "factor"),
    [("adjust", None), ("average", 4 / 3), ("certainty", 1.0), ("remove", 1.0)],
)
def test_lonely_policies(policy, factor):
    z = np.vstack([TOTALS, [5.0, -2.0, 1.0]])
    clusters = Clusters(
        np.arange(10), np.append(CLUSTERS.stratum, 3), np.append(CLUSTERS.fraction, 0.0), np.ones(4)
    )
    others = covariance(sp.csr_array(TOTALS), CLUSTERS, "fail")
    away = z[9] - z.mean(axis=0)
    expected = others + np.outer(away, away) if factor is None else others * factor
    np.testing.assert_allclose(covariance(sp.csr_array(z), clusters, policy), expected, rtol=1e-12)


def test_regression_solves_the_normal_equations_in_separate_blocks():
    margins = np.kron(np.eye(2), np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]]))
    size, y = RNG.uniform(1, 2, 8), RNG.normal(size=(8, 2))
    moments = margins.T @ (size[:, None] * y)
    found = inverse_of_margins(sp.csr_array(margins), size) @ moments
    fitted = np.linalg.lstsq(np.sqrt(size)[:, None] * margins, np.sqrt(size)[:, None] * y)[0]
    np.testing.assert_allclose(margins @ found, margins @ fitted, rtol=1e-10, atol=1e-12)


def test_df_counts_only_psus_with_valid_members_of_the_domain():
    valid = np.array([[1, 0], [1, 1], [2, 1], [1, 1], [0, 1], [1, 0], [1, 1], [1, 1], [1, 1]])
    domain = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    members = domain_members(domain, valid, CLUSTERS, domains=2)
    np.testing.assert_array_equal(members.each_df(), [4 - 2, 4 - 2, 4 - 1, 3 - 1])


def test_simple_variance_with_and_without_replacement():
    parts = [np.array([[x]]) for x in (0.5, 100.0, 50.0, 10.0)]
    assert simple_variance(*parts[:3], n=parts[3], population=100.0, replacement=True)[
        0, 0
    ] == pytest.approx(0.25 / 9)
    assert simple_variance(*parts[:3], n=parts[3], population=100.0, replacement=False)[
        0, 0
    ] == pytest.approx(0.25 / 9 * 0.9)


def test_a_spread_that_cancels_out_is_not_known():
    """sum y^2 / N - mean^2 of values next to 1e9 is rounding: no design effect, not a wrong one."""
    y = 1e9 + np.arange(10.0)
    parts = [np.array([[x]]) for x in (y.mean(), 10.0, (y**2).sum(), 10.0)]
    assert np.isnan(simple_variance(*parts[:3], n=parts[3], population=100.0, replacement=True))
    y = 1e4 + np.arange(10.0)
    parts = [np.array([[x]]) for x in (y.mean(), 10.0, (y**2).sum(), 10.0)]
    found = simple_variance(*parts[:3], n=parts[3], population=100.0, replacement=True)
    assert found[0, 0] == pytest.approx(y.var(ddof=1) / 10, rel=1e-7)
