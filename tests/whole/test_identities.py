"""What must hold whatever the data: scaling, order, labels, domains, calibration, and inputs that never change."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from conftest import province_design
from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.collection.responses import load_responses
from satisfaction.pipeline import base_design, estimate_areas, run
from satisfaction.sampling.tally import tally
from satisfaction.weighting.wave_design import weigh

SAME = 1e-11  # equal in exact arithmetic; additions in another order
NUMBERS = ["estimate", "se", "df", "ci_low", "ci_high", "deff"]
MEASURES = ["aware", "index"]


def assert_same(found, expected, columns=NUMBERS):
    np.testing.assert_allclose(
        found.table[columns].to_numpy(float), expected.table[columns].to_numpy(float), rtol=SAME
    )
    scale = np.sqrt(np.diag(expected.cov))
    np.testing.assert_allclose(
        found.cov / np.outer(scale, scale), expected.cov / np.outer(scale, scale), atol=SAME
    )


def county(rows, **changes):
    return estimate(province_design(rows, **changes), MEASURES, by="county")


@pytest.fixture(scope="module")
def plain(province):
    return county(province.respondents)


def test_scaled_weights_change_no_mean(province, plain):
    scaled = province.respondents.assign(base_weight=province.respondents["base_weight"] * 1000)
    assert_same(county(scaled), plain, ["estimate", "se", "df", "ci_low", "ci_high"])


def test_the_order_of_rows_does_not_matter(province, plain):
    shuffled = province.respondents.sample(frac=1, random_state=1)
    assert_same(county(shuffled), plain)
    assert (
        tally(province_design(shuffled), MEASURES).digest()
        == tally(province.design, MEASURES).digest()
    )


def test_the_names_of_psus_and_strata_do_not_matter(province, plain):
    rows = province.respondents
    renamed = rows.assign(
        psu="P" + (9999 - rows["psu"]).astype(str),
        stratum="S" + (rows["stratum"] * 7 % 1009).astype(str),
    )
    assert_same(county(renamed), plain)


def test_a_record_split_in_two_changes_nothing_but_n(province, plain):
    rows = province.respondents
    split = rows.assign(
        base_weight=np.where(rows.index % 10 == 0, rows["base_weight"] / 2, rows["base_weight"])
    )
    split = pd.concat([split, split[split.index % 10 == 0]])
    assert_same(county(split), plain, ["estimate", "se", "df", "ci_low", "ci_high"])


def test_a_domain_mean_is_a_ratio_of_totals(province):
    rows = province.respondents
    inside = (rows["sex"] == 1) & rows["index"].notna()
    parts = rows.assign(y=rows["index"].where(inside, 0), one=inside.astype(float))
    totals = estimate(province_design(parts), ["y", "one"], statistic="total")
    (y, one), cov = totals.table["estimate"], totals.cov
    ratio = y / one
    gradient = np.array([1, -ratio]) / one
    found = estimate(province.design, "index", by="sex").table.iloc[1]
    assert found["estimate"] == pytest.approx(ratio, rel=SAME)
    assert found["se"] == pytest.approx(np.sqrt(gradient @ cov @ gradient), rel=1e-9)


def test_a_domain_never_filters_the_design(province):
    right = estimate(province.design, "index", by="age")
    filtered = [
        estimate(province_design(group, lonely_psu="adjust"), "index").table["se"][0]
        for _, group in province.respondents.groupby("age")
    ]
    np.testing.assert_allclose(
        right.table["se"], list(_textbook_se(province.respondents, "age")), rtol=1e-9
    )
    assert (np.abs(right.table["se"] / filtered - 1) > 1e-4).all()


def _textbook_se(rows, domain):
    """Linearized se of domain means of index, with every PSU of the sample."""
    for _, group in rows.groupby(domain):
        inside = rows[domain].isin(group[domain]) & rows["index"].notna()
        w = rows["base_weight"] * inside
        mean = (w * rows["index"].fillna(0)).sum() / w.sum()
        z = (
            (w * (rows["index"].fillna(0) - mean) / w.sum())
            .groupby([rows["stratum"], rows["psu"]])
            .sum()
        )
        n = z.groupby(level=0).size()
        yield np.sqrt((z.groupby(level=0).var() * n).sum())


def test_poststratification_is_calibration_to_one_crossed_margin(province):
    margins = {("county", "urban", "sex"): province.cells}
    post = calibrate(province.design, margins, method="poststratify")
    for method in ("raking", "linear"):
        other = calibrate(province.design, margins, method=method, tolerance=1e-12)
        np.testing.assert_allclose(other.weights, post.weights, rtol=1e-11)
        assert_same(estimate(other, MEASURES, by="county"), estimate(post, MEASURES, by="county"))


def test_poststratified_se_is_the_se_of_deviations_from_cell_means(province):
    rows = province.respondents
    post = calibrate(province.design, {"sex": province.margins["sex"]}, method="poststratify")
    valid = rows["index"].notna()
    w = pd.Series(post.weights, rows.index)
    z = (
        (rows["index"] - (rows["index"] * w)[valid].sum() / w[valid].sum()) / w[valid].sum()
    ).fillna(0.0)
    own = (
        z
        - ((z * w).groupby(rows["sex"]).sum() / w.groupby(rows["sex"]).sum())
        .loc[rows["sex"]]
        .to_numpy()
    )
    totals = (own * w).groupby([rows["stratum"], rows["psu"]]).sum().groupby(level=0)
    assert estimate(post, "index").table["se"][0] == pytest.approx(
        np.sqrt((totals.var() * totals.size()).sum()), rel=1e-9
    )


@pytest.mark.parametrize("method", ["raking", "linear"])
def test_a_calibrated_margin_has_no_error(province, method):
    rows = province.respondents.assign(woman=(province.respondents["sex"] == 1).astype(int))
    free = estimate(province_design(rows), "woman", statistic="total").table.iloc[0]
    fixed = estimate(
        calibrate(province_design(rows), province.margins, method=method),
        "woman",
        statistic="total",
    ).table.iloc[0]
    assert fixed["estimate"] == pytest.approx(province.margins["sex"][1], rel=1e-9)
    assert fixed["se"] < 1e-9 * free["se"]


def test_equal_weights_without_clusters_are_the_plain_formulas():
    y = np.random.default_rng(3).normal(50, 20, 400)
    table = estimate(SurveyDesign(pd.DataFrame({"y": y})), "y").table.iloc[0]
    plain = DescrStatsW(y)
    assert table[["estimate", "se", "df"]].tolist() == pytest.approx(
        [plain.mean, plain.std_mean, 399], rel=SAME
    )
    assert (table["ci_low"], table["ci_high"]) == pytest.approx(plain.tconfint_mean(0.05), rel=SAME)
    assert table["deff"] == pytest.approx(1, rel=SAME)


def test_contrasts_add_up(province):
    found = estimate(province.design, "index", by="prefecture")
    rows = {p: (p, "index") for p in range(9)}
    parts = found.contrast(
        {
            "ab": {rows[0]: 1, rows[1]: -1},
            "bc": {rows[1]: 1, rows[2]: -1},
            "ac": {rows[0]: 1, rows[2]: -1},
        }
    )
    ab, bc, ac = parts.table["estimate"]
    assert ab + bc == pytest.approx(ac, rel=SAME)
    np.testing.assert_allclose(parts.cov[0] + parts.cov[1], parts.cov[2], rtol=1e-9)


def test_domain_totals_add_to_the_whole_with_their_covariance(province):
    parts, whole = (
        estimate(province.design, "aware", statistic="total", by=by) for by in ("age", None)
    )
    assert parts.table["estimate"].sum() == pytest.approx(whole.table["estimate"][0], rel=SAME)
    assert parts.cov.sum() == pytest.approx(whole.cov[0, 0], rel=1e-9)


def test_a_tally_made_for_all_levels_gives_the_same_estimates(province):
    counted = tally(province.design, MEASURES, by=["county", "prefecture"])
    assert_same(
        estimate(province.design, MEASURES, by="prefecture", counted=counted),
        estimate(province.design, MEASURES, by="prefecture"),
    )


def test_no_call_changes_the_respondents(province):
    rows = province.respondents.copy()
    before = fingerprint(rows)
    design = province_design(rows)
    calibrated = calibrate(design, province.margins)
    for step in (
        lambda: design.weights, lambda: calibrated.weights, lambda: tally(design, MEASURES, by=["county"]), lambda: estimate(design, MEASURES, by="county"),
        lambda: estimate(calibrated, MEASURES, statistic="total").contrast({"c": {0: 1, 1: 1}}),
    ):  # fmt: skip
        step()
        assert fingerprint(rows) == before


def test_no_stage_of_the_pipeline_changes_the_responses(unchanged):
    responses = load_responses(unchanged)
    before = [
        fingerprint(table)
        for table in (
            responses.accepted,
            responses.rejected,
            responses.log,
            responses.summary,
            unchanged.sample,
        )
    ]
    for engine in ("pandas", "duckdb", "polars"):
        estimate_areas(
            unchanged, weigh(unchanged, base_design(unchanged, responses, engine=engine))
        )
    run(unchanged)
    assert [
        fingerprint(table)
        for table in (
            responses.accepted,
            responses.rejected,
            responses.log,
            responses.summary,
            unchanged.sample,
        )
    ] == before


def fingerprint(table: pd.DataFrame) -> str:
    kinds = repr([(name, str(kind)) for name, kind in table.dtypes.items()])
    return hashlib.sha256((kinds + table.to_csv()).encode()).hexdigest()
