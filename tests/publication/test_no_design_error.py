"""Without a probability sample no file, page, picture, sentence or console line states an error, a set or a probability."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import duckdb
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from python_calamine import CalamineWorkbook
from tests.ranking.test_rankings import prepare

import item_trees
import satisfaction as sat
from conftest import COUNTIES, method_section
from cut_waves import cut_wave
from one_kernel import NotebookRun, execute_in_one_kernel
from satisfaction.estimation.pairs import all_pairs
from satisfaction.notebook.notebooks import WORKING, nothing_for
from satisfaction.publication import plots
from satisfaction.publication.tables import indicators_of, indicators_table, tables_of

ROOT = Path(__file__).parents[2]
RULES = """thresholds:
  - {measure: topic_index, below: 70, zh: 约谈, en: talk, source: 测试 test}
"""
ERRORS = {
    "se", "df", "ci_low", "ci_high", "cv", "deff", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "p_in",
    "p_out", "probability_bottom", "expected_rank", "reliability", "probability_first", "probability_last", "p_met", "p_not_met",
    "probability", "p_below", "p_not_below", "change_se", "p", "p_bh", "p_holm", "shrunk_change", "shrunk_sd", "rise_low", "rise_high",
    "all_low", "all_high", "expected_rise", "probability_rise", "correlation", "probability_low", "probability_high",
    "probability_met_low", "probability_met_high", "probability_rise_low", "probability_rise_high", "model_dependent", "grade",
    "p_adjusted", "p_below_adjusted", "p_not_below_adjusted", "p_in_adjusted", "p_out_adjusted", "p_listed", "p_not_listed",
    "p_established", "p_excluded", "probability_list", "n_effective", "statistic", "alpha_low", "alpha_high",
}  # fmt: skip
OF_INTERVIEWERS = (
    "log.csv",
    "findings.csv",
)  # findings test interviewers against each other, not the population
WORDS = re.compile(
    r"属于名单的概率 [>0-9]|P\(on the list\)|名次集合 ?\d|rank set ?\d|% 置信|% confidence|已确认属于|under the model|按模型"
)
HEADS = re.compile(
    r"<(?:th|caption|figcaption|h\d)\b[^>]*>[^<]*(?:标准误|置信|区间|集合|p 值|概率|信度|期望名次|自由度"
    r"|\bse\b|interval|rank set|\[set\]|\bp\b|probability|reliability)"
)  # what would stand over an empty column
UNDER_A_MODEL = re.compile(
    r"<th scope=\"col\" class=\"number\">(?:se of the model|limits of the model|模型标准误|模型界限)</th>"
)
OF_PLACES = re.compile(
    r"<th scope=\"col\" class=\"number\">(?:se|标准误)</th>"
)  # of places of inspection, which were drawn
COLUMNS = re.compile(
    r"(?<![\w-])(?:se|df|ci_low|ci_high|cv|deff|kish_deff|effective_n|p_\w+|marginal\w*|simultaneous\w*|probability\w*"
    r"|expected_rank|reliability|rankability|standard errors?)(?![\w-])(?!\s+none: not|）\s+无：不是概率样本)"
)  # the same in a notebook
PICTURE = re.compile(r"src=\"data:[^\"]*\"")
NO_ERRORS = {
    "01_fieldwork": {"p_bh"},
    "02_weighting": {"cv"},
}  # interviewers against each other; of the weights


@pytest.fixture(params=["open_link", "quota"])
def selection(request):
    return request.param


# what `test_the_two_kinds_differ_in_their_name_alone` shows need not be written twice
open_link = pytest.mark.parametrize("selection", ["open_link"], indirect=True)
quota = pytest.mark.parametrize("selection", ["quota"], indirect=True)


@pytest.fixture(scope="module")
def twin(unchanged):
    """The same answers from a probability sample."""
    return sat.run(unchanged)


@pytest.fixture
def wave(small, selection, twin):
    """The small survey declared as another selection, and its probability twin."""
    small.edit("survey.yaml", "selection: probability", f"selection: {selection}")
    return small, twin


def stated(twin, digits: int = 6) -> set[str]:
    """The errors of the probability twin as they would be printed, with five significant digits or more."""
    numbers = set()
    for one in twin.estimates.values():
        for column in ("se", "ci_low", "ci_high", "deff", "cv"):
            numbers |= {
                f"{value:.{digits}g}"
                for value in one.table[column]
                if np.isfinite(value) and value not in (0, 1)
            }
    for column in ("p_in", "p_out", "probability_bottom", "expected_rank", "reliability"):
        numbers |= {
            f"{value:.{digits}g}" for value in twin.ranking.table[column] if value not in (0, 1)
        }
    return {number for number in numbers if len(number.replace("0.", "").replace(".", "")) >= 5}


def texts(folder: Path):
    """Every file's content as text; pages without the data of their pictures, workbooks cell by cell."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            yield path, PICTURE.sub("", path.read_text(encoding="utf-8-sig"))
        elif path.suffix in (".csv", ".json", ".txt", ".svg", ".ipynb", ".md", ".R"):
            yield path, path.read_text(encoding="utf-8-sig")
        elif path.suffix == ".docx":
            with zipfile.ZipFile(path) as document:
                parts = [name for name in document.namelist() if name.endswith(".xml")]
                yield path, "\n".join(document.read(name).decode() for name in parts)
        elif path.suffix == ".xlsx":
            book = CalamineWorkbook.from_path(str(path))
            sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
            cells = (cell for rows in sheets for row in rows for cell in row)
            yield (
                path,
                "\n".join(
                    f"{cell:.12g}" if isinstance(cell, float) else str(cell)
                    for cell in cells
                    if cell != ""
                ),
            )


def nothing_claimed(folder: Path, twin, digits: int = 6) -> None:
    """Of many areas six digits of an error are somewhere by chance; published figures have twelve."""
    seen = 0
    numbers = stated(twin, digits)
    for path, text in texts(folder):
        seen += 1
        found = {number for number in numbers if number in text}
        assert not found, (path.name, found)
        if path.suffix == ".csv" and path.name not in OF_INTERVIEWERS:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            for column in ERRORS & set(table):
                assert set(table[column]) <= {""}, (path.name, column)
        if path.suffix in (".html", ".csv", ".docx", ".svg"):
            assert not (word := WORDS.search(text)), (path.name, word)
        if path.suffix == ".html":
            assert not (head := HEADS.search(text)), (path.name, head)
    for path in folder.rglob("*.parquet"):
        columns = duckdb.read_parquet(str(path)).fetchnumpy()
        for column in ERRORS & set(columns):
            cells = pd.Series(columns[column])
            assert (cells.isna() | (cells == "")).all(), (path.name, column)
    assert seen


@pytest.mark.usefixtures("tables_alone")
def test_the_two_kinds_differ_in_their_name_alone(small):
    """Every table of both sets is the same but for the column that names the kind of selection."""
    written = {}
    before = "selection: probability"
    for kind in ("open_link", "quota"):
        small.edit("survey.yaml", before, f"selection: {kind}")
        before = f"selection: {kind}"
        folder = sat.export(sat.run(small.read()), small.root / kind)
        tables = {}
        for path in folder.glob("*.csv"):
            tables[path.name] = pd.read_csv(path, dtype=str, keep_default_na=False)
        written[kind] = tables
    named = 0
    for kind, tables in written.items():
        for table in tables.values():
            for column in {"selection", "样本选取方式"} & set(table):
                assert set(table.pop(column)) == {kind}
                named += 1
    assert named == 4
    assert len(written["quota"]) > 8
    assert written["open_link"].keys() == written["quota"].keys()
    for name, table in written["open_link"].items():
        pd.testing.assert_frame_equal(table, written["quota"][name], obj=name)


def test_estimates_of_a_sample_without_probability_carry_no_error(wave):
    small, _ = wave
    found = sat.run(small.read())
    for one in found.estimates.values():
        assert (
            one.table[["se", "df", "ci_low", "ci_high", "cv", "deff", "n_effective"]]
            .isna()
            .all(axis=None)
        )
        assert np.isnan(one.cov).all()
        assert one.table["estimate"].notna().any()


def test_a_ranking_of_it_has_point_ranks_and_the_point_list_and_nothing_of_their_certainty(wave):
    small, twin = wave
    found = sat.run(small.read()).ranking
    assert list(found.table["rank"]) == list(twin.ranking.table["rank"])
    assert found.summary["listed"] == twin.ranking.summary["listed"]
    assert found.table[sorted(ERRORS & set(found.table))].isna().all(axis=None)
    assert set(found.table["status"]) == {"possible"}
    assert "未知" in str(found.summary["notes"][0])
    assert not found.order().decided.to_numpy().any()


def test_arrays_given_with_errors_are_ranked_without_them_too(selection):
    found = sat.rank([3.0, 1.0, 2.0], se=[0.1, 0.1, 0.1], bottom=1, selection=selection)
    assert list(found.table["rank"]) == [1, 3, 2]
    assert (
        found.table[["se", "marginal_low", "p_in", "probability_bottom", "reliability"]]
        .isna()
        .all(axis=None)
    )
    assert set(found.target("top", 1).table["verdict"]) == {"not decidable"}


@open_link
def test_run_and_report_state_nothing(wave, call):
    small, twin = wave
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(RULES)
    code, out, err = call("run", small.folder)
    assert code == 0, err
    assert not WORDS.search(out)
    assert not {number for number in stated(twin) if number in out}
    assert "how certain ranks are is unknown" in out
    _, in_chinese, _ = call("run", small.folder, language="zh")
    assert "未知" in in_chinese
    assert not WORDS.search(in_chinese)
    assert call("report", small.folder)[0] == 0
    nothing_claimed(small.folder / "out", twin)
    assert not list((small.folder / "out").rglob("covariance.csv"))
    assert not list((small.folder / "out").rglob("reading.html"))
    latest = small.folder / "out" / "latest"
    assert call("verify", latest)[0] == 0
    described = json.loads((latest / "datapackage.json").read_text(encoding="utf-8"))
    assert "covariance.csv" not in json.dumps(described["resources"])


@pytest.mark.slow
@pytest.mark.usefixtures("tables_alone")
def test_the_shipped_wave_as_an_open_link_states_nothing(tmp_path, call):
    """All its files but the pages of areas: several rankings, targets, thresholds, a ladder, ranks over the waves."""
    cut_wave("guizhou-2026q2", tmp_path)
    folder = cut_wave("guizhou-2026q3", tmp_path)
    twin = sat.run(sat.read_survey(folder))
    declared = folder / "survey.yaml"
    text = declared.read_text(encoding="utf-8")
    assert "selection: probability" in text
    text = text.replace("selection: probability", "selection: open_link")
    declared.write_text(text, encoding="utf-8")
    code, out, err = call("run", folder)
    assert code == 0, err
    assert not WORDS.search(out)
    assert len(list((folder / "out" / "latest").glob("*.csv"))) > 20
    assert list((folder / "out").rglob("*.parquet"))
    nothing_claimed(folder / "out", twin, digits=12)


@quota
@pytest.mark.usefixtures("tables_alone")
def test_area_pages_and_further_rankings_state_nothing(wave, call):
    """With a combined score and several rankings, one component of which brings an error of its own."""
    small, twin = wave
    prepare(small)
    code, out, err = call("run", small.folder)
    assert code == 0, err
    assert not WORDS.search(out)
    code, _, err = call("report", small.folder)
    assert code == 0, err
    nothing_claimed(small.folder / "out", twin)
    for language in ("zh", "en"):
        for area in (*COUNTIES, "990100", "990200"):
            (page,) = (small.folder / "out").rglob(f"{language}/{area}.html")
            text = page.read_text(encoding="utf-8")
            assert "φ = 0.5" in text
            assert ("In it alone" in text or "若仅该地如此" in text) == (area in COUNTIES)
            assert not UNDER_A_MODEL.search(text), page
    (combined,) = (small.folder / "out").rglob("combined_ranking.csv")
    assert pd.read_csv(combined)["rank"].notna().all()


@open_link
@pytest.mark.usefixtures("tables_alone")
def test_declared_tests_of_it_test_nothing(wave, call):
    small, twin = wave
    small.edit("survey.yaml", "level: 0.95", "level: 0.95\ntests: {}")
    code, _, err = call("run", small.folder)
    assert code == 0, err
    nothing_claimed(small.folder / "out", twin)
    for path in (small.folder / "out").rglob("tests.csv"):
        table = pd.read_csv(path, encoding="utf-8-sig")
        assert table[["se", "df", "statistic", "p", "p_adjusted"]].isna().all(axis=None)


@quota
def test_an_assessment_beside_it_states_nothing(wave, call):
    """Points of a tree of items, one part of which is this survey."""
    small, twin = wave
    item_trees.write_files(small.folder)
    code, out, err = call("assessment", small.folder)
    assert code == 0, err
    assert not WORDS.search(out), out
    assert "nan" not in out.lower()
    (folder,) = (small.folder / "out").glob("*-assessment")
    errors = stated(twin)
    for path, text in texts(folder):
        assert not {number for number in errors if number in text}, path
        assert not WORDS.search(text), path
        if path.suffix == ".html":
            others = OF_PLACES.sub("", text)
            assert not (head := HEADS.search(others)), (path.name, head)
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            if "at_least" in table:  # what the survey decides
                assert set(table["probability"]) <= {""}, path.name
            for column in ("rank_low", "rank_high", "probability_list"):
                assert set(table.get(column, [])) <= {""}, (path.name, column)


@open_link
@pytest.mark.usefixtures("tables_alone")
def test_with_a_model_every_error_stands_under_its_name(wave, selection, call):
    """In files, pages of areas and the report: the model's columns have figures, those of sampling have none."""
    small, twin = wave
    model = "selection_model: {source: 测试 test}"
    small.edit("survey.yaml", f"selection: {selection}", f"selection: {selection}\n{model}")
    code, _, err = call("run", small.folder)
    assert code == 0, err
    assert call("report", small.folder)[0] == 0
    errors = stated(twin)
    for path, text in texts(small.folder / "out"):
        assert not {number for number in errors if number in text}, path
        if path.suffix == ".csv" and path.name not in OF_INTERVIEWERS:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            for column in ERRORS & set(table):
                assert set(table[column]) <= {""}, (path.name, column)
        if path.suffix == ".html":
            others = UNDER_A_MODEL.sub("", text)
            assert not (head := HEADS.search(others)), (path.name, head)
    (page,) = (small.folder / "out").rglob("en/990101.html")
    text = page.read_text(encoding="utf-8")
    assert len(UNDER_A_MODEL.findall(text)) == 2
    for method in ("calibration (model of the answers)", "doubly robust (both models)"):
        assert method in text
    assert "Source of the model: 测试 test" in text


def later(small) -> Path:
    """A second wave beside the first, of the same answers a quarter later."""
    folder = small.folder.with_name("later")
    shutil.copytree(small.folder, folder, ignore=shutil.ignore_patterns("out"))
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("survey: small-wave", "survey: later-wave"),
        ("wave: 2026T1", "wave: 2026T2"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "survey.yaml").write_text(text, encoding="utf-8")
    return folder


@quota
@pytest.mark.parametrize("command", ["change", "rolling", "trial"])
def test_two_waves_of_it_state_nothing(wave, call, command):
    small, twin = wave
    code, out, err = call(command, small.folder, later(small))
    assert code == 0, err
    assert not WORDS.search(out), out
    assert "nan" not in out.lower(), out
    nothing_claimed(small.folder.parent / "later" / "out", twin)


@open_link
@pytest.mark.parametrize("command", ["stability", "fieldwork", "plan"])
def test_the_other_commands_state_nothing(wave, call, command):
    small, twin = wave
    code, out, err = call(command, small.folder)
    assert code in (0, 2), err
    assert not {number for number in stated(twin) if number in out + err}
    assert "Z101" not in err
    if (small.folder / "out").exists():
        nothing_claimed(small.folder / "out", twin)


def test_a_plan_cannot_rest_on_it_and_says_why(wave, call):
    small, _ = wave
    code, _, err = call("plan", small.folder)
    assert code == 2
    assert "D360" in err
    assert not list(small.folder.glob("out/*-plan"))


def test_pages_of_the_fieldwork_say_that_their_tests_compare_interviewers_only(wave, call):
    small, _ = wave
    assert call("fieldwork", small.folder)[0] in (0, 2)
    (index,) = (small.folder / "out").rglob("index.html")
    assert "不是对居民的推断" in index.read_text(encoding="utf-8")


def test_the_method_claims_no_variance_interval_or_degrees_of_freedom(wave):
    small, _ = wave
    results = sat.run(small.read())
    said = method_section(results, "zh") + method_section(results, "en")
    assert not re.search("线性化|Satterthwaite|logit for rates|PSUs - strata|Kish", said)
    assert said.count("none: not a probability sample") > 4


def drawn_words(found) -> str:
    """Every text of the pictures that a wave of any selection has."""
    tables = tables_of(found)
    topics = indicators_table(found.survey, indicators_of(found))
    made = [
        plots.rates_by_area(tables.indices), plots.topics(tables.indices), plots.ranking_ladder(tables.ranking, tables.indices),
        plots.threshold_plot(tables.thresholds), plots.performance_plot(topics, code="990101"),
    ]  # fmt: skip
    return "\n".join(text.get_text() for figure in made for text in figure.findobj(Text))


@quota
def test_pictures_name_an_interval_or_a_set_only_where_there_is_one(wave, selection):
    small, _ = wave
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(RULES)
    named = re.compile("置信区间|集合|区间|检验|interval|marginal|one-sided")
    assert not (word := named.search(drawn_words(sat.run(small.read())))), word
    small.edit("survey.yaml", f"selection: {selection}", "selection: probability")
    assert named.search(drawn_words(sat.run(small.read())))


def test_max_t_of_areas_without_errors_is_missing_and_does_not_fail(wave):
    small, _ = wave
    found = sat.run(small.read())
    pairs = all_pairs(found.estimates[found.area].of("topic_index"), simultaneous="step-down")
    assert pairs.table["difference"].notna().all()
    assert pairs.table[["se", "p", "p_holm"]].isna().all(axis=None)


COMBINED = """title: {zh: 综合, en: Combined}
source: test
aggregation: arithmetic
components:
  survey: {zh: 满意指数, en: Index, weight: 0.5, measure: topic_index, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.5, file: onsite.csv, source: test}
"""


@open_link
def test_a_combined_score_of_it_has_no_error_though_a_component_declares_one(wave, call):
    small, _ = wave
    (small.folder / "combined.yaml").write_text(COMBINED, encoding="utf-8")
    scores = "code,score,se\n" + "".join(
        f"{code},{80 + k},1.5\n" for k, code in enumerate(COUNTIES)
    )
    (small.folder / "onsite.csv").write_text(scores, encoding="utf-8")
    code, out, err = call("combined", small.folder)
    assert code == 0, err
    assert not re.search("<NA>|nan|rank set", out)
    (path,) = (small.folder / "out").rglob("combined_ranking.csv")
    table = pd.read_csv(path)
    assert table["estimate"].notna().all()
    assert table[["se", "marginal_low", "probability_bottom"]].isna().all(axis=None)


def outputs(path: Path) -> str:
    """What the cells of an executed notebook show as text."""
    cells = nbformat.read(path, as_version=4).cells
    every = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in every if output.output_type == "error"]
    data = [output.get("data", {}) for output in every]
    shown = [one.get("text/markdown", one.get("text/plain", "")) for one in data]
    return "\n".join([*shown, *(output.get("text", "") for output in every)])


@pytest.mark.slow
def test_notebooks_of_it_run_and_head_no_column_with_an_error(small, tmp_path):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    left_out = nothing_for(sat.run(small.read()))
    assert list(left_out) == ["03_tests.ipynb"]
    notebooks = [path for path in (ROOT / "notebooks").glob(WORKING) if path.name not in left_out]
    runs = [NotebookRun(path, small.folder, tmp_path) for path in notebooks]
    execute_in_one_kernel(runs, pictures_of_pages=False)
    shown = {path.stem: outputs(path) for path in tmp_path.glob("*.ipynb")}
    assert set(shown) == {"01_fieldwork", "02_weighting", "04_indices", "05_ranking"}
    for name, text in shown.items():
        found = {
            word[0]
            for word in COLUMNS.finditer(
                re.sub("(?i:inclusion probability|probability sample)", "", text)
            )
        }
        assert found <= NO_ERRORS.get(name, set()), (name, found)
        assert not (word := WORDS.search(text)), (name, word)
    assert all("这里没有可列出的内容" in shown[name] for name in ("02_weighting", "05_ranking"))
    assert "若仅该地如此" in shown["05_ranking"]
    assert "没有界限" in shown["05_ranking"]


@pytest.mark.usefixtures("tables_alone")
def test_the_hand_over_states_nothing(wave, call):
    small, twin = wave
    code, _, err = call("run", small.folder, "--handover")
    assert code == 0, err
    for path in (small.folder / "out").rglob("*"):
        if path.suffix in (".R", ".md", ".txt"):
            text = path.read_text(encoding="utf-8")
            assert not {number for number in stated(twin) if number in text}, path
