"""Several rankings of one wave: by rates, topics, components and the combined score; each with all that follows from one."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import COUNTIES, ROOT
from satisfaction.declarations.survey import RankedBy
from satisfaction.foundation.errors import SurveyError
from satisfaction.pipeline import ranked_further, run
from satisfaction.publication.file_set import export
from satisfaction.publication.reading_sets import read_indices
from satisfaction.publication.tables import tables_of
from satisfaction.publication.verify import BY_HAND, IDENTICAL, verify
from satisfaction.ranking.area_rankings import rank_within

COMBINED = """
title: {zh: 综合测评, en: Combined assessment}
source: test
above: mean
components:
  survey: {zh: 满意指数, en: Index, weight: 0.5, measure: topic_index, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.3, file: onsite.csv, source: test}
  desk: {zh: 材料, en: Desk, weight: 0.2, file: desk.csv, source: test}
"""
RANKINGS = """
rankings:
  - {score: awareness, list_size: 2}
  - {score: streets, side: first}
  - {score: onsite}
  - {score: desk}
  - score: combined
    list_size: 2
    thresholds:
      - {measure: combined, below: 70, zh: 综合低于 70, en: combined below 70, source: test}
    targets:
      "990102": [{top: 3}, {first_in: prefecture}]
      "990100": {top: 1}
    escalation:
      steps: [{listed_in_a_row: 1, zh: 挂牌, en: listed}]
      source: test
"""
ONSITE = {"score": [80.0, 70.0, 90.0, 20.0], "se": [2.0, 1.0, 3.0, 1.5]}
DESK = {"score": [90.0, 80.0, 80.0, 10.0]}
TIES = {"competition": "min", "modified": "max", "dense": "dense", "fractional": "average"}


def prepare(small, *, rankings=RANKINGS, combined=COMBINED, desk=DESK):
    """Declare a combined score and several rankings in the small wave; return it."""
    (small.folder / "combined.yaml").write_text(combined, encoding="utf-8")
    for name, scores in (("onsite", ONSITE), ("desk", desk)):
        table = pd.DataFrame({"code": COUNTIES} | scores)
        table.to_csv(small.folder / f"{name}.csv", index=False)
    rules = small.folder / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8") + rankings, encoding="utf-8")
    return small


def by_code(ranking):
    return ranking.table.set_index("unit").loc[list(COUNTIES)]


# ---- recomputed by plain pandas


def half_up(scores, digits):
    step = Decimal(1).scaleb(-digits)
    return scores.map(lambda one: float(Decimal(f"{one:.12g}").quantize(step, ROUND_HALF_UP)))


@pytest.fixture(scope="module")
def by_pandas(shipped):
    """The combined score of the shipped wave from its files alone: scores of the counties that are ranked."""
    folder = ROOT / "surveys" / "guizhou-2026q3"
    text = {"dtype": {"code": str}, "encoding": "utf-8-sig"}
    index = tables_of(shipped("guizhou-2026q3")).indices
    of_index = index[(index["measure"] == "satisfaction_index") & (index["level"] == "county")]
    onsite = pd.read_csv(folder / "onsite.csv", **text).set_index("code")["score"]
    lost = pd.read_csv(folder / "documents_lost.csv", **text)
    points = {
        "plan": 4, "duty": 6, "files": 5, "cleaning": 10,
        "markets": 8, "waste": 7, "signs": 5, "traffic": 5,
    }  # fmt: skip
    by_item = lost[lost["item"].isin(points)].groupby(["code", "item"])["points"].sum()
    most = by_item.index.get_level_values("item").map(points)
    taken = by_item.clip(upper=pd.Series(most, index=by_item.index)).groupby("code").sum()
    codes = of_index["code"].tolist()
    documents = 100 - taken.reindex(codes, fill_value=0) / sum(points.values()) * 100
    documents[lost.loc[lost["item"] == "fraud", "code"]] = 0.0
    survey = of_index.set_index("code")["estimate"]
    score = 0.4 * survey + 0.4 * onsite.reindex(codes) + 0.2 * documents
    return score, score.drop(lost.loc[lost["item"] == "accident", "code"])


def test_the_combined_score_is_that_of_plain_pandas(shipped, by_pandas):
    every, ranked = by_pandas
    ranking = shipped("guizhou-2026q3").further["combined"].ranking
    table = ranking.table.set_index("unit")
    assert np.abs(table["estimate"] - every.reindex(table.index)).max() < 1e-9
    assert set(table.index[table["rank"].notna()]) == set(ranked.index)


@pytest.mark.parametrize("side", ["last", "first"])
@pytest.mark.parametrize("digits", ["off", 0, 1])
@pytest.mark.parametrize("ties", list(TIES))
def test_ranks_and_list_under_every_rule_are_those_of_plain_pandas(
    shipped, by_pandas, ties, digits, side
):
    results = shipped("guizhou-2026q3")
    survey = results.further["combined"].survey
    changes = {"ties": ties, "round_before_ranking": digits, "side": side}
    ranking = survey.rules.ranking.model_copy(update=changes)
    rules = survey.rules.model_copy(update={"ranking": ranking})
    otherwise = ranked_further(results, survey.ranked_by(RankedBy("combined", "combined", rules)))
    _every, scores = by_pandas
    if digits != "off":
        scores = half_up(scores, digits)
    expected = scores.rank(ascending=False, method=TIES[ties])
    table = otherwise.ranking.table.set_index("unit")
    got = table["rank"].reindex(scores.index).astype(float)
    assert (got == expected).all()
    from_the_end = scores if side == "last" else -scores
    surely = from_the_end.rank(method="max") <= 10
    perhaps = (from_the_end.rank(method="min") <= 10) & ~surely
    assert set(otherwise.ranking.summary.listed) == set(scores.index[surely])
    assert set(otherwise.ranking.summary.tied_at_cut) == set(scores.index[perhaps])


# ---- several rankings in one run


@pytest.fixture(scope="module")
def several(small_template, tmp_path_factory, pictures):
    """The small wave with six rankings, run; and its file set without pictures. No test changes them."""
    import shutil

    from conftest import SmallSurvey

    root = shutil.copytree(small_template, tmp_path_factory.mktemp("several") / "small")
    small = prepare(SmallSurvey(root))
    results = run(small.read())
    with pictures.left_out():
        return small, results, export(results, small.folder / "out" / "set")


def test_every_score_has_its_ranking_under_its_own_rules(several):
    _small, results, _folder = several
    assert list(results.further) == ["awareness", "streets", "onsite", "desk", "combined"]
    assert results.survey.ranked == "topic_index"
    level = results.estimates["county"]
    for name in ("awareness", "streets"):
        ranks = by_code(results.further[name].ranking)["rank"]
        scores = level.of(name).table["estimate"]
        assert ranks.tolist() == scores.rank(ascending=False).tolist()
    sizes = {name: other.ranking.summary.bottom for name, other in results.further.items()}
    assert sizes == {"awareness": 2, "streets": 1, "onsite": 1, "desk": 1, "combined": 2}
    assert results.further["streets"].ranking.summary.side == "first"
    assert by_code(results.further["onsite"].ranking)["rank"].tolist() == [2, 3, 1, 4]


def test_ranks_within_parents_are_made_when_they_are_asked_for(small):
    results = run(prepare(small).read())
    assert not any("within" in vars(ranking) for ranking in results.all_rankings)
    first = results.all_rankings[0]
    assert results.rankings is first.within is results.rankings
    expected = rank_within(results.survey, results.estimates, results.ranking)
    assert list(expected.within) == list(results.rankings.within)
    for key, ranking in expected.within.items():
        table = results.rankings.within[key].table
        pd.testing.assert_frame_equal(table, ranking.table, check_exact=True)
    rates = results.further["awareness"]
    assert rates.rankings.within.keys() == expected.within.keys()
    assert rates.rankings is results.further["awareness"].rankings


def test_the_waves_own_ranking_stays_as_it_is_without_further_ones(small, several):
    alone = run(small.read())
    _small, results, _folder = several
    pd.testing.assert_frame_equal(alone.ranking.table, results.ranking.table, check_exact=True)
    assert not alone.further
    assert tables_of(alone).indices.equals(tables_of(results).indices)


def test_a_score_without_an_error_alone_has_no_sets_and_says_why(several):
    _small, results, folder = several
    desk = results.further["desk"]
    assert desk.ranking.table["marginal_low"].isna().all()
    assert set(desk.ranking.table["status"]) == {"possible"}
    assert "No standard error of this score is declared" in desk.ranking.summary.notes[0].en
    sentences = read_indices(folder).tables["desk_ranking_sentences"]["en"]
    assert sentences.str.contains("no standard error of it is declared").all()
    assert not sentences.str.contains("probability sample").any()


def test_nothing_is_established_by_what_is_taken_as_exact(several):
    _small, results, folder = several
    ranking = results.further["combined"].ranking
    assert ranking.table["p_in"].min() < 1e-6  # 990202 would be established
    assert set(ranking.table["status"]) == {"possible"}
    assert ranking.summary.list_established is False
    assert ranking.summary.taken_as_exact == ("desk",)
    tables = read_indices(folder).tables
    assert set(tables["combined_ranking_targets"]["verdict"]) == {"not decidable"}
    assert set(tables["combined_ranking_thresholds"]["status"]) == {"possible"}
    assert set(tables["combined_ranking_escalation"]["status"]) == {"possible"}
    assert tables["combined_ranking"]["note"].str.contains("taken as exact: Desk").all()
    assert tables["combined_ranking_within"]["note"].str.contains("taken as exact: Desk").all()
    assert tables["combined_ranking_sentences"]["en"].str.contains("aken as exact: Desk").all()
    for page in ("combined_ranking.html", "combined_ranking-en.html"):
        assert "■" not in (folder / page).read_text(encoding="utf-8").split('id="ranking"')[1]


def test_what_a_source_declares_exact_may_establish(small):
    declared = COMBINED.replace("file: desk.csv,", "file: desk.csv, exact: rule 5 of the test,")
    results = run(prepare(small, combined=declared).read())
    combined = results.further["combined"]
    assert "established" in set(combined.ranking.table["status"])
    assert any("rule 5 of the test" in note.en for note in combined.ranking.summary.notes)
    desk = results.further["desk"].ranking.table
    assert desk["marginal_low"].tolist() == desk["rank"].tolist() == [1, 2, 2, 4]


def test_prefectures_are_ranked_by_the_mean_of_their_counties(several):
    _small, results, _folder = several
    combined = results.further["combined"]
    (level,) = [key for key in combined.rankings.within if key[0] == "prefecture"]
    table = combined.rankings.within[level].table.set_index("unit")
    of_survey = results.estimates["prefecture"].of("topic_index").table
    survey = of_survey.set_index("prefecture")["estimate"]
    onsite = {"990100": (80 + 70) / 2, "990200": (90 + 20) / 2}
    desk = {"990100": 85.0, "990200": 45.0}
    for code, row in table.iterrows():
        expected = 0.5 * survey[code] + 0.3 * onsite[code] + 0.2 * desk[code]
        assert row["estimate"] == pytest.approx(expected, abs=1e-9)
    se_of_mean = np.hypot(2.0, 1.0) / 2
    survey_se = of_survey.set_index("prefecture")["se"]["990100"]
    assert table.loc["990100", "se"] == pytest.approx(
        np.hypot(0.5 * survey_se, 0.3 * se_of_mean), rel=1e-9
    )
    assert table["rank"].to_dict() == {"990100": 1, "990200": 2}


def test_the_files_hold_every_component_and_describe_every_column(several):
    _small, results, folder = several
    tables = read_indices(folder).tables
    scores = tables["combined_scores"]
    county = scores[scores["level"] == "county"]
    whole = county[county["component"] == "combined"].set_index("code")
    parts = county[county["component"] != "combined"].groupby("code")["contribution"].sum()
    assert np.abs(parts - whole["contribution"].reindex(parts.index)).max() < 1e-9
    exact = county.drop_duplicates("component").set_index("component")["exact"].to_dict()
    assert exact == {"survey": "no", "onsite": "no", "desk": "taken", "combined": "taken"}
    assert {"indicators", "awareness_ranking", "onsite_covariance"} <= set(tables)
    for name in ("combined_ranking.xlsx", "combined_ranking_zh.csv", "indicators.xlsx"):
        assert (folder / name).is_file()
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert set(record["rankings"]) == set(results.further)
    assert {"combined.yaml", "onsite.csv", "desk.csv"} <= set(record["inputs"])


def test_the_package_of_data_is_valid(several):
    import frictionless

    _small, _results, folder = several
    report = frictionless.validate(str(folder / "datapackage.json"))
    assert report.valid, report.flatten(["name", "type", "message"])[:5]


@pytest.mark.usefixtures("tables_alone")
def test_a_set_with_a_combined_ranking_is_verified_and_a_planted_difference_found(several):
    _small, _results, folder = several
    assert verify(folder).code == IDENTICAL
    path = folder / "combined_ranking.csv"
    before = path.read_bytes()
    score = pd.read_csv(path, dtype=str, encoding="utf-8-sig")["estimate"].iloc[0]
    path.write_bytes(before.replace(score.encode(), b"99.9", 1))
    try:
        found = verify(folder)
    finally:
        path.write_bytes(before)
    assert found.code == BY_HAND
    assert found.files == {"combined_ranking.csv": "changed"}
    (difference,) = found.differing
    assert (difference.file, difference.column, difference.old) == (
        "combined_ranking.csv", "estimate", "99.9",
    )  # fmt: skip


@pytest.mark.usefixtures("tables_alone")
def test_a_changed_component_is_named_as_another_input(several, tmp_path):
    import shutil

    small, _results, folder = several
    root = shutil.copytree(small.root, tmp_path / "small")
    moved = root / folder.relative_to(small.root)
    onsite = root / "surveys" / "wave" / "onsite.csv"
    onsite.write_text(onsite.read_text().replace("70.0", "71.0"), encoding="utf-8")
    found = verify(moved)
    assert found.inputs == {"onsite.csv": "changed"}
    assert "combined_ranking.csv" in {one.file for one in found.differing}


# ---- which one is the ranking


@pytest.mark.usefixtures("tables_alone")
def test_the_main_ranking_is_the_one_of_the_wave(small, tmp_path):
    main = RANKINGS.replace("- score: combined\n", "- score: combined\n    main: true\n")
    results = run(prepare(small, rankings=main).read())
    assert results.survey.ranked == "combined"
    assert list(results.further) == ["topic_index", "awareness", "streets", "onsite", "desk"]
    published = read_indices(export(results, tmp_path / "set"))
    assert set(published.ranking["measure"]) == {"combined"}
    assert set(published.measure("combined").index) == set(COUNTIES)
    assert set(published.tables["topic_index_ranking"]["measure"]) == {"topic_index"}
    assert verify(tmp_path / "set", survey=small.folder).code == IDENTICAL


# ---- awaited


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("main", [False, True])
def test_while_a_component_is_awaited_the_survey_is_published(small, tmp_path, main):
    rankings = RANKINGS
    if main:
        rankings = RANKINGS.replace("- score: combined\n", "- score: combined\n    main: true\n")
    prepare(small, rankings=rankings)
    (small.folder / "desk.csv").unlink()
    results = run(small.read())
    assert results.survey.ranked == "topic_index"
    assert set(results.awaited) == {"desk", "combined"}
    assert "desk.csv" in results.awaited["combined"].en
    folder = export(results, tmp_path / "set")
    assert not (folder / "combined_ranking.csv").exists()
    assert (folder / "onsite_ranking.csv").exists()
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert "trial" not in record
    assert "desk.csv" in record["awaited"]["combined"]
    page = (folder / "report-en.html").read_text(encoding="utf-8")
    assert "awaited: Desk (desk.csv)" in page
    in_its_place = "the main ranking, by Combined assessment, is awaited"
    assert (in_its_place in page) == main
    for table in ("ranking.csv", "indices.csv"):  # nobody hands it on as the main one
        mark = pd.read_csv(folder / table, dtype=str, keep_default_na=False)["mark"]
        assert mark.str.contains(in_its_place).all() == main
    assert verify(folder, survey=small.folder).code == IDENTICAL


@pytest.mark.usefixtures("tables_alone")
def test_areas_without_a_component_are_not_ranked_and_say_so(small, tmp_path):
    prepare(small)
    table = pd.read_csv(small.folder / "desk.csv", dtype=str).iloc[1:]
    table.to_csv(small.folder / "desk.csv", index=False)
    results = run(small.read())
    folder = export(results, tmp_path / "set")
    row = read_indices(folder).tables["combined_ranking"].set_index("code").loc["990101"]
    assert pd.isna(row["rank"])
    assert row["status"] == "not ranked"
    assert "a component is missing" in row["note"]


# ---- targets, ties


def test_to_hold_a_rank_is_a_target(small):
    history = pd.DataFrame({"wave": "2025T1", "code": COUNTIES, "rank": [4, 1, 2, 3]})
    history = history.assign(marginal_low="", marginal_high="", n=100, listed="no")
    history.to_csv(small.folder / "earlier.csv", index=False)
    rules = small.folder / "rules.yaml"
    text = rules.read_text(encoding="utf-8").replace('"990101": {top: 2}', '"990101": {rise: 0}')
    text += "history: {file: earlier.csv, source: test}\n"
    rules.write_text(text, encoding="utf-8")
    targets = tables_of(run(small.read())).targets
    assert targets["target"].tolist() == ["hold the rank of 2025T1"]
    assert targets["verdict"].isin(["met", "not met", "not decidable"]).all()


@pytest.mark.usefixtures("tables_alone")
def test_a_declared_score_breaks_ties(small, tmp_path):
    rankings = "rankings:\n  - {score: desk, tie_break: onsite}\n"
    results = run(prepare(small, rankings=rankings).read())
    desk = results.further["desk"].ranking
    # 990102 and 990201 both have 80; the second has more in the inspection
    assert by_code(desk)["rank"].tolist() == [1, 3, 2, 4]
    assert desk.summary.ordered_by_tie_break == 1
    notes = [note for note in desk.summary.notes if "ordered by" in note.en]
    assert "ordered by Undercover, the higher" in notes[0].en  # not by its identifier
    assert "按 暗访 由高到低" in notes[0].zh
    published = read_indices(export(results, tmp_path / "set")).tables["desk_ranking"]
    assert published["tie_break"].tolist() == [80.0, 90.0, 70.0, 20.0]


def test_ties_stay_where_the_other_score_is_equal_too(small):
    rankings = "rankings:\n  - {score: desk, tie_break: onsite, ties: fractional}\n"
    prepare(small, rankings=rankings)
    scores = pd.DataFrame({"code": COUNTIES, "score": [80.0, 70.0, 70.0, 20.0]})
    scores.to_csv(small.folder / "onsite.csv", index=False)
    ranks = by_code(run(small.read()).further["desk"].ranking)["rank"]
    assert ranks.tolist() == [1, 2.5, 2.5, 4]


# ---- refused


@pytest.mark.parametrize(
    ("rankings", "code"),
    [
        ("rankings: [{score: nobody}]\n", "S390"),
        ("rankings: [{score: awareness, tie_break: nobody}]\n", "S390"),
        ("rankings: [{score: awareness}, {score: awareness}]\n", "S391"),
        ("rankings: [{score: awareness}, {score: participation, name: Awareness}]\n", "S391"),
        ("rankings: [{score: awareness, main: true}, {score: streets, main: true}]\n", "S392"),
        ('rankings: [{score: awareness, targets: {"000000": {top: 1}}}]\n', "S141"),
    ],
)
def test_rankings_that_cannot_be_are_refused_with_their_line(small, rankings, code):
    prepare(small, rankings=rankings)
    with pytest.raises(SurveyError, match=code) as refused:
        small.read()
    last = len(Path(small.folder / "rules.yaml").read_text(encoding="utf-8").splitlines())
    assert refused.value.where.endswith(f"rules.yaml:{last}")


def test_two_rankings_by_one_score_stand_under_names_of_their_own(small):
    rankings = "rankings: [{score: awareness}, {score: awareness, name: first_two, side: first}]\n"
    results = run(prepare(small, rankings=rankings).read())
    assert list(results.further) == ["awareness", "first_two", "combined"]


def test_a_changed_rule_of_a_further_ranking_makes_a_trial(several):
    _small, results, _folder = several
    other = replace(results.survey, further=results.survey.further[:1])
    assert other.departures() == ("rules.yaml: rankings",)
    assert results.survey.departures() == ()
