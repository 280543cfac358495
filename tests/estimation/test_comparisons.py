"""Contrasts between areas equal the brute-force formulas, Estimates.contrast, and the two domains estimated together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from conftest import province_design
from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.estimation.pairs import against_rest, all_pairs, mean_and_rest, pair_differences
from satisfaction.foundation.errors import EstimatesError


@pytest.fixture(scope="module")
def counties(province):
    return estimate(province.design, "index", by="county")


@pytest.fixture(scope="module")
def pairs(counties):
    return all_pairs(counties)


@pytest.fixture(scope="module", params=["base weights", "calibrated"])
def design(province, request):
    margins = {name: province.margins[name] for name in ("county", "sex", "age")}
    return calibrate(province.design, margins) if request.param == "calibrated" else province.design


def holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    largest = 0.0
    for position, i in enumerate(order):
        largest = max(largest, min(1.0, p[i] * (len(p) - position)))
        adjusted[i] = largest
    return adjusted


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)[::-1]
    adjusted = np.empty(len(p))
    smallest = 1.0
    for position, i in enumerate(order):
        smallest = min(smallest, p[i] * len(p) / (len(p) - position))
        adjusted[i] = smallest
    return adjusted


def test_pairs_equal_the_formulas(counties, pairs):
    value, variance, df = counties.table["estimate"], np.diag(counties.cov), counties.table["df"]
    assert len(pairs.table) == len(value) * (len(value) - 1) // 2
    rows = iter(pairs.table.itertuples())
    for i in range(len(value)):
        for j in range(i + 1, len(value)):
            row = next(rows)
            se = np.sqrt(variance[i] + variance[j] - 2 * counties.cov[i, j])
            welch = (variance[i] + variance[j]) ** 2 / (
                variance[i] ** 2 / df[i] + variance[j] ** 2 / df[j]
            )
            assert (row.area, row.other) == (
                counties.table["county"][i],
                counties.table["county"][j],
            )
            assert (row.difference, row.se, row.df) == pytest.approx(
                (value[i] - value[j], se, welch), rel=1e-12
            )
            assert row.t == pytest.approx((value[i] - value[j]) / se, rel=1e-12)
            assert row.p == pytest.approx(2 * stats.t.sf(abs(row.t), welch), rel=1e-9)


def test_pairs_equal_contrasts(counties, pairs):
    chosen = pairs.table.iloc[[0, 7, -1]]
    terms = {
        str(k): {(row.area, "index"): 1.0, (row.other, "index"): -1.0}
        for k, row in enumerate(chosen.itertuples())
    }
    found = counties.contrast(terms).table
    for ours, theirs in (
        ("difference", "estimate"),
        ("se", "se"),
        ("df", "df"),
        ("ci_low", "ci_low"),
        ("ci_high", "ci_high"),
    ):
        np.testing.assert_allclose(chosen[ours], found[theirs], rtol=1e-12)


def test_adjustments_equal_the_step_procedures(pairs):
    p = pairs.table["p"].to_numpy()
    np.testing.assert_allclose(pairs.table["p_holm"], holm(p), rtol=1e-12)
    np.testing.assert_allclose(pairs.table["p_bh"], benjamini_hochberg(p), rtol=1e-12)
    assert (pairs.table["p"] <= pairs.table["p_bh"] + 1e-15).all()
    assert (pairs.table["p_bh"] <= pairs.table["p_holm"] + 1e-15).all()


def test_summary_counts_what_differs(pairs):
    assert list(pairs.summary["differ"]) == [
        int((pairs.table[c] <= 1 - 0.95).sum()) for c in ("p", "p_holm", "p_bh")
    ]
    assert set(pairs.summary["tested"]) == {len(pairs.table)}


def test_results_state_their_conventions(pairs, design):
    for found in (pairs, against_rest(design, "index", by="county")):
        assert found.conventions["measure"] == "index"
        assert {"null", "test", "df", "not_tested", "level", "selection", "calibration"} <= set(
            found.conventions
        )
        assert "Satterthwaite" in found.conventions["df"]


def test_an_area_against_the_rest_equals_the_two_domains_estimated_together(province, design):
    found = against_rest(design, "index", by="county")
    for county in found.table["area"].iloc[[0, 3, -1]]:
        respondents = province.respondents.assign(
            own=(province.respondents["county"] == county).astype(int)
        )
        two = province_design(respondents)
        two = two.weighted(design.weighting) if design.weighting else two
        both = estimate(two, "index", by="own")
        contrast = both.contrast(
            {"difference": {(1, "index"): 1.0, (0, "index"): -1.0}}
        ).table.iloc[0]
        row = found.table.set_index("area").loc[county]
        assert (row["rest"], row["estimate"]) == pytest.approx(
            tuple(both.table["estimate"]), rel=1e-12
        )
        assert (row["difference"], row["se"]) == pytest.approx(
            (contrast["estimate"], contrast["se"]), rel=1e-10
        )
        assert row["p"] == pytest.approx(
            2 * stats.t.sf(abs(row["difference"] / row["se"]), row["df"]), rel=1e-9
        )


def test_df_against_the_rest_counts_every_area_as_a_block(province):
    """Independent counties: the variances of the own mean and of each county's part of the rest."""
    found = against_rest(province.design, "index", by="county")
    whole = province.respondents.assign(valid=province.respondents["index"].notna().astype(float))
    whole = whole.assign(product=whole["index"].fillna(0.0))
    totals = estimate(province_design(whole), ["product", "valid"], statistic="total", by="county")
    y, n = totals.table["estimate"].to_numpy().reshape(-1, 2).T
    j, df = 4, totals.table["df"].to_numpy()[::2]
    rest = (y.sum() - y[j]) / (n.sum() - n[j])
    parts = []
    for k in range(len(y)):
        slope = (
            np.array([1.0, -y[j] / n[j]]) / n[j]
            if k == j
            else np.array([-1.0, rest]) / (n.sum() - n[j])
        )
        parts.append(slope @ totals.cov[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] @ slope)
    expected = sum(parts) ** 2 / sum(v**2 / d for v, d in zip(parts, df, strict=True))
    assert found.table["df"][j] == pytest.approx(expected, rel=1e-9)
    assert found.table["se"][j] == pytest.approx(np.sqrt(sum(parts)), rel=1e-9)


def test_slopes_are_the_derivatives():
    total, count, step = np.array([3.0, 5.0, 2.0]), np.array([4.0, 6.0, 5.0]), 1e-6
    slope = mean_and_rest(total, count)[2]
    for q in range(6):
        change = np.zeros((3, 2))
        change[q // 2, q % 2] = step
        up, down = (
            mean_and_rest(*(np.stack([total, count], axis=1) + sign * change).T)[:2]
            for sign in (1, -1)
        )
        np.testing.assert_allclose(
            slope[:, q], (up[0] - up[1] - down[0] + down[1]) / (2 * step), atol=1e-8
        )


def test_two_areas_are_each_others_rest(province):
    two = province.respondents[
        province.respondents["county"].isin(sorted(province.respondents["county"].unique())[:2])
    ]
    design = province_design(two)
    pair, rest = (
        all_pairs(estimate(design, "index", by="county")).table,
        against_rest(design, "index", by="county").table,
    )
    np.testing.assert_allclose(
        rest["difference"], [pair["difference"][0], -pair["difference"][0]], rtol=1e-12
    )
    np.testing.assert_allclose(
        rest[["se", "df"]], [pair.loc[0, ["se", "df"]].tolist()] * 2, rtol=1e-9
    )


def test_an_area_without_spread_is_not_tested(province):
    county = province.respondents["county"].iloc[0]
    constant = province.respondents.assign(
        index=province.respondents["index"].where(province.respondents["county"] != county, 100.0)
    )
    design = province_design(constant)
    rest = against_rest(design, "index", by="county")
    assert (
        rest.table.loc[rest.table["area"] == county, ["t", "p", "p_holm", "p_bh"]]
        .isna()
        .all(axis=None)
    )
    assert rest.table["p"].isna().sum() == 1
    pairs = all_pairs(estimate(design, "index", by="county"))
    touched = (pairs.table["area"] == county) | (pairs.table["other"] == county)
    assert (pairs.table["p"].isna() == touched).all()
    assert set(pairs.summary["tested"]) == {int((~touched).sum())}


def test_pair_matrix_has_one_difference_a_row():
    assert pair_differences(3).toarray().tolist() == [[1, -1, 0], [1, 0, -1], [0, 1, -1]]


@pytest.mark.parametrize("by", [None, ["county", "urban"]])
def test_pairs_refuse_anything_but_one_column_of_areas(province, by):
    with pytest.raises(EstimatesError, match="E121"):
        all_pairs(estimate(province.design, "index", by=by))


def test_several_measures_are_refused(province):
    with pytest.raises(EstimatesError, match=r"E121[\s\S]*index, satisfied"):
        all_pairs(estimate(province.design, ["index", "satisfied"], by="county"))


def test_a_single_area_is_refused(province):
    design = province_design(province.respondents.assign(all=1))
    with pytest.raises(EstimatesError, match="E121"):
        all_pairs(estimate(design, "index", by="all"))
    with pytest.raises(EstimatesError, match="E121"):
        against_rest(design, "index", by="all")


def test_inputs_stay_as_they_are(counties):
    before = pd.util.hash_pandas_object(counties.table).sum(), counties.cov.tobytes()
    all_pairs(counties)
    assert (pd.util.hash_pandas_object(counties.table).sum(), counties.cov.tobytes()) == before


def test_within_a_prefecture_equals_the_prefecture_with_the_two_domains_estimated_together(
    province, design
):
    """The rest of the prefecture is a domain: estimated beside the county, in the whole design."""
    found = against_rest(design, "index", by="county", within="prefecture").table.set_index("area")
    rows = province.respondents
    for county in found.index[[0, 20, -1]]:
        larger = rows.loc[rows["county"] == county, "prefecture"].iloc[0]
        side = np.where(
            rows["county"] == county, "own", np.where(rows["prefecture"] == larger, "rest", "other")
        )
        three = province_design(rows.assign(side=side))
        three = three.weighted(design.weighting) if design.weighting else three
        both = estimate(three, "index", by="side")
        contrast = both.contrast(
            {"difference": {("own", "index"): 1.0, ("rest", "index"): -1.0}}
        ).table.iloc[0]
        values = both.table.set_index("side")["estimate"]
        row = found.loc[county]
        assert row["within"] == larger
        assert (row["estimate"], row["rest"]) == pytest.approx(
            (values["own"], values["rest"]), rel=1e-12
        )
        assert (row["difference"], row["se"]) == pytest.approx(
            (contrast["estimate"], contrast["se"]), rel=1e-10
        )


def test_within_one_area_for_all_is_the_rest_of_the_province(province):
    design = province_design(province.respondents.assign(all=1))
    plain, inside = (
        against_rest(design, "index", by="county", **more) for more in ({}, {"within": "all"})
    )
    np.testing.assert_allclose(inside.table[list(plain.table)], plain.table, rtol=1e-9)
    assert "within" not in plain.table
    assert inside.conventions["within"] == "all"
    assert (
        "prefecture"
        in against_rest(design, "index", by="county", within="prefecture").conventions["null"]
    )


def test_an_area_alone_in_its_prefecture_is_not_tested(province):
    rows = province.respondents
    county = rows["county"].iloc[0]
    found = against_rest(
        province_design(rows.assign(larger=rows["prefecture"].where(rows["county"] != county, 99))),
        "index",
        by="county",
        within="larger",
    ).table
    alone = found["area"] == county
    assert found.loc[alone, ["rest", "difference", "t", "p", "p_holm"]].isna().all(axis=None)
    assert found.loc[~alone, "p"].notna().all()


@pytest.mark.parametrize("larger", ["urban", "gap"])
def test_an_area_has_to_lie_in_one_larger_area(province, larger):
    rows = province.respondents
    design = province_design(
        rows.assign(
            gap=rows["prefecture"].astype(float).where(rows["county"] != rows["county"].iloc[0])
        )
    )
    with pytest.raises(EstimatesError, match="E122"):
        against_rest(design, "index", by="county", within=larger)


def test_slopes_within_groups_are_the_derivatives():
    total, count = np.array([3.0, 5.0, 2.0, 4.0, 1.0]), np.array([4.0, 6.0, 5.0, 7.0, 2.0])
    group, step = np.array(["a", "b", "a", "b", "c"]), 1e-6
    own, rest, slope = mean_and_rest(total, count, group=group)
    np.testing.assert_allclose(rest, [2 / 5, 4 / 7, 3 / 4, 5 / 6, np.nan])
    for q in range(10):
        change = np.zeros((5, 2))
        change[q // 2, q % 2] = step
        up, down = (
            mean_and_rest(*(np.stack([total, count], axis=1) + sign * change).T, group=group)[:2]
            for sign in (1, -1)
        )
        numeric = np.nan_to_num((up[0] - up[1] - down[0] + down[1]) / (2 * step))
        np.testing.assert_allclose(slope[:, q], numeric, atol=1e-8)
    assert own[4] == 0.5


@pytest.mark.parametrize("empty", [1, 2, 3])
def test_an_area_without_a_valid_answer_leaves_the_others_as_they_are(empty):
    rows = pd.DataFrame({"psu": np.repeat(np.arange(6), 4), "area": [1, 2, 3, 4] * 6})
    rows["y"] = np.arange(24.0) ** 2 % 7
    rows.loc[rows["area"] == empty, "y"] = np.nan
    design = SurveyDesign(rows, psu="psu")
    with_it = against_rest(design, "y", by="area").table
    without = against_rest(design.where(rows["area"] != empty), "y", by="area").table
    nothing = with_it["area"] == empty
    assert with_it.loc[nothing, ["estimate", "se"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(with_it[~nothing].reset_index(drop=True), without)
