"""A survey of one area: everything works but ranks, of which it is said once that there are none."""

from __future__ import annotations

import re
import shutil

import pandas as pd
import pytest

from conftest import SmallSurvey, run_program, small_rows
from satisfaction import read_survey, run
from satisfaction.foundation.errors import RankingError, SurveyError
from satisfaction.publication.labels import levels_to_compare
from satisfaction.publication.reading_sets import read_indices
from satisfaction.ranking.rank import NOTHING_TO_COMPARE

ONE = "990101"


@pytest.fixture(scope="module")
def alone(small_template, tmp_path_factory):
    """A wave of one county, as `new --counties` writes it, filled in; returns its folder."""
    small = SmallSurvey(shutil.copytree(small_template, tmp_path_factory.mktemp("alone") / "small"))
    folder = small.root / "surveys" / "lone"
    with pytest.MonkeyPatch.context() as patch:
        facts = ["--areas", small.folder / "areas.csv", "--counties", "县990101"]
        asked = ["new", folder, "--questionnaire", "small@1", *facts]
        assert run_program(patch, *asked) == 0
    for name in ("rules.yaml", "survey.yaml"):
        text = (
            (folder / name)
            .read_text(encoding="utf-8")
            .replace("date: YYYY-MM-DD", "date: 2026-01-01")
        )
        text = text.replace("state the source", "test").replace("minimum_n: 30", "minimum_n: 10")
        (folder / name).write_text(
            text.replace("responses/*.xlsx", "responses/*.csv"), encoding="utf-8"
        )
    rows = small_rows()
    rows[rows["county"] == ONE].to_csv(folder / "responses" / "lone.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        assert run_program(patch, "run", folder) == 0
    return folder


@pytest.fixture
def lone(alone, small):
    """A copy of it that the test may change, without its set."""
    folder = small.root / "surveys" / "lone"
    return shutil.copytree(alone, folder, ignore=shutil.ignore_patterns("out"))


def published(folder, name) -> pd.DataFrame:
    return pd.read_csv(
        folder / "out" / "latest" / name, dtype=str, encoding="utf-8-sig", keep_default_na=False
    )


def test_check_run_report_and_fieldwork_succeed(lone, call):
    for command in ("check", "run", "report", "fieldwork"):
        code, out, err = call(command, lone)
        assert (code, err) == (0, ""), command
    code, out, _ = call("run", lone)
    assert out.count(NOTHING_TO_COMPARE.en) == 1
    assert "rank set" not in out
    assert call("verify", lone / "out" / "latest")[0] == 0


@pytest.mark.usefixtures("tables_alone")
def test_that_there_is_nothing_to_rank_is_said_once_however_many_rankings_there_are(lone, call):
    rules = lone / "rules.yaml"
    rankings = "\nrankings: [{score: awareness}, {score: satisfaction}, {score: streets}]\n"
    rules.write_text(rules.read_text(encoding="utf-8") + rankings, encoding="utf-8")
    code, out, _ = call("run", lone)
    assert code == 0
    assert out.count(NOTHING_TO_COMPARE.en) == 1


def test_the_file_set_says_of_the_area_that_it_is_not_ranked_and_why(alone):
    (row,) = published(alone, "ranking.csv").to_dict("records")
    assert (row["code"], row["rank"], row["status"], row["listed"]) == (ONE, "", "not ranked", "no")
    assert "没有其他有答卷的地区" in row["status_zh"]
    assert float(row["estimate"]) > 0
    assert "没有其他有答卷的地区可比" in published(alone, "ranking_sentences.csv")["zh"][0]
    assert not (alone / "out" / "latest" / "reading.html").exists()
    assert set(published(alone, "indices.csv")["level"]) == {"county", "prefecture", "province"}
    assert len(read_indices(alone / "out" / "latest").ranking) == 1


def test_the_report_has_figures_and_no_list(alone):
    html = (alone / "out" / "latest" / "report.html").read_text(encoding="utf-8")
    said = re.sub("<[^>]*>", "", html)
    assert 'id="list"' not in html
    assert "满意率" in said
    said = re.sub(r"NA(, |、)N/A\1NaN\1NULL", "", said)  # the words of a file that mean empty
    assert not re.search(r"\b(nan|NaN|None|NA)\b", said)


@pytest.mark.usefixtures("tables_alone")
def test_the_figures_are_those_of_the_same_area_among_others(lone, alone, small, call):
    """Unweighted: the county's figures do not depend on who else is surveyed."""
    rows = small_rows()
    shutil.copytree(lone, small.root / "surveys" / "four")
    four = small.root / "surveys" / "four"
    shutil.copy(small.folder / "areas.csv", four / "areas.csv")
    text = (four / "survey.yaml").read_text(encoding="utf-8").replace("areas.xlsx", "areas.csv")
    (four / "survey.yaml").write_text(text, encoding="utf-8")
    rows.to_csv(four / "responses" / "lone.csv", index=False)
    assert call("run", four)[0] == 0
    tables = [published(folder, "indices.csv") for folder in (alone, four)]
    columns = ["code", "measure", "estimate", "se", "n"]
    own, among = (
        table.loc[table["code"] == ONE, columns].reset_index(drop=True) for table in tables
    )
    assert own.equals(among)


COMPARING = re.compile(
    r"Ranked by|Ranking:|rank \[|end of the ranking|ties share|ranking rule|their quartiles"
    r"|beside the others|against all others|further ranking|awaited",
    re.IGNORECASE,
)


def test_no_page_and_no_line_names_a_comparison_that_cannot_be_made(lone, call):
    """Pages held the conventions of ranks that are not there, and check named tests against other areas."""
    rules = lone / "rules.yaml"
    rankings = "\nrankings: [{score: awareness}, {score: combined, main: true}]\n"
    rules.write_text(rules.read_text(encoding="utf-8") + rankings, encoding="utf-8")
    combined = "title: {zh: 综, en: C}\nsource: test\naggregation: arithmetic\ncomponents:\n"
    combined += "  own: {zh: 自, en: O, weight: 0.5, measure: topic_index, source: test}\n"
    combined += "  desk: {zh: 材, en: D, weight: 0.5, file: desk.csv, source: test}\n"
    (lone / "combined.yaml").write_text(combined, encoding="utf-8")
    (lone / "desk.csv").write_text(f"code,score\n{ONE},80\n", encoding="utf-8")
    survey = lone / "survey.yaml"
    text = survey.read_text(encoding="utf-8")
    survey.write_text(text.replace("languages: [zh]", "languages: [zh, en]"), encoding="utf-8")
    for command in ("check", "run", "report", "fieldwork"):
        code, out, err = call(command, lone)
        assert (code, err) == (0, "")
        assert not COMPARING.search(out), command
    pages = [*lone.glob("out/latest/report-en.html"), *lone.glob("out/*-report/*en.html")]
    pages += [
        *lone.glob("out/*-report/en/*.html"),
        *lone.glob("out/*-fieldwork/counties/*-en.html"),
    ]
    assert len(pages) >= 5
    for page in pages:
        found = COMPARING.search(words_of(page))
        assert found is None, (page.name, found)
    (lone / "desk.csv").unlink()
    assert "awaited: D (desk.csv)" in call("run", lone)[1]


@pytest.mark.parametrize(
    "rule", ["", "  round_before_ranking: 1\n", "  multiplicity: holm\n", "  side: first\n"]
)
def test_all_areas_in_the_table_but_answers_from_one(small, rule):
    small.write(small.rows().query("county == '990101'"))
    text = (small.folder / "survey.yaml").read_text(encoding="utf-8")
    text = re.sub(r"margins:\n(  .*\n)+", "", text)
    (small.folder / "survey.yaml").write_text(
        re.sub(r"  - \{step: calibration.*\n", "", text), encoding="utf-8"
    )
    if rule:
        rules = (small.folder / "rules.yaml").read_text(encoding="utf-8")
        rules = re.sub(rf"  {rule.split(':')[0].strip()}:.*\n", "", rules).replace(
            "ranking:\n", f"ranking:\n{rule}"
        )
        (small.folder / "rules.yaml").write_text(rules, encoding="utf-8")
    results = run(small.read())
    assert results.ranking.table["status"].tolist() == ["not ranked"] * 4
    assert results.ranking.summary["notes"] == (NOTHING_TO_COMPARE,)
    assert results.estimates["county"].of("satisfaction").table["n"].tolist()[1:] == [0, 0, 0]


def test_a_trial_of_one_area_stands_beside_the_official_survey(lone, small, call):
    code, out, _ = call("trial", small.folder, lone)
    assert code == 0
    assert "990101 County 990101" in out


def test_two_waves_of_one_area_are_averaged(lone, small, call):
    later = shutil.copytree(lone, small.root / "surveys" / "later")
    text = (later / "survey.yaml").read_text(encoding="utf-8")
    (later / "survey.yaml").write_text(
        text.replace("survey: lone\n", "survey: later\n"), encoding="utf-8"
    )
    code, out, _ = call("rolling", lone, later)
    assert code == 0
    assert NOTHING_TO_COMPARE.en in out


@pytest.mark.parametrize("command", ["plan", "stability", "combined"])
def test_what_is_about_ranks_alone_is_refused_with_what_one_area_can_do(lone, call, command):
    parts = "{zh: 甲, en: A, weight: 0.5, source: test, measure: "
    declared = f"components:\n  a: {parts}awareness}}\n  b: {parts}topic_index}}\n"
    declared = "title: {zh: 综合, en: Combined}\nsource: test\n" + declared
    (lone / "combined.yaml").write_text(declared, encoding="utf-8")
    code, _, err = call(command, lone)
    assert code == 2
    assert "[K341]" in err


@pytest.mark.parametrize(("areas", "size"), [(1, 1), (4, 1), (9, 1), (10, 2), (49, 9), (88, 10)])
def test_the_list_of_a_new_survey_fits_the_number_of_areas(small, call, areas, size):
    table = pd.read_csv(small.folder / "areas.csv", dtype=str)
    county = table.iloc[[-1]]
    more = [county.assign(code=str(991000 + k), name=f"县{k}") for k in range(areas)]
    path = small.root / "areas.csv"
    pd.concat([table[table["level"] != "county"], *more]).to_csv(path, index=False)
    folder = small.root / "surveys" / "fits"
    assert call("new", folder, "--questionnaire", "small@1", "--areas", path)[0] == 0
    assert f"  list_size: {size}\n" in (folder / "rules.yaml").read_text(encoding="utf-8")


def test_check_ranks_nothing_and_run_names_the_list_that_is_too_long(small, call):
    small.edit("rules.yaml", "list_size: 1", "list_size: 4")
    assert call("check", small.folder)[0] == 0
    code, _, err = call("run", small.folder)
    assert code == 2
    assert "[K160] rules.yaml ranking: list_size=4" in err


def test_check_and_fieldwork_do_not_stop_at_a_rule_of_the_ranking(small, call):
    small.edit("rules.yaml", "{top: 2}", "{top: 4}")
    code, out, err = call("check", small.folder)
    assert re.search(r"responses/all\.csv\s+120\s+120\s+0", out)
    assert (code, "cannot be run" in out, "[S142]" in err) == (2, True, True)
    assert call("fieldwork", small.folder)[0] == 0
    assert call("run", small.folder)[0] == 2


def test_a_survey_read_for_its_responses_alone_is_not_run(small):
    small.edit("rules.yaml", "{top: 2}", "{top: 4}")
    survey = read_survey(small.folder, ranking=False)
    with pytest.raises(SurveyError, match="S142"):
        run(survey)


def test_notebooks_that_compare_areas_are_left_out_and_that_is_said(lone, call, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "satisfaction.notebook.notebooks.run_notebooks",
        lambda survey, folder, *, official, leave_out, language: asked.extend(leave_out),
    )
    code, out, _ = call("run", lone, "--notebooks")
    assert code == 0
    assert asked == ["03_tests.ipynb", "05_ranking.ipynb"]
    assert all(name in out for name in asked)


def words_of(page) -> str:
    text = re.sub(r"<(style|script)[\s\S]*?</\1>", "", page.read_text(encoding="utf-8"))
    return re.sub("<[^>]*>", "", text)


def test_the_pages_say_once_that_nothing_is_ranked_and_repeat_no_figure(lone, call, tmp_path):
    call("report", lone, "--out", tmp_path / "pages")
    report = words_of(tmp_path / "pages" / "report.html")
    assert report.count("没有可比的名次") == 1
    for word in ("完整排名", "alone in its area", "合计：市级排名"):
        assert word not in report
    page = words_of(tmp_path / "pages" / "zh" / f"{ONE}.html")
    assert page.count("没有其他有答卷的地区可比") == 2  # of the rank, of the topics
    assert "少于规则要求" not in page
    html = (tmp_path / "pages" / "zh" / f"{ONE}.html").read_text(encoding="utf-8")
    figures = re.search('<section id="figures">.*?</section>', html, re.DOTALL)[0]
    assert "合计" not in figures
    assert "<img" not in html


def test_thresholds_and_their_figures_stay_where_nothing_is_ranked(lone, call, tmp_path):
    with (lone / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "thresholds: [{measure: satisfaction, below: 0.99, zh: 警示, en: warning, source: 测试}]\n"
        )
    call("report", lone, "--out", tmp_path / "pages")
    assert "警示" in words_of(tmp_path / "pages" / "report.html")
    assert "警示" in words_of(tmp_path / "pages" / "zh" / f"{ONE}.html")


@pytest.mark.parametrize(
    "ask",
    [
        lambda ranking: ranking.target("top", 1),
        lambda ranking: ranking.list_sets("bottom", 1),
        lambda ranking: ranking.order(),
    ],
    ids=["target", "list_sets", "order"],
)
def test_what_is_asked_of_ranks_that_are_not_there_is_refused_with_what_one_area_can_do(lone, ask):
    ranking = run(read_survey(lone)).ranking
    with pytest.raises(RankingError, match="One area can use") as refused:
        ask(ranking)
    assert refused.value.code == "K341"


def test_an_area_that_holds_all_others_is_no_level_of_its_own():
    """Of three counties of one prefecture its total is that of all: the report held both, and a picture of the one."""
    rows = [("county", code) for code in "abc"] + [("prefecture", "p"), ("prefecture", "empty")]
    indices = pd.DataFrame([*rows, ("province", "w")], columns=["level", "code"])
    indices["estimate"] = indices["code"].map(lambda code: None if code == "empty" else 0.5)
    assert levels_to_compare(indices) == ["county", "province"]
    both = indices.assign(estimate=0.5)
    assert levels_to_compare(both) == ["county", "prefecture", "province"]
