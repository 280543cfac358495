"""Combined scores: the tree of points, vetoes, errors carried over, the ranking, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import COUNTIES, joined, side_by_side
from satisfaction import run
from satisfaction.comparison.combined import combine, combined_lines
from satisfaction.composite.tree_tables import lost_entries, most_lost
from satisfaction.declarations.combined import CombinedFile
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.yaml import read_yaml, validated
from satisfaction.pipeline import rank_areas
from satisfaction.ranking.borrowed_errors import floored

DECLARED = """
title: {zh: 综合, en: Combined}
source: test
aggregation: arithmetic
components:
  survey: {zh: 满意指数, en: Index, weight: 0.5, measure: topic_index, source: test}
  rate: {zh: 知晓率, en: Awareness, weight: 0.1, measure: awareness, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.2, file: onsite.csv, source: test}
  documents: {zh: 材料, en: Documents, weight: 0.2, assessment: tree.yaml, lost: lost.csv, source: test}
"""
TWO_FILES = """
title: {zh: 综合, en: Combined}
source: test
components:
  onsite: {zh: 暗访, en: Undercover, weight: 0.5, file: onsite.csv, source: test}
  desk: {zh: 材料, en: Desk, weight: 0.5, file: desk.csv, source: test}
"""
OFF = {"minimum_df": 0, "minimum_deff": 0.0}
TREE = """
title: {zh: 测评, en: Assessment}
source: test
items:
  a:
    zh: 甲
    en: A
    items:
      a1: {zh: 甲一, en: A1, points: 6, department: 城管}
      a2: {zh: 甲二, en: A2, points: 4, department: 住建}
  b: {zh: 乙, en: B, points: 10, department: 城管}
veto:
  v1: {zh: 造假, en: Fraud, effect: zero, source: test}
  v2: {zh: 事故, en: Accident, effect: exclude, source: test}
  v3: {zh: 通报, en: Notice, effect: cap, cap: 60, source: test}
"""
ONSITE = [80.0, 70.0, 90.0, 60.0]
ONSITE_SE = [2.0, 1.0, 3.0, 1.5]
LOST = "code,item,points,reason\n990101,a1,2,x\n990101,a1,9,y\n990102,b,5,x\n990201,v3,,z\n990201,a2,1,\n"


@pytest.fixture(scope="module")
def results(small_template, tmp_path_factory):
    from satisfaction import read_survey

    return run(read_survey(small_template / "surveys" / "wave"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "combined.yaml").write_text(DECLARED, encoding="utf-8")
    (tmp_path / "tree.yaml").write_text(TREE, encoding="utf-8")
    (tmp_path / "lost.csv").write_text(LOST, encoding="utf-8")
    table = pd.DataFrame({"code": COUNTIES, "score": ONSITE, "se": ONSITE_SE})
    table.to_csv(tmp_path / "onsite.csv", index=False)
    return tmp_path


def edit(path, old, new):
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")


def by_code(found):
    return side_by_side(found).set_index("code").loc[list(COUNTIES)]


def test_points_are_lost_no_more_than_an_item_has(results, folder):
    parts = combine(results, folder / "combined.yaml").combined.ranked.parts
    (assessed,) = (part.assessed for part in parts if part.name == "documents")
    assert assessed.areas == tuple(COUNTIES)
    assert assessed.scores.tolist() == [
        70,
        75,
        60,
        100,
    ]  # 990201: 95 of 100, capped at 60
    assert assessed.vetoes == ("", "", "v3", "")
    lost = lost_entries(assessed)
    entries = lost[lost["item"] == "a1"]
    assert entries["points"].tolist() == [2, 4]
    assert entries["asked"].tolist() == [2, 9]
    by_department = most_lost(lost, ["department"])
    assert by_department.set_index("department")["points"].to_dict() == {
        "城管": 11,
        "住建": 1,
    }
    by_item = most_lost(lost, ["item", "item_zh", "item_en"])
    assert by_item.iloc[0][["item", "points", "areas"]].tolist() == ["a1", 6, 1]
    assert by_item["share"].sum() == pytest.approx(1)


def test_score_and_error_by_hand(results, folder):
    table = by_code(combine(results, folder / "combined.yaml"))
    level = results.estimates[results.area]
    index, rate = level.of("topic_index").table, level.of("awareness").table
    documents = np.array([70, 75, 60, 100])
    score = (
        0.5 * index["estimate"] + 10 * rate["estimate"] + 0.2 * np.array(ONSITE) + 0.2 * documents
    )
    assert table["score"].to_numpy() == pytest.approx(score.to_numpy(), rel=1e-11)
    both = level.contrast({c: {(c, "topic_index"): 0.5, (c, "awareness"): 10} for c in COUNTIES})
    variance = both.table["se"].to_numpy() ** 2 + (0.2 * np.array(ONSITE_SE)) ** 2
    assert table["se"].to_numpy() == pytest.approx(np.sqrt(variance), rel=1e-11)
    expected = variance**2 / (both.table["se"].to_numpy() ** 4 / index["df"].to_numpy())
    assert table["df"].to_numpy() == pytest.approx(expected, rel=1e-11)


def test_geometric_means_and_scales_carry_errors_by_their_slopes(results, folder):
    edit(folder / "combined.yaml", "arithmetic", "geometric")
    edit(
        folder / "combined.yaml",
        "file: onsite.csv,",
        "file: onsite.csv, normalise: goalposts, goalposts: [50, 100],",
    )
    table = by_code(combine(results, folder / "combined.yaml"))
    assert table["onsite"].tolist() == [60, 40, 80, 20]
    assert table["onsite_se"].tolist() == [2 * se for se in ONSITE_SE]
    level = results.estimates[results.area]
    base = np.column_stack(
        [
            level.of("topic_index").table["estimate"],
            100 * level.of("awareness").table["estimate"],
            table["onsite"],
            table["documents"],
        ]
    )
    weights = np.array([0.5, 0.1, 0.2, 0.2])

    def score(shift):
        return np.exp(np.log(base + shift) @ weights)

    assert table["score"].to_numpy() == pytest.approx(score(0), rel=1e-11)
    onsite_only = (
        (score([0, 0, 1e-4, 0]) - score([0, 0, -1e-4, 0])) / 2e-4 * 2 * np.array(ONSITE_SE)
    )
    slopes = [(score(np.eye(4)[k] * 1e-4) - score(-np.eye(4)[k] * 1e-4)) / 2e-4 for k in (0, 1)]
    terms = {
        c: {(c, "topic_index"): slopes[0][i], (c, "awareness"): 100 * slopes[1][i]}
        for i, c in enumerate(COUNTIES)
    }
    surveyed = level.contrast(terms).table["se"].to_numpy()
    assert table["se"].to_numpy() == pytest.approx(np.hypot(surveyed, onsite_only), rel=1e-6)


def test_a_sheet_may_name_its_items_by_their_titles(results, folder):
    by_name = side_by_side(combine(results, folder / "combined.yaml"))
    titles = {",a1,": ",甲一,", ",b,": ",B,", ",v3,": ",通报,"}
    text = LOST
    for name, title in titles.items():
        text = text.replace(name, title)
    (folder / "lost.csv").write_text(text, encoding="utf-8")
    assert side_by_side(combine(results, folder / "combined.yaml")).equals(by_name)
    edit(folder / "tree.yaml", "{zh: 乙, en: B,", "{zh: 甲一, en: B,")
    with pytest.raises(RankingError, match="K312"):
        combine(results, folder / "combined.yaml")


LOW = "- {measure: awareness, below: 0.99, on_list: listed, zh: 低, en: low, source: test}"
BY_COMBINED = """
rankings:
- score: combined
  main: true
  list_size: 1
"""


def test_the_command_prints_the_list_that_is_filed_and_its_end(small, folder, call):
    for path in folder.glob("*.*"):
        shutil.copy(path, small.folder)
    rules = small.folder / "rules.yaml"
    text = rules.read_text(encoding="utf-8") + BY_COMBINED
    rules.write_text(f"{text}  thresholds:\n  {LOW}\n", encoding="utf-8")
    code, out, err = call("combined", small.folder)
    assert code == 0, err
    assert "last 1 of 4; with the thresholds 4" in out
    assert all(f"{county} County {county}  " in out for county in COUNTIES)
    assert "rank set: for one named unit" in out
    rules.write_text(f"{text}  side: first\n", encoding="utf-8")
    code, out, err = call("combined", small.folder)
    assert code == 0, err
    assert "first 1 of 4" in out


def test_a_run_names_the_areas_that_a_veto_takes_out(small, folder, call):
    edit(folder / "lost.csv", "990201,v3", "990201,v2")
    for path in folder.glob("*.*"):
        shutil.copy(path, small.folder)
    code, out, err = call("run", small.folder)
    assert code == 0, err
    assert "  vetoed; not ranked: County 990201" in out
    page = (small.folder / "out" / "latest" / "combined_ranking.html").read_text(encoding="utf-8")
    assert "未给名次：县990201（一票否决，不排名）" in page
    assert "被一票否决或缺组成部分：保留数值，不给名次" in page


def test_vetoed_and_incomplete_areas_keep_their_row(results, folder):
    edit(folder / "lost.csv", "990201,v3", "990201,v2")
    rows = pd.read_csv(folder / "onsite.csv", dtype=str).iloc[1:]
    rows.to_csv(folder / "onsite.csv", index=False)
    edit_rules = results.survey.rules.ranking.model_copy(update={"list_size": 1})
    table = by_code(combine(with_rules(results, edit_rules), folder / "combined.yaml"))
    assert table["rank"].isna().tolist() == [True, False, True, False]
    assert "vetoed" in table.loc["990201", "note"]
    assert "missing" in table.loc["990101", "note"]
    assert table.loc[["990101", "990201"], "status"].tolist() == ["not ranked"] * 2
    assert np.isnan(table.loc["990101", "score"])


def with_rules(results, ranking):
    from dataclasses import replace

    survey = replace(
        results.survey, rules=results.survey.rules.model_copy(update={"ranking": ranking})
    )
    return replace(results, survey=survey)


def test_files_say_what_is_exact_and_that_it_is_marked(small, folder, call):
    for path in filter(Path.is_file, folder.iterdir()):
        (small.folder / path.name).write_bytes(path.read_bytes())
    code, out, err = call("combined", small.folder)
    assert (code, err) == (0, "")
    assert "taken as exact" in out
    (written,) = small.folder.glob("out/*-combined")
    names = {path.name for path in written.iterdir()}
    assert {
        "combined_scores.csv",
        "combined_scores.xlsx",
        "combined_scores-en.xlsx",
        "combined_scores.json",
        "combined_ranking.csv",
        "combined_ranking.html",
        "combined_documents_lost.csv",
        "combined_documents_departments.csv",
        "run.json",
    } <= names
    record = json.loads((written / "combined_scores.json").read_text(encoding="utf-8"))
    inputs = record["waves"][0]["inputs"]
    assert {"combined.yaml", "onsite.csv", "tree.yaml", "lost.csv"} <= set(inputs)
    assert record["combined"]["components"]["survey"]["weight"] == 0.5
    workbook = written / "combined_scores-en.xlsx"
    shown = pd.read_excel(workbook, sheet_name=0, header=None, dtype=object, engine="calamine")
    top = shown.index[shown[0] == "code"][0]
    table = shown.iloc[top + 1 :].set_axis(list(shown.iloc[top]), axis="columns")
    assert tuple(table["code"].astype(str)) == COUNTIES
    adds = [title for title in table if ": adds (" in title]
    assert len(adds) == len(record["combined"]["components"])
    scores = table.iloc[:, 2].astype(float).tolist()
    assert table[adds].astype(float).sum(axis=1).tolist() == pytest.approx(scores)
    codes = set(pd.read_csv(written / "combined_documents_lost.csv")["branch"].dropna())
    lost = pd.read_excel(
        written / "combined_scores.xlsx", sheet_name="失分 1", dtype=str, engine="calamine"
    )
    branches = set(lost.filter(like="branch").iloc[:, 0].dropna())
    assert len(branches) == len(codes) > 0
    assert not branches & codes  # codes stay in the csv; a reader has words


def test_the_command_publishes_what_a_run_does_byte_by_byte(small, folder, call):
    for path in filter(Path.is_file, folder.iterdir()):
        shutil.copy(path, small.folder)
    assert call("run", small.folder)[0] == 0
    assert call("combined", small.folder)[0] == 0
    (written,) = small.folder.glob("out/*-combined")
    published = small.folder / "out" / "latest"
    own = {"run.json", "combined_scores.json", "combined_scores.xlsx", "combined_scores-en.xlsx"}
    names = {path.name for path in written.iterdir()} - own
    assert {"combined_ranking.csv", "combined_ranking.xlsx", "combined_ranking.html"} <= names
    for name in names:
        assert (written / name).read_bytes() == (published / name).read_bytes(), name


def test_the_formula_is_said_in_one_language(results, folder):
    text = joined(combined_lines(combine(results, folder / "combined.yaml")))
    assert "arithmetic" not in text.zh
    assert "加权算术平均" in text.zh


def test_shares_in_place_of_points_are_refused(results, folder):
    path = folder / "onsite.csv"
    scores = pd.read_csv(path, dtype=str)
    scores["score"] = (scores["score"].astype(float) / 100).astype(str)
    scores.to_csv(path, index=False)
    with pytest.raises(RankingError, match="none of these is above 1"):
        combine(results, folder / "combined.yaml")


def test_combined_scores_have_no_grades(results, folder):
    """The survey's own ranking has them: their promise was tried on scores of one sample."""
    found = combine(results, folder / "combined.yaml")
    assert found.ranking.summary.proven
    assert found.ranking.grades().table["grade"].isna().all()
    assert results.ranking.grades().table["grade"].notna().any()


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("combined.yaml", "weight: 0.5", "weight: 0.4", "K303"), ("combined.yaml", "file: onsite.csv", "file: onsite.csv, measure: topic_index", "K301"),
        ("combined.yaml", "lost: lost.csv, ", "", "K301"), ("combined.yaml", "file: onsite.csv", "file: onsite.csv, normalise: goalposts", "K302"),
        ("combined.yaml", "file: onsite.csv", "file: onsite.csv, normalise: percentile-rank", "K316"), ("combined.yaml", "measure: topic_index", "measure: topic_indx", "K314"),
        ("tree.yaml", "points: 10, ", "", "K304"), ("tree.yaml", "cap: 60, ", "", "K305"), ("tree.yaml", "  b:", "  a1:", "K306"),
        ("lost.csv", "990102,b", "990102,c", "K312"), ("lost.csv", "990102,b", "990199,b", "K312"), ("lost.csv", "b,5", "b,-5", "K313"),
        ("lost.csv", "b,5", "b,", "K313"), ("lost.csv", "reason", "why", "K311"), ("onsite.csv", "990102", "990101", "K314"),
        ("onsite.csv", "70.0", "700", "K320"), ("onsite.csv", "70.0", "-7", "K320"),
        ("onsite.csv", "70.0", "0.7", "K320"),
        ("onsite.csv", "70.0", "much", "K315"), ("onsite.csv", "1.5", "-1.5", "K315"), ("onsite.csv", "score", "points", "K314"),
    ],
)  # fmt: skip
def test_faults_name_their_place(results, folder, file, old, new, code):
    edit(folder / file, old, new)
    with pytest.raises(RankingError, match=code) as fault:
        combine(results, folder / "combined.yaml")
    assert fault.value.hint[0]
    assert fault.value.where


def with_rule(results, **changes):
    """The same results under another rule of the ranking."""
    survey = results.survey
    ranking = survey.rules.ranking.model_copy(update=changes)
    return replace(
        results, survey=replace(survey, rules=survey.rules.model_copy(update={"ranking": ranking}))
    )


def test_the_side_and_the_rounding_of_the_rules_are_carried_out(results, folder):
    path = folder / "combined.yaml"
    first = combine(with_rule(results, side="first"), path)
    best = side_by_side(first)["code"].iloc[0]
    assert first.ranking.summary.listed == (best,)
    rounded = side_by_side(combine(with_rule(results, round_before_ranking=0), path))
    scores = rounded["score"].map(lambda score: np.floor(score + 0.5))
    assert rounded["rank"].tolist() == scores.rank(ascending=False, method="min").tolist()


@pytest.mark.parametrize(
    ("ties", "ranks"), [("competition", [1, 1, 3]), ("dense", [1, 1, 2]), ("modified", [2, 2, 3])]
)
def test_the_rule_for_ties_is_carried_out(results, folder, ties, ranks):
    (folder / "combined.yaml").write_text(TWO_FILES, encoding="utf-8")
    for name in ("onsite.csv", "desk.csv"):
        scores = pd.DataFrame({"code": COUNTIES, "score": [80.0, 80.0, 70.0, 60.0]})
        (folder / name).write_text(scores.to_csv(index=False), encoding="utf-8")
    table = side_by_side(combine(with_rule(results, ties=ties), folder / "combined.yaml"))
    assert table["rank"].tolist()[:3] == ranks


def test_too_few_areas_for_a_list(results, folder):
    (folder / "onsite.csv").write_text("code,score\n990101,5\n", encoding="utf-8")
    with pytest.raises(RankingError, match="K317"):
        combine(results, folder / "combined.yaml")


def test_the_shipped_example_is_declared():
    from conftest import ROOT

    path = ROOT / "surveys" / "guizhou-2026q3" / "combined.yaml"
    declared = validated(read_yaml(path, RankingError), CombinedFile, RankingError)
    assert "模拟" in declared.title.zh
    assert sum(one.weight for one in declared.components.values()) == pytest.approx(1)


def test_a_placeholder_of_a_component_is_not_published(results, folder):
    text = DECLARED.replace(
        "file: onsite.csv, source: test", "file: onsite.csv, source: 请写明来源 state the source"
    )
    (folder / "combined.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RankingError, match=r"Y340.*combined\.yaml:8"):
        combine(results, folder / "combined.yaml")


ALIKE = """
title: {zh: 综合, en: Combined}
source: test
components:
  survey: {zh: 满意指数, en: Index, weight: 0.5, measure: topic_index, source: test}
  rate: {zh: 知晓率, en: Awareness, weight: 0.3, measure: awareness, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.2, file: onsite.csv, source: test}
"""
ALONE = ALIKE.replace(
    "  rate: {zh: 知晓率, en: Awareness, weight: 0.3, measure: awareness, source: test}\n", ""
).replace("0.2", "0.5")


def two_psus(small, answers):
    """Run a wave with two interviewing points in the first county, where everyone gives one of the answers."""
    rows = small.rows()
    first = rows["county"] == COUNTIES[0]
    kept = ~first | ((rows["residence"] == "1") & (rows["community"].str[-1] < "2"))
    for topic in ("streets", "parks", "safety"):
        rows.loc[first, topic] = [answers[k % len(answers)] for k in range(first.sum())]
    small.write(rows[kept])
    return run(small.read())


@pytest.mark.parametrize("answers", ["3", "34"])
def test_answers_that_agree_at_two_points_do_not_make_a_combined_score_certain(
    small, folder, answers
):
    results = with_rule(two_psus(small, answers), minimum_df=8)
    (folder / "combined.yaml").write_text(ALONE, encoding="utf-8")
    pd.DataFrame({"code": COUNTIES, "score": ONSITE}).to_csv(folder / "onsite.csv", index=False)
    table = by_code(combine(results, folder / "combined.yaml"))
    ranked = rank_areas(results.survey, results.estimates)
    own = results.estimates["county"].of("topic_index").table["se"]
    assert table["survey_se"].tolist() == pytest.approx(ranked.table["se"].tolist(), rel=1e-11)
    assert table["se"].tolist() == pytest.approx((0.5 * ranked.table["se"]).tolist(), rel=1e-11)
    assert table["df"].tolist() == pytest.approx(ranked.units.df.tolist(), rel=1e-11)
    assert table["se"].iloc[0] > 0.5 * own[0]


def test_what_is_lent_to_two_measures_goes_together_as_they_do_in_all_areas_together(small, folder):
    results = with_rule(two_psus(small, "34"), minimum_df=8)
    (folder / "combined.yaml").write_text(ALIKE, encoding="utf-8")
    pd.DataFrame({"code": COUNTIES, "score": ONSITE}).to_csv(folder / "onsite.csv", index=False)
    se = by_code(combine(results, folder / "combined.yaml"))["se"].iloc[0]
    counties, whole = results.estimates["county"], results.estimates["province"]
    own = (
        counties.contrast(
            {"x": {(COUNTIES[0], "topic_index"): 0.5, (COUNTIES[0], "awareness"): 30}}
        )
        .table["se"]
        .iloc[0]
    )
    added = []
    for measure, weight in (("topic_index", 0.5), ("awareness", 30)):
        lent = floored(results.survey, results.estimates, "county", measure=measure).estimates.cov[
            0, 0
        ]
        added.append(weight * np.sqrt(lent - counties.of(measure).cov[0, 0]))
    at = [
        int(np.flatnonzero(whole.table["measure"] == name)[0])
        for name in ("topic_index", "awareness")
    ]
    together = whole.cov[at[0], at[1]] / np.sqrt(whole.cov[at[0], at[0]] * whole.cov[at[1], at[1]])
    assert se**2 == pytest.approx(
        own**2 + added[0] ** 2 + added[1] ** 2 + 2 * together * added[0] * added[1], rel=1e-10
    )


def test_areas_to_which_nothing_is_lent_keep_score_and_error_to_the_last_bit(small, folder):
    results = two_psus(small, "34")
    path = folder / "combined.yaml"
    own, lent = (combine(with_rule(results, **floor), path) for floor in (OFF, {"minimum_df": 2}))
    kept = ["score", "se", "df", "survey_se", "rate_se"]
    pd.testing.assert_frame_equal(
        by_code(own)[kept].iloc[1:], by_code(lent)[kept].iloc[1:], check_exact=True
    )
    assert by_code(own)["se"].iloc[0] < by_code(lent)["se"].iloc[0]
    assert [
        re.split("[:：]", note)[0]
        for note in map(str, lent.combined.notes())
        if "a larger one stands here" in note
    ] == [COUNTIES[0]]
    assert not any("a larger one stands here" in note for note in map(str, own.combined.notes()))
