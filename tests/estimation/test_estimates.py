"""Estimates equal R survey on the province; limits, contrasts and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from conftest import province_design
from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.estimation.intervals import korn_graubard_interval, logit_interval, t_interval
from satisfaction.foundation.errors import EstimatesError

CLOSED_FORM = 1e-9  # same formula as R, other order of additions (found: 1e-13)
R_ITERATES = 1e-8  # svyciprop fits a logistic model and stops at 1e-8 (found: 1e-9)
MEASURES = [
    "s1",
    "s2",
    "s3",
    "s4",
    "s5",
    "s6",
    "s7",
    "s8",
    "aware",
    "part",
    "support",
    "satisfied",
    "index",
]


def assert_covariance(found, expected):
    scale = np.sqrt(np.diag(expected))
    assert np.abs((found - expected) / np.outer(scale, scale)).max() <= CLOSED_FORM


def scores(**columns):
    """Two PSUs in one stratum, three persons each."""
    return pd.DataFrame({"psu": [1, 1, 1, 2, 2, 2], "w": [1.0, 2.0, 1.0, 3.0, 1.0, 1.0]} | columns)


@pytest.mark.parametrize("measure", ["aware", "index"])
def test_county_means_se_and_covariance_equal_r(province, measure):
    found, expected = (
        estimate(province.design, measure, by="county"),
        province.expected["county"][measure],
    )
    np.testing.assert_array_equal(found.table["county"], expected["domain"])
    np.testing.assert_array_equal(found.table["n"], expected["n"])
    np.testing.assert_allclose(found.table["estimate"], expected["estimate"], rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.table["se"], expected["se"], rtol=CLOSED_FORM)
    assert_covariance(found.cov, expected["vcov"])


@pytest.mark.parametrize(("key", "fpc"), [("province", None), ("province_fpc", "M")])
def test_province_means_totals_and_deff_equal_r(province, key, fpc):
    design = province_design(province.respondents, fpc=fpc)
    expected = pd.DataFrame(province.expected[key]).T.loc[MEASURES]
    mean, total = (
        estimate(design, MEASURES).table,
        estimate(design, MEASURES, statistic="total").table,
    )
    for found, column in (
        (mean["estimate"], "estimate"),
        (mean["se"], "se"),
        (mean["deff"], "deff"),
        (total["estimate"], "total"),
        (total["se"], "total_se"),
    ):
        np.testing.assert_allclose(found, expected[column], rtol=CLOSED_FORM, err_msg=column)
    assert (mean["df"] == province.expected["degf"]).all()


def test_county_means_with_fpc_equal_r(province):
    found = estimate(province_design(province.respondents, fpc="M"), "index", by="county")
    np.testing.assert_allclose(
        found.table["se"], province.expected["county_fpc"]["index"]["se"], rtol=CLOSED_FORM
    )
    assert_covariance(found.cov, province.expected["county_fpc"]["index"]["vcov"])


def test_logit_limits_equal_svyciprop(province):
    found = estimate(province.design, "aware", by="county", statistic="proportion").table
    np.testing.assert_allclose(
        found[["estimate", "ci_low", "ci_high"]],
        province.expected["ciprop"]["logit"],
        rtol=R_ITERATES,
    )


@pytest.mark.parametrize("policy", ["adjust", "average", "certainty", "remove"])
def test_lonely_psu_policies_equal_r(province, policy):
    rows = province.respondents
    first = rows["psu"] == rows.groupby("stratum")["psu"].transform("min")
    found = estimate(
        province_design(rows[(rows["stratum"] % 10 != 3) | first], lonely_psu=policy), "index"
    ).table.iloc[0]
    expected = province.expected["lonely"][policy]
    assert found["estimate"] == pytest.approx(expected["estimate"], rel=CLOSED_FORM)
    assert found["se"] == pytest.approx(expected["se"], rel=CLOSED_FORM)


def test_table_is_domain_major_with_all_columns(province):
    found = estimate(province.design, ["aware", "index"], by=["prefecture", "sex"])
    assert list(found.table.columns) == [
        "prefecture",
        "sex",
        "measure",
        "estimate",
        "se",
        "df",
        "ci_low",
        "ci_high",
        "cv",
        "deff",
        "deff_wr",
        "n",
        "n_effective",
        "note",
    ]
    assert found.table[["prefecture", "sex", "measure"]].to_numpy().tolist() == [
        [p, s, m] for p in range(9) for s in (0, 1) for m in ("aware", "index")
    ]
    assert found.cov.shape == (36, 36)
    np.testing.assert_allclose(found.table["se"] ** 2, np.diag(found.cov), rtol=1e-12)


def test_of_takes_one_measure_with_its_covariance(province):
    both = estimate(province.design, ["aware", "index"], by="sex")
    pd.testing.assert_frame_equal(
        both.of("index").table, both.table.iloc[[1, 3]].reset_index(drop=True)
    )
    np.testing.assert_array_equal(both.of("index").cov, both.cov[np.ix_([1, 3], [1, 3])])


def test_every_convention_is_stated(province):
    found = estimate(
        province_design(province.respondents, fpc="M", lonely_psu="adjust"), "aware", level=0.9
    )
    assert found.conventions == {
        "statistic": "mean", "variance": "linearized", "interval": "t; logit for rates", "level": 0.9, "df": "domain: PSUs - strata",
        "deff": "against simple random sampling without replacement", "lonely_psu": "adjust", "selection": "probability", "calibration": "none",
        "fpc": "M", "engine_exact": False,
    }  # fmt: skip
    assert found.level == 0.9
    quota = estimate(
        province_design(province.respondents, fpc="M", lonely_psu="adjust", selection="quota"),
        "aware",
        level=0.9,
    )
    unknown = dict.fromkeys(
        ("variance", "interval", "df", "deff"), "none: not a probability sample"
    )
    assert quota.conventions == found.conventions | {"selection": "quota"} | unknown


def test_df_counts_psus_and_strata_with_valid_members():
    rows = pd.DataFrame(
        {
            "stratum": [1, 1, 1, 2, 2, 2],
            "psu": [1, 2, 3, 1, 2, 3],
            "y": [1, 2, 3, 4, 5, None],
            "domain": list("aaabbb"),
        }
    )
    found = estimate(SurveyDesign(rows, strata="stratum", psu="psu"), "y", by="domain").table
    assert found["df"].tolist() == [2, 1]
    assert found["n"].tolist() == [3, 2]


def test_a_psu_code_used_in_two_strata_is_two_psus():
    rows = pd.DataFrame({"stratum": [1, 1, 2, 2], "psu": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 5.0]})
    found = estimate(SurveyDesign(rows, strata="stratum", psu="psu"), "y").table.iloc[0]
    assert found["df"] == 2
    assert found["se"] == pytest.approx(np.sqrt(1**2 + 2**2) / 4)


def test_a_domain_without_valid_values_has_no_estimate():
    found = estimate(
        SurveyDesign(scores(y=[1, 2, 3, None, None, None], domain=list("aaabbb")), psu="psu"),
        "y",
        by="domain",
    ).table
    assert found["n"].tolist() == [3, 0]
    assert found["estimate"].isna().tolist() == [False, True]


def test_a_respondent_without_a_domain_value_is_in_no_domain_but_in_the_design():
    rows = pd.DataFrame(
        {
            "psu": [1, 1, 2, 2, 3, 3],
            "y": [1, 2, 3, 4, 5, 7],
            "domain": ["a", "b", "a", None, None, None],
        }
    )
    found, expected = (
        estimate(SurveyDesign(r, psu="psu"), "y", by="domain")
        for r in (rows, rows.fillna({"domain": "none"}))
    )
    pd.testing.assert_frame_equal(found.table, expected.table[:2])
    np.testing.assert_array_equal(found.cov, expected.cov[:2, :2])


# ---- intervals ----


def test_t_limits_by_hand():
    low, high = t_interval(np.array([10.0]), np.array([2.0]), np.array([4]), level=0.95)
    assert (low[0], high[0]) == pytest.approx(
        (10 - 2 * 2.7764451051977987, 10 + 2 * 2.7764451051977987), rel=1e-12
    )


def test_t_limits_without_df_are_unbounded():
    assert t_interval(np.array([1.0]), np.array([1.0]), np.array([0]), level=0.95) == (
        -np.inf,
        np.inf,
    )


def test_logit_limits_are_symmetric_on_the_logit_scale():
    low, high = logit_interval(np.array([0.8]), np.array([0.05]), np.array([20]), level=0.95)
    logit = np.log(np.array([low[0], 0.8, high[0]]) / (1 - np.array([low[0], 0.8, high[0]])))
    assert logit[1] - logit[0] == pytest.approx(logit[2] - logit[1], rel=1e-12)
    assert logit[2] - logit[1] == pytest.approx(
        stats.t.ppf(0.975, 20) * 0.05 / (0.8 * 0.2), rel=1e-12
    )


def test_korn_graubard_limits_of_all_and_none_by_hand():
    n, df = np.array([50.0, 50.0]), np.array([49, 49])
    low, high = korn_graubard_interval(np.array([0.0, 1.0]), n, n=n, df=df, level=0.95)
    assert (low[0], high[0]) == pytest.approx((0.0, 1 - 0.025 ** (1 / 50)), rel=1e-9)
    assert (low[1], high[1]) == pytest.approx((0.025 ** (1 / 50), 1.0), rel=1e-9)


def test_a_share_of_one_gets_korn_graubard_limits_and_a_note():
    rows = scores(y=[1, 1, 1, 1, 1, 1])
    found = estimate(
        SurveyDesign(rows, psu="psu", base_weight="w"), "y", statistic="proportion"
    ).table.iloc[0]
    assert found["note"] == "Korn-Graubard"
    assert found["ci_high"] == 1
    assert 0 < found["ci_low"] < 1


@pytest.mark.parametrize("seed", range(5))
def test_a_domain_of_equal_answers_has_no_error_at_all(seed):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "domain": np.repeat(["a", "b"], 20),
            "psu": np.arange(40) // 4,
            "w": rng.uniform(1, 900, 40),
            "y": 75,
        }
    )
    rows.loc[rows["domain"] == "a", "y"] = rng.integers(0, 101, 20)
    found = estimate(
        SurveyDesign(rows, strata="domain", psu="psu", base_weight="w"), "y", by="domain"
    )
    assert found.table["se"][0] > 1
    assert found.table["se"][1] == 0  # not 1e-15: `rank` would take it for a known value


def test_rates_have_logit_limits_and_scores_t_limits(unchanged):
    from satisfaction.collection.responses import load_responses
    from satisfaction.pipeline import base_design

    found = estimate(
        base_design(unchanged, load_responses(unchanged)), ["participation", "topic_index"]
    ).table
    for row, interval in zip(found.itertuples(), (logit_interval, t_interval), strict=True):
        low, high = interval(
            np.array([row.estimate]), np.array([row.se]), np.array([row.df]), level=0.95
        )
        assert (row.ci_low, row.ci_high) == pytest.approx((low[0], high[0]), rel=1e-12)


# ---- contrasts ----


def test_contrast_is_linear_in_estimates_and_covariance(province):
    found = estimate(province.design, "index", by="prefecture")
    contrast = found.contrast({"change": {(0, "index"): 1, (1, "index"): -1}})
    value, cov = found.table["estimate"], found.cov
    assert contrast.table["estimate"][0] == pytest.approx(value[0] - value[1], rel=1e-12)
    assert contrast.cov[0, 0] == pytest.approx(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1], rel=1e-12)


def test_contrast_df_is_satterthwaite(province):
    found = estimate(province.design, "index", by="prefecture")
    v, df = np.diag(found.cov)[:2], found.table["df"].to_numpy()[:2]
    contrast = found.contrast({"change": {(0, "index"): 1, (1, "index"): -1}})
    assert contrast.table["df"][0] == pytest.approx(v.sum() ** 2 / (v**2 / df).sum(), rel=1e-12)


def test_contrast_of_one_row_is_that_row(province):
    found = estimate(province.design, "index", by="prefecture")
    one = found.contrast({"same": {(3, "index"): 1}}).table.iloc[0]
    assert one[["estimate", "se", "df"]].tolist() == pytest.approx(
        found.table.loc[3, ["estimate", "se", "df"]].tolist(), rel=1e-12
    )


# ---- refusals ----


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("E100", lambda d: estimate(d, "y", statistic="mode")),
        ("E100", lambda d: estimate(d, "y", variance="jackknife")),
        ("E101", lambda d: estimate(d, "nothing")),
        ("E101", lambda d: estimate(d, "y", by="contry")),
        ("E102", lambda d: estimate(d, "country")),
        ("E103", lambda d: estimate(d, "y", statistic="proportion")),
        ("E111", lambda d: estimate(d, "y").of("x")),
        ("E112", lambda d: estimate(d, "y", by="country").contrast({"c": {("z", "y"): 1}})),
    ],
)
def test_refused_with_code_and_both_languages(code, call):
    design = SurveyDesign(scores(y=[1, 2, 3, 4, 5, 6], country=list("aabbcc")), psu="psu")
    with pytest.raises(EstimatesError) as refused:
        call(design)
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_0_1_is_refused(level):
    with pytest.raises(EstimatesError):
        estimate(SurveyDesign(scores(y=[1, 2, 3, 4, 5, 6]), psu="psu"), "y", level=level)


def test_a_contrast_row_number_that_is_not_there_is_refused():
    with pytest.raises(EstimatesError, match="E112"):
        estimate(SurveyDesign(scores(y=[1, 2, 3, 4, 5, 6]), psu="psu"), "y").contrast({"c": {7: 1}})


def test_a_misspelt_domain_proposes_the_near_name():
    with pytest.raises(EstimatesError, match="Did you mean 'country'"):
        estimate(
            SurveyDesign(scores(y=[1, 2, 3, 4, 5, 6], country=list("aabbcc")), psu="psu"),
            "y",
            by="contry",
        )


def test_a_ratio_of_a_domain_is_linearized_with_its_own_ratio():
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"county": np.repeat(list("ab"), 40), "psu": np.repeat(range(16), 5)})
    rows["income"] = rng.integers(10, 20, 80)
    rows["spent"] = rows["income"] * np.where(rows["county"] == "a", 1, 5) + rng.integers(0, 4, 80)
    by_county = estimate(
        SurveyDesign(rows, strata="county", psu="psu"),
        "spent",
        statistic=("ratio", "income"),
        by="county",
    ).table
    for county, row in zip("ab", by_county.itertuples(), strict=True):
        alone = rows[rows["county"] == county]
        whole = estimate(
            SurveyDesign(alone, psu="psu"), "spent", statistic=("ratio", "income")
        ).table.iloc[0]
        assert row.estimate == pytest.approx(whole["estimate"], rel=1e-12)
        assert row.se == pytest.approx(whole["se"], rel=1e-9)


def test_a_simple_random_sample_has_a_design_effect_of_one_for_totals_too():
    rows = pd.DataFrame({"y": np.random.default_rng(2).normal(50, 10, 60), "w": 20.0, "N": 1200})
    drawn = SurveyDesign(rows, base_weight="w", fpc="N")
    for statistic in ("mean", "total"):
        found = estimate(drawn, "y", statistic=statistic).table
        assert found["deff"].iloc[0] == pytest.approx(1.0, rel=1e-9), statistic


def test_a_share_of_zero_never_borrows_a_design_effect_below_one():
    """Strata that are alike inside make the whole sample more precise than a simple one; a county of zeros is not."""
    rows = pd.DataFrame({"county": np.repeat(list("abcd"), 20), "y": np.repeat([0, 1, 0, 1], 20)})
    rows.loc[[5, 25], "y"] = [1, 0]
    stratified = SurveyDesign(rows, strata="county")
    assert estimate(stratified, "y", statistic="proportion").table["deff"].iloc[0] < 0.5
    zero = (
        estimate(stratified, "y", statistic="proportion", by="county")
        .table.set_index("county")
        .loc["c"]
    )
    assert zero["estimate"] == 0
    assert zero["ci_high"] >= 1 - 0.025 ** (1 / 20) - 1e-9


def test_two_stages_with_as_many_units_in_each_are_calibrated_as_one():
    """A household in every village: the second stage is taken whole, so the first has all of the error."""
    rows = pd.DataFrame({"village": np.repeat(np.arange(8), 3), "household": 1, "N": 40, "M": 1})
    rows["sex"] = np.arange(24) % 5 % 2
    rows["y"] = np.arange(24.0) ** 2 % 11
    margin = {"sex": {0: 70.0, 1: 50.0}}
    of_two = SurveyDesign(rows, psu=["village", "household"], fpc=["N", "M"])
    of_one = SurveyDesign(rows, psu="village", fpc="N")
    figures = [estimate(calibrate(design, margin), "y").table for design in (of_two, of_one)]
    assert figures[0]["se"].iloc[0] > 0
    np.testing.assert_allclose(figures[0]["se"], figures[1]["se"], rtol=1e-12)
