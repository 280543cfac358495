"""Degrees of freedom of differences: domains or waves that share PSUs are one block, domains that share none are several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, estimate
from satisfaction.estimation.change import change, combine_waves
from satisfaction.estimation.hypothesis_tests import wald
from satisfaction.estimation.pairs import against_rest, all_pairs
from satisfaction.sampling.design import SampleDesign


def persons(psus: dict[str, int], *, seed: int = 1) -> pd.DataFrame:
    """Persons of both sexes in every PSU of every stratum; `stratum` -> number of PSUs."""
    random = np.random.default_rng(seed)
    units = [(stratum, psu) for stratum, count in psus.items() for psu in range(count)]
    rows = pd.DataFrame([unit for unit in units for _ in range(12)], columns=["stratum", "psu"])
    effect = rows["stratum"].factorize()[0] + np.sin(3.0 * rows["psu"])
    sex = np.tile(["f", "m"], len(rows) // 2)
    return rows.assign(
        sex=sex, y=effect + random.normal(size=len(rows)), x=random.normal(size=len(rows))
    )


def design(rows: pd.DataFrame) -> SampleDesign:
    return SurveyDesign(rows, strata="stratum", psu="psu")


def apart(estimates, row: dict[int, float]) -> float:
    """Satterthwaite over domains taken as independent, added in the same order."""
    v, df = np.diag(estimates.cov), estimates.table["df"].to_numpy(float)
    parts = [(c * v[i] * c, df[i]) for i, c in row.items()]
    return sum(part for part, _ in parts) ** 2 / sum(part**2 / d for part, d in parts)


def test_four_psus_leave_three_df_to_the_difference_of_the_sexes():
    four = design(persons({"a": 4}))
    by_sex = estimate(four, "y", by="sex")
    assert all_pairs(by_sex).table["df"].tolist() == pytest.approx([3.0])
    assert by_sex.contrast({"f - m": {("f", "y"): 1, ("m", "y"): -1}}).table[
        "df"
    ].tolist() == pytest.approx([3.0])
    assert against_rest(four, "y", by="sex").table["df"].tolist() == pytest.approx([3.0, 3.0])


def test_a_panel_of_the_same_four_communities_has_three_df():
    waves = [estimate(design(persons({"a": 4}, seed=seed)), "y") for seed in (1, 2)]
    assert change(*waves).table["df"].tolist() == pytest.approx([3.0])
    both = combine_waves({"q1": waves[0], "q2": waves[1]})
    assert both.contrast({"change": {("q2", "y"): 1, ("q1", "y"): -1}}).table[
        "df"
    ].tolist() == pytest.approx([3.0])


def test_waves_that_share_some_psus_count_the_union():
    first, second = persons({"a": 4, "b": 5}), persons({"a": 4, "b": 5}, seed=2)
    second["psu"] += np.where(second["stratum"] == "a", 2, 3)  # two PSUs are shared in each stratum
    found = change(*(estimate(design(rows), "y") for rows in (second, first))).table
    assert found["df"].tolist() == pytest.approx([6 + 8 - 2])


def test_a_stratum_without_a_shared_psu_is_a_stratum_of_each_wave():
    first, second = persons({"a": 4, "b": 5}), persons({"a": 4, "b": 5}, seed=2)
    second["psu"] += np.where(second["stratum"] == "a", 0, 100)
    found = change(*(estimate(design(rows), "y") for rows in (second, first))).table
    assert found["df"].tolist() == pytest.approx([(4 - 1) + (5 - 1) + (5 - 1)])


def test_domains_that_share_no_psu_keep_their_df_to_the_last_bit():
    rows = persons({"a": 6, "b": 7})
    rows["county"] = rows["stratum"] + (rows["psu"] < 3).map(
        {True: "1", False: "2"}
    )  # two counties in a stratum
    counties = estimate(design(rows), "y", by="county")
    pairs = all_pairs(counties).table
    first, second = np.triu_indices(4, 1)
    assert pairs["df"].tolist() == [
        apart(counties, {i: 1.0, j: -1.0}) for i, j in zip(first, second, strict=True)
    ]


def test_waves_that_share_no_psu_keep_their_df_to_the_last_bit():
    first, second = persons({"a": 5}), persons({"a": 5}, seed=2)
    waves = [estimate(design(rows), "y") for rows in (second.assign(psu=second["psu"] + 5), first)]
    both = combine_waves({"later": waves[0], "earlier": waves[1]})
    assert change(*waves).table["df"].tolist() == [apart(both, {0: 1.0, 1: -1.0})]


def test_a_block_of_shared_psus_stands_beside_one_of_its_own():
    rows = persons({"a": 4, "b": 5})
    rows["part"] = np.where(
        rows["stratum"] == "b", "b", rows["sex"]
    )  # the sexes share the PSUs of stratum a
    found = estimate(design(rows), "y", by="part")
    whole = found.contrast({"c": {("f", "y"): 1, ("m", "y"): 1, ("b", "y"): -2}}).table["df"][0]
    pair = found.contrast({"f + m": {("f", "y"): 1, ("m", "y"): 1}}).cov[0, 0]
    alone = 4 * found.cov[0, 0]
    assert whole == pytest.approx((pair + alone) ** 2 / (pair**2 / 3 + alone**2 / 4), rel=1e-12)


def test_each_difference_counts_the_psus_of_its_own_domains():
    found = estimate(design(persons({"a": 4, "b": 5})), ["y", "x"], by=["stratum", "sex"])
    gaps = {h: {(h, "f", "y"): 1, (h, "m", "y"): -1} for h in "ab"}
    difference = found.contrast(gaps)
    assert difference.table["df"].tolist() == pytest.approx([3.0, 4.0])


def test_the_designs_df_hold_where_they_are_asked_for():
    rows = persons({"a": 4, "b": 5})
    rows.loc[rows["stratum"] == "b", "sex"] = "f"
    found = estimate(design(rows), "y", by="sex", df="design")
    assert all_pairs(found).table["df"].tolist() == pytest.approx([7.0])


def test_a_joint_test_of_domains_that_share_psus_counts_them_once():
    rows = persons({"a": 4, "b": 5})
    rows["y"] = rows["y"].where(rows["stratum"] == "a")  # the other stratum does not count
    found = estimate(design(rows), "y", by="sex")
    assert wald(found).table["ddf"].tolist() == pytest.approx([3.0])


def test_quantiles_and_replicates_know_their_psus_too():
    four = design(persons({"a": 4}))
    for options in ({"statistic": "median"}, {"variance": "jkn"}, {"variance": "rao-wu"}):
        found = estimate(four, "y", by="sex", **options)
        assert all_pairs(found).table["df"].tolist() == pytest.approx([3.0])
