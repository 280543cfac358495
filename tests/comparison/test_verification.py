"""verify finds what was changed and why; compare says which figures changed between two sets, and why."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import zipfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from conftest import SmallSurvey, joined
from satisfaction.comparison.compare import compare, comparison_lines, verification_lines
from satisfaction.foundation.engines import write_parquet
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.shipped import program_digest
from satisfaction.foundation.tables import write_checksums
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export, export_dated
from satisfaction.publication.verify import (
    BY_HAND,
    IDENTICAL,
    OTHER_INPUTS,
    OTHER_VERSION,
    UNEXPLAINED,
    verify,
)


@pytest.fixture(scope="module")
def made(published_template, tmp_path_factory):
    """The small survey and its file set; no test changes them."""
    root = tmp_path_factory.mktemp("verify") / "small"
    survey = SmallSurvey(shutil.copytree(published_template, root, symlinks=True))
    return survey, (survey.folder / "out" / "latest").resolve()


@pytest.fixture
def copy(made, tmp_path):
    """A copy that the test may change: the survey and, in it, the file set."""
    survey, folder = made
    root = shutil.copytree(survey.root, tmp_path / "small", symlinks=True)
    return SmallSurvey(root), root / folder.relative_to(survey.root)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode("utf-8")
    assert old in text, path.name
    path.write_bytes(text.replace(old, new, 1).encode("utf-8"))


def plant(folder: Path) -> str:
    """Change the first estimate by one unit of the third digit in a file of every kind; return its text."""
    first = pd.read_csv(folder / "ranking.csv", encoding="utf-8-sig", dtype=str)["estimate"].iloc[0]
    other = first[:1] + str((int(first[1]) + 1) % 10) + first[2:]
    edit(folder / "ranking.csv", first, other)
    table = (
        duckdb.connect()
        .execute("select * from read_parquet(?)", [str(folder / "ranking.parquet")])
        .df()
    )
    write_parquet(
        table.assign(estimate=[float(other), *table["estimate"][1:]]), folder / "ranking.parquet"
    )
    with zipfile.ZipFile(folder / "ranking.xlsx") as book:
        parts = {name: book.read(name) for name in book.namelist()}
    data = max(name for name in parts if name.startswith("xl/worksheets/sheet"))
    sheet = parts[data]
    assert first.encode() in sheet
    parts[data] = sheet.replace(first.encode(), other.encode(), 1)
    with zipfile.ZipFile(folder / "ranking.xlsx", "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    edit(folder / "manifest.json", '"decidable_share": 0.', '"decidable_share": 1.')
    edit(folder / "reading.html", "<h2>1.", "<h2>9.")
    edit(folder / "README.txt", "各列", "各行")
    return other


def test_an_untouched_set_is_identical(made):
    found = verify(made[1])
    assert (found.code, found.differing, found.files, found.inputs, found.versions) == (
        IDENTICAL,
        (),
        {},
        {},
        {},
    )
    assert found.compared == len(list(made[1].iterdir())) - 2
    assert verification_lines(found)[-1].zh.startswith("一致：")
    assert verification_lines(found)[-1].en.startswith("identical: ")


def test_a_difference_planted_in_every_kind_of_file_is_named(copy):
    other = plant(copy[1])
    write_checksums(copy[1])  # whoever changed the figures renewed the checksums too
    found = verify(copy[1])
    by_file = {one.file: one for one in found.differing}
    assert set(by_file) == {
        "ranking.csv",
        "ranking.parquet",
        "ranking.xlsx",
        "manifest.json",
        "reading.html",
        "README.txt",
    }
    for name in ("ranking.csv", "ranking.parquet", "ranking.xlsx"):
        one = by_file[name]
        assert one.column == "estimate"
        assert one.unit.startswith("2026T1 9")
        assert float(one.old) == float(other) != float(one.new)
    assert by_file["manifest.json"].place == "ranking.decidable_share"
    line = by_file["reading.html"].place
    assert line.startswith("line ")
    (said,) = [one for one in verification_lines(found) if "reading.html" in one.en]
    assert f"reading.html {line}:" in said.en
    assert f"reading.html 第 {line.removeprefix('line ')} 行：" in said.zh
    assert found.code == UNEXPLAINED
    assert found.differing[0].file == "ranking.csv"


def test_a_file_changed_by_hand_is_told_from_its_checksum(copy, call):
    edit(copy[1] / "indices.csv", "awareness", "Awareness")
    (copy[1] / "notes.txt").write_text("x")
    (copy[1] / "ranking_zh.csv").unlink()
    code, out, _ = call("verify", copy[1])
    assert code == BY_HAND
    assert "file changed by hand since it was written: indices.csv changed" in out
    assert "ranking_zh.csv missing" in out
    assert "notes.txt not listed" in out
    assert "indices.csv 2026T1 county 990101 awareness measure" in out.replace(
        "Awareness", "awareness"
    )


def test_changed_inputs_are_named(copy):
    survey, folder = copy
    survey.change(streets="1")
    survey.rows().iloc[:0].to_csv(survey.csv.with_name("late.csv"), index=False)
    found = verify(folder)
    assert found.code == OTHER_INPUTS
    assert found.inputs == {"responses/all.csv": "changed", "responses/late.csv": "added"}
    survey.csv.with_name("late.csv").unlink()
    again = verify(folder)
    assert again.inputs == {"responses/all.csv": "changed"}
    assert again.differing
    survey.edit("rules.yaml", "minimum_n: 10", "minimum_n: 1000")
    assert "K160" in verify(folder).fault


def test_another_program_version_is_told(copy, monkeypatch):
    edit(copy[1] / "manifest.json", '"scipy": "', '"scipy": "0.')
    edit(copy[1] / "ranking.csv", "possible", "excluded")
    write_checksums(copy[1])
    found = verify(copy[1])
    assert found.code == OTHER_VERSION
    assert list(found.versions) == ["scipy"]
    assert "程序版本不同" in joined(verification_lines(found)).zh


def test_a_program_of_the_same_version_but_other_files_is_told(copy):
    files = json.loads((copy[1] / "manifest.json").read_text(encoding="utf-8"))["versions"]
    edit(copy[1] / "manifest.json", files["satisfaction_files"], "sha256:0123456789ab")
    edit(copy[1] / "ranking.csv", "possible", "excluded")
    write_checksums(copy[1])
    found = verify(copy[1])
    assert found.code == OTHER_VERSION
    assert list(found.versions) == ["satisfaction_files"]
    told = joined(verification_lines(found))
    assert "程序版本相同，但程序文件不同" in told.zh
    assert "program are the same" not in told.en


def test_the_checksum_of_the_program_depends_on_its_files_alone():
    assert program_digest.__wrapped__() == program_digest()
    assert re.fullmatch("sha256:[0-9a-f]{12}", program_digest())


def test_the_survey_is_found_or_has_to_be_named(copy, tmp_path):
    away = shutil.copytree(copy[1], tmp_path / "elsewhere" / "deep" / "set")
    with pytest.raises(InputFileError, match="F123"):
        verify(away)
    assert verify(away, survey=copy[0].folder).code == IDENTICAL
    with pytest.raises(InputFileError, match="F121"):
        verify(tmp_path)


def test_nothing_changed_is_said(made):
    found = compare(made[1], made[1])
    assert found.nothing
    assert not len(found.causes)
    assert any("没有变化" in line.zh for line in comparison_lines(found))


@pytest.mark.usefixtures("tables_alone")
def test_a_corrected_answer_explains_the_figures_that_changed(copy):
    survey, before = copy
    survey.change(streets="7")
    wrong = export_dated(run(survey.read()))
    fixed = "file,sheet,row,id,column,old,new,by,date,reason\nresponses/all.csv,,2,P000,streets,7,1,a,2026-05-01,b\n"
    (survey.folder / "corrections.csv").write_text(fixed, encoding="utf-8")
    after = export_dated(run(survey.read()))
    found = compare(wrong, after)
    kinds = found.causes.groupby("kind")["what"].agg(list).to_dict()
    assert kinds["inputs"] == ["corrections.csv"]
    assert kinds["corrections"] == ["responses/all.csv row 2 streets"]
    assert set(kinds) <= {"inputs", "corrections", "responses", "conventions"}
    assert "990101" in set(found.figures["code"])
    assert not {"990201", "990202"} & set(found.figures["code"])
    row = found.figures[
        (found.figures["code"] == "990101") & (found.figures["measure"] == "streets")
    ].iloc[0]
    old, new = (
        pd.read_csv(side / "indices.csv", encoding="utf-8-sig", dtype={"code": str})
        for side in (wrong, after)
    )
    values = [
        t[(t["code"] == "990101") & (t["measure"] == "streets")]["estimate"].iloc[0]
        for t in (old, new)
    ]
    assert [row["old"], row["new"], row["difference"]] == pytest.approx(
        [*values, values[1] - values[0]], abs=1e-9
    )
    assert found.figures["points"].abs().is_monotonic_decreasing
    assert len(compare(before, after).causes)


def test_a_changed_rule_and_another_version_are_named(copy, tmp_path, call):
    survey, before = copy
    survey.edit("rules.yaml", "minimum_n: 10", "minimum_n: 11")
    after = export_dated(run(survey.read()))
    manifest = json.loads((after / "manifest.json").read_text(encoding="utf-8"))
    manifest["versions"]["satisfaction"], manifest["questionnaire"] = "9.9", "small@2"
    (after / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = compare(before, after)
    assert found.nothing
    assert {(row.kind, row.what) for row in found.causes.itertuples()} == {
        ("inputs", "rules.yaml"), ("rules", "ranking.minimum_n"), ("program", "satisfaction"), ("questionnaire", "questionnaire"),
    }  # fmt: skip
    code, out, _ = call("compare", before, after, "--out", tmp_path / "c")
    assert code == 0
    assert "smallest sample size (ranking.minimum_n): 10 → 11" in out
    _code, out, _ = call("compare", before, after, language="zh")
    assert "最少样本量（ranking.minimum_n）：10 → 11" in out
    book = CalamineWorkbook.from_path(tmp_path / "c" / "figures.xlsx")
    assert book.sheet_names == ["数值", "原因", "名次", "检验", "说明", "data"]
    assert call("compare", before, after, "--out", tmp_path / "c")[0] == 2


def test_rankings_are_compared_by_what_they_rank(copy, tmp_path):
    """Two scores change places: as *the* ranking of the wave, and as a further one."""
    first = shutil.copytree(copy[1], tmp_path / "first")
    second = shutil.copytree(copy[1], tmp_path / "second")
    other = (first / "ranking.csv").read_text("utf-8-sig").replace(",topic_index,", ",parks,")
    (first / "parks_ranking.csv").write_text(other, "utf-8-sig")
    shutil.copy(second / "ranking.csv", second / "topic_index_ranking.csv")
    (second / "ranking.csv").write_text(other, "utf-8-sig")
    assert not len(compare(first, second).ranks)
    (second / "topic_index_ranking.csv").unlink()
    gone = compare(first, second).ranks
    assert set(gone["ranking"]) == {"topic_index"}
    assert gone["old"].notna().all()
    assert gone["new"].isna().all()
    lines = [line.zh for line in comparison_lines(compare(first, second))]
    assert any("  990101 县990101" in line and "→ —" in line for line in lines)
    assert not any("topic_index" in line for line in lines if "→ —" in line)


def test_a_change_without_a_recorded_cause_is_said(copy, tmp_path):
    other = shutil.copytree(copy[1], tmp_path / "other")
    plant(other)
    found = compare(copy[1], other)
    assert len(found.ranks) == 0 or len(found.figures) == 0
    edit(other / "indices.csv", "0.", "0.0")
    found = compare(copy[1], other)
    assert len(found.figures) == 1
    assert any("No cause is recorded" in line.en for line in comparison_lines(found))


def test_the_exit_code_of_compare_says_whether_figures_differ(copy, tmp_path, call):
    other = shutil.copytree(copy[1], tmp_path / "other")
    assert call("compare", copy[1], other)[0] == 0
    edit(other / "indices.csv", "0.", "0.0")
    assert call("compare", copy[1], other, "--out", tmp_path / "c")[0] == 1
    assert (tmp_path / "c" / "figures.csv").exists()
    assert call("compare", copy[1], tmp_path / "nowhere")[0] == 2


def test_changed_tests_are_compared(copy, tmp_path):
    other = shutil.copytree(copy[1], tmp_path / "other")
    for name, column in (("tests", "p_adjusted"), ("reliability", "coefficient")):
        path = other / f"{name}.csv"
        table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
        table.loc[0, column] = "0.123"
        table.to_csv(path, index=False, encoding="utf-8-sig")
    found = compare(copy[1], other)
    assert not found.nothing
    assert not len(found.figures) + len(found.ranks)
    assert found.tests[["file", "column", "new"]].to_numpy().tolist() == [
        ["tests", "p_adjusted", 0.123],
        ["reliability", "coefficient", 0.123],
    ]
    assert found.tests["row"].iloc[0].startswith("rest topic_index county 990101")
    said = joined(comparison_lines(found))
    assert "changed figures of tests and reliability: 2" in said.en
    for identifier in ("topic_index", "p_adjusted", ".csv"):
        assert identifier not in said.en.replace(str(copy[1]), "").replace(str(other), "")
    # a set that was written before these tables were made lacks them; no figure changed
    for name in ("tests.csv", "reliability.csv"):
        (other / name).unlink()
    assert compare(copy[1], other).nothing


@pytest.mark.usefixtures("tables_alone")
def test_a_set_made_from_other_declarations_is_recomputed_from_its_record(made):
    survey = made[0].read()
    declared = survey.declared.model_copy(update={"weighting": survey.declared.weighting[:1]})
    results = run(dataclasses.replace(survey, declared=declared))
    trial = export(results, made[0].folder / "out" / "chosen")
    found = verify(trial)
    said = joined(verification_lines(found)).en
    assert found.code == IDENTICAL
    assert "other declarations than the survey's folder: survey.yaml: weighting" in said
    assert "in no record" not in said
    causes = compare(made[1], trial).causes
    assert "survey.yaml: weighting" in str(causes.loc[causes["kind"] == "trial", "new"].iloc[0])


@pytest.mark.usefixtures("tables_alone")
def test_verify_says_that_a_part_put_in_by_hand_cannot_be_recomputed(made):
    survey = made[0].read()
    declared = survey.declared.model_copy(update={"weighting": survey.declared.weighting[:1]})
    other = run(dataclasses.replace(survey, declared=declared))
    mixed = dataclasses.replace(run(survey), estimates=other.estimates)
    found = verify(export(mixed, made[0].folder / "out" / "mixed"))
    said = joined(verification_lines(found)).en
    assert found.code == OTHER_INPUTS
    assert "in no record, so not to be recomputed: estimates" in said
    assert "the file is not what they give" not in said
