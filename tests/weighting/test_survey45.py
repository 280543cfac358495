"""What R survey 4.5 does otherwise than 4.1: Wilson limits, strict trimming, df of a calibrated part, raking's fixed point.

Its figures are golden/survey45; what is not followed is said in docs/survey45.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conftest import province_design
from golden_values import API_NAMES, api_design
from satisfaction import calibrate, estimate, rao_scott, regression
from satisfaction.estimation.contingency import cross_table
from satisfaction.estimation.sample import Sample
from satisfaction.weighting.trimming import trim

CLOSED_FORM = 1e-9  # the same formula in another order (found: Wilson 1e-14, trimming 1e-13)
P_VALUE = 1e-6  # tail probabilities of another library (found: 2e-10)
RAKED = (
    1e-8  # R stops at epsilon 1e-10 of a margin, 4.5e-10 from its own run to 1e-14 (found: 5e-10)
)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "golden" / "survey45" / "province.json"
    return json.loads(path.read_text(encoding="utf-8"))


# ---- Wilson limits ----


def limits(design, by=None, **options) -> pd.DataFrame:
    return estimate(
        design, "aware", statistic="proportion", interval="wilson", by=by, **options
    ).table


def assert_limits(table: pd.DataFrame, theirs: list[dict[str, Any]]) -> None:
    wanted = np.array([[one["estimate"], *one["ci"]] for one in theirs])
    np.testing.assert_allclose(table[["estimate", "ci_low", "ci_high"]], wanted, rtol=CLOSED_FORM)
    assert table["df"].tolist() == [one["df"] for one in theirs]


@pytest.mark.parametrize("by", [None, "prefecture", "county"])
def test_wilson_limits_equal_r(province, reference, by):
    theirs = reference["ciprop"]["wilson"][by or "province"]
    assert_limits(limits(province.design, by), theirs if by else [theirs])


def test_wilson_limits_with_the_df_of_the_design_and_of_another_level_equal_r(province, reference):
    theirs = reference["ciprop"]
    found = limits(province.design, "county", df="design")
    assert_limits(found, theirs["wilson_design_df_county"])
    assert_limits(limits(province.design, "county", level=0.9), theirs["wilson_90_county"])


@pytest.mark.parametrize("name", [name for name in API_NAMES if name != "apistrat_nofpc"])
def test_wilson_limits_of_the_api_samples_equal_r(reference, name):
    theirs = reference["api"][name]["wilson"]
    table = estimate(api_design(name), "no", statistic="proportion", interval="wilson").table
    assert_limits(table, [theirs])


# ---- strict trimming ----


def test_strict_trimming_equals_r(province, reference):
    theirs = reference["trim_strict"]
    bounds = {"lower": theirs["lower"], "upper": theirs["upper"]}
    strict = trim(province.design, **bounds, spread="equal", strict=True).weights
    np.testing.assert_allclose(strict, theirs["weights"], rtol=CLOSED_FORM)
    assert strict.sum() == pytest.approx(theirs["sum"], rel=CLOSED_FORM)


def test_without_strict_a_weight_at_a_bound_takes_again_as_in_4_1(province, reference):
    theirs = reference["trim_strict"]
    bounds = {"lower": theirs["lower"], "upper": theirs["upper"]}
    loose = trim(province.design, **bounds, spread="equal").weights
    away = np.abs(loose / np.array(theirs["weights"]) - 1)
    assert (away > CLOSED_FORM).sum() == 6192
    assert away.max() == pytest.approx(6.4e-4, rel=0.02)


def test_a_weight_that_was_ever_outside_stays_at_its_bound(province):
    base = np.asarray(province.design.weights)
    low, high = np.quantile(base, [0.1, 0.9])
    for spread in ("equal", "cell"):
        options = {"spread": spread, "strict": True, "within": []}
        found = trim(province.design, lower=low, upper=high, **options).weights
        np.testing.assert_allclose(found[base < low], low, rtol=1e-14)
        np.testing.assert_allclose(found[base > high], high, rtol=1e-14)


# ---- Rao-Scott in a part of a calibrated sample ----


def part_of(province, *, raked: bool):
    """The first prefecture; the answers of all others are masked, so that they stay in the design."""
    rows = province.respondents
    inside = rows["prefecture"] == 1
    masked = rows.assign(aware=rows["aware"].where(inside), part=rows["part"].where(inside))
    of = province_design(masked)
    return calibrate(of, province.margins, tolerance=1e-13) if raked else of


STATISTICS = [
    ("F", "F", "statistic"), ("chisq", "Chisq", "pearson"), ("wald", "Wald", "statistic"),
    ("adjusted_wald", "adjWald", "statistic"), ("saddlepoint", "saddlepoint", "pearson"),
]  # fmt: skip


@pytest.mark.parametrize(("statistic", "theirs", "column"), STATISTICS)
@pytest.mark.parametrize("raked", [False, True], ids=["base weights", "raked"])
def test_a_part_counts_the_psus_of_its_members_only(
    province, reference, monkeypatch, raked, statistic, theirs, column
):
    """With the variance of R's `rake`. R scales X2 of a raked part by all 6,336 rows; p does not depend on it."""
    deviations = Sample.deviations
    monkeypatch.setattr(Sample, "deviations", lambda self, z: deviations(self, z, raked=True))
    wanted = reference["chisq"]["raked_prefecture1" if raked else "prefecture1"][theirs]
    of = part_of(province, raked=raked)
    found = rao_scott(of, "aware", "part", statistic=statistic).table.iloc[0]
    value = wanted["statistic"]
    if raked and column == "pearson":
        value *= cross_table(of, "aware", "part").n.sum() / len(province.respondents)
    tolerance = RAKED if raked else CLOSED_FORM
    assert found[column] == pytest.approx(value, rel=tolerance)
    assert found["p"] == pytest.approx(wanted["p_value"], rel=P_VALUE)
    if statistic in ("F", "wald", "adjusted_wald"):
        assert [found["df"], found["ddf"]] == pytest.approx(wanted["parameter"], rel=CLOSED_FORM)
    if statistic == "F":
        assert found["ddf"] == pytest.approx(reference["chisq"]["degf_raked_prefecture1"])


def test_a_part_of_a_calibrated_sample_has_the_df_of_its_psus(province, reference):
    """With our own variance, that of R's `calibrate`: the statistic moves by a part in two hundred, the df do not."""
    theirs = reference["chisq"]["raked_prefecture1"]["F"]
    found = rao_scott(part_of(province, raked=True), "aware", "part").table.iloc[0]
    assert (found["df"], found["ddf"]) == pytest.approx(theirs["parameter"], rel=CLOSED_FORM)
    assert found["statistic"] == pytest.approx(theirs["statistic"], rel=5e-3)


# ---- raking ----


def test_raked_weights_are_the_fixed_point_of_r(province, reference):
    theirs = reference["rake"]
    weights = calibrate(province.design, province.margins, tolerance=1e-13).weights
    np.testing.assert_allclose(weights, theirs["weights_epsilon_1e10"], rtol=RAKED)
    assert theirs["largest_relative_distance_to_epsilon_1e14"] < RAKED


def test_means_of_raked_parts_and_their_contrasts_equal_r(province, reference):
    """Under R's convention of raked variances, `variance="rake"`; prefectures are correlated after raking."""
    theirs = reference["svyby_raked"]
    raked = calibrate(province.design, province.margins, method="raking", tolerance=1e-12)
    ours = estimate(raked, "index", by="prefecture", variance="rake")
    np.testing.assert_allclose(ours.table["estimate"], theirs["estimate"], rtol=CLOSED_FORM)
    vcov = np.array(theirs["vcov"])
    size = np.sqrt(np.outer(np.diag(vcov), np.diag(vcov)))
    np.testing.assert_allclose(ours.cov / size, vcov / size, atol=CLOSED_FORM)
    first_less_second = np.zeros(9)
    first_less_second[:2] = (1, -1)
    first_less_others = np.full(9, -1 / 8)
    first_less_others[0] = 1
    contrasts = np.stack([first_less_second, first_less_others])
    estimates = contrasts @ ours.table["estimate"].to_numpy()
    np.testing.assert_allclose(estimates, theirs["contrast"]["estimate"], rtol=CLOSED_FORM)
    of_contrasts = contrasts @ ours.cov @ contrasts.T
    np.testing.assert_allclose(of_contrasts, theirs["contrast"]["vcov"], rtol=1e-8)


# ---- not followed ----


def test_the_standard_errors_of_bell_and_mccaffrey_correct_twice(province, reference):
    """One county's mean: R's is the linearized se x sqrt(12 / 11), with the df of 12 PSUs without strata; ours 12 - 2."""
    theirs = reference["bell_mccaffrey"]["county0_mean"]
    found = estimate(province.design, "index", by="county").table.iloc[0]
    assert found["se"] == pytest.approx(theirs["se_linearized"], rel=CLOSED_FORM)
    assert found["df"] == theirs["df_residual"] == 10
    assert theirs["Bell-McCaffrey"]["df"] == pytest.approx(11)
    assert theirs["Bell-McCaffrey"]["se"] == pytest.approx(found["se"] * np.sqrt(12 / 11), rel=1e-9)


def test_regression_keeps_the_linearized_standard_errors(province, reference):
    theirs = reference["bell_mccaffrey"]["county0_1"]
    rows = province.respondents
    of = province_design(rows.assign(index=rows["index"].where(rows["county"].isin([0, 1]))))
    found = regression(of, "index", ["county"], categorical=["county"]).table
    np.testing.assert_allclose(found["se"], theirs["se_linearized"], rtol=CLOSED_FORM)
