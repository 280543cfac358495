"""The log of corrections: what the program records, the program can replay; two at once lose nothing; a broken log has a way back."""

from __future__ import annotations

import csv
import datetime
import io
import multiprocessing
import os

import pytest

from satisfaction.collection.corrections import write_rejected
from satisfaction.collection.responses import correct_responses, load_responses
from satisfaction.foundation import files as leftovers
from satisfaction.foundation.errors import ExportError, ResponsesError
from satisfaction.foundation.files import locked
from satisfaction.foundation.language import use
from satisfaction.foundation.tables import read_tables, write_xlsx

TODAY = datetime.date(2026, 4, 20)
REASON = "reason of the correction"
ENDS = ["对方\r确认", "a\nb", 'said "5"', "\r=1+1", "＝1"]


@pytest.fixture
def handed_out(small):
    """Two rows without a sex; returns the survey and the sheets of the team's workbook."""
    rows = small.rows()
    rows.loc[[0, 1], "sex"] = ""
    small.write(rows)
    survey = small.read()
    path = small.root / "fix.xlsx"
    with use("en"):
        write_rejected(load_responses(survey), survey.questionnaire, path)
    return small, {table.sheet: table.frame() for table in read_tables(path)}


def hand_in(small, sheets, name="back.xlsx", **options):
    write_xlsx(sheets, small.root / name)
    return correct_responses(
        small.read(), small.root / name, **({"by": "李队", "on": TODAY} | options)
    )


def log_of(small):
    text = (small.folder / "corrections.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_one_row_with_two_corrections_of_a_cell_is_refused_and_both_places_named(handed_out):
    small, sheets = handed_out
    data = sheets["data"]
    sheets["data"] = data.loc[[0, 1, 0]].reset_index(drop=True)
    sheets["data"].loc[[0, 2], "sex"] = ["1", "2"]
    with pytest.raises(ResponsesError, match=r"R420[\s\S]*Rows 2 and 4[\s\S]*'1'[\s\S]*'2'"):
        hand_in(small, sheets)
    assert not (small.folder / "corrections.csv").exists()


def test_one_row_twice_with_the_same_correction_is_recorded_once(handed_out):
    small, sheets = handed_out
    sheets["data"] = sheets["data"].loc[[0, 1, 0]].reset_index(drop=True)
    sheets["data"].loc[[0, 2], "sex"] = "1"
    assert len(hand_in(small, sheets).added) == 1
    load_responses(small.read())


@pytest.mark.parametrize("text", ENDS)
def test_any_sign_in_a_reason_or_a_name_stays_in_its_cell(handed_out, text):
    small, sheets = handed_out
    sheets["data"].loc[0, ["sex", REASON]] = ["1", text]
    hand_in(small, sheets, by=text)
    assert len(load_responses(small.read()).accepted) == 119
    assert [row["row"] for row in log_of(small)] == ["2"]


@pytest.mark.parametrize("text", ENDS)
def test_any_sign_in_an_answer_stays_in_its_cell(handed_out, text):
    small, _ = handed_out
    rows = small.rows()
    rows.loc[0, "id"] = text
    small.csv.write_bytes(rows.to_csv(index=False, lineterminator="\r\n").encode())
    survey = small.read()
    (small.root / "fix.xlsx").unlink()
    with use("en"):
        write_rejected(load_responses(survey), survey.questionnaire, small.root / "fix.xlsx")
    sheets = {table.sheet: table.frame() for table in read_tables(small.root / "fix.xlsx")}
    sheets["data"].loc[0, ["id", "sex"]] = [f"{text}2", "1"]
    assert len(hand_in(small, sheets).added) == 2
    assert len(load_responses(small.read()).accepted) == 119


def test_corrections_that_could_not_be_replayed_are_not_written(handed_out, monkeypatch):
    small, sheets = handed_out
    sheets["data"].loc[0, "sex"] = "1"
    hand_in(small, sheets)
    before = (small.folder / "corrections.csv").read_bytes()
    module = "satisfaction.collection.corrections"
    monkeypatch.setattr(
        f"{module}.write_csv",
        lambda table, path: path.write_bytes(before.replace(b"P000", b"P\r0")),
    )
    sheets["data"].loc[1, "sex"] = "2"
    with pytest.raises(ResponsesError, match="R421"):
        hand_in(small, sheets, "second.xlsx")
    assert (small.folder / "corrections.csv").read_bytes() == before
    assert not list(small.folder.glob(".*"))


def test_an_answer_longer_than_a_cell_is_not_blamed_on_anybody(handed_out):
    small, _ = handed_out
    rows = small.rows()
    rows.loc[0, "interviewer"] = "长" * 33_000
    small.write(rows)
    survey = small.read()
    (small.root / "fix.xlsx").unlink()
    with use("en"):
        write_rejected(load_responses(survey), survey.questionnaire, small.root / "fix.xlsx")
    sheets = {table.sheet: table.frame() for table in read_tables(small.root / "fix.xlsx")}
    sheets["data"].loc[0, "interviewer"] = "I0"
    with pytest.raises(ResponsesError, match=r"R109[\s\S]*32,767 characters"):
        hand_in(small, sheets)


# ---- two at once ----


def one_team(small, row, barrier):
    sheets = {table.sheet: table.frame() for table in read_tables(small.root / "fix.xlsx")}
    sheets["data"].loc[row, "sex"] = "1"
    barrier.wait()
    hand_in(small, sheets, f"team{row}.xlsx")


def test_two_teams_at_once_both_land(handed_out):
    small, _ = handed_out
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(2)
    teams = [fork.Process(target=one_team, args=(small, row, barrier)) for row in (0, 1)]
    for team in teams:
        team.start()
    for team in teams:
        team.join()
    assert [team.exitcode for team in teams] == [0, 0]
    assert sorted(row["row"] for row in log_of(small)) == ["2", "3"]
    assert not list(small.folder.glob(".*"))


def test_a_lock_that_is_held_is_named_after_the_patience_ends(tmp_path):
    path = tmp_path / "corrections.csv"
    with (
        locked(path),
        pytest.raises(ExportError, match=rf"X421[\s\S]*{os.getpid()}"),
        locked(path, patience=0),
    ):
        pass
    with locked(path, patience=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over_and_that_is_said(tmp_path, monkeypatch, capsys):
    path = tmp_path / "corrections.csv"
    lock = tmp_path / ".corrections.csv.lock"
    lock.write_text(f"{leftovers._host()} {2**22 + 1}")
    with locked(path, patience=0):
        pass
    assert f"({leftovers._host()} {2**22 + 1})" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_machine_is_never_taken_over(tmp_path):
    lock = tmp_path / ".corrections.csv.lock"
    lock.write_text("elsewhere 1")
    with (
        pytest.raises(ExportError, match=r"elsewhere 1"),
        locked(tmp_path / "corrections.csv", patience=0),
    ):
        pass
    assert lock.exists()


def test_two_that_find_a_dead_lock_do_not_both_hold_it(tmp_path, monkeypatch):
    lock = tmp_path / ".corrections.csv.lock"
    dead = f"{leftovers._host()} {2**22 + 1}"
    lock.write_text(
        "the quicker one"
    )  # what lies there when this process, which saw the dead one, acts
    leftovers._take_over(lock, dead)
    assert lock.read_text() == "the quicker one"


# ---- a log that is broken already ----


def broken(small):
    """A log of three rows as 0.5 could write it: the second does not fit any more, the third is split by a carriage return."""
    head = "file,sheet,row,id,column,old,new,by,date,reason"
    rows = [
        "responses/all.csv,,2,P000,sex,,1,李队,2026-04-20,",
        "responses/all.csv,,2,P000,sex,,2,李队,2026-04-20,",
    ]
    rows += ["responses/all.csv,,3,P001,sex,,2,李队,2026-04-20,对方\r确认为"]
    log = small.folder / "corrections.csv"
    log.write_bytes("\n".join([head, *rows, ""]).encode("utf-8-sig"))
    return log


def test_a_broken_log_names_its_first_row_and_the_way_back(handed_out, call):
    small, _ = handed_out
    broken(small)
    for asked in (
        ["check", small.folder],
        ["run", small.folder],
        ["corrections", small.folder, "--check"],
    ):
        code, _, err = call(*asked)
        assert code == 2
        assert "[R109]" in err
        assert "corrections.csv row 3" in err
        assert "--set-aside" in err


def test_set_aside_keeps_what_can_be_replayed_and_the_old_log_as_it_was(handed_out, call):
    small, _ = handed_out
    log = broken(small)
    before = log.read_bytes()
    code, out, _ = call("corrections", small.folder, "--set-aside")
    kept = next(small.folder.glob("corrections-*.csv"))
    assert code == 0
    assert kept.read_bytes() == before
    assert kept.name in out
    assert "left out: 2" in out
    assert "corrections.csv row 3" in out
    assert [(row["row"], row["new"]) for row in log_of(small)] == [("2", "1"), ("3", "2")]
    assert call("check", small.folder)[0] == call("run", small.folder)[0] == 0


@pytest.mark.parametrize("content", ["", "file,row\nx,1\n", 'file,"row\nx', "\x00\x01"])
def test_a_log_that_is_no_log_is_set_aside_whole(handed_out, call, content):
    small, _ = handed_out
    (small.folder / "corrections.csv").write_bytes(content.encode())
    assert call("corrections", small.folder, "--check")[0] == 2
    code, out, _ = call("corrections", small.folder, "--set-aside")
    assert (code, "can be replayed: 0" in out) == (0, True)
    assert next(small.folder.glob("corrections-*.csv")).read_bytes() == content.encode()
    assert call("check", small.folder)[0] == 0


def test_a_sound_log_is_left_alone(handed_out, call):
    small, sheets = handed_out
    sheets["data"].loc[0, "sex"] = "1"
    hand_in(small, sheets)
    before = (small.folder / "corrections.csv").read_bytes()
    for option in ("--check", "--set-aside"):
        code, out, _ = call("corrections", small.folder, option)
        assert (code, "can be replayed: 1" in out) == (0, True)
    assert (small.folder / "corrections.csv").read_bytes() == before
    assert not list(small.folder.glob("corrections-*"))


def test_one_way_at_a_time_is_asked_for(small, call):
    code, _, err = call("corrections", small.folder)
    assert (code, "--set-aside" in err) == (2, True)
