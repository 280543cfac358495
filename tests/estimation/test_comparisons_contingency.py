"""Rao-Scott and Wald tests of two-way tables equal R's svychisq, and the textbook test under simple random sampling."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from conftest import province_design
from golden_values import API_NAMES, api_design, expected
from satisfaction import SurveyDesign, calibrate
from satisfaction.estimation.contingency import (
    CrossTable,
    cross_table,
    interaction_effects,
    rao_scott,
    residual_jacobian,
    weighted_chisq_tail,
)
from satisfaction.foundation.engines import hold
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.measures import Measure, flag

STATISTIC = 1e-9  # closed forms, other order of additions (found: 5e-15)
P_VALUE = 1e-6  # (found: 1e-13; saddlepoint 4e-10, which R solves to 1e-8)


@pytest.mark.parametrize("name", API_NAMES)
def test_api_tables_equal_r(name):
    design, reference = api_design(name), expected("api")
    second, first = (reference[f"{name}/{key}/stype+sch.wide"] for key in ("chisqF", "chisqRS1"))
    found = rao_scott(design, "stype", "sch.wide").table.iloc[0]
    assert [found["statistic"], found["df"], found["ddf"]] == pytest.approx(
        [*second["est"], *second["df"]], rel=STATISTIC
    )
    assert found["p"] == pytest.approx(second["p"][0], rel=P_VALUE)
    found = rao_scott(design, "stype", "sch.wide", statistic="chisq").table.iloc[0]
    assert found["pearson"] == pytest.approx(first["est"][0], rel=STATISTIC)
    assert found["p"] == pytest.approx(first["p"][0], rel=P_VALUE)


@pytest.mark.parametrize(
    ("statistic", "theirs", "column"),
    [
        ("F", "F", "statistic"), ("chisq", "Chisq", "pearson"), ("wald", "Wald", "statistic"), ("adjusted_wald", "adjWald", "statistic"),
        ("saddlepoint", "saddlepoint", "pearson"), ("saddlepoint", "lincom", "pearson"),
    ],
)  # fmt: skip
def test_province_table_equals_r(province, statistic, theirs, column):
    """R's lincom used the saddlepoint too: CompQuadForm was not installed."""
    reference = expected("province")["chisq"][theirs]
    found = rao_scott(province.design, "aware", "part", statistic=statistic).table.iloc[0]
    assert found[column] == pytest.approx(reference["statistic"], rel=STATISTIC)
    assert found["p"] == pytest.approx(reference["p_value"], rel=P_VALUE)
    if isinstance(reference["parameter"], list) and reference["parameter"]:
        assert [found["df"], found["ddf"]] == pytest.approx(reference["parameter"], rel=STATISTIC)


def test_larger_province_table_equals_r(province):
    reference = expected("province")["chisq_age_aware"]
    found = rao_scott(province.design, "age", "aware").table.iloc[0]
    assert [found["statistic"], found["df"], found["ddf"]] == pytest.approx(
        [reference["statistic"], *reference["parameter"]], rel=STATISTIC
    )
    assert found["p"] == pytest.approx(reference["p_value"], rel=P_VALUE)


def three_by_five() -> pd.DataFrame:
    """A 3 x 5 table in 18 PSUs of 4 strata, without a random number."""
    person = np.arange(540)
    psu = person // 30
    row = (person * 7 + psu * psu) % 3
    column = (person * 11 + psu * (1 + psu % 4) + row * (person % 3 == 0)) % 5
    return pd.DataFrame(
        {"h": psu % 4, "psu": psu, "w": 1.0 + person % 7, "row": row, "column": column}
    )


def test_the_saddlepoint_of_a_larger_table_equals_r():
    """R survey 4.1-1: svychisq(~row + column, svydesign(ids = ~psu, strata = ~h, weights = ~w), statistic = "saddlepoint").

    R repeats -x / ddf so often as rep() can, 32 times for a ddf of 32.08, and so takes chi2_32 / 32.08; here ddf is not cut.
    """
    design = SurveyDesign(three_by_five(), strata="h", psu="psu", base_weight="w")
    found = rao_scott(design, "row", "column", statistic="saddlepoint").table.iloc[0]
    second = rao_scott(design, "row", "column").table.iloc[0]
    assert [second["statistic"], second["ddf"], second["p"]] == pytest.approx(
        [1.63082445298935, 32.0806143060816, 0.209041178011642], rel=STATISTIC
    )
    table = cross_table(design, "row", "column")
    share = table.total / table.total.sum()
    effects = interaction_effects(share, table.covariance(), float(table.n.sum()))
    assert found["ddf"] == second["ddf"]
    assert found["p"] == weighted_chisq_tail(found["pearson"], effects, second["ddf"])
    as_r = weighted_chisq_tail(found["pearson"] * 32 / second["ddf"], effects, 32)
    assert as_r == pytest.approx(0.193419124448788, rel=P_VALUE)
    assert found["p"] == pytest.approx(as_r, rel=0.01)


def test_a_masked_subpopulation_has_the_df_of_its_own_psus():
    """As R's subset(design, h < 2): F and df; the PSUs of the other strata have nobody to count."""
    rows = three_by_five()
    own = rows.assign(row=rows["row"].where(rows["h"] < 2))
    found = rao_scott(
        SurveyDesign(own, strata="h", psu="psu", base_weight="w"), "row", "column"
    ).table.iloc[0]
    assert found["ddf"] / found["df"] == pytest.approx(10 - 2)
    assert [found["statistic"], found["p"]] == pytest.approx(
        [0.475178409493125, 0.650095821347184], rel=P_VALUE
    )


@pytest.fixture(scope="module")
def simple():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"a": rng.choice(list("xyz"), 300), "b": rng.choice([1, 2, 3, 4], 300)})
    return rows, SurveyDesign(rows)


def test_under_simple_random_sampling_it_is_the_textbook_test(simple):
    """The covariance is the multinomial's times n / (n - 1), so every design effect is n / (n - 1)."""
    rows, design = simple
    x2, _, k, independent = stats.chi2_contingency(
        pd.crosstab(rows["a"], rows["b"]), correction=False
    )
    found = rao_scott(design, "a", "b")
    row = found.table.iloc[0]
    assert row["pearson"] == pytest.approx(x2, rel=1e-12)
    assert (row["statistic"], row["df"], row["ddf"]) == pytest.approx(
        (x2 / k * 299 / 300, k, k * 299), rel=1e-9
    )
    first = rao_scott(design, "a", "b", statistic="chisq").table.iloc[0]
    assert (first["statistic"], first["df"]) == pytest.approx((x2 * 299 / 300, k), rel=1e-9)
    np.testing.assert_allclose(found.details["independent"] * 300, independent.ravel(), rtol=1e-12)
    assert list(found.details["n"]) == pd.crosstab(rows["a"], rows["b"]).to_numpy().ravel().tolist()


def test_rows_and_columns_may_be_exchanged(province):
    for statistic in ("F", "chisq", "saddlepoint", "wald", "adjusted_wald"):
        one = rao_scott(province.design, "age", "aware", statistic=statistic).table
        np.testing.assert_allclose(
            one, rao_scott(province.design, "aware", "age", statistic=statistic).table, rtol=1e-8
        )


def test_adjusted_wald_scales_f(province):
    plain, adjusted = (
        rao_scott(province.design, "age", "aware", statistic=s).table.iloc[0]
        for s in ("wald", "adjusted_wald")
    )
    assert adjusted["statistic"] == pytest.approx(plain["statistic"] * 876 / 880, rel=1e-12)
    assert (plain["df"], plain["ddf"], adjusted["ddf"]) == (5, 880, 876)


@given(
    st.lists(st.integers(1, 50), min_size=12, max_size=12),
    st.sampled_from([(2, 6), (3, 4), (6, 2)]),
)
def test_multinomial_covariance_has_design_effects_of_one(counts, shape):
    n = sum(counts)
    share = np.array(counts, dtype=float).reshape(shape) / n
    cov = (np.diag(share.ravel()) - np.outer(share, share)) / n
    np.testing.assert_allclose(interaction_effects(share, cov, n), 1.0, rtol=1e-8)


@given(st.lists(st.floats(1.0, 100.0), min_size=6, max_size=6))
def test_jacobians_are_the_derivatives(values):
    total, step = np.array(values).reshape(2, 3), 1e-5
    crossed = CrossTable(pd.DataFrame(), total, np.eye(6), np.ones((2, 3)), 1)

    def residual(t):
        return (t - np.outer(t.sum(axis=1), t.sum(axis=0)) / t.sum()).ravel()

    for jacobian, function in (
        (residual_jacobian(total), residual),
        (crossed.jacobian(), lambda t: (t / t.sum()).ravel()),
    ):
        for q in range(6):
            change = np.zeros(6)
            change[q] = step
            numeric = (
                function(total + change.reshape(2, 3)) - function(total - change.reshape(2, 3))
            ) / (2 * step)
            np.testing.assert_allclose(jacobian[:, q], numeric, atol=1e-7)


def imhof(x: float, weights: np.ndarray, ddf: float) -> float:
    """P(sum a chi2_1 - (x / ddf) chi2_ddf > 0) by numerical inversion (Imhof 1961)."""
    a, times = np.append(weights, -x / ddf), np.append(np.ones(len(weights)), ddf)

    def integrand(u):
        angle = 0.5 * (times * np.arctan(a * u)).sum()
        return np.sin(angle) / (u * np.prod((1 + (a * u) ** 2) ** (times / 4)))

    return 0.5 + integrate.quad(integrand, 0, np.inf, limit=500)[0] / np.pi


@pytest.mark.parametrize("x", [0.5, 2.0, 5.0, 12.0])
@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [2.5, 1.2, 0.6, 0.3]])
def test_saddlepoint_is_near_the_exact_tail(x, weights):
    """Its relative error is a few percent; the same formula as R's is what matters (see the reference)."""
    assert weighted_chisq_tail(x, np.array(weights), 30) == pytest.approx(
        imhof(x, np.array(weights), 30), rel=0.04
    )


def test_saddlepoint_passes_its_singular_point_smoothly():
    weights = np.array([1.5, 0.5])
    centre = weights.sum()
    tails = [weighted_chisq_tail(centre + d, weights, 40) for d in (-1e-3, -1e-6, 0.0, 1e-6, 1e-3)]
    assert np.all(np.diff(tails) < 0)
    assert tails[1] == pytest.approx(tails[3], rel=1e-5)
    assert weighted_chisq_tail(0.0, weights, 40) == 1.0


def test_calibration_is_credited(province):
    """After calibration to age the age shares have no error, so the design effects change."""
    raked = calibrate(
        province.design, {"age": province.margins["age"], "sex": province.margins["sex"]}
    )
    table = cross_table(raked, "age", "aware")
    both = province.respondents["aware"].notna()
    assert table.n.sum() == both.sum()
    full = province_design(province.respondents.assign(odd=province.respondents["psu"] % 2))
    held = cross_table(full.weighted(raked.weighting), "age", "odd")
    of_age = np.kron(np.eye(6), np.ones((1, 2)))
    variance = np.diag(of_age @ held.cov @ of_age.T)
    assert (variance <= 1e-16 * held.total.sum() ** 2).all()
    assert rao_scott(raked, "age", "aware").p != rao_scott(province.design, "age", "aware").p
    assert rao_scott(raked, "age", "aware").conventions["calibration"] == "raking"


def test_a_jointly_calibrated_table_cannot_be_tested(province):
    fixed = calibrate(
        province.design, {("county", "urban", "sex"): province.cells}, method="poststratify"
    )
    for statistic in ("F", "wald"):
        with pytest.raises(EstimatesError, match="E160"):
            rao_scott(fixed, "urban", "sex", statistic=statistic)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_engines_agree(province, engine):
    other = province_design(hold(province.respondents, engine))
    np.testing.assert_array_equal(
        rao_scott(other, "age", "aware").table, rao_scott(province.design, "age", "aware").table
    )


def test_a_declared_rate_is_a_variable(province):
    stage = {
        "_valid__high": flag(~nw.col("s1").is_null() & ~nw.col("s1").is_nan()),
        "_score__high": flag(nw.col("s1") >= 4),
    }
    high = Measure("high", "rate", 1, (stage,))
    declared = province_design(province.respondents, measures=[high])
    np.testing.assert_allclose(
        rao_scott(declared, "age", "high").table,
        rao_scott(province.design, "age", "satisfied").table,
        rtol=1e-12,
    )
    assert rao_scott(province.design, "age", high).p == rao_scott(declared, "age", "high").p


@pytest.mark.parametrize("selection", ["probability", "quota"])
def test_it_states_its_conventions(province, selection):
    found = rao_scott(
        province_design(province.respondents, selection=selection, fpc="M"), "age", "aware"
    )
    assert found.conventions["selection"] == selection
    assert (found.conventions["fpc"], found.conventions["calibration"]) == ("M", "none")
    assert {"test", "null", "df", "missing", "lonely_psu", "variance"} <= set(found.conventions)
    assert list(found.details) == ["age", "aware", "share", "se", "independent", "n"]
    assert np.isnan(found.p) == (selection == "quota")


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (("age", "awre"), {}, r"E141[\s\S]*Did you mean 'aware'"),
        (("age", "aware"), {"statistic": "G"}, "E140"),
        (("age", "age"), {}, "E161"),
        (("age", "one"), {}, "E142"),
        (("age", "empty"), {}, "E142"),
        (("copy", "age"), {}, "E166"),
    ],
)
def test_refusals(province, arguments, options, code):
    rows = province.respondents.assign(one=1, empty=np.nan, copy=province.respondents["age"])
    with pytest.raises(EstimatesError, match=code):
        rao_scott(province_design(rows), *arguments, **options)


def test_too_few_psus_for_the_adjusted_wald_test():
    rows = pd.DataFrame(
        {
            "psu": [1, 1, 1, 2, 2, 2, 3, 3, 3] * 2,
            "a": [0, 1, 2] * 6,
            "b": [0, 1, 1, 2, 0, 2, 1, 2, 0, 0, 2, 1, 1, 0, 0, 2, 1, 2],
        }
    )
    with pytest.raises(EstimatesError, match="E147"):
        rao_scott(SurveyDesign(rows, psu="psu"), "a", "b", statistic="adjusted_wald")
