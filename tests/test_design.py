"""The sample design: what it accepts, what it refuses, that it never changes."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, estimate
from satisfaction.errors import DesignError
from satisfaction.responses import load_responses

ROWS = pd.DataFrame(
    {
        "stratum": ["a", "a", "a", "b", "b", "b"], "psu": [1, 1, 2, 1, 2, 2], "w": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "N": [9, 9, 9, 4, 4, 4],
        "y": [1.0, 4.0, 2.0, 5.0, 3.0, 6.0],
    }
)  # fmt: skip


def design(rows=ROWS, **changes):
    return SurveyDesign(rows, **({"strata": "stratum", "psu": "psu", "base_weight": "w"} | changes))


@pytest.mark.parametrize(
    ("code", "rows", "changes"),
    [
        ("D100", ROWS, {"lonely_psu": "ignore"}),
        ("D100", ROWS, {"selection": "random"}),
        ("D101", ROWS, {"strata": "strat"}),
        ("D101", ROWS, {"base_weight": "weight"}),
        ("D101", ROWS, {"fpc": "M"}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, None]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, -1.0]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, np.inf]), {}),
        ("D103", ROWS.assign(psu=[1, 1, 2, 1, 2, None]), {}),
        ("D103", ROWS.assign(stratum=["a", "a", "a", "b", "b", None]), {}),
        ("D104", ROWS[ROWS["psu"] + (ROWS["stratum"] == "a") < 3], {}),
        ("D105", ROWS.assign(N=[9, 9, 9, 4, 4, 5]), {"fpc": "N"}),
        ("D105", ROWS.assign(N=1), {"fpc": "N"}),
    ],
)
def test_refused_with_code_and_both_languages(code, rows, changes):
    with pytest.raises(DesignError) as refused:
        design(rows, **changes)
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()


def test_a_missing_fpc_is_refused():
    with pytest.raises(DesignError, match="D105"):
        design(ROWS.assign(N=[9, 9, 9, None, None, None]), fpc="N")


def test_lonely_strata_are_named():
    with pytest.raises(DesignError, match=r"1 strata \(or units above\) have a single 'psu': b"):
        design(ROWS[(ROWS["stratum"] == "a") | (ROWS["psu"] == 2)])


def test_a_design_cannot_be_changed():
    with pytest.raises(AttributeError):
        design().strata = ("psu",)


def test_weights_stand_in_the_given_row_order():
    np.testing.assert_array_equal(design().weights, ROWS["w"])


def test_without_base_weight_every_weight_is_one():
    np.testing.assert_array_equal(design(base_weight=None).weights, np.ones(6))


def test_without_psu_every_respondent_is_one():
    table = estimate(SurveyDesign(ROWS, base_weight="w"), "y").table
    assert table["df"][0] == 5


@pytest.mark.parametrize("psu", [None, "psu"])
def test_weights_keep_the_row_order_of_a_duckdb_relation(psu):
    rows = pd.DataFrame({"psu": [3, 1, 2, 3, 1, 2], "w": [5.0, 1.0, 4.0, 2.0, 6.0, 3.0]})
    np.testing.assert_array_equal(SurveyDesign(duckdb.from_df(rows), psu=psu, base_weight="w").weights, rows["w"])


def test_accepted_responses_make_a_design_without_psu(unchanged):
    accepted = load_responses(unchanged).accepted
    assert estimate(SurveyDesign(accepted), "streets").table["n"][0] == accepted["streets"].notna().sum()


def test_certainty_and_remove_count_nothing_for_a_lonely_psu():
    rows = ROWS[(ROWS["stratum"] == "a") | (ROWS["psu"] == 2)]
    for policy in ("certainty", "remove"):
        total = estimate(design(rows, lonely_psu=policy), "y", statistic="total").table
        assert total["se"][0] == pytest.approx(abs((1 * 1 + 2 * 4) - 3 * 2))


def test_several_strata_columns_are_crossed():
    rows = ROWS.assign(county=[1, 1, 1, 1, 1, 1])
    assert estimate(design(rows, strata=["county", "stratum"]), "y").table["df"][0] == 2
