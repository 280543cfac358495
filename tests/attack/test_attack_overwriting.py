"""No command writes over what lies there; files and folders appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from contextlib import ExitStack, suppress

import pandas as pd
import pytest

from satisfaction.foundation import files as leftovers
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import dated_folder, new_file, new_folder, point_latest
from satisfaction.foundation.tables import write_csv

DEAD = 2**22 + 1  # no process has this number


@pytest.fixture
def sets(published):
    """Two file sets of the small survey."""
    first = (published.folder / "out" / "latest").resolve()
    return first, shutil.copytree(first, first.with_name("second"))


@pytest.fixture
def drawn(tmp_path, call):
    frame = pd.DataFrame(
        {"community": [f"C{i}" for i in range(6)], "county": "1", "residence": "1", "adults": 100}
    )
    write_csv(frame, tmp_path / "frame.csv")
    asked = (
        "draw",
        tmp_path / "frame.csv",
        "--out",
        tmp_path / "draw",
        "--take",
        2,
        "--waves",
        2,
        "--seed",
        1,
    )
    assert call(*asked)[0] == 0
    return asked


def refused(call, path, *arguments):
    """Call a command whose target is there; what lies there stays as it was."""
    before = path.read_bytes() if path.is_file() else sorted(path.iterdir())
    beside = sorted(path.parent.iterdir())
    code, _, err = call(*arguments)
    assert code == 2
    assert f"{path.name} is there already; nothing is overwritten." in err
    assert (path.read_bytes() if path.is_file() else sorted(path.iterdir())) == before
    assert sorted(path.parent.iterdir()) == beside


def test_check_refuses_the_workbook_of_yesterday(small, call):
    path = small.root / "fix.xlsx"
    path.write_bytes(b"what the team has corrected")
    refused(call, path, "check", small.folder, "--rejected", path)


@pytest.mark.parametrize("name", ["responses/all.csv", "survey.yaml", "fix.csv", "fix"])
def test_check_refuses_an_input_or_another_ending(small, call, name):
    path, before = small.folder / name, small.csv.read_bytes()
    code, _, err = call("check", small.folder, "--rejected", path)
    assert (code, "[X102] --rejected" in err) == (2, True)
    assert small.csv.read_bytes() == before


@pytest.mark.parametrize("name", ["differences.csv", "differences.xlsx"])
def test_compare_refuses_a_file_that_is_there(sets, call, tmp_path, name):
    (tmp_path / name).write_bytes(b"what somebody has written")
    refused(call, tmp_path / name, "compare", *sets, "--out", tmp_path / name)


def test_a_form_is_not_read_back_over_a_file(small, call, tmp_path):
    assert call("form", small.questionnaire, "--out", tmp_path / "form")[0] == 0
    (tmp_path / "q.yaml").write_bytes(b"fielded")
    refused(
        call,
        tmp_path / "q.yaml",
        "form",
        "--read",
        tmp_path / "form" / "xlsform.xlsx",
        "--out",
        tmp_path / "q.yaml",
    )
    refused(call, tmp_path / "form", "form", small.questionnaire, "--out", tmp_path / "form")


def test_a_draw_and_a_later_sample_refuse_what_is_there(drawn, call, tmp_path):
    refused(call, tmp_path / "draw", *drawn)
    panel = tmp_path / "draw" / "panel.csv"
    refused(
        call,
        tmp_path / "frame.csv",
        "next-sample",
        panel,
        "--wave",
        2,
        "--out",
        tmp_path / "frame.csv",
    )
    code, _, err = call("next-sample", panel, "--wave", 2, "--out", tmp_path / "next.xlsx")
    assert (code, "[X102] --out" in err) == (2, True)


def test_a_report_and_a_new_survey_refuse_what_is_there(small, call):
    refused(call, small.csv.parent, "report", small.folder, "--out", small.csv.parent)
    refused(call, small.folder, "new", small.folder, "--questionnaire", "small@1")


def test_a_file_that_appeared_meanwhile_is_not_overwritten(tmp_path):
    target = tmp_path / "table.csv"
    with ExitStack() as writing:
        writing.enter_context(new_file(target)).write_bytes(b"mine")
        target.write_bytes(b"theirs")
        with pytest.raises(ExportError, match="X420"):
            writing.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"table.csv": b"theirs"}


def test_a_disk_without_hard_links_is_written_to_as_well(tmp_path, monkeypatch):
    def none(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", none)
    target = tmp_path / "table.csv"
    with new_file(target) as scratch:
        scratch.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        leftovers.name_finished(tmp_path / "table.csv", target)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "table.csv"
    target.write_bytes(b"old")
    with suppress(KeyboardInterrupt), new_file(target, replace=True) as scratch:
        scratch.write_bytes(b"half")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"table.csv": b"old"}


def test_a_folder_that_appeared_meanwhile_gets_a_number_or_a_refusal(tmp_path):
    for _ in range(2):
        with dated_folder(tmp_path / "dated") as made:
            (made.scratch / "x").write_bytes(b"x")
            (tmp_path / "dated").mkdir(exist_ok=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dated", "dated-2", "dated-3"]
    with ExitStack() as writing:
        (writing.enter_context(new_folder(tmp_path / "named")) / "x").write_bytes(b"x")
        (tmp_path / "named").mkdir()
        with pytest.raises(ExportError, match="X101"):
            writing.close()
    assert not list(tmp_path.glob(".*"))


def test_two_runs_in_the_same_second_both_succeed(small, tmp_path):
    script = (
        "import datetime, satisfaction.publication.file_set as folder\n"
        "folder._now = lambda: datetime.datetime(2026, 4, 20, tzinfo=datetime.UTC)\n"
        "from satisfaction.cli import main\nmain()"
    )
    asked = [sys.executable, "-c", script, "run", str(small.folder)]
    runs = [
        subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    names = sorted(path.name for path in (small.folder / "out").iterdir())
    assert names == ["20260420T000000Z", "20260420T000000Z-2", "latest"]
    assert {out.split("结果：")[1].split("\n")[0].split("/")[-1] for out, _ in told} == set(
        names[:2]
    )


def test_a_latest_that_is_a_folder_of_its_own_is_replaced(tmp_path):
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "old").write_bytes(b"a copy, from a system without links")
    (tmp_path / "new").mkdir()
    assert point_latest(tmp_path / "new").resolve() == tmp_path / "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "new"]


def test_folders_and_files_keep_to_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with new_folder(tmp_path / "private") as scratch:
            (scratch / "x").write_bytes(b"x")
    finally:
        os.umask(before)
    assert [
        stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "private/x")
    ] == [0o700, 0o600]


def unfinished(folder, *, host=None, pid=DEAD):
    return folder / f".unfinished-{host or leftovers._host()}-{pid}-0123abcd"


def test_what_dead_processes_left_is_removed_by_the_next_that_writes_there(tmp_path):
    unfinished(tmp_path).mkdir()
    (unfinished(tmp_path) / "half").write_bytes(b"x")
    (tmp_path / f"{unfinished(tmp_path).name[:-1]}e.csv").write_bytes(b"x")
    (tmp_path / f"{unfinished(tmp_path).name[:-1]}f").symlink_to("nowhere")
    with new_file(tmp_path / "table.csv") as scratch:
        scratch.write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("whose", [{"host": "elsewhere"}, {"pid": 1}, {"pid": os.getpid()}])
def test_what_other_machines_or_living_processes_write_is_left_alone(tmp_path, whose):
    unfinished(tmp_path, **whose).mkdir()
    with new_folder(tmp_path / "made"):
        pass
    assert unfinished(tmp_path, **whose).is_dir()
