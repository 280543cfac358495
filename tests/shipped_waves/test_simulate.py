"""A province with known truth: facts kept, design as declared, truth against brute force, files the same every time."""

from __future__ import annotations

import datetime
import pickle
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.shipped_waves import folder as folder_of_a_wave
from tests.shipped_waves import truth_by_arrays
from tests.shipped_waves.answers import simulate_population
from tests.shipped_waves.delivery import BAD_ANSWERS, BAD_ROWS, TEAMS
from tests.shipped_waves.folder import PROVINCE_SEED, deliveries, simulate_survey
from tests.shipped_waves.residents import generator, population_cells, read_facts
from tests.shipped_waves.sampling import (
    allocation,
    communities_by_size,
    draw_sample,
    draw_wave,
    interviews,
    wave_place,
)
from tests.shipped_waves.truth import true_values

from satisfaction.collection.responses import load_responses
from satisfaction.declarations.questionnaire import read_questionnaire
from satisfaction.declarations.survey import read_survey
from satisfaction.declarations.wave import SurveyFile
from satisfaction.estimation.estimates import estimate
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.files import decode
from satisfaction.foundation.tables import read_table, read_tables
from satisfaction.foundation.yaml import read_yaml, validated
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SurveyDesign

ROOT = Path(__file__).parents[2]
WAVES = {wave: ROOT / "surveys" / f"guizhou-{wave.lower()}" for wave in ("2026Q2", "2026Q3")}
Q3 = WAVES["2026Q3"]
FIELDED = (datetime.date(2026, 7, 6), datetime.date(2026, 7, 26))
SMALL = (
    "522630",
    "522634",
    "520103",
)  # the smallest county, a small one, and the one without a rural part


@pytest.fixture(scope="session")
def questionnaire():
    return read_questionnaire(ROOT / "questionnaires/civilised-city/2026-1.yaml")


@pytest.fixture(scope="session")
def facts():
    return read_facts(
        Q3, validated(read_yaml(Q3 / "survey.yaml", SurveyError), SurveyFile, SurveyError)
    )


@pytest.fixture(scope="module", autouse=True)
def province():
    """People and truth of a wave, simulated once from the same facts: a wave that is made anew has the same."""
    people, truths = {}, {}

    def people_of(facts, *, seed, wave):
        key = pickle.dumps(facts), seed, wave
        if key not in people:
            people[key] = simulate_population(facts, seed=seed, wave=wave)
        return people[key]

    def truth_of(population, questionnaire):
        key = id(population), questionnaire.reference
        if key not in truths:
            truths[key] = true_values(population, questionnaire)
        return truths[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_of_a_wave, "simulate_population", people_of)
        patch.setattr(folder_of_a_wave, "true_values", truth_of)
        yield SimpleNamespace(people_of=people_of, truth_of=truth_of)


@pytest.fixture(scope="module")
def population(facts, province):
    return province.people_of(facts, seed=PROVINCE_SEED, wave="2026Q3")


@pytest.fixture(scope="module")
def truth(population, questionnaire, province):
    return province.truth_of(population, questionnaire).set_index(["county", "measure"])["value"]


@pytest.fixture(scope="module")
def drawn(population, questionnaire):
    return draw_wave(population, questionnaire, fielded=FIELDED, seed=7)


# ---- tables of facts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", WAVES.values(), ids=WAVES)
def test_areas_are_the_current_ones_and_the_ended_ones(folder):
    areas = read_table(folder / "areas.csv")
    current, ended = areas[areas["valid_to"] == ""], areas[areas["valid_to"] != ""]
    assert current["level"].value_counts().to_dict() == {
        "county": 88,
        "prefecture": 9,
        "province": 1,
    }
    counties = current[current["level"] == "county"]
    assert (counties["valid_from"] > "2010-11-01").sum() == 24
    assert (counties["valid_from"] > "2020-11-01").sum() == 2
    assert set(counties["parent"]) == set(current.loc[current["level"] == "prefecture", "code"])
    assert current["code"].is_unique
    assert set(ended["successor"]) - {""} <= set(current["code"])
    successor = dict(zip(ended["code"] + ended["name"], ended["successor"], strict=True))
    assert successor["520522黔西县"] == successor["522423黔西县"] == "520581"
    assert successor["520204水城县"] == successor["520221水城县"] == "520204"
    assert successor["520114小河区"] == successor["522401毕节市"] == ""


def test_both_waves_state_the_same_facts():
    for name in ("areas.csv", "frame.csv", "margin_county_sex.csv", "margin_county_age.csv"):
        assert (WAVES["2026Q2"] / name).read_bytes() == (Q3 / name).read_bytes()
        assert (Q3 / name).read_bytes().startswith(b"\xef\xbb\xbf")


def test_frame_and_margins_agree(facts):
    frame = read_table(Q3 / "frame.csv")
    assert len(frame) == 175
    assert frame.loc[
        frame["county"] == "520103", ["residence", "estimated"]
    ].to_numpy().tolist() == [["1", "no"]]
    assert (frame.loc[frame["county"] != "520103", "estimated"] == "yes").all()
    assert len(facts.counties) == 88
    assert (facts.sex.sum(axis=1) == facts.population).all()
    assert (facts.age.sum(axis=1) == facts.population).all()
    assert facts.population.sum() == 26_758_747


# ---- population ---------------------------------------------------------------------------------------------------


def test_population_keeps_every_margin_exactly(population, facts):
    residents = population.residents
    residence = np.broadcast_to(residents.residence[:, None], residents.sex.shape)
    for level, margin in (
        (residents.sex, facts.sex),
        (residents.age, facts.age),
        (residence, facts.residence),
    ):
        found = np.zeros_like(margin)
        np.add.at(
            found,
            (np.broadcast_to(residents.county[:, None], level.shape), level),
            residents.people,
        )
        assert (found == margin).all()
    assert residents.people.min() >= 1


def test_cells_are_whole_and_never_negative(facts):
    cells = population_cells(facts)
    assert cells.min() >= 0
    assert (cells.sum(axis=(1, 2)) == facts.age).all()
    assert (cells.sum(axis=(1, 3)) == facts.sex).all()
    assert (cells.sum(axis=(2, 3)) == facts.residence).all()


def test_counties_differ_as_in_a_real_survey(truth):
    index = truth.xs("satisfaction_index", level="measure")
    assert 3 < index.std() < 5
    assert 55 < index.min() < index.max() < 85


def test_waves_share_people_and_move_a_little(province, population, facts, questionnaire, truth):
    earlier = province.people_of(facts, seed=PROVINCE_SEED, wave="2026Q2")
    assert (earlier.residents.people == population.residents.people).all()
    before = (
        province.truth_of(earlier, questionnaire)
        .query("measure == 'satisfaction_index'")
        .set_index("county")["value"]
    )
    now = truth.xs("satisfaction_index", level="measure")
    assert 0.5 < (now - before).std() < 3
    assert now.corr(before, method="spearman") > 0.8


# ---- truth --------------------------------------------------------------------------------------------------------


def brute_force(population, county):
    """Evaluate the questionnaire's rules as a reader of it would, one person after another."""
    residents = population.residents
    wanted = residents.county == residents.facts.counties.index(county)
    answers = {item: codes[wanted].ravel().tolist() for item, codes in population.answers.items()}
    sums = {}

    def add(measure, people, value):
        above, below = sums.get(measure, (0.0, 0))
        sums[measure] = (above + people * value, below + people)

    topics = [
        "appearance",
        "streets",
        "toilets",
        "markets",
        "traffic",
        "sites",
        "windows",
        "safety",
        "schools",
        "parks",
    ]
    for k, people in enumerate(residents.people[wanted].ravel().tolist()):
        credits = {1: [1], 2: [1], 3: [0], 98: [0]}.get(answers["heard"][k], [])
        mask = answers["core_values"][k]
        if mask > 0:
            chosen = {bit + 1 for bit in range(8) if mask >> bit & 1}
            credits = [*credits, int(len(chosen & {1, 2, 3, 4, 5}) >= 3 and not chosen & {6, 7, 8})]
        elif mask == -98:
            credits = [*credits, 0]
        if credits:
            add("awareness", people, sum(credits) / len(credits))
        if answers["took_part"][k] in (1, 2, 3, 98):
            add("participation", people, answers["took_part"][k] in (1, 2))
        for measure, item in (("support_rate", "support"), ("satisfaction", "overall")):
            if answers[item][k] in (1, 2, 3, 4, 5):
                add(measure, people, answers[item][k] >= 4)
        scores = {
            topic: 25 * (answers[topic][k] - 1)
            for topic in topics
            if answers[topic][k] in (1, 2, 3, 4, 5)
        }
        for topic, score in scores.items():
            add(topic, people, score)
        if len(scores) >= 6:
            add("satisfaction_index", people, sum(scores.values()) / len(scores))
    values = {measure: above / below for measure, (above, below) in sums.items()}
    weights = {
        "awareness": 15,
        "participation": 15,
        "support_rate": 10,
        "satisfaction": 20,
        "satisfaction_index": 0.4,
    }
    values["composite"] = sum(weight * values[measure] for measure, weight in weights.items())
    return values


def test_truth_equals_brute_force(population, truth):
    expected = brute_force(population, SMALL[0])
    assert set(truth[SMALL[0]].index) == set(expected)
    for measure, value in expected.items():
        assert truth[SMALL[0], measure] == pytest.approx(value, rel=1e-9), measure


def test_truth_equals_the_rules_written_apart_with_arrays(population, questionnaire, truth):
    apart = truth_by_arrays.true_values(population, questionnaire)
    apart = apart.set_index(["county", "measure"])["value"]
    assert list(apart.index) == list(truth.index)
    assert truth.to_numpy() == pytest.approx(apart.to_numpy(), rel=1e-13)


def test_truth_equals_the_estimate_from_everybody(population, questionnaire, truth):
    residents = population.residents
    wanted = [k for k, c in enumerate(residents.county) if residents.facts.counties[c] in SMALL]
    community, person = np.repeat(wanted, 100), np.tile(np.arange(100), len(wanted))
    people = interviews(
        population,
        questionnaire,
        community=community,
        person=person,
        fielded=FIELDED,
        random=generator(1, "everybody"),
    ).assign(people=residents.people[community, person].astype(float))
    measures = compile_measures(questionnaire)
    design = SurveyDesign(people, base_weight="people", measures=measures)
    table = estimate(design, [measure.name for measure in measures], by="county").table
    for county, measure, value in zip(
        table["county"], table["measure"], table["estimate"], strict=True
    ):
        assert truth[county, measure] == pytest.approx(value, rel=1e-11), (county, measure)
    assert len(table) == 3 * 15


@pytest.mark.parametrize("wave", WAVES)
def test_truth_file_has_every_county_and_measure(wave, questionnaire):
    table = read_table(WAVES[wave] / "truth.csv")
    assert list(table.columns) == ["county", "measure", "value"]
    assert len(table) == 88 * (
        len(questionnaire.rates) + len(questionnaire.topics) + len(questionnaire.indices)
    )
    assert not table.duplicated(["county", "measure"]).any()


# ---- sample -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wave", WAVES)
def test_sample_is_as_declared(wave, facts):
    sample = read_table(WAVES[wave] / "sample.csv")
    assert (sample.groupby("county").size() == 25).all()
    strata = sample.groupby(["county", "residence"]).size()
    assert len(strata) == 175
    assert strata.min() >= 2
    assert sample["community"].is_unique
    psu, person = (
        sample["psu_probability"].astype(float),
        sample["person_probability"].astype(float),
    )
    assert psu.between(0, 1, inclusive="neither").all()
    assert (person == (10 / sample["size"].astype(float)).map("{:.12g}".format).astype(float)).all()
    stands_for = (10 / (psu * person)).groupby(sample["county"]).sum()
    assert stands_for.to_numpy() == pytest.approx(facts.population, rel=1e-9)


def test_waves_share_a_quarter_of_the_communities():
    earlier, later = (read_table(folder / "sample.csv") for folder in WAVES.values())
    shared = set(earlier["community"]) & set(later["community"])
    for sample in (earlier, later):
        assert set(sample.loc[sample["panel"] == "yes", "community"]) == shared
        assert sample[sample["panel"] == "yes"].groupby("county").size().isin([6, 7]).all()
    assert len(shared) / len(later) == pytest.approx(0.25, abs=0.02)
    both = earlier.merge(later, on="community")
    assert (both["psu_probability_x"] == both["psu_probability_y"]).all()


def test_allocation_follows_the_population_with_two_at_least(population, facts):
    taken = allocation(population.residents).reshape(-1, 2)
    assert (taken.sum(axis=1) == 25).all()
    assert taken[facts.residence > 0].min() >= 2
    assert (taken[facts.residence == 0] == 0).all()


def test_systematic_draws_in_proportion_to_size():
    size, random = np.array([5, 10, 20, 30, 35, 40]), np.random.default_rng(1)
    counts = np.bincount(
        np.concatenate([communities_by_size(size, 3, random) for _ in range(20_000)]), minlength=6
    )
    assert counts / 20_000 == pytest.approx(3 * size / size.sum(), abs=0.015)


def test_a_community_certain_to_be_drawn_is_refused():
    with pytest.raises(SurveyError, match="S153"):
        communities_by_size(np.array([10, 10, 80]), 2, np.random.default_rng(1))


def test_each_wave_of_a_pair_draws_with_its_probability(population):
    """Both parts of the joint draw give n_h M / M_h: the weighted count of people is exact in every stratum."""
    for part in (0, 1):
        sample = draw_sample(population.residents, seed=3, part=part)
        stratum = (population.residents.county * 2 + population.residents.residence)[
            sample.position
        ]
        size = population.residents.size[sample.position]
        total = np.bincount(stratum, size / sample.psu_probability, minlength=176)
        assert total == pytest.approx(population.residents.facts.residence.ravel(), rel=1e-12)


def test_a_draw_is_a_function_of_its_seed(population, questionnaire, drawn):
    again = draw_wave(population, questionnaire, fielded=FIELDED, seed=7)
    other = draw_wave(population, questionnaire, fielded=FIELDED, seed=8)
    pd.testing.assert_frame_equal(again.respondents, drawn.respondents)
    assert set(other.respondents["community"]) != set(drawn.respondents["community"])


def test_ten_different_people_a_community(drawn):
    assert drawn.person.shape == (2200, 10)
    assert (np.diff(np.sort(drawn.person, axis=1), axis=1) > 0).all()
    assert drawn.respondents["respondent_id"].is_unique


def test_young_men_are_missing(drawn, facts):
    respondents = drawn.respondents
    young_men = ((respondents["sex"] == 1) & (respondents["age_group"] == 1)).mean()
    share = (population_cells(facts).sum(axis=(0, 1)) / facts.population.sum())[0, 0]
    assert young_men < 0.75 * share


def test_skip_rule_holds(drawn):
    respondents = drawn.respondents
    asked = respondents["took_part"].isin([1, 2])
    options = respondents[[f"took_part_in_{k}" for k in range(1, 5)]]
    assert options[~asked].isna().all().all()
    assert (options[asked].sum(axis=1) > 0).mean() > 0.98


@pytest.mark.parametrize(
    ("wave", "place"), [("2026Q2", (4053, 0)), ("2026Q3", (4053, 1)), ("2026Q4", (4054, 0))]
)
def test_waves_come_in_pairs(wave, place):
    assert wave_place(wave) == place


def test_a_wave_that_is_no_quarter_is_refused():
    with pytest.raises(SurveyError, match="S154"):
        wave_place("spring")


# ---- files --------------------------------------------------------------------------------------------------------


def test_faults_are_counted(population, questionnaire, drawn):
    rows, faults = deliveries(population, questionnaire, drawn, fielded=FIELDED, seed=7)
    assert faults["kind"].value_counts().to_dict() == BAD_ROWS | BAD_ANSWERS
    assert len(rows) == len(drawn.respondents) + sum(BAD_ROWS.values())
    assert set(drawn.respondents["respondent_id"]) <= set(rows["respondent_id"])
    assert rows.duplicated().sum() == BAD_ROWS["duplicate"]


@pytest.mark.parametrize("folder", WAVES.values(), ids=WAVES)
def test_loader_keeps_the_sound_rows_and_names_the_others(folder):
    responses = load_responses(read_survey(folder))
    assert len(responses.accepted) == 22_000
    assert len(responses.rejected) == sum(BAD_ROWS.values()) + 1  # the total row
    usual = responses.log.loc[
        responses.log["rule"] == "R301", "value"
    ].tolist()  # two of the stray words are usual wordings
    assert sorted(usual) == ["不知道 → 98 说不清 × 1", "说不好 → 98 说不清 × 1"]
    assert (responses.log["action"] == "blank_item").sum() == BAD_ANSWERS[
        "outside_scale"
    ] + BAD_ANSWERS["stray_text"] - 2


def test_files_come_in_several_shapes():
    content = {team.file: (Q3 / "responses" / team.file).read_bytes() for team in TEAMS.values()}
    assert len(content) == len(list((Q3 / "responses").iterdir())) == 9
    csv = {name: data for name, data in content.items() if name.endswith(".csv")}
    assert len(content) - len(csv) == 2
    marked = {name for name, data in csv.items() if data.startswith(b"\xef\xbb\xbf")}
    gb18030 = {name for name, data in csv.items() if b"\xe3\x80" not in data and not _is_utf8(data)}
    assert (len(marked), len(gb18030), len(csv) - len(marked) - len(gb18030)) == (3, 2, 2)
    for name in csv:
        assert any(ord(letter) > 0x2000 for letter in decode(Q3 / "responses" / name))


def _is_utf8(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_a_workbook_ends_with_a_total_row():
    (table,) = read_tables(Q3 / "responses/zunyi.xlsx")
    assert table.cells.iloc[-1, 0] == "合计"
    assert table.cells.iloc[0, 1].startswith("2026-07-")


def test_waves_stay_small():
    assert (
        sum(
            f.stat().st_size
            for folder in WAVES.values()
            for f in folder.rglob("*")
            if "out" not in f.parts
        )
        < 6e6
    )


def copied(tmp_path, folder, edit=lambda text: text):
    """Copy a wave's declarations and facts, without what simulate_survey makes."""
    shutil.copytree(ROOT / "questionnaires", tmp_path / "questionnaires")
    made = shutil.ignore_patterns("responses", "out", "sample.csv", "truth.csv")
    target = shutil.copytree(folder, tmp_path / "surveys" / folder.name, ignore=made)
    declared = target / "survey.yaml"
    declared.write_text(edit(declared.read_text("utf-8")), "utf-8")
    return target


def members(path):
    with zipfile.ZipFile(path) as workbook:
        return {name: workbook.read(name) for name in workbook.namelist()}


@pytest.mark.parametrize("folder", WAVES.values(), ids=WAVES)
def test_regenerating_a_wave_gives_identical_files(tmp_path, folder):
    target = copied(tmp_path, folder)
    simulate_survey(target)
    made = ["sample.csv", "truth.csv", *(f"responses/{team.file}" for team in TEAMS.values())]
    for name in made:
        # a workbook's members, because another zlib may compress the same bytes otherwise
        same = members if name.endswith(".xlsx") else Path.read_bytes
        assert same(target / name) == same(folder / name), name


def test_another_seed_gives_another_sample_of_the_same_truth(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_of_a_wave, "write_deliveries", lambda *_rows: None)
    target = copied(tmp_path, Q3)
    simulate_survey(target, seed=1)
    assert (target / "truth.csv").read_bytes() == (Q3 / "truth.csv").read_bytes()
    assert (target / "sample.csv").read_bytes() != (Q3 / "sample.csv").read_bytes()


def without_mark(text):
    start, end = text.index("simulated:\n"), text.index("fielded:")
    return text[:start] + text[end:]


def test_a_wave_not_marked_as_simulated_is_left_alone(tmp_path):
    target = copied(tmp_path, Q3, without_mark)
    with pytest.raises(SurveyError, match="S155"):
        simulate_survey(target)
    assert not (target / "responses").exists()


def test_another_questionnaire_is_refused(tmp_path):
    target = copied(
        tmp_path, Q3, lambda text: text.replace("civilised-city@2026-1", "other-city@2026-1")
    )
    other = tmp_path / "questionnaires/other-city/2026-1.yaml"
    other.parent.mkdir()
    source = (tmp_path / "questionnaires/civilised-city/2026-1.yaml").read_text("utf-8")
    other.write_text(
        source.replace("questionnaire: civilised-city", "questionnaire: other-city"), "utf-8"
    )
    with pytest.raises(SurveyError, match="S156"):
        simulate_survey(target)


def test_tables_that_disagree_are_refused(tmp_path):
    target = copied(tmp_path, Q3)
    margin = target / "margin_county_sex.csv"
    margin.write_text(
        margin.read_text("utf-8-sig").replace("520102,1,412606", "520102,1,412607"), "utf-8"
    )
    with pytest.raises(SurveyError, match="S152") as fault:
        simulate_survey(target)
    assert "520102" in str(fault.value)


def test_missing_margin_is_refused(tmp_path):
    target = copied(
        tmp_path, Q3, lambda text: text.replace("by: [county, sex]", "by: [county, residence]")
    )
    with pytest.raises(SurveyError, match="S151"):
        simulate_survey(target)
