"""Personal data in odd places and odd spellings: never on screen, never in a published file, and few false alarms."""

from __future__ import annotations

import pandas as pd
import pytest

from satisfaction.collection.identifiers import pseudonyms
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.personal import is_personal, masked_names, masked_within, plain_number

MOBILE = "13800138000"
PLANTED = (
    "0851-85551234", "(0851) 8555 1234", "010-85551234", "52010219900101123X", "520102690715123", "4111 1111 1111 1111",
    "6222021234567890128", "138–0013–8000", "138_0013_8000", "138，0013，8000", "138、0013、8000", "138·0013·8000",
    "1\u200b3\u200b8\u200b0\u200b0\u200b1\u200b3\u200b8\u200b0\u200b0\u200b0", "zhang at qq dot com", "zhang(at)example.com", "zhang [at] mail [dot] cn",
)  # fmt: skip
HARMLESS = (
    "202607150001", "520102", "2026-07-15", "2026-07-15 10:20:30", "20260715102030", "520102260715001", "20260715-0001", "020-20260715",
    "1,2,3,4,5,6,7,8,9,10,11", "1;3;4;5;6;7;8;9;10;98", "P-0001", "4111111111111112", "3.14159265358979", "look at the streets",
    "2026T1-990101-1-05-003", "00000000000012", "1234567890",
)  # fmt: skip


@pytest.mark.parametrize("value", PLANTED)
def test_it_is_recognised(value):
    assert is_personal(value)
    assert is_personal(f"联系 {value}。")
    assert masked_within(f"联系 {value}。") in ("联系 ***。", "联系 (***。")


@pytest.mark.parametrize("value", HARMLESS)
def test_numbers_of_the_survey_are_not_masked(value):
    assert not is_personal(value)
    assert masked_within(f"responses/{value}.csv") == f"responses/{value}.csv"


def test_only_the_number_in_a_name_is_masked_and_names_stay_different():
    names = [
        "responses/张三_13800138000.xlsx",
        "responses/13900139000.csv",
        "responses/13700137000.csv",
        "responses/a@1.csv",
    ]
    assert masked_names(names) == [
        "responses/张三_***.xlsx",
        "responses/***.csv",
        "responses/***.csv#2",
        "responses/a@1.csv",
    ]


@pytest.mark.parametrize(
    "spelling",
    ["138 0013 8000", "138-0013-8000", "+86 13800138000", "８６13800138000", "008613800138000"],
)
def test_one_telephone_in_two_spellings_is_one_number(spelling):
    assert plain_number(spelling) == MOBILE
    assert len(set(pseudonyms([MOBILE, spelling], "id").values())) == 1


def test_addresses_of_networks_are_never_joined_to_one():
    assert len(set(pseudonyms(["1.23.4.5", "12.3.4.5"], "ip").values())) == 2


@pytest.mark.parametrize("key", ["", "secret", "\udce9t\udce9"])
def test_one_telephone_in_two_spellings_is_one_respondent(small, monkeypatch, key):
    if key:
        monkeypatch.setenv("SATISFACTION_KEY", key)
    rows = small.rows()
    rows.loc[0, "id"], rows.loc[1, "id"] = MOBILE, "138 0013 8000"
    small.write(rows)
    responses = load_responses(small.read())
    assert responses.rejected["rules"].tolist() == ["R203"]


def test_a_respondent_named_like_a_pseudonym_is_somebody_else(small):
    rows = small.rows()
    rows.loc[0, "id"], rows.loc[1, "id"], rows.loc[2, "id"] = MOBILE, "id 1", "ID 2"
    small.write(rows)
    responses = load_responses(small.read())
    assert responses.rejected.empty
    assert responses.accepted["id"].iloc[:3].tolist() == ["id 3", "id 1", "ID 2"]


@pytest.mark.parametrize("value", [MOBILE, "52010219900101123X", "zhang@qq.com", "10.1.2.3"])
def test_no_area_column_shows_it_on_screen(small, call, value):
    small.change(county=value)
    _, out, err = call("check", small.folder)
    assert value not in out + err
    assert "***" in out


def test_no_name_of_a_file_sheet_member_or_team_shows_it(small, call):
    rows = small.rows()
    named = small.csv.with_name("张三_13800138000.xlsx")
    with pd.ExcelWriter(named, engine="xlsxwriter") as book:
        rows.iloc[:60].to_excel(book, sheet_name="李四13900139000", index=False)
        rows.iloc[60:].to_excel(book, sheet_name="王五13700137000", index=False)
    small.csv.unlink()
    small.edit(
        "survey.yaml",
        "[responses/*.csv]",
        "[{pattern: responses/*.xlsx, team: 赵六 0851-85551234}]",
    )
    shown = []
    for command in (
        ["check"],
        ["run"],
        ["report"],
        ["fieldwork"],
        ["check", "--rejected", small.root / "fix.xlsx"],
    ):
        code, out, err = call(command[0], small.folder, *command[1:])
        assert code in (0, 1), err
        shown.append(out + err)
    written = [path for path in (small.folder / "out").rglob("*") if path.is_file()]
    shown += [path.read_bytes().decode("utf-8", errors="replace") for path in written]
    for number in ("13800138000", "13900139000", "13700137000", "85551234"):
        assert not [text for text in shown if number in text]
    assert any("张三_***.xlsx" in text for text in shown)
    summary = load_responses(small.read()).summary
    assert summary[["rows", "accepted", "rejected"]].sum().tolist() == [120, 120, 0]


def test_no_error_shows_it(small, call):
    small.csv.rename(small.csv.with_name("13800138000.csv"))
    (small.csv.with_name("13800138000.csv")).write_bytes(b"\xef\xbb\xbf")
    code, out, err = call("check", small.folder)
    assert code == 2
    assert "***.csv" in err
    assert MOBILE not in out + err


def test_no_reason_of_lost_points_shows_it(tmp_path):
    from satisfaction.declarations.assessment_tables import read_sheet
    from satisfaction.declarations.combined import Assessment

    (tmp_path / "lost.csv").write_text(
        f"code,item,points,reason\n990101,a,2,举报人 {MOBILE} 来电\n", encoding="utf-8"
    )
    item = {"zh": "甲", "en": "A", "points": 10, "department": "城管"}
    declared = Assessment.model_validate(
        {"title": {"zh": "测", "en": "T"}, "source": "test", "items": {"a": item}}
    )
    lost = read_sheet(tmp_path / "lost.csv", declared, ["990101"]).lost
    assert lost["reason"].tolist() == ["举报人 *** 来电"]


def test_a_log_of_corrections_that_names_a_file_as_it_was_is_replayed(small):
    named = small.csv.with_name("13800138000.csv")
    small.csv.rename(named)
    old = pd.read_csv(named, dtype=str, keep_default_na=False)["streets"].iloc[0]
    rows = [
        (
            "responses/13800138000.csv",
            "",
            "2",
            "P000",
            "streets",
            old,
            "5",
            "A",
            "2026-04-20",
            "asked again",
        )
    ]
    columns = ["file", "sheet", "row", "id", "column", "old", "new", "by", "date", "reason"]
    pd.DataFrame(rows, columns=columns).to_csv(small.folder / "corrections.csv", index=False)
    accepted = load_responses(small.read()).accepted
    assert accepted["streets"].iloc[0] == 5
    assert set(accepted["_file"]) == {"responses/***.csv"}
