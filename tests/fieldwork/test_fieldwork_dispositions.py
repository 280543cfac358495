"""Outcome rates equal AAPOR's formulas worked by hand; codes nobody mapped stop the count; rates keep their order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfaction.declarations.facts import DISPOSITIONS, read_outcomes
from satisfaction.fieldwork.progress import (
    RATES,
    dispositions,
    eligible_share,
    outcome_rates,
    response_rates,
)
from satisfaction.foundation.errors import ResponsesError, SurveyError

COUNTS = {"I": 100, "P": 20, "R": 50, "NC": 30, "O": 10, "UH": 60, "UO": 30, "NE": 70}
MAP = {
    "1": "I",
    "2": "P",
    "3": "R",
    "4": "NC",
    "5": "O",
    "6": "UH",
    "7": "UO",
    "8": "NE",
    "空号": "NE",
}
# by hand: eligible 210, e = 210 / 280 = 0.75, unknown 90, e x unknown 67.5
BY_HAND = {
    "RR1": 100 / 300, "RR2": 120 / 300, "RR3": 100 / 277.5, "RR4": 120 / 277.5, "RR5": 100 / 210, "RR6": 120 / 210,
    "COOP1": 100 / 180, "COOP2": 120 / 180, "COOP3": 100 / 170, "COOP4": 120 / 170,
    "REF1": 50 / 300, "REF2": 50 / 277.5, "REF3": 50 / 210, "CON1": 180 / 300, "CON2": 180 / 277.5, "CON3": 180 / 210,
}  # fmt: skip
ROUNDING = 1e-12
numbers = st.lists(st.integers(0, 10_000), min_size=8, max_size=8)


def outcomes(counts=COUNTS) -> pd.Series:
    codes = {name: code for code, name in MAP.items() if code != "空号"}
    return pd.Series([codes[name] for name, count in counts.items() for _ in range(count)])


def test_rates_equal_those_worked_by_hand():
    found = dispositions(outcomes(), MAP)
    assert found.e == 0.75
    assert found.counts.set_index("disposition")["cases"].to_dict() == COUNTS
    assert found.rates.set_index("rate")["value"].to_dict() == pytest.approx(BY_HAND, rel=ROUNDING)
    assert list(found.rates["rate"]) == list(RATES)
    assert (
        found.rates.set_index("rate").loc["RR3", "formula"]
        == "(I) / (I + P + R + NC + O + e (UH + UO))"
    )


def test_codes_nobody_mapped_are_named_once():
    with pytest.raises(ResponsesError) as caught:
        dispositions(pd.Series(["1", "关机", "关机", "77", None]), MAP)
    assert caught.value.code == "R403"
    assert all(word in str(caught.value) for word in ("'关机'", "'77'", "''", "4 cases", "共 4 例"))


def test_a_map_with_an_unknown_disposition_is_refused():
    with pytest.raises(SurveyError, match="S192"):
        dispositions(pd.Series(["1"]), {"1": "complete"})


def test_the_map_of_a_survey_folder_is_read_and_checked(tmp_path):
    path = tmp_path / "outcomes.csv"
    path.write_text("code,disposition,zh\n1,I,完成\n空号,NE,空号\n", encoding="utf-8")
    assert read_outcomes(path) == {"1": "I", "空号": "NE"}
    path.write_text("code,disposition\n1,I\n1,R\n", encoding="utf-8")
    with pytest.raises(SurveyError, match="S191"):
        read_outcomes(path)
    path.write_text("code,disposition\n1,refused\n", encoding="utf-8")
    with pytest.raises(SurveyError, match="S192"):
        read_outcomes(path)


def test_without_a_resolved_case_rates_are_missing():
    found = dispositions(pd.Series(["6", "7"]), MAP)
    assert np.isnan(found.e)
    values = found.rates.set_index("rate")["value"]
    assert values["RR1"] == 0
    assert values[["RR3", "RR5", "COOP1", "REF2"]].isna().all()


@given(numbers)
def test_rates_keep_their_order_and_bounds(counts):
    counted = np.array([counts])
    value = dict(zip(RATES, outcome_rates(counted, e=eligible_share(counted))[0][0], strict=True))
    known = np.array([v for v in value.values() if not np.isnan(v)])
    assert ((known >= 0) & (known <= 1)).all()
    for low, high in (("RR1", "RR3"), ("RR3", "RR5"), ("RR2", "RR4"), ("RR4", "RR6"), ("RR1", "RR2"), ("REF1", "REF2"),
                      ("REF2", "REF3"), ("CON1", "CON2"), ("CON2", "CON3"), ("COOP1", "COOP3"), ("RR5", "COOP1")):  # fmt: skip
        assert np.isnan([value[low], value[high]]).any() or value[low] <= value[high] * (
            1 + ROUNDING
        )
    if sum(counts[:5]):
        assert value["RR6"] + value["REF3"] <= 1 + ROUNDING
        assert (
            value["RR6"]
            == pytest.approx(value["COOP2"] * value["CON3"], rel=ROUNDING, abs=ROUNDING)
            or counts[4] + sum(counts[:3]) == 0
        )


@given(numbers)
def test_e_of_one_and_none_are_the_rates_beside(counts):
    counted = np.array([counts])
    full, none = (
        dict(zip(RATES, outcome_rates(counted, e=np.array([e]))[0][0], strict=True))
        for e in (1.0, 0.0)
    )
    for with_e, all_of_them, without in (
        ("RR3", "RR1", "RR5"),
        ("RR4", "RR2", "RR6"),
        ("REF2", "REF1", "REF3"),
        ("CON2", "CON1", "CON3"),
    ):
        np.testing.assert_equal(full[with_e], full[all_of_them])
        np.testing.assert_equal(none[with_e], none[without])


def cases(seed: int, *, low: float | None = None) -> pd.DataFrame:
    """Twenty counties of 200 cases, RR1 about 0.5; the first may be lower."""
    rng = np.random.default_rng(seed)
    rate = np.clip(0.5 + 0.03 * rng.standard_normal(20), 0, 1)
    rate[0] = rate[0] if low is None else low
    county = np.repeat(np.arange(20), 200)
    done = rng.random(len(county)) < rate[county]
    return pd.DataFrame(
        {
            "county": county.astype(str),
            "outcome": np.where(done, "1", rng.choice(["3", "4", "6"], len(county))),
        }
    )


def test_a_county_with_a_low_response_rate_is_flagged_and_clean_ones_are_not():
    planted = response_rates(cases(1, low=0.25), MAP, outcome="outcome", by="county")
    assert planted.loc[planted["flag"], "unit"].tolist() == ["0"]
    assert planted.loc[planted["unit"] == "0", ["zh", "en"]].ne("").all(axis=None)
    flagged = sum(
        response_rates(cases(seed), MAP, outcome="outcome", by="county")["flag"].any()
        for seed in range(40)
    )
    assert flagged <= 6  # 40 x 0.05 are expected at most; 6 or fewer in 98.6 % of the cases


def test_every_disposition_enters_a_rate():
    used = {name for top, base, _ in RATES.values() for name in (*top, *base)} | {"UH", "UO", "NE"}
    assert used == set(DISPOSITIONS)
