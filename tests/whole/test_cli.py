"""The command line: what a user sees, and that no fault shows a traceback or touches `latest`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from satisfaction import cli

CHINESE, ENGLISH = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{3,} [a-z]{2,}")


def test_run_writes_a_dated_folder_and_says_where(call, small):
    code, out, _ = call("run", small.folder)
    latest = small.folder / "out" / "latest"
    assert code == 0
    assert latest.resolve().name in out
    assert "read 120 = accepted 120 + rejected 0" in out
    assert {p.name for p in latest.iterdir()} >= {
        "indices.csv",
        "ranking.xlsx",
        "report.html",
        "manifest.json",
        "run.json",
    }


def test_second_run_overwrites_nothing(call, published):
    first = (published.folder / "out" / "latest").resolve()
    before = {p.name: p.read_bytes() for p in first.iterdir()}
    call("run", published.folder)
    assert (published.folder / "out" / "latest").resolve() != first
    assert {p.name: p.read_bytes() for p in first.iterdir()} == before


def misspelt_column(small):
    small.write(small.rows().rename(columns={"county": "contry"}))


def unknown_county(small):
    small.change(county="999999")


def empty_file(small):
    small.csv.write_bytes(b"")


def duplicate_item(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("  parks:"))
    small.questionnaire.write_text(text.replace(line, f"{line}\n{line}"), encoding="utf-8")


def missing_file(small):
    (small.folder / "sample.csv").unlink()


def misspelt_key(small):
    small.edit("survey.yaml", "selection:", "selecton:")


def no_responses(small):
    small.csv.unlink()


def damaged_margin(small):
    (small.folder / "county_sex.csv").write_text(
        "county,sex,population\n990101,1,many\n", encoding="utf-8"
    )


FAULTS = {
    misspelt_column: "R101", unknown_county: "R102", empty_file: "F104", duplicate_item: "Y102", missing_file: "F101",
    misspelt_key: "Y201", no_responses: "F103", damaged_margin: "S133",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_ends_with_one_clear_message(call, published, fault):
    out = published.folder / "out"
    before = (out / "latest").resolve(), sorted(p.name for p in out.iterdir())
    fault(published)
    code, shown, message = call("run", published.folder)
    assert code == cli.USER_FAULT
    assert shown == ""
    assert message.startswith(f"[{FAULTS[fault]}]")
    assert ENGLISH.search(message)
    assert "  Next: " in message
    assert "Traceback" not in message
    _, _, in_chinese = call("run", published.folder, language="zh")
    assert in_chinese.startswith(f"[{FAULTS[fault]}]")
    assert CHINESE.search(in_chinese)
    assert "  处理：" in in_chinese
    assert "Next" not in in_chinese
    assert ((out / "latest").resolve(), sorted(p.name for p in out.iterdir())) == before


def test_a_misspelt_column_is_named_with_its_neighbour(call, small):
    misspelt_column(small)
    _, _, in_chinese = call("run", small.folder, language="zh")
    assert "找不到“县”（county）一列" in in_chinese
    _, _, message = call("run", small.folder)
    assert "Did you mean 'contry'" in message
    assert "all.csv row 1" in message


@pytest.mark.usefixtures("tables_alone")
def test_an_answer_outside_the_scale_does_not_end_the_run(call, small):
    small.change(streets="6")
    code, out, _ = call("run", small.folder)
    assert code == 0
    assert "answers blanked 1" in out
    log = (small.folder / "out" / "latest" / "log.csv").read_text(encoding="utf-8-sig")
    assert "responses/all.csv,,2,P000,streets,6,R202,blank_item" in log


def test_a_fault_of_our_own_shows_no_traceback(call, small, monkeypatch):
    monkeypatch.setattr("satisfaction.pipeline.run", lambda *_, **__: 1 / 0)
    code, _, message = call("run", small.folder)
    assert code == cli.OWN_FAULT
    assert "[Z101]" in message
    assert "Traceback" not in message
    kept = re.search(r"\S+\.log", message).group()
    assert "ZeroDivisionError" in Path(kept).read_text(encoding="utf-8")


def test_wrong_usage_is_explained_in_both_languages(call):
    code, _, message = call("rum")
    assert code == cli.USER_FAULT
    assert "The command is not right: No such command 'rum'." in message
    _, _, in_chinese = call("rum", language="zh")
    assert "命令有误：没有命令 'rum'。" in in_chinese


def test_check_prints_the_account_without_writing(call, small):
    small.change(lived_here="2")
    code, out, _ = call("check", small.folder)
    assert code == 0
    assert "R204" in out
    assert not (small.folder / "out").exists()


@pytest.mark.parametrize(
    ("kind", "key"), [("questionnaire", "rates"), ("survey", "weighting"), ("rules", "targets")]
)
def test_schema_is_json(call, kind, key):
    _, out, _ = call("schema", "--kind", kind)
    assert key in json.loads(out)["properties"]


@pytest.mark.parametrize(("language", "meaning"), [("zh", "置信水平"), ("en", "confidence level")])
def test_a_schema_is_printed_in_the_language_of_the_reader(call, language, meaning):
    _, out, _ = call("schema", "--kind", "survey", language=language)
    assert json.loads(out)["properties"]["level"]["description"] == meaning


def test_the_installed_program_answers_in_chinese_even_where_the_console_is_not_utf8(small):
    misspelt_key(small)
    done = subprocess.run(
        [sys.executable, "-m", "satisfaction", "run", str(small.folder)],
        capture_output=True, env={"PYTHONIOENCODING": "ascii", "PATH": "", "SATISFACTION_LANG": "zh"}, check=False,
    )  # fmt: skip
    assert done.returncode == cli.USER_FAULT
    assert "未知的键" in done.stderr.decode("utf-8")


LOADED = "import sys; from satisfaction.cli import main; sys.argv[1:] = {arguments!r}\ntry: main()\nexcept SystemExit: pass\nprint(sorted({libraries!r} & set(sys.modules)), file=sys.stderr)"


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {"pandas", "numpy", "duckdb"}),
        (["check"], {"statsmodels", "matplotlib"}),
    ],
)
def test_a_command_loads_no_library_it_does_not_need(small, arguments, unwanted):
    given = (
        arguments
        if arguments == ["--help"]
        else [*arguments, str(small.folder), "--rejected", str(small.folder / "fix.xlsx")]
    )
    code = LOADED.format(arguments=given, libraries=unwanted)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.stderr.splitlines()[-1:] == ["[]"], done.stderr


def test_check_says_what_was_done_to_an_answer_in_the_readers_language(call, small):
    rows = small.rows().astype(str)
    rows.loc[rows.index[0], "streets"] = "还行"
    small.write(rows)
    _code, said, _err = call("check", small.folder, language="zh")
    assert "blank_item" not in said
    assert "作空白处理" in said
    assert "不认识的答案" in said
    assert "stops" not in said


def test_new_writes_its_comments_in_the_language_asked_for(call, small, tmp_path):
    arguments = ["new", small.folder.parent / "next", "--like", small.folder]
    code, _said, _err = call(*arguments, "--lang", "zh", language="en")
    assert code == 0
    assert "# 标题，出现在每个输出中" in (small.folder.parent / "next" / "survey.yaml").read_text(
        "utf-8"
    )


def test_check_refuses_the_weighting_that_a_run_would_refuse(call, small):
    margins = small.folder / small.read().declared.margins["county_sex"].file
    lines = margins.read_text(encoding="utf-8").splitlines()
    margins.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    code, said, err = call("check", small.folder)
    assert code == 2
    assert said.startswith("cannot be run: 1 problem")
    assert "W104" in err


def test_a_run_names_what_is_not_declared_in_the_readers_language(call, small):
    calibration = "  - {step: calibration, method: raking, margins: [county_sex, county_age], "
    small.edit("survey.yaml", f"{calibration}tolerance: 1.0e-10}}\n", "")
    _code, said, _err = call("run", small.folder, language="zh")
    assert "未声明：校准\n" in said


def test_check_says_in_one_language_how_columns_were_recognised(call, small):
    _code, said, _err = call("check", small.folder, "--columns", language="zh")
    columns = said.partition("\n列\n")[2]
    assert "题目名" in columns
    assert " name " not in columns
    assert "labels" not in columns


def test_no_help_in_chinese_ends_in_an_english_word(call):
    _code, said, _err = call("report", "--help", language="zh")
    assert "also" not in said
