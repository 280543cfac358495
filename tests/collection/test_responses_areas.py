"""Names of areas as teams write them: short forms that only one area has, and a proposal for the others."""

from __future__ import annotations

import pandas as pd
import pytest

from satisfaction import load_responses
from satisfaction.declarations.area_names import area_names
from satisfaction.declarations.new_wave import new_wave
from satisfaction.foundation.tables import read_table

AREAS = pd.DataFrame(
    [
        ("520000", "贵州省", "province", "", ""),
        ("520100", "贵阳市", "prefecture", "520000", ""),
        ("520113", "白云区", "county", "520100", ""),
        ("520121", "开阳县", "county", "520100", ""),
        ("520300", "遵义市", "prefecture", "520000", ""),
        ("520321", "遵义县", "county", "520300", ""),
        ("520424", "关岭布依族苗族自治县", "county", "520000", ""),
        ("522600", "黔东南苗族侗族自治州", "prefecture", "520000", ""),
        ("522636", "丹寨县", "county", "522600", ""),
        ("522627", "天柱县", "county", "522600", ""),
        ("529999", "天柱区", "county", "522600", "2010-01-01"),
    ],
    columns=["code", "name", "level", "parent", "valid_to"],
)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("丹寨", "522636"), ("黔东南州丹寨县", "522636"), ("黔东南丹寨", "522636"), ("关岭", "520424"), ("关岭县", "520424"), ("关岭自治县", "520424"),
        ("贵阳白云", "520113"), ("贵州贵阳开阳", "520121"), ("贵州省贵阳白云区", "520113"), ("白云", "520113"), ("开阳县人民政府", "520121"), ("遵义县", "520321"),
    ],
)  # fmt: skip
def test_a_short_form_that_only_one_area_has_is_read(written, code):
    assert area_names(AREAS, "county")[written] == code


@pytest.mark.parametrize("written", ["遵义", "天柱", "贵阳", "县"])
def test_a_short_form_that_may_be_another_area_is_not_read(written):
    assert written not in area_names(AREAS, "county")


def renamed(small):
    path = small.folder / "areas.csv"
    areas = read_table(path)
    areas["name"] = areas["name"].replace(
        {"县990101": "开阳县", "县990102": "关岭布依族苗族自治县"}
    )
    areas.to_csv(path, index=False)


def test_short_names_are_read_and_logged_and_others_get_a_proposal(small):
    renamed(small)
    rows = small.rows()
    rows.loc[0, "county"] = "开阳"
    rows.loc[1, "county"] = "开阳线"
    rows.loc[2, "county"] = "测试省-市9901 - 开阳县"
    small.write(rows)
    found = load_responses(small.read(), purpose="check")
    assert found.accepted.loc[0, "county"] == "990101"
    assert found.log.loc[found.log["row"] == 2, ["value", "rule"]].to_numpy().tolist() == [
        ["开阳", "R220"]
    ]
    assert found.accepted.set_index("_row").loc[4, "county"] == "990101"
    assert "（是否 开阳县？）" in found.rejected["zh"].iloc[0]
    assert "did you mean 开阳县?" in found.rejected["en"].iloc[0]


def test_some_counties_may_be_named_in_short(small):
    renamed(small)
    folder = new_wave(small.root / "surveys" / "fewer", like=small.folder, only=["开阳", "关岭县"])
    assert {"990101", "990102"} <= set(read_table(folder / "areas.xlsx")["code"])
