"""Answers that say little: the same answer down a battery of items, and units whose answers hardly differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.fieldwork.checks import USUAL, Fields, Limits, require
from satisfaction.fieldwork.outliers import (
    at_counties,
    at_interviewers,
    at_respondents,
    interviewers,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Patterns:
    """How each respondent went down a battery of K items. n respondents.

    Attributes
    ----------
    answered : (n,) int
        Items with an answer.
    longest : (n,) int
        Longest run of equal answers in the order of the items; a blank ends it.
    identical : (n,) float
        Share of the answered items that hold the commonest answer; nan without answers.
    spread : (n,) float
        Standard deviation of the answers (intra-individual response variability); nan without answers.
    """

    answered: Array
    longest: Array
    identical: Array
    spread: Array


def straight_lining(
    rows: pd.DataFrame, battery: Sequence[str], *, fields: Fields, limits: Limits = USUAL
) -> pd.DataFrame:
    """Find straight-liners: respondents, and interviewers and counties with more of them than the others.

    Respondents are compared by their longest run of equal answers as a share of the battery, with those of other counties;
    interviewers and counties by the share of respondents all of whose answers are equal (half of the items answered at
    least, and three). Contented residents do straight-line: the comparison, not the run, is the sign.

    Parameters
    ----------
    rows : DataFrame
    battery : sequence of str
        Items of one scale in the order asked; codes, special codes included.
    fields : Fields
    limits : Limits

    Returns
    -------
    DataFrame
        COLUMNS; check straight_line at the levels respondent, interviewer, county.
    """
    require(rows, battery)
    answers = rows[list(battery)].to_numpy(float, na_value=np.nan)
    found = answer_patterns(answers)
    enough = found.answered >= max(3, len(battery) / 2)
    run = np.where(enough, found.longest / len(battery), np.nan)
    straight = np.where(enough, found.identical == 1, np.nan)
    return pd.concat(
        [
            at_respondents("straight_line", rows, run, fields=fields, limits=limits),
            at_interviewers("straight_line", rows, straight, fields=fields, limits=limits),
            at_counties("straight_line", rows, straight, fields=fields, limits=limits),
        ],
        ignore_index=True,
    )


def little_variance(
    rows: pd.DataFrame, items: Sequence[str], *, fields: Fields, limits: Limits = USUAL
) -> pd.DataFrame:
    """Find interviewers and counties whose respondents answer too much alike.

    The figure is the variance of the answers around the unit's own item means, as a share of the largest variance possible at
    those means, averaged over the items; interviewers are compared with the others of the county, counties with the other counties; only
    little variance is flagged.

    Parameters
    ----------
    rows : DataFrame
        Items as numbers of one scale, nan where there is no answer on it.

    Returns
    -------
    DataFrame
        COLUMNS; check little_variance at the levels interviewer, county.
    """
    require(rows, items)
    values = rows[list(items)].to_numpy(float, na_value=np.nan)
    interviewer, county = (
        interviewers(rows, fields)[0],
        pd.factorize(fields.codes(rows, "county"))[0],
    )
    levels = ((at_interviewers, interviewer), (at_counties, county))
    tables = [
        level(
            "little_variance",
            rows,
            relative_variances(values, unit=unit),
            fields=fields,
            limits=limits,
            side="low",
        )
        for level, unit in levels
    ]
    return pd.concat(tables, ignore_index=True)


def answer_patterns(answers: Array) -> Patterns:
    """Describe each row of answers (n, K); nan: no answer."""
    known = np.isfinite(answers)
    answered = known.sum(axis=1)
    run = known[:, 0].astype(int) if answers.shape[1] else answered
    longest = run
    for item in range(1, answers.shape[1]):
        run = np.where(
            answers[:, item] == answers[:, item - 1], run + 1, known[:, item].astype(int)
        )
        longest = np.maximum(longest, run)
    some = np.maximum(answered, 1)
    commonest = np.max(
        [(answers == answers[:, [item]]).sum(axis=1) for item in range(answers.shape[1])], axis=0
    )
    centre = np.where(known, answers, 0).sum(axis=1) / some
    spread = np.sqrt((np.where(known, answers - centre[:, None], 0) ** 2).sum(axis=1) / some)
    return Patterns(
        answered,
        longest,
        *(np.where(answered > 0, part, np.nan) for part in (commonest / some, spread)),
    )


def relative_variances(values: Array, *, unit: Array) -> Array:
    """Squared distance of each respondent's answers from the unit's item means, as a share of the largest variance possible.

    That is (mean - low)(high - mean), reached when all answers lie at the ends of the scale: without it, contented units would
    look even because their answers have less room.

    Parameters
    ----------
    values : (n, K) float
    unit : (n,) int
        -1: in none.

    Returns
    -------
    (n,) float
        Mean over the items, times m / (m - 1) for m answers in the unit, so that its mean over a unit does not depend on the
        unit's size; nan without a unit, or where no item has two answers in it whose mean lies inside the scale (perfect scores
        are `top_box`'s).
    """
    held, there = np.maximum(unit, 0), unit >= 0
    total, count = np.zeros(len(values)), np.zeros(len(values))
    for column in values.T:
        known = there & np.isfinite(column)
        m = np.bincount(held, known)[held]
        mean = np.bincount(held, np.where(known, column, 0))[held] / np.maximum(m, 1)
        low, high = np.min(column[known], initial=np.inf), np.max(column[known], initial=-np.inf)
        used = np.flatnonzero(known & (m > 1) & (mean > low) & (mean < high))
        room = (mean[used] - low) * (high - mean[used]) * (1 - 1 / m[used])
        total[used] += (column[used] - mean[used]) ** 2 / room
        count[used] += 1
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0))
