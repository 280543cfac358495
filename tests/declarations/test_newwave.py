"""A new survey folder: refuses what is there, explains itself, and runs once its workbooks are filled in."""

from __future__ import annotations

import re
import shutil
import zipfile
from xml.etree import ElementTree

import pandas as pd
import pytest
from ruamel.yaml import YAML
from tests.item_trees import write_files

from conftest import small_rows, small_tables
from satisfaction.declarations.new_wave import new_wave
from satisfaction.declarations.new_wave_files import COMMENTS, RULE_COMMENTS
from satisfaction.declarations.rules import Rules
from satisfaction.declarations.survey import read_survey
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.language import use
from satisfaction.foundation.tables import read_table, read_tables, write_xlsx
from satisfaction.foundation.workbooks import is_template_sheet
from satisfaction.foundation.yaml import schema_of

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def wave(small):
    """A new wave of the small questionnaire, with its areas."""
    return new_wave(
        small.root / "surveys" / "new-2026q4",
        questionnaire="small@1",
        areas=small.folder / "areas.csv",
    )


def sheets(path) -> dict[str, pd.DataFrame]:
    return {table.sheet: table.frame() for table in read_tables(path)}


def offered(path) -> dict[str, list[str]]:
    """What the drop-down below each header of the first sheet offers, read from the workbook's own XML."""
    codes = sheets(path)["编码"]["编码"]
    header = list(sheets(path)["数据"])
    with zipfile.ZipFile(path) as workbook:
        sheet = ElementTree.fromstring(workbook.read("xl/worksheets/sheet1.xml"))
    found = {}
    for rule in sheet.iter(f"{SHEET}dataValidation"):
        column = header[ord(re.match("[A-Z]", rule.get("sqref"))[0]) - ord("A")]
        if rule.get("type") == "list":
            first, last = re.fullmatch(
                r"编码!\$B\$(\d+):\$B\$(\d+)", rule.find(f"{SHEET}formula1").text
            ).groups()
            found[column] = codes.iloc[int(first) - 2 : int(last) - 1].tolist()
    return found


def fill(path, rows: pd.DataFrame) -> None:
    """Put rows into the first sheet as a person would: under its header, the other sheets left as they are."""
    kept = sheets(path)
    rows = rows.rename(columns=str).astype(str)
    assert set(kept["数据"]) <= set(rows) | {"name_en"}
    for column, codes in offered(path).items():
        assert set(rows[column]) - {""} <= set(codes), column
    write_xlsx(kept | {"数据": rows[[column for column in kept["数据"] if column in rows]]}, path)


def complete(folder) -> None:
    """Fill in what the declarations leave to the team: dates and sources, and a minimum that four small counties reach."""
    for name in ("rules.yaml", "survey.yaml", "combined.yaml"):
        if not (folder / name).is_file():
            continue
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace("minimum_n: 30", "minimum_n: 10").replace(
            "date: YYYY-MM-DD", "date: 2026-01-01"
        )
        text = text.replace("请写明来源", "测试 test")
        (folder / name).write_text(
            text.replace("请填写", "测试").replace("please fill in", "test"), encoding="utf-8"
        )


def test_the_folder_holds_declarations_and_templates(wave):
    assert {p.relative_to(wave).as_posix() for p in wave.rglob("*.*")} == {
        "survey.yaml", "rules.yaml", "responses/responses.xlsx", "areas.xlsx", "backcheck.xlsx", "quotas.xlsx", "outcomes.xlsx", "frame.xlsx", "sample.xlsx",
        "margin_county_sex.xlsx", "margin_county_age_group.xlsx",
    }  # fmt: skip
    for path in wave.rglob("*.xlsx"):
        assert [table.sheet for table in read_tables(path)] == ["数据", "示例", "编码", "说明"]


def test_drop_downs_offer_the_codes_of_questionnaire_and_areas(wave, unchanged):
    drops = offered(wave / "responses" / "responses.xlsx")
    assert drops["overall"] == ["5", "4", "3", "2", "1", "97", "98", "99"]
    assert drops["county"] == [*sorted(unchanged.ranked_areas())]
    assert "values" not in drops
    assert offered(wave / "outcomes.xlsx")["disposition"] == [
        "I",
        "P",
        "R",
        "NC",
        "O",
        "UH",
        "UO",
        "NE",
    ]
    quotas = sheets(wave / "quotas.xlsx")["数据"]
    assert list(quotas) == ["county", "sex", "age_group", "planned"]
    assert len(quotas) == 4 * 2 * 2
    assert set(quotas["planned"]) == {""}


@pytest.fixture
def english_wave(small):
    with use("en"):
        return new_wave(
            small.root / "surveys" / "english-2026q4",
            questionnaire="small@1",
            areas=small.folder / "areas.csv",
        )


def test_every_block_is_explained_in_the_language_of_the_wave(wave, english_wave):
    chinese = (wave / "survey.yaml").read_text(encoding="utf-8")
    english = (english_wave / "survey.yaml").read_text(encoding="utf-8")
    for comment in COMMENTS.values():
        assert re.search("[\u4e00-\u9fff]", comment.zh)
        assert (comment.zh in chinese) == (comment.en in english)
        assert comment.en not in chinese
        assert comment.zh not in english
    assert "simulated" not in chinese
    commented = [line for line in english.splitlines() if line.startswith("# ")]
    assert len(commented) > 20
    assert not re.findall("[\u2e80-\uffef]+", "".join(commented))


def test_workbooks_of_an_english_wave_are_english_and_have_the_same_columns(wave, english_wave):
    paths = sorted(english_wave.rglob("*.xlsx"))
    assert len(paths) == len(list(wave.rglob("*.xlsx"))) > 5
    for path in paths:
        books = sheets(path)
        assert list(books) == ["data", "example", "codes", "notes"]
        chinese = sheets(wave / path.relative_to(english_wave))
        assert list(books["data"]) == list(chinese["数据"])
        notes = [*books["notes"], *books["notes"].to_numpy().ravel(), *books["example"]]
        assert not re.findall("[\u2e80-\uffef]+", "".join(notes))


def test_a_template_that_nobody_has_filled_in_is_known_in_every_language_and_of_version_0_7():
    assert is_template_sheet("示例", ["列", "含义"])
    assert is_template_sheet("example", ["column", "meaning"])
    for sheet, first in (("示例", "列 column"), ("编码", "列 column"), ("说明", "答卷模板：小样")):
        assert is_template_sheet(sheet, [first])
    assert not is_template_sheet("example", ["respondent"])
    assert not is_template_sheet("数据", ["列"])


def test_an_english_template_is_read_once_it_is_filled_in(english_wave, call):
    complete(english_wave)
    path = english_wave / "responses" / "responses.xlsx"
    code, _, err = call("check", english_wave)
    assert code == 2
    assert "R103" in err  # a header but no rows: neither example nor codes were taken for data
    kept = sheets(path)
    rows = small_rows().astype(str)
    columns = [column for column in kept["data"] if column in rows]
    write_xlsx(kept | {"data": rows[columns]}, path)
    code, out, _ = call("check", english_wave)
    assert code == 0
    assert re.search(r"responses\.xlsx\s+data\s+120\s+120\s+0", out)


def test_the_floor_under_an_areas_own_error_is_written_out_and_explained(wave):
    text = (wave / "rules.yaml").read_text(encoding="utf-8")
    assert "  minimum_df: 8\n  minimum_deff: 0.3\n" in text
    assert "# minimum_df、minimum_deff：自身误差的自由度或设计效应低于此数的地区" in text


def test_the_schema_says_of_a_key_what_the_comment_says():
    for language in ("zh", "en"):
        with use(language):
            keys = schema_of(SurveyFile)["properties"]
        for key, comment in COMMENTS.items():
            assert keys[key]["description"] == comment.in_language(language)


def test_what_a_key_means_is_english_in_the_code_and_chinese_in_the_catalogue():
    for model, comments in ((SurveyFile, COMMENTS), (Rules, RULE_COMMENTS)):
        for key, comment in comments.items():
            assert model.model_fields[key].description == comment.en
            assert not re.search("[\u4e00-\u9fff]", comment.en)
            assert re.search("[\u4e00-\u9fff]", comment.zh)


def test_dates_must_be_filled_in_before_the_wave_is_read(wave):
    with pytest.raises(SurveyError, match="YYYY-MM-DD") as refused:
        read_survey(wave)
    assert refused.value.code == "Y203"
    assert "survey.yaml:" in refused.value.where


def test_examples_are_not_counted(wave, call):
    complete(wave)
    code, _, err = call("check", wave)
    assert code == 2
    assert "R103" in err  # a header but no rows: the example sheet was not taken for data


def test_filled_in_by_drop_down_codes_it_is_checked_and_run(wave, call):
    complete(wave)
    fill(wave / "responses" / "responses.xlsx", small_rows())
    code, out, _ = call("check", wave)
    assert code == 0
    assert re.search(r"responses\.xlsx\s+数据\s+120\s+120\s+0", out)
    code, out, err = call("run", wave)
    assert (code, err) == (0, "")
    assert re.search(r"accepted:? 120", out)
    assert "not a probability sample" in out


@pytest.mark.usefixtures("tables_alone")
def test_all_optional_blocks_make_a_probability_wave(wave, small, call):
    text = (
        (wave / "survey.yaml")
        .read_text(encoding="utf-8")
        .replace("#: ", "")
        .replace("selection: quota", "selection: probability")
    )
    text = text.replace("start: YYYY-MM-DD, end: YYYY-MM-DD", "start: 2026-04-06, end: 2026-04-26")
    (wave / "survey.yaml").write_text(text, encoding="utf-8")
    complete(wave)
    tables = small_tables()
    fill(wave / "responses" / "responses.xlsx", small_rows())
    fill(wave / "frame.xlsx", tables["frame.csv"])
    fill(wave / "sample.xlsx", tables["sample.csv"])
    quota = (
        small_rows().groupby(["county", "sex", "age_group"]).size().rename("planned").reset_index()
    )
    fill(wave / "quotas.xlsx", quota)
    fill(
        wave / "outcomes.xlsx",
        pd.DataFrame({"code": ["1"], "zh": ["完成"], "en": ["complete"], "disposition": ["I"]}),
    )
    fill(wave / "backcheck.xlsx", small_rows()[["id", "sex", "age_group"]].head(30))
    fill(wave / "margin_county_sex.xlsx", tables["county_sex.csv"])
    fill(wave / "margin_county_age_group.xlsx", tables["county_age.csv"])
    code, _, err = call("run", wave)
    assert (code, err) == (0, "")
    call("run", small.folder)
    new, old = (
        pd.read_csv(f / "out/latest/indices.csv", dtype=str, encoding="utf-8-sig")
        for f in (wave, small.folder)
    )
    assert new[["code", "measure", "estimate", "se"]].equals(
        old[["code", "measure", "estimate", "se"]]
    )


@pytest.mark.usefixtures("tables_alone")
def test_rules_that_are_off_can_be_switched_on(wave, call):
    path = wave / "rules.yaml"
    text = path.read_text(encoding="utf-8")
    assert "#: suppression:" in text
    fill(wave / "responses" / "responses.xlsx", small_rows())
    path.write_text(
        text.replace("#: ", "").replace("minimum_n: 30", "minimum_n: 25"), encoding="utf-8"
    )
    complete(wave)
    code, _, err = call("run", wave)
    assert (code, err) == (0, "")
    indices = pd.read_csv(wave / "out/latest/indices.csv", dtype=str, encoding="utf-8-sig")
    assert indices["estimate"].isna().any()  # fewer than 25 answers somewhere
    assert (wave / "out/latest/ranking_thresholds.csv").exists()
    assert (wave / "out/latest/ranking_escalation.csv").exists()


def test_like_takes_over_what_stays_and_nothing_else(small):
    folder = new_wave(small.root / "surveys" / "again-2027q1", like=small.folder)
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    assert "wave: 2027Q1" in text
    assert "selection: probability" in text
    assert "2026T1" not in text
    assert sheets(folder / "areas.xlsx")["数据"].equals(sheets_csv(small.folder / "areas.csv"))
    assert sheets(folder / "margin_county_sex.xlsx")["数据"].equals(
        sheets_csv(small.folder / "county_sex.csv")
    )
    assert sheets(folder / "sample.xlsx")["数据"].empty
    assert list(sheets(folder / "sample.xlsx")["数据"]) == list(
        sheets_csv(small.folder / "sample.csv")
    )
    assert sheets(folder / "responses" / "responses.xlsx")["数据"].empty
    complete(folder)
    fill(folder / "responses" / "responses.xlsx", small_rows())
    fill(folder / "sample.xlsx", small_tables()["sample.csv"])
    assert read_survey(folder).declared.weighting == small.read().declared.weighting


RULES = """
thresholds: [{measure: satisfaction, below: 0.6, zh: 警示, en: warning, source: 文件一}]  # kept: a comment
suppression: {minimum_n: 20, source: 文件二}
history: {file: history.csv, source: 文件三, gaps: []}
escalation: {steps: [{listed_in_a_row: 2, zh: 约谈, en: talk}], source: 文件四}
"""
COMBINED = """
title: {zh: 综合, en: Combined}
source: 文件五
components:  # two parts
  survey: {zh: 调查, en: Survey, weight: 0.5, measure: topic_index, source: 本期}
  desk: {zh: 材料, en: Desk, weight: 0.5, assessment: tree.yaml, lost: lost.csv, date: 2026-05-01, source: 第二季度}
"""


TREE = """title: {zh: 树, en: tree}
source: 测试 test
items: {leaf: {zh: 叶, en: leaf, points: 100}}
"""


@pytest.fixture
def rich(small):
    """The small wave with everything that rules.yaml, survey.yaml and combined.yaml may hand on."""
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    small.edit(
        "survey.yaml",
        "lonely_psu: fail",
        f"selection_note: {{zh: 抽样, en: drawn}}\nlonely_psu: fail\n{COLLAPSE}",
    )
    (small.folder / "history.csv").write_text(
        "wave,code,rank,listed\n2025T9,990101,1,no\n", encoding="utf-8"
    )
    for name, text in {
        "combined.yaml": COMBINED,
        "tree.yaml": TREE,
        "lost.csv": "code,item,points,reason\n",
        "notes.txt": "x",
    }.items():
        (small.folder / name).write_text(text, encoding="utf-8")
    return small


COLLAPSE = 'collapse: [{stratum: ["990101", 1], into: ["990101", 2]}, {stratum: ["990202", 1], into: ["990202", 2]}]'


def test_like_takes_over_every_rule_with_its_comments(rich):
    folder = new_wave(rich.root / "surveys" / "again", like=rich.folder)
    complete(folder)
    fill(folder / "responses" / "responses.xlsx", small_rows())
    fill(folder / "sample.xlsx", small_tables()["sample.csv"])
    earlier, later = rich.read(), read_survey(folder)
    assert later.rules == earlier.rules
    assert later.history.equals(earlier.history)
    assert "# kept: a comment" in (folder / "rules.yaml").read_text(encoding="utf-8")
    own = {"survey", "wave", "title", "fielded", "files", "fieldwork"}
    files = {name: {"file", "source", "date"} for name in ("areas", "frame", "sample")} | {
        "margins": {"__all__": {"file"}}
    }
    kept = [
        one.declared.model_dump(exclude={**dict.fromkeys(own, True), **files})
        for one in (earlier, later)
    ]
    assert kept[0] == kept[1]


def test_like_takes_over_the_combined_score_and_leaves_the_waves_own_sources_open(rich):
    folder = new_wave(rich.root / "surveys" / "again", like=rich.folder)
    text = (folder / "combined.yaml").read_text(encoding="utf-8")
    assert "source: 文件五" in text
    assert "# two parts" in text
    assert "lost: lost.csv, date: YYYY-MM-DD, source: 请写明来源" in text
    assert (folder / "tree.yaml").read_bytes() == (rich.folder / "tree.yaml").read_bytes()
    assert not (folder / "lost.csv").exists()


def test_like_says_first_what_it_took_over_and_what_not(rich, call):
    code, out, _ = call(
        "new", rich.root / "surveys" / "again", "--like", rich.folder, language="zh"
    )
    assert code == 0
    taken, left = out.split("已新建")[0].split("没有沿用：")
    for name in (
        "suppression",
        "thresholds",
        "targets",
        "history",
        "escalation",
        "collapse",
        "combined.yaml",
        "tree.yaml",
    ):
        assert name in taken
    assert "请补上 2026T1 公布的排名" in taken
    assert "notes.txt" in left
    assert "lost.csv" in left


def test_like_takes_files_of_folders_along_and_finds_shared_ones(rich, call):
    """A tree or a table in a folder below the wave's was named in the new wave and not there."""
    tables = rich.folder / "tables"
    tables.mkdir()
    (rich.folder / "history.csv").rename(tables / "history.csv")
    common = rich.root / "common"
    common.mkdir()
    (rich.folder / "tree.yaml").rename(common / "tree.yaml")
    rich.edit("rules.yaml", "file: history.csv", "file: tables/history.csv")
    rich.edit("combined.yaml", "assessment: tree.yaml", "assessment: ../../common/tree.yaml")
    target = rich.root / "surveys" / "deeper" / "again"
    target.parent.mkdir()
    _, out, _ = call("new", target, "--like", rich.folder, "--lang", "en")
    copied = target / "tables" / "history.csv"
    assert copied.read_bytes() == (tables / "history.csv").read_bytes()
    text = (target / "combined.yaml").read_text(encoding="utf-8")
    assert "assessment: ../../../common/tree.yaml" in text
    assert "tables" not in out.split("Not taken over:")[1].split("written:")[0]


def test_like_says_what_stands_as_it_was_decided_for_the_wave_before(rich, call):
    rich.edit(
        "combined.yaml",
        "components:",
        "comparable_with: [{wave: 2025T4, source: 文件六}]\ncomponents:",
    )
    _, out, _ = call("new", rich.root / "surveys" / "again", "--like", rich.folder, "--lang", "en")
    looked_at = out.split("to be looked at:")[1].split("Not taken over:")[0]
    assert "rules.yaml targets" in looked_at
    assert "rules.yaml history.gaps" not in looked_at  # declared as none
    assert "combined.yaml comparable_with" in looked_at


def test_ranks_of_the_whole_field_are_not_asked_of_some_areas(rich, call):
    folder = rich.root / "surveys" / "fewer"
    code, out, _ = call(
        "new", folder, "--like", rich.folder, "--counties", "990101,990102", language="zh"
    )
    rules = (folder / "rules.yaml").read_text(encoding="utf-8")
    assert code == 0
    for name in ("targets", "history", "escalation"):
        assert f"rules.yaml {name}" in out.split("没有沿用")[1]
        assert f"\n{name}:" not in rules
    assert "\nsuppression: {minimum_n: 20" in rules
    assert "990202" not in (folder / "survey.yaml").read_text(encoding="utf-8")


def test_another_questionnaire_is_not_taken_for_that_of_the_earlier_rankings(rich):
    second = rich.questionnaire.with_name("2.yaml")
    second.write_text(
        rich.questionnaire.read_text(encoding="utf-8").replace('version: "1"', 'version: "2"'),
        encoding="utf-8",
    )
    folder = new_wave(rich.root / "surveys" / "again", like=rich.folder, questionnaire="small@2")
    assert "questionnaire: small@1" in (folder / "rules.yaml").read_text(encoding="utf-8")


def test_no_key_of_survey_yaml_is_lost_without_a_word():
    assert set(SurveyFile.model_fields) - {"wave", "simulated"} == set(COMMENTS)


def sheets_csv(path) -> pd.DataFrame:
    return read_tables(path)[0].frame()


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("wave", {"questionnaire": "small@1"}, "S195"),
        ("Wave_3", {"questionnaire": "small@1"}, "S196"),
        ("new-2026q4", {}, "S197"),
        ("new-2026q4", {"questionnaire": "small@2"}, "S197"),
        ("new-2026q4", {"questionnaire": "small@1", "areas": "frame.csv"}, "S131"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(small, name, given, code):
    before = {p: p.read_bytes() for p in small.root.rglob("*") if p.is_file()}
    if "areas" in given:
        given = given | {"areas": small.folder / given["areas"]}
    with pytest.raises(SurveyError) as refused:
        new_wave(small.root / "surveys" / name, **given)
    assert refused.value.code == code
    assert {p: p.read_bytes() for p in small.root.rglob("*") if p.is_file()} == before


def test_the_command_line_says_what_to_do_next(small, call):
    folder = small.root / "surveys" / "cli-2026q4"
    code, out, _ = call(
        "new", folder, "--questionnaire", "small@1", "--areas", small.folder / "areas.csv"
    )
    assert code == 0
    assert "responses.xlsx" in out
    assert call("new", folder, "--questionnaire", "small@1")[0] == 2


def test_forms_on_the_command_line(small, call, tmp_path):
    assert call("form", small.questionnaire, "--out", tmp_path / "forms")[0] == 0
    assert call("form", "--check", tmp_path / "forms" / "xlsform.xlsx")[0] == 0
    code, out, _ = call("form", "--read", tmp_path / "forms" / "xlsform.xlsx")
    assert code == 0
    assert "questionnaire: small" in out
    assert call("form")[0] == 2
    survey = sheets(tmp_path / "forms" / "xlsform.xlsx")
    survey["survey"].loc[3, "name"] = "题目"
    write_xlsx(survey, tmp_path / "faulty.xlsx")
    code, out, _ = call("form", "--check", tmp_path / "faulty.xlsx")
    assert code == 2
    assert "[Q214] survey row 5 name: '题目'" in out


def test_only_some_areas_are_taken_over(small, call):
    folder = small.root / "surveys" / "fewer"
    code, _, err = call("new", folder, "--like", small.folder, "--counties", "990101，县990202")
    assert (code, err) == (0, "")
    areas = read_table(folder / "areas.xlsx")
    assert sorted(areas["code"]) == ["990000", "990100", "990101", "990200", "990202"]
    assert set(read_table(folder / "frame.xlsx")["county"]) == {"990101", "990202"}
    assert set(read_table(folder / "margin_county_sex.xlsx")["county"]) == {"990101", "990202"}
    assert "list_size: 1" in (folder / "rules.yaml").read_text(encoding="utf-8")
    code, _, err = call(
        "new", small.root / "surveys" / "none", "--like", small.folder, "--counties", "990103"
    )
    assert code == 2
    assert "S198" in err
    assert not (small.root / "surveys" / "none").exists()


# ---- tables of areas as people have them ----


def other_areas(small, **changes):
    """The small table of areas under another name, with the counties' level called otherwise."""
    table = read_table(small.folder / "areas.csv").replace({"level": {"county": "counci"}})
    path = small.root / "theirs.csv"
    table.drop(columns=changes.get("without", [])).to_csv(path, index=False)
    return path


def test_the_lowest_level_is_the_respondents_whatever_it_is_called(small, call):
    folder = small.root / "surveys" / "theirs"
    code, out, _ = call(
        "new",
        folder,
        "--questionnaire",
        "small@1",
        "--areas",
        other_areas(small),
        "--counties",
        "990101,990102",
        language="zh",
    )
    assert code == 0
    assert "'counci'" in out.split("已新建")[0]
    assert sorted(set(read_table(folder / "areas.xlsx")["level"])) == [
        "county",
        "prefecture",
        "province",
    ]
    assert offered(folder / "responses" / "responses.xlsx")["county"] == ["990101", "990102"]


def test_a_survey_reads_its_areas_with_any_name_of_the_lowest_level_and_without_dates(small):
    expected = small.read()
    shutil.copy(other_areas(small, without=["valid_from", "valid_to"]), small.folder / "areas.csv")
    survey = small.read()
    assert survey.ranked_areas() == expected.ranked_areas()
    assert survey.area_levels() == ["county", "prefecture"]


@pytest.mark.parametrize("column", ["valid_from", "valid_to"])
def test_one_date_of_validity_without_the_other_is_refused_with_both_named(small, column):
    shutil.copy(other_areas(small, without=[column]), small.folder / "areas.csv")
    with pytest.raises(SurveyError, match="S344") as refused:
        small.read()
    assert "valid_from" in refused.value.en
    assert "valid_to" in refused.value.en


def test_all_columns_that_lack_are_named_at_once(small):
    shutil.copy(other_areas(small, without=["name", "parent"]), small.folder / "areas.csv")
    with pytest.raises(SurveyError, match="S131") as refused:
        small.read()
    assert "'name', 'parent'" in refused.value.en


def test_areas_that_lie_in_each_other_are_refused_instead_of_followed_for_ever(small, call):
    table = read_table(other_areas(small))
    table.loc[table["code"] == "990100", "parent"] = "990101"
    circular = small.root / "circular.csv"
    table.to_csv(circular, index=False)
    folder = small.root / "surveys" / "theirs"
    options = ["--questionnaire", "small@1", "--areas", circular, "--counties", "990101"]
    code, _, fault = call("new", folder, *options)
    assert code == 2
    assert "S146" in fault
    assert not folder.exists()


# ---- sheets of inspection, wave after wave


def test_the_sheets_of_a_wave_become_those_of_an_earlier_one(small, call):
    write_files(small.folder)
    folder = small.root / "surveys" / "again"
    code, out, _ = call("new", folder, "--like", small.folder)
    assert code == 0
    data = YAML(typ="safe").load((folder / "combined.yaml").read_text(encoding="utf-8"))
    system = data["components"]["system"]
    assert [one["wave"] for one in system["earlier"]] == ["2025T3", "2025T4", "2026T1"]
    assert system["earlier"][-1] == {
        "wave": "2026T1",
        "lost": "lost_2026t1.csv",
        "sites": "sites_2026t1.csv",
        "source": "模拟 simulated",
    }
    for name in ("lost", "sites"):
        own = (small.folder / f"{name}.csv").read_bytes()
        assert (folder / f"{name}_2026t1.csv").read_bytes() == own
        assert not (folder / f"{name}.csv").exists()  # the new wave's is still to come
        for number in (1, 2):
            handed = (folder / f"{name}_{number}.csv").read_bytes()
            assert handed == (small.folder / f"{name}_{number}.csv").read_bytes()
    look = out.split("Changed, or to be filled in:")[1]
    assert "source and date of onsite.csv, lost.csv, sites.csv" in look


def test_a_wave_that_follows_no_lost_points_is_told_how_to(rich, call):
    code, out, _ = call("new", rich.root / "surveys" / "again", "--like", rich.folder)
    assert code == 0
    assert "desk: to follow lost points, add lost.csv of 2026T1 under `earlier`" in out


def test_some_areas_take_over_no_sheets_and_no_ranks_of_further_rankings(small, call):
    write_files(small.folder)
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write('rankings: [{score: awareness, targets: {"990101": {top: 2}}}]\n')
    folder = small.root / "surveys" / "fewer"
    code, out, _ = call("new", folder, "--like", small.folder, "--counties", "990101,990102")
    assert code == 0
    left = out.split("Not taken over:")[1]
    assert "combined.yaml system earlier" in left
    assert "rules.yaml rankings awareness targets" in left
    assert "earlier" not in (folder / "combined.yaml").read_text(encoding="utf-8")
    assert not list(folder.glob("lost*"))
