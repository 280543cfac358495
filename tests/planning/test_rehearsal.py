"""A rehearsal of a wave of one's own: its questionnaire, its design, a truth that its intervals meet, nobody's answers lost."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from conftest import ROOT
from satisfaction import read_survey, run
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.tables import read_table
from satisfaction.planning.draw import draw_sample
from satisfaction.planning.planning_files import sample_table
from satisfaction.planning.rehearsal import FAULTS, simulate_survey, simulated_communities

MARK = """simulated: {seed: 7, note: {en: rehearsal}}
fielded: {start: 2026-04-01, end: 2026-04-30}
"""
OWN = """constraints:
  grown_up: {check: adults <= household, zh: 成年人不多于全家人口, en: no more adults than people}
"""
OWN_ITEMS = """  household: {type: number, low: 1, high: 9, zh: 全家人口, en: People}
  adults: {type: number, low: 1, high: 6, zh: 成年人, en: Adults}
  wishes:
    type: multiple
    zh: 希望改善
    en: What should improve
    required: true
    max_selected: 2
    options: {1: {zh: 道路, en: Roads}, 2: {zh: 公园, en: Parks}, 3: {zh: 学校, en: Schools}}
"""


@pytest.fixture
def rehearsed(small):
    """The small survey with items and a constraint of its own, marked as simulated, without responses."""
    shutil.rmtree(small.folder / "responses")
    survey = small.folder / "survey.yaml"
    declared = [
        line
        for line in survey.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith(("fielded", "simulated"))
    ]
    survey.write_text("".join(declared) + MARK, encoding="utf-8")
    small.edit(small.questionnaire, "  heard: {", OWN_ITEMS + "  heard: {")
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(text + OWN, encoding="utf-8")
    return small


def bytes_of(small):
    paths = [small.folder / "truth.csv", *(small.folder / "responses").iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def test_every_item_of_ones_own_questionnaire_is_answered_as_it_allows(rehearsed):
    sample = (rehearsed.folder / "sample.csv").read_bytes()
    simulate_survey(rehearsed.folder)
    assert (rehearsed.folder / "sample.csv").read_bytes() == sample
    responses = load_responses(rehearsed.read())
    rows = responses.accepted
    assert len(rows) == 120 - FAULTS
    assert set(responses.log["rule"]) == {"R201", "R203"}
    assert (rows["adults"] <= rows["household"]).all()
    wished = rows[["wishes_1", "wishes_2", "wishes_3"]].sum(axis=1)
    assert set(wished) <= {1, 2}
    asked = rows["took_part"] == 1
    assert rows.loc[~asked, "took_part_in_1"].isna().all()
    assert set(rows["overall"].dropna()) >= {3, 4, 5}
    visits = read_table(rehearsed.folder / "responses" / "rehearsal.csv")["community"]
    assert set(visits) == set(read_table(rehearsed.folder / "sample.csv")["community"])


def test_a_rehearsed_wave_runs_to_its_ranking_and_is_marked(rehearsed):
    simulate_survey(rehearsed.folder)
    results = run(rehearsed.read())
    assert results.ranking.summary["p"] == 4
    assert results.survey.marks
    truth = read_table(rehearsed.folder / "truth.csv")
    assert set(truth["measure"]) == set(results.survey.questionnaire.measures)


def test_a_seed_gives_the_same_files_and_another_seed_other_answers_of_the_same_truth(rehearsed):
    simulate_survey(rehearsed.folder)
    first = bytes_of(rehearsed)
    simulate_survey(rehearsed.folder)
    assert bytes_of(rehearsed) == first
    simulate_survey(rehearsed.folder, seed=8)
    other = bytes_of(rehearsed)
    assert other["truth.csv"] == first["truth.csv"]
    assert other["rehearsal.csv"] != first["rehearsal.csv"]


def test_responses_of_people_are_never_written_over(small):
    before = small.csv.read_bytes()
    with pytest.raises(SurveyError, match="S155"):
        simulate_survey(small.folder)
    assert small.csv.read_bytes() == before


def test_a_folder_with_other_responses_is_refused(rehearsed):
    (rehearsed.folder / "responses").mkdir()
    (rehearsed.folder / "responses" / "team.csv").write_text("id\n1\n", encoding="utf-8")
    with pytest.raises(SurveyError, match="S199"):
        simulate_survey(rehearsed.folder)
    assert not (rehearsed.folder / "truth.csv").exists()


def test_nothing_that_names_the_areas_is_refused(rehearsed):
    survey = rehearsed.folder / "survey.yaml"
    survey.write_text(
        "survey: bare\nwave: '1'\ntitle: {en: Bare}\nquestionnaire: small@1\nselection: open_link\n"
        f"rules: rules.yaml\n{MARK}",
        encoding="utf-8",
    )
    with pytest.raises(SurveyError, match="S151"):
        simulate_survey(rehearsed.folder)


def test_a_wave_without_communities_is_interviewed_area_by_area_with_its_nonrespondents(tmp_path):
    shutil.copytree(ROOT / "questionnaires", tmp_path / "questionnaires")
    made = shutil.ignore_patterns("responses", "out", "truth.csv", "nonrespondents.csv")
    source = ROOT / "surveys" / "guiyang-phone-2026q3"
    wave = shutil.copytree(source, tmp_path / "surveys" / source.name, ignore=made)
    simulate_survey(wave)
    survey = read_survey(wave)
    responses = load_responses(survey)
    nonrespondents = survey.nonrespondents
    assert (responses.accepted.groupby("county").size() >= 200 - FAULTS).all()
    assert len(nonrespondents) == 1200
    # some groups are harder to find: the nonrespondents are not like those who answered
    interviewed = responses.accepted["age_group"].value_counts(normalize=True)
    others = nonrespondents["age_group"].value_counts(normalize=True)
    assert abs(interviewed - others).max() > 0.02


def test_a_sample_that_is_not_there_is_drawn_from_simulated_communities(rehearsed):
    (rehearsed.folder / "sample.csv").unlink()
    simulate_survey(rehearsed.folder)
    survey = rehearsed.read()
    assert (survey.sample.groupby("county").size() == 25).all()
    assert len(load_responses(survey).accepted) == 4 * 250 - FAULTS


def test_simulated_communities_keep_the_population_and_can_be_drawn_from():
    people = [300_000, 45_000, 900, 0]
    frame = pd.DataFrame(
        {"county": list("aabb"), "residence": list("1212"), "population": map(str, people)}
    )
    communities = simulated_communities(frame, ["county", "residence"], "community")
    assert communities["community"].is_unique
    assert (communities["adults"] > 0).all()
    totals = communities.groupby(["county", "residence"])["adults"].sum()
    assert totals.to_list() == people[:3]
    drawn = draw_sample(
        communities,
        psu="community",
        strata=["county", "residence"],
        size="adults",
        take=3,
        seed=5,
    )
    table = sample_table(drawn.wave(1), size="adults", persons=10)
    chance = table["person_probability"] * table["adults"]
    assert chance.to_list() == pytest.approx([10] * 9, rel=1e-9)
