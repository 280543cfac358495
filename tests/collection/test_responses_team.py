"""What a team gets back and hands in: rejected rows to correct, corrections replayed, no personal data anywhere."""

from __future__ import annotations

import datetime
import re
import sys
import zipfile

import pandas as pd
import pytest

from satisfaction import cli, export, run
from satisfaction.collection.account import log_events
from satisfaction.collection.corrections import CORRECTIONS, write_rejected
from satisfaction.collection.identifiers import is_personal_title
from satisfaction.collection.responses import (
    correct_responses,
    load_responses,
    set_corrections_aside,
)
from satisfaction.foundation.errors import ResponsesError
from satisfaction.foundation.language import use
from satisfaction.foundation.personal import is_personal
from satisfaction.foundation.tables import read_tables, write_xlsx

TODAY = datetime.date(2026, 4, 20)
PLANTED = {
    "phone": "13912345678", "phone with spaces": "139 1234 5678", "phone abroad": "+86-139-1234-5678", "identity": "520102199001011234",
    "identity X": "52010219900101123X", "mail": "zhang.san@example.com", "ip": "203.0.113.77", "wide": "１３９１２３４５６７８", "wide mail": "zhang＠example.com",
}  # fmt: skip


@pytest.fixture
def faulty(small):
    """Four rejected rows: no sex, outside the period, twice the same id, PSU unknown."""
    rows = small.rows()
    rows.loc[0, "sex"] = ""
    rows.loc[1, "day"] = "2026-05-01"
    rows.loc[2, "id"] = "P004"
    rows.loc[4, "streets"] = "6"
    rows.loc[3, "community"] = "99010199"
    small.write(rows)
    return small


NAMES = {
    "zh": ["文件", "工作表", "行", "状态", "问题", "更正理由"],
    "en": ["file", "sheet", "row", "state", "problem", "reason of the correction"],
}
SHEET = {"zh": "数据", "en": "data"}


def written(small, language="zh"):
    """Write rejected.xlsx in a language; returns its path and its sheets as they stand in it."""
    path = small.root / "rejected.xlsx"
    path.unlink(missing_ok=True)  # nothing is overwritten
    survey = small.read()
    with use(language):
        write_rejected(load_responses(survey), survey.questionnaire, path)
    return path, {table.sheet: table.frame() for table in read_tables(path)}


def workbook(small):
    """Write rejected.xlsx; returns its path and its sheets under the names that versions up to 0.7 gave them."""
    path, sheets = written(small)
    names = dict(zip(NAMES["zh"], ["file", "sheet", "row", "state", "zh", "reason"], strict=True))
    return path, {"data": sheets["数据"].rename(columns=names), "as_read": sheets["as_read"]}


def hand_in(small, path, sheets, **options):
    write_xlsx(sheets, path)
    return correct_responses(small.read(), path, **({"by": "李队", "on": TODAY} | options))


# ---- rejected.xlsx ----


def test_rejected_rows_are_handed_back_as_read(faulty):
    _, sheets = workbook(faulty)
    data, rows = sheets["data"], faulty.rows()
    assert data[["file", "row"]].to_numpy().tolist() == [
        ["responses/all.csv", str(row)] for row in (2, 3, 5, 6)
    ]
    found = load_responses(faulty.read())
    assert data["zh"].tolist() == found.to_correct["zh"].tolist()
    assert set(found.rejected["row"].astype(str)) == set(
        data.loc[data["state"] == "无效问卷", "row"]
    )
    origin = rows.set_index(rows.index + 2)
    for record in data.to_dict("records"):
        assert {name: record[name] for name in rows} == origin.loc[int(record["row"])].to_dict()
    assert sheets["as_read"].drop(columns=["file", "sheet", "row"]).to_dict("records") == data[
        list(rows)
    ].to_dict("records")


def test_the_same_rows_give_the_same_bytes(faulty):
    first, _ = workbook(faulty)
    before = first.read_bytes()
    assert workbook(faulty)[0].read_bytes() == before


def test_faulty_cells_are_marked(faulty):
    path, _ = workbook(faulty)
    sheet = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()
    styles = dict(re.findall(r'<c r="([A-Z]+\d+)" s="(\d+)"', sheet))
    columns = [*NAMES["zh"], *faulty.rows()]
    letters = {name: chr(ord("A") + place) for place, name in enumerate(columns)}
    red = styles[f"{letters['sex']}2"]
    faults = [("sex", 2), ("day", 3), ("community", 4), ("id", 5), ("streets", 5)]
    assert {cell for cell, style in styles.items() if style == red} == {
        f"{letters[name]}{row}" for name, row in faults
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_workbook_speaks_one_language_and_is_read_back(faulty, language):
    path, sheets = written(faulty, language)
    assert list(sheets) == [SHEET[language], "as_read"]
    data = sheets[SHEET[language]]
    assert list(data)[:6] == NAMES[language]
    problems = "".join([*data[NAMES[language][3]], *data[NAMES[language][4]]])
    has_chinese = bool(re.search("[\u2e80-\uffef]", problems))
    assert has_chinese == (language == "zh")
    data.loc[0, ["sex", NAMES[language][5]]] = ["2", "again"]
    corrected = hand_in(faulty, path, sheets)
    assert corrected.added[["row", "column", "new", "reason"]].to_numpy().tolist() == [
        ["2", "sex", "2", "again"]
    ]


# ---- corrections ----


def test_a_corrected_workbook_is_recorded_and_replayed(faulty):
    path, sheets = workbook(faulty)
    data = sheets["data"]
    data.loc[0, ["sex", "reason"]] = ["2", "回访"]
    data.loc[1, "day"] = "2026-04-11"
    corrected = hand_in(faulty, path, sheets)
    assert (corrected.repeated, len(corrected.still)) == (0, 0)
    assert corrected.added[
        ["row", "column", "old", "new", "by", "date", "reason"]
    ].to_numpy().tolist() == [
        ["2", "sex", "", "2", "李队", "2026-04-20", "回访"],
        ["3", "day", "2026-05-01", "2026-04-11", "李队", "2026-04-20", ""],
    ]
    found = load_responses(faulty.read())
    assert len(found.rejected) == 2
    assert found.accepted.set_index("_row").loc[2, "sex"] == 2
    replayed = found.log[found.log["rule"] == "R216"]
    assert replayed[["row", "column", "value"]].to_numpy().tolist() == [
        [2, "sex", " → 2"],
        [3, "day", "2026-05-01 → 2026-04-11"],
    ]


def corrected_once(faulty):
    """Record that P001, whose interview was outside the period, was interviewed on another day."""
    path, sheets = workbook(faulty)
    sheets["data"].loc[1, "day"] = "2026-04-11"
    hand_in(faulty, path, sheets)


def test_a_correction_follows_its_respondent_in_a_new_version_of_the_file(faulty):
    corrected_once(faulty)
    rows = faulty.rows()
    rows.loc[2, "day"] = "2026-05-01"  # the fault that was corrected, in the row that moves up
    faulty.write(pd.concat([rows[2:], rows[:2]], ignore_index=True))
    loaded = load_responses(faulty.read())
    replayed = loaded.log[loaded.log["rule"] == "R216"]
    assert replayed[["row", "id"]].to_numpy().tolist() == [[121, "P001"]]
    assert "P001" in set(loaded.accepted["id"])
    assert loaded.log[loaded.log["rule"] == "R205"]["id"].tolist() == ["P004"]


def test_a_correction_of_a_respondent_who_is_gone_stops_and_changes_nobody_else(faulty):
    corrected_once(faulty)
    rows = faulty.rows()
    rows.loc[2, "day"] = "2026-05-01"
    faulty.write(rows.drop(index=1))
    with pytest.raises(ResponsesError, match=r"(?s)R112.*corrections\.csv row 2.*P004.*P001"):
        load_responses(faulty.read())
    _aside, faults = set_corrections_aside(faulty.read(), on=TODAY)
    assert [fault.code for fault in faults] == ["R112"]
    assert load_responses(faulty.read()).log["rule"].tolist().count("R205") == 1


def test_a_correction_of_a_respondent_without_a_name_is_replayed_whatever_stands_for_them(
    faulty, monkeypatch
):
    rows = faulty.rows()
    rows["id"] = [f"1391234{place:04d}" for place in range(len(rows))]
    faulty.write(rows)
    corrected_once(faulty)
    monkeypatch.setenv("SATISFACTION_KEY", "key")
    assert "R216" in set(load_responses(faulty.read()).log["rule"])


def test_a_workbook_of_the_file_before_is_refused_where_rows_have_moved(faulty):
    path, sheets = workbook(faulty)
    sheets["data"].loc[1, "day"] = "2026-04-11"
    rows = faulty.rows()
    rows.loc[2, "day"] = "2026-05-01"
    faulty.write(rows.drop(index=0))
    with pytest.raises(ResponsesError, match="R109"):
        hand_in(faulty, path, sheets)
    assert not (faulty.folder / "corrections.csv").exists()


def test_the_log_of_corrections_only_grows(faulty):
    path, sheets = workbook(faulty)
    sheets["data"].loc[0, "sex"] = "2"
    hand_in(faulty, path, sheets)
    log = faulty.folder / "corrections.csv"
    before = log.read_bytes()
    path, sheets = workbook(faulty)
    sheets["data"].loc[0, "day"] = "2026-04-12"
    hand_in(faulty, path, sheets)
    assert log.read_bytes().startswith(before)
    assert len(load_responses(faulty.read()).rejected) == 2
    path, sheets = workbook(faulty)
    assert hand_in(faulty, path, sheets).added.empty


def test_blanked_answers_come_back_and_can_be_corrected(small):
    small.change(streets="6")
    path, sheets = workbook(small)
    data = sheets["data"]
    assert data[["row", "state", "streets"]].to_numpy().tolist() == [["2", "有答案被空白", "6"]]
    assert data.loc[0, "zh"].startswith("streets：答案不在量表内")
    data.loc[0, "streets"] = "5"
    assert hand_in(small, path, sheets).still.empty
    found = load_responses(small.read())
    assert found.accepted.loc[0, "streets"] == 5
    assert found.to_correct.empty


def test_a_correction_that_is_no_answer_is_told_at_once(faulty):
    path, sheets = workbook(faulty)
    sheets["data"].loc[0, "sex"] = "7"
    still = hand_in(faulty, path, sheets).still
    assert still[["row", "column", "value", "rule"]].to_numpy().tolist() == [
        ["2", "sex", "7", "R202"],
        ["2", "sex", "7", "R201"],
    ]


def test_the_same_workbook_handed_back_twice_changes_nothing(faulty, call):
    path, sheets = workbook(faulty)
    sheets["data"].loc[0, "sex"] = "2"
    hand_in(faulty, path, sheets)
    before = (faulty.folder / "corrections.csv").read_bytes()
    code, out, err = call("corrections", faulty.folder, path)
    assert (code, err) == (0, "")
    assert "recorded before and not again: 1" in out
    assert (faulty.folder / "corrections.csv").read_bytes() == before


def test_check_shows_everything_although_a_run_would_stop(small, call, tmp_path):
    small.change(county="990109")
    small.edit("rules.yaml", "outside_scale: blank_item", "outside_scale: reject_row")
    code, out, err = call("check", small.folder, "--rejected", tmp_path / "fix.xlsx")
    assert code == 2
    assert "R102" in err
    assert "R208" in out
    assert (tmp_path / "fix.xlsx").is_file()
    rows = small.rows()
    small.write(rows.assign(sex=""))
    code, out, err = call("check", small.folder)
    assert code == 2
    assert "R104" in err


def row_unknown(sheets):
    for sheet in sheets.values():
        sheet.loc[0, "row"] = "999"
    sheets["data"].loc[0, "sex"] = "2"


def row_added(sheets):
    sheets["data"].loc[0, "row"] = "77"


def old_differs(sheets):
    sheets["as_read"].loc[0, "sex"] = "1"
    sheets["data"].loc[0, "sex"] = "2"


def no_keys(sheets):
    sheets["data"] = sheets["data"].drop(columns="row")


def no_sheet(sheets):
    del sheets["as_read"]


def personal(sheets):
    sheets["data"].loc[0, "interviewer"] = "13912345678"


FAULTS = {
    row_unknown: "R108",
    row_added: "R108",
    old_differs: "R109",
    no_keys: "R111",
    no_sheet: "R111",
    personal: "R110",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_workbook_that_does_not_fit_is_refused_and_nothing_written(faulty, fault):
    path, sheets = workbook(faulty)
    sheets["data"].loc[1, "day"] = "2026-04-11"
    fault(sheets)
    with pytest.raises(ResponsesError) as refused:
        hand_in(faulty, path, sheets)
    assert refused.value.code == FAULTS[fault]
    assert "13912345678" not in str(refused.value)
    assert not list(faulty.folder.glob("*corrections*"))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("responses/all.csv,,2,P000,sex,1,2,a,2026-04-20,", "R109"), ("responses/all.csv,,999,P000,sex,,2,a,2026-04-20,", "R108"),
        ("responses/all.csv,,2,P000,sexx,,2,a,2026-04-20,", "R108"), ("responses/all.csv,,2,P000,id,P000,13912345678,a,2026-04-20,", "R110"),
    ],
)  # fmt: skip
def test_a_correction_that_does_not_fit_the_rows_stops_the_run(faulty, line, code):
    (faulty.folder / "corrections.csv").write_text(
        ",".join(CORRECTIONS) + "\n" + line + "\n", encoding="utf-8"
    )
    with pytest.raises(ResponsesError, match=rf"{code}\][\s\S]*corrections.csv row 2"):
        load_responses(faulty.read())


def test_a_corrections_log_without_its_columns_is_refused(faulty):
    (faulty.folder / "corrections.csv").write_text("file,row\nx,1\n", encoding="utf-8")
    with pytest.raises(ResponsesError, match="R107"):
        load_responses(faulty.read())


def test_check_and_corrections_on_the_command_line(faulty, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["satisfaction", *map(str, arguments)])
        cli.main()
        return capsys.readouterr().out

    path = faulty.root / "r.xlsx"
    out = call("check", faulty.folder, "--rejected", path)
    assert "认出的列" in out
    assert str(path) in out
    sheets = {table.sheet: table.frame() for table in read_tables(path)}
    sheets["数据"].loc[0, "sex"] = "2"
    write_xlsx(sheets, path)
    assert "已记录的更正：1" in call("corrections", faulty.folder, path, "--by", "李队")


# ---- personal data ----


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("key", [None, "a secret"])
def test_planted_personal_data_stand_nowhere(small, kind, key, monkeypatch):
    monkeypatch.delenv("SATISFACTION_KEY", raising=False)
    if key:
        monkeypatch.setenv("SATISFACTION_KEY", key)
    value, rows = PLANTED[kind], small.rows()
    for row, column in enumerate(
        ["id", "interviewer", "community", "streets", "values", "age", "day", "sex", "took_part_in"]
    ):
        rows.loc[row, column] = value
    rows.loc[20, ["id", "sex"]] = [value, ""]
    small.write(
        rows.assign(
            **{"姓名": "张三丰", "手机号": value, "备注": value, "来自IP": value, value: "x"}
        )
    )
    survey = small.read()
    found = load_responses(survey)
    write_rejected(found, survey.questionnaire, small.root / "rejected.xlsx")
    sheets = "".join(table.frame().to_csv() for table in read_tables(small.root / "rejected.xlsx"))
    tables = (
        found.accepted,
        found.rejected,
        found.log,
        found.summary,
        found.columns,
        found.by_interviewer,
        found.by_area,
        found.as_read,
    )
    content = sheets + "".join(table.to_csv() for table in tables)
    assert value not in content
    assert "张三丰" not in content
    assert {"id", "interviewer", "community"} <= set(
        found.log.loc[found.log["rule"] == "R218", "column"]
    )
    names = found.accepted.set_index("_row")["interviewer"]
    assert re.fullmatch(r"[0-9a-f]{16}" if key else "interviewer 1", names[3])


def test_an_exported_folder_holds_no_personal_data(small):
    small.edit(
        "rules.yaml",
        "outside_scale: blank_item",
        "outside_scale: blank_item\n  unknown_answers: {count: 9, repeated: 10}",
    )
    rows = small.rows()
    for row, value in enumerate(PLANTED.values(), 30):
        rows.loc[row, "interviewer"] = value
        rows.loc[row, "parks"] = value
    small.write(rows.assign(姓名="张三丰", 邮箱=PLANTED["mail"]))
    folder = export(run(small.read()), small.root / "out")
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [value for value in (*PLANTED.values(), "张三丰") if value.encode() in content]


def test_devices_are_told_apart_without_being_named(small):
    rows = small.rows()
    rows = rows.assign(
        _submission_time="2026-04-10T10:00:00",
        _uuid=[f"u{i}" for i in range(120)],
        deviceid=["imei-7", "imei-9"] * 60,
    )
    small.write(rows)
    found = load_responses(small.read())
    assert found.accepted["_device"].tolist() == ["device 1", "device 2"] * 60
    assert found.summary["platform"].tolist() == ["kobo"]


def test_a_respondent_known_by_telephone_becomes_a_number_and_stays_unique(small):
    rows = small.rows()
    numbers = [0, 0, *range(1, 119)]
    rows["id"] = [f"139{number:08d}" for number in numbers]
    small.write(rows)
    found = load_responses(small.read())
    assert len(found.accepted) == 119
    assert found.accepted["id"].tolist()[:2] == ["id 1", "id 2"]
    assert set(found.log["rule"]) == {"R218", "R203"}


@pytest.mark.parametrize("title", ["姓名", "您的姓名", "联系电话", "手机号码", "身份证号", "电子邮箱", "微信号", "QQ", "IP", "来自IP", "Name", "phone number", "Mobile", "E-mail", "ID card", "家庭住址", "Address"])  # fmt: skip
def test_titles_of_personal_data(title):
    assert is_personal_title(title)


@pytest.mark.parametrize("title", ["编号", "社区", "访问员", "Interviewer", "id", "Community", "您是否通过微信参与活动", "relationship", "Number", "community name of record"])  # fmt: skip
def test_titles_of_other_columns(title):
    assert not is_personal_title(title)


@pytest.mark.parametrize(
    "value",
    ["2026-04-10 09:30:00", "990101", "P000", "1;2;3", "5.5", "2026Q3-522702R051-07", "520102"],
)
def test_usual_answers_are_not_personal(value):
    assert not is_personal(value)


def test_a_lacking_column_is_looked_for_among_columns_that_no_item_has(small):
    rows = small.rows()
    small.write(rows.rename(columns={"streets": "背街小巷环境"}))
    with pytest.raises(ResponsesError, match="背街小巷环境") as raised:
        load_responses(small.read())
    assert raised.value.code == "R101"
    assert "'safety'" not in str(raised.value)
    assert "可用：背街小巷环境" in str(raised.value)


@pytest.mark.parametrize("typed", ["1,2", "1，2", "1、2", "1；2", "1 2", "1/2", "1;2"])
def test_options_may_be_parted_as_people_type(small, typed):
    name = next(
        n for n, item in small.read().questionnaire.items.items() if item.type == "multiple"
    )
    small.change(**{name: typed})
    first = load_responses(small.read()).accepted.iloc[0]
    assert [first[f"{name}_1"], first[f"{name}_2"]] == [1, 1]


def test_no_suggestion_says_the_opposite():
    raw = pd.DataFrame({"_file": "a.csv", "_sheet": "", "_row": [2, 3], "_id": ["1", "2"]})
    values = pd.Series(["很满", "很不满"])
    near = ["很不满意", "一般"]
    log = log_events(raw, values != "", "overall", values=values, rule="R202", near=near)
    assert list(log["suggestion"]) == ["", "很不满意"]
