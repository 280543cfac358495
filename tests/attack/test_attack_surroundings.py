"""A full disk, a folder that may not be written to, a damaged file set: said in words, with an exit code of its own."""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from satisfaction import cli
from satisfaction.cli.options import DAMAGED_SET, READER_GONE, SURROUNDINGS
from satisfaction.foundation import files, grids
from satisfaction.notebook.launcher import find_waves
from system_packages import NEEDS_LIMITS

resource = pytest.importorskip("resource", reason=NEEDS_LIMITS)

PROGRAM = [sys.executable, "-m", "satisfaction"]
DAMAGES = {
    "empty": b"",
    "cut": b'{"inputs": {',
    "no object": b"[1, 2]",
    "another one": b"{}",
    "no text": b"\xff\xfe\x00\xd8" * 9,
}

DAMAGED = [("manifest.json", content) for content in DAMAGES.values()] + [
    ("run.json", DAMAGES["cut"]),
    ("run.json", b"{}"),
]


def wrong(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), "/somewhere")

    return refuse


SYSTEM = {
    errno.ENOSPC: "The disk is full", errno.EROFS: "Writing is not permitted", errno.EACCES: "another program",
    errno.ENAMETOOLONG: "file name is too long", errno.EFBIG: "limit of file size", errno.EIO: "disk or network drive failed",
    errno.EMFILE: "short of resources",
}  # fmt: skip


@pytest.mark.parametrize("number", SYSTEM, ids=errno.errorcode.get)
@pytest.mark.parametrize("where", ["mkdir", "rename"])
def test_what_the_system_refuses_is_said_in_words(small, call, monkeypatch, number, where):
    monkeypatch.setattr(os, where, wrong(number))
    code, _, err = call("fieldwork", small.folder)
    assert (code, SYSTEM[number] in err, "[Z420] /somewhere" in err) == (SURROUNDINGS, True, True)
    assert "Z101" not in err
    assert "Traceback" not in err
    assert not list((small.folder / "out").glob("*"))


def test_a_workbook_that_cannot_be_written_is_said_in_words(small, call, monkeypatch):
    small.change(sex="7")
    monkeypatch.setattr("xlsxwriter.workbook.ZipFile", wrong(errno.ENOSPC))
    code, _, err = call("check", small.folder, "--rejected", small.root / "fix.xlsx")
    assert (code, "The disk is full" in err) == (SURROUNDINGS, True)
    assert not list(small.root.glob("*.xlsx"))
    assert not list(small.root.glob(".*"))


def test_no_memory_is_no_fault_of_ours(small, call, monkeypatch):
    def none(*_, **__):
        raise MemoryError

    monkeypatch.setattr("satisfaction.pipeline.run", none)
    code, _, err = call("run", small.folder)
    assert (code, "short of resources" in err) == (SURROUNDINGS, True)


def test_out_that_is_a_file_is_said_in_words(small, call):
    (small.folder / "out").write_bytes(b"x")
    for command in ("fieldwork", "run"):
        code, _, err = call(command, small.folder)
        assert (code, "file or folder of that name is in the way" in err) == (SURROUNDINGS, True)
    assert (small.folder / "out").read_bytes() == b"x"


def test_a_name_too_long_is_said_in_words(small, call):
    small.change(sex="7")
    code, _, err = call("check", small.folder, "--rejected", small.root / f"{'长' * 100}.xlsx")
    assert (code, "file name is too long" in err) == (SURROUNDINGS, True)


def limited(size, *command):
    """Run a command that may write no file of more than `size` bytes.

    Python's own compiled modules would be cut at that size too, and break whatever reads them next.
    """
    return subprocess.run(
        [*PROGRAM, *command],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


def test_a_limit_of_file_size_leaves_nothing_half_written(small):
    done = limited(9_000, "fieldwork", small.folder)
    assert (done.returncode, "文件大小限制" in done.stderr) == (SURROUNDINGS, True), done.stderr
    assert not list((small.folder / "out").glob("*"))


def test_a_limit_of_file_size_names_the_file_and_leaves_no_archive_open(small):
    small.change(sex="7")
    fix = small.root / "fix.xlsx"
    done = limited(2_000, "check", small.folder, "--rejected", fix)
    assert (done.returncode, f"[Z420] {fix}" in done.stderr) == (SURROUNDINGS, True), done.stderr
    assert "Exception ignored" not in done.stderr
    assert not list(small.root.glob("*.xlsx"))


def test_a_full_output_is_said_and_the_results_stand(small):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "fieldwork", small.folder], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, "磁盘已满" in done.stderr) == (SURROUNDINGS, True), done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(list((small.folder / "out").iterdir())) == 1


def test_a_closed_output_ends_without_a_traceback(small):
    closed = subprocess.run(
        [*PROGRAM, "check", small.folder],
        stdout=None,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(1),
    )
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run([*PROGRAM, "check", small.folder], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert [closed.returncode, gone.returncode] == [0, READER_GONE]
    assert b"Traceback" not in closed.stderr + gone.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(small, number):
    before = signal.signal(number, signal.SIG_DFL)  # a suite run under nohup hands its deafness on
    running = subprocess.Popen(
        [*PROGRAM, "run", small.folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(number, before)
    out = small.folder / "out"
    while running.poll() is None and not list(out.glob(".unfinished-*")):
        time.sleep(0.01)
    running.send_signal(number)
    _, err = running.communicate()
    assert (running.returncode, "已中断" in err, "Traceback" in err) == (128 + number, True, False)
    assert list(out.iterdir()) == []


INTERRUPTED_CLASS = """from satisfaction import cli

def interrupted(*_arguments, **_options):
    exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)")

cli.cli = interrupted
cli.main()
"""


def test_ctrl_c_while_python_makes_a_class_is_an_exit_code(tmp_path):
    """Where code that Python has just put together is interrupted, it would kill itself by the signal at its end."""
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_CLASS, encoding="utf-8")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    signal.signal(signal.SIGINT, before)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)


def test_a_signal_while_a_workbook_is_read_is_no_damage(tmp_path, monkeypatch):
    def stopped(*_arguments, **_options):
        raise cli.Stopped(signal.SIGTERM)

    monkeypatch.setattr(grids, "check_sheets", stopped)
    path = tmp_path / "book.xlsx"
    pd.DataFrame({"a": [1]}).to_excel(path, index=False)
    with pytest.raises(cli.Stopped) as stop:
        grids.read_grids(path)
    assert stop.value.code == 143


def test_nohup_is_respected(small):
    signalled = (
        "import os, signal; signal.signal(1, signal.SIG_IGN); from satisfaction.cli import *\n"
    )
    signalled += "with stopped_by_signals(): os.kill(os.getpid(), 1); print('on')"
    assert (
        subprocess.run([sys.executable, "-c", signalled], capture_output=True, text=True).stdout
        == "on\n"
    )


def test_the_exit_codes_stand_in_the_help(call):
    _, out, _ = call("--help")
    assert all(
        f"\n  {code} " in out
        for code in (0, 1, 2, cli.OWN_FAULT, SURROUNDINGS, DAMAGED_SET, "10-13", 130)
    )


# ---- damaged file sets ----


@pytest.fixture
def latest(published):
    return published.folder / "out" / "latest"


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_the_launcher_lists_a_wave_whose_latest_is_damaged(latest, published, content):
    (latest / "run.json").write_bytes(content)
    assert [(wave.folder, wave.readable, wave.finished) for wave in find_waves(published.root)] == [
        (published.folder, True, "")
    ]


@pytest.mark.parametrize(("name", "content"), DAMAGED)
def test_a_damaged_latest_stops_no_later_run(latest, published, call, name, content):
    (latest / name).write_bytes(content)
    code, out, err = call("run", published.folder)
    assert (code, "Traceback" in err) == (0, False)
    if name == "manifest.json":
        assert "[F422]" in err
        assert "revision of this run: 2" in err
        assert "revision 2" in out
    assert json.loads((latest / "manifest.json").read_text())["survey"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *DAMAGED,
        *(
            (name, DAMAGES["cut"])
            for name in ("datapackage.json", "SHA256SUMS", "indices.csv", "ranking.xlsx")
        ),
    ],
)
def test_verify_finds_the_damaged_file(latest, call, name, content):
    (latest / name).write_bytes(content)
    code, out, err = call("verify", latest)
    assert code == 10, err
    assert f"{name} changed" in out


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["manifest.json", "indices.csv", "ranking.csv", "log.csv"])
def test_compare_says_that_a_set_is_damaged(latest, published_template, call, name, content):
    whole = published_template / "surveys" / "wave" / "out" / "latest"
    (latest / name).write_bytes(content)
    code, _, err = call("compare", whole, latest)
    assert code in (2, DAMAGED_SET)
    assert name in err
    assert "Traceback" not in err
    assert "Z101" not in err


def test_a_damaged_number_is_a_damaged_set(latest, call):
    path = latest / "indices.csv"
    path.write_bytes(path.read_bytes().replace(b",0.", b",0x.", 1))
    code, _, err = call("compare", latest, latest)
    assert (code, "[F423]" in err, "indices.csv" in err) == (DAMAGED_SET, True, True)


def test_a_fault_of_ours_is_not_blamed_on_a_sound_set(latest, call, monkeypatch):
    module = importlib.import_module("satisfaction.comparison.compare")
    monkeypatch.setattr(module, "_changed_figures", lambda *_: 1 / 0)
    code, _, err = call("compare", latest, latest)
    assert (code, "[Z101]" in err) == (cli.OWN_FAULT, True)


def test_everybody_giving_the_same_answers_is_written_without_covariances(small, call):
    rows = small.rows()
    rows[["streets", "parks", "safety", "overall"]] = "4"
    small.write(rows)
    code, _, err = call("run", small.folder)
    assert (code, err) == (0, "")
    assert call("verify", small.folder / "out" / "latest")[0] == 0


def test_json_that_cannot_be_read_names_the_file(tmp_path):
    (tmp_path / "run.json").write_text('{"a": 1}')
    assert files.read_json(tmp_path / "run.json", ["a"]) == {"a": 1}
    with pytest.raises(files.DamagedSetError, match=r"F422\][\s\S]*run\.json"):
        files.read_json(tmp_path / "run.json", ["b"])
