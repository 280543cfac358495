"""Regressions and t tests equal R's svyglm and svyttest, statsmodels' sandwiches, and contrasts of domain means."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from conftest import province_design
from golden_values import API_NAMES, api_design, expected
from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.estimation.group_tests import t_test
from satisfaction.estimation.regression import (
    dependent_columns,
    least_squares,
    logistic,
    regression,
)
from satisfaction.foundation.engines import hold
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.measures import Measure, flag

CLOSED_FORM = 1e-9  # (found: 3e-14)
P_VALUE = 1e-6  # (found: 4e-13)
R_ITERATES = 1e-6  # R stops Newton's method at a deviance change of 1e-8 (found: coefficients 6e-11, se 1e-7)
SAME = 1e-12  # the same linearized variable, by another road
COVARIATES = ["age", "urban", "sex"]


# ---- against R survey ----


@pytest.mark.parametrize("name", API_NAMES)
def test_api_t_test_equals_r(name):
    reference = expected("api")[f"{name}/ttest/api00~sch.wide"]
    found = t_test(api_design(name), "api00", "sch.wide").table.iloc[0]
    theirs = [reference[key][0] for key in ("est", "t", "df")]
    assert [found["difference"], found["t"], found["df"]] == pytest.approx(theirs, rel=CLOSED_FORM)
    assert found["p"] == pytest.approx(reference["p"][0], rel=P_VALUE)


@pytest.mark.parametrize("name", API_NAMES)
def test_api_regression_equals_r(name):
    reference = expected("api")[f"{name}/glm/api00~ell+meals+mobility"]
    found = regression(api_design(name), "api00", ["ell", "meals", "mobility"]).table
    np.testing.assert_allclose(found["estimate"], reference["est"], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found["se"], reference["se"], rtol=CLOSED_FORM)


@pytest.mark.parametrize("group", ["urban", "sex"])
def test_province_t_test_equals_r(province, group):
    reference = expected("province")[f"ttest_{group}"]
    found = t_test(province.design, "index", group).table.iloc[0]
    assert (found["t"], found["df"]) == pytest.approx(
        (reference["statistic"], reference["parameter"]), rel=CLOSED_FORM
    )
    assert found["p"] == pytest.approx(reference["p_value"], rel=P_VALUE)


@pytest.mark.parametrize(
    ("key", "outcome", "family", "tolerance"),
    [("glm", "index", "linear", CLOSED_FORM), ("logistic", "aware", "logistic", R_ITERATES)],
)
def test_province_regression_equals_r(province, key, outcome, family, tolerance):
    reference = expected("province")[key]
    found = regression(province.design, outcome, COVARIATES, categorical=["age"], family=family)
    names = [
        {"(Intercept)": "intercept"}.get(name, name.replace("f_age", "age="))
        for name in reference["names"]
    ]
    assert list(found.table["term"]) == names
    np.testing.assert_allclose(found.table["estimate"], reference["coef"], rtol=tolerance)
    np.testing.assert_allclose(found.table["se"], reference["se"], rtol=tolerance)
    assert (found.table["df"] == 880 + 1 - 8).all()


# ---- against statsmodels ----


@pytest.fixture(scope="module")
def flat(province):
    rows = province.respondents.dropna(subset=["index", "aware"]).head(900)
    return rows, sm.add_constant(rows[["urban", "sex", "age"]].astype(float))


@pytest.mark.parametrize(("family", "outcome"), [("linear", "index"), ("logistic", "aware")])
def test_without_clusters_it_is_hc0_times_n_over_n_minus_1(flat, family, outcome):
    rows, x = flat
    kind = sm.families.Gaussian() if family == "linear" else sm.families.Binomial()
    theirs = sm.GLM(rows[outcome], x, family=kind).fit(cov_type="HC0", tol=1e-14, maxiter=200)
    found = regression(SurveyDesign(rows), outcome, ["urban", "sex", "age"], family=family)
    np.testing.assert_allclose(found.table["estimate"], theirs.params, rtol=1e-9)
    np.testing.assert_allclose(found.cov, theirs.cov_params() * 900 / 899, rtol=1e-7, atol=1e-16)


def test_one_stratum_of_clusters_is_the_cluster_sandwich(flat):
    rows, x = flat
    groups = pd.factorize(rows["county"] * 1000 + rows["psu"])[0]
    theirs = sm.OLS(rows["index"], x).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    found = regression(
        SurveyDesign(rows.assign(group=groups), psu="group"), "index", ["urban", "sex", "age"]
    )
    units = len(np.unique(groups))
    np.testing.assert_allclose(
        found.cov, theirs.cov_params() * units / (units - 1), rtol=1e-9, atol=1e-16
    )


def test_weighted_coefficients_are_those_of_weighted_least_squares(province):
    rows = province.respondents.dropna(subset=["index"])
    x = sm.add_constant(rows[["urban", "sex", "age"]].astype(float))
    theirs = sm.WLS(rows["index"], x, weights=rows["base_weight"]).fit()
    np.testing.assert_allclose(
        regression(province.design, "index", ["urban", "sex", "age"]).table["estimate"],
        theirs.params,
        rtol=1e-10,
    )


# ---- identities; calibration is credited ----


@pytest.fixture(scope="module", params=["base weights", "raked", "post-stratified"])
def design(province, request):
    if request.param == "base weights":
        return province.design
    if request.param == "raked":
        return calibrate(
            province.design, {name: province.margins[name] for name in ("county", "sex", "age")}
        )
    return calibrate(
        province.design, {("county", "urban", "sex"): province.cells}, method="poststratify"
    )


@pytest.mark.parametrize("measure", ["index", "aware"])
def test_a_difference_of_groups_is_the_contrast_of_domain_means(design, measure):
    means = estimate(design, measure, by="sex")
    contrast = means.contrast({"difference": {(1, measure): 1.0, (0, measure): -1.0}}).table.iloc[0]
    two = t_test(design, measure, "sex")
    slope = regression(design, measure, ["sex"]).table.iloc[1]
    row = two.table.iloc[0]
    for value, se in ((row["difference"], row["se"]), (slope["estimate"], slope["se"])):
        assert (value, se) == pytest.approx((contrast["estimate"], contrast["se"]), rel=SAME)
    assert (row["df"], slope["df"]) == (879, 879)
    np.testing.assert_allclose(two.details["mean"], means.table["estimate"], rtol=SAME)
    np.testing.assert_array_equal(two.details["n"], means.table["n"])


def test_a_one_sample_test_is_the_interval_of_the_mean(design):
    mean, found = (
        estimate(design, "index").table.iloc[0],
        t_test(design, "index", value=55.0).table.iloc[0],
    )
    assert [found[c] for c in ("estimate", "se", "df", "ci_low", "ci_high")] == pytest.approx(
        [mean[c] for c in ("estimate", "se", "df", "ci_low", "ci_high")], rel=SAME
    )
    assert found["t"] == pytest.approx((mean["estimate"] - 55) / mean["se"], rel=1e-11)


def test_a_logistic_regression_on_one_group_is_the_log_odds_ratio(design):
    share = estimate(design, "aware", by="sex")
    p = share.table["estimate"].to_numpy()
    slope = np.array([-1, 1]) / (p * (1 - p))
    found = regression(design, "aware", ["sex"], family="logistic").table.iloc[1]
    assert found["estimate"] == pytest.approx(
        np.log(p[1] / (1 - p[1]) * (1 - p[0]) / p[0]), rel=1e-10
    )
    assert found["se"] == pytest.approx(np.sqrt(slope @ share.cov @ slope), rel=1e-10)


def test_a_calibrated_covariate_lowers_the_error(province):
    raked = calibrate(province.design, {("county", "age"): _county_age(province)})
    fits = [regression(d, "age", ["urban"]).table["se"][0] for d in (province.design, raked)]
    assert fits[1] < 0.7 * fits[0]


def _county_age(province):
    return (province.respondents.groupby(["county", "age"])["base_weight"].sum() * 1.05).to_dict()


def test_missing_values_leave_the_fit_but_not_the_design(province):
    rows = province.respondents.assign(
        urban_known=province.respondents["urban"]
        .where(province.respondents["psu"] % 6 != 0)
        .astype("Int64")
    )
    kept = regression(province_design(rows), "index", ["urban_known"])
    known = rows["urban_known"].notna().to_numpy()
    filtered = regression(province_design(rows[known]), "index", ["urban_known"])
    np.testing.assert_allclose(kept.table["estimate"], filtered.table["estimate"], rtol=SAME)
    assert (abs(kept.table["se"] / filtered.table["se"] - 1) > 1e-4).all()
    assert kept.conventions["n"] == (rows["index"].notna() & known).sum()
    pair = estimate(province_design(rows), "index", by="urban_known")
    contrast = pair.contrast({"difference": {1: 1.0, 0: -1.0}}).table.iloc[0]
    assert kept.table["se"][1] == pytest.approx(contrast["se"], rel=SAME)


def test_joint_test_of_one_number_is_its_t_squared(province):
    found = regression(province.design, "index", COVARIATES, categorical=["age"])
    t = found.table.set_index("term").loc["sex", "t"]
    joint = found.joint_test("sex")
    assert joint.table["statistic"][0] == pytest.approx(t**2, rel=1e-10)
    assert joint.p == pytest.approx(found.table.set_index("term").loc["sex", "p"], rel=1e-9)
    assert found.joint_test("age", "sex").table["df"][0] == 6
    with pytest.raises(EstimatesError, match="E163"):
        found.joint_test("county")
    with pytest.raises(EstimatesError, match="E140"):
        found.joint_test("sex", statistic="t")


def test_units_of_a_covariate_do_not_matter(province):
    rows = province.respondents.assign(
        year=2026.0 + province.respondents["age"], huge=province.respondents["age"] * 1e13
    )
    for outcome, family in (("index", "linear"), ("aware", "logistic")):
        plain, year, huge = (
            regression(province_design(rows), outcome, [name], family=family).table.iloc[1]
            for name in ("age", "year", "huge")
        )
        assert (year["estimate"], year["se"]) == pytest.approx(
            (plain["estimate"], plain["se"]), rel=1e-9
        )
        assert (huge["estimate"] * 1e13, huge["se"] * 1e13) == pytest.approx(
            (plain["estimate"], plain["se"]), rel=1e-9
        )


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_engines_agree(province, engine):
    other = province_design(hold(province.respondents, engine))
    for outcome, family in (("index", "linear"), ("aware", "logistic")):
        one, two = (
            regression(d, outcome, COVARIATES, categorical=["age"], family=family)
            for d in (province.design, other)
        )
        assert list(one.table["term"]) == list(two.table["term"])
        np.testing.assert_allclose(two.cov, one.cov, rtol=1e-9, atol=1e-18)


def test_a_text_column_is_categorical_and_a_measure_a_covariate(province):
    stage = {
        "_valid__high": flag(~nw.col("s1").is_null() & ~nw.col("s1").is_nan()),
        "_score__high": flag(nw.col("s1") >= 4),
    }
    high = Measure("high", "rate", 1, (stage,))
    rows = province.respondents.assign(
        where=province.respondents["urban"].map({0: "rural", 1: "town"})
    )
    found = regression(province_design(rows, measures=[high]), "index", ["where", "high"])
    plain = regression(province_design(rows), "index", ["urban", "satisfied"])
    assert list(found.table["term"]) == ["intercept", "where=town", "high"]
    assert found.conventions["baseline"] == {"where": "rural"}
    np.testing.assert_allclose(found.cov, plain.cov, rtol=1e-9, atol=1e-16)


# ---- kernels ----


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_grouped_rows_give_the_fit_of_single_respondents(seed, width):
    rng = np.random.default_rng(seed)
    group = rng.normal(size=(12, width))
    valid = rng.integers(1, 5, 12)
    weight = rng.uniform(0.5, 3, 12)
    single = np.repeat(np.arange(12), valid)
    y = rng.uniform(0.05, 0.95, len(single))
    x = np.hstack([np.ones((12, 1)), group])
    total = np.bincount(single, y)
    for fit in (least_squares, logistic):
        grouped = fit(x, weight=weight, valid=valid.astype(float), total=total)
        alone = fit(x[single], weight=weight[single], valid=np.ones(len(single)), total=y)
        np.testing.assert_allclose(grouped.coefficient, alone.coefficient, rtol=1e-6, atol=1e-8)
        sums = np.stack([np.bincount(single, column) for column in alone.influence.T], axis=1)
        np.testing.assert_allclose(grouped.influence, sums, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose((weight[:, None] * grouped.influence).sum(axis=0), 0, atol=1e-8)


def test_influence_is_the_derivative_by_the_weight():
    rng = np.random.default_rng(5)
    x, weight = np.column_stack([np.ones(40), rng.normal(size=(40, 2))]), rng.uniform(1, 2, 40)
    y = (rng.uniform(size=40) < 0.6).astype(float)
    for fit in (least_squares, logistic):
        at = fit(x, weight=weight, valid=np.ones(40), total=y)
        for t in (0, 17):
            change = np.zeros(40)
            change[t] = 1e-5
            up, down = (
                fit(x, weight=weight + s * change, valid=np.ones(40), total=y).coefficient
                for s in (1, -1)
            )
            np.testing.assert_allclose(at.influence[t], (up - down) / 2e-5, rtol=1e-5, atol=1e-9)


def test_dependent_columns_are_the_later_ones():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 30))
    x = np.column_stack([np.ones(30), a, b, 3 * a - b, 2026 + b * 1e-3])
    assert list(dependent_columns(x, np.ones(30))) == [3, 4]
    assert list(dependent_columns(x[:2, :3], np.ones(2))) == [2]


# ---- what is refused, and what is stated ----


@pytest.fixture(scope="module")
def odd(province):
    """The province with columns that cannot be used as asked."""
    rows, n = province.respondents, len(province.respondents)
    return province_design(
        rows.assign(
            one=1, empty=np.nan, text="a", double=rows["sex"] * 2 + 1, split=(rows["age"] >= 3).astype(int), endless=np.where(rows["sex"] == 1, np.inf, 1.0),
            level=rows["aware"].fillna(0) + (rows["aware"].fillna(0) == 1) * (np.arange(n) % 2),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "covariates", "options", "code"),
    [
        ("index", ["regio"], {}, "E141"),
        ("nothing", ["sex"], {}, "E101"),
        ("text", ["sex"], {}, "E102"),
        ("one", ["sex"], {}, "E144"),
        ("double", ["sex"], {}, "E144"),
        ("index", ["one"], {}, "E142"),
        ("index", ["text"], {}, "E142"),
        ("index", ["sex", "double"], {}, r"E145[\s\S]*double"),
        ("index", ["empty"], {}, "E162"),
        ("index", ["endless"], {}, "E165"),
        ("index", [], {}, "E161"),
        ("index", ["sex", "sex"], {}, "E161"),
        ("index", ["index"], {}, "E161"),
        ("index", ["sex"], {"categorical": ["age"]}, r"E161[\s\S]*age"),
        ("index", ["sex"], {"family": "probit"}, "E140"),
        ("index", ["sex"], {"level": 1.0}, "E104"),
        ("index", ["sex"], {"family": "logistic"}, "E148"),
        ("one", ["sex"], {"family": "logistic"}, "E144"),
        ("split", ["age"], {"family": "logistic"}, r"E146[\s\S]*age"),
        (
            "aware",
            ["sex", "level"],
            {"family": "logistic", "categorical": ["level"]},
            r"E146[\s\S]*level=",
        ),
    ],
)
def test_refusals_of_regressions(odd, outcome, covariates, options, code):
    with pytest.raises(EstimatesError, match=code):
        regression(odd, outcome, covariates, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (("index", "regio"), {}, "E141"),
        (("index", "one"), {}, "E142"),
        (("index", "age"), {}, r"E143[\s\S]*rank_test"),
        (("one", "sex"), {}, "E144"),
        (("one",), {}, "E144"),
        (("index", "sex"), {"level": 0.0}, "E104"),
    ],
)
def test_refusals_of_t_tests(odd, arguments, options, code):
    with pytest.raises(EstimatesError, match=code):
        t_test(odd, *arguments, **options)


def test_below_one_df_nothing_is_tested():
    rows = pd.DataFrame(
        {"psu": [1, 1, 1, 2, 2, 2], "g": [0, 1, 0, 1, 0, 1], "y": [1.0, 2.0, 4.0, 3.0, 2.0, 7.0]}
    )
    found = t_test(SurveyDesign(rows, psu="psu"), "y", "g").table.iloc[0]
    assert found["df"] == 0
    assert np.isnan([found["t"], found["p"]]).all()
    assert np.isinf([found["ci_low"], found["ci_high"]]).all()


@pytest.mark.parametrize("selection", ["probability", "open_link"])
def test_they_state_their_conventions(province, selection):
    design = province_design(province.respondents, selection=selection)
    for found in (
        t_test(design, "index", "sex"),
        t_test(design, "index"),
        regression(design, "index", ["sex"]),
    ):
        assert found.conventions["selection"] == selection
        assert {
            "test",
            "null",
            "df",
            "level",
            "calibration",
            "lonely_psu",
            "fpc",
            "variance",
        } <= set(found.conventions)


def test_inputs_stay_as_they_are(province):
    before = pd.util.hash_pandas_object(province.respondents).sum()
    regression(province.design, "index", COVARIATES, categorical=["age"])
    t_test(province.design, "index", "sex")
    assert pd.util.hash_pandas_object(province.respondents).sum() == before
