"""What every model person answers in a wave: county, community and personal leanings, cut into answer codes.

The numbers below are choices of this project, made so that levels, don't-knows, design effects (1.5-2) and the spread
of counties (about 4 points of the index) look like a resident survey; they are estimated from nothing.

The finite population of a wave: residents and what each of them answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tests.shipped_waves.residents import PopulationFacts, Residents, generator, settle

from satisfaction.sampling.variance import Array

NOT_APPLICABLE = 97
DONT_KNOW = 98
REFUSED = 99
NO_ANSWER = 0
TRAITS = 3  # leanings: towards satisfaction, towards taking part, towards support


class Leaning(NamedTuple):
    """Effects on the three leanings, in standard deviations of an answer."""

    county: tuple[float, ...] = (0.15, 0.18, 0.15)
    moved: tuple[float, ...] = (0.05, 0.08, 0.05)  # a county's own movement from wave to wave
    community: tuple[float, ...] = (0.21, 0.24, 0.22)
    person: tuple[float, ...] = (0.62, 0.60, 0.55)
    women: tuple[float, ...] = (0.04, -0.05, 0.03)
    country: tuple[float, ...] = (-0.05, -0.15, 0.05)


LEANING = Leaning()
AGE = np.array(
    [[-0.14, -0.06, 0.05, 0.20], [0.05, 0.15, 0.05, -0.30], [-0.10, 0.00, 0.05, 0.08]],
    dtype=np.float32,
)
DONT_KNOW_BY_AGE = np.array([0.6, 0.8, 1.2, 2.2], dtype=np.float32)
LASTING = 0.8  # share of a community's effect that stays from wave to wave
LEAVES_OFF = 0.006  # share of interviews broken off half-way
RETICENT = 0.1  # share of people who say "don't know" more often
RETICENCE = 3.0  # that much more often


@dataclass(frozen=True, slots=True)
class Scale:
    """An ordered item: which leaning, where the scale is cut, and how often it goes unanswered."""

    name: str
    trait: int
    cuts: tuple[float, ...]
    descending: bool = False
    level: float = 0.0
    country: float = 0.0
    noise: float = 0.72
    dont_know: float = 0.02
    not_applicable: tuple[float, float] = (0.0, 0.0)


_FIVE = (-1.80, -1.20, -0.40, 0.66)
SCALES = (
    Scale("heard", 1, (-0.45, 0.75), descending=True, dont_know=0.04),
    Scale("took_part", 1, (0.35, 1.25), descending=True, dont_know=0.02),
    Scale("support", 2, (-2.20, -1.70, -0.90, 0.25), dont_know=0.04),
    Scale("appearance", 0, _FIVE, level=0.18, dont_know=0.005),
    Scale("streets", 0, _FIVE, level=-0.18, country=-0.10, dont_know=0.01),
    Scale(
        "toilets", 0, _FIVE, level=-0.25, country=-0.15, dont_know=0.03, not_applicable=(0.06, 0.14)
    ),
    Scale("markets", 0, _FIVE, level=-0.10, dont_know=0.02, not_applicable=(0.04, 0.10)),
    Scale("traffic", 0, _FIVE, level=-0.15, country=0.12, dont_know=0.008),
    Scale("sites", 0, _FIVE, level=-0.12, dont_know=0.05, not_applicable=(0.09, 0.24)),
    Scale("windows", 0, _FIVE, level=0.10, dont_know=0.03, not_applicable=(0.06, 0.10)),
    Scale("safety", 0, _FIVE, level=0.40, country=0.08, dont_know=0.006),
    Scale("schools", 0, _FIVE, level=0.08, dont_know=0.04, not_applicable=(0.03, 0.05)),
    Scale(
        "parks", 0, _FIVE, level=0.02, country=-0.12, dont_know=0.015, not_applicable=(0.03, 0.16)
    ),
    Scale("overall", 0, (-1.95, -1.35, -0.50, 0.70), level=0.12, noise=0.45, dont_know=0.01),
)
ITEM_BY_COUNTY = 0.06
ITEM_BY_COMMUNITY = 0.17
KNOWN = np.array(
    [0.95, 0.75, 0.65, 0.45, 0.50, -1.95, -2.00, -2.20], dtype=np.float32
)  # pull towards each option
ACTIVITIES = np.array([0.62, 0.28, 0.34, 0.22], dtype=np.float32)
ORDER = ("heard", "core_values", "took_part", "took_part_in", *(scale.name for scale in SCALES[2:]))


def answer(residents: Residents, *, seed: int, wave: str) -> dict[str, Array]:
    """Give every model person's answers to the items of the civilised-city questionnaire.

    Parameters
    ----------
    residents : Residents
    seed : int
        The province's; communities and people keep their leanings from wave to wave.
    wave : str
        Moves the counties a little, and draws the answers anew.

    Returns
    -------
    dict of ndarray
        By item, C x PERSONS. Single items: the code, 0 where nothing was answered. Select-all items: bit k set where
        the k-th option was chosen; minus the special code; 0 where not asked or not answered.
    """
    leaning = _leanings(residents, seed, wave)
    talk = generator(seed, "talk", wave)
    shape = residents.sex.shape
    reticent = talk.random(shape) < RETICENT
    reticence = np.where(reticent, RETICENCE, 0.8).astype(np.float32)
    evasive = DONT_KNOW_BY_AGE[residents.age] * reticence
    codes = {}
    for scale in SCALES:
        codes[scale.name] = _single(scale, residents, leaning[scale.trait], evasive, seed, wave)
    random = generator(seed, "core_values", wave)
    codes["core_values"] = _core_values(leaning[1], evasive, random)
    random = generator(seed, "took_part_in", wave)
    codes["took_part_in"] = _activities(codes["took_part"], random)
    leaves = talk.random(shape) < LEAVES_OFF
    place = talk.integers(2, len(ORDER), size=shape)
    left_at = np.where(leaves, place, len(ORDER))
    for position, item in enumerate(ORDER):
        codes[item][left_at <= position] = NO_ANSWER
    return {item: codes[item] for item in ORDER}


def county_leanings(counties: int, *, seed: int, wave: str) -> Array:
    """Return each county's three leanings in a wave, n x 3; a third of the counties huddle around three values."""
    random = generator(seed, "counties")
    sd = np.array(LEANING.county)
    spread = random.standard_normal((counties, TRAITS)) * sd
    centres = np.array([-0.8, 0.1, 0.9])
    centre = centres[random.integers(3, size=counties)]
    huddle = centre[:, None] * sd + spread * 0.15
    huddles = random.random(counties) < 0.35
    effect = np.where(huddles[:, None], huddle, spread)
    moved = generator(seed, "counties", wave).standard_normal((counties, TRAITS))
    moved = moved * np.array(LEANING.moved)
    return np.asarray(effect + moved)


def _leanings(residents: Residents, seed: int, wave: str) -> list[Array]:
    """Return every person's three leanings, each C x PERSONS."""
    shape: tuple[int, ...] = residents.sex.shape
    by_community = (residents.county.size, TRAITS)
    county = county_leanings(len(residents.facts.counties), seed=seed, wave=wave)
    lasting = generator(seed, "communities").standard_normal(by_community)
    passing = generator(seed, "communities", wave).standard_normal(by_community)
    mixed = lasting * np.sqrt(LASTING) + passing * np.sqrt(1 - LASTING)
    country = residents.residence[:, None] * np.array(LEANING.country)
    place = county[residents.county] + mixed * np.array(LEANING.community)
    place = (place + country).astype(np.float32)
    people = generator(seed, "people")
    shared = people.standard_normal(shape, dtype=np.float32)
    leanings = []
    for trait in range(TRAITS):
        personal = shared
        if trait > 0:
            further = people.standard_normal(shape, dtype=np.float32)
            personal = 0.4 * shared + 0.9165 * further
        personal = personal * np.float32(LEANING.person[trait])
        women = residents.sex * np.float32(LEANING.women[trait])
        age = AGE[trait][residents.age]
        leanings.append(place[:, trait, None] + age + women + personal)
    return leanings


def _single(
    scale: Scale, residents: Residents, leaning: Array, evasive: Array, seed: int, wave: str
) -> Array:
    lasting = generator(seed, scale.name)
    county = lasting.standard_normal(len(residents.facts.counties)) * ITEM_BY_COUNTY
    community = lasting.standard_normal(residents.county.size) * ITEM_BY_COMMUNITY
    place = county[residents.county] + community
    place = (place + scale.level + scale.country * residents.residence).astype(np.float32)
    random = generator(seed, scale.name, wave)
    passing = random.standard_normal(leaning.shape, dtype=np.float32)
    latent = leaning + place[:, None] + passing * np.float32(scale.noise)
    step = np.zeros(leaning.shape, dtype=np.int16)
    for cut in scale.cuts:
        step += latent > np.float32(cut)
    codes = step + 1
    if scale.descending:
        codes = len(scale.cuts) + 1 - step
    by_residence = np.array(scale.not_applicable, dtype=np.float32)
    never = by_residence[residents.residence][:, None]
    _evade(codes, evasive * np.float32(scale.dont_know), never, random)
    return codes


def _evade(
    codes: Array,
    dont_know: Array,
    not_applicable: Array | float,
    random: np.random.Generator,
    *,
    sign: int = 1,
) -> None:
    """Replace answers in place: a few blanks and refusals, then don't knows, then not applicable."""
    draw = random.random(codes.shape, dtype=np.float32)
    bound = np.zeros((), dtype=np.float32)
    for share, code in (
        (0.004, NO_ANSWER),
        (0.006, REFUSED),
        (dont_know, DONT_KNOW),
        (not_applicable, NOT_APPLICABLE),
    ):
        upper = bound + share
        codes[(draw >= bound) & (draw < upper)] = sign * code
        bound = upper


def _core_values(leaning: Array, evasive: Array, random: np.random.Generator) -> Array:
    """Choose options: those who know more tick more of the right ones and fewer of the wrong."""
    chosen = np.zeros(leaning.shape, dtype=np.int16)
    for option, pull in enumerate(KNOWN):
        knowing = leaning
        if pull <= 0:
            knowing = -leaning
        chance = random.standard_normal(leaning.shape, dtype=np.float32)
        leaning_to_option = np.float32(0.9) * knowing + chance + pull
        ticks = leaning_to_option > 0
        chosen |= ticks.astype(np.int16) << option
    chosen[chosen == 0] = -DONT_KNOW
    _evade(chosen, evasive * np.float32(0.05), 0.0, random, sign=-1)
    return chosen


def _activities(took_part: Array, random: np.random.Generator) -> Array:
    """Choose activities for those who took part; at least one."""
    chosen = np.zeros(took_part.shape, dtype=np.int16)
    for option, share in enumerate(ACTIVITIES):
        ticks = random.random(took_part.shape, dtype=np.float32) < share
        chosen |= ticks.astype(np.int16) << option
    chosen[chosen == 0] = 1
    draw = random.random(took_part.shape, dtype=np.float32)
    chosen[draw < np.float32(0.006)] = -REFUSED
    took_any = (took_part == 1) | (took_part == 2)
    return np.where(took_any, chosen, NO_ANSWER).astype(np.int16)


@dataclass(frozen=True, slots=True, repr=False)
class Population:
    """Residents of a province and their answers in one wave.

    Attributes
    ----------
    residents : Residents
        Communities and model persons; the same in every wave.
    wave : str
    answers : dict of ndarray of int16, each C x PERSONS
        By item of the questionnaire; see `answers.answer` for the codes.
    """

    residents: Residents
    wave: str
    answers: dict[str, Array]


def simulate_population(facts: PopulationFacts, *, seed: int, wave: str) -> Population:
    """Simulate a finite population once; draw from it as often as wanted with `draw_wave`.

    Parameters
    ----------
    facts : Facts
        Population by county x residence, x sex and x age group; kept exactly.
    seed : int
        The province's: two waves with the same seed share communities, people and lasting leanings.
    wave : str
        Label of the wave, as in survey.yaml.

    Returns
    -------
    Population
        About 1.65 million model persons for Guizhou: some seconds, under one gigabyte.
    """
    residents = settle(facts, seed=seed)
    return Population(residents, wave, answer(residents, seed=seed, wave=wave))
