"""The one pass: counts against plain Python, exact squares, refused columns."""

from __future__ import annotations

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars
import pytest

from conftest import province_design
from satisfaction import SurveyDesign, estimate
from satisfaction.foundation.errors import EstimatesError, SatisfactionError
from satisfaction.sampling.measures import BILLIONTH, Measure
from satisfaction.sampling.tally import LIMB, tally

LARGEST_SCORE = 100 * BILLIONTH  # 100 points
EXACT = Measure(
    "score", "index", BILLIONTH, ({"_valid__score": nw.col("v"), "_score__score": nw.col("s")},)
)


def whole_squares(counted, row=0, measure=0) -> int:
    """The sum of squares from its limbs, in Python's unbounded integers."""
    high, cross, low = (int(part) for part in counted.squares[row, measure])
    return high * LIMB**2 + 2 * cross * LIMB + low


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_a_million_largest_scores_in_one_cell_sum_exactly(engine):
    table = pd.DataFrame({"psu": 1, "v": 1, "s": np.full(1_000_000, LARGEST_SCORE)})
    table.loc[0, "psu"] = 2
    counted = tally(SurveyDesign(_held(table, engine), psu="psu"), [EXACT])
    assert counted.n.tolist() == [999_999, 1]
    assert int(counted.total[0, 0]) == 999_999 * LARGEST_SCORE
    assert whole_squares(counted) == 999_999 * LARGEST_SCORE**2
    assert counted.exact


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_squares_of_odd_scores_sum_exactly(engine):
    scores = np.random.default_rng(5).integers(0, LARGEST_SCORE + 1, 2_000)
    table = pd.DataFrame({"psu": np.arange(2_000) % 2, "v": 1, "s": scores})
    counted = tally(SurveyDesign(_held(table, engine), psu="psu"), [EXACT])
    for psu in (0, 1):
        squares = sum(int(s) ** 2 for s in scores[psu::2])
        assert whole_squares(counted, psu) == squares
        assert counted.sums_of_squares()[psu, 0] == pytest.approx(squares / BILLIONTH**2, rel=1e-14)


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "polars"])
def test_negative_whole_numbers_sum_exactly(engine):
    table = pd.DataFrame({"psu": [1, 1, 2], "y": [-3, 5, -(LIMB * 3 + 7)]})
    counted = tally(SurveyDesign(_held(table, engine), psu="psu"), ["y"])
    assert counted.total[:, 0].tolist() == [2, -(LIMB * 3 + 7)]
    assert [whole_squares(counted, row) for row in (0, 1)] == [34, (LIMB * 3 + 7) ** 2]


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "polars"])
def test_whole_numbers_whose_squares_overflow_are_refused(engine):
    table = pd.DataFrame({"psu": [1, 2], "y": [10**18, 1]})
    with pytest.raises(SatisfactionError):
        tally(SurveyDesign(_held(table, engine), psu="psu"), ["y"])


def test_a_decimal_column_keeps_its_decimals():
    connection = duckdb.connect()
    table = connection.sql("select * from (values (1, 1.5), (2, 2.25)) as t(psu, y)")
    assert estimate(SurveyDesign(table, psu="psu"), "y").table["estimate"][0] == pytest.approx(
        1.875
    )


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "polars"])
def test_a_column_of_yes_and_no_is_a_share(engine):
    table = pd.DataFrame({"psu": [1, 2, 3, 4], "y": [True, False, True, True]})
    assert (
        estimate(SurveyDesign(_held(table, engine), psu="psu"), "y", statistic="proportion").table[
            "estimate"
        ][0]
        == 0.75
    )


@pytest.mark.parametrize("engine", ["pandas", "duckdb", "polars"])
def test_not_a_number_is_not_valid(engine):
    table = pd.DataFrame({"psu": [1, 2, 3, 4], "y": [1.0, np.nan, 2.0, 3.0]})
    native = table
    if engine == "duckdb":
        connection = duckdb.connect()
        native = connection.sql(
            "select * from (values (1, 1::double), (2, 'nan'::double), (3, 2::double), (4, 3::double)) as t(psu, y)"
        )
    if engine == "polars":
        native = polars.DataFrame({"psu": [1, 2, 3, 4], "y": [1.0, float("nan"), 2.0, 3.0]})
    found = estimate(SurveyDesign(native, psu="psu"), "y").table.iloc[0]
    assert (found["n"], found["estimate"]) == (3, 2.0)


def test_counts_are_those_of_a_plain_loop(province):
    counted = tally(province.design, ["aware", "s1"], by=["county"])
    groups = province.respondents.groupby(["stratum", "psu", "county", "base_weight"])
    expected = pd.DataFrame(
        {
            "n": groups.size(),
            "valid": groups["aware"].count(),
            "total": groups["aware"].sum(),
            "squares": groups["s1"].agg(lambda y: (y**2).sum()),
        }
    )
    assert list(counted.keys.columns) == ["stratum", "psu", "county", "base_weight"]
    np.testing.assert_array_equal(counted.n, expected["n"])
    np.testing.assert_array_equal(counted.valid[:, 0], expected["valid"])
    np.testing.assert_array_equal(counted.sums()[:, 0], expected["total"])
    np.testing.assert_allclose(counted.sums_of_squares()[:, 1], expected["squares"], rtol=1e-15)
    assert not counted.exact


def test_a_parquet_path_is_a_table(province, tmp_path):
    path = tmp_path / "respondents.parquet"
    connection = duckdb.connect()
    connection.register("rows", province.respondents)
    connection.execute(f"copy rows to '{path}' (format parquet)")
    found, expected = (
        estimate(design, "aware", by="county")
        for design in (province_design(path), province.design)
    )
    pd.testing.assert_frame_equal(found.table, expected.table)


def test_a_change_of_one_answer_changes_the_digest(province):
    rows = province.respondents.copy()
    rows.loc[17, "aware"] = 1 - rows.loc[17, "aware"]
    assert (
        tally(province_design(rows), ["aware"]).digest()
        != tally(province.design, ["aware"]).digest()
    )


def test_an_unknown_domain_column_is_refused(province):
    with pytest.raises(EstimatesError, match="E101"):
        tally(province.design, ["aware"], by=["contry"])


def _held(table, engine):
    from satisfaction.foundation.engines import hold

    return hold(table, engine)
