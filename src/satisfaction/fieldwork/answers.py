"""Answers left open and answers that say little: don't-knows, blanks, one answer down a battery, too little variance.

The answers as points, codes and rates that the other checks compare stand here, too.

Near duplicates: the highest share of answers equal to another interview of the county (Kuriakose and Robbins 2016). A
fixed mark finds honest twins where options are few, respondents many or opinions alike (Pew 2016): what is flagged is what
other counties do not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from satisfaction.collection.responses import Responses
from satisfaction.declarations.items import MultipleItem, SingleItem, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.fieldwork.findings import (
    LIMITS,
    Fields,
    in_one_table,
    numeric_columns,
    ratio,
    require,
)
from satisfaction.fieldwork.outliers import (
    at_counties,
    at_interviewers,
    at_respondents,
    interviewers,
)
from satisfaction.foundation.engines import fetch, scan
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.measures import add_columns
from satisfaction.sampling.variance import Array

# rows of answers compared with all others of the county at a time
BLOCK = 512
OUTCOMES = ("answered", "not_applicable", "dont_know", "refused", "no_answer")


def item_nonresponse(responses: Responses, questionnaire: Questionnaire) -> pd.DataFrame:
    """Account for every single and select-all item: who was asked, and how the asked ones answered.

    Returns
    -------
    DataFrame
        One row an item: item, zh, en, asked, then counts answered, not_applicable, dont_know, refused, no_answer, which
        add up to asked (the skip rule leaves the others out), and their shares of asked (0-1) as share_answered, ...
    """
    respondents = responses.accepted
    rows = []
    for name in _coded_items(questionnaire):
        item = questionnaire.items[name]
        asked = _asked(respondents, questionnaire, name)
        outcomes = _outcome(respondents, questionnaire, name)[asked].value_counts()
        counts = outcomes.reindex(OUTCOMES, fill_value=0)
        rows.append([name, *item.text, counts.sum(), *counts])
    table = pd.DataFrame(rows, columns=["item", "zh", "en", "asked", *OUTCOMES])
    for outcome in OUTCOMES:
        table[f"share_{outcome}"] = ratio(table[outcome], table["asked"])
    return table


def outcome_counts(
    respondents: pd.DataFrame, questionnaire: Questionnaire, outcome: str
) -> pd.DataFrame:
    """Count, for each respondent, the items asked that can have an outcome and those that have it.

    Parameters
    ----------
    outcome : str
        One of OUTCOMES. Don't-know, refused and not-applicable are possible where the item offers them; the others everywhere.

    Returns
    -------
    DataFrame
        asked and the outcome's own name, in the order and with the index of the respondents.
    """
    counts = pd.DataFrame({"asked": 0, outcome: 0}, index=respondents.index)
    for name in _coded_items(questionnaire):
        reasons = {special.reason for special in questionnaire.special(name).values()}
        if outcome in {"answered", "no_answer", *reasons}:
            asked = _asked(respondents, questionnaire, name)
            has_it = asked & (_outcome(respondents, questionnaire, name) == outcome)
            counts["asked"] += asked.astype(int)
            counts[outcome] += has_it.astype(int)
    return counts


def open_items(
    respondents: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    fields: Fields,
) -> pd.DataFrame:
    """Find interviewers who leave more items without an answer, or with don't know, than the others of their county.

    Returns
    -------
    DataFrame
        COLUMNS; checks no_answer and dont_know, one row an interviewer and county each.
    """
    tables = []
    for check in ("no_answer", "dont_know"):
        counts = outcome_counts(respondents, questionnaire, check)
        share = ratio(counts[check], counts["asked"])
        tables.append(at_interviewers(check, respondents, share, fields=fields))
    return in_one_table(*tables)


def points(
    respondents: pd.DataFrame, questionnaire: Questionnaire, items: Sequence[str]
) -> pd.DataFrame:
    """Return single items as the points (0-100) of their answers, nan without a valid one: (respondents, items) float."""
    columns = {}
    for name in items:
        answers = questionnaire.answers(name)
        scores = {code: answer.score for code, answer in answers.items()}
        columns[name] = respondents[name].map(scores)
    return pd.DataFrame(columns, index=respondents.index).astype(float)


def answer_codes(
    respondents: pd.DataFrame, questionnaire: Questionnaire, *, without: Iterable[str | None] = ()
) -> pd.DataFrame:
    """Return one column of codes a coded item, special codes included; a select-all answer is one code, nan: no answer."""
    columns = {}
    for name in _coded_items(questionnaire):
        if name not in set(without):
            answer = respondents[questionnaire.columns(name)]
            codes = answer.groupby(list(answer), dropna=False).ngroup()
            columns[name] = codes.where(answer.notna().any(axis=1))
    return pd.DataFrame(columns, index=respondents.index).astype(float)


def rate_values(
    respondents: pd.DataFrame, questionnaire: Questionnaire, rates: Sequence[str]
) -> pd.DataFrame:
    """Return each respondent's value of rates (share, 0-1), nan where not valid: (respondents, rates) float."""
    measures = [measure for measure in compile_measures(questionnaire) if measure.name in rates]
    columns = []
    for measure in measures:
        columns += [measure.valid_column, measure.score_column]
    measured = add_columns(scan(respondents), measures)
    computed = fetch(measured.select(*columns))
    values = {}
    for measure in measures:
        valid = computed[measure.valid_column] == 1
        score = computed[measure.score_column].where(valid)
        values[measure.name] = score / measure.unit
    return pd.DataFrame(values).astype(float).set_axis(respondents.index)


def _coded_items(questionnaire: Questionnaire) -> list[str]:
    return questionnaire.items_of(SingleItem, MultipleItem)


def _asked(respondents: pd.DataFrame, questionnaire: Questionnaire, item: str) -> pd.Series:
    """Mark whom the skip rule has asked an item."""
    asked = pd.Series(True, index=respondents.index)
    for other, codes in questionnaire.items[item].asked_if.items():
        asked &= respondents[other].isin(codes)
    return asked


def _outcome(respondents: pd.DataFrame, questionnaire: Questionnaire, item: str) -> pd.Series:
    """Say in one of the OUTCOMES' words how each respondent answered an item."""
    declared = questionnaire.items[item]
    codes = questionnaire.special(item)
    reasons = {code: special.reason for code, special in codes.items()}
    outcome = respondents[item].map(reasons).astype(object)
    if isinstance(declared, MultipleItem):
        options = [option_column(item, code) for code in declared.options]
        answered = respondents[options].notna().any(axis=1)
    else:
        answered = respondents[item].notna() & outcome.isna()
    return outcome.fillna("no_answer").mask(answered, "answered")


@dataclass(frozen=True, slots=True, repr=False)
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
    """

    answered: Array
    longest: Array
    identical: Array


def straight_lining(rows: pd.DataFrame, battery: Sequence[str], *, fields: Fields) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        COLUMNS; check straight_line at the levels respondent, interviewer, county.
    """
    patterns = answer_patterns(numeric_columns(rows, battery))
    enough = patterns.answered >= max(3, len(battery) / 2)
    longest = patterns.longest / len(battery)
    run = np.where(enough, longest, np.nan)
    straight = np.where(enough, patterns.identical == 1, np.nan)
    check = "straight_line"
    by_respondent = at_respondents(check, rows, run, fields=fields)
    return in_one_table(
        by_respondent,
        at_interviewers(check, rows, straight, fields=fields),
        at_counties(check, rows, straight, fields=fields),
    )


def little_variance(rows: pd.DataFrame, items: Sequence[str], *, fields: Fields) -> pd.DataFrame:
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
    values = numeric_columns(rows, items)
    interviewer, _, _ = interviewers(rows, fields)
    county, _ = pd.factorize(fields.codes(rows, "county"))
    tables = []
    for compare, unit in ((at_interviewers, interviewer), (at_counties, county)):
        share = relative_variances(values, unit=unit)
        tables.append(compare("little_variance", rows, share, fields=fields, side="low"))
    return in_one_table(*tables)


def answer_patterns(answers: Array) -> Patterns:
    """Describe each row of answers (n, K); nan: no answer."""
    known = np.isfinite(answers)
    answered = known.sum(axis=1)
    items = answers.shape[1]
    run = known[:, 0].astype(int) if items else answered
    longest = run
    commonest = np.zeros(len(answers))
    for item in range(items):
        answer = answers[:, [item]]
        commonest = np.maximum(commonest, (answers == answer).sum(axis=1))
        if item:
            goes_on = answers[:, item] == answers[:, item - 1]
            run = np.where(goes_on, run + 1, known[:, item])
            longest = np.maximum(longest, run)
    return Patterns(answered, longest, ratio(commonest, answered))


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
    in_unit = unit >= 0
    bin_of = np.maximum(unit, 0)
    total = np.zeros(len(values))
    count = np.zeros(len(values))
    for column in values.T:
        known = in_unit & np.isfinite(column)
        m = np.bincount(bin_of, known)[bin_of]
        sums = np.bincount(bin_of, np.where(known, column, 0))[bin_of]
        mean = sums / np.maximum(m, 1)
        low = np.min(column[known], initial=np.inf)
        high = np.max(column[known], initial=-np.inf)
        inside = (mean > low) & (mean < high)
        used = np.flatnonzero(known & (m > 1) & inside)
        room = (mean[used] - low) * (high - mean[used])
        unbiased = 1 - 1 / m[used]
        distance = column[used] - mean[used]
        total[used] += distance**2 / (room * unbiased)
        count[used] += 1
    return ratio(total, count)


def near_duplicates(rows: pd.DataFrame, items: Sequence[str], *, fields: Fields) -> pd.DataFrame:
    """Find interviews almost equal to another of the county, and interviewers and counties with many of them.

    Parameters
    ----------
    rows : DataFrame
    items : sequence of str
        Answers to compare, as codes, special codes included; ten or more. What is equal by design (county, day) stays out.
    fields : Fields

    Returns
    -------
    DataFrame
        COLUMNS and `other`, the respondent with the most equal answers; check near_duplicate at the levels respondent,
        interviewer, county. The highest share grows with the interviews of a county: compare counties of like size.
    """
    require(rows, items)
    codes = np.empty((len(rows), len(items)), int)
    for position, name in enumerate(items):
        codes[:, position], _different = pd.factorize(rows[name])
    respondent = fields.codes(rows, "respondent").to_numpy()
    county = fields.codes(rows, "county").to_numpy()
    least = max(1, len(items) // 2)
    share = np.full(len(rows), np.nan)
    other = np.full(len(rows), "", dtype=object)
    for interviews in pd.Series(county).groupby(county).indices.values():
        of_county = codes[interviews]
        share[interviews], partner = highest_match(of_county, least=least)
        names = respondent[interviews][partner]
        other[interviews] = np.where(partner >= 0, names, "")
    compared = np.isfinite(share)
    near = np.where(compared, share >= LIMITS.match, np.nan)
    check = "near_duplicate"
    by_respondent = at_respondents(check, rows, share, fields=fields)
    return in_one_table(
        by_respondent.assign(other=other),
        at_interviewers(check, rows, near, fields=fields),
        at_counties(check, rows, near, fields=fields, together=2),
    )


def highest_match(codes: Array, *, least: int) -> tuple[Array, Array]:
    """Find, for each interview, the other one with the highest share of equal answers.

    Parameters
    ----------
    codes : (n, K) int
        -1: no answer; an item counts where both have one.
    least : int
        Items that two interviews need in common to be compared.

    Returns
    -------
    share : (n,) float
        nan where nothing can be compared.
    other : (n,) int
        Its row, the first of several; -1 where share is nan.
    """
    n = len(codes)
    share = np.full(n, np.nan)
    other = np.full(n, -1)
    code_type = np.int16 if codes.max(initial=0) < 2**15 else np.int64
    columns = np.ascontiguousarray(codes.T, dtype=code_type)
    count_type = np.uint8 if len(columns) < 256 else np.int32
    answered = (codes >= 0).astype(np.float32)
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        equal = np.zeros((block.stop - start, n), count_type)
        for column in columns:
            # -2: no answer equals no other one
            compared = np.where(column[block] < 0, -2, column[block])
            equal += compared[:, None] == column
        common = answered[block] @ answered.T
        at_least_one = np.maximum(common, 1)
        match = np.where(common >= least, equal / at_least_one, -1)
        row = np.arange(len(equal))
        match[row, row + start] = -1
        best = match.argmax(axis=1)
        matched = match[row, best] >= 0
        highest = equal[row, best] / at_least_one[row, best].astype(float)
        share[block] = np.where(matched, highest, np.nan)
        other[block] = np.where(matched, best, -1)
    return share, other
