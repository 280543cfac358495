"""The truth of a simulated wave: finite-population values under the questionnaire's own denominator rules.

Written apart from the measures, with arrays instead of engine expressions, so that each checks the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from tests.shipped_waves.answers import Population

from satisfaction.declarations.items import Index, MultipleItem, Rate
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.sampling.variance import Array

BILLION = 1_000_000_000


def true_values(population: Population, questionnaire: Questionnaire) -> pd.DataFrame:
    """Return the true value of every county and measure.

    Parameters
    ----------
    population : Population
    questionnaire : Questionnaire
        Its rates, topics and indices are evaluated.

    Returns
    -------
    DataFrame
        county, measure, value. Rates: share 0-1. Topics and indices: points 0-100. Sums are whole numbers, so exact;
        area-level indices are then combined in floating point.
    """
    values = {}
    for name, rate in questionnaire.rates.items():
        values[name] = _of_rate(population, questionnaire, rate)
    points = {name: 100 * value for name, value in values.items()}
    for item in questionnaire.topics:
        values[item] = points[item] = _mean(population, *_points(population, questionnaire, item))
    for name, index in questionnaire.indices.items():
        if index.level == "person":
            values[name] = points[name] = _of_index(population, questionnaire, index)
    for name, index in questionnaire.indices.items():
        if index.level == "area":
            values[name] = _of_area(population, questionnaire, index, points)
    counties = population.residents.facts.counties
    records = [
        (county, name, value[k])
        for k, county in enumerate(counties)
        for name, value in values.items()
    ]
    return pd.DataFrame(records, columns=["county", "measure", "value"])


def _mean(population: Population, valid: Array, value: Array, unit: int = 1) -> Array:
    """Return each county's mean over the people whose value is valid; `value` is counted in 1/unit."""
    residents = population.residents
    people = np.where(valid, residents.people, 0)
    counties = np.arange(len(residents.facts.counties))
    start = np.searchsorted(residents.county, counties)
    of_communities = (people * value).sum(axis=1)
    above = np.add.reduceat(of_communities, start)
    below = np.add.reduceat(people.sum(axis=1), start)
    mean: Array = above / below / unit
    return mean


def _of_rate(population: Population, questionnaire: Questionnaire, rate: Rate) -> Array:
    answered = np.zeros(population.residents.people.shape, dtype=np.int64)
    earned = np.zeros_like(answered)
    for item in rate.items:
        inside, credit = _credit(population, questionnaire, item, rate)
        answered += inside
        earned += np.where(inside, credit, 0)
    share = _divided(earned, answered)
    return _mean(population, answered >= rate.min_valid_items, share, BILLION)


def _of_index(population: Population, questionnaire: Questionnaire, index: Index) -> Array:
    above = np.zeros(population.residents.people.shape, dtype=np.int64)
    below = np.zeros_like(above)
    answered = np.zeros_like(above)
    for item, weight in index.whole_weights().items():
        valid, score = _points(population, questionnaire, item)
        above += weight * score
        below += weight * valid
        answered += valid * (weight > 0)
    scores = _divided(BILLION * above, below)
    return _mean(population, answered >= index.min_valid_items, scores, BILLION)


def _of_area(
    population: Population,
    questionnaire: Questionnaire,
    index: Index,
    points: dict[str, Array],
) -> Array:
    whole = index.whole_weights()
    total = np.zeros(len(population.residents.facts.counties))
    for name, weight in whole.items():
        part = points.get(name)
        if part is None:
            part = _mean(population, *_points(population, questionnaire, name))
        total = total + weight * part
    return total / sum(whole.values())


def _divided(above: Array, below: Array) -> Array:
    """Divide whole numbers, rounded half up; 0 where the divisor is 0."""
    safe = np.maximum(below, 1)
    rounded: Array = (2 * above + safe) // (2 * safe)
    return rounded


def _points(population: Population, questionnaire: Questionnaire, item: str) -> tuple[Array, Array]:
    codes = population.answers[item]
    valid = np.zeros(codes.shape, dtype=bool)
    score = np.zeros(codes.shape, dtype=np.int64)
    for code, declared in questionnaire.answers(item).items():
        valid |= codes == code
        score[codes == code] = declared.score or 0
    return valid, score


def _credit(
    population: Population, questionnaire: Questionnaire, item: str, rate: Rate
) -> tuple[Array, Array]:
    """Return who stands in the denominator of a rate at an item, and the credit in billionths."""
    ways = questionnaire.denominator(item, rate)
    codes = population.answers[item]
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem):
        inside, credit = _knowledge(questionnaire.credited(item, rate), codes)
        codes = -codes
    else:
        answers = questionnaire.answers(item)
        counted = rate.counts or [code for code, scale in answers.items() if scale.counts]
        inside = np.isin(codes, list(answers))
        credit = np.isin(codes, counted) * BILLION
    for code, special in questionnaire.special(item).items():
        inside = np.where(codes == code, ways[special.reason] == "in", inside)
    asked = _asked(population, questionnaire, item)
    inside = np.where(codes == 0, ways["no_answer"] == "in", inside)
    inside = np.where(asked, inside, ways["skipped"] == "in")
    return inside, np.where(asked, credit, 0)


def _knowledge(declared: MultipleItem, codes: Array) -> tuple[Array, Array]:
    """Return who chose options, and the credit of the choice in billionths (see questionnaire.Knowledge)."""
    rule = declared.knowledge
    assert rule is not None
    right = np.zeros(codes.shape, dtype=np.int64)
    wrong = np.zeros_like(right)
    for bit, option in enumerate(declared.options.values()):
        chosen = (codes > 0) & (codes >> bit & 1 == 1)
        if option.correct:
            right += chosen
        else:
            wrong += chosen
    correct = sum(bool(option.correct) for option in declared.options.values())
    if rule.credit == "share":
        gained = BILLION * np.maximum(right - wrong, 0)
        return codes > 0, _divided(gained, np.full(codes.shape, correct))
    if rule.credit == "all":
        return codes > 0, ((right == correct) & (wrong == 0)) * BILLION
    assert rule.least is not None
    return codes > 0, ((right >= rule.least) & (wrong <= rule.wrong_allowed)) * BILLION


def _asked(population: Population, questionnaire: Questionnaire, item: str) -> Array:
    asked = np.ones(population.residents.people.shape, dtype=bool)
    for other, codes in questionnaire.items[item].asked_if.items():
        asked &= np.isin(population.answers[other], codes)
    return asked
