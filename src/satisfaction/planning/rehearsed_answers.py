"""What people answer in a rehearsal: leanings of places and persons, cut into the answers that the questionnaire allows.

Levels, the spread of areas (about 4 points of an index) and design effects (about 1.5) are choices of this project that look
like a resident survey; they are estimated from nothing. Areas, communities and answers lean the same way in every wave.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from satisfaction.declarations.items import (
    Answer,
    AreaItem,
    DateItem,
    MultipleItem,
    NumberItem,
    SingleItem,
    Special,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import Fielded
from satisfaction.sampling.variance import Array

PLACES_SEED = 2026  # leanings and communities are those of the places, not of a wave
# standard deviations of what an answer leans by
AREA = 0.15
AREA_AND_ITEM = 0.06
ITEM = 0.2
GROUP = 0.08
COMMUNITY = 0.21
PERSON = 0.62
PASSING = 0.72
SPREAD = float(np.hypot(PERSON, PASSING))

CHANCE = {"not_applicable": 0.04, "dont_know": 0.02, "refused": 0.006}
NOTHING_SAID = 0.004
KNOWN = 0.3  # pull towards a right option, away from a wrong one
REDRAWS = 50  # of answers that contradict one another
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True, repr=False)
class Interviewing:
    """What answers depend on: the questionnaire, the name of the wave, its first and last day."""

    questionnaire: Questionnaire
    wave: str
    fielded: Fielded


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return the random numbers of one purpose: independent between purposes, the same for the same seed."""
    words = [zlib.crc32(str(word).encode()) for word in purpose]
    return np.random.default_rng([seed, *words])


def leanings(keys: Sequence[str] | pd.Series, *purpose: object) -> Array:
    """Return a standard normal deviate for each key, the same for the same key and purpose in every wave."""
    places = pd.Categorical(keys)
    deviates = [
        generator(PLACES_SEED, *purpose, name).standard_normal() for name in places.categories
    ]
    of_rows: Array = np.asarray(deviates)[places.codes]
    return of_rows


def consistent_answers(
    wave: Interviewing, people: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Return everybody's coded answers; those that break a constraint of the questionnaire are drawn anew."""
    coded = answers(wave, people, random)
    for _attempt in range(REDRAWS):
        against = np.zeros(len(coded), dtype=bool)
        for constraint in wave.questionnaire.constraints.values():
            left = coded[constraint.left]
            right = coded.get(constraint.right, constraint.right)
            holds = OPERATORS[constraint.operator](left, right)
            against |= ~holds.fillna(True).to_numpy(bool)
        if not against.any():
            break
        anew = answers(wave, people[against], random)
        coded = pd.concat([coded[~against], anew]).sort_index()
    return coded


def answers(
    wave: Interviewing,
    people: pd.DataFrame,
    random: np.random.Generator,
    community: Array | None = None,
) -> pd.DataFrame:
    """Return coded answers in the order of the items: codes as Int64, texts as they are, missing where nothing was said.

    `community` holds what each person's community leans by; absent: by its code.
    """
    questionnaire = wave.questionnaire
    roles = questionnaire.roles
    area = people[roles.area].astype("category")
    if community is None:
        community = np.zeros(len(people))
        if roles.psu is not None:
            community = leanings(people[roles.psu], "community")
    shared = AREA * leanings(area, "area") + COMMUNITY * community
    shared = shared + PERSON * random.standard_normal(len(people))
    groups = people[sorted(set(people) & set(questionnaire.items_of(SingleItem)))].astype(
        "category"
    )
    columns: dict[str, object] = {}
    for name, item in questionnaire.items.items():
        latent = shared + AREA_AND_ITEM * leanings(area, "area", name)
        latent = latent + ITEM * leanings([name], "item")
        for group in groups:
            latent = latent + GROUP * leanings(groups[group], name, group)
        latent = latent + PASSING * random.standard_normal(len(people))
        if isinstance(item, MultipleItem):
            columns |= _several(name, item, latent, random)
        elif name in people and isinstance(item, SingleItem | NumberItem):
            columns[name] = people[name].astype("Int64")
        elif name in people:
            columns[name] = people[name]
        elif name in questionnaire.eligibility:
            eligible = questionnaire.eligibility[name][0]
            columns[name] = pd.array([eligible] * len(people), dtype="Int64")
        elif isinstance(item, SingleItem):
            columns[name] = _single(questionnaire, name, latent, random)
        elif isinstance(item, NumberItem):
            low_more_often = random.random(len(people)) ** 2
            numbers = item.low + np.floor((item.high - item.low + 1) * low_more_often)
            columns[name] = pd.array(numbers.astype(int), dtype="Int64")
        elif isinstance(item, DateItem):
            days = random.integers(
                (wave.fielded.end - wave.fielded.start).days + 1, size=len(people)
            )
            columns[name] = (np.datetime64(wave.fielded.start) + days).astype(str)
        elif isinstance(item, AreaItem):
            columns[name] = people[roles.area]
        elif name == roles.respondent:
            columns[name] = [f"{wave.wave}-{k:06d}" for k in people.index + 1]
        elif name == roles.interviewer:
            number = 1 + people.groupby(roles.area).cumcount() // 60
            columns[name] = people[roles.area] + "-" + number.astype(str)
        else:
            columns[name] = pd.Series("", index=people.index)
    coded = pd.DataFrame(columns, index=people.index)
    return _skipped(coded, questionnaire)


def _single(
    questionnaire: Questionnaire, name: str, latent: Array, random: np.random.Generator
) -> pd.api.extensions.ExtensionArray:
    """Cut a leaning into answers from the worst to the best; answers without an order come equally often."""
    declared = questionnaire.answers(name)
    rising = sorted(declared, key=lambda code: _worth(declared[code]))
    if any(_worth(answer) > (0, 0) for answer in declared.values()):
        upper = np.arange(1, len(rising)) / len(rising)
        step = np.searchsorted(SPREAD * ndtri(upper**2), latent)
    else:
        step = random.integers(len(rising), size=len(latent))
    codes = np.array(rising)[step]
    special = _special_codes(questionnaire.special(name), len(codes), random)
    said = np.ones(len(codes), dtype=bool)
    if not questionnaire.items[name].required:
        said = random.random(len(codes)) >= NOTHING_SAID
    return _known(np.where(special > 0, special, codes), said)


def _worth(answer: Answer) -> tuple[int, int]:
    return answer.score or 0, int(answer.counts or False)


def _several(
    name: str, item: MultipleItem, latent: Array, random: np.random.Generator
) -> dict[str, object]:
    """Tick options of a select-all item: those who lean higher know more of the right ones and fewer of the wrong."""
    left = np.full(len(latent), item.max_selected or len(item.options))
    ticks = {}
    for code, option in item.options.items():
        pull = -KNOWN + random.standard_normal(len(latent))
        if option.correct is not None:
            sign = 1 if option.correct else -1
            pull = pull + sign * (latent + KNOWN) + KNOWN
        ticks[code] = (pull > 0) & (left > 0)
        left = left - ticks[code]
    nothing = ~np.any(list(ticks.values()), axis=0)
    first = next(iter(ticks))
    ticks[first] = ticks[first] | nothing
    special = _special_codes(item.special, len(latent), random)
    columns: dict[str, object] = {name: _known(special, special > 0)}
    for code, ticked in ticks.items():
        columns[option_column(name, code)] = _known(ticked, special == 0)
    return columns


def _special_codes(
    special: Mapping[int, Special], count: int, random: np.random.Generator
) -> Array:
    """Return the special code that a person gives in place of an answer, 0 for most."""
    draw = random.random(count)
    codes = np.zeros(count, dtype=int)
    bound = 0.0
    for code, declared in special.items():
        chance = CHANCE[declared.reason]
        codes[(draw >= bound) & (draw < bound + chance)] = code
        bound += chance
    return codes


def _known(codes: Array, known: Array) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(codes.astype(np.int64), ~known)


def _skipped(coded: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Leave out what a person was not asked."""
    for name, item in questionnaire.items.items():
        for asked, codes in item.asked_if.items():
            not_asked = ~coded[asked].isin(codes)
            if not_asked.any():
                columns = questionnaire.columns(name)
                coded[columns] = coded[columns].mask(not_asked)
    return coded


def as_delivered(coded: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Turn coded answers into the columns of a file: text, one column an item, options joined."""
    columns = {}
    for name, item in questionnaire.items.items():
        text = coded[name].astype(object).where(coded[name].notna(), "").astype(str)
        if isinstance(item, MultipleItem):
            options = [option_column(name, code) for code in item.options]
            codes = np.array([str(code) for code in item.options])
            ticked = coded[options].fillna(0).to_numpy(dtype=bool)
            joined = [item.separator.join(codes[ticks]) for ticks in ticked]
            text = text.where(text != "", joined)
        columns[name] = text
    return pd.DataFrame(columns, dtype=object)
