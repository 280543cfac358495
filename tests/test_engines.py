"""One behaviour over every engine: equal tallies, bit for bit, and equal estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, calibrate, compile_measures, estimate
from satisfaction.engines import fetch, hold, scan
from satisfaction.errors import EngineError
from satisfaction.pipeline import base_design, estimate_areas, weigh
from satisfaction.responses import Responses, load_responses
from satisfaction.tally import tally

ENGINES = ("pandas", "polars", "duckdb")


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def responses(unchanged):
    return load_responses(unchanged)


@pytest.fixture(scope="module")
def reference(unchanged, responses):
    """The tally and the estimates on pandas, rows in file order."""
    design = weigh(unchanged, base_design(unchanged, responses, engine="pandas"))
    return tally(design, list(design.measures), by=["county", "prefecture"]), estimate_areas(unchanged, design)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_tally_and_the_estimates_are_the_same_to_the_last_bit(unchanged, responses, reference, engine, seed):
    rows = responses.accepted if seed is None else responses.accepted.sample(frac=1, random_state=seed, ignore_index=True)
    design = weigh(
        unchanged, base_design(unchanged, Responses(rows, responses.rejected, responses.log, responses.summary), engine=engine)
    )
    counted, estimates = tally(design, list(design.measures), by=["county", "prefecture"]), estimate_areas(unchanged, design)
    assert counted.exact
    assert counted.digest() == reference[0].digest()
    for level, expected in reference[1].items():
        pd.testing.assert_frame_equal(estimates[level].table, expected.table, check_exact=True)
        np.testing.assert_array_equal(estimates[level].cov, expected.cov)


def test_weights_of_rows_in_any_order(unchanged, responses, engine):
    rows = responses.accepted.sample(frac=1, random_state=3, ignore_index=True)
    design = weigh(
        unchanged, base_design(unchanged, Responses(rows, responses.rejected, responses.log, responses.summary), engine=engine)
    )
    plain = weigh(unchanged, base_design(unchanged, responses, engine="pandas"))
    by_id = dict(zip(responses.accepted["id"], plain.weights, strict=True))
    np.testing.assert_array_equal(design.weights, rows["id"].map(by_id))


def test_a_column_of_numbers_is_counted_alike(engine):
    rows = pd.DataFrame({"psu": np.arange(40) % 8, "g": ["a", "b"] * 20, "y": np.random.default_rng(1).integers(-9, 9, 40)})
    found, expected = (SurveyDesign(hold(rows, name), psu="psu") for name in (engine, "pandas"))
    assert tally(found, ["y"], by=["g"]).digest() == tally(expected, ["y"], by=["g"]).digest()


def test_without_psu_the_tally_is_the_same(engine):
    rows = pd.DataFrame({"g": ["a", None, "b", "a"], "y": [3, 1, 2, 5], "w": [1.0, 2.0, 1.5, 1.0]})
    found, expected = (SurveyDesign(hold(rows, name), base_weight="w") for name in (engine, "pandas"))
    assert tally(found, ["y"]).digest() == tally(expected, ["y"]).digest()
    pd.testing.assert_frame_equal(estimate(found, "y").table, estimate(expected, "y").table)


def test_calibration_gives_the_same_weights(province, engine):
    columns = ["stratum", "psu", "base_weight", *province.margins]
    rows = province.respondents[columns]
    designs = (
        SurveyDesign(hold(rows, name), strata="stratum", psu="psu", base_weight="base_weight") for name in (engine, "pandas")
    )
    found, expected = (calibrate(design, province.margins).weights for design in designs)
    np.testing.assert_array_equal(found, expected)


def test_rows_keep_their_order_in_every_engine(engine):
    rows = pd.DataFrame({"a": ["x", None, "z"], "b": pd.array([3, None, 1], dtype="Int64")})
    held = hold(rows, engine)
    assert [None if pd.isna(value) else value for value in fetch(scan(held))["a"]] == ["x", None, "z"]
    assert [None if pd.isna(value) else value for value in fetch(scan(held))["b"]] == [3, None, 1]


def test_a_column_without_any_value_is_held(engine):
    rows = pd.DataFrame({"psu": [1, 2], "b": pd.array([None, None], dtype="Int64"), "y": [1, 2]})
    assert estimate(SurveyDesign(hold(rows, engine), psu="psu"), ["y", "b"]).table["n"].tolist() == [2, 0]


def test_measures_of_the_questionnaire_agree_before_they_are_stored(unchanged, responses, engine):
    measures = compile_measures(unchanged.questionnaire)
    designs = [
        SurveyDesign(hold(responses.accepted, name), strata=["county", "residence"], psu="community", measures=measures)
        for name in (engine, "pandas")
    ]
    found, expected = (tally(design, list(design.measures), by=["county"]) for design in designs)
    assert found.digest() == expected.digest()


@pytest.mark.parametrize(
    ("code", "call"), [("G101", lambda: scan([1, 2, 3])), ("G102", lambda: hold(pd.DataFrame({"a": [1]}), "spark"))]
)
def test_refused_with_code_and_both_languages(code, call):
    with pytest.raises(EngineError) as refused:
        call()
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)


def test_a_parquet_path_that_is_not_there_is_refused():
    from satisfaction import SatisfactionError

    with pytest.raises(SatisfactionError):
        scan(Path("nowhere.parquet"))
