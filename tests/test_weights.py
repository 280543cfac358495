"""Calibrated weights and what follows from them equal R survey; base weights; refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.errors import WeightsError
from satisfaction.weights import adjust_nonresponse, base_weights, margin_targets, trim, weight_diagnostics

CLOSED_FORM = 1e-9  # same formula as R, other order of additions (found: 1e-13)
WEIGHTS = 1e-9  # R iterates raking to epsilon 1e-10, this package to 1e-10 (found: 1e-14)


@pytest.fixture(scope="module", params=["raking", "linear", "poststratify"])
def calibrated(province, request):
    """A calibrated province and R's results for it."""
    margins = {("county", "urban", "sex"): province.cells} if request.param == "poststratify" else province.margins
    key = request.param if request.param == "poststratify" else f"calibrate_{request.param}"
    return calibrate(province.design, margins, method=request.param), key, margins


def test_weights_equal_r(province, calibrated):
    design, key, _ = calibrated
    np.testing.assert_allclose(design.weights, province.expected[key]["weights"], rtol=WEIGHTS)


def test_county_means_se_and_covariance_after_calibration_equal_r(province, calibrated):
    design, key, _ = calibrated
    found, expected = estimate(design, "index", by="county"), province.expected[key]["county"]["index"]
    np.testing.assert_allclose(found.table["estimate"], expected["estimate"], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.table["se"], expected["se"], rtol=CLOSED_FORM)
    cov = province.covariances[f"{key}.index"]
    scale = np.sqrt(np.diag(cov))
    assert np.abs((found.cov - cov) / np.outer(scale, scale)).max() <= CLOSED_FORM


@pytest.mark.parametrize("method", ["raking", "linear"])
def test_province_after_calibration_equals_r(province, method):
    design, names = calibrate(province.design, province.margins, method=method), ["aware", "index"]
    expected = pd.DataFrame(province.expected[f"calibrate_{method}"]["province"]).T.loc[names]
    mean, total = estimate(design, names).table, estimate(design, names, statistic="total").table
    for found, column in (
        (mean["estimate"], "estimate"),
        (mean["se"], "se"),
        (mean["deff"], "deff"),
        (total["estimate"], "total"),
        (total["se"], "total_se"),
    ):
        np.testing.assert_allclose(found, expected[column], rtol=CLOSED_FORM, err_msg=column)


def test_every_margin_is_met(province, calibrated):
    design, _, margins = calibrated
    rows = province.respondents.assign(w=design.weights)
    for columns, targets in margins.items():
        achieved = rows.groupby(list(columns) if isinstance(columns, tuple) else columns)["w"].sum()
        np.testing.assert_allclose(achieved, achieved.index.map(targets).to_numpy(float), rtol=1.01e-10)


def test_the_design_given_keeps_its_weights(province):
    before = province.design.weights
    calibrate(province.design, province.margins)
    np.testing.assert_array_equal(province.design.weights, before)
    np.testing.assert_array_equal(before, province.respondents["base_weight"])


def test_the_step_is_recorded(province, calibrated):
    design, key, margins = calibrated
    record, weights = design.weighting.log[-1], design.weights
    assert record["method"] == key.removeprefix("calibrate_")
    assert record["discrepancy"] <= record["tolerance"] == 1e-10
    assert record["margins"] == {"+".join(m) if isinstance(m, tuple) else m: len(levels) for m, levels in margins.items()}
    factors = weights / province.respondents["base_weight"]
    assert (record["factor_low"], record["factor_high"]) == pytest.approx((factors.min(), factors.max()), rel=1e-12)
    assert record["after"]["kish_deff"] == pytest.approx(len(weights) * (weights**2).sum() / weights.sum() ** 2, rel=1e-12)


def test_the_recorded_discrepancy_is_the_worst_relative_miss(province):
    design = calibrate(province.design, province.margins, tolerance=0.005)
    rows = province.respondents.assign(w=design.weights)
    misses = [abs(rows.groupby(name)["w"].sum() / pd.Series(levels) - 1).max() for name, levels in province.margins.items()]
    assert 1e-6 < design.weighting.log[-1]["discrepancy"] == pytest.approx(max(misses), rel=1e-9)


def test_diagnostics_by_hand():
    found = weight_diagnostics(np.array([1.0, 3.0]), np.array([3, 1]))
    assert found == pytest.approx(
        {"respondents": 4, "sum": 6, "low": 1, "high": 3, "cv": np.sqrt(1 / 3), "kish_deff": 4 / 3, "effective_n": 3}
    )


def test_base_weight_is_one_over_both_probabilities():
    sample = pd.DataFrame({"psu": ["a", "b"], "psu_probability": ["0.5", "0.1"], "person_probability": ["0.1", "0.02"]})
    found = base_weights(pd.DataFrame({"psu": ["b", "a", "b"]}), sample, "psu")
    assert found["base_weight"].tolist() == pytest.approx([500, 20, 500], rel=1e-15)


@pytest.mark.parametrize("probability", ["0", "-0.1", "1.01", "", "x"])
def test_a_probability_outside_0_1_is_refused(probability):
    sample = pd.DataFrame({"psu": ["a", "b"], "psu_probability": ["0.5", probability], "person_probability": ["0.1", "0.1"]})
    with pytest.raises(WeightsError, match=r"W111[\s\S]*: b\."):
        base_weights(pd.DataFrame({"psu": ["a"]}), sample, "psu")


def test_a_psu_twice_in_the_sample_is_refused():
    sample = pd.DataFrame({"psu": ["a", "a"], "psu_probability": [0.5, 0.5], "person_probability": [0.1, 0.1]})
    with pytest.raises(WeightsError, match="W112"):
        base_weights(pd.DataFrame({"psu": ["a"]}), sample, "psu")


def test_a_level_without_population_is_left_out_of_the_targets():
    table = pd.DataFrame({"county": ["1", "1", "2"], "sex": [1, 2, 1], "population": [10.0, 0.0, 5.0]})
    assert margin_targets(table, ["county", "sex"]) == {("1", 1): 10.0, ("2", 1): 5.0}


# ---- refusals ----


def design(**columns):
    rows = {"psu": [1, 2, 3, 4], "sex": [1, 1, 2, 2], "age": ["y", "o", "y", "o"], "w": [10.0, 20.0, 30.0, 40.0]}
    return SurveyDesign(pd.DataFrame(rows | columns), psu="psu", base_weight="w")


SEX, AGE = {1: 40.0, 2: 60.0}, {"y": 50.0, "o": 50.0}


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("W100", lambda: calibrate(design(), {"sex": SEX}, method="rake")),
        ("W101", lambda: calibrate(design(), {"gender": SEX})),
        ("W102", lambda: calibrate(design(), {"sex": {1: 100.0}})),
        ("W102", lambda: calibrate(design(sex=[1, 1, 2, None]), {"sex": SEX})),
        ("W103", lambda: calibrate(design(), {"sex": SEX | {3: 5.0}})),
        ("W104", lambda: calibrate(design(), {"sex": SEX, "age": {"y": 50.0, "o": 49.0}})),
        ("W105", lambda: calibrate(design(sex=[1, 1, 2, 2], age=["y", "y", "o", "o"]), {"sex": SEX, "age": AGE})),
        ("W110", lambda: calibrate(design(), {"sex": SEX | {1: 10.0}, "age": {"y": 35.0, "o": 35.0}}, bounds=(0.9, 2))),
        ("W113", lambda: calibrate(design(x=[1.0, 2.0, 3.0, None]), {"sex": SEX, "x": 100.0})),
        ("W114", lambda: calibrate(design(), {"sex": SEX, "age": 100.0})),
        ("W115", lambda: calibrate(design(), {"sex": SEX}, method="logit")),
        ("W115", lambda: calibrate(design(), {"sex": SEX}, bounds=(1.5, 2))),
        ("W120", lambda: adjust_nonresponse(design(r=[1, 1, 0, 0]), "r", by=["sex"])),
        ("W121", lambda: adjust_nonresponse(design(r=[1, 2, 0, 1]), "r", by=["sex"])),
        ("W122", lambda: adjust_nonresponse(design(r=[1, 1, 0, 1], sex=[1, 1, 2, None]), "r", by=["sex"])),
        ("W123", lambda: adjust_nonresponse(design(r=[1, 1, 0, 0]), "r", by=["sex"], method="propensity")),
        ("W130", lambda: trim(design())),
        ("W130", lambda: trim(design(), upper=20.0)),
        ("W106", lambda: calibrate(design(), {})),
        ("W107", lambda: calibrate(design(), {"sex": SEX, "age": AGE}, method="poststratify")),
        ("W108", lambda: calibrate(design(), {"sex": {1: 5.0, 2: 95.0}, "age": {"y": 5.0, "o": 95.0}}, method="linear")),
        ("W109", lambda: calibrate(design(), {"sex": {1: 100.0, 2: 0.0}})),
    ],
)
def test_refused_with_code_and_both_languages(code, call):
    with pytest.raises(WeightsError) as refused:
        call()
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()


def test_a_margin_without_levels_is_refused():
    with pytest.raises(WeightsError):
        calibrate(design(), {"sex": {}})


def test_a_numeric_level_matches_a_whole_number_of_another_type():
    floats = design(sex=[1.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(calibrate(floats, {"sex": SEX}).weights, calibrate(design(), {"sex": SEX}).weights)


def test_the_error_of_no_convergence_names_the_worst_level():
    with pytest.raises(WeightsError, match=r"sex = |age = "):
        calibrate(design(age=["y", "y", "o", "o"]), {"sex": SEX, "age": AGE})
