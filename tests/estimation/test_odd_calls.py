"""Odd calls a newcomer makes: each is answered with the right figures, or refused in words with a code; nothing crashes."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars
import pytest

from satisfaction import SatisfactionError, SurveyDesign, calibrate, estimate
from satisfaction.estimation.change import change
from satisfaction.estimation.contingency import cross_table, rao_scott
from satisfaction.estimation.group_tests import rank_test, t_test
from satisfaction.estimation.hypothesis_tests import wald
from satisfaction.estimation.pairs import all_pairs
from satisfaction.estimation.regression import regression
from satisfaction.foundation.errors import WeightsError
from satisfaction.sampling.design import SampleDesign
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim


def table() -> pd.DataFrame:
    person = np.arange(96)
    psu = person // 8
    rows = pd.DataFrame(
        {
            "h": psu % 3,
            "psu": psu,
            "w": 1.0 + person % 3,
            "N": 40,
            "sex": person % 2,
            "age": person // 2 % 3,
        }
    )
    return rows.assign(
        y=(person * person % 11).astype(float),
        x=(person * 7 % 13).astype(float),
        county=psu % 2,
        r=(person % 5 > 0) * 1,
    )


def design(rows: pd.DataFrame | None = None, **options) -> SampleDesign:
    return SurveyDesign(
        table() if rows is None else rows,
        **({"strata": "h", "psu": "psu", "base_weight": "w"} | options),
    )


def change_by(name: str) -> object:
    """The change of a table with itself, by a column of that name."""
    once = estimate(design(table().rename(columns={"county": name})), "y", by=name)
    return change(once, once)


def changed(column: str, values: object, at: list[int] | None = None) -> pd.DataFrame:
    """The table with a column replaced, or some of its values."""
    rows = table()
    if at is None:
        return rows.assign(**{column: values})
    rows[column] = rows[column].astype(object)
    for row in at:
        rows.loc[row, column] = values
    return rows


def population(*columns: str) -> pd.Series:
    return table().groupby(list(columns))["w"].sum() * 10


def change_of_types():
    as_text = table().assign(psu=table()["psu"].astype(str))
    return change(*[estimate(design(rows), "y", by="county") for rows in (as_text, table())])


MIXED = changed("county", "0", [0, 1])
REFUSED = {
    "weights as text": ("D102", lambda: design(changed("w", "2.5"))),
    "weights as text in polars": ("D102", lambda: design(polars.DataFrame(changed("w", "2.5").to_dict("list")))),
    "fpc as text": ("D105", lambda: design(changed("N", "40"), fpc="N")),
    "infinite fpc in a row": ("D105", lambda: design(changed("N", np.nan, [3]).astype({"N": float}), fpc="N")),
    "codes partly text, partly numbers": ("G381", lambda: estimate(design(MIXED), "y", by="county")),
    "mixed codes in a test": ("G381", lambda: rao_scott(design(MIXED), "county", "sex")),
    "mixed strata": ("G381", lambda: design(changed("h", "0", [0]))),
    "domains of another type": ("E384", lambda: estimate(design(), "y", by="county", domains=["1"])),
    "margins of another type": ("W102", lambda: calibrate(design(), {"sex": {"0": 100.0, "1": 100.0}})),
    "waves whose units are of another type": ("E174", lambda: change_of_types()),
    "numbers in an object column": ("E102", lambda: estimate(design(changed("y", 3.5, [0])), "y")),
    "by missing everywhere": ("E385", lambda: estimate(design(changed("county", np.nan)), "y", by="county")),
    "an empty table": ("D382", lambda: design(table().iloc[:0])),
    "an infinite value": ("E383", lambda: estimate(design(changed("y", np.inf, [0]).astype({"y": float})), "y")),
    "an infinite value in a t test": ("E383", lambda: t_test(design(changed("y", np.inf, [0]).astype({"y": float})), "y")),
    "an infinite value in ranks": ("E383", lambda: rank_test(design(changed("y", -np.inf, [0]).astype({"y": float})), "y", "sex")),
    "an infinite outcome": ("E383", lambda: regression(design(changed("y", np.inf, [0]).astype({"y": float})), "y", ["x"])),
    "an infinite median": ("E383", lambda: estimate(design(changed("y", np.inf, [0]).astype({"y": float})), "y", statistic="median")),
    "an infinite total": ("W113", lambda: calibrate(design(changed("x", np.inf, [0]).astype({"x": float})), {"x": 900.0})),
    "logit without an upper bound": ("W115", lambda: calibrate(design(), {"sex": population("sex")}, method="logit", bounds=(0, np.inf))),
    "bounds that are one number": ("W115", lambda: calibrate(design(), {"sex": population("sex")}, bounds=3)),
    "quantiles outside 0-1": ("E104", lambda: estimate(design(), "y", statistic=("quantile", [0.5, 1.5]))),
    "a quantile as text": ("E104", lambda: estimate(design(), "y", statistic=("quantile", "half"))),
    "no quantile": ("E104", lambda: estimate(design(), "y", statistic=("quantile", []))),
    "no measure": ("E387", lambda: estimate(design(), [])),
    "measure None": ("E387", lambda: estimate(design(), None)),
    "a number as measure": ("E387", lambda: estimate(design(), 3)),
    "by a column named estimate": ("E386", lambda: estimate(design(table().rename(columns={"county": "estimate"})), "y", by="estimate")),
    "by a column named measure": ("E386", lambda: estimate(design(table().rename(columns={"county": "measure"})), "y", by="measure")),
    "by a column twice": ("E386", lambda: estimate(design(), "y", by=["county", "county"])),
    "a key named _t0": ("E386", lambda: estimate(design(table().rename(columns={"county": "_t0"})), "y", by="_t0")),
    "a change by a column named t": ("E386", lambda: change_by("t")),
    "a change by a column named later": ("E386", lambda: change_by("later")),
    "waves by a column named wave": ("E386", lambda: change_by("wave")),
    "groups of a column named mean": ("E386", lambda: t_test(design(table().rename(columns={"sex": "mean"})), "y", "mean")),
    "ranks of a column named n": ("E386", lambda: rank_test(design(table().rename(columns={"sex": "n"})), "y", "n")),
    "cells of a column named share": ("E386", lambda: cross_table(design(table().rename(columns={"sex": "share"})), "share", "age")),
    "a column named _respondent": ("D383", lambda: SurveyDesign(table().rename(columns={"x": "_respondent"}))),
    "stratum and PSU in one column": ("D384", lambda: design(strata="psu")),
    "a column that stands twice": ("G380", lambda: design(pd.concat([table(), table()[["y"]]], axis=1))),
    "a level as text": ("E104", lambda: estimate(design(), "y", level="0.95")),
    "a test's level as text": ("E104", lambda: t_test(design(), "y", level="0.95")),
    "no replicates": ("E381", lambda: estimate(design(), "y", variance="rao-wu", replicates=0)),
    "one replicate": ("E381", lambda: estimate(design(), "y", variance="rao-wu", replicates=1)),
    "fewer than no replicates": ("E381", lambda: estimate(design(), "y", variance="rao-wu", replicates=-5)),
    "half a replicate": ("E381", lambda: estimate(design(), "y", variance="rao-wu", replicates=2.5)),
    "a seed below 0": ("E381", lambda: estimate(design(), "y", variance="rao-wu", seed=-1)),
    "collapse as a list": ("D385", lambda: design(collapse=[0, 1])),
    "a contrast as a list": ("E388", lambda: estimate(design(), "y", by="age").contrast([1, -1, 0])),
    "a contrast of a list": ("E388", lambda: estimate(design(), "y", by="age").contrast({"c": [1, -1, 0]})),
    "a contrast of nothing": ("E388", lambda: estimate(design(), "y", by="age").contrast({})),
    "coefficients of 0": ("E388", lambda: estimate(design(), "y", by="age").contrast({"c": {(0, "y"): 0.0}})),
    "an empty combination": ("E388", lambda: estimate(design(), "y", by="age").contrast({"c": {}})),
    "a coefficient of nan": ("E388", lambda: estimate(design(), "y", by="age").contrast({"c": {(0, "y"): float("nan")}})),
    "a coefficient as text": ("E388", lambda: estimate(design(), "y", by="age").contrast({"c": {(0, "y"): "1"}})),
    "a Wald contrast as a list": ("E388", lambda: wald(estimate(design(), "y", by="age"), [1, -1, 0])),
    "margins as a list": ("W381", lambda: calibrate(design(), ["sex"])),
    "a margin as a list": ("W381", lambda: calibrate(design(), {"sex": [100.0, 100.0]})),
    "a margin of two columns": ("W381", lambda: calibrate(design(), {"sex": table().groupby("sex")[["w", "x"]].sum()})),
    "a test's value of nan": ("E380", lambda: t_test(design(), "y", value=np.nan)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_both_languages(name):
    code, call = REFUSED[name]
    with pytest.raises(SatisfactionError) as refused:
        call()
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()
    assert refused.value.where or refused.value.hint[1]


@pytest.mark.parametrize(
    ("column", "says"),
    [("w", "Column 'w' is text"), ("N", "Column 'N' is text")],
)
def test_text_is_named_as_text(column, says):
    with pytest.raises(SatisfactionError, match=says):
        design(changed(column, "40"), fpc="N")


# ---- answered ----


def test_a_series_is_a_margin():
    wanted = calibrate(
        design(), {"sex": population("sex").to_dict(), "age": population("age").to_dict()}
    ).weights
    found = calibrate(design(), {"sex": population("sex"), "age": population("age")}).weights
    np.testing.assert_array_equal(found, wanted)


def test_a_series_of_two_levels_is_a_crossed_margin():
    crossed = population("sex", "age")
    wanted = calibrate(design(), {("sex", "age"): crossed.to_dict()}, method="poststratify").weights
    found = calibrate(design(), {("sex", "age"): crossed}, method="poststratify").weights
    np.testing.assert_array_equal(found, wanted)


def test_a_table_is_turned_into_a_margin_first():
    margin = population("sex").to_frame()
    with pytest.raises(WeightsError, match="W381"):
        calibrate(design(), {"sex": margin})


def test_a_numpy_total_is_a_total():
    rows = table()
    total = (rows["w"] * rows["x"]).sum() * 1.1
    assert estimate(calibrate(design(), {"x": np.float64(total)}), "x", statistic="total").table[
        "estimate"
    ][0] == pytest.approx(total)


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "polars"])
def test_nullable_booleans_are_zeros_and_ones(engine):
    rows = table()
    rows["yes"] = pd.array(
        [None if i % 7 == 0 else i % 3 == 0 for i in range(len(rows))], dtype="boolean"
    )
    number = rows["yes"].astype("Float64").astype(float)
    held = {
        "pandas": lambda t: t,
        "duckdb": duckdb.from_df,
        "polars": lambda t: polars.DataFrame(t.to_dict("list")),
    }[engine]
    if engine != "pandas":
        rows["yes"] = rows["yes"].astype(object).where(rows["yes"].notna(), None)
    found = estimate(design(held(rows)), "yes", by="sex").table
    wanted = estimate(design(table().assign(yes=number)), "yes", by="sex").table
    np.testing.assert_allclose(
        found[["estimate", "se", "n"]].astype(float),
        wanted[["estimate", "se", "n"]].astype(float),
        rtol=1e-12,
    )


def test_a_list_of_quantiles_gives_a_row_each():
    found = estimate(design(), ["y", "x"], by="county", statistic=("quantile", [0.25, 0.5, 0.75]))
    assert found.by == ("county", "p")
    assert found.table[["county", "p", "measure"]].astype(object).to_numpy().tolist()[:4] == [
        [0, 0.25, "y"],
        [0, 0.25, "x"],
        [0, 0.5, "y"],
        [0, 0.5, "x"],
    ]
    for p in (0.25, 0.5, 0.75):
        one = estimate(design(), ["y", "x"], by="county", statistic=("quantile", p)).table
        rows = found.table[found.table["p"] == p].drop(columns="p").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, one, check_exact=True)
    spread = found.contrast({"quartiles": {(0, 0.75, "y"): 1, (0, 0.25, "y"): -1}}).table
    assert spread["se"][0] > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda age: estimate(design(), "y", by=age).table["estimate"],
        lambda age: adjust_nonresponse(design(), "r", by=age).weights,
        lambda age: adjust_nonresponse(design(), "r", by=age, method="propensity").weights,
        lambda age: trim(design(), upper=2.5, within=age).weights,
        lambda age: regression(design(), "y", age).table["estimate"],
        lambda age: regression(design(), "y", ["age"], categorical=age).table["estimate"],
    ],
    ids=["by", "classes", "propensity", "within", "covariates", "categorical"],
)
def test_a_text_is_one_column_wherever_columns_are_listed(call):
    np.testing.assert_array_equal(call("age"), call(["age"]))


def test_an_estimate_of_nan_has_no_error():
    found = estimate(design(changed("y", np.nan)), "y")
    assert np.isnan(found.table[["estimate", "se", "ci_low", "ci_high"]].astype(float)).all(
        axis=None
    )
    nothing = estimate(design(table().assign(zero=0.0)), "y", statistic=("ratio", "zero")).table
    assert np.isnan(nothing["se"][0])
    some = estimate(
        design(changed("y", np.nan, list(range(0, 96, 2))).astype({"y": float})), "y", by="sex"
    ).table
    assert np.isnan(some["se"].to_numpy(float)).tolist() == [True, False]


def test_a_domain_without_answers_is_compared_with_nothing():
    some = estimate(
        design(changed("y", np.nan, list(range(0, 96, 2))).astype({"y": float})), "y", by="sex"
    )
    assert np.isnan(all_pairs(some).table[["se", "p"]].to_numpy(float)).all()


def test_respondents_without_a_domain_are_counted():
    rows = table().assign(age=table()["age"].where(table()["x"] > 3))
    by = estimate(design(rows), "y", by="age")
    assert by.conventions["without_domain"] == rows["age"].isna().sum() > 0
    assert by.table["n"].sum() + by.conventions["without_domain"] == len(rows)
    part = estimate(design(rows).where({"sex": 1}), "y", by=["county", "age"])
    assert part.conventions["without_domain"] == rows["age"].isna()[rows["sex"] == 1].sum()
    assert "without_domain" not in estimate(design(rows), "y", by="sex").conventions
