"""The file set: complete, reproducible byte for byte, without clock, machine or personal data."""

import dataclasses
import json
import re
import subprocess

import duckdb
import openpyxl
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from satisfaction import export
from satisfaction.foundation.errors import ExportError, InputFileError
from satisfaction.foundation.files import sha256
from satisfaction.foundation.tables import guarded, unguarded, write_csv, write_xlsx
from satisfaction.pipeline import run
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.file_set import export_dated

CLOCKED = {"run.json", "SHA256SUMS"}  # the checksums name that of run.json


@pytest.fixture(scope="module")
def folder(published_template):
    """The exports of the small survey; no test changes them."""
    return (published_template / "surveys" / "wave" / "out" / "latest").resolve()


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def test_the_set_is_complete(folder):
    assert {path.name for path in folder.iterdir()} == {
        "indicators.csv", "indicators.xlsx", "indicators-en.xlsx",
        "indices.csv", "indices_zh.csv", "indices.xlsx", "indices.parquet", "ranking.csv", "ranking_zh.csv", "ranking.xlsx", "ranking.parquet",
        "indices-en.xlsx", "ranking-en.xlsx", "README-en.txt",
        "covariance.csv", "datapackage.json", "README.txt", "confirm.html", "confirm-en.html", "SHA256SUMS",
        "ranking_sentences.csv", "ranking_within.csv", "ranking_targets.csv", "ranking_waves.csv",
        "rejected.csv", "rejected.xlsx", "rejected-en.xlsx", "log.csv", "report.html", "report-en.html", "reading.html", "reading-en.html",
        "manifest.json", "run.json",
        "tests.csv", "tests.xlsx", "tests-en.xlsx", "reliability.csv", "reliability.xlsx", "reliability-en.xlsx",
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["duckdb", "pandas", "polars"])
def test_every_engine_and_every_run_writes_the_same_bytes(
    folder, small_template, tmp_path, engine, drawn_anew
):
    from conftest import SmallSurvey

    again = export(run(SmallSurvey(small_template).read(), engine=engine), tmp_path / "again")
    assert {p.name: sha256(p) for p in again.iterdir() if p.name not in CLOCKED} == {
        p.name: sha256(p) for p in folder.iterdir() if p.name not in CLOCKED
    }


def test_csv_workbook_and_parquet_hold_the_same_table(folder):
    csv = read(folder / "indices.csv")
    sheet = (
        CalamineWorkbook.from_path(folder / "indices.xlsx").get_sheet_by_name("data").to_python()
    )
    parquet = (
        duckdb.connect()
        .execute("select * from read_parquet(?)", [str(folder / "indices.parquet")])
        .df()
    )
    assert list(csv) == sheet[0] == list(parquet)
    assert (
        csv["estimate"].astype(float).tolist()
        == [row[sheet[0].index("estimate")] for row in sheet[1:]]
        == parquet["estimate"].tolist()
    )


def test_codes_are_text_in_the_workbook(folder):
    rows = CalamineWorkbook.from_path(folder / "ranking.xlsx").get_sheet_by_name("data").to_python()
    assert all(isinstance(row[rows[0].index("code")], str) for row in rows[1:])


def test_figures_have_twelve_digits(folder):
    digits = (
        read(folder / "indices.csv")["estimate"]
        .str.replace(r"[.-]|e.*", "", regex=True)
        .str.strip("0")
        .str.len()
    )
    assert digits.max() == 12


def test_the_manifest_accounts_for_rows_inputs_and_conventions(folder, unchanged):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == {
        "rows": 120,
        "accepted": 120,
        "rejected": 0,
        "blanked": 0,
        "balanced": True,
    }
    assert manifest["inputs"]["survey.yaml"] == sha256(unchanged.folder / "survey.yaml")
    assert manifest["inputs"]["responses/all.csv"] == sha256(
        unchanged.folder / "responses" / "all.csv"
    )
    assert len(manifest["inputs"]) == len(unchanged.sources) + len(unchanged.files)
    assert manifest["estimates"]["county"]["df"] == "domain: PSUs - strata"
    assert manifest["ranking"]["bottom"] == unchanged.rules.ranking.list_size
    assert manifest["steps"]["weighting"][0]["discrepancy"] < 1e-10


def test_no_clock_and_no_path_outside_run_json(folder):
    finished = json.loads((folder / "run.json").read_text(encoding="utf-8"))["finished"][:10]
    for path in folder.iterdir():
        if path.name not in CLOCKED:
            content = path.read_bytes()
            assert finished.encode() not in content, path.name
            assert str(folder.parent).encode() not in content, path.name


def test_run_json_lists_the_hash_of_every_other_file(folder):
    outputs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["outputs"]
    assert outputs == {p.name: sha256(p) for p in folder.iterdir() if p.name not in CLOCKED}


def test_an_existing_folder_is_never_written_to(folder, unchanged):
    with pytest.raises(ExportError, match="X101"):
        export(run(unchanged), folder)


def test_a_failure_in_the_middle_leaves_nothing(unchanged, tmp_path, monkeypatch):
    monkeypatch.setattr("satisfaction.publication.report.render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(run(unchanged), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_every_output_of_a_simulated_wave_says_so(small, tmp_path):
    small.edit(
        "survey.yaml",
        "selection:",
        "simulated: {seed: 1, note: {zh: 模拟, en: simulated}}\nselection:",
    )
    small.change(streets="6")
    small.change(sex="")
    written = export(run(small.read()), tmp_path / "set")
    for name in ("indices.csv", "ranking.csv", "covariance.csv", "rejected.csv", "log.csv"):
        assert len(read(written / name))
        assert read(written / name)["mark"].str.contains("simulated").all()
    for name in ("report.html", "manifest.json", "run.json"):
        assert "模拟数据" in (written / name).read_text(encoding="utf-8")


def test_a_row_that_is_not_ranked_keeps_its_place(small, tmp_path):
    rows = small.rows()
    small.write(rows[(rows["county"] != "990101") | (rows.index % 5).isin([0, 2, 3])])
    small.edit("rules.yaml", "minimum_n: ", "minimum_n: 20 # ")
    ranking = read(export(run(small.read()), tmp_path / "set") / "ranking.csv")
    last = ranking.iloc[-1]
    assert (last["code"], last["rank"], last["status"]) == ("990101", "", "not ranked")


@pytest.mark.usefixtures("tables_alone")
def test_a_changed_input_makes_a_new_revision_and_the_same_inputs_do_not(small):
    def revision():
        return json.loads(
            (export_dated(run(small.read())) / "run.json").read_text(encoding="utf-8")
        )["revision"]

    assert [revision(), revision()] == [1, 1]
    small.change(sex="2")
    assert [revision(), revision()] == [2, 2]


def test_the_table_schemas_are_valid_and_a_wrong_cell_is_not(folder, tmp_path):
    import shutil

    import frictionless

    copy = shutil.copytree(folder, tmp_path / "set")
    report = frictionless.validate(str(copy / "datapackage.json"))
    assert report.valid, report.flatten(["name", "type", "note"])
    assert {task.name for task in report.tasks} >= {
        "indices",
        "ranking",
        "covariance",
        "indices-zh",
        "ranking-zh",
    }
    lines = (copy / "ranking.csv").read_text(encoding="utf-8-sig").splitlines()
    (copy / "ranking.csv").write_text(
        "\n".join([lines[0], lines[1].replace("9902", "99O2").replace("9901", "99O1")]),
        encoding="utf-8-sig",
    )
    found = {
        kind for (kind,) in frictionless.validate(str(copy / "datapackage.json")).flatten(["type"])
    }
    assert {"constraint-error", "hash-count"} <= found or {
        "constraint-error",
        "byte-count",
    } <= found


def test_every_published_column_has_one_meaning_and_its_own_heading(folder):
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        assert [field["name"] for field in resource["schema"]["fields"]] == list(
            read(folder / resource["path"])
        )
    assert len({column.title.zh for column in COLUMNS.values()}) == len(COLUMNS)
    chinese = (folder / "README.txt").read_text(encoding="utf-8")
    english = (folder / "README-en.txt").read_text(encoding="utf-8")
    for name in read(folder / "ranking.csv"):
        title = COLUMNS[name].title
        assert f"  {name}  {title.zh}" in chinese
        assert f"  {name}  {title.en}" in english
    assert "没有数值被隐去" in chinese
    assert "nothing is withheld" in english


def chinese_in(text):
    return re.findall("[\u2e80-\uffef]+", text)


def test_the_readme_is_in_one_language(folder):
    english = (folder / "README-en.txt").read_text(encoding="utf-8")
    assert chinese_in(english) == []
    chinese = (folder / "README.txt").read_text(encoding="utf-8")
    assert "recompute" not in chinese
    assert "standard error" not in chinese


def test_the_checksums_are_those_that_sha256sum_checks(folder):
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("OK") == len(list(folder.iterdir())) - 1


@pytest.mark.parametrize("name", ["indices", "ranking"])
def test_chinese_headings_stand_over_the_same_rows(folder, name):
    own, chinese = read(folder / f"{name}.csv"), read(folder / f"{name}_zh.csv")
    assert list(chinese) == [COLUMNS[column].title.zh for column in own]
    assert chinese.to_numpy().tolist() == own.to_numpy().tolist()


def test_the_sheet_for_people_shows_no_rank_without_its_sets_and_status(folder):
    book = CalamineWorkbook.from_path(folder / "ranking.xlsx")
    assert book.sheet_names == ["查看", "列说明", "说明", "data"]
    rows = book.get_sheet_by_name("查看").to_python()
    at = next(place for place, row in enumerate(rows) if row[0] == "名次")
    assert rows[at][:5] == [
        "名次",
        "名次集合（单看该单位）",
        "名次集合（全表同时）",
        "状态",
        "代码",
    ]
    assert all(row[1] and row[2] and row[3] and isinstance(row[4], str) for row in rows[at + 1 :])
    dictionary = book.get_sheet_by_name("列说明").to_python()
    assert dictionary[0] == ["列名", "名称", "类型", "单位", "含义"]
    assert [row[0] for row in dictionary[1:]] == list(read(folder / "ranking.csv"))


@pytest.mark.parametrize("name", ["indices", "ranking"])
def test_a_workbook_shows_one_language_and_the_same_figures_in_either(folder, name):
    chinese = CalamineWorkbook.from_path(folder / f"{name}.xlsx")
    english = CalamineWorkbook.from_path(folder / f"{name}-en.xlsx")
    sheets = english.sheet_names
    assert sheets[:2] == ["for people", "dictionary"]
    assert sheets[-1] == "data"
    for sheet in sheets[:-1]:
        cells = [str(cell) for row in english.get_sheet_by_name(sheet).to_python() for cell in row]
        assert chinese_in(" ".join(cells)) == []
    figures = []
    for book in (chinese, english):
        rows = book.get_sheet_by_index(0).to_python()
        numbers = [cell for row in rows for cell in row if isinstance(cell, float)]
        figures.append(numbers)
        assert len(numbers) > 10
    assert figures[0] == figures[1]
    data = [book.get_sheet_by_name("data").to_python() for book in (chinese, english)]
    assert data[0] == data[1]


def printed(path, sheet):
    """Return how a sheet of a workbook is printed: orientation, pages wide, rows on every page."""
    shown = openpyxl.load_workbook(path)[sheet]
    wide = shown.sheet_properties.pageSetUpPr.fitToPage and shown.page_setup.fitToWidth in (None, 1)
    return shown.page_setup.orientation, bool(wide), shown.print_title_rows


@pytest.mark.parametrize("name", ["indices", "ranking"])
def test_every_sheet_of_a_workbook_prints_one_page_wide_with_its_header_on_each(folder, name):
    path = folder / f"{name}.xlsx"
    for sheet in CalamineWorkbook.from_path(path).sheet_names:
        orientation, wide, header = printed(path, sheet)
        assert (orientation, wide) == ("landscape", True)
        assert header.startswith("$1:$")


def test_the_sheets_for_people_of_an_open_link_wave_have_no_column_that_holds_nothing(
    small, tmp_path
):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    folder = export(run(small.read()), tmp_path / "set")
    for name, last_heading in (("indices", "有效样本"), ("ranking", "列入名单")):
        for language in ("", "-en"):
            book = CalamineWorkbook.from_path(folder / f"{name}{language}.xlsx")
            rows = book.get_sheet_by_index(0).to_python()
            at = next(place for place, row in enumerate(rows) if all(row))
            for column, heading in enumerate(rows[at]):
                assert any(row[column] != "" for row in rows[at + 1 :]), (name, heading)
            assert not {"标准误", "se", "名次集合（单看该单位）"} & set(rows[at])
            if not language:
                assert rows[at][-1] == last_heading


def test_the_confirmation_page_names_people_and_fingerprints(folder):
    people = {
        "confirm.html": ("填报人", "审核人", "负责人"),
        "confirm-en.html": ("Prepared by", "Checked by", "Responsible"),
    }
    for file, words in people.items():
        page = (folder / file).read_text(encoding="utf-8")
        assert all(word in page for word in words)
        for path in folder.iterdir():
            if path.suffix in {".csv", ".xlsx", ".parquet"} or path.name == "manifest.json":
                assert sha256(path) in page, path.name
        assert "http" not in page


FORMULAS = ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1"]
PLAIN = ["-1", "+1.5", "text", "'quoted'", "", "a=b"]


def test_formulas_are_written_as_text_and_read_back_as_they_were(tmp_path):
    table = pd.DataFrame({"said": FORMULAS + PLAIN, "number": [-1.5] * 14})
    write_csv(table, tmp_path / "t.csv")
    there = pd.read_csv(
        tmp_path / "t.csv", keep_default_na=False, dtype={"said": str}, lineterminator="\n"
    )
    assert there["said"].tolist() == [f"'{text}" for text in FORMULAS] + PLAIN
    assert there["number"].tolist() == [-1.5] * 14
    assert unguarded(guarded(table)).equals(table.astype({"said": object}))
    write_xlsx({"data": table}, tmp_path / "t.xlsx")
    import zipfile

    assert b"<f>" not in zipfile.ZipFile(tmp_path / "t.xlsx").read("xl/worksheets/sheet1.xml")
    cells = CalamineWorkbook.from_path(tmp_path / "t.xlsx").get_sheet_by_name("data").to_python()
    assert [row[0] for row in cells[1:5]] == FORMULAS[:4]
    assert cells[1][1] == -1.5


def with_fewer_steps(survey):
    """The survey as somebody tries it: with the base weights alone."""
    declared = survey.declared.model_copy(update={"weighting": survey.declared.weighting[:1]})
    return dataclasses.replace(survey, declared=declared)


def test_results_of_other_weights_are_marked_as_a_trial_in_every_row_page_and_picture(
    unchanged, tmp_path
):
    written = export(run(with_fewer_steps(unchanged)), tmp_path / "chosen")
    for path in written.glob("*.csv"):
        assert read(path).iloc[:, -1].str.contains("试算").all(), path.name
    for name in (
        "report-en.html",
        "reading-en.html",
        "confirm-en.html",
        "README-en.txt",
        "manifest.json",
        "run.json",
    ):
        assert "trial, not an official result" in (written / name).read_text(encoding="utf-8"), name
    assert json.loads((written / "manifest.json").read_text())["trial"] == [
        "survey.yaml: weighting"
    ]


def test_estimates_put_in_by_hand_are_a_trial(unchanged, tmp_path):
    survey = unchanged
    other = run(with_fewer_steps(survey))
    mixed = dataclasses.replace(run(survey), estimates=other.estimates)
    written = export(mixed, tmp_path / "mixed")
    assert json.loads((written / "manifest.json").read_text())["trial"] == ["estimates"]


def test_a_declaration_changed_between_the_run_and_the_export_is_refused(small, tmp_path):
    results = run(small.read())
    small.edit("survey.yaml", "level: 0.95", "level: 0.9")
    with pytest.raises(InputFileError, match="F420"):
        export(results, tmp_path / "late")
    assert not (tmp_path / "late").exists()


def test_a_trial_is_never_put_among_the_runs(small):
    results = run(small.read())
    small.edit("rules.yaml", "minimum_n: 10", "minimum_n: 20")
    with pytest.raises(ExportError, match=r"X402") as fault:
        export_dated(results)
    assert "rules.yaml: ranking" in str(fault.value)
    assert not (small.folder / "out").exists()
