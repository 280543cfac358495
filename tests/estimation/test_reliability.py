"""Alpha equals R's svycralpha, pingouin and the formulas; its error is the derivative by the weights; ICC equals pingouin's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

from conftest import province_design
from satisfaction import SurveyDesign, calibrate
from satisfaction.declarations.questionnaire import read_questionnaire
from satisfaction.estimation.reliability import (
    anova,
    assess_items,
    cronbach_alpha,
    feldt_interval,
    intraclass_correlation,
    log_interval,
    reliability,
    wald_limits,
    weighted_variances,
)
from satisfaction.foundation.engines import hold
from satisfaction.foundation.errors import EstimatesError
from satisfaction.pipeline import run

POINTS = {1: 0, 2: 25, 3: 50, 4: 75, 5: 100}
ITEMS = ["streets", "parks", "safety"]
SCALE = [f"s{i}" for i in range(1, 9)]
# R 4.2.2, survey 4.1-1, 2026-11-22: svycralpha(~s1+...+s8, subset(design, complete.cases(s1, ..., s8))), strata, psu, base_weight
R_ALPHA = 0.799775725737925
PINGOUIN_DIGITS = (
    0.00051  # pingouin rounds the limits of alpha to three decimals, those of the ICC to two
)
STEP = 1e-6  # of a weight, relative, for numerical derivatives


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged)


@pytest.fixture(scope="module")
def found(results):
    return reliability(results.design, results.survey.questionnaire, "topic_index")


@pytest.fixture(scope="module")
def scale(province):
    return assess_items(province.design, SCALE)


@pytest.fixture(scope="module")
def complete(results):
    """Points of the respondents with valid answers to all items, from the codes."""
    answers = results.responses.accepted[ITEMS]
    kept = answers[answers.isin(list(POINTS)).all(axis=1)]
    return kept.astype(int).replace(POINTS).to_numpy(float)


def alpha_by_hand(scores: np.ndarray) -> float:
    k = scores.shape[1]
    return k / (k - 1) * (1 - scores.var(axis=0, ddof=1).sum() / scores.sum(axis=1).var(ddof=1))


def weighted_by_hand(scores: np.ndarray, weight: np.ndarray) -> float:
    items = np.cov(scores.T, aweights=weight)
    return scores.shape[1] / (scores.shape[1] - 1) * (1 - np.trace(items) / items.sum())


# ---- alpha with equal weights ----


def test_alpha_equals_the_formula(found, complete):
    assert found.alpha == pytest.approx(alpha_by_hand(complete), rel=1e-12)


def test_item_statistics_equal_the_formulas(found, complete):
    assert list(found.table["item"]) == ITEMS
    np.testing.assert_allclose(found.table["mean"], complete.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.table["sd"], complete.std(axis=0, ddof=1), rtol=1e-12)
    for i in range(3):
        others = np.delete(complete, i, axis=1)
        assert found.table["item_total"][i] == pytest.approx(
            np.corrcoef(complete[:, i], others.sum(axis=1))[0, 1], rel=1e-12
        )
        assert found.table["alpha_without"][i] == pytest.approx(alpha_by_hand(others), rel=1e-12)


def test_feldts_limits_are_pingouins_before_rounding(complete):
    alpha, limits = pingouin.cronbach_alpha(data=pd.DataFrame(complete), ci=0.9)
    ours = feldt_interval(float(alpha), n=len(complete), items=3, level=0.9)
    np.testing.assert_allclose(ours, limits, atol=PINGOUIN_DIGITS)
    f = stats.f(len(complete) - 1, 2 * (len(complete) - 1))
    np.testing.assert_allclose(
        ours, [1 - (1 - alpha) * f.isf(0.05), 1 - (1 - alpha) * f.isf(0.95)], rtol=1e-9
    )


def test_only_complete_cases_count(found, complete, results):
    assert (found.complete, found.respondents) == (len(complete), len(results.responses.accepted))
    assert found.complete < found.respondents


def test_what_is_weighted_and_how_is_said(found, results):
    assert "final weights for weighted_alpha" in found.conventions["weights"]
    assert "complete cases" in found.summary["cases"]
    assert "log(1 - alpha)" in found.summary["interval"]
    assert (found.summary["alpha"], found.summary["weighted_alpha"]) == (
        found.alpha,
        found.weighted_alpha,
    )
    assert {
        "null",
        "method",
        "df_rule",
        "level",
        "lonely_psu",
        "fpc",
        "selection",
        "variance",
    } <= set(found.conventions)
    assert found.conventions["calibration"] == results.design.weighting.name


def test_parallel_items_have_the_spearman_brown_alpha():
    """Items of equal variance and correlation r: alpha = k r / (1 + (k - 1) r)."""
    base = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * 10.0
    scores = np.column_stack([base[:, 0], base[:, 0] * 0.6 + base[:, 1] * 0.8])
    assert cronbach_alpha(scores) == pytest.approx(2 * 0.6 / 1.6, rel=1e-12)


def test_items_without_variance_give_nan_without_a_warning():
    scores = np.column_stack([[50.0, 50, 50], [0.0, 25, 100], [25.0, 25, 75]])
    table = assess_items(SurveyDesign(pd.DataFrame(scores, columns=list("abc"))), list("abc")).table
    assert np.isnan(table["item_total"]).tolist() == [True, False, False]
    assert np.isnan(cronbach_alpha(scores[:, :1]))
    assert np.isnan(cronbach_alpha(np.full((4, 3), 50.0)))


# ---- alpha under the design ----


def test_weighted_alpha_equals_r(scale):
    assert scale.weighted_alpha == pytest.approx(R_ALPHA, rel=1e-9)


def test_weighted_figures_equal_the_formulas(found, complete, results):
    answers = results.responses.accepted[ITEMS]
    weight = results.design.weights[answers.isin(list(POINTS)).all(axis=1).to_numpy()]
    assert found.weighted_alpha == pytest.approx(weighted_by_hand(complete, weight), rel=1e-12)
    mean = np.average(complete, axis=0, weights=weight)
    variance = (
        np.average((complete - mean) ** 2, axis=0, weights=weight) * len(weight) / (len(weight) - 1)
    )  # R's svyvar
    np.testing.assert_allclose(found.table["weighted_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(found.table["weighted_sd"], np.sqrt(variance), rtol=1e-12)
    for i in range(3):
        others = np.delete(complete, i, axis=1)
        both = np.cov(complete[:, i], others.sum(axis=1), aweights=weight)
        correlation = both[0, 1] / np.sqrt(both[0, 0] * both[1, 1])
        assert found.table["weighted_item_total"][i] == pytest.approx(correlation, rel=1e-10)
        assert found.table["weighted_alpha_without"][i] == pytest.approx(
            weighted_by_hand(others, weight), rel=1e-10
        )


def test_equal_weights_give_the_unweighted_figures(province):
    plain = assess_items(SurveyDesign(province.respondents, strata="stratum", psu="psu"), SCALE)
    assert plain.weighted_alpha == pytest.approx(plain.alpha, rel=1e-12)
    for column in ("mean", "sd", "item_total", "alpha_without"):
        np.testing.assert_allclose(
            plain.table[f"weighted_{column}"], plain.table[column], rtol=1e-10
        )


def test_the_error_is_the_spread_of_numerical_derivatives_over_the_psus(province, scale):
    """Move the weights of one PSU at a time: totals of the linearized variable without any formula for it."""
    rows = province.respondents.dropna(subset=SCALE)
    scores, weight = rows[SCALE].to_numpy(), rows["base_weight"].to_numpy()
    units = (
        province.respondents[["stratum", "psu"]]
        .drop_duplicates()
        .assign(total=0.0)
        .set_index(["stratum", "psu"])
    )
    at = rows.groupby(["stratum", "psu"]).indices
    for unit, own in at.items():
        up, down = weight.copy(), weight.copy()
        up[own] *= 1 + STEP
        down[own] *= 1 - STEP
        units.loc[unit, "total"] = (
            weighted_by_hand(scores, up) - weighted_by_hand(scores, down)
        ) / (2 * STEP)
    n = units.groupby("stratum")["total"].transform("size")
    centred = units["total"] - units.groupby("stratum")["total"].transform("mean")
    assert scale.se == pytest.approx(np.sqrt((n / (n - 1) * centred**2).sum()), rel=1e-6)


def test_the_error_is_that_of_the_jackknife(province, scale):
    """JKn, one PSU left out at a time; equal to linearization for large samples, here within 2 %."""
    rows = province.respondents.dropna(subset=SCALE)
    scores, weight, stratum = (
        rows[SCALE].to_numpy(),
        rows["base_weight"].to_numpy(),
        rows["stratum"].to_numpy(),
    )
    n = province.respondents.groupby("stratum")["psu"].nunique()
    variance = 0.0
    for (own, _), at in rows.groupby(["stratum", "psu"]).indices.items():
        left = np.where(stratum == own, weight * n[own] / (n[own] - 1), weight)
        left[at] = 0.0
        variance += (
            (n[own] - 1) / n[own] * (weighted_by_hand(scores, left) - scale.weighted_alpha) ** 2
        )
    assert scale.se == pytest.approx(np.sqrt(variance), rel=0.02)


def test_the_interval_is_symmetric_on_the_log_scale(scale):
    with_members = 879  # of 1,056 PSUs in 176 strata, one holds no complete case
    t = stats.t.ppf(0.975, with_members)
    half = t * scale.se / (1 - scale.weighted_alpha)
    assert scale.df == with_members
    assert np.log(1 - scale.ci_low) == pytest.approx(
        np.log(1 - scale.weighted_alpha) + half, rel=1e-9
    )
    assert np.log(1 - scale.ci_high) == pytest.approx(
        np.log(1 - scale.weighted_alpha) - half, rel=1e-9
    )
    assert scale.ci_low < scale.weighted_alpha < scale.ci_high < 1


def test_limits_at_the_ends():
    assert np.isnan(log_interval(1.0, 0.0, df=10, level=0.95)).all()
    assert np.isnan(log_interval(float("nan"), float("nan"), df=10, level=0.95)).all()
    assert log_interval(0.5, 0.1, df=0, level=0.95) == (-np.inf, 1.0)


def test_fpc_makes_the_error_smaller_and_calibration_changes_alpha(province, scale):
    corrected = assess_items(province_design(province.respondents, fpc="M"), SCALE)
    assert corrected.se < scale.se
    assert corrected.weighted_alpha == scale.weighted_alpha
    raked = assess_items(
        calibrate(province.design, {k: province.margins[k] for k in ("county", "sex", "age")}),
        SCALE,
    )
    assert raked.conventions["calibration"] == "raking"
    assert raked.weighted_alpha != scale.weighted_alpha
    assert raked.alpha == scale.alpha


def test_the_interval_covers_what_it_should():
    """Clustered answers: the design's interval covers about 95 %, Feldt's clearly less."""
    rng, waves, hits = np.random.default_rng(11), 100, np.zeros(2)
    truth = (
        4 / 3 * (1 - 4 * 2.0 / (4 * 2.0 + 4 * 3 * 1.0))
    )  # four items of variance 2, covariance 1
    for _ in range(waves):
        size = np.exp(
            rng.normal(size=40) * 0.7
        )  # a PSU's answers share their spread as well as their level
        common = rng.normal(size=(40, 1)) * 0.7 + rng.normal(size=(40, 15)) * np.sqrt(0.51)
        scores = (
            common[..., None]
            + rng.normal(size=(40, 15, 4)) * np.sqrt(size / np.exp(0.245))[:, None, None]
        )
        rows = pd.DataFrame(scores.reshape(-1, 4), columns=list("abcd")).assign(
            psu=np.repeat(np.arange(40), 15)
        )
        one = assess_items(SurveyDesign(rows, psu="psu"), list("abcd"))
        hits += [one.ci_low <= truth <= one.ci_high, one.alpha_low <= truth <= one.alpha_high]
    assert 0.88 <= hits[0] / waves <= 0.99
    assert hits[1] < hits[0]


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_engines_give_the_same(province, engine):
    rows = province.respondents[["stratum", "psu", "base_weight"]].assign(
        **{item: province.respondents[item].astype("Int64") for item in SCALE}
    )
    found = assess_items(province_design(hold(rows, engine)), SCALE)
    assert found.weighted_alpha == pytest.approx(R_ALPHA, rel=1e-9)
    assert found.complete == 4584


def test_two_items_and_a_constant_item(province):
    rows = province.respondents.assign(constant=3.0)
    pair = assess_items(province_design(rows), ["s1", "s2"])
    assert pair.table[["alpha_without", "weighted_alpha_without"]].isna().all(axis=None)
    both = assess_items(province_design(rows), ["s1", "constant"])
    assert np.isnan(both.table["weighted_item_total"]).tolist() == [True, True]
    none = assess_items(province_design(rows.assign(other=1.0)), ["constant", "other"])
    assert np.isnan([none.alpha, none.weighted_alpha, none.se, none.ci_low, none.alpha_low]).all()


def test_whole_numbers_that_would_overflow_are_refused(province):
    rows = province.respondents.assign(a=np.arange(6336) + 10**9, b=2 * 10**9 - np.arange(6336))
    with pytest.raises(EstimatesError, match="E134"):
        assess_items(province_design(rows), ["a", "b"])
    floats = assess_items(province_design(rows.astype({"a": float})), ["a", "b"])
    assert floats.complete == 6336


def test_variances_have_the_derivatives_they_say():
    rng = np.random.default_rng(2)
    weight, values = rng.uniform(1, 3, size=12), rng.normal(size=(12, 2))
    found = weighted_variances(weight, count=np.ones(12), total=values, squares=values**2)
    for i in range(12):
        up, down = weight.copy(), weight.copy()
        up[i], down[i] = weight[i] + STEP, weight[i] - STEP
        moved = [
            weighted_variances(w, count=np.ones(12), total=values, squares=values**2).variance
            for w in (up, down)
        ]
        np.testing.assert_allclose(found.z[i], (moved[0] - moved[1]) / (2 * STEP), atol=1e-8)


@pytest.mark.parametrize("index", ["composite", "topic_indx"])
def test_only_indices_of_persons_have_items_to_assess(results, index):
    with pytest.raises(EstimatesError, match=r"E131[\s\S]*topic_index"):
        reliability(results.design, results.survey.questionnaire, index)


def test_an_item_outside_the_topics_is_named(small):
    small.edit(small.questionnaire, "topics: [streets, parks, safety]", "topics: [streets, parks]")
    results = run(small.read())
    with pytest.raises(EstimatesError, match=r"E132[\s\S]*safety"):
        reliability(results.design, results.survey.questionnaire, "topic_index")


def test_one_item_is_refused(small):
    small.edit(
        small.questionnaire,
        "weights: {streets: 0.5, parks: 0.3, safety: 0.2}",
        "weights: {streets: 1}",
    )
    small.edit(small.questionnaire, "min_valid_items: 2", "min_valid_items: 1")
    results = run(small.read())
    assert read_questionnaire(small.questionnaire).indices["topic_index"].min_valid_items == 1
    with pytest.raises(EstimatesError, match="E133"):
        reliability(results.design, results.survey.questionnaire, "topic_index")


@pytest.mark.parametrize("items", [["s1"], ["s1", "s1"], []])
def test_fewer_than_two_different_items_are_refused(province, items):
    with pytest.raises(EstimatesError, match="E133"):
        assess_items(province.design, items)


def test_no_complete_case_is_refused(province):
    rows = province.respondents.assign(a=np.where(province.respondents["sex"] == 0, 1.0, np.nan))
    with pytest.raises(EstimatesError, match="E133"):
        assess_items(
            province_design(rows.assign(b=np.where(rows["sex"] == 0, np.nan, 1.0))), ["a", "b"]
        )


# ---- interviewers ----


@pytest.fixture(scope="module")
def balanced():
    rng = np.random.default_rng(4)
    answers = rng.normal(size=12)[:, None] * 0.6 + rng.normal(size=(12, 9))
    who, turn = np.repeat(np.arange(12), 9), np.tile(np.arange(9), 12)
    return pd.DataFrame({"interviewer": who, "turn": turn, "place": who // 4, "y": answers.ravel()})


@pytest.fixture(scope="module")
def unbalanced(balanced):
    return balanced.drop(index=[0, 1, 2, 3, 4, 5, 20, 40, 41, 42, 77, 100, 101]).reset_index(
        drop=True
    )


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin 0.7 under pandas 3
def test_balanced_groups_equal_pingouin(balanced):
    found = intraclass_correlation(SurveyDesign(balanced), "y", by="interviewer")
    oracle = pingouin.intraclass_corr(
        data=balanced, targets="interviewer", raters="turn", ratings="y"
    ).iloc[0]
    assert found.rho == pytest.approx(oracle["ICC"], rel=1e-10)
    assert (found.f, found.p) == pytest.approx((oracle["F"], oracle["pval"]), rel=1e-9)
    assert (found.df_between, found.df_within) == (oracle["df1"], oracle["df2"])
    np.testing.assert_allclose([found.ci_low, found.ci_high], oracle["CI95"], atol=0.0051)
    k, (low, high) = 9, (found.f / stats.f.ppf(q, 11, 96) for q in (0.975, 0.025))  # Searle (1971)
    np.testing.assert_allclose(
        [found.ci_low, found.ci_high],
        [(low - 1) / (low + k - 1), (high - 1) / (high + k - 1)],
        rtol=1e-8,
    )


def test_unequal_groups_equal_the_formulas(unbalanced):
    found = intraclass_correlation(SurveyDesign(unbalanced), "y", by="interviewer")
    groups = unbalanced.groupby("interviewer")["y"]
    n, mean, size = groups.size().to_numpy(), groups.mean().to_numpy(), len(unbalanced)
    between = (n * (mean - unbalanced["y"].mean()) ** 2).sum() / 11
    within = ((unbalanced["y"] - groups.transform("mean")) ** 2).sum() / (size - 12)
    n0 = (size - (n**2).sum() / size) / 11
    assert found.rho == pytest.approx((between - within) / (between + (n0 - 1) * within), rel=1e-10)
    assert (found.between, found.error, found.n0) == pytest.approx(
        ((between - within) / n0, within, n0), rel=1e-10
    )
    oracle = stats.f_oneway(*(own.to_numpy() for _, own in groups))
    assert (found.f, found.p) == pytest.approx((oracle.statistic, oracle.pvalue), rel=1e-9)
    assert found.deff == pytest.approx(1 + (size / 12 - 1) * found.rho, rel=1e-12)
    assert found.deff_workloads == pytest.approx(
        1 + ((n**2).sum() / size - 1) * found.rho, rel=1e-12
    )
    np.testing.assert_allclose(found.table["mean"], mean, rtol=1e-12)
    assert found.ci_low < found.rho < found.ci_high


def test_within_places_equals_the_nested_analysis(unbalanced):
    found = intraclass_correlation(SurveyDesign(unbalanced), "y", by="interviewer", within="place")
    sums, moments, groups = 0.0, 0.0, 0
    for _, own in unbalanced.groupby("place"):
        each = own.groupby("interviewer")["y"]
        sums += (each.size() * (each.mean() - own["y"].mean()) ** 2).sum()
        moments += len(own) - (each.size() ** 2).sum() / len(own)
        groups += each.ngroups - 1
    within = (
        unbalanced.groupby(["place", "interviewer"])["y"]
        .apply(lambda y: ((y - y.mean()) ** 2).sum())
        .sum()
    )
    within /= len(unbalanced) - 12
    between, n0 = sums / groups, moments / groups
    assert found.df_between == groups == 9
    assert found.rho == pytest.approx((between - within) / (between + (n0 - 1) * within), rel=1e-10)
    assert found.ci_low < found.rho < found.ci_high


def test_places_are_not_blamed_on_interviewers(balanced):
    """A difference between places leaves the correlation within places as it was and drives up the other one."""
    shifted = balanced.assign(y=balanced["y"] + 5 * balanced["place"])
    inside = [
        intraclass_correlation(SurveyDesign(d), "y", by="interviewer", within="place")
        for d in (balanced, shifted)
    ]
    across = [
        intraclass_correlation(SurveyDesign(d), "y", by="interviewer") for d in (balanced, shifted)
    ]
    assert (inside[0].rho, inside[0].ci_high) == pytest.approx(
        (inside[1].rho, inside[1].ci_high), rel=1e-9
    )
    assert across[1].rho > across[0].rho + 0.3
    assert "interpenetrated" in across[0].conventions["confounding"]
    assert "place removed" in inside[0].conventions["confounding"].replace("means of ", "")


def test_a_psu_is_taken_with_its_stratum(province):
    rows = province.respondents.assign(psu=province.respondents["psu"] % 6, who=np.arange(6336) % 2)
    found = intraclass_correlation(province_design(rows), "s1", by="who", within="psu")
    assert found.within == ("stratum", "psu")
    assert found.df_between == found.groups - 1056
    assert found.conventions["groups_in_several_places"] == 2


def test_limits_cover_in_very_unequal_groups():
    rng, waves = np.random.default_rng(8), 400
    n, rho = np.array([2, 2, 3, 3, 4, 5, 8, 20, 40, 60]), 0.2
    who, hits, place = np.repeat(np.arange(10), n), 0, np.zeros(10, dtype=int)
    for _ in range(waves):
        y = (rng.normal(size=10) * np.sqrt(rho))[who] + rng.normal(size=len(who)) * np.sqrt(1 - rho)
        total, squares = np.bincount(who, y), np.bincount(who, y**2)
        one = anova(n.astype(float), total, squares, place=place)
        low, high = wald_limits(n.astype(float), total / n, place=place, analysis=one, level=0.9)
        hits += low <= rho <= high
    assert abs(hits / waves - 0.9) <= 3 * np.sqrt(0.9 * 0.1 / waves)


def test_missing_values_and_interviewers_are_left_out_and_counted(balanced):
    rows = balanced.assign(
        y=balanced["y"].where(balanced.index > 2),
        interviewer=balanced["interviewer"].astype(str).where(balanced.index < 100),
    )
    found = intraclass_correlation(SurveyDesign(rows), "y", by="interviewer")
    assert (found.respondents, found.left_out) == (97, 8)
    direct = intraclass_correlation(SurveyDesign(rows.dropna()), "y", by="interviewer")
    assert found.rho == pytest.approx(direct.rho, rel=1e-12)


def test_measures_of_the_questionnaire_and_conventions(results):
    found = intraclass_correlation(
        results.design, "satisfaction", by="interviewer", within="county"
    )
    assert (found.groups, found.conventions["groups_in_several_places"]) == (12, 3)
    assert {
        "null",
        "method",
        "interval",
        "weights",
        "design_effect",
        "confounding",
        "level",
    } <= set(found.conventions)
    assert found.summary["rho"] == found.rho
    assert found.summary["within"] == "county"


def test_answers_without_variance_within_give_nan_limits():
    rows = pd.DataFrame({"who": [1, 1, 2, 2], "y": [1, 1, 3, 3], "z": [2, 2, 2, 2]})
    alike = intraclass_correlation(SurveyDesign(rows), "y", by="who")
    assert alike.rho == 1.0
    assert np.isnan([alike.ci_low, alike.ci_high, alike.f, alike.p]).all()
    assert np.isnan(intraclass_correlation(SurveyDesign(rows), "z", by="who").rho)


def test_the_least_limit_where_groups_are_more_alike_than_chance():
    rows = pd.DataFrame({"who": [1, 1, 1, 2, 2, 3, 3], "y": [1, 2, 3, 1, 3, 1.5, 2.5]})
    found = intraclass_correlation(SurveyDesign(rows), "y", by="who")
    assert found.rho < 0
    assert found.ci_low == pytest.approx(-0.5)  # -1 / (3 - 1)


def test_what_cannot_be_told_apart_is_refused(balanced):
    design = SurveyDesign(balanced)
    for options, code in (
        ({"within": "interviewer"}, "E135"),
        ({"by": "turn", "within": ["interviewer", "turn"]}, "E135"),
        ({"by": "turn", "within": "interviewer"}, "E136"),
        ({"by": "nobody"}, "E101"),
        ({"within": "nowhere"}, "E101"),
        ({"level": 95}, "E104"),
    ):
        with pytest.raises(EstimatesError, match=code) as fault:
            intraclass_correlation(design, "y", **({"by": "interviewer"} | options))
        assert fault.value.zh
        assert fault.value.hint[0]
    with pytest.raises(EstimatesError, match="E104"):
        assess_items(design, ["y", "turn"], level=1.0)
