"""Joint Wald tests equal their formulas, the joint test of a regression, and do not depend on how a null is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conftest import province_design
from satisfaction import calibrate, estimate
from satisfaction.estimation.hypothesis_tests import quadratic_form, wald
from satisfaction.estimation.regression import regression
from satisfaction.foundation.errors import EstimatesError


@pytest.fixture(scope="module")
def by_age(province):
    return estimate(province.design, "index", by="age")


def contrasts(ages=5):
    return {f"{a} - 0": {(a, "index"): 1.0, (0, "index"): -1.0} for a in range(1, ages + 1)}


def test_it_equals_the_formula(by_age):
    matrix = np.hstack([-np.ones((5, 1)), np.eye(5)])
    value, cov = matrix @ by_age.table["estimate"], matrix @ by_age.cov @ matrix.T
    form = value @ np.linalg.solve(cov, value)
    for statistic, (expected, ddf) in {
        "F": (form / 5, 880),
        "adjusted_F": (form * 876 / (5 * 880), 876),
        "chisq": (form, np.inf),
    }.items():
        row = wald(by_age, contrasts(), statistic=statistic).table.iloc[0]
        assert (row["wald"], row["statistic"], row["df"], row["ddf"]) == pytest.approx(
            (form, expected, 5, ddf), rel=1e-10
        )
        p = stats.chi2.sf(form, 5) if statistic == "chisq" else stats.f.sf(expected, 5, ddf)
        assert row["p"] == pytest.approx(p, rel=1e-9)


def test_one_contrast_is_the_square_of_its_t(by_age):
    found = wald(by_age, {"1 - 0": contrasts()["1 - 0"]})
    t = found.details["estimate"][0] / found.details["se"][0]
    assert found.table["statistic"][0] == pytest.approx(t**2, rel=1e-12)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), found.table["ddf"][0]), rel=1e-9)


def test_equality_of_all_is_the_default(by_age):
    pd.testing.assert_frame_equal(wald(by_age).table, wald(by_age, contrasts()).table)
    assert list(wald(by_age).details["measure"]) == list(contrasts())


def test_how_the_null_is_written_does_not_matter(by_age):
    chain = {f"{a}": {(a, "index"): 2.0, (a - 1, "index"): -2.0} for a in range(1, 6)}
    redundant = contrasts() | {"again": {(1, "index"): 1.0, (2, "index"): -1.0}}
    for other in (chain, redundant):
        np.testing.assert_allclose(wald(by_age, other).table, wald(by_age).table, rtol=1e-8)


def test_it_is_the_joint_test_of_a_regression_on_the_groups(province):
    design = calibrate(province.design, {name: province.margins[name] for name in ("urban", "sex")})
    joint = regression(design, "index", ["age"], categorical=["age"]).joint_test("age")
    means = wald(estimate(design, "index", by="age"))
    assert joint.table["wald"][0] == pytest.approx(means.table["wald"][0], rel=1e-9)
    assert (joint.table["df"][0], joint.table["ddf"][0], means.table["ddf"][0]) == (5, 875, 880)


def test_df_are_those_of_the_domains_compared(province):
    counties = estimate(province.design, "index", by="county")
    assert wald(counties).table["ddf"][0] == province.expected["degf"]
    two = wald(counties, {"first": {0: 1.0, 1: -1.0}}).table
    assert two["ddf"][0] == counties.table["df"][:2].sum()


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(0, 2))
def test_the_form_is_invariant(seed, rank, extra):
    """Under regular transformations, and to combinations that repeat others."""
    rng = np.random.default_rng(seed)
    root, value = rng.normal(size=(rank, rank)) + 3 * np.eye(rank), rng.normal(size=rank)
    cov, turn = root @ root.T, rng.normal(size=(rank, rank)) + 3 * np.eye(rank)
    if min(np.linalg.cond(turn), np.linalg.cond(root)) > 1e3:
        return
    turn = np.vstack([turn, rng.normal(size=(extra, rank))])
    form, found, outside = quadratic_form(turn @ value, turn @ cov @ turn.T)
    assert (found, form) == (rank, pytest.approx(value @ np.linalg.solve(cov, value), rel=1e-5))
    assert outside <= 1e-6 * max(1.0, np.sqrt(form))


def test_a_combination_fixed_by_calibration_is_refused(province):
    rows = province.respondents.assign(one=1)
    design = calibrate(province_design(rows), {"sex": province.margins["sex"]})
    totals = estimate(design, "one", statistic="total", by="sex")
    with pytest.raises(EstimatesError, match="E160"):
        wald(totals)
    with pytest.raises(EstimatesError, match="E160"):
        wald(totals, {"first": {0: 1.0}})


@pytest.mark.parametrize("selection", ["probability", "open_link"])
def test_it_states_its_conventions(province, selection):
    found = wald(
        estimate(province_design(province.respondents, selection=selection), "index", by="urban")
    )
    assert found.conventions["selection"] == selection
    assert {"test", "null", "df", "level", "calibration", "variance"} <= set(found.conventions)


@pytest.mark.parametrize(
    ("given_contrasts", "options", "code"),
    [
        ({}, {}, "E388"),
        ({"nothing": {0: 0.0}}, {}, "E388"),
        ({"unknown": {(9, "index"): 1.0}}, {}, "E112"),
        ({"a": {0: 1.0}}, {"statistic": "t"}, "E140"),
    ],
)
def test_refusals(by_age, given_contrasts, options, code):
    with pytest.raises(EstimatesError, match=code):
        wald(by_age, given_contrasts, **options)


def test_refusals_without_contrasts(province):
    for found in (
        estimate(province.design, "index"),
        estimate(province.design, ["index", "aware"], by="age"),
    ):
        with pytest.raises(EstimatesError, match="E149"):
            wald(found)
    empty = estimate(province.design, "index", by="urban", domains=[0, 1, 2])
    with pytest.raises(EstimatesError, match="E162"):
        wald(empty)


def test_too_few_df_for_the_adjusted_form(province):
    few = province.respondents[province.respondents["county"] == 0]
    found = estimate(province_design(few), "index", by=["age", "sex"])
    with pytest.raises(EstimatesError, match="E147"):
        wald(found, statistic="adjusted_F")
