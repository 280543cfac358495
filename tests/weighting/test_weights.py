"""Calibrated weights and what follows from them equal R survey; base weights; refusals."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.api import GLM, families

from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.foundation.errors import WeightsError
from satisfaction.weighting.calibration import margin_targets, margins_table
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.recipe import weight_diagnostics
from satisfaction.weighting.trimming import trim
from satisfaction.weighting.wave_design import base_weights

CLOSED_FORM = 1e-9  # same formula as R, other order of additions (found: 1e-13)
WEIGHTS = 1e-9  # R iterates raking to epsilon 1e-10, this package to 1e-10 (found: 1e-14)


@pytest.fixture(scope="module", params=["raking", "linear", "poststratify"])
def calibrated(province, request):
    """A calibrated province and R's results for it."""
    margins = (
        {("county", "urban", "sex"): province.cells}
        if request.param == "poststratify"
        else province.margins
    )
    key = request.param if request.param == "poststratify" else f"calibrate_{request.param}"
    return calibrate(province.design, margins, method=request.param), key, margins


def test_weights_equal_r(province, calibrated):
    design, key, _ = calibrated
    np.testing.assert_allclose(design.weights, province.expected[key]["weights"], rtol=WEIGHTS)


def test_county_means_se_and_covariance_after_calibration_equal_r(province, calibrated):
    design, key, _ = calibrated
    found, expected = (
        estimate(design, "index", by="county"),
        province.expected[key]["county"]["index"],
    )
    np.testing.assert_allclose(found.table["estimate"], expected["estimate"], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.table["se"], expected["se"], rtol=CLOSED_FORM)
    cov = expected["vcov"]
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
        np.testing.assert_allclose(
            achieved, achieved.index.map(targets).to_numpy(float), rtol=1.01e-10
        )


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
    assert record["margins"] == {
        "+".join(m) if isinstance(m, tuple) else m: len(levels) for m, levels in margins.items()
    }
    factors = weights / province.respondents["base_weight"]
    assert (record["factor_low"], record["factor_high"]) == pytest.approx(
        (factors.min(), factors.max()), rel=1e-12
    )
    assert record["after"]["kish_deff"] == pytest.approx(
        len(weights) * (weights**2).sum() / weights.sum() ** 2, rel=1e-12
    )


def test_the_recorded_discrepancy_is_the_worst_relative_miss(province):
    design = calibrate(province.design, province.margins, tolerance=0.005)
    rows = province.respondents.assign(w=design.weights)
    misses = [
        abs(rows.groupby(name)["w"].sum() / pd.Series(levels) - 1).max()
        for name, levels in province.margins.items()
    ]
    assert 1e-6 < design.weighting.log[-1]["discrepancy"] == pytest.approx(max(misses), rel=1e-9)


def test_diagnostics_by_hand():
    found = weight_diagnostics(np.array([1.0, 3.0]), np.array([3, 1]))
    assert found == pytest.approx(
        {
            "respondents": 4,
            "sum": 6,
            "low": 1,
            "high": 3,
            "cv": np.sqrt(1 / 3),
            "kish_deff": 4 / 3,
            "effective_n": 3,
        }
    )


def test_base_weight_is_one_over_both_probabilities():
    sample = pd.DataFrame(
        {
            "psu": ["a", "b"],
            "psu_probability": ["0.5", "0.1"],
            "person_probability": ["0.1", "0.02"],
        }
    )
    found = base_weights(pd.DataFrame({"psu": ["b", "a", "b"]}), sample, "psu")
    assert found["base_weight"].tolist() == pytest.approx([500, 20, 500], rel=1e-15)


@pytest.mark.parametrize("probability", ["0", "-0.1", "1.01", "", "x"])
def test_a_probability_outside_0_1_is_refused(probability):
    sample = pd.DataFrame(
        {
            "psu": ["a", "b"],
            "psu_probability": ["0.5", probability],
            "person_probability": ["0.1", "0.1"],
        }
    )
    with pytest.raises(WeightsError, match=r"W111[\s\S]*: b\."):
        base_weights(pd.DataFrame({"psu": ["a"]}), sample, "psu")


def test_a_psu_twice_in_the_sample_is_refused():
    sample = pd.DataFrame(
        {"psu": ["a", "a"], "psu_probability": [0.5, 0.5], "person_probability": [0.1, 0.1]}
    )
    with pytest.raises(WeightsError, match="W112"):
        base_weights(pd.DataFrame({"psu": ["a"]}), sample, "psu")


def test_a_level_without_population_is_left_out_of_the_targets():
    table = pd.DataFrame(
        {"county": ["1", "1", "2"], "sex": [1, 2, 1], "population": [10.0, 0.0, 5.0]}
    )
    assert margin_targets(table, ["county", "sex"]) == {("1", 1): 10.0, ("2", 1): 5.0}


# ---- refusals ----


def design(**columns):
    rows = {
        "psu": [1, 2, 3, 4],
        "sex": [1, 1, 2, 2],
        "age": ["y", "o", "y", "o"],
        "w": [10.0, 20.0, 30.0, 40.0],
    }
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
        (
            "W105",
            lambda: calibrate(
                design(sex=[1, 1, 2, 2], age=["y", "y", "o", "o"]), {"sex": SEX, "age": AGE}
            ),
        ),
        (
            "W110",
            lambda: calibrate(
                design(), {"sex": SEX | {1: 10.0}, "age": {"y": 35.0, "o": 35.0}}, bounds=(0.9, 2)
            ),
        ),
        ("W113", lambda: calibrate(design(x=[1.0, 2.0, 3.0, None]), {"sex": SEX, "x": 100.0})),
        ("W114", lambda: calibrate(design(), {"sex": SEX, "age": 100.0})),
        ("W115", lambda: calibrate(design(), {"sex": SEX}, method="logit")),
        ("W115", lambda: calibrate(design(), {"sex": SEX}, bounds=(1.5, 2))),
        ("W120", lambda: adjust_nonresponse(design(r=[1, 1, 0, 0]), "r", by=["sex"])),
        ("W121", lambda: adjust_nonresponse(design(r=[1, 2, 0, 1]), "r", by=["sex"])),
        (
            "W122",
            lambda: adjust_nonresponse(
                design(r=[1, 1, 0, 1], sex=[1, 1, 2, None]), "r", by=["sex"]
            ),
        ),
        (
            "W123",
            lambda: adjust_nonresponse(
                design(r=[1, 1, 0, 0]), "r", by=["sex"], method="propensity"
            ),
        ),
        ("W130", lambda: trim(design())),
        ("W130", lambda: trim(design(), upper=20.0)),
        ("W106", lambda: calibrate(design(), {})),
        ("W107", lambda: calibrate(design(), {"sex": SEX, "age": AGE}, method="poststratify")),
        (
            "W108",
            lambda: calibrate(
                design(), {"sex": {1: 5.0, 2: 95.0}, "age": {"y": 5.0, "o": 95.0}}, method="linear"
            ),
        ),
        ("W109", lambda: calibrate(design(), {"sex": {1: 100.0, 2: 0.0}})),
        ("W109", lambda: calibrate(design(), {"sex": {1: 100.0, 2: "many"}})),
    ],
)
def test_refused_with_code_and_both_languages(code, call):
    with pytest.raises(WeightsError) as refused:
        call()
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()


@pytest.mark.parametrize("floating", [True, False], ids=["a number", "one that hardly overlaps"])
def test_a_covariate_that_separates_respondents_is_refused_by_name(floating):
    random = np.random.default_rng(1)
    answered = random.random(200) < 0.5
    rows = pd.DataFrame({"r": answered.astype(int), "x": random.normal(size=200), "w": 10.0})
    rows["z"] = answered + (0.0 if floating else 1e-3 * random.random(200))
    with pytest.raises(
        WeightsError, match=r"(?s)W380.*by: z\n.* z tells respondents from nonrespondents"
    ) as refused:
        adjust_nonresponse(
            SurveyDesign(rows, base_weight="w"), "r", by=["x", "z"], method="propensity"
        )
    assert "2,000" in refused.value.zh


def test_cells_of_a_margin_without_respondents_are_named_in_words():
    cells = {(1, "y"): 1.0, (1, "o"): 1.0, (2, "y"): 1.0, (2, "o"): 1.0}
    people = design(sex=[1, 1, 2, 2], age=["y", "o", "y", "y"])
    with pytest.raises(WeightsError, match="W103") as refused:
        calibrate(people, {("sex", "age"): cells})
    assert refused.value.en.startswith("Levels of a margin have no respondents: sex x age 2 x o.")


def test_a_margin_without_levels_is_refused():
    with pytest.raises(WeightsError):
        calibrate(design(), {"sex": {}})


def test_a_numeric_level_matches_a_whole_number_of_another_type():
    floats = design(sex=[1.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(
        calibrate(floats, {"sex": SEX}).weights, calibrate(design(), {"sex": SEX}).weights
    )


def test_the_error_of_no_convergence_names_the_worst_level():
    with pytest.raises(WeightsError, match=r"sex = |age = "):
        calibrate(design(age=["y", "y", "o", "o"]), {"sex": SEX, "age": AGE})


# ---- a small sample with everything: unequal strata, nonresponse, a numeric column ----

MET = 1.01e-10  # calibration's own tolerance
STATSMODELS = 1e-8  # statsmodels' logistic regression, run until its coefficients no longer change
HAND = 1e-12  # the same arithmetic, other order of additions
ITERATED = 1e-9  # two solutions of one equation, each met to 1e-10
FIXED = 1e-8  # of the free se: a calibrated total misses its target by 1e-10 of it
TRIMMED = 1e-10  # up to dozens of rounds, each a sum over all weights
PROPAGATED = (
    1e-8  # weights solved to 1e-10 each, carried through an estimate, its error or a further step
)
PRINTED = 1.002  # bounds are printed with four digits


def people(n=240, seed=1):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"stratum": np.arange(n) * 4 // n, "psu": np.arange(n) // 10})
    rows["w"] = rng.choice([50.0, 80.0, 130.0, 300.0], n)
    rows["sex"], rows["age"], rows["edu"] = (
        rng.integers(0, 2, n),
        rng.choice(list("ymo"), n),
        rng.integers(1, 5, n),
    )
    rows["x"] = rng.gamma(3, 4, n).round(1)
    rows["answered"] = (
        rng.random(n) < 0.45 + 0.2 * rows["sex"] + 0.1 * (rows["age"] == "o")
    ).astype(int)
    rows["y"] = (50 + 8 * rows["sex"] + rng.normal(0, 12, n)).round(0)
    return rows


def surveyed(rows, **changes):
    return SurveyDesign(rows, **({"strata": "stratum", "psu": "psu", "base_weight": "w"} | changes))


def shares(rows, column, *, turned=0.25):
    """Population by level: the sample's, turned towards the last levels."""
    base = rows.groupby(column)["w"].sum()
    moved = base * np.linspace(1 - turned, 1 + turned, len(base))
    return (moved / moved.sum() * rows["w"].sum()).to_dict()


ROWS = people()
THREE = {name: shares(ROWS, name) for name in ("sex", "age", "edu")}
X_TOTAL = float((ROWS["x"] * ROWS["w"]).sum() * 1.04)


# ---- nonresponse ----


@pytest.mark.parametrize("by", [["sex"], ["sex", "age"], []])
def test_respondents_carry_the_weight_of_their_class(by):
    rows = ROWS.assign(final=adjust_nonresponse(surveyed(ROWS), "answered", by=by).weights)
    for _, group in rows.groupby(by) if by else [((), rows)]:
        assert group["final"].sum() == pytest.approx(group["w"].sum(), rel=HAND)
        here = group[group["answered"] == 1]
        ratio = group["w"].sum() / here["w"].sum()
        np.testing.assert_allclose(here["final"], here["w"] * ratio, rtol=HAND)
    assert (rows.loc[rows["answered"] == 0, "final"] == 0).all()


@pytest.mark.parametrize("method", ["classes", "propensity"])
def test_nonrespondents_stay_in_the_design_and_out_of_n(method):
    rows = ROWS.assign(
        answered=np.where(ROWS["psu"] == 2, 0, ROWS["answered"])
    )  # a whole PSU does not answer
    rows["y"] = rows["y"].where(rows["answered"] == 1)
    of = adjust_nonresponse(surveyed(rows), "answered", by=["sex"], method=method)
    found = estimate(of, "y", variance="linearized", df="design").table.iloc[0]
    # as R's degf: a PSU nobody of which answered is in the variance, not in the degrees of freedom
    assert (found["df"], found["n"]) == (23 - 4, rows["answered"].sum())
    y, w = rows["y"].fillna(0.0), of.weights
    z = (
        (w * (y - (w @ y) / w.sum()) / w.sum())
        .groupby([rows["stratum"], rows["psu"]])
        .sum()
        .groupby(level=0)
    )
    assert found["se"] == pytest.approx(np.sqrt((z.var() * z.size()).sum()), rel=ITERATED)
    assert estimate(of, "y", variance="linearized").table["df"][0] == 23 - 4
    everybody = estimate(of, "x", by="sex").table  # known for nonrespondents too, who count nowhere
    assert everybody["n"].tolist() == rows[rows["answered"] == 1].groupby("sex").size().tolist()


def test_the_step_tells_how_many_were_sampled_and_answered():
    record = adjust_nonresponse(surveyed(ROWS), "answered", by=["sex"]).log.iloc[0]
    assert record["sampled"] == 240
    assert record["response_rate"] == pytest.approx(
        np.average(ROWS["answered"], weights=ROWS["w"]), rel=HAND
    )
    assert record["after"]["respondents"] == ROWS["answered"].sum()


def test_propensities_are_the_logistic_regressions():
    x = np.column_stack(
        [np.ones(240), ROWS["sex"] == 1, ROWS["age"] == "o", ROWS["age"] == "y", ROWS["x"]]
    ).astype(float)
    model = GLM(
        ROWS["answered"].to_numpy(float),
        x,
        family=families.Binomial(),
        freq_weights=ROWS["w"].to_numpy(),
    )
    propensity = model.fit(tol=1e-15, tol_criterion="params", maxiter=50).fittedvalues
    found = adjust_nonresponse(
        surveyed(ROWS), "answered", by=["sex", "age", "x"], method="propensity"
    ).weights
    np.testing.assert_allclose(found, ROWS["answered"] * ROWS["w"] / propensity, rtol=STATSMODELS)


def test_a_propensity_model_of_one_class_is_that_class():
    by_class, model = (
        adjust_nonresponse(surveyed(ROWS), "answered", by=["sex"], method=m)
        for m in ("classes", "propensity")
    )
    np.testing.assert_allclose(model.weights, by_class.weights, rtol=ITERATED)


# ---- bounds ----


@pytest.mark.parametrize(
    ("method", "bounds"),
    [("logit", (0.6, 1.6)), ("logit", (0.3, 4)), ("linear", (0.5, 1.7)), ("raking", (0.5, 1.7))],
)
def test_factors_keep_their_bounds_and_meet_the_margins(method, bounds):
    of = calibrate(surveyed(ROWS), THREE | {"x": X_TOTAL}, method=method, bounds=bounds)
    factor = of.weights / ROWS["w"]
    free = calibrate(surveyed(ROWS), THREE | {"x": X_TOTAL}).weights / ROWS["w"]
    assert (factor.min() >= bounds[0]) & (factor.max() <= bounds[1])
    if method == "logit":  # only in the limit
        assert (factor.min() > bounds[0]) & (factor.max() < bounds[1])
    else:
        assert (free.min() < bounds[0]) | (free.max() > bounds[1])
        assert of.log["at_bounds"][0] > 0
    achieved = margins_table(of, THREE | {"x": X_TOTAL})
    np.testing.assert_allclose(achieved["final_to_target"], 1, rtol=MET)


@pytest.mark.parametrize("method", ["linear", "raking"])
def test_wide_bounds_do_not_matter(method):
    of = [
        calibrate(surveyed(ROWS), THREE, method=method, bounds=b).weights
        for b in (None, (0.0, 100.0))
    ]
    np.testing.assert_allclose(*of, rtol=ITERATED)


def test_logit_with_wide_bounds_is_nearly_raking():
    wide = calibrate(surveyed(ROWS), THREE, method="logit", bounds=(0.0, 1e6)).weights
    np.testing.assert_allclose(
        wide, calibrate(surveyed(ROWS), THREE).weights, rtol=1e-5
    )  # the limit, reached as 1 / high


@pytest.mark.parametrize("method", ["linear", "raking", "logit"])
@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_proposed_are_the_tightest_feasible(method, seed):
    rows = people(seed=seed)
    margins = {name: shares(rows, name, turned=0.3) for name in ("sex", "age", "edu")}
    with pytest.raises(WeightsError, match="W110") as refused:
        calibrate(surveyed(rows), margins, method=method, bounds=(0.3, 1.05))
    low, high = map(float, re.search(r"bounds: \[([\d.]+), ([\d.]+)\]", refused.value.en).groups())
    assert low == 0.3
    factor = (
        calibrate(surveyed(rows), margins, method=method, bounds=(low, high)).weights / rows["w"]
    )
    assert factor.max() <= high * (1 + 1e-9)
    with pytest.raises(WeightsError, match="W110"):
        calibrate(surveyed(rows), margins, method=method, bounds=(low, high / PRINTED))


@pytest.mark.parametrize("method", ["linear", "raking", "logit"])
def test_the_lower_bound_proposed_is_the_tightest_feasible(method):
    with pytest.raises(WeightsError, match="W110") as refused:
        calibrate(surveyed(ROWS), THREE, method=method, bounds=(0.97, 5))
    low, high = map(float, re.search(r"\[([\d.]+), ([\d.]+)\]\.$", refused.value.en).groups())
    assert high == 5
    factor = calibrate(surveyed(ROWS), THREE, method=method, bounds=(low, high)).weights / ROWS["w"]
    assert factor.min() >= low * (1 - 1e-9)
    with pytest.raises(WeightsError, match="W110"):
        calibrate(surveyed(ROWS), THREE, method=method, bounds=(low * PRINTED, high))


# ---- numeric totals, several calibrations, saturation ----


@pytest.mark.parametrize("method", ["raking", "linear"])
def test_a_numeric_total_is_met_and_has_no_error(method):
    free, of = (
        surveyed(ROWS),
        calibrate(surveyed(ROWS), {"sex": THREE["sex"], "x": X_TOTAL}, method=method),
    )
    assert of.weights @ ROWS["x"] == pytest.approx(X_TOTAL, rel=MET)
    fixed, loose = (estimate(d, "x", statistic="total").table.iloc[0] for d in (of, free))
    assert fixed["estimate"] == pytest.approx(X_TOTAL, rel=MET)
    assert fixed["se"] < FIXED * loose["se"]
    assert estimate(of, "y", statistic="total").table["se"][0] > 0.01 * loose["se"]
    assert estimate(of, "x", statistic="total", variance="jkn").table["se"][0] < FIXED * loose["se"]


def test_linear_calibration_is_the_regression_estimator():
    indicators = pd.get_dummies(ROWS["sex"]).to_numpy(float)
    x = np.column_stack([indicators, ROWS["x"]])
    targets = np.array([*THREE["sex"].values(), X_TOTAL])
    w = ROWS["w"].to_numpy()
    factor = 1 + x @ np.linalg.solve(x.T @ (w[:, None] * x), targets - x.T @ w)
    of = calibrate(surveyed(ROWS), {"sex": THREE["sex"], "x": X_TOTAL}, method="linear")
    np.testing.assert_allclose(of.weights, w * factor, rtol=ITERATED)


def test_raking_weights_have_multiplicative_factors():
    rows = ROWS.assign(factor=np.log(calibrate(surveyed(ROWS), THREE).weights / ROWS["w"]))
    x = pd.get_dummies(rows[["sex", "age", "edu"]].astype(str)).to_numpy(float)
    fitted = x @ np.linalg.lstsq(x, rows["factor"], rcond=None)[0]
    np.testing.assert_allclose(fitted, rows["factor"], atol=ITERATED)


def test_a_second_calibration_starts_from_the_first():
    once = calibrate(surveyed(ROWS), {"sex": THREE["sex"], "age": THREE["age"]})
    twice, entering = calibrate(once, {"edu": THREE["edu"]}), ROWS.assign(w=once.weights)
    np.testing.assert_allclose(
        twice.weights, calibrate(surveyed(entering), {"edu": THREE["edu"]}).weights, rtol=ITERATED
    )
    np.testing.assert_allclose(
        margins_table(twice, {"edu": THREE["edu"]})["final_to_target"], 1, rtol=MET
    )
    assert len(twice.log) == 2
    again = calibrate(once, {"sex": THREE["sex"], "age": THREE["age"]})
    np.testing.assert_allclose(again.weights, once.weights, rtol=ITERATED)
    credited = estimate(
        twice, "y", variance="linearized"
    )  # the last calibration, on the weights entering it
    wanted = estimate(calibrate(surveyed(entering), {"edu": THREE["edu"]}), "y")
    assert credited.table["se"][0] == pytest.approx(wanted.table["se"][0], rel=ITERATED)


@pytest.mark.parametrize("method", ["raking", "linear", "logit"])
def test_a_saturated_calibration_is_post_stratification(method):
    cells = ROWS.groupby(["sex", "age"])["w"].sum() * np.linspace(0.8, 1.2, 6)
    margins = {("sex", "age"): cells.to_dict()}
    post = calibrate(surveyed(ROWS), margins, method="poststratify")
    np.testing.assert_allclose(post.weights, ROWS["w"] * (cells / ROWS.groupby(["sex", "age"])["w"].sum()).loc[list(zip(ROWS["sex"], ROWS["age"], strict=True))].to_numpy(), rtol=ITERATED)  # fmt: skip
    bounds = {"bounds": (0.5, 2)} if method == "logit" else {}
    other = calibrate(surveyed(ROWS), margins, method=method, **bounds)
    np.testing.assert_allclose(other.weights, post.weights, rtol=ITERATED)
    found, wanted = (estimate(of, ["y", "x"], by="edu") for of in (other, post))
    np.testing.assert_allclose(found.table["se"], wanted.table["se"], rtol=ITERATED)


def test_the_margins_table_shows_before_and_after():
    of = calibrate(surveyed(ROWS), THREE | {"x": X_TOTAL})
    table = margins_table(of, THREE | {"x": X_TOTAL}).set_index(["margin", "level"])
    assert len(table) == 2 + 3 + 4 + 1
    for name in THREE:
        rows = table.loc[name]
        assert rows["base"].to_dict() == pytest.approx(
            ROWS.groupby(name)["w"].sum().to_dict(), rel=HAND
        )
        assert rows["target"].to_dict() == THREE[name]
    assert table.loc[("x", "total"), "base"] == pytest.approx(ROWS["x"] @ ROWS["w"], rel=HAND)
    np.testing.assert_allclose(table["base_to_target"], table["base"] / table["target"], rtol=HAND)
    np.testing.assert_allclose(table["final_to_target"], 1, rtol=MET)
    assert (np.abs(table["base_to_target"] - 1) > 0.005).all()
    before = margins_table(surveyed(ROWS), THREE | {"x": X_TOTAL})
    np.testing.assert_allclose(before["final"], before["base"], rtol=HAND)


def test_the_margins_table_of_a_nonresponse_adjustment_counts_respondents_only():
    of = adjust_nonresponse(surveyed(ROWS), "answered", by=["age"])
    table = margins_table(of, {"sex": THREE["sex"]})
    final = ROWS.assign(final=of.weights).groupby("sex")["final"].sum()
    np.testing.assert_allclose(table["final"], final, rtol=HAND)


# ---- trimming ----


def trimmed_equally(w, low, high):
    """R's trimWeights with strict = TRUE, written out."""
    w = w.copy()
    while ((w < low * (1 - 1e-12)) | (w > high * (1 + 1e-12))).any():
        outside = (w < low) | (w > high)
        cut = np.clip(w, low, high)
        cut[~outside] += (w - cut).sum() / (~outside).sum()
        w = cut
    return w


@pytest.mark.parametrize("bounds", [(60.0, 200.0), (None, 170.0), (79.0, None), (90.0, 160.0)])
def test_equal_spread_is_the_loop_written_out(bounds):
    raked = calibrate(surveyed(ROWS), THREE)
    found = trim(raked, lower=bounds[0], upper=bounds[1], spread="equal").weights
    wanted = trimmed_equally(raked.weights, bounds[0] or 0.0, bounds[1] or np.inf)
    np.testing.assert_allclose(found, wanted, rtol=TRIMMED)
    assert found.sum() == pytest.approx(raked.weights.sum(), rel=HAND)


@pytest.mark.parametrize(
    "bounds", [(60.0, 300.0), (None, 260.0), (70.0, None)]
)  # around every cell's mean
@pytest.mark.parametrize("within", [None, ["age"], []])
def test_trimming_keeps_the_sum_of_every_cell(bounds, within):
    raked = calibrate(surveyed(ROWS), {"sex": THREE["sex"], "age": THREE["age"]})
    of = trim(raked, lower=bounds[0], upper=bounds[1], within=within)
    rows = ROWS.assign(before=raked.weights, after=of.weights)
    columns = ["sex", "age"] if within is None else within
    sums = (
        rows.groupby(columns)[["before", "after"]].sum()
        if columns
        else rows[["before", "after"]].sum().to_frame().T
    )
    np.testing.assert_allclose(sums["after"], sums["before"], rtol=TRIMMED)
    assert (rows["after"] >= (bounds[0] or 0) * (1 - HAND)).all()
    assert (rows["after"] <= (bounds[1] or np.inf) * (1 + HAND)).all()
    record = of.log.iloc[-1]
    assert record["within"] == columns
    assert record["sum_lost"] == pytest.approx(0, abs=1e-12)
    outside = (rows["before"] < (bounds[0] or 0)) | (rows["before"] > (bounds[1] or np.inf))
    assert record["trimmed"] == outside.sum()
    again = trim(of, lower=bounds[0], upper=bounds[1], within=within)
    np.testing.assert_array_equal(again.weights, of.weights)
    assert again.log["trimmed"].iloc[-1] == 0


def test_what_a_wholly_trimmed_cell_cannot_hold_goes_to_the_others():
    rows = pd.DataFrame(
        {"psu": range(6), "cell": list("aabbbb"), "w": [50.0, 60.0, 10.0, 12.0, 14.0, 16.0]}
    )
    found = trim(
        SurveyDesign(rows, psu="psu", base_weight="w"), upper=40.0, within=["cell"]
    ).weights
    assert found.sum() == pytest.approx(rows["w"].sum(), rel=HAND)
    np.testing.assert_allclose(found, [40, 40, *(np.array([10, 12, 14, 16]) * 82 / 52)], rtol=HAND)


@pytest.mark.parametrize(("relative_to", "unit"), [("median", np.median), ("mean", np.mean)])
def test_bounds_relative_to_the_respondents_weights(relative_to, unit):
    of = adjust_nonresponse(surveyed(ROWS), "answered", by=["sex"])
    record = trim(of, upper=2.2, lower=0.4, relative_to=relative_to, within=[]).log.iloc[-1]
    one = float(unit(of.weights[of.weights > 0]))
    if relative_to == "mean":
        assert (record["lower"], record["upper"]) == pytest.approx((0.4 * one, 2.2 * one), rel=HAND)
    else:  # the lower of the two middle weights
        low = np.sort(of.weights[of.weights > 0])[(ROWS["answered"].sum() - 1) // 2]
        assert record["upper"] == pytest.approx(2.2 * low, rel=HAND)


@pytest.mark.parametrize("spread", ["cell", "equal"])
def test_trimming_leaves_nonrespondents_at_zero(spread):
    of = trim(
        adjust_nonresponse(surveyed(ROWS), "answered", by=["sex"]),
        lower=90.0,
        upper=400.0,
        spread=spread,
    )
    assert (of.weights[ROWS["answered"] == 0] == 0).all()
    assert of.weights[ROWS["answered"] == 1].min() >= 90 * (1 - HAND)
    assert of.weights.sum() == pytest.approx(ROWS["w"].sum(), rel=HAND)


# ---- what must hold for every recipe ----

RECIPES = {
    "classes": lambda d, *_: adjust_nonresponse(d, "answered", by=["sex", "age"]),
    "propensity": lambda d, *_: adjust_nonresponse(
        d, "answered", by=["sex", "x"], method="propensity"
    ),
    "raking": lambda d, m, _: calibrate(d, m),
    "linear": lambda d, m, total: calibrate(d, m | {"x": total}, method="linear"),
    "logit": lambda d, m, _: calibrate(d, m, method="logit", bounds=(0.4, 2.5)),
    "classes, raking": lambda d, m, _: calibrate(adjust_nonresponse(d, "answered", by=["sex"]), m),
    "classes, raking, trimming, raking": lambda d, m, _: calibrate(
        trim(
            calibrate(adjust_nonresponse(d, "answered", by=["sex"]), m),
            upper=2.5,
            relative_to="median",
        ),
        m,
    ),
}
EVERY = pytest.mark.parametrize("recipe", RECIPES)
CALIBRATED_FREELY = ("raking", "linear", "classes, raking", "classes, raking, trimming, raking")
FREE_OF_SINGLE_WEIGHTS = [name for name in RECIPES if "trimming" not in name]


def figures(of, **options):
    """Estimates and covariance of a mean by domain and of a total."""
    found = estimate(of, "y", by="age", **options), estimate(of, "y", statistic="total", **options)
    return np.concatenate(
        [np.concatenate([one.table["estimate"], one.table["se"]]) for one in found]
    )


@EVERY
def test_the_design_given_is_not_changed(recipe):
    of, rows = surveyed(ROWS), ROWS.copy()
    RECIPES[recipe](of, THREE, X_TOTAL)
    assert of.weighting is None
    np.testing.assert_array_equal(of.weights, ROWS["w"])
    pd.testing.assert_frame_equal(ROWS, rows)
    raked = calibrate(of, THREE)
    before = raked.weights
    RECIPES[recipe](raked, THREE, X_TOTAL)
    np.testing.assert_array_equal(raked.weights, before)
    assert len(raked.log) == 1


@EVERY
def test_weights_stand_in_the_order_of_the_rows(recipe):
    shuffled = ROWS.sample(frac=1, random_state=3)
    found = pd.Series(RECIPES[recipe](surveyed(shuffled), THREE, X_TOTAL).weights, shuffled.index)
    np.testing.assert_allclose(
        found.loc[ROWS.index],
        RECIPES[recipe](surveyed(ROWS), THREE, X_TOTAL).weights,
        rtol=ITERATED,
    )


@EVERY
@settings(max_examples=5, deadline=None)
@given(scale=st.floats(1e-4, 1e4), more=st.floats(0.5, 2.0))
def test_base_weights_and_margins_scaled_alike_scale_the_weights(recipe, scale, more):
    margins = {
        name: {level: n * scale for level, n in levels.items()} for name, levels in THREE.items()
    }
    one = RECIPES[recipe](surveyed(ROWS), THREE, X_TOTAL)
    scaled = RECIPES[recipe](surveyed(ROWS.assign(w=ROWS["w"] * scale)), margins, X_TOTAL * scale)
    np.testing.assert_allclose(scaled.weights, one.weights * scale, rtol=PROPAGATED)
    if recipe in CALIBRATED_FREELY:  # and the calibration forgets what the base weights added up to
        other = RECIPES[recipe](surveyed(ROWS.assign(w=ROWS["w"] * more)), THREE, X_TOTAL)
        np.testing.assert_allclose(other.weights, one.weights, rtol=PROPAGATED)


@EVERY
@pytest.mark.parametrize("variance", ["linearized", "jkn"])
def test_order_and_names_of_psus_and_strata_do_not_matter(recipe, variance):
    wanted = figures(RECIPES[recipe](surveyed(ROWS), THREE, X_TOTAL), variance=variance)
    renamed = ROWS.sample(frac=1, random_state=9)
    renamed = renamed.assign(
        psu="P" + (97 * renamed["psu"] % 1009).astype(str), stratum=-renamed["stratum"]
    )
    np.testing.assert_allclose(
        figures(RECIPES[recipe](surveyed(renamed), THREE, X_TOTAL), variance=variance),
        wanted,
        rtol=PROPAGATED,
    )


@pytest.mark.parametrize("recipe", FREE_OF_SINGLE_WEIGHTS)
@settings(max_examples=5, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 239), min_size=1, max_size=60),
    variance=st.sampled_from(["linearized", "jkn"]),
)
def test_a_record_split_in_two_changes_no_estimate_and_no_error(recipe, chosen, variance):
    wanted = figures(RECIPES[recipe](surveyed(ROWS), THREE, X_TOTAL), variance=variance)
    halved = ROWS.assign(w=np.where(ROWS.index.isin(chosen), ROWS["w"] / 2, ROWS["w"]))
    split = pd.concat([halved, halved.loc[sorted(chosen)]], ignore_index=True)
    np.testing.assert_allclose(
        figures(RECIPES[recipe](surveyed(split), THREE, X_TOTAL), variance=variance),
        wanted,
        rtol=PROPAGATED,
    )


@EVERY
def test_every_step_leaves_a_record(recipe):
    of = RECIPES[recipe](surveyed(ROWS), THREE, X_TOTAL)
    assert len(of.log) == len(recipe.split(", ")) == len(of.weighting.steps)
    last = of.log["after"].iloc[-1]
    kept = of.weights[of.weights > 0]
    assert last == pytest.approx(weight_diagnostics(kept, np.ones(len(kept))), rel=ITERATED)
    for before, after in zip(of.log["after"], of.log["before"].iloc[1:], strict=False):
        assert before == pytest.approx(after, rel=ITERATED)


def test_bounds_that_must_both_move_are_proposed_together():
    rows = people(seed=1)
    margins = {name: shares(rows, name, turned=0.3) for name in ("sex", "age", "edu")}
    with pytest.raises(WeightsError, match="W110") as refused:
        calibrate(surveyed(rows), margins, bounds=(0.999, 1.001))
    low, high = map(float, re.search(r"bounds: \[([\d.]+), ([\d.]+)\]", refused.value.en).groups())
    calibrate(surveyed(rows), margins, bounds=(low, high))
    for tighter in ((low * PRINTED, high), (0.0, high / PRINTED)):
        with pytest.raises(WeightsError, match="W110"):
            calibrate(surveyed(rows), margins, bounds=tighter)


def test_a_bound_next_to_the_mean_weight_holds():
    weights = trim(calibrate(surveyed(ROWS), THREE), upper=150, spread="equal").weights
    assert weights.max() <= 150


# ---- figures of a step, counted by hand ----


@pytest.mark.parametrize("side", ["low", "high"])
def test_cells_at_each_bound_are_counted(side):
    rows = pd.DataFrame({"g": list("aabbcc"), "h": list("xyxyxy"), "w": 1.0, "psu": range(6)})
    margins = {
        "g": {"a": 1.0, "b": 2.0, "c": 3.0} if side == "low" else {"a": 1.5, "b": 1.5, "c": 3.0}
    }
    bounds = (0.5, 2.0) if side == "low" else (0.5, 1.5)
    calibrated = calibrate(
        SurveyDesign(rows, base_weight="w"), margins, method="linear", bounds=bounds
    )
    factor = calibrated.weights / rows["w"]
    at_bound = factor.isin([*bounds])
    assert calibrated.log["at_bounds"][0] == rows.loc[at_bound, "g"].nunique() == 1


def test_the_share_trimmed_is_of_persons_not_of_cells():
    rows = pd.DataFrame({"w": [1.0] * 12 + [9.0] * 4})
    trimmed = trim(SurveyDesign(rows, base_weight="w"), upper=4.0, spread="equal")
    assert trimmed.log["trimmed"].iloc[-1] == 4
    assert trimmed.log["share_trimmed"].iloc[-1] == pytest.approx(4 * (9 - 4) / 48)


def test_levels_of_another_type_are_named_with_what_to_do():
    with pytest.raises(WeightsError) as refused:
        calibrate(design(), {"sex": {"1": 60.0, "2": 40.0}})
    assert "numbers as numbers" in str(refused.value)
    assert "[" not in str(refused.value).splitlines()[1]
