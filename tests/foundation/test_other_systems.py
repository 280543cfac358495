"""What Windows does otherwise: drives, capitals, names of devices, files that a program holds, copies in place of links."""

from __future__ import annotations

import datetime
import errno
import json
import ntpath
import os
import time
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from satisfaction.cli import BROKEN, DENIED, LACKING, LONG, NAME, surroundings_fault
from satisfaction.declarations.new_wave import new_wave
from satisfaction.foundation import files
from satisfaction.foundation.errors import ExportError, InputFileError, SurveyError
from satisfaction.foundation.file_sets import mark_handed_over
from satisfaction.foundation.tables import write_checksums, write_json
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export_dated, revision_of
from system_packages import NEEDS_SLASHES, NEEDS_TIME_ZONES


def folder_with_text(folder: Path, name: str) -> Path:
    """A finished folder with a file in it."""
    made = folder / name
    made.mkdir()
    (made / "t.txt").write_text(name, encoding="utf-8")
    return made


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def without_links(monkeypatch):
    """Windows gives links to those alone who may make them: nobody, as a rule."""

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)


# ---- paths ----


@pytest.mark.parametrize(
    ("folder", "path", "seen"),
    [
        (r"C:\wave", r"C:\wave\responses\a.csv", "responses/a.csv"),
        (r"C:\wave", r"C:\questionnaires\q\1.yaml", "../questionnaires/q/1.yaml"),
        (r"C:\wave", r"D:\questionnaires\1.yaml", "D:/questionnaires/1.yaml"),
        (r"C:\wave", r"\\server\share\1.yaml", "//server/share/1.yaml"),
        (r"\\server\share\wave", r"\\server\share\wave\a.csv", "a.csv"),
    ],
)
def test_a_path_is_seen_from_another_drive(monkeypatch, folder, path, seen):
    for name in ("relpath", "abspath"):
        monkeypatch.setattr(os.path, name, getattr(ntpath, name))
    monkeypatch.setattr(os, "sep", "\\")
    assert files.path_below(folder, path) == seen


@pytest.mark.parametrize("kind", [PurePosixPath, PureWindowsPath])
def test_files_stand_in_the_same_order_on_every_system(kind):
    names = ["b.csv", "a-1/x.csv", "C.csv", "a/x.csv", "甲.csv"]
    ordered = [path.as_posix() for path in files.in_order(map(kind, names))]
    assert ordered == ["C.csv", "a/x.csv", "a-1/x.csv", "b.csv", "甲.csv"]


@pytest.mark.skipif(os.sep == "\\", reason=NEEDS_SLASHES)
def test_a_path_that_windows_alone_reads_is_told(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "areas.csv").write_bytes(b"code\n1\n")
    with pytest.raises(InputFileError, match="F101") as no_file:
        files.read_bytes(tmp_path / r"tables\areas.csv")
    assert files.matching(tmp_path, r"tables\*.csv") == []
    for fault in (no_file.value, files.no_match(tmp_path, r"tables\*.csv")):
        assert "Write / between folders" in str(fault)
        assert "tables" in str(fault)


@pytest.mark.parametrize("name", ["con", "aux", "nul", "com1"])
def test_a_wave_has_no_name_of_a_device(small, name):
    folder = small.root / "surveys" / name
    with pytest.raises(SurveyError, match="S196"):
        new_wave(folder, questionnaire="small@1")
    assert not folder.exists()
    assert files.DEVICE.fullmatch(f"{name}-2026q4") is None


def test_ends_of_lines_do_not_follow_the_system(tmp_path, monkeypatch):
    """What Windows would write where a text is opened as one: a carriage return more in every line."""
    write_text = Path.write_text

    def as_on_windows(path, text, encoding=None, errors=None, newline=None):
        return write_text(path, text, encoding=encoding, errors=errors, newline=newline or "\r\n")

    monkeypatch.setattr(Path, "write_text", as_on_windows)
    write_json({"a": [1, "甲"]}, tmp_path / "a.json")
    write_checksums(tmp_path)
    assert b"\r" not in (tmp_path / "a.json").read_bytes()
    assert b"\r" not in (tmp_path / "SHA256SUMS").read_bytes()


# ---- files that a program holds ----


def held(refused: Path, times: int = 99):
    """`os.rename` of Windows: refused as long as a file in the folder is open."""
    rename = os.rename
    left = [times]

    def renamed(source, target):
        if Path(source) == refused and left[0] > 0:
            left[0] -= 1
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(source))
        rename(source, target)

    return renamed


def test_a_scanner_that_holds_a_new_folder_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SCANNED", (0, 0, 0))
    with files.new_folder(tmp_path / "set") as scratch:
        (scratch / "t.txt").write_text("whole", encoding="utf-8")
        monkeypatch.setattr(os, "rename", held(scratch, times=3))
    assert (tmp_path / "set" / "t.txt").read_text(encoding="utf-8") == "whole"


def test_a_file_that_is_held_is_neither_replaced_nor_lost(tmp_path, monkeypatch):
    target = tmp_path / "plan.yaml"
    target.write_bytes(b"old")

    def refuse(*_):
        raise PermissionError(errno.EACCES, "The process cannot access the file", str(target))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), files.new_file(target, replace=True) as scratch:
        scratch.write_bytes(b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"plan.yaml": b"old"}


def test_a_copied_latest_that_is_held_stays_and_the_new_folder_is_named(
    tmp_path, monkeypatch, without_links
):
    files.point_latest(folder_with_text(tmp_path, "one"))
    two = folder_with_text(tmp_path, "two")
    monkeypatch.setattr(os, "rename", held(tmp_path / "latest"))
    with pytest.raises(ExportError, match="X422") as refused:
        files.point_latest(two)
    assert "two" in str(refused.value)
    assert names_in(tmp_path) == ["latest", "one", "two"]
    assert (tmp_path / "latest" / "t.txt").read_text(encoding="utf-8") == "one"


def test_latest_is_put_back_where_the_new_copy_cannot_take_its_place(
    tmp_path, monkeypatch, without_links
):
    files.point_latest(folder_with_text(tmp_path, "one"))
    two = folder_with_text(tmp_path, "two")
    rename = os.rename

    def full_at_last(source, target):
        if Path(target).name == "latest" and not Path(source, "t.txt").read_bytes() == b"one":
            raise OSError(errno.ENOSPC, "There is not enough space on the disk")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full_at_last)
    with pytest.raises(OSError, match="space"):
        files.point_latest(two)
    assert names_in(tmp_path) == ["latest", "one", "two"]
    assert (tmp_path / "latest" / "t.txt").read_text(encoding="utf-8") == "one"


def test_links_are_exchanged_where_none_takes_the_place_of_another(tmp_path, monkeypatch):
    """Windows lets some make links of folders, but replaces none in one step."""
    files.point_latest(folder_with_text(tmp_path, "one"))

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(os, "replace", refuse)
    latest = files.point_latest(folder_with_text(tmp_path, "two"))
    assert (latest.is_symlink(), latest.resolve().name) == (True, "two")
    assert names_in(tmp_path) == ["latest", "one", "two"]


@pytest.mark.usefixtures("tables_alone")
def test_the_revision_is_that_of_the_newest_set_where_latest_is_not_there(small):
    """A program that is ended between two names leaves no `latest` where that is a copy."""
    first = export_dated(run(small.read()))
    small.change(sex="2")
    second = export_dated(run(small.read()))
    assert [revision_of(first), revision_of(second)] == [1, 2]
    (small.folder / "out" / "latest").unlink()
    again = export_dated(run(small.read()))
    assert json.loads((again / "run.json").read_text(encoding="utf-8"))["revision"] == 2


# ---- what the system reports ----


class WindowsFault(OSError):
    """An error as Windows reports it: its number stands beside Python's."""

    def __init__(self, number: int, winerror: int, path: str) -> None:
        super().__init__(number, "as the system words it", path)
        self.winerror = winerror


@pytest.mark.parametrize(
    ("number", "winerror", "path", "kind"),
    [
        (errno.EINVAL, 123, r"C:\a?b", NAME),
        (errno.EINVAL, 1224, r"C:\indices.xlsx", DENIED),
        (errno.EACCES, 32, r"C:\indices.xlsx", DENIED),
        (errno.EINVAL, 59, r"\\server\share\a.csv", BROKEN),
        (errno.ENOENT, 206, r"C:\a", LONG),
        (errno.ENOENT, 3, rf"C:\{'长' * 260}", LONG),
        (errno.ENOENT, 3, r"C:\a", LACKING),
    ],
)
def test_faults_of_windows_have_their_words(number, winerror, path, kind):
    fault = surroundings_fault(WindowsFault(number, winerror, path))
    assert (fault.code, kind.text.en in str(fault)) == ("Z420", True)


def test_a_long_name_that_is_not_there_is_not_too_long_elsewhere():
    fault = surroundings_fault(FileNotFoundError(errno.ENOENT, "none", "长" * 300))
    assert LACKING.text.en in str(fault)


# ---- clocks ----


@pytest.mark.skipif(not hasattr(time, "tzset"), reason=NEEDS_TIME_ZONES)
@pytest.mark.parametrize("zone", ["Etc/GMT-14", "Etc/GMT+12"])
def test_a_note_bears_the_day_that_people_have(published, monkeypatch, zone):
    """At any moment the day of one of these zones is another than that of Greenwich."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    note = mark_handed_over(published.folder / "out" / "latest")
    today = datetime.date.today().isoformat()
    monkeypatch.undo()
    time.tzset()
    assert note.date == today
