"""A telephone wave of a simulated population: random numbers dialled in every county, one resident chosen a household.

A resident is reached in proportion to the telephone numbers of the household and chosen among its adults, so persons
have unequal inclusion probabilities; whether they answer depends on sex and age group. The numbers below are choices of
this project, estimated from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tests.shipped_waves.answers import Population
from tests.shipped_waves.delivery import as_delivered
from tests.shipped_waves.residents import Days, Residents, generator
from tests.shipped_waves.sampling import coded_item

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.files import new_file
from satisfaction.foundation.tables import write_csv
from satisfaction.planning.draw import systematic
from satisfaction.sampling.variance import Array

INSTRUMENT = "phone-satisfaction"
HOUSEHOLD = ("mode", "household_adults", "phone_lines")
COUNTY_SAMPLE = 300  # persons
INTERVIEWERS = 24
RESPONSE = np.array([[0.35, 0.41, 0.49, 0.54], [0.41, 0.48, 0.56, 0.60]])  # by sex and age group
ADULTS = np.array(  # share of residents by age group, in households of 1 to 6 adults
    [
        [0.08, 0.27, 0.28, 0.24, 0.09, 0.04],
        [0.05, 0.36, 0.25, 0.21, 0.09, 0.04],
        [0.07, 0.38, 0.24, 0.20, 0.08, 0.03],
        [0.17, 0.43, 0.16, 0.15, 0.06, 0.03],
    ]
)
SECOND_LINE = np.array(
    [0.08, 0.26]
)  # share of households of one adult, and of several, that two numbers reach
LANDLINE = np.array([0.02, 0.06, 0.16, 0.30])  # share of interviews by age group
UNKNOWN = {
    "household_adults": (0.015, 0.08),
    "phone_lines": (0.025, 0.10),
}  # of respondents, of the others


@dataclass(frozen=True, slots=True, repr=False)
class Called:
    """What a telephone wave brings back, as text.

    Attributes
    ----------
    respondents : DataFrame
        One row an interview, in the order of the questionnaire's items.
    nonrespondents : DataFrame
        county, sex, age_group, household_adults, phone_lines of the chosen persons who were not interviewed; sex and age
        group as the contact record has them. An empty text where it is not known.
    """

    respondents: pd.DataFrame
    nonrespondents: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write nonrespondents.csv and responses/phone.csv below the wave's folder."""
        for name, table in {
            "nonrespondents.csv": self.nonrespondents,
            "responses/phone.csv": self.respondents,
        }.items():
            with new_file(folder / name, replace=True) as scratch:
                write_csv(table, scratch)


def call_wave(
    population: Population,
    questionnaire: Questionnaire,
    *,
    fielded: Days,
    seed: int,
    household_seed: int,
) -> Called:
    """Dial a wave: 300 residents chosen in every county, of whom somewhat less than half answer.

    Parameters
    ----------
    population : Population
    questionnaire : Questionnaire
        Decides the columns.
    fielded : (date, date)
        First and last day of interviews.
    seed : int
        Draws the residents, who answers, and what stays unknown.
    household_seed : int
        The population's: a resident's household is the same in every draw.
    """
    residents = population.residents
    random = generator(seed, "calls", population.wave)
    adults, lines = households(residents, seed=household_seed)
    chosen = choose_persons(residents, residents.people * lines / adults, random)
    community, person = np.divmod(chosen.ravel(), residents.sex.shape[1])
    sex = residents.sex[community, person]
    age = residents.age[community, person]
    answers = random.random(chosen.size) < RESPONSE[sex, age]
    # the order of what is drawn is part of the simulated wave
    landline = random.random(chosen.size) < LANDLINE[age]
    interviewer = random.integers(1, INTERVIEWERS + 1, size=chosen.size)

    numbers = []  # those who do not answer leave gaps
    for county in population.residents.facts.counties:
        for place in range(1, chosen.shape[1] + 1):
            numbers.append(f"{population.wave}-T{county}-{place:03d}")
    people = pd.DataFrame({"respondent_id": numbers})
    people["county"] = np.array(residents.facts.counties)[residents.county[community]]
    people["residence"] = residents.residence[community] + 1
    people["sex"] = sex + 1
    people["age_group"] = age + 1
    people["mode"] = 1 + landline
    people["lived_here"] = 1
    people["interviewer"] = [f"T{number:02d}" for number in interviewer]
    people["interview_date"] = _days(fielded, random, chosen.size)
    for name, values in (("household_adults", adults), ("phone_lines", lines)):
        people[name] = _partly_known(values[community, person], answers, UNKNOWN[name], random)
    for item in questionnaire.items:
        if item not in people:
            codes = population.answers[item][community, person]
            people = people.assign(**coded_item(questionnaire, item, codes))
    respondents = as_delivered(people[answers].reset_index(drop=True), questionnaire)
    listed = people[~answers][["county", "sex", "age_group", "household_adults", "phone_lines"]]
    texts = listed.astype(object).where(listed.notna(), "")
    return Called(respondents, texts.astype(str).reset_index(drop=True))


def households(residents: Residents, *, seed: int) -> tuple[Array, Array]:
    """Return the adults and the telephone numbers of every model person's household, each C x PERSONS."""
    random = generator(seed, "households")
    share = np.cumsum(ADULTS, axis=1)[:, :-1]
    shape: tuple[int, ...] = residents.sex.shape
    draw = random.random(shape)
    further_adults = draw[:, :, None] >= share[residents.age]
    adults = 1 + further_adults.sum(axis=2)
    second_line = SECOND_LINE[np.minimum(adults - 1, 1)]
    lines = 1 + (random.random(adults.shape) < second_line)
    return adults, lines


def choose_persons(
    residents: Residents,
    chance: Array,
    random: np.random.Generator,
) -> Array:
    """Draw model persons of every county in proportion to `chance`, systematically in random order: n x COUNTY_SAMPLE.

    Returns the places in the flattened C x PERSONS; a model person stands for many people and may be drawn twice.
    """
    county_of_person = np.repeat(residents.county, residents.sex.shape[1])
    chances = chance.ravel()
    chosen = []
    for county in range(len(residents.facts.counties)):
        members = np.flatnonzero(county_of_person == county)
        order = random.permutation(members)
        places = systematic(chances[order], random, COUNTY_SAMPLE)
        chosen.append(order[places])
    return np.array(chosen)


def _days(fielded: Days, random: np.random.Generator, count: int) -> list[str]:
    length = (fielded[1] - fielded[0]).days + 1
    days = random.integers(0, length, size=count)
    dates = np.datetime64(fielded[0]) + days
    return list(dates.astype(str))


def _partly_known(
    values: Array,
    answers: Array,
    unknown: tuple[float, float],
    random: np.random.Generator,
) -> pd.Series:
    """Leave a share of the values out, a smaller one of those who answer."""
    share = np.where(answers, *unknown)
    lost = random.random(values.size) < share
    return pd.Series(values).astype("Int64").mask(lost)
