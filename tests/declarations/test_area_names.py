"""English names of areas: shipped for all of Guizhou, optional, and read wherever somebody reads English."""

import re

import pytest

from satisfaction.declarations.facts import names_of_areas
from satisfaction.declarations.new_wave import new_wave
from satisfaction.foundation.shipped import FACTS, shipped, shipped_questionnaires
from satisfaction.foundation.tables import read_table

KINDS = {
    "自治州": "Autonomous Prefecture",
    "自治县": "Autonomous County",
    "特区": "Special District",
    "地区": "Prefecture",
    "省": "Province",
    "市": "City",
    "县": "County",
    "区": "District",
}
PEOPLES = {
    "布依族": "Buyei",
    "仡佬族": "Gelao",
    "土家族": "Tujia",
    "侗族": "Dong",
    "苗族": "Miao",
    "水族": "Sui",
    "彝族": "Yi",
    "回族": "Hui",
}
BY_HAND = {
    "520203": "Liuzhi Special District",
    "520324": "Zheng'an County",
    "520526": "Weining Yi, Hui and Miao Autonomous County",
    "522323": "Pu'an County",
    "522701": "Duyun City",
    "522725": "Weng'an County",
    "522729": "Changshun County",
    "522732": "Sandu Sui Autonomous County",
}


@pytest.fixture(scope="module")
def areas():
    return read_table(shipped(FACTS) / "areas.csv")


def test_every_area_has_an_english_name_of_its_own(areas):
    current = areas[areas["valid_to"] == ""]
    assert len(current) == 98
    assert current["name_en"].is_unique
    for name in areas["name_en"]:
        assert re.fullmatch(r"[A-Z][a-z]+('[a-z]+)?(,? [A-Z][a-z]+| and [A-Z][a-z]+)+", name), name


def test_names_say_the_kind_of_area_and_its_peoples(areas):
    for zh, en in zip(areas["name"], areas["name_en"], strict=True):
        kind = next(word for word in KINDS if zh.endswith(word))
        assert en.endswith(KINDS[kind]), zh
        found = re.findall("|".join(PEOPLES), zh)
        peoples = re.findall(rf"\b({'|'.join(PEOPLES.values())})\b", en)
        assert peoples == [PEOPLES[word] for word in found], zh


def test_names_that_a_library_of_pinyin_reads_wrongly_are_right(areas):
    names = names_of_areas(areas[areas["valid_to"] == ""])
    assert {code: names[code].en for code in BY_HAND} == BY_HAND


def test_other_shipped_waves_have_the_same_names(areas):
    for wave in ("guizhou-2026q2", "guiyang-phone-2026q3"):
        other = read_table(shipped(FACTS).parent / wave / "areas.csv")
        merged = other.merge(areas, on=["code", "name"], suffixes=("", "_there"))
        assert len(merged) == len(other)
        assert (merged["name_en"] == merged["name_en_there"]).all()


def test_without_an_english_name_the_name_stands(areas):
    table = areas[["code", "name"]].head(2)
    assert names_of_areas(table)["520000"].in_language("en") == "贵州省"
    some = areas[["code", "name", "name_en"]].head(2).copy()
    some.loc[0, "name_en"] = ""
    assert names_of_areas(some)["520000"].in_language("en") == "贵州省"
    assert names_of_areas(some)["520100"].in_language("en") == "Guiyang City"


def test_a_new_wave_takes_english_names_over_and_understands_them(tmp_path):
    reference = next(name for name in shipped_questionnaires() if name.startswith("civilised"))
    folder = tmp_path / "wave"
    only = ["Zheng'an County", "520203"]
    new_wave(folder, questionnaire=reference, areas=shipped(FACTS) / "areas.csv", only=only)
    areas = read_table(folder / "areas.xlsx")
    counties = areas[areas["level"] == "county"]
    assert list(counties["name_en"]) == ["Liuzhi Special District", "Zheng'an County"]
