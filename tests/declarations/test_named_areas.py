"""Tables of an office name their areas: names become codes, and what could be another area is refused."""

import pytest

from satisfaction.declarations.area_names import area_spellings, read_area_table
from satisfaction.declarations.facts import read_history
from satisfaction.foundation.errors import InputFileError, SurveyError
from satisfaction.foundation.shipped import FACTS, shipped
from satisfaction.foundation.tables import read_table, write_xlsx

ONSITE = """
title: {zh: 综合, en: Combined}
source: test
components:
  survey: {zh: 调查, en: Survey, weight: 0.6, measure: topic_index, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.4, file: onsite.csv, source: test}
"""


@pytest.fixture(scope="module")
def areas():
    return read_table(shipped(FACTS) / "areas.csv")


def read(tmp_path, areas, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return read_area_table(path, areas, ("score",))


def test_names_in_full_and_in_short_become_codes(tmp_path, areas):
    text = "name,score\n云岩区,1\n黔东南州,2\n黔南州都匀市,3\n大方,4\n遵义县,5\n"
    codes = read(tmp_path, areas, text)["code"]
    assert codes.tolist() == ["520103", "522600", "522701", "520521", "520321"]


def test_a_name_may_stand_in_the_column_of_codes(tmp_path, areas):
    table = read(tmp_path, areas, "code,score\n云岩区,1\n520111,2\n529999,3\n")
    assert table["code"].tolist() == [
        "520103",
        "520111",
        "529999",
    ]  # the last for the table's check


@pytest.mark.parametrize(
    ("row", "error", "candidates"),
    [
        ("遵义", "S185", ["520300 遵义市", "520321 遵义县"]),
        ("合计", "S186", []),
    ],
)
def test_a_name_of_several_areas_or_of_none_is_refused(tmp_path, areas, row, error, candidates):
    with pytest.raises(SurveyError, match=error) as caught:
        read(tmp_path, areas, f"name,score\n云岩区,1\n{row},2\n")
    assert "row 3" in caught.value.where
    if candidates:
        assert list(caught.value.available) == candidates


def test_a_code_beside_the_name_of_another_area_is_refused(tmp_path, areas):
    with pytest.raises(SurveyError, match="S187"):
        read(tmp_path, areas, "code,name,score\n520103,云岩区,1\n520111,云岩区,2\n")


def test_a_former_area_is_no_rival_of_its_successor(areas):
    assert area_spellings(areas, "county")["大方"] == {"520521"}
    without = areas.drop(columns="successor")
    assert area_spellings(without, "county")["大方"] == {"520521", "522422"}


def test_ranks_of_earlier_waves_may_name_their_areas(tmp_path, areas):
    path = tmp_path / "history.csv"
    path.write_text("wave,name,rank,listed\n2026Q1,云岩,1,no\n2026Q1,息烽县,2,no\n", "utf-8")
    assert read_history(path, wave="2026Q2", areas=areas)["code"].tolist() == ["520103", "520122"]


def test_the_sheet_with_the_columns_is_read_whatever_stands_before_it(tmp_path, areas):
    scores = areas[["code"]].head(3).assign(score="1")
    notes = areas[["name"]].head(1)
    path = tmp_path / "book.xlsx"
    write_xlsx({"说明": notes, "得分": scores}, path)
    assert len(read_area_table(path, areas, ("score",))) == 3


def test_a_hidden_sheet_is_not_read_in_silence(tmp_path, areas):
    import openpyxl

    path = tmp_path / "book.xlsx"
    write_xlsx({"旧": areas[["code"]].head(2).assign(score="1")}, path)
    book = openpyxl.load_workbook(path)
    book.create_sheet("新").append(["说明"])
    book["旧"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    with pytest.raises(InputFileError, match="F445"):
        read_area_table(path, areas, ("score",))


def test_a_component_by_names_gives_the_same_ranking_as_by_codes(small, call):
    (small.folder / "combined.yaml").write_text(ONSITE, encoding="utf-8")
    names = small.read().area_names()
    outputs = []
    for column in ("code", "name"):
        lines = [f"{column},score"]
        for number, code in enumerate(small.read().ranked_areas()):
            area = code if column == "code" else names[code].zh
            lines.append(f"{area},{60 + 7 * number}")
        (small.folder / "onsite.csv").write_text("\n".join(lines), encoding="utf-8")
        code, out, err = call("combined", small.folder)
        assert code == 0, err
        outputs.append(out.splitlines()[:-1])
    assert outputs[0] == outputs[1]
