"""Field files: no row is lost, every rule says where and why, every encoding gives the same table."""

from __future__ import annotations

import dataclasses
import datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import COUNTIES, SmallSurvey, small_rows
from satisfaction import SatisfactionError
from satisfaction.collection.account import LOG, RULES
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.errors import InputFileError, ResponsesError
from satisfaction.foundation.files import sha256
from satisfaction.foundation.tables import write_xlsx

ORIGIN = ["_file", "_sheet", "_row"]


def load(small: SmallSurvey):
    """Load and check the account of rows."""
    found = load_responses(small.read())
    assert_accounted(found)
    return found


def assert_accounted(found):
    summary = found.summary
    assert (summary["rows"] == summary["accepted"] + summary["rejected"]).all()
    assert len(found.accepted) == summary["accepted"].sum()
    assert len(found.rejected) == summary["rejected"].sum()
    places = set(found.accepted[ORIGIN].itertuples(index=False, name=None))
    refused = set(found.rejected[["file", "sheet", "row"]].itertuples(index=False, name=None))
    assert not places & refused
    assert len(places | refused) == summary["rows"].sum()
    blanked = found.log[found.log["action"] == "blank_item"]
    assert len(blanked) == summary["blanked"].sum()


def as_written(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False).encode("utf-8-sig")


# ---- what is read ----


def test_clean_rows_are_all_accepted_and_coded(small):
    found = load(small)
    (summary,) = found.summary.to_dict("records")
    assert summary == {
        "file": "responses/all.csv", "sheet": "", "rows": 120, "accepted": 120, "rejected": 0, "blanked": 0, "ignored_columns": "",
        "sha256": sha256(small.csv)[:12], "platform": "plain", "team": "", "submitted_first": "", "submitted_last": "", "note": "",
    }  # fmt: skip
    first, written = found.accepted.iloc[0], small.rows().iloc[0]
    assert (first["id"], first["county"], first["day"], first["_row"]) == (
        "P000",
        "990101",
        "2026-04-10",
        2,
    )
    assert first["streets"] == int(written["streets"])
    assert (first["prefecture"], first["province"]) == ("990100", "990000")


@pytest.mark.parametrize(
    ("answer", "special", "options"),
    [
        ("1;2", None, [1, 1, 0, 0]),
        ("3", None, [0, 0, 1, 0]),
        (" 1 ; 4 ", None, [1, 0, 0, 1]),
        ("1┋3", None, [1, 0, 1, 0]),
        ("98", 98, None),
        ("", None, None),
    ],
)
def test_a_select_all_answer_becomes_a_column_an_option(small, answer, special, options):
    small.change(values=answer)
    row = load(small).accepted.iloc[0]
    assert (None if pd.isna(row["values"]) else row["values"]) == special
    assert [
        None if pd.isna(row[f"values_{code}"]) else row[f"values_{code}"] for code in (1, 2, 3, 4)
    ] == (options or [None] * 4)


@pytest.mark.parametrize("advice", ["路灯不亮，请修（３盏）！", "①垃圾 ②污水：5㎡？"])
def test_an_open_answer_stays_as_it_was_written(small, advice):
    small.edit(
        small.questionnaire, "items:\n", "items:\n  advice: {type: text, zh: 建议, en: Advice}\n"
    )
    small.write(small.rows().assign(advice=advice))
    loaded = load_responses(small.read())
    assert set(loaded.accepted["advice"]) == {advice}
    assert loaded.log.empty


@pytest.mark.parametrize(
    "day",
    ["2026-04-07", "2026/4/7", "2026.04.07", "2026年4月7日", "20260407", "2026-04-07 09:30:00"],
)
def test_dates_are_read_in_several_forms(small, day):
    small.change(day=day)
    assert load(small).accepted["day"][0] == "2026-04-07"


def test_columns_that_are_no_items_are_named_and_kept_nowhere(small):
    small.write(small.rows().assign(telephone="13800138000", comment="x"))
    found = load(small)
    assert found.summary["ignored_columns"][0] == "telephone; comment"
    assert not {"telephone", "comment"} & set(found.accepted)


def test_several_files_keep_their_origin(small):
    rows = small.rows()
    small.write(rows[:70])
    (small.folder / "responses" / "second.csv").write_bytes(as_written(rows[70:]))
    found = load(small)
    assert found.summary[["file", "rows"]].to_numpy().tolist() == [
        ["responses/all.csv", 70],
        ["responses/second.csv", 50],
    ]
    assert found.accepted.loc[70, ORIGIN].tolist() == ["responses/second.csv", "", 2]


# ---- encodings and shapes ----


def _written(small, form: str) -> None:
    rows = small.rows()
    small.csv.unlink()
    if form == "xlsx":
        write_xlsx(
            {"说明": pd.DataFrame({"note": ["read me"]}), "data": rows},
            small.csv.with_suffix(".xlsx"),
        )
        small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    else:
        small.csv.write_bytes(
            rows.to_csv(index=False, sep="\t" if form == "tabs" else ",").encode(
                "utf-8" if form == "tabs" else form
            )
        )


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "tabs", "xlsx"])
def test_every_form_of_the_file_gives_the_same_table(small, form):
    rows = small.rows().assign(interviewer="访问员甲")
    small.write(rows)
    expected = load(small)
    _written(small, form)
    found = load(small)
    pd.testing.assert_frame_equal(
        found.accepted.drop(columns=ORIGIN), expected.accepted.drop(columns=ORIGIN)
    )
    assert found.accepted["interviewer"][0] == "访问员甲"


def test_numbers_and_dates_of_a_workbook_are_read_as_codes(small):
    rows = small.rows()
    expected = load(small)
    numbers = {
        name: pd.to_numeric(rows[name]) for name in ("sex", "streets", "age", "county", "community")
    }
    days = [datetime.date.fromisoformat(day) for day in rows["day"]]
    small.csv.unlink()
    write_xlsx({"data": rows.assign(**numbers, day=days)}, small.csv.with_suffix(".xlsx"))
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    pd.testing.assert_frame_equal(
        load(small).accepted.drop(columns=ORIGIN), expected.accepted.drop(columns=ORIGIN)
    )


def test_two_sheets_of_respondents_are_both_read(small):
    rows = small.rows()
    small.csv.unlink()
    write_xlsx({"甲": rows[:50], "乙": rows[50:]}, small.csv.with_suffix(".xlsx"))
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    assert load(small).summary[["sheet", "rows"]].to_numpy().tolist() == [["甲", 50], ["乙", 70]]


def test_a_sheet_of_notes_is_passed_over_and_logged(small):
    rows = small.rows()
    small.csv.unlink()
    write_xlsx(
        {"甲": rows, "说明": pd.DataFrame({"note": ["a", "b"]})}, small.csv.with_suffix(".xlsx")
    )
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    found = load(small)
    assert found.log[["sheet", "rule", "action"]].to_numpy().tolist() == [["说明", "R213", "note"]]
    assert found.summary["rows"].tolist() == [len(rows)] == [len(found.accepted)]


def test_a_sheet_of_respondents_with_a_misspelt_identifier_is_not_passed_over(small):
    rows = small.rows()
    small.csv.unlink()
    write_xlsx(
        {"甲": rows[:50], "乙": rows[50:].rename(columns={"id": "idd"})},
        small.csv.with_suffix(".xlsx"),
    )
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    with pytest.raises(ResponsesError, match="R101"):
        load(small)


def test_short_rows_are_padded_and_blank_lines_skipped(small):
    lines = small.csv.read_text(encoding="utf-8-sig").splitlines()
    lines[1] = ",".join(lines[1].split(",")[:10])
    lines.insert(2, "," * 5)
    small.csv.write_text("\n".join(lines), encoding="utf-8")
    found = load(small)
    assert found.summary["rows"][0] == 120
    assert pd.isna(found.accepted.loc[0, "overall"])
    assert found.accepted["_row"].tolist()[:2] == [2, 4]


def test_a_quotation_mark_that_is_never_closed_is_refused(small):
    lines = small.csv.read_text(encoding="utf-8-sig").splitlines()
    lines[0] += ",comment"
    lines[1:] = [line + ",fine" for line in lines[1:]]
    lines[5] = lines[5].removesuffix("fine") + '"unfinished'
    small.csv.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputFileError, match=r"all\.csv"):
        load(small)


def test_a_very_long_cell_is_read(small):
    rows = small.rows().assign(comment="")
    rows.loc[3, "comment"] = "长" * 200_000
    small.write(rows)
    assert load(small).summary["rows"][0] == 120


# ---- rules ----

RULE_CASES = {
    "R201": ({"sex": ""}, "sex", ""),
    "R202": ({"streets": "6"}, "streets", "6"),
    "R204": ({"lived_here": "2"}, "lived_here", "2"),
    "R205": ({"day": "2026-05-01"}, "day", "2026-05-01"),
    "R206": ({"community": "99010199"}, "community", "99010199"),
    "R207": ({"residence": "2"}, "residence", "2"),
    "R208": ({"county": "990109"}, "county", "990109"),
    "R210": ({"took_part": "2", "took_part_in": "1"}, "took_part_in", "1"),
    "R211": ({"streets": "５"}, "streets", "５"),
    "R212": ({"age": "abc"}, "age", "abc"),
    "R214": ({"took_part": "1", "took_part_in": "1;2"}, "took_part_in", "1;2"),
    "R218": ({"interviewer": "13800138000"}, "interviewer", "***"),
    "R220": ({"county": "市9901 县990101"}, "county", "市9901 县990101"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULE_CASES)
def test_a_rule_names_row_column_and_value(small, rule):
    cells, column, value = RULE_CASES[rule]
    if rule == "R208":
        small.edit("rules.yaml", "unknown_area: stop", "unknown_area: reject_row")
    if rule == "R214":
        small.edit(
            small.questionnaire,
            "    asked_if: {took_part: [1]}",
            "    max_selected: 1\n    asked_if: {took_part: [1]}",
        )
        rows = small.rows()
        rows["took_part_in"] = ""
        small.write(rows)
    small.change(**cells)
    found = load(small)
    event = found.log[found.log["rule"] == rule].iloc[0]
    action = RULES[rule].action
    zh, en = RULES[rule].text(action)
    assert event.tolist()[:-1] == [
        "responses/all.csv",
        "",
        2,
        "P000",
        column,
        value,
        rule,
        action,
        zh,
        en,
    ]
    assert (len(found.rejected), len(found.accepted)) == (
        (1, 119) if action == "reject_row" else (0, 120)
    )
    if action == "reject_row":
        assert rule in found.rejected["rules"][0].split("; ")
        assert zh in found.rejected["zh"][0]
        assert en in found.rejected["en"][0]
    if action == "blank_item":
        assert pd.isna(found.accepted.loc[0, column])


def test_every_rule_has_a_test():
    elsewhere = [
        "R203",
        "R209",
        "R213",
        "R215",
        "R216",
        "R217",
        "R219",
        "R221",
        "R223",
        "R224",
        "R324",
    ]  # below, in ..._exports, ..._files
    elsewhere += ["R301", "R302", "R303", "R304"]  # test_responses_words.py
    elsewhere += ["R222"]  # test_directions.py
    assert sorted([*RULE_CASES, *elsewhere]) == sorted(RULES)
    assert LOG == (
        "file",
        "sheet",
        "row",
        "id",
        "column",
        "value",
        "rule",
        "action",
        "zh",
        "en",
        "suggestion",
    )


@pytest.mark.parametrize(
    "name",
    ["县990101", " 县９９０１０１ ", "County 990101", "市9901县990101", "测试省市9901县990101"],
)
def test_an_area_may_be_written_by_its_name(small, name):
    small.change(county=name)
    found = load(small)
    assert found.accepted.loc[0, "county"] == "990101"
    assert len(found.accepted) == 120


def test_a_name_that_several_areas_bear_is_not_guessed(small):
    small.edit("areas.csv", "990102,县990102,County 990102", "990102,县990101,County 990102")
    small.edit("rules.yaml", "unknown_area: stop", "unknown_area: reject_row")
    small.change(county="县990101")
    assert "R208" in load(small).rejected["rules"][0]


def test_a_respondent_who_stands_twice_is_kept_once(small):
    rows = small.rows()
    rows.loc[9, "id"] = "P004"
    small.write(rows)
    found = load(small)
    assert found.rejected[["row", "id", "rules"]].to_numpy().tolist() == [[11, "P004", "R203"]]
    assert found.rejected["zh"][0].endswith(f"（见 responses/{small.csv.name} 第 6 行）")
    assert found.rejected["en"][0].endswith(f"(see responses/{small.csv.name} row 6)")
    assert (found.accepted["id"] == "P004").sum() == 1


def test_a_row_with_too_many_cells_is_rejected(small):
    lines = small.csv.read_text(encoding="utf-8-sig").splitlines()
    lines[3] += ",5"
    small.csv.write_text("\n".join(lines), encoding="utf-8")
    assert load(small).rejected[["row", "id", "rules"]].to_numpy().tolist() == [[4, "P002", "R209"]]


@pytest.mark.parametrize("cells", [{"sex": ""}, {"lived_here": "2"}, {"day": "2026-05-01"}])
def test_an_identifier_of_a_rejected_row_is_not_used_up(small, cells):
    small.change(id="P001", **cells)
    found = load(small)
    assert found.accepted.loc[0, ["id", "_row"]].tolist() == ["P001", 3]
    assert "R203" not in set(found.log["rule"])


def test_an_identifier_of_a_row_rejected_for_an_answer_outside_the_scale_is_not_used_up(small):
    small.edit("rules.yaml", "outside_scale: blank_item", "outside_scale: reject_row")
    small.change(id="P001", streets="6")
    found = load(small)
    assert found.rejected["rules"].tolist() == ["R202"]
    assert (found.accepted["id"] == "P001").sum() == 1


def test_outside_the_scale_may_reject_the_row(small):
    small.edit("rules.yaml", "outside_scale: blank_item", "outside_scale: reject_row")
    small.change(streets="6")
    assert load(small).rejected[["row", "rules"]].to_numpy().tolist() == [[2, "R202"]]


def test_a_row_that_breaks_several_rules_is_rejected_once_with_all(small):
    small.change(sex="", day="2026-05-01", community="99010199")
    found = load(small)
    assert len(found.rejected) == 1
    assert set(found.rejected["rules"][0].split("; ")) == {"R201", "R205", "R206"}


@pytest.mark.parametrize("answer", ["1;5", "1;98", "9", "a", ";"])
def test_a_select_all_answer_with_one_undeclared_code_is_blanked_whole(small, answer):
    small.change(values=answer)
    found = load(small)
    assert found.log["rule"].tolist() == ["R202"]
    assert found.accepted.loc[0, ["values", *(f"values_{c}" for c in (1, 2, 3, 4))]].isna().all()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("age", "17"),
        ("age", "111"),
        ("age", "30.5"),
        ("age", "inf"),
        ("day", "2026-13-01"),
        ("day", "2026-04-123"),
        ("day", "45000"),
        ("streets", "5.5"),
        ("streets", "+5"),
    ],
)
def test_a_value_of_the_wrong_kind_is_never_taken(small, column, value):
    small.change(**{column: value})
    found = load(small)
    assert 2 in found.log["row"].tolist()
    assert (
        2 in found.rejected["row"].tolist()
        if column == "day"
        else pd.isna(found.accepted.loc[0, column])
    )


# ---- the file as a whole ----


def test_a_misspelt_column_stops_with_the_near_name(small):
    small.write(small.rows().rename(columns={"streets": "street"}))
    with pytest.raises(
        ResponsesError, match=r"R101[\s\S]*all\.csv row 1[\s\S]*Did you mean 'street'"
    ) as refused:
        load(small)
    assert "street" in refused.value.available


def test_an_unknown_area_stops_unless_the_rules_reject_the_row(small):
    small.change(county="990109")
    with pytest.raises(
        ResponsesError, match=r"R102[\s\S]*responses/all\.csv row 2 column county"
    ) as refused:
        load(small)
    assert ("990101 县990101", "990101 County 990101") in refused.value.available
    assert "unknown_area: reject_row" in refused.value.hint[1]


def test_an_area_that_is_no_longer_valid_names_its_successor(small):
    areas = pd.read_csv(small.folder / "areas.csv", dtype=str, keep_default_na=False).assign(
        successor=""
    )
    areas.loc[len(areas)] = [
        "990103",
        "旧县",
        "Old County",
        "county",
        "990100",
        "2010-01-01",
        "2020-12-31",
        "990102",
    ]
    areas.to_csv(small.folder / "areas.csv", index=False)
    small.change(county="990103")
    with pytest.raises(ResponsesError, match="'990103' is now '990102'"):
        load(small)


def test_no_row_accepted_is_refused_with_the_rules(small):
    small.write(small.rows().assign(lived_here="2"))
    with pytest.raises(ResponsesError, match=r"R104[\s\S]*R204: 120"):
        load(small)


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("F104", b""), ("F104", b"  \n \r\n"), ("F105", b"\xff\xff\xff\xff,\x80\x80\n"), ("R106", b"id,id,day\n1,2,3\n"), ("R101", b"id,day\n1,2\n"),
        ("R101", b"no header here"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(small, code, content):
    small.csv.write_bytes(content)
    with pytest.raises(SatisfactionError) as refused:
        load(small)
    assert refused.value.code == code
    assert "all.csv" in refused.value.where
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)


def test_a_header_without_rows_is_refused(small):
    small.write(small.rows()[:0])
    with pytest.raises(ResponsesError, match="R103"):
        load(small)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "zip"])
def test_a_damaged_workbook_is_refused(small, damage):
    path = small.csv.with_suffix(".xlsx")
    write_xlsx({"data": small.rows()}, path)
    small.csv.unlink()
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    content = {
        "empty": b"",
        "cut": path.read_bytes()[:2000],
        "text": b"id,day\n",
        "zip": b"PK\x03\x04" + bytes(500),
    }[damage]
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"F104|F107"):
        load(small)


# ---- personal data ----

PERSONAL = {
    "telephone": "13800138000", "telephone with country": "+8613800138000", "telephone in parts": "138-0013-8000", "telephone with spaces": "138 0013 8000",
    "telephone after a word": "tel13800138000", "full-width telephone": "１３８００１３８０００", "e-mail": "someone@example.org", "full-width e-mail": "someone＠example.org",
    "identity number": "520102199001011234", "identity number with X": "52010219900101123X", "identity number in parts": "520102 19900101 1234",
    "telephone after a code": "5 13800138000", "telephone before a code": "13800138000 5", "two telephones": "13800138000 13900139000",
}  # fmt: skip


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_data_in_answer_cells_stand_nowhere(small, kind):
    small.edit("rules.yaml", "unknown_area: stop", "unknown_area: reject_row")
    rows = small.rows()
    columns = ["streets", "values", "took_part_in", "age", "day", "sex", "county", "community"]
    for row, column in enumerate(columns):
        rows.loc[row, column] = PERSONAL[kind]
    small.write(rows)
    found = load(small)
    content = "\n".join(
        table.to_csv() for table in (found.accepted, found.rejected, found.log, found.summary)
    )
    assert PERSONAL[kind] not in content
    assert set(found.log["column"]) >= set(columns)


def test_personal_data_in_an_area_cell_do_not_stand_in_the_message(small):
    small.change(county="13800138000")
    with pytest.raises(ResponsesError) as refused:
        load(small)
    assert "13800138000" not in str(refused.value)


# ---- whatever the file holds ----

CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "1",
            "2",
            "5",
            "98",
            "1;2",
            "６",
            "-1",
            "1e3",
            "0x1",
            "nan",
            "None",
            "2026-04-10",
            "2026-02-30",
            *COUNTIES,
            '"',
            ",",
            "\n",
            "\t",
            "\x00",
            "😀",
            "P001",
        ]
    ),
    st.text(max_size=6),
)


@pytest.fixture
def load_file(tmp_path, unchanged):
    """Load a file of the given bytes as the small survey's only one."""

    def load_bytes(content: bytes):
        (tmp_path / "responses.csv").write_bytes(content)
        return load_responses(dataclasses.replace(unchanged, files=(tmp_path / "responses.csv",)))

    return load_bytes


DAMAGE = st.sampled_from(["drop", "double", "cut", "lengthen", "quote"])
PLACES = st.integers(0, 11)


def damaged(record: str, damage: str) -> list[str]:
    """What becomes of one record of the file."""
    if damage == "cut":
        return [record if '"' in record else record[: len(record) // 2]]
    return {
        "drop": [""],
        "double": [record, record],
        "lengthen": [record + ",x,y"],
        "quote": ['"' + record],
    }[damage]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    changes=st.lists(st.tuples(PLACES, st.integers(0, 17), CELLS), max_size=8),
    damages=st.dictionaries(PLACES, DAMAGE, max_size=2),
)
def test_random_damage_loses_no_row_and_raises_nothing_else(load_file, changes, damages):
    rows = small_rows()[:12]
    for row, column, value in changes:
        rows.iloc[row, column] = value
    header, *records = [
        rows.iloc[a:b].to_csv(index=False, header=not b).rstrip("\n")
        for a, b in [(0, 0), *((i, i + 1) for i in range(12))]
    ]
    written = [
        part
        for place, record in enumerate(records)
        for part in (damaged(record, damages[place]) if place in damages else [record])
    ]
    try:
        found = load_file("\n".join([header, *written]).encode())
    except SatisfactionError:
        return
    assert_accounted(found)
    assert found.summary["rows"].sum() == sum(record != "" for record in written)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(content=st.binary(max_size=300))
def test_random_bytes_raise_nothing_else(load_file, content):
    with pytest.raises(SatisfactionError):
        load_file(content)
