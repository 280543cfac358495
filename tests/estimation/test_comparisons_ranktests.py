"""Rank tests equal R's svyranktest row by row; the default does not depend on the order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conftest import province_design
from golden_values import API_NAMES, api_design, expected
from satisfaction import SurveyDesign, calibrate
from satisfaction.estimation.group_tests import midpoint_ranks, rank_test, row_order_ranks
from satisfaction.foundation.engines import hold
from satisfaction.foundation.errors import EstimatesError

STATISTIC = 1e-9  # closed forms, other order of additions (found: 6e-15)
P_VALUE = 1e-6  # (found: 2e-13)
TIED = st.lists(st.tuples(st.integers(0, 5), st.floats(0.5, 20.0)), min_size=2, max_size=40)


@pytest.mark.parametrize("name", API_NAMES)
def test_api_wilcoxon_equals_r(name):
    reference = expected("api")[f"{name}/ranktest/api00~sch.wide"]
    found = rank_test(api_design(name), "api00", "sch.wide", ties="row_order").table.iloc[0]
    assert found["t"] == pytest.approx(reference["t"][0], rel=STATISTIC)
    assert found["p"] == pytest.approx(reference["p"][0], rel=P_VALUE)


def test_province_wilcoxon_equals_r(province):
    reference = expected("province")["ranktest_wilcoxon"]
    found = rank_test(province.design, "index", "urban", ties="row_order").table.iloc[0]
    assert (found["t"], found["df"]) == pytest.approx(
        (reference["statistic"], reference["parameter"]), rel=STATISTIC
    )
    assert found["p"] == pytest.approx(reference["p_value"], rel=P_VALUE)


def test_province_kruskal_wallis_equals_r(province):
    """In R's entry `statistic` holds the df and `parameter` the quadratic form; its p-value is that of F(5, 880 - 5)."""
    reference = expected("province")["ranktest_kruskal"]
    found = rank_test(province.design, "index", "age", ties="row_order").table.iloc[0]
    assert (found["df"], found["wald"]) == pytest.approx(
        (reference["statistic"], reference["parameter"]), rel=STATISTIC
    )
    assert found["ddf"] == 875
    assert found["p"] == pytest.approx(reference["p_value"], rel=P_VALUE)


@pytest.fixture(scope="module")
def shuffled(province):
    return province_design(province.respondents.sample(frac=1, random_state=3))


@pytest.mark.parametrize("group", ["urban", "age"])
def test_midpoints_do_not_depend_on_the_order_of_rows_but_rs_ranks_do(province, shuffled, group):
    one, other = (rank_test(d, "index", group).table for d in (province.design, shuffled))
    np.testing.assert_array_equal(one, other)
    one, other = (
        rank_test(d, "index", group, ties="row_order").table for d in (province.design, shuffled)
    )
    assert abs(one["p"][0] / other["p"][0] - 1) > 1e-9


def test_without_weights_the_conventions_agree_and_are_the_classical_ranks(province):
    rows = province.respondents.dropna(subset=["index"])
    design = SurveyDesign(rows, strata="stratum", psu="psu")
    both = [
        rank_test(design, "index", "urban", ties=ties).table for ties in ("midpoint", "row_order")
    ]
    np.testing.assert_allclose(*both, rtol=1e-9)
    score = (stats.rankdata(rows["index"]) - 0.5) / len(rows)
    means = rank_test(design, "index", "urban").details["mean_rank"]
    np.testing.assert_allclose(
        means, [score[rows["urban"] == g].mean() for g in (0, 1)], rtol=1e-12
    )


def test_simple_random_samples_give_nearly_the_classical_tests(province):
    rows = province.respondents.dropna(subset=["index"]).head(1500)
    design = SurveyDesign(rows)
    two = [rows.loc[rows["sex"] == g, "index"] for g in (0, 1)]
    six = [part["index"] for _, part in rows.groupby("age")]
    z = stats.norm.isf(stats.mannwhitneyu(*two, use_continuity=False).pvalue / 2)
    assert abs(rank_test(design, "index", "sex").table["t"][0]) == pytest.approx(z, rel=0.05)
    assert rank_test(design, "index", "age").table["wald"][0] == pytest.approx(
        stats.kruskal(*six).statistic, rel=0.05
    )


def test_the_difference_is_a_probability_of_superiority(province):
    rows = province.respondents.dropna(subset=["index"]).head(400)
    found = rank_test(SurveyDesign(rows, base_weight="base_weight"), "index", "sex").table[
        "difference"
    ][0]
    (y0, w0), (y1, w1) = (
        rows.loc[rows["sex"] == g, ["index", "base_weight"]].to_numpy().T for g in (0, 1)
    )
    wins = (y1[:, None] > y0) + 0.5 * (y1[:, None] == y0)
    assert found + 0.5 == pytest.approx(
        (w1[:, None] * w0 * wins).sum() / (w1.sum() * w0.sum()), rel=1e-12
    )


def test_only_the_order_of_values_matters(province):
    stretched = province.respondents.assign(index=np.exp(province.respondents["index"] / 20))
    for group in ("sex", "age"):
        np.testing.assert_allclose(
            rank_test(province_design(stretched), "index", group).table,
            rank_test(province.design, "index", group).table,
            rtol=1e-12,
        )


@given(TIED, st.randoms(use_true_random=False))
def test_midpoint_ranks(rows, random):
    value, weight = np.array(rows, dtype=float).T
    rank = midpoint_ranks(value, weight)
    assert (weight * rank).sum() / weight.sum() == pytest.approx(0.5, rel=1e-12)
    order = list(range(len(rows)))
    random.shuffle(order)
    np.testing.assert_allclose(midpoint_ranks(value[order], weight[order]), rank[order], rtol=1e-12)
    np.testing.assert_allclose(midpoint_ranks(-value, weight), 1 - rank, atol=1e-12)


@given(TIED)
def test_row_order_ranks_are_the_loop(rows):
    value, weight = np.array(rows, dtype=float).T
    order = sorted(range(len(rows)), key=lambda i: value[i])
    running, midpoint = 0.0, {}
    for i in order:
        midpoint[i] = running + weight[i] / 2
        running += weight[i]
    expected_rank = [
        np.mean([midpoint[j] for j in order if value[j] == value[i]]) / running
        for i in range(len(rows))
    ]
    np.testing.assert_allclose(row_order_ranks(value, weight), expected_rank, rtol=1e-9)


def test_missing_values_leave_the_test_but_not_the_design(province):
    """A PSU without usable respondents counts in n_h, so the se is not that of the smaller sample."""
    gone = province.respondents.assign(
        index=province.respondents["index"].where(province.respondents["psu"] % 6 != 0)
    )
    kept, filtered = (
        rank_test(province_design(rows), "index", "sex").table
        for rows in (gone, gone.dropna(subset=["index"]))
    )
    assert kept["difference"][0] == pytest.approx(filtered["difference"][0], rel=1e-12)
    assert kept["se"][0] != pytest.approx(filtered["se"][0], rel=1e-4)
    assert kept["df"][0] == filtered["df"][0] < 879


def test_calibration_is_credited(province):
    raked = calibrate(
        province.design, {"sex": province.margins["sex"], "county": province.margins["county"]}
    )
    for ties in ("midpoint", "row_order"):
        found = rank_test(raked, "index", "age", ties=ties)
        assert found.conventions["calibration"] == "raking"
        assert found.p != rank_test(province.design, "index", "age", ties=ties).p


@pytest.mark.parametrize("ties", ["midpoint", "row_order"])
@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_engines_agree(province, ties, engine):
    other = province_design(hold(province.respondents, engine))
    np.testing.assert_allclose(
        rank_test(other, "index", "age", ties=ties).table,
        rank_test(province.design, "index", "age", ties=ties).table,
        rtol=1e-12,
    )


@pytest.mark.parametrize("selection", ["probability", "quota"])
def test_it_states_its_conventions(province, selection):
    found = rank_test(province_design(province.respondents, selection=selection), "index", "sex")
    assert found.conventions["selection"] == selection
    assert found.conventions["ties"].startswith("midpoint")
    assert {"measure", "test", "null", "df", "level", "calibration", "variance"} <= set(
        found.conventions
    )
    assert found.details["n"].sum() == province.respondents["index"].notna().sum()


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (("index", "regio"), {}, "E141"),
        (("nothing", "sex"), {}, "E101"),
        (("text", "sex"), {}, "E102"),
        (("index", "one"), {}, "E142"),
        (("one", "sex"), {}, "E144"),
        (("index", "person"), {}, "E147"),
        (("index", "sex"), {"ties": "average"}, "E140"),
        (("index", "sex"), {"level": 95}, "E104"),
    ],
)
def test_refusals(province, arguments, options, code):
    rows = province.respondents.assign(one=1, text="a", person=np.arange(len(province.respondents)))
    with pytest.raises(EstimatesError, match=code):
        rank_test(province_design(rows), *arguments, **options)


def test_inputs_stay_as_they_are(province):
    before = pd.util.hash_pandas_object(province.respondents).sum()
    for ties in ("midpoint", "row_order"):
        rank_test(province.design, "index", "sex", ties=ties)
    assert pd.util.hash_pandas_object(province.respondents).sum() == before
