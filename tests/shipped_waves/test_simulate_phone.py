"""The telephone wave: drawn as described, files the same every time, nobody's number in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.shipped_waves.answers import simulate_population
from tests.shipped_waves.folder import PROVINCE_SEED, simulate_survey
from tests.shipped_waves.phone import (
    COUNTY_SAMPLE,
    RESPONSE,
    SECOND_LINE,
    call_wave,
    choose_persons,
    households,
)
from tests.shipped_waves.residents import generator, read_facts

from conftest import ROOT
from satisfaction.collection.responses import load_responses
from satisfaction.declarations.questionnaire import read_questionnaire
from satisfaction.declarations.survey import read_declared, read_survey
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.personal import NUMBER
from satisfaction.foundation.tables import read_table

WAVE = ROOT / "surveys" / "guiyang-phone-2026q3"
MADE = ("truth.csv", "nonrespondents.csv", "responses/phone.csv")
FACTS = ("areas.csv", "frame.csv", "margin_county_sex.csv", "margin_county_age.csv")


@pytest.fixture(scope="module")
def population():
    _, declared, _ = read_declared(WAVE)
    return simulate_population(read_facts(WAVE, declared), seed=PROVINCE_SEED, wave=declared.wave)


@pytest.fixture(scope="module")
def called(population):
    """Ten draws, for shares that one draw leaves too uncertain."""
    _, declared, instrument = read_declared(WAVE)
    dates = (declared.fielded.start, declared.fielded.end)
    questionnaire = read_questionnaire(instrument)
    draws = [
        call_wave(population, questionnaire, fielded=dates, seed=k, household_seed=PROVINCE_SEED)
        for k in range(10)
    ]
    return pd.concat([one.respondents for one in draws]), pd.concat(
        [one.nonrespondents for one in draws]
    )


@pytest.fixture(scope="module")
def responses():
    return load_responses(read_survey(WAVE))


def copied(tmp_path: Path) -> Path:
    """Copy the declarations and facts, without what simulate_survey makes."""
    shutil.copytree(ROOT / "questionnaires", tmp_path / "questionnaires")
    made = shutil.ignore_patterns("responses", "out", "truth.csv", "nonrespondents.csv")
    return shutil.copytree(WAVE, tmp_path / "surveys" / WAVE.name, ignore=made)


def test_regenerating_the_wave_gives_identical_files(tmp_path):
    folder = copied(tmp_path)
    simulate_survey(folder)
    for name in MADE:
        assert (folder / name).read_bytes() == (WAVE / name).read_bytes(), name
    assert not (folder / "sample.csv").exists()


def test_another_seed_gives_another_draw_of_the_same_truth(tmp_path):
    folder = copied(tmp_path)
    simulate_survey(folder, seed=1)
    same = {name: (folder / name).read_bytes() == (WAVE / name).read_bytes() for name in MADE}
    assert same == {"truth.csv": True, "nonrespondents.csv": False, "responses/phone.csv": False}


def test_a_wave_not_marked_as_simulated_is_left_alone(tmp_path):
    folder = copied(tmp_path)
    text = (folder / "survey.yaml").read_text(encoding="utf-8")
    start, end = text.index("simulated:\n"), text.index("fielded:")
    (folder / "survey.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    with pytest.raises(SurveyError, match="S155"):
        simulate_survey(folder)


def test_the_facts_are_those_of_the_province():
    for name in FACTS:
        own, whole = read_table(WAVE / name), read_table(ROOT / "surveys" / "guizhou-2026q3" / name)
        merged = own.merge(whole, how="left", on=[c for c in own if c != "parent"], indicator=True)
        assert (merged["_merge"] == "both").all(), name
    frame, sex, age = (read_table(WAVE / name).astype({"population": int}) for name in FACTS[1:])
    totals = [table.groupby("county")["population"].sum().tolist() for table in (frame, sex, age)]
    assert totals[0] == totals[1] == totals[2]
    assert len(totals[0]) == 10


def test_every_county_has_its_persons_and_every_row_is_sound(responses):
    absent = read_table(WAVE / "nonrespondents.csv")
    together = pd.concat([responses.accepted["county"], absent["county"]]).value_counts()
    assert (together == COUNTY_SAMPLE).all()
    assert len(together) == 10
    assert responses.summary[["rejected", "blanked"]].to_numpy().sum() == 0
    assert responses.accepted.groupby(["county", "age_group"]).size().min() >= 10
    assert responses.accepted.groupby(["county", "sex"]).size().min() >= 10


def test_no_number_and_no_name(responses):
    assert list(read_table(WAVE / "nonrespondents.csv")) == [
        "county",
        "sex",
        "age_group",
        "household_adults",
        "phone_lines",
    ]
    for name in MADE:
        assert not NUMBER.search((WAVE / name).read_text(encoding="utf-8-sig"))


def test_the_response_rate_depends_on_sex_and_age(called):
    there, absent = (pd.crosstab(part["sex"], part["age_group"]).to_numpy() for part in called)
    rate, n = there / (there + absent), there + absent
    assert RESPONSE.min() >= 0.35
    assert RESPONSE.max() <= 0.60
    assert (np.abs(rate - RESPONSE) < 4 * np.sqrt(RESPONSE * (1 - RESPONSE) / n)).all()


def test_households_lie_in_their_range_and_some_are_not_known(called):
    for part, shares in zip(called, ((0.015, 0.025), (0.08, 0.10)), strict=True):
        for (item, highest), share in zip(
            (("household_adults", 6), ("phone_lines", 2)), shares, strict=True
        ):
            known = part.loc[part[item] != "", item].astype(int)
            assert set(known) == set(range(1, highest + 1))
            assert (part[item] == "").mean() == pytest.approx(share, abs=0.006)


def test_items_go_unanswered_and_people_do_not_know(responses):
    answers = responses.accepted[["heard", "took_part", "support", "streets", "overall"]]
    assert answers.isna().mean().between(0.001, 0.03).all()
    assert (answers == 98).mean().between(0.005, 0.10).all()


def test_persons_are_drawn_by_telephone_numbers_over_adults(population):
    """Weighted by adults / lines, what was drawn has the make-up of the county; unweighted it has not."""
    residents = population.residents
    adults, lines = households(residents, seed=PROVINCE_SEED)
    chosen = np.concatenate(
        [
            choose_persons(residents, residents.people * lines / adults, generator(k, "draw"))
            for k in range(40)
        ],
        axis=1,
    )
    members = residents.county == 0
    share = (
        np.bincount(adults[members].ravel(), residents.people[members].ravel(), 7)
        / residents.people[members].sum()
    )
    drawn, weight = adults.ravel()[chosen[0]], (adults / lines).ravel()[chosen[0]]
    found = np.bincount(drawn, weight, 7) / weight.sum()
    np.testing.assert_allclose(found, share, atol=0.012)
    assert np.bincount(drawn, minlength=7)[1] / len(drawn) > 1.5 * share[1]


def test_a_household_of_several_is_reached_by_more_numbers(population):
    adults, lines = households(population.residents, seed=PROVINCE_SEED)
    second = [(lines[adults == 1] == 2).mean(), (lines[adults > 1] == 2).mean()]
    np.testing.assert_allclose(second, SECOND_LINE, atol=0.005)


def test_a_draw_is_a_function_of_its_seed(population, called):
    _, declared, instrument = read_declared(WAVE)
    dates = (declared.fielded.start, declared.fielded.end)
    again = call_wave(
        population,
        read_questionnaire(instrument),
        fielded=dates,
        seed=0,
        household_seed=PROVINCE_SEED,
    )
    pd.testing.assert_frame_equal(again.respondents, called[0].head(len(again.respondents)))
