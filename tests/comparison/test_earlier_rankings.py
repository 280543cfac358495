"""Every ranking of a wave reads its own earlier ranks: of rates, components, the combined score, prefectures."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.comparison.test_cycle import FIRST, LAST, published, quarter

from conftest import COUNTIES, ROOT, SmallSurvey, recoded
from satisfaction import read_survey, run
from satisfaction.declarations.earlier import earlier_notes, named_with_successors
from satisfaction.declarations.facts import codes_of_today, under_codes_of_today
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.tables import write_checksums
from satisfaction.publication.file_set import export
from satisfaction.publication.verify import verify

PREFECTURE = "990100"
ONSITE = {"2026Q1": [80.0, 70.0, 60.0, 20.0], "2026Q2": [80.0, 70.0, 20.0, 60.0]}
COMBINED = """
title: {zh: 综合测评, en: Combined}
source: test
above: mean
components:
  survey: {zh: 满意指数, en: Index, weight: 0.3, measure: topic_index, source: test}
  onsite: {zh: 暗访, en: Undercover, weight: 0.7, file: onsite.csv, source: test}
"""
LADDER = """
    escalation:
      source: test
      steps:
        - {listed_in_a_row: 1, zh: 挂牌, en: listed}
        - {listed_in_a_row: 2, zh: 约谈, en: talk}
        - {fall: 1, zh: 提示, en: fell}
"""
RANKINGS = f"""
rankings:
  - score: awareness
    targets: {{"{PREFECTURE}": {{rise: 0}}}}
  - score: onsite
    side: first
  - score: combined
    name: official
    main: true
    targets:
      "{FIRST}": {{rise: 0}}
      "{PREFECTURE}": {{rise: 0}}
"""


def wave(root: Path, name: str, *, earlier=(), rankings: str = RANKINGS) -> Path:
    folder = quarter(root, name, worst=FIRST, best=LAST, earlier=earlier, rules=rankings)
    (folder / "combined.yaml").write_text(COMBINED, encoding="utf-8")
    onsite = pd.DataFrame({"code": COUNTIES, "score": ONSITE[name], "se": 1.0})
    onsite.to_csv(folder / "onsite.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def two_waves(small_template, tmp_path_factory, pictures) -> Path:
    """Two quarters with four rankings each; in the second every ranking reads the first one's set."""
    root = tmp_path_factory.mktemp("rankings") / "small"
    shutil.copytree(small_template, root)
    first_rules = RANKINGS
    for line in (
        f'    targets: {{"{PREFECTURE}": {{rise: 0}}}}\n',
        RANKINGS[RANKINGS.rindex("    targets") :],
    ):
        first_rules = first_rules.replace(line, "")  # nothing to rise from yet
    first = wave(root, "2026Q1", rankings=first_rules)
    with pictures.left_out():  # its tables alone are read
        export(run(read_survey(first)), root / "first")
    second = wave(root, "2026Q2", earlier=["../../first"], rankings=RANKINGS + LADDER)
    export(run(read_survey(second)), root / "second")
    return root


@pytest.fixture
def copied(two_waves, tmp_path) -> SmallSurvey:
    return SmallSurvey(shutil.copytree(two_waves, tmp_path / "small"))


def second_wave(small: SmallSurvey) -> Path:
    return small.root / "surveys" / "w2026q2"


FILES = {
    "official": "",
    "topic_index": "topic_index_",
    "awareness": "awareness_",
    "onsite": "onsite_",
}


def test_every_ranking_reads_the_ranks_and_lists_of_its_own_name(two_waves):
    survey = read_survey(two_waves / "surveys" / "w2026q2")
    by_name = {other.name: other for other in survey.further}
    assert survey.ranking_name == "official"
    assert set(by_name) == set(FILES) - {"official"}
    lists = {}
    for name, prefix in FILES.items():
        history = survey.history if name == "official" else by_name[name].history
        before = published(two_waves / "first", f"{prefix}ranking.csv").set_index("code")
        read = history.set_index("code")
        assert read["rank"].to_dict() == before["rank"].astype(float).to_dict()
        assert read["listed"].to_dict() == before["listed"].to_dict()
        lists[name] = set(read.index[read["listed"] == "yes"])
    assert (lists["official"], lists["topic_index"]) == ({LAST}, {FIRST})  # they differ
    assert lists["onsite"] == {FIRST}  # its list is at the other end


def test_ladder_and_targets_of_the_combined_score_rest_on_its_own_earlier_ranks(two_waves):
    second = two_waves / "second"
    ladder = published(second, "ranking_ladder.csv")
    fell = ladder[ladder["step_en"] == "fell"].set_index("code")
    before = published(two_waves / "first", "ranking.csv").set_index("code")["rank"].astype(int)
    now = published(second, "ranking.csv").set_index("code")["rank"].astype(int)
    assert set(fell.index) == set(now.index[now > before[now.index]]) != set()
    assert "talk" not in set(ladder["step_en"])  # the list changed; by the index it did not
    targets = published(second, "ranking_targets.csv").set_index("code")
    assert targets.loc[FIRST, "basis"] == f"published rank {before[FIRST]} in 2026Q1"


def test_ranks_of_prefectures_are_read_and_published_over_the_waves(two_waves):
    second = two_waves / "second"
    for prefix, target in (
        ("", "ranking_targets.csv"),
        ("awareness_", "awareness_ranking_targets.csv"),
    ):
        within = published(two_waves / "first", f"{prefix}ranking_within.csv").set_index("code")
        rank = int(within.loc[PREFECTURE, "rank"])
        targets = published(second, target).set_index("code")
        assert targets.loc[PREFECTURE, "basis"] == f"published rank {rank} in 2026Q1"
        paths = published(second, f"{prefix}ranking_within_waves.csv").set_index(["wave", "code"])
        assert int(paths.loc[("2026Q1", PREFECTURE), "rank"]) == rank
        of_now = published(second, f"{prefix}ranking_within.csv").set_index("code")
        assert paths.loc[("2026Q2", PREFECTURE), "rank"] == of_now.loc[PREFECTURE, "rank"]
    assert not (two_waves / "first" / "ranking_within_waves.csv").exists()  # no wave before


def test_the_set_is_verified_with_the_files_of_the_earlier_one_among_its_inputs(two_waves):
    made = json.loads((two_waves / "second" / "manifest.json").read_text(encoding="utf-8"))
    names = {Path(name).name for name in made["inputs"] if "first" in name}
    assert {"ranking.csv", "awareness_ranking.csv", "ranking_within.csv", "manifest.json"} <= names
    assert verify(two_waves / "second").code == 0


def test_a_ranking_that_the_earlier_set_does_not_hold_is_said_and_no_sanction_counts_on_it(copied):
    folder = second_wave(copied)
    rules = folder / "rules.yaml"
    text = rules.read_text(encoding="utf-8")
    for key in ("ranking.csv", "ranking_within.csv"):
        (copied.root / "first" / f"awareness_{key}").unlink()
    path = copied.root / "first" / "manifest.json"
    made = json.loads(path.read_text(encoding="utf-8"))
    del made["rankings"]["awareness"]
    path.write_text(json.dumps(made), encoding="utf-8")
    write_checksums(copied.root / "first")
    with pytest.raises(SurveyError, match="S377") as refused:
        read_survey(folder)
    assert "no ranking 'awareness'" in refused.value.en
    assert "official" in refused.value.available
    no_target = text.replace(f'    targets: {{"{PREFECTURE}": {{rise: 0}}}}\n', "")
    rules.write_text(no_target, encoding="utf-8")
    notes = [note.en for note in earlier_notes(read_survey(folder))]
    assert "ranking Awareness rate: 2026Q1: its file set holds no ranking of this name" in notes
    with_steps = no_target.replace("score: awareness\n", f"score: awareness{LADDER}")
    rules.write_text(with_steps, encoding="utf-8")
    with pytest.raises(SurveyError, match="S377"):
        read_survey(folder)
    gap = "    history: {gaps: [{wave: 2026Q1, source: 未公布}]}\n"
    declared = with_steps.replace("        - {fall: 1, zh: 提示, en: fell}\n", gap, 1)
    declared = declared.replace("        - {listed_in_a_row: 2, zh: 约谈, en: talk}\n", "", 1)
    rules.write_text(declared, encoding="utf-8")
    assert read_survey(folder).earlier_waves() == ["2026Q1"]
    table = "wave,code,rank,listed\n2026Q1,990101,4,yes\n2026Q1,990100,2,no\n"
    (folder / "aware.csv").write_text(table, encoding="utf-8")
    given = text.replace(
        "score: awareness\n", "score: awareness\n    history: {file: aware.csv, source: 文件}\n"
    )
    rules.write_text(given, encoding="utf-8")
    aware = next(one for one in read_survey(folder).further if one.name == "awareness")
    assert aware.history["rank"].tolist() == [4.0, 2.0]


def test_a_combined_score_of_other_weights_stops_its_sanctions(copied):
    folder = second_wave(copied)
    changed = COMBINED.replace("0.3", "0.4").replace("0.7", "0.6")
    (folder / "combined.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(SurveyError, match="S373") as refused:
        read_survey(folder)
    assert "other components, weights or scales" in refused.value.en
    copied.edit(folder / "survey.yaml", "[../../first]", "[{survey: ../../first, accepted: 文件}]")
    assert read_survey(folder).earlier_waves() == ["2026Q1"]


def test_areas_that_went_or_came_are_named_with_their_successors(unchanged):
    successor = unchanged.areas["code"].map({"990101": "990109"}).fillna("")
    survey = replace(unchanged, areas=unchanged.areas.assign(successor=successor))
    assert (
        named_with_successors(survey, ["990101", "990109"]).zh
        == "990101 县990101（现为 990109）、990109"
    )
    many = named_with_successors(survey, [f"9902{number:02d}" for number in range(8)])
    assert many.en.endswith("990205, ... (+2)")


def test_an_area_that_only_has_another_code_keeps_its_ranks_and_listings(copied, two_waves):
    """It would begin anew on the ladder: a county with a new code could not be listed twice in a row."""
    unchanged = read_survey(second_wave(SmallSurvey(two_waves)))
    recoded(second_wave(copied), FIRST, "990109")
    survey = read_survey(second_wave(copied))
    for before, now in zip(unchanged.all_rankings, survey.all_rankings, strict=True):
        expected = before.history.assign(code=before.history["code"].replace(FIRST, "990109"))
        pd.testing.assert_frame_equal(now.history, expected)
    notes = [str(note) for note in earlier_notes(survey)]
    assert any(f"{FIRST} → 990109" in note for note in notes)
    assert not any("another set of areas" in note for note in notes)


def test_a_list_of_another_length_is_named(copied):
    folder = second_wave(copied)
    before = [note.en for note in earlier_notes(read_survey(folder))]
    assert not any("length of the list" in note for note in before)
    rules = folder / "rules.yaml"
    text = rules.read_text(encoding="utf-8")
    assert text.count("list_size: 1\n") > 0, text
    rules.write_text(text.replace("list_size: 1\n", "list_size: 2\n"), encoding="utf-8")
    notes = [note.en for note in earlier_notes(read_survey(folder))]
    assert "2026Q1: length of the list 1, now 2" in notes


def test_areas_merged_into_one_do_not_hand_their_listings_on():
    columns = ["code", "level", "parent", "valid_to", "successor"]
    rows = [
        ["1", "county", "0", "", ""],
        ["4", "county", "0", "", ""],
        ["2", "county", "0", "2026-01-01", "1"],
        ["3", "county", "0", "2026-01-01", "1"],
        ["6", "county", "0", "2025-01-01", "5"],
        ["5", "county", "0", "2026-01-01", "4"],
        ["7", "county", "0", "2026-01-01", "8"],
        ["8", "county", "0", "2026-01-01", "7"],
    ]
    codes = codes_of_today(pd.DataFrame(rows, columns=columns))
    assert codes == {"6": "4", "5": "4"}
    ranks = pd.DataFrame({"wave": ["a", "a", "b", "b"], "code": ["6", "1", "4", "5"]})
    assert under_codes_of_today(ranks, codes)["code"].tolist() == ["4", "1", "4", "5"]


def test_a_set_written_by_version_0_5_gives_the_ranks_it_holds(small, tmp_path):
    with tarfile.open(ROOT / "tests" / "golden" / "file_set_1.tar.xz") as archive:
        archive.extractall(small.root, filter="data")
    before = published(small.root / "set", "ranking.csv").set_index("code")["rank"]
    within = published(small.root / "set", "ranking_within.csv").set_index("code")["rank"]
    small.edit("survey.yaml", "wave: 2026T1", "wave: 2026Q2")
    with (small.folder / "survey.yaml").open("a", encoding="utf-8") as file:
        file.write("earlier: [../../set]\n")
    rules = (small.folder / "rules.yaml").read_text(encoding="utf-8")
    rules += (
        "rankings: [{score: awareness}]\n"
        "escalation: {steps: [{listed_in_a_row: 2, zh: 约谈, en: talk}], source: test}\n"
    )
    (small.folder / "rules.yaml").write_text(rules, encoding="utf-8")
    survey = small.read()
    assert (
        survey.history.set_index("code")["rank"].astype(int).to_dict()
        == before.astype(int).to_dict()
    )
    assert survey.published_rank("990200", "2026Q1") == int(within["990200"])
    notes = [note.en for note in earlier_notes(survey)]
    assert "ranking Awareness rate: 2026Q1: its file set holds no ranking of this name" in notes
    table = published(export(run(survey), tmp_path / "now"), "ranking_escalation.csv")
    assert set(table["listed_in_a_row"].astype(int)) == {2}  # the same data, listed again
