"""Back-checks: the answers of a second, short interview beside the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import USUAL, Fields, Limits, findings, require
from satisfaction.fieldwork.outliers import at_interviewers, others_quartiles

Array = np.ndarray[Any, Any]
ONE_SIDED = 1.6448536269514722  # normal quantile of 0.95


def back_check(
    rows: pd.DataFrame,
    again: pd.DataFrame,
    items: Sequence[str],
    *,
    fields: Fields,
    limits: Limits = USUAL,
) -> pd.DataFrame:
    """Compare back-checked answers with the first ones, by item and by interviewer.

    Parameters
    ----------
    rows, again : DataFrame
        Accepted respondents and re-interviews, both with the respondent's number and the items as codes.
    items : sequence of str
        Items that do not change between two interviews.
    fields : Fields
    limits : Limits
        `kappa`: an item is flagged when Cohen's kappa is below it by more than its error (one-sided 95 %).

    Returns
    -------
    DataFrame
        COLUMNS and agreement (share of equal answers, 0-1). Levels: item (figure kappa), interviewer (figure: share of
        answers that differ, flagged when higher than the others' of the county), and, under the check back_check_lost,
        respondent for back-checks whose number no accepted interview has.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(rows, items)
    require(again, items)
    number = pd.Index(fields.codes(rows, "respondent", needed=True))
    second = fields.codes(again, "respondent", needed=True)
    first = rows[~number.duplicated()].set_index(number[~number.duplicated()])
    there = second.isin(first.index).to_numpy()
    pairs = first.loc[second[there]]
    before = pairs[list(items)].to_numpy(float, na_value=np.nan)
    after = again.loc[there, list(items)].to_numpy(float, na_value=np.nan)
    differs = np.where(np.isfinite(before) & np.isfinite(after), before != after, np.nan)
    by_interviewer = at_interviewers(
        "back_check", pairs, _row_means(differs), fields=fields, limits=limits
    )
    lost = second[~there]
    tables = [
        _items(before, after, items=items, limits=limits),
        by_interviewer.assign(agreement=1 - by_interviewer["figure"]),
        findings(
            "back_check_lost", "respondent", unit=lost, county="", n=1, figure=np.nan, reference=np.full((3, 1), np.nan),
            flag=np.ones(len(lost), bool),
        ).assign(agreement=np.nan),
    ]  # fmt: skip
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def cohen_kappa(first: Array, second: Array) -> tuple[float, float, float, int]:
    """Agreement of two codings beyond chance (Cohen 1960).

    Parameters
    ----------
    first, second : (n,) float
        nan: left out.

    Returns
    -------
    kappa, se, agreement : float
        nan without pairs; kappa and se are nan where chance alone agrees always.
    n : int
        Pairs.
    """
    known = np.isfinite(first) & np.isfinite(second)
    first, second, n = first[known], second[known], int(known.sum())
    if not n:
        return np.nan, np.nan, np.nan, 0
    agreement = float((first == second).mean())
    chance = float(
        sum((first == code).mean() * (second == code).mean() for code in np.unique(first))
    )
    if chance == 1:
        return np.nan, np.nan, agreement, n
    se = float(np.sqrt(agreement * (1 - agreement) / n)) / (1 - chance)
    return (agreement - chance) / (1 - chance), se, agreement, n


def _items(before: Array, after: Array, *, items: Sequence[str], limits: Limits) -> pd.DataFrame:
    found = [cohen_kappa(before[:, at], after[:, at]) for at in range(len(items))]
    kappa, se, agreement, n = np.array(found, dtype=float).reshape(len(items), 4).T
    reference, known = np.full((3, len(items)), np.nan), np.isfinite(kappa)
    reference[:, known] = others_quartiles(kappa[known])
    flag = kappa + ONE_SIDED * se < limits.kappa
    shared = {"unit": list(items), "county": "", "n": n.astype(int), "figure": kappa}
    return findings("back_check", "item", **shared, reference=reference, flag=flag).assign(
        agreement=agreement
    )


def _row_means(values: Array) -> Array:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.asarray(
        np.divide(
            np.where(known, values, 0).sum(axis=1),
            count,
            out=np.full(len(values), np.nan),
            where=count > 0,
        )
    )
