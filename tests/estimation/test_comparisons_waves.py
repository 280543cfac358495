"""Change between waves: each wave keeps its own se, shared PSUs give the covariance, and stacking is not what is done."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.estimation.change import change, combine_waves
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SampleDesign

EXACT = 1e-12
PSUS, PERSONS, SHARED = 8, 5, 3


def wave(seed: int, *, first_psu: int = 0, county_effect: float = 0.0) -> pd.DataFrame:
    """Two counties of two strata each; PSUs numbered from first_psu; the PSU effect depends on its number alone."""
    random = np.random.default_rng(seed)
    rows = []
    for county in ("a", "b"):
        for stratum in ("u", "r"):
            for psu in range(first_psu, first_psu + PSUS):
                effect = np.sin(7 * psu + ord(county) + ord(stratum))
                for _ in range(PERSONS):
                    rows.append(
                        (
                            county,
                            stratum,
                            psu,
                            int(random.integers(0, 2)),
                            1.0 + psu % 3,
                            effect + random.normal() + county_effect,
                        )
                    )
    return pd.DataFrame(rows, columns=["county", "stratum", "psu", "sex", "w", "y"])


def design(rows: pd.DataFrame, **options) -> SampleDesign:
    return SurveyDesign(rows, strata=["county", "stratum"], psu="psu", base_weight="w", **options)


def by_hand(later: pd.DataFrame, earlier: pd.DataFrame, county: str) -> tuple[float, float]:
    """Variance of a county mean's change and covariance, from PSU totals centred within each wave."""
    scaled = []
    for rows in (later, earlier):
        inside = rows["county"] == county
        mean = np.average(rows.loc[inside, "y"], weights=rows.loc[inside, "w"])
        z = np.where(inside, rows["w"] * (rows["y"] - mean), 0) / rows.loc[inside, "w"].sum()
        totals = rows.assign(z=z).groupby(["county", "stratum", "psu"])["z"].sum()
        centred = totals - totals.groupby(level=[0, 1]).transform("mean")
        n = totals.groupby(level=[0, 1]).transform("size")
        scaled.append(centred * np.sqrt(n / (n - 1)))
    both = pd.concat(scaled, axis=1, keys=["later", "earlier"], join="inner")
    covariance = float((both["later"] * both["earlier"]).sum())
    return float((scaled[0] ** 2).sum() + (scaled[1] ** 2).sum() - 2 * covariance), covariance


@pytest.fixture(scope="module")
def waves():
    return wave(1), wave(2, first_psu=PSUS - SHARED, county_effect=0.3)


@pytest.mark.parametrize("variance", ["linearized", "jkn"])
def test_a_waves_own_se_do_not_change_beside_another(waves, variance):
    parts = {
        name: estimate(design(rows), "y", by="county", variance=variance)
        for name, rows in zip(("q1", "q2"), waves, strict=True)
    }
    both = combine_waves(parts)
    assert both.by == ("wave", "county")
    assert both.conventions["shared_psus"] == 4 * SHARED
    for name, one in parts.items():
        own = both.table[both.table["wave"] == name]
        np.testing.assert_array_equal(
            own[["estimate", "se", "df"]].to_numpy(), one.table[["estimate", "se", "df"]].to_numpy()
        )
        at = own.index.to_numpy()
        np.testing.assert_array_equal(both.cov[np.ix_(at, at)], one.cov)


def test_change_equals_the_formula_written_out(waves):
    later, earlier = waves[1], waves[0]
    found = change(
        *(estimate(design(rows), "y", by="county") for rows in (later, earlier))
    ).table.set_index("county")
    for county in ("a", "b"):
        variance, covariance = by_hand(later, earlier, county)
        assert found.loc[county, "se"] == pytest.approx(np.sqrt(variance), rel=EXACT)
        assert abs(covariance) > 1e-6
        means = [
            np.average(r.loc[r["county"] == county, "y"], weights=r.loc[r["county"] == county, "w"])
            for r in (later, earlier)
        ]
        assert found.loc[county, "difference"] == pytest.approx(means[0] - means[1], rel=EXACT)


def test_the_same_wave_twice_does_not_change_and_has_no_error(waves):
    one = estimate(design(waves[0]), "y", by="county")
    found = change(one, one).table
    assert (found["difference"] == 0).all()
    assert (found["se"] < 1e-9).all()
    np.testing.assert_allclose(found["correlation"], 1, rtol=EXACT)
    assert found["p"].isna().all()


def test_without_shared_psus_variances_add(waves):
    other = wave(3, first_psu=PSUS)
    parts = [estimate(design(rows), "y", by="county") for rows in (other, waves[0])]
    found = change(*parts)
    assert found.conventions["shared_psus"] == 0
    expected = np.sqrt(parts[0].table["se"] ** 2 + parts[1].table["se"] ** 2)
    np.testing.assert_allclose(found.table["se"], expected, rtol=EXACT)


def test_a_psu_is_shared_only_where_its_stratum_is_too(waves):
    moved = waves[0].assign(stratum="x" + waves[0]["stratum"])
    assert (
        change(
            estimate(design(moved), "y", by="county"), estimate(design(waves[0]), "y", by="county")
        ).conventions["shared_psus"]
        == 0
    )


def test_persons_as_psus_are_never_shared(waves):
    plain = [estimate(SurveyDesign(rows, strata="county"), "y", by="county") for rows in waves]
    assert combine_waves(dict(zip("ab", plain, strict=True))).conventions["shared_psus"] == 0


def test_jackknife_and_linearization_give_the_same_change_of_a_total(waves):
    parts = {
        v: [estimate(design(r), "y", by="county", statistic="total", variance=v) for r in waves]
        for v in ("linearized", "jkn")
    }
    one, other = (change(*two).table for two in parts.values())
    np.testing.assert_allclose(one["se"], other["se"], rtol=1e-10)


def test_change_after_calibration_credits_it(waves):
    margins = {"county": {"a": 300.0, "b": 500.0}, "sex": {0: 350.0, 1: 450.0}}
    parts = [estimate(calibrate(design(rows), margins), "y", by="county") for rows in waves]
    found = change(*parts)
    assert found.conventions["calibration"] == "raking"
    assert (found.table["se"] > 0).all()
    totals = [
        estimate(calibrate(design(rows), margins), "sex", statistic="total") for rows in waves
    ]
    assert change(*totals).table["se"].max() < 1e-6


def test_contrasts_across_waves(waves):
    both = combine_waves(
        {
            "q1": estimate(design(waves[0]), "y", by="county"),
            "q2": estimate(design(waves[1]), "y", by="county"),
        }
    )
    double = both.contrast(
        {
            "relative": {
                ("q2", "a", "y"): 1,
                ("q1", "a", "y"): -1,
                ("q2", "b", "y"): -1,
                ("q1", "b", "y"): 1,
            }
        }
    )
    c = np.array([-1, 1, 1, -1.0])
    assert double.table["se"][0] == pytest.approx(np.sqrt(c @ both.cov @ c), rel=EXACT)


def test_two_stages_keep_their_own_se(waves):
    rows = [r.assign(N=40, M=20, person=np.arange(len(r))) for r in waves]
    parts = [
        estimate(
            SurveyDesign(r, strata=["county", "stratum"], psu=["psu", "person"], fpc=["N", "M"]),
            "y",
            by="county",
        )
        for r in rows
    ]
    both = combine_waves(dict(zip(("q1", "q2"), parts, strict=True)))
    np.testing.assert_allclose(both.contributions.covariance, both.cov, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(
        both.table["se"], np.concatenate([one.table["se"] for one in parts])
    )


def test_the_change_of_several_quantiles_keeps_both_the_quantile_and_p(waves):
    quantiles = [0.25, 0.75]
    several = {"statistic": ("quantile", quantiles), "by": "county"}
    later, earlier = (estimate(design(rows), "y", **several) for rows in waves)
    table = change(later, earlier).table
    assert table["quantile"].tolist() == quantiles * 2
    alone = [
        change(
            *(estimate(design(rows), "y", statistic=("quantile", p), by="county") for rows in waves)
        )
        for p in quantiles
    ]
    for k, one in enumerate(alone):
        np.testing.assert_allclose(table["p"].iloc[k::2], one.table["p"], rtol=EXACT)
        np.testing.assert_allclose(table["se"].iloc[k::2], one.table["se"], rtol=EXACT)


def test_domains_of_one_wave_only_are_counted_not_lost(waves):
    fewer = waves[1][waves[1]["county"] == "a"]
    found = change(
        estimate(design(fewer), "y", by="county"), estimate(design(waves[0]), "y", by="county")
    )
    assert found.table["county"].tolist() == ["a"]
    assert found.conventions["left_out"] == 1


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("E171", lambda one, other: combine_waves({"q1": one})),
        ("E171", lambda one, other: change(one, estimate(one.design, "y"))),
        (
            "E172",
            lambda one, other: change(
                estimate(one.design, "y", by="county", variance="rao-wu"), other
            ),
        ),
        ("E173", lambda one, other: change(estimate(one.design, "w", by="county"), other)),
    ],
)
def test_refused_with_code_and_both_languages(code, call, waves):
    one, other = (estimate(design(rows), "y", by="county") for rows in waves)
    with pytest.raises(EstimatesError) as refused:
        call(one, other)
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
