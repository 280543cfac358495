"""Samples of a simulated population: communities with probability proportional to size, then ten residents each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tests.shipped_waves.answers import Population
from tests.shipped_waves.residents import Days, Residents, generator, town_and_country

from satisfaction.declarations.items import MultipleItem, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.language import _
from satisfaction.planning.draw import systematic
from satisfaction.sampling.variance import Array

COUNTY_SAMPLE = 25  # communities
PER_COMMUNITY = 10  # residents
FEWEST_PSUS = 2
# readiness to take part, by sex and by age group; multiplicative, as raking assumes
READY_BY_SEX = np.array([0.82, 1.0])
READY_BY_AGE = np.array([0.60, 0.82, 1.0, 0.92])
INTERVIEWERS = 4  # in a county
TEXTS = ("respondent_id", "interview_date", "interviewer", "community", "county")


@dataclass(frozen=True, slots=True, repr=False)
class SampledCommunities:
    """The sampled communities of one wave.

    Attributes
    ----------
    position : ndarray of int, length m
        Of each community among the residents' communities, ascending.
    psu_probability, person_probability : ndarray of float, length m
        n_h M / M_h and 10 / M.
    panel : ndarray of bool, length m
        Whether the other wave of the pair has the community too.
    """

    position: Array
    psu_probability: Array
    person_probability: Array
    panel: Array

    def table(self, residents: Residents) -> pd.DataFrame:
        """Return the sample as the table a survey keeps, probabilities with 12 significant digits."""
        counties = np.array(residents.facts.counties)
        table = pd.DataFrame({"community": residents.community[self.position]})
        table["county"] = counties[residents.county[self.position]]
        table["residence"] = residents.residence[self.position] + 1
        table["psu_probability"] = [f"{p:.12g}" for p in self.psu_probability]
        table["person_probability"] = [f"{p:.12g}" for p in self.person_probability]
        table["planned"] = PER_COMMUNITY
        table["size"] = residents.size[self.position]
        table["panel"] = np.where(self.panel, "yes", "no")
        return table


@dataclass(frozen=True, slots=True, repr=False)
class Drawn:
    """One draw of a wave.

    Attributes
    ----------
    sample : Sample
    person : ndarray of int, m x 10
        The model persons interviewed in each sampled community.
    respondents : DataFrame
        Coded answers, one row a respondent: text for identifiers, dates and areas; Int64 for codes, missing where
        nothing was answered; for a select-all item its special code, and one 0/1 column an option.
    """

    sample: SampledCommunities
    person: Array
    respondents: pd.DataFrame


def draw_wave(
    population: Population,
    questionnaire: Questionnaire,
    *,
    fielded: Days,
    seed: int,
    sample_seed: int | None = None,
) -> Drawn:
    """Draw communities and residents; the same population gives a fresh sample for every seed.

    Parameters
    ----------
    population : Population
    questionnaire : Questionnaire
        Decides the columns.
    fielded : (date, date)
        First and last day of interviews.
    seed : int
        Draws the residents, and the communities too where `sample_seed` is None.
    sample_seed : int, optional
        Draws the communities: shared by the two waves of a pair, so that they share a quarter of them.

    Returns
    -------
    Drawn
        Exactly ten respondents a community; nonresponse is replaced within the community, so that it shows as a shift
        in sex and age (young men are hard to find) and is what calibration has to mend.
    """
    pair, part = wave_place(population.wave)
    if sample_seed is None:
        sample_seed = seed
    sample = draw_sample(population.residents, seed=sample_seed, pair=pair, part=part)
    random = generator(seed, "interviews", population.wave)
    person = _draw_persons(population.residents, sample.position, random)
    community = np.repeat(sample.position, PER_COMMUNITY)
    respondents = interviews(
        population,
        questionnaire,
        community=community,
        person=person.ravel(),
        fielded=fielded,
        random=random,
    )
    return Drawn(sample, person, respondents)


def draw_sample(
    residents: Residents, *, seed: int, pair: int = 0, part: int = 0
) -> SampledCommunities:
    """Draw the communities of one wave of a pair; `part` 0 is the earlier wave.

    Within a stratum one systematic sample proportional to size, in random order, serves both waves: parted at random
    into those of the earlier wave only, both, and the later only. So each wave has n_h communities, each drawn with
    probability n_h M / M_h, and the waves share n_h / 4.
    """
    random = generator(seed, "communities of a pair of waves", pair)
    size = residents.size
    stratum = residents.county * 2 + residents.residence
    taken = allocation(residents)
    strata = []
    starts = np.flatnonzero(np.diff(stratum)) + 1
    for position in np.split(np.arange(size.size), starts):
        n = int(taken[stratum[position[0]]])
        total = size[position].sum()
        both = round(n / 4)
        drawn_places = communities_by_size(size[position], 2 * n - both, random)
        master = random.permutation(position[drawn_places])
        mine = slice(n - both, None)
        if part == 0:
            mine = slice(0, n)
        place = np.arange(master.size)
        panel = (place >= n - both) & (place < n)
        probability = n * size[master] / total
        strata.append(np.column_stack([master, probability, panel])[mine])
    drawn = np.concatenate(strata)
    in_order = np.argsort(drawn[:, 0])
    communities_drawn, psu_probability, in_both = drawn[in_order].T
    position = communities_drawn.astype(np.int64)
    return SampledCommunities(
        position, psu_probability, PER_COMMUNITY / size[position], in_both == 1
    )


def allocation(residents: Residents) -> Array:
    """Return the communities to draw by county x residence (length 2n): 25 a county by population, two at least."""
    return town_and_country(residents.facts, COUNTY_SAMPLE, FEWEST_PSUS).ravel()


def communities_by_size(size: Array, take: int, random: np.random.Generator) -> Array:
    """Draw `take` places with probability exactly proportional to size, in random order.

    Raises
    ------
    SurveyError
        S153 when a place is so large that it would be certain to be drawn.
    """
    total = int(size.sum())
    if take * int(size.max()) >= total:
        raise SurveyError(
            "S153",
            _("A community would be drawn with certainty."),
            where="simulate",
            hint=_("Split large communities, or draw fewer."),
        )
    order = random.permutation(size.size)
    picked: Array = order[systematic(size[order], random, take)]
    return picked


def wave_place(wave: str) -> tuple[int, int]:
    """Return which pair of quarters a wave belongs to, and whether it is the earlier (0) or the later (1).

    Raises
    ------
    SurveyError
        S154 for a label that is no quarter.
    """
    quarter = re.fullmatch(r"(\d{4})Q([1-4])", wave)
    if quarter is None:
        raise SurveyError(
            "S154",
            _("A simulated wave is labelled by year and quarter; '{wave}' is not.", wave=wave),
            where="survey.yaml wave",
            hint=_("Write it like 2026Q3."),
        )
    return divmod(int(quarter[1]) * 4 + int(quarter[2]), 2)


def interviews(
    population: Population,
    questionnaire: Questionnaire,
    *,
    community: Array,
    person: Array,
    fielded: Days,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Return the coded answers of model persons, in the order of the questionnaire's items (see Drawn)."""
    residents = population.residents
    counties = np.array(residents.facts.counties)[residents.county][community]
    code = residents.community[community]
    days = (fielded[1] - fielded[0]).days
    usual = random.integers(0, days + 1, size=residents.county.size)
    day = np.minimum(usual[community] + random.integers(0, 3, size=community.size), days)
    dates = np.datetime64(fielded[0]) + day
    interviewer = 1 + community % INTERVIEWERS
    number = pd.Series(code).groupby(code).cumcount() + 1

    facts = dict[str, object]()
    wave = population.wave
    numbered = zip(code, number, strict=True)
    facts["respondent_id"] = [f"{wave}-{place}-{n:02d}" for place, n in numbered]
    facts["interview_date"] = dates.astype(str)
    interviewers = zip(counties, interviewer, strict=True)
    facts["interviewer"] = [f"{county}-{n}" for county, n in interviewers]
    facts["community"] = code
    facts["county"] = counties
    facts["residence"] = residents.residence[community] + 1
    facts["sex"] = residents.sex[community, person] + 1
    facts["age_group"] = residents.age[community, person] + 1
    facts["lived_here"] = np.ones(community.size, dtype=np.int64)
    for item in questionnaire.items:
        if item not in facts:
            facts |= coded_item(questionnaire, item, population.answers[item][community, person])
    coded = pd.DataFrame(facts)
    texts = dict.fromkeys(TEXTS, object)
    codes = {name: "Int64" for name in facts if name not in TEXTS}
    return coded.astype({**texts, **codes})


def coded_item(questionnaire: Questionnaire, item: str, codes: Array) -> dict[str, object]:
    """Return the coded columns of one item: its own, and one for each option of a select-all item."""
    declared = questionnaire.items[item]
    if not isinstance(declared, MultipleItem):
        return {item: _or_missing(codes, codes != 0)}
    columns: dict[str, object] = {item: _or_missing(-codes, codes < 0)}
    for bit, code in enumerate(declared.options):
        chosen = codes >> bit & 1
        columns[option_column(item, code)] = _or_missing(chosen, codes > 0)
    return columns


def _or_missing(codes: Array, present: Array) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(codes.astype(np.int64), ~present)


def _draw_persons(residents: Residents, position: Array, random: np.random.Generator) -> Array:
    """Draw ten persons in each community without repetition, by people stood for and readiness to take part."""
    ready = READY_BY_SEX[residents.sex[position]]
    ready = ready * READY_BY_AGE[residents.age[position]]
    order = np.argsort(random.random(ready.shape), axis=1)
    ready = ready * residents.people[position]
    share = np.take_along_axis(ready, order, axis=1)
    running = PER_COMMUNITY * np.cumsum(share, axis=1)
    upto = running / share.sum(axis=1, keepdims=True)
    upto[:, -1] = PER_COMMUNITY
    start = random.random((position.size, 1))
    upto = np.floor(upto + start)
    picked = np.diff(upto, axis=1, prepend=0) > 0
    persons: Array = order[picked].reshape(position.size, PER_COMMUNITY)
    return persons
