"""What lies in responses/: every file read or named, every area with or without answers, files that repeat one another."""

from __future__ import annotations

import json
from zipfile import ZipFile

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from conftest import COUNTIES
from satisfaction import load_responses, run
from satisfaction.collection.account import note_lines, sample_lines
from satisfaction.collection.wordings import Answers
from satisfaction.declarations.new_wave import new_wave
from satisfaction.foundation.errors import InputFileError, ResponsesError
from satisfaction.foundation.tables import read_table, write_xlsx


@pytest.fixture
def five_files(small):
    """A file a county, delivered as counties deliver: another suffix, capitals, a folder; and no `files` declared."""
    rows = small.rows()
    small.csv.unlink()
    small.edit("survey.yaml", "files: [responses/*.csv]\n", "")
    names = ("a.csv", "B.CSV", "丙县.XLSX", "丁县/第一批.xlsx")
    for county, name in zip(COUNTIES, names, strict=True):
        path = small.csv.parent / name
        path.parent.mkdir(exist_ok=True)
        part = rows[rows["county"] == county]
        if path.suffix.lower() == ".csv":
            path.write_text(part.to_csv(index=False), encoding="utf-8")
        else:
            write_xlsx({"数据": part}, path)
    return small


def deliver(small, name, rows):
    (small.csv.parent / name).write_text(rows.to_csv(index=False), encoding="utf-8")


# ---- what programs put around names and digits ----


def _headed(rows, names):
    """Return the table with other names of columns."""
    return rows.set_axis(names, axis=1)


@pytest.mark.parametrize(
    "written",
    [
        lambda rows: rows.map('="{}"'.format),
        lambda rows: rows.map("'{}".format),
        lambda rows: _headed(rows, rows.columns.str.upper()),
        lambda rows: _headed(rows, "\ufeff" + rows.columns + "\u200b"),
        lambda rows: _headed(rows, "一、基本情况/" + rows.columns),
    ],
    ids=["formulas", "apostrophes", "capitals", "signs nobody sees", "sections above names"],
)
def test_answers_are_the_same_however_a_program_writes_names_and_digits(small, written):
    before = load_responses(small.read()).accepted
    rows = small.rows().astype(str)
    small.csv.write_text(written(rows).to_csv(index=False), encoding="utf-8")
    pd.testing.assert_frame_equal(load_responses(small.read()).accepted, before)


# ---- every file read or named ----


def test_without_files_declared_every_kind_in_capitals_and_folders_is_read(five_files):
    assert len(load_responses(five_files.read()).accepted) == 120


def test_a_table_that_files_does_not_match_stops_the_run_and_is_named(five_files, call):
    survey = five_files.folder / "survey.yaml"
    survey.write_text(
        survey.read_text(encoding="utf-8") + "files: [responses/*.csv]\n", encoding="utf-8"
    )
    code, _, err = call("run", five_files.folder)
    assert code == 2
    assert "R320" in err
    assert "responses/丙县.XLSX" in err
    assert "responses/丁县/第一批.xlsx" in err
    assert not (five_files.folder / "out").exists()


@pytest.mark.parametrize("name", ["b.sav", "b.parquet", "b.zip", "乙县.et", "b"])
def test_a_zip_file_with_members_that_are_not_read_stops_and_names_them(small, name):
    content = small.csv.read_bytes()
    small.csv.unlink()
    with ZipFile(small.csv.with_suffix(".zip"), "w") as archive:
        archive.writestr("a.csv", content)
        archive.writestr("空.csv", b"")
        archive.writestr("封面.jpg", b"picture")
        archive.writestr(name, content)
    small.edit("survey.yaml", "files: [responses/*.csv]\n", "")
    with pytest.raises(InputFileError, match=rf"(?s)F446.*{name}\.\n"):
        load_responses(small.read())


def test_check_names_the_files_not_read_and_goes_on_with_the_others(five_files, call):
    (five_files.csv.parent / "说明.pdf").touch()
    (five_files.csv.parent / "戊县.et").touch()
    (five_files.csv.parent / "Thumbs.db").touch()
    code, out, err = call("check", five_files.folder)
    assert code == 2
    assert out.startswith("cannot be run: 1 problem\n")
    assert "not read: responses/说明.pdf" in out
    assert "戊县.et" in err
    assert "read 120 = accepted 120" in out
    assert "Thumbs" not in out + err


def test_documents_beside_the_responses_do_not_stop_a_run(small, call):
    (small.csv.parent / "名单.docx").touch()
    code, out, _ = call("run", small.folder)
    assert code == 0
    assert "not read: responses/名单.docx" in out
    log = pd.read_csv(small.folder / "out/latest/log.csv", encoding="utf-8-sig")
    assert log.loc[log["rule"] == "R324", "file"].tolist() == ["responses/名单.docx"]


def test_a_file_under_ignore_is_named_and_stops_nothing(small):
    deliver(small, "old.csv", small.rows()[:3])
    small.edit("survey.yaml", "files: [responses/*.csv]", "ignore: [responses/old.csv]")
    found = load_responses(small.read())
    assert found.not_read["file"].tolist() == ["responses/old.csv"]
    assert len(found.accepted) == 120


def test_a_name_with_brackets_is_taken_as_it_stands(small):
    rows = small.rows()
    small.csv.unlink()
    deliver(small, "甲[1].csv", rows)
    deliver(small, "旧[2].csv", rows[:3])
    small.edit(
        "survey.yaml",
        "files: [responses/*.csv]",
        "files: ['responses/甲[1].csv']\nignore: ['responses/旧[2].csv']",
    )
    loaded = load_responses(small.read())
    assert loaded.summary["file"].tolist() == ["responses/甲[1].csv"]
    assert loaded.not_read["file"].tolist() == ["responses/旧[2].csv"]


def test_what_ignore_names_and_nobody_finds_is_said(small, call):
    small.edit(
        "survey.yaml",
        "files: [responses/*.csv]",
        "ignore: [responses/al.csv, 'responses/all.csv#甲']",
    )
    _code, out, _err = call("check", small.folder)
    assert out.count("there is no such file") == 1
    assert "not read: responses/al.csv (listed under `ignore`" in out
    assert "read 120" in out


def test_a_kind_that_is_not_read_is_refused_where_it_is_named_in_full(small):
    small.csv.rename(small.csv.with_suffix(".docx"))
    small.edit("survey.yaml", "responses/*.csv", "responses/all.docx")
    with pytest.raises(InputFileError, match="F106"):
        load_responses(small.read())


# ---- areas without answers ----


def test_areas_without_answers_are_named_first_with_their_prefecture(small, call):
    rows = small.rows()
    small.write(rows[rows["county"].str.startswith("9901")])
    _, out, _ = call("check", small.folder)
    assert "2 of 4 areas have answers" in out
    assert "without answers in City 9902: County 990201, County 990202" in out
    assert out.index("without answers") < out.index("read 60")


def test_an_area_of_which_every_row_is_rejected_is_said_to_be_so(small, call):
    rows = small.rows()
    rows.loc[rows["county"] == "990202", "lived_here"] = "2"
    small.write(rows)
    _, out, _ = call("check", small.folder)
    assert "County 990202 (all of its 30 rows rejected)" in out


# ---- a new wave's files ----


def test_like_keeps_the_files_declared(small):
    folder = new_wave(small.root / "surveys" / "again-2027q1", like=small.folder)
    assert "files: [responses/*.csv]" in (folder / "survey.yaml").read_text(encoding="utf-8")


def test_a_template_nobody_filled_in_is_no_obstacle_beside_a_csv_file(small):
    folder = new_wave(small.root / "surveys" / "again-2027q1", like=small.folder)
    (folder / "responses" / "responses.xlsx").rename(small.csv.with_name("responses.xlsx"))
    for files in ("files: [responses/*.csv]", "files: ['responses/**/*']"):
        small.edit("survey.yaml", "files: [responses/*.csv]", files)
        found = load_responses(small.read())
        assert len(found.accepted) == 120
        assert found.not_read["zh"].tolist() == ["模板尚未填写"]
        small.edit("survey.yaml", files, "files: [responses/*.csv]")


def test_an_empty_template_alone_names_the_csv_file_that_is_not_read(small):
    folder = new_wave(small.root / "surveys" / "again-2027q1", like=small.folder)
    (folder / "responses" / "responses.xlsx").rename(small.csv.with_name("responses.xlsx"))
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    with pytest.raises(ResponsesError, match=r"R103[\s\S]*responses/all\.csv"):
        load_responses(small.read())


# ---- all faults at once ----


def test_check_lists_the_faults_of_every_file_and_column_in_one_go(small, call):
    rows = small.rows()
    deliver(
        small,
        "b.csv",
        rows[:5].rename(columns={"sex": "gendr", "parks": "prks", "county": "contry"}),
    )
    deliver(small, "c.csv", rows[:0])
    (small.csv.parent / "d.csv").touch()
    code, out, err = call("check", small.folder)
    assert code == 2
    assert out.startswith("cannot be run: 5 problems\n")
    for named in ("'county'", "'sex'", "'parks'", "responses/c.csv", "responses/d.csv"):
        assert named in err
    assert call("run", small.folder)[2].count("[R101]") == 3


def test_a_clean_check_says_so_first_and_lists_columns_only_on_request(small, call):
    code, out, err = call("check", small.folder)
    assert (code, err) == (0, "")
    assert out.startswith("can be run\n")
    assert "lived_here" not in out
    assert "lived_here" in call("check", small.folder, "--columns")[1]


def test_no_workbook_is_promised_where_nothing_is_to_be_corrected(small, call, tmp_path):
    _, out, _ = call("check", small.folder, "--rejected", tmp_path / "fix.xlsx")
    assert "rows to correct:" not in out
    assert not (tmp_path / "fix.xlsx").exists()


# ---- numbers that stand twice ----


def test_the_other_one_of_a_pair_is_named_with_file_and_row(small):
    rows = small.rows()
    rows.loc[9, "id"] = "P004"
    small.write(rows)
    found = load_responses(small.read())
    assert found.log.loc[found.log["rule"] == "R203", "suggestion"].tolist() == [
        "responses/all.csv row 6"
    ]
    assert "responses/all.csv 第 6 行" in found.rejected["zh"].iloc[0]
    assert "responses/all.csv row 6" in found.rejected["en"].iloc[0]


def corrected(small):
    """Thirty respondents of a county handed in twice: the first time with a fault in every row."""
    rows = small.rows()
    first, again = rows[:30].assign(streets="9"), rows[:30]
    small.write(rows[30:])
    deliver(small, "县.csv", first)
    deliver(small, "县（更正）.csv", again)
    return rows


def test_a_corrected_file_beside_the_faulty_one_is_left_to_people(small, call):
    corrected(small)
    code, _, err = call("run", small.folder, language="zh")
    assert code == 2
    assert "R322" in err
    assert "县（更正）.csv" in err
    assert "30 份与 responses/县.csv 编号相同" in err
    assert "像是更正后的文件" in err
    assert call("check", small.folder)[0] == 2
    small.edit("survey.yaml", "lonely_psu", "ignore: [responses/县.csv]\nlonely_psu")
    assert len(load_responses(small.read()).accepted) == 120


def test_two_files_that_count_from_one_are_not_called_a_file_and_its_correction(small, call):
    rows = small.rows()
    rows = rows[rows["county"] == rows["county"].iloc[0]].reset_index(drop=True)
    half = len(rows) // 2
    numbers = [str(number) for number in range(1, half + 1)]
    small.write(rows[:half].assign(id=numbers))
    deliver(small, "二.csv", rows[half : 2 * half].assign(id=numbers))
    code, _out, err = call("check", small.folder, language="zh")
    assert code == 2
    assert "R322" in err
    assert "像是不同的人" in err
    assert err.index("numbering: file") < err.index("移走旧文件")


def test_an_export_that_holds_an_earlier_one_unchanged_stops_nothing(small):
    deliver(small, "week1.csv", small.rows()[:30])
    found = load_responses(small.read())
    assert len(found.accepted) == 120
    assert found.log["rule"].tolist() == ["R203"] * 30


def from_one(small):
    """Every county counts its respondents from 1."""
    rows = small.rows()
    rows["id"] = rows.groupby("county").cumcount().add(1).astype(str)
    small.csv.unlink()
    for county in COUNTIES:
        deliver(small, f"{county}.csv", rows[rows["county"] == county])


def test_counties_that_count_from_one_are_told_how_to_say_so(small):
    from_one(small)
    with pytest.raises(ResponsesError, match=r"R323[\s\S]*numbering: area"):
        load_responses(small.read())


@pytest.mark.parametrize("numbers", ["from one", "cut by Excel"])
def test_other_people_under_one_number_in_one_file_are_not_thrown_away(small, numbers):
    """All but the first of each number would be rejected as the same respondent, most of a wave."""
    rows = small.rows()
    counted = rows.groupby("county").cumcount().add(1).astype(str)
    if numbers == "cut by Excel":
        counted = "2.02607E+11"
    small.write(rows.assign(id=counted))
    with pytest.raises(ResponsesError, match=r"R326[\s\S]*numbering: area"):
        load_responses(small.read())
    small.write(pd.concat([rows, rows[:30], rows[:2].assign(streets="3")]))
    assert len(load_responses(small.read()).accepted) == len(rows)


def test_other_people_of_like_answers_are_not_called_corrected(small):
    rows = small.rows()
    like_the_first = [rows[:1].assign(streets=answer) for answer in ("97", "98", "1", "2")]
    small.write(pd.concat([rows, *like_the_first]).assign(id="2.02607E+11"))
    with pytest.raises(ResponsesError, match="R326") as fault:
        load_responses(small.read())
    assert "R343" not in fault.value.en


@pytest.mark.parametrize(
    ("within", "first"), [("area", "990101:1"), ("file", "990101.csv:1"), ("row", "990101.csv:2")]
)
def test_numbers_unique_within_an_area_or_a_file_are_made_unique_in_the_survey(
    small, within, first
):
    from_one(small)
    small.edit("survey.yaml", "lonely_psu", f"numbering: {within}\nlonely_psu")
    found = load_responses(small.read())
    assert found.accepted["id"].is_unique
    assert found.accepted.loc[0, "id"] == first
    assert len(found.accepted) == 120


def test_a_number_that_stands_twice_in_its_county_is_still_rejected(small):
    from_one(small)
    path = small.csv.parent / "990101.csv"
    rows = read_table(path)
    rows.loc[4, "id"] = "1"
    deliver(small, "990101.csv", rows)
    small.edit("survey.yaml", "lonely_psu", "numbering: area\nlonely_psu")
    rejected = load_responses(small.read()).rejected
    assert rejected[["file", "row", "id"]].to_numpy().tolist() == [["responses/990101.csv", 6, "1"]]


def test_without_a_column_of_numbers_the_error_says_what_to_declare(small):
    small.write(small.rows().drop(columns="id"))
    with pytest.raises(ResponsesError, match=r"R101[\s\S]*numbering: row"):
        load_responses(small.read())
    small.edit("survey.yaml", "lonely_psu", "numbering: row\nlonely_psu")
    assert run(small.read()).responses.accepted["id"].iloc[0] == "all.csv:2"


# ---- where it is published ----


def without_weights(small):
    """No frame, sample or margins: areas may then be absent."""
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    kept = text[: text.index("frame:")].replace("probability", "quota")
    path.write_text(f"{kept}lonely_psu: adjust\nrules: rules.yaml\n", encoding="utf-8")


@pytest.mark.usefixtures("tables_alone")
def test_report_and_manifest_say_what_was_not_read_and_who_did_not_answer(small, call):
    rows = small.rows()
    without_weights(small)
    small.write(rows[rows["county"] != "990202"])
    (small.csv.parent / "名单.docx").touch()
    assert call("run", small.folder)[::2] == (0, "")
    latest = small.folder / "out" / "latest"
    manifest = json.loads((latest / "manifest.json").read_text(encoding="utf-8"))
    assert [one["file"] for one in manifest["not_read"]] == ["responses/名单.docx"]
    assert manifest["areas_without_answers"] == ["990202"]
    page = (latest / "report.html").read_text(encoding="utf-8")
    assert "没有读取：responses/名单.docx" in page
    assert "没有答卷的地区：市9902县990202（共 1 个）" in page


# ---- totals ----


def names_of(folder):
    table = pd.read_csv(
        folder / "out/latest/indices.csv", dtype=str, encoding="utf-8-sig"
    ).drop_duplicates("code")
    return table.set_index("code")[["name_zh", "name_en"]].to_dict("index")


@pytest.mark.usefixtures("tables_alone")
def test_totals_are_named_for_the_areas_that_answered(small, call):
    rows = small.rows()
    without_weights(small)
    small.write(rows[rows["county"] != "990202"])
    out = call("run", small.folder)[1]
    assert "\nthe 3 surveyed counties together (of 4):" in out
    names = names_of(small.folder)
    assert names["990000"]["name_zh"] == "本次调查的 3 个县合计（全省 4 个县）"
    assert names["990000"]["name_en"] == "the 3 surveyed counties together (of 4)"
    assert names["990200"]["name_en"] == "the one surveyed of 2 counties of City 9902"
    assert names["990100"]["name_zh"] == "市9901"
    page = (small.folder / "out/latest/report.html").read_text(encoding="utf-8")
    assert "本次调查的 3 个县合计" in page
    assert "测试省" not in page


def test_a_wave_of_some_counties_remembers_how_many_there_are(small):
    folder = new_wave(
        small.root / "surveys" / "fewer", like=small.folder, only=["990101", "990102", "990201"]
    )
    areas = read_table(folder / "areas.xlsx").set_index("code")["units_in_all"]
    assert areas[["990000", "990100", "990200", "990101"]].tolist() == ["4", "2", "2", ""]


@pytest.mark.usefixtures("tables_alone")
def test_a_table_of_areas_cut_to_some_counties_still_names_the_total_for_them(small, call):
    rows = small.rows()
    without_weights(small)
    small.write(rows[rows["county"] != "990202"])
    areas = read_table(small.folder / "areas.csv").assign(units_in_all="")
    areas.loc[areas["code"] == "990000", "units_in_all"] = "88"
    areas[areas["code"] != "990202"].to_csv(small.folder / "areas.csv", index=False)
    call("run", small.folder)
    assert names_of(small.folder)["990000"]["name_zh"] == "本次调查的 3 个县合计（全省 88 个县）"


def test_a_wave_that_covers_everything_keeps_its_names(small, call):
    call("run", small.folder)
    assert names_of(small.folder)["990000"] == {"name_zh": "测试省", "name_en": "Test Province"}


# ---- sheets of a workbook that are not what they seem ----


@pytest.fixture
def workbook(small):
    """A way to deliver one workbook of several sheets, each with or without its row of column names."""
    small.edit("survey.yaml", "files: [responses/*.csv]\n", "")
    path = small.csv.parent / "答卷.xlsx"

    def deliver_sheets(sheets, *, hidden=()):
        small.csv.unlink()
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, records in sheets.items():
            sheet = book.create_sheet(name)
            for record in records:
                sheet.append(record)
            if name in hidden:
                sheet.sheet_state = "hidden"
        book.save(path)
        return small

    return deliver_sheets


def with_names(rows):
    return [list(rows.columns), *rows.to_numpy().tolist()]


def test_rows_that_go_on_in_a_sheet_without_column_names_stop_the_run(small, workbook, call):
    rows = small.rows()
    going_on = rows.iloc[70:].to_numpy().tolist()
    workbook({"数据": with_names(rows.iloc[:70]), "数据续": going_on})
    code, _out, err = call("run", small.folder)
    assert code == 2
    assert "R325" in err
    assert "数据续" in err


def test_a_wide_sheet_without_answers_is_passed_over_where_ignore_names_it(small, workbook):
    rows = small.rows()
    workbook({"数据": with_names(rows), "统计": [["a"] * 20, ["b"] * 20]})
    survey = small.folder / "survey.yaml"
    text = survey.read_text(encoding="utf-8")
    survey.write_text(f"{text}ignore: ['responses/答卷.xlsx#统计']\n", encoding="utf-8")
    assert len(load_responses(small.read()).accepted) == len(rows)


def test_a_narrow_sheet_of_answers_is_not_passed_over(small, workbook):
    rows = small.rows()
    few = rows.loc[:4, ["id", "county", "sex", "overall"]]
    workbook({"甲": with_names(rows[5:]), "补充": with_names(few), "名单": with_names(few[["id"]])})
    with pytest.raises(ResponsesError, match=r"(?s)R325.*补充 row 1.*答卷.xlsx#补充") as stop:
        load_responses(small.read())
    assert "名单" not in str(stop.value)


def test_a_hidden_sheet_with_answers_is_read_and_said(small, workbook, call):
    rows = small.rows()
    sheets = {"甲": with_names(rows.iloc[:70]), "旧": with_names(rows.iloc[70:])}
    workbook(sheets, hidden=("旧",))
    responses = load_responses(small.read())
    assert len(responses.accepted) == len(rows)
    assert responses.log.query("rule == 'F316'")["sheet"].tolist() == ["旧"]
    (line,) = note_lines(responses.log)
    assert line.zh == "responses/答卷.xlsx 旧：工作簿中隐藏的工作表，其中各行照样读取"
    assert line.zh in call("check", small.folder, language="zh")[1].splitlines()


def test_rows_that_a_filter_hides_are_read_and_said(small, workbook, call):
    rows = small.rows()
    workbook({"甲": with_names(rows)})
    path = small.csv.parent / "答卷.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["甲"]
    for row in (3, 4, 70):
        sheet.row_dimensions[row].hidden = True
    for row in (300, 301):  # beyond the answers
        sheet.row_dimensions[row].hidden = True
    book.save(path)
    responses = load_responses(small.read())
    assert len(responses.accepted) == len(rows)
    (line,) = note_lines(responses.log)
    assert (
        line.en
        == "responses/答卷.xlsx 甲: rows that the workbook hides, by a filter or by hand; they are read × 3"
    )
    assert line.zh in call("check", small.folder, language="zh")[1].splitlines()


def test_formulas_without_their_results_are_no_empty_answers(small, workbook):
    rows = small.rows().astype(object)
    rows.iloc[0, -1] = "=1+1"
    rows.iloc[1, -1] = "=2+1"
    workbook({"甲": with_names(rows)})
    with pytest.raises(InputFileError) as stop:
        load_responses(small.read())
    assert "F443" in str(stop.value)
    assert "2 cells hold formulas without" in str(stop.value)


def test_errors_in_cells_are_answers_that_nobody_knows_and_no_empty_ones(small, workbook):
    rows = small.rows().astype(object)
    rows.iloc[0, -1] = "#N/A"
    rows.iloc[5, -1] = "#REF!"
    workbook({"空": [], "甲": [["汇总表"], [], *with_names(rows)]})
    loaded = load_responses(small.read())
    blanked = loaded.log[loaded.log["rule"] == "R202"]
    assert blanked[["row", "column", "value"]].to_numpy().tolist() == [
        [4, rows.columns[-1], "#N/A"],
        [9, rows.columns[-1], "#REF!"],
    ]


# ---- from one run to the next ----


@pytest.mark.usefixtures("tables_alone")
def test_a_run_names_the_inputs_that_are_not_those_of_the_run_before(small, call):
    rows = small.rows()
    small.write(rows[:100])
    deliver(small, "b.csv", rows[100:])
    _code, first, _err = call("run", small.folder)
    (small.csv.parent / "b.csv").unlink()
    small.edit(small.questionnaire, "zh: 背街小巷", "zh: 背街小巷整治")
    code, second, _err = call("run", small.folder)
    _code, third, _err = call("run", small.folder)
    assert code == 0
    assert "not as in the run before: responses/b.csv missing\n" in second
    assert "small/1.yaml changed\n  A version of a questionnaire that has been in use" in second
    assert "not as in the run before" not in first + third


def test_verify_says_in_one_language_why_nothing_can_be_computed(small, call):
    call("run", small.folder)
    small.write(small.rows().assign(sex=""))
    code, out, err = call("verify", small.folder / "out" / "latest", language="zh")
    assert code == 11
    assert "R104" in out + err
    assert "Next:" not in out + err


# ---- rows and answers that a second delivery brings again, or otherwise ----


def test_rows_that_a_partial_delivery_corrects_are_not_decided_by_the_order_of_files(small):
    rows = small.rows()
    small.write(rows[:80])
    later = rows[70:].copy()
    later.loc[70:74, "streets"] = later.loc[70:74, "streets"].map({"3": "4"}).fillna("3")
    deliver(small, "第二批.csv", later)
    with pytest.raises(ResponsesError, match="R343") as fault:
        load_responses(small.read())
    assert fault.value.where.endswith("第二批.csv")
    assert "5 respondents of this file" in fault.value.en
    assert "P070" in fault.value.en
    assert "P075" not in fault.value.en
    deliver(small, "第二批.csv", rows[70:])
    assert len(load_responses(small.read()).accepted) == len(rows)


@pytest.mark.parametrize("numbering", ["survey", "file", "row"])
def test_one_delivery_under_two_sets_of_numbers_is_not_counted_twice(small, numbering):
    rows = small.rows()
    renumbered = [f"Q{number}" for number in range(1, 61)]
    deliver(small, "再交.csv", rows[:60].assign(id=renumbered))
    small.edit("survey.yaml", "lonely_psu", f"numbering: {numbering}\nlonely_psu")
    with pytest.raises(ResponsesError, match="R342") as fault:
        load_responses(small.read())
    assert "60 respondents of this file stand in" in fault.value.en


@pytest.mark.parametrize("numbering", ["survey", "area"])
def test_a_number_that_lost_its_zeros_is_the_same_respondent(small, numbering):
    rows = small.rows()
    numbers = [f"{number:05d}" for number in range(1, len(rows) + 1)]
    rows = rows.assign(id=numbers)
    small.write(rows[:80])
    small.edit("survey.yaml", "lonely_psu", f"numbering: {numbering}\nlonely_psu")
    deliver(small, "b.csv", rows[75:].assign(id=rows["id"].str.lstrip("0")))
    with pytest.raises(ResponsesError, match="R344") as fault:
        load_responses(small.read())
    assert "00076 / " in fault.value.en
    assert "5 respondents stand twice" in fault.value.en


def test_people_of_two_areas_who_answer_alike_may_count_in_two_ways(small):
    """00001 of one county and 1 of another one gave nearly the same answers, as many people do."""
    rows = small.rows()
    first = rows[rows["county"] == "990101"][:1]
    place = ["county", "community"]
    other = rows[rows["county"] == "990102"][:1]
    alike = first.assign(id="1", **{name: other[name].iloc[0] for name in place})
    rows.loc[first.index, "id"] = "00001"
    small.write(rows)
    deliver(small, "b.csv", alike)
    assert len(load_responses(small.read()).accepted) == len(rows) + 1


def test_answers_in_a_second_column_of_an_item_are_not_left_out(small):
    rows = small.rows()
    title = small.read().questionnaire.items["streets"].zh
    same = rows.assign(**{title: rows["streets"]})
    small.write(same)
    assert len(load_responses(small.read()).accepted) == len(rows)
    renamed = same.copy()
    renamed.loc[:9, "streets"] = ""
    renamed.loc[10:, title] = ""
    small.write(renamed)
    with pytest.raises(ResponsesError, match="R106") as fault:
        load_responses(small.read())
    assert "(rows 2, 3, " in fault.value.en
    assert title in fault.value.en
    contrary = same.copy()
    contrary.loc[4, title] = "1" if rows["streets"][4] != "1" else "2"
    small.write(contrary)
    with pytest.raises(ResponsesError, match=r"R106[\s\S]*\(rows 6\)"):
        load_responses(small.read())


def test_value_labels_of_an_spss_file_that_contradict_its_codes_stop_the_run(small):
    rows = small.rows()
    answers = Answers(small.read().questionnaire, "sex")
    first, second = answers.declared[1].zh, answers.declared[2].zh
    small.csv.unlink()
    small.edit("survey.yaml", "files: [responses/*.csv]\n", "")
    table = rows.assign(sex=rows["sex"].astype(float))
    path = small.csv.with_suffix(".sav")
    pyreadstat.write_sav(table, str(path), variable_value_labels={"sex": {1: first, 2: second}})
    assert len(load_responses(small.read()).accepted) == len(rows)
    pyreadstat.write_sav(table, str(path), variable_value_labels={"sex": {1: second, 2: first}})
    with pytest.raises(ResponsesError, match="R341") as fault:
        load_responses(small.read())
    assert f"sex 1 = {second}, sex 2 = {first}" in fault.value.en


@pytest.mark.parametrize(
    ("marks", "column", "state"),
    [
        ({"_submission_time": "2026-04-10T10:00:00"}, "_validation_status", "Not Approved"),
        ({"SubmissionDate": "2026-04-10T10:00:00Z", "instanceID": "x"}, "ReviewState", "rejected"),
    ],
)
def test_interviews_that_a_reviewer_rejected_on_the_platform_do_not_count(
    small, marks, column, state
):
    rows = small.rows()
    rows = rows.assign(**marks)
    keys = [f"uuid:{number}" for number in range(len(rows))]
    rows = rows.assign(_uuid=keys, KEY=keys)
    rows[column] = ["", state, "Approved"] * 40
    small.write(rows)
    found = load_responses(small.read())
    assert len(found.accepted) == 80
    assert found.log["rule"].value_counts().to_dict() == {"R223": 40}
    small.edit("rules.yaml", "responses:", "responses:\n  actions: {R223: warn}")
    assert len(load_responses(small.read()).accepted) == 120


def test_a_stratum_that_was_not_delivered_is_named_before_the_figures(small, call):
    rows = small.rows()
    assert sample_lines(small.read(), load_responses(small.read()).accepted) == []
    county = COUNTIES[0]
    late = (rows["county"] == county) & (rows["residence"] == "2")
    small.write(rows[~late & (rows["community"] != f"{county}10")])
    psus, strata = sample_lines(small.read(), load_responses(small.read()).accepted)
    assert psus.en == "20 of 24 PSUs of the sample have answers"
    assert strata.zh == "没有答卷、无人代表的层：县990101、乡村（3 个初级单元）"
    assert strata.zh in call("check", small.folder, language="zh")[1]
    small.write(rows[rows["county"] != county])  # the area is named, not its strata
    assert len(sample_lines(small.read(), load_responses(small.read()).accepted)) == 1


def test_rows_whose_declared_outcome_is_no_interview_do_not_count(small):
    rows = small.rows().assign(访问员编号=small.rows()["interviewer"])
    rows["访问结果"] = ["1", "2", "3", "7"] * 30
    small.write(rows)
    assert len(load_responses(small.read()).accepted) == 120  # nobody says what the codes mean
    outcomes = pd.DataFrame({"code": ["1", "2", "3"], "disposition": ["I", "NE", "P"]})
    outcomes.to_csv(small.folder / "outcomes.csv", index=False)
    block = "outcomes: {file: outcomes.csv, source: test, date: 2026-04-20}\nlonely_psu"
    small.edit("survey.yaml", "lonely_psu", block)
    found = load_responses(small.read())
    assert found.accepted["_outcome"].value_counts().to_dict() == {"1": 30, "3": 30, "7": 30}
    assert found.log["rule"].value_counts().to_dict() == {"R224": 30}
